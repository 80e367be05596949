//! What cannot be measured is said, and is no result.

use std::fs;
use std::path::Path;

use rstest::rstest;

use super::{bench, told};

const MANIFEST: &str = "kind = \"good\"\nfamily = \"work\"\ntries = \"Nothing.\"\n";

/// A directory with one scenario of these files.
fn scenario(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join("some/one").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn run(dir: &Path) -> crate::child::Ended {
    bench(dir, &["--scenarios", "some", "--format", "json"])
}

#[rstest]
#[case::no_manifest(&[("plan.sh", "")], "scenario.toml is missing")]
#[case::bad_manifest(&[("scenario.toml", "kind = \"ugly\"")], "ugly")]
#[case::a_key_nobody_knows(&[("scenario.toml", "colour = 1")], "colour")]
#[case::a_file_nobody_reads(&[("scenario.toml", MANIFEST), ("implment.sh", "")], "implment.sh")]
fn a_malformed_scenario_is_refused(#[case] files: &[(&str, &str)], #[case] says: &str) {
    let ran = run(scenario(files).path()).exits(64);
    assert!(ran.stderr.contains("one") && ran.stderr.contains(says), "{}", ran.stderr);
}

#[rstest]
#[case::the_project_cannot_be_made("setup.sh", "echo no >&2; exit 1", "cannot be made")]
#[case::the_oracle_fails("oracle.sh", "no-such-program", "no-such-program")]
#[case::the_oracle_is_in_doubt("oracle.sh", "exit 2", "exit status: 2")]
fn a_scenario_that_does_not_work_is_no_result(
    #[case] file: &str,
    #[case] text: &str,
    #[case] says: &str,
) {
    let dir = scenario(&[("scenario.toml", MANIFEST), (file, text)]);
    let ran = run(dir.path()).exits(74);
    assert!(ran.stdout.is_empty() && ran.stderr.contains(says), "{}", ran.stderr);
    assert!(ran.stderr.contains("scenario one"), "{}", ran.stderr);
}

/// The oracle is right about what the benchmark has to say.
#[rstest]
#[case::bad_work_committed("bad", "lazy", "approve", "false_pass")]
#[case::good_work_refused("good", "work", "object; echo 'VERDICT: FAIL'", "false_block")]
fn what_goes_wrong_is_counted(
    #[case] kind: &str,
    #[case] implement: &str,
    #[case] critique: &str,
    #[case] what: &str,
) {
    let manifest = MANIFEST.replace("good", kind);
    let dir = scenario(&[
        ("scenario.toml", &manifest),
        ("implement.sh", implement),
        ("impl_critique.sh", critique),
    ]);
    let report = told(&run(dir.path()).exits(1));
    assert_eq!(report["scenarios"][0][what], true, "{report}");
    assert_eq!(report["totals"][what]["count"], 1, "{report}");
}

#[test]
fn a_bad_scenario_that_fools_nobody_is_named() {
    let manifest = MANIFEST.replace("good", "bad");
    let dir = scenario(&[("scenario.toml", &manifest)]);
    let ran = bench(dir.path(), &["--scenarios", "some", "--believer"]).exits(1);
    assert!(ran.stderr.contains("try nothing: one"), "{}", ran.stderr);
}

#[rstest]
#[case::a_scenario(&["no-such"], 64, "no-such")]
#[case::a_gate(&["--off", "no-such"], 64, "no such gate")]
#[case::a_directory(&["--scenarios", "no-such"], 64, "no-such")]
#[case::a_log(&["--from-log", "no-such"], 64, "no-such")]
fn what_is_not_there_is_named(#[case] arguments: &[&str], #[case] code: i32, #[case] says: &str) {
    let cwd = tempfile::tempdir().unwrap();
    let ran = bench(cwd.path(), arguments).exits(code);
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
}
