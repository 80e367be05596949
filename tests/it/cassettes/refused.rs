//! Tapes that are damaged, at a wrong place or of another run: refused with the place and a way out.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use rstest::rstest;

use super::kit::Pair;
use crate::support::*;

fn recorded() -> Pair {
    let pair =
        Pair::new(&[task("1")], &[implementer([write("src/1.txt", "one"), print("did it")])]);
    pair.record(&[], Some(0));
    pair
}

const IMPLEMENT: &str = "0003-implement-1";

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

fn page(tape: &Path, from: &str, to: &str) {
    let path = tape.join(IMPLEMENT).join("call.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

#[rstest]
#[case::a_stream_is_cut(|it: &Path| cut(&it.join(IMPLEMENT).join("stdout")), "0003-implement-1/stdout is not what was recorded: it has 6 of 7 bytes")]
#[case::a_stream_is_longer(|it: &Path| fs::write(it.join(IMPLEMENT).join("stderr"), "x").unwrap(), "0003-implement-1/stderr is not what was recorded: it has more than 0 of 0 bytes")]
#[case::a_stream_says_something_else(|it: &Path| fs::write(it.join("0004-impl_critique-1/stdout"), "VERDICT: FAIL\n").unwrap(), "stdout is not what was recorded: its content differs")]
#[case::a_change_is_another(|it: &Path| fs::write(it.join(IMPLEMENT).join("change/1"), "two").unwrap(), "change/1 is not what was recorded")]
#[case::a_change_is_gone(|it: &Path| fs::remove_file(it.join(IMPLEMENT).join("change/1")).unwrap(), "cannot open")]
#[case::a_page_is_gone(|it: &Path| fs::remove_file(it.join(IMPLEMENT).join("call.json")).unwrap(), "cannot open")]
#[case::a_page_is_no_page(|it: &Path| fs::write(it.join(IMPLEMENT).join("call.json"), "{}").unwrap(), "call.json is no page of a tape")]
#[case::a_page_is_of_another_call(|it: &Path| page(it, "\"number\": 3", "\"number\": 7"), "is no page of a tape: it is about call 7")]
#[case::a_page_has_more(|it: &Path| page(it, "\"number\": 3", "\"number\": 3, \"x\": 1"), "unknown field `x`")]
#[case::a_page_is_newer(|it: &Path| page(it, "\"v\": 1", "\"v\": 2"), "version 2 is not known here")]
#[case::a_path_leads_out(|it: &Path| page(it, "\"src/1.txt\"", "\"../out.txt\""), "is not a path inside the repository")]
#[case::a_folder_is_gone(|it: &Path| fs::remove_dir_all(it.join("0002-plan_critique-1")).unwrap(), "has no call 2")]
#[case::the_tape_is_gone(|it: &Path| fs::remove_dir_all(it).unwrap(), "cannot find the tape")]
#[case::it_is_no_tape(|it: &Path| fs::remove_file(it.join("tape.json")).unwrap(), "cannot open")]
fn a_damaged_tape_is_not_played(#[case] damage: fn(&Path), #[case] says: &str) {
    let pair = recorded();
    damage(&pair.tape());
    let ran = pair.refused_to_replay(&[], 3);
    let ran = ran.says(says);
    assert!(ran.stderr.contains(&pair.tape().display().to_string()), "no place: {ran}");
    assert!(ran.stderr.contains("help:"), "no way out: {ran}");
}

#[test]
fn a_tape_of_another_commit_is_not_played() {
    let pair = recorded();
    pair.second.write("src/more.txt", "x");
    pair.second.commit("another");
    pair.refused_to_replay(&[], 3).says("was recorded on the files of tree").says("tape.json");
}

/// The backlog asks for more than was recorded: what is missing is not made up.
#[test]
fn a_run_that_goes_another_way_is_told_so() {
    let pair = recorded();
    pair.second.backlog(&[task("0"), task("1")]);
    let words = "no recording for call 1 of plan in attempt 1 at task 0";
    let agent = format!("replay:{}", pair.tape().display());
    pair.second.looper(&["run", "--agent", &agent]).exits(74).says(words).says("another way");
    assert_eq!(pair.second.log().count("plan_finished"), 0);
}

/// What an agent did in the state directory failed its attempt, and is on no tape.
#[test]
fn a_call_that_did_more_is_not_played() {
    let rules = [implementer([write("src/1.txt", "x"), write(".looper/config.toml", "[run]")])];
    let pair = Pair::new(&[task("1")], &rules);
    pair.record(&["-i", "1"], Some(0));
    let agent = format!("replay:{}", pair.tape().display());
    let ran = pair.second.looper(&["run", "-i", "1", "--agent", &agent]).exits(74);
    ran.says("does not hold all that the agent did").says("it changed config.toml");
}

/// A tape is data: whoever wrote it reaches nothing that an agent could not.
#[rstest]
#[case::git("\"src/1.txt\"", "\".git/hooks/post-commit\"", None)]
#[case::git_by_another_name("\"src/1.txt\"", "\".GIT/config\"", None)]
#[case::through_a_link("\"src/1.txt\"", "\"out/1.txt\"", Some("out"))]
fn a_hostile_tape_reaches_nothing(
    #[case] from: &str,
    #[case] to: &str,
    #[case] link: Option<&str>,
) {
    let outside = tempfile::tempdir().unwrap();
    let project = Project::with(&[task("1")], &[implementer([write("src/1.txt", "one")])]);
    if let Some(link) = link {
        symlink(outside.path(), project.path(link)).unwrap();
        project.commit("a link");
    }
    let pair = Pair::of(project);
    pair.record(&[], Some(0));
    page(&pair.tape(), from, to);
    let agent = format!("replay:{}", pair.tape().display());
    let ran = pair.second.looper(&["run", "-i", "1", "--agent", &agent]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{ran}");
    assert!(!pair.second.has(".git/hooks/post-commit"), "{ran}");
    assert_eq!(pair.second.subjects().len(), usize::from(link.is_some()), "{ran}");
}

#[rstest]
#[case::in_the_project("tape")]
#[case::in_the_state_directory(".looper/tape")]
#[case::in_git(".git/tape")]
#[case::in_an_ignored_place("ignored/tape")]
#[case::by_a_way_around("../project/src/../tape")]
#[case::through_a_link("../link/tape")]
fn a_tape_is_not_recorded_where_agents_work(#[case] place: &str) {
    let project = Project::with(&[task("1")], &[]);
    symlink(project.root(), project.place().join("link")).unwrap();
    project.looper(&["run", "--record", place]).exits(3).says("lies in the project");
    assert!(!project.has("tape") && !project.has(".looper/tape") && !project.has(".git/tape"));
}

#[test]
fn a_tape_is_for_its_owner_alone() {
    let pair = recorded();
    let mut open = vec![pair.tape()];
    while let Some(path) = open.pop() {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    fs::set_permissions(pair.tape(), fs::Permissions::from_mode(0o755)).unwrap();
    let tape = pair.tape().display().to_string();
    let ran = pair.first.looper(&["run", "--record", &tape]).exits(3);
    ran.says("others than its owner can look into");
}

#[rstest]
#[case::something_else_is_there(|it: &Pair| fs::remove_file(it.tape().join("tape.json")).unwrap(), "is not empty, and is no tape")]
#[case::other_agents(|it: &Pair| it.edit("tape.json", |text| text.replace("\"timeout_s\": 1800", "\"timeout_s\": 5")), "was begun with other agents or roles")]
fn a_tape_of_something_else_is_not_gone_on_with(#[case] change: fn(&Pair), #[case] says: &str) {
    let pair = recorded();
    change(&pair);
    pair.first.backlog(&[task("1").mark('x'), task("2")]);
    let tape = pair.tape().display().to_string();
    pair.first.looper(&["run", "--record", &tape]).exits(3).says(says);
}

#[rstest]
#[case::no_directory("run --agent replay:", 64)]
#[case::both("run --agent replay:x --record y", 64)]
#[case::nothing_is_run("run --dry-run --record y", 64)]
fn what_makes_no_sense_is_refused(#[case] command: &str, #[case] code: i32) {
    let args: Vec<&str> = command.split(' ').collect();
    Project::with(&[task("1")], &[]).looper(&args).exits(code);
}

/// The pages are what the schema says they are.
#[test]
fn pages_are_valid() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/cassette-v1.json");
    let schema = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let pair = recorded();
    for name in ["tape.json", "0001-plan-1/call.json", "0003-implement-1/call.json"] {
        let page = pair.page(name);
        let errors: Vec<_> = validator.iter_errors(&page).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{name}: {page}");
    }
}
