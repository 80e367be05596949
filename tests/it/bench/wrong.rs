//! What cannot be measured is said, and is no result.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rstest::rstest;

use super::{bench, told};
use crate::child::{looper, start};

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
#[case::an_agent_says_what_means_nothing("implement.sh", "no-such-word", "no-such-word")]
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

/// Neither projects nor agents, at whatever they are.
#[rstest]
#[case::looper(&[])]
#[case::a_loop_that_believes(&["--believer"])]
fn a_benchmark_that_is_ended_leaves_nothing_behind(#[case] more: &[&str]) {
    let hang = "touch \"$BENCH/tmp/up\"; trap '' TERM; sleep 60 & wait; sleep 60";
    let dir = scenario(&[("scenario.toml", MANIFEST), ("implement.sh", hang)]);
    let temporary = dir.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut bench = looper(dir.path());
    bench.args(["bench", "--scenarios", "some"]).args(more).env("TMPDIR", &temporary);
    let running = start(bench);
    let is_up = || {
        let places = fs::read_dir(&temporary).unwrap().flatten();
        places.map(|place| place.path().join("tmp/up")).any(|up| up.exists())
    };
    let begun = Instant::now();
    while !is_up() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the agent is never called");
        std::thread::sleep(Duration::from_millis(5));
    }
    rustix::process::kill_process(running.pid(), rustix::process::Signal::INT).unwrap();
    let ran = running.end().exits(130);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{}", ran.stderr);
    assert_eq!(with(&temporary), [""; 0]);
}

/// Whatever starts it, and in whatever session it is.
#[rstest]
#[case::an_agent("implement.sh", &[])]
#[case::an_oracle("oracle.sh", &[])]
#[case::a_setup("setup.sh", &[])]
#[case::an_agent_that_is_believed("implement.sh", &["--believer"])]
fn nothing_outlives_its_scenario(#[case] file: &str, #[case] more: &[&str]) {
    let text = "setsid sh -c \"sleep 60; : $BENCH\" > /dev/null 2>&1 &";
    let dir = scenario(&[("scenario.toml", MANIFEST), (file, text)]);
    let temporary = dir.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut bench = looper(dir.path());
    bench.args(["bench", "--scenarios", "some"]).args(more).env("TMPDIR", &temporary);
    let ran = start(bench).end();
    assert!(ran.status.code().is_some_and(|code| code <= 1), "{}", ran.stderr);
    assert_eq!(with(&temporary), [""; 0]);
}

/// Command lines of processes that name this directory.
fn with(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(dir)).collect()
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
