//! `looper replay --reverify` runs the commands of each PASS again, on its tree and nothing else.

use std::fs;

use serde_json::Value;

use crate::support::*;

fn reverified(project: &Project, code: i32) -> Vec<Value> {
    let ran = project.looper(&["replay", "--reverify", "--format", "json"]).exits(code);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["replays"], true);
    json["reverify"].as_array().unwrap().clone()
}

fn one_task(verify: &[&str]) -> Project {
    Project::with(&[task("1").verify(verify)], &[implementer([write("src/1.txt", "one\n")])])
}

#[test]
fn a_pass_that_rests_on_its_tree_agrees() {
    let rules = ["1", "2"].map(|id| implementer([write(&format!("src/{id}.txt"), "x\n")]).task(id));
    let project = Project::with(&[task("1"), task("2")], &rules);
    project.run(&[]).exits(0);
    // Neither what lies around now nor what HEAD is now matters.
    project.write("src/1.txt", "other\n");
    project.git(&["rm", "-q", "--cached", "src/2.txt"]);
    let found = reverified(&project, 0);
    let log = project.log();
    let judged = log.lines.iter().find(|line| line["event"] == "gates_judged").unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0]["seq"], &found[0]["task"]), (&judged["seq"], &"1".into()));
    assert_eq!(found[0]["commit"], log.all("commit_finished")[0]["commit"]);
    assert!(found.iter().all(|one| one["outcome"] == "agree"), "{found:?}");
    let ran = project.looper(&["replay", "--reverify"]).exits(0);
    assert!(ran.stdout.contains("PASSes: 2 agree, 0 disagree, 0 cannot tell\n"), "{ran}");
    project.check();
}

/// What helped then is ignored, so it is in no tree.
#[test]
fn a_pass_that_rests_on_an_ignored_file_does_not() {
    let check = r"test -e ignored/dep || { printf 'no \033[31mdep\n'; exit 3; }";
    let project = one_task(&["test -e src/1.txt", check]);
    project.write("ignored/dep", "x");
    project.run(&[]).exits(0);
    let found = reverified(&project, 4);
    assert_eq!(found[0]["outcome"], "disagree");
    let reason = found[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("exit code 3: test -e ignored/dep"), "{reason}");
    assert_eq!(found[0]["output"], serde_json::json!(["no [31mdep"]));
    let ran = project.looper(&["replay", "--reverify"]).exits(4);
    let ran = ran.says("1 of 1 PASSes would not pass again");
    assert!(!ran.stdout.contains('\u{1b}'), "{ran}");
    project.check();
}

/// As in the run: what one command builds is there for the next one, and what it alters is not.
#[test]
fn commands_share_a_checkout_as_they_shared_the_work_tree() {
    let spoil = "mkdir ignored; echo made > ignored/x; rm -r src; echo spoilt > src";
    let project = one_task(&[spoil, "grep -q one src/1.txt && test -e ignored/x"]);
    project.run(&[]).exits(0);
    project.config("[verify]\ncheckout = \"clean\"\n");
    assert_eq!(reverified(&project, 0)[0]["outcome"], "agree");
    project.check();
}

#[test]
fn a_checkout_for_each_command_is_one_again() {
    let project = one_task(&["touch made", "test ! -e made"]);
    project.config("[verify]\ncheckout = \"clean\"\n");
    project.run(&[]).exits(0);
    project.config("");
    assert_eq!(reverified(&project, 0)[0]["outcome"], "agree");
}

#[test]
fn what_is_no_longer_there_cannot_tell() {
    let project = one_task(&["test -e src/1.txt"]);
    project.run(&[]).exits(0);
    let blob = project.git(&["rev-parse", "HEAD:src/1.txt"]);
    for id in [blob, project.log().last("commit_finished")["tree"].as_str().unwrap().to_owned()] {
        fs::remove_file(project.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
        let found = reverified(&project, 0);
        assert_eq!(found[0]["outcome"], "cannot_tell");
        let reason = found[0]["reason"].as_str().unwrap();
        assert!(reason.ends_with("is no longer in the repository"), "{reason}");
    }
}

#[test]
fn what_a_tree_only_points_at_cannot_tell() {
    let project = one_task(&["test -e src/1.txt"]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    project.write("deep/big.bin", pointer);
    project.commit("a pointer");
    project.run(&[]).exits(0);
    let found = reverified(&project, 0);
    assert_eq!(found[0]["outcome"], "cannot_tell");
    assert!(found[0]["reason"].as_str().unwrap().starts_with("deep/big.bin is kept by Git LFS"));
}

/// A PASS without commands, or in spite of them, was never about them.
#[test]
fn what_was_not_verified_cannot_tell() {
    let project = one_task(&["false"]);
    project.config("[gates]\nverify = \"off\"\n");
    project.run(&[]).exits(0);
    let found = reverified(&project, 0);
    assert_eq!(found[0]["outcome"], "cannot_tell");
    assert!(found[0]["reason"].as_str().unwrap().contains("the gate was off"), "{found:?}");
}

/// What agents wrote is run here, so it is held as in a run: the project is not its to write.
#[test]
fn commands_do_not_reach_the_project() {
    let mut project = Project::new();
    let outside = project.path("src/stolen").display().to_string();
    project.backlog(&[task("1").verify(&[&format!("test -d .git || touch {outside}")])]);
    project.script(&[implementer([write("src/1.txt", "one\n")])]);
    project.run(&[]).exits(0);
    project.env("LOOPER_RUN_SANDBOX", "required");
    let ran = project.looper(&["replay", "--reverify"]);
    assert!(!project.has("src/stolen"), "{ran}");
    // Without bubblewrap it is refused; with it, the command fails.
    assert!(matches!(ran.status.code(), Some(3 | 4)), "{ran}");
    project.check();
}

#[test]
fn a_signal_ends_it_and_nothing_stays() {
    let project =
        one_task(&["test -e ignored/fast || { touch ../../../begun; sleep 100 & wait; }"]);
    project.write("ignored/fast", "x");
    project.run(&[]).exits(0);
    let mut running = project.start(&["replay", "--reverify"]);
    running.until("the command runs", || project.place().join("begun").exists());
    running.signal("INT");
    running.wait().exits(130).says("interrupted");
    project.check();
}

#[test]
fn a_bad_log_runs_nothing() {
    let project = one_task(&["test -d .git || touch ../../../ran"]);
    project.run(&[]).exits(0);
    project.looper(&["replay", "--reverify"]).exits(0);
    fs::remove_file(project.place().join("ran")).unwrap();
    let path = project.path(".looper/events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("Write 1", "Write 2", 1)).unwrap();
    project.looper(&["replay", "--reverify"]).exits(4).says("its proof should be");
    assert!(!project.place().join("ran").exists());
}
