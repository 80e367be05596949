//! `looper bench --from-log` finds what speaks against a commit, and nothing that merely looks so.

use std::fs;

use looper::scripted::Rule;
use serde_json::Value;

use crate::support::*;

const LOG: &str = ".looper/events.jsonl";

/// Tasks 1 and 2, committed one after the other.
fn two() -> Project {
    let rules = ["1", "2"].map(writes);
    let project = Project::with(&[task("1"), task("2")], &rules);
    project.run(&[]).exits(0);
    project
}

fn writes(id: &str) -> Rule {
    implementer([write(&format!("src/{id}.txt"), &format!("text {id}\n"))]).task(id)
}

#[track_caller]
fn follow(project: &Project, more: &[&str], code: i32) -> Value {
    let args = [&["bench", "--format", "json", "--from-log", LOG], more].concat();
    let ran = project.looper(&args).exits(code);
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/bench-v1.json"));
    let schema = serde_json::from_str(&schema.unwrap()).unwrap();
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&json).unwrap();
    json
}

/// The facts against each commit.
#[track_caller]
fn facts(project: &Project, code: i32) -> Vec<Vec<String>> {
    let json = follow(project, &[], code);
    let commits = json["commits"].as_array().unwrap();
    let fact = |one: &Value| one["fact"].as_str().unwrap().to_owned();
    let all = |one: &Value| one["contradictions"].as_array().unwrap().iter().map(fact).collect();
    commits.iter().map(all).collect()
}

#[track_caller]
fn nothing_against(project: &Project) {
    assert_eq!(facts(project, 0), [vec![""; 0], vec![]]);
}

#[test]
fn where_nothing_happened_there_is_no_evidence() {
    let project = two();
    let json = follow(&project, &[], 0);
    assert_eq!(json["commits"][0]["standing"], "no_later_evidence");
    let later = &json["later"];
    assert_eq!((&later["commits"], &later["without_evidence"]), (&2.into(), &2.into()));
    assert_eq!(
        (&later["contradicted"]["count"], &later["contradicted"]["of"]),
        (&0.into(), &2.into())
    );
    assert_eq!(later["contradicted_of_examined"]["of"], 0);
    let ran = project.looper(&["bench", "--from-log", LOG]).exits(0);
    assert!(ran.stdout.contains("no later evidence 2\n"), "{ran}");
}

#[test]
fn a_reverted_commit_is_contradicted() {
    let project = two();
    project.git(&["revert", "--no-edit", "HEAD~1"]);
    assert_eq!(facts(&project, 1), [vec!["reverted"], vec![]]);
    let ran = project.looper(&["bench", "--from-log", LOG]).exits(1);
    assert!(ran.stdout.contains("contradicted      1 of 2 (95 %"), "{ran}");
    assert!(ran.stdout.contains("takes it back"), "{ran}");
    // Who takes that back again is of another mind.
    project.git(&["revert", "--no-edit", "HEAD"]);
    nothing_against(&project);
}

/// Without the words that git writes.
#[test]
fn an_exact_inverse_is_a_revert() {
    let project = two();
    project.git(&["rm", "-q", "src/1.txt"]);
    project.commit("tidy");
    assert_eq!(facts(&project, 1), [vec!["reverted"], vec![]]);
}

#[test]
fn a_later_change_is_no_revert() {
    let project = two();
    project.write("src/1.txt", "text 1\nand more\n");
    project.commit("This reverts commit to git what is git's");
    nothing_against(&project);
}

#[test]
fn a_reverted_merge_takes_back_what_it_brought() {
    let project = two();
    project.git(&["branch", "work"]);
    project.git(&["reset", "-q", "--hard", "HEAD~2"]);
    project.write("other.txt", "x");
    project.commit("meanwhile");
    project.git(&["merge", "-q", "--no-ff", "-m", "Merge", "work"]);
    nothing_against(&project);
    project.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(facts(&project, 1), [vec!["reverted"], vec!["reverted"]]);
}

#[test]
fn what_was_amended_away_is_contradicted() {
    let project = two();
    project.write("src/2.txt", "what it should have been\n");
    project.git(&["commit", "-q", "-a", "--amend", "-m", "Done right"]);
    assert_eq!(facts(&project, 1), [vec![], vec!["dropped"]]);
}

#[test]
fn what_was_thrown_away_is_contradicted() {
    let project = two();
    project.git(&["reset", "-q", "--hard", "HEAD~2"]);
    assert_eq!(facts(&project, 1), [["dropped"], ["dropped"]]);
}

/// Rewording, rebasing, squashing and leaving for another branch keep the work.
#[test]
fn work_that_is_still_there_was_not_dropped() {
    let project = two();
    project.git(&["commit", "-q", "--amend", "-m", "Reworded"]);
    nothing_against(&project);
    project.git(&["checkout", "-q", "-b", "squashed", "HEAD~2"]);
    project.git(&["merge", "-q", "--squash", "main"]);
    project.write("src/1.txt", "text 1, then changed by what came later\n");
    project.commit("Both");
    project.git(&["branch", "-q", "-D", "main"]);
    nothing_against(&project);
    let project = two();
    project.git(&["checkout", "-q", "-b", "other", "HEAD~2"]);
    project.write("other.txt", "x");
    project.commit("meanwhile");
    nothing_against(&project);
    project.git(&["cherry-pick", "main~1", "main"]);
    project.git(&["branch", "-q", "-D", "main"]);
    nothing_against(&project);
}

/// The log of one project says nothing about the repository around another place.
#[test]
fn a_copy_of_a_log_asks_no_repository() {
    let project = two();
    project.git(&["reset", "-q", "--hard", "HEAD~2"]);
    fs::copy(project.path(LOG), project.path("copy.jsonl")).unwrap();
    let args = ["bench", "--from-log", "copy.jsonl"];
    project.looper(&args).exits(0).says("its repository is not asked");
    project.looper(&[&args[..], &["--project", "."]].concat()).exits(1);
}

/// The same command on the same tree: what it rested on was never in the tree.
#[test]
fn a_command_that_fails_on_the_same_tree_contradicts() {
    let check = "test -e ignored/dep";
    let tasks = ["1", "2"].map(|id| task(id).verify(&[check]));
    let project = Project::with(&tasks, &[writes("1"), implementer([print("nothing")]).task("2")]);
    project.write("ignored/dep", "x");
    project.run(&["-i", "1"]).exits(0);
    fs::remove_file(project.path("ignored/dep")).unwrap();
    project.run(&["-i", "1"]).exits(0);
    assert_eq!(facts(&project, 1), [["command_failed"]]);
}

#[test]
fn an_attempt_that_breaks_it_does_not() {
    let check = "test $(ls src | wc -l) -lt 3";
    let tasks = [task("1").verify(&[check]), task("2").files("src/bad.txt").verify(&[check])];
    let breaks = implementer([write("src/bad.txt", "x")]).task("2");
    let project = Project::with(&tasks, &[writes("1"), breaks]);
    project.run(&["-i", "3"]).exits(0);
    let json = follow(&project, &[], 0);
    assert_eq!(json["commits"][0]["standing"], "nothing_against");
}

#[test]
fn a_pass_that_does_not_hold_again_is_contradicted() {
    let project = Project::with(&[task("1").verify(&["test -e ignored/dep"])], &[writes("1")]);
    project.write("ignored/dep", "x");
    project.run(&[]).exits(0);
    assert_eq!(facts(&project, 0), [vec![""; 0]]);
    let json = follow(&project, &["--reverify"], 1);
    assert_eq!(json["commits"][0]["contradictions"][0]["fact"], "reverify_disagrees");
    assert_eq!(json["later"]["contradicted_of_examined"]["of"], 1);
    project.check();
}

#[test]
fn a_log_that_does_not_replay_says_nothing() {
    let project = two();
    let text = project.read(LOG).replacen("Write 1", "Write 9", 1);
    fs::write(project.path(LOG), text).unwrap();
    project.looper(&["bench", "--from-log", LOG]).exits(4);
}
