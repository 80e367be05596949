//! What becomes of people's files between two runs, and while one dies.

use crate::support::*;

/// Ends the run as a crash would: the agent's parent is killed.
const KILL: &str = "kill -9 $(ps -o ppid= -p $PPID)";

/// A text with marks is not kept itself, so it has to be made again.
#[test]
fn a_backlog_that_an_agent_ticked_before_the_crash_is_brought_back() {
    let tick = format!("sed -i 's/- \\[ \\] Task 2/- [x] Task 2/' .looper/backlog.md; {KILL}");
    let rules = [
        implementer([write("src/1.txt", "x")]).task("1"),
        implementer([sh(&tick)]).task("2").once(),
        implementer([write("src/2.txt", "x")]).task("2"),
    ];
    let project = Project::with(&[task("1"), task("2")], &rules);
    drop(project.looper(&["run"]));
    assert_eq!(project.marks(), "xx");
    drop(project.looper(&["run"]).exits(0));
    assert_eq!(project.log().last("task_done")["by"], "run");
    assert!(project.has("src/2.txt"));
}

#[test]
fn what_replaced_the_backlog_while_an_attempt_was_open_is_kept() {
    let rules = [implementer([sh(KILL)]).once(), implementer([write("src/1.txt", "x")])];
    let project = Project::with(&[task("1")], &rules);
    drop(project.looper(&["run"]));
    std::fs::remove_file(project.path(".looper/backlog.md")).unwrap();
    project.write(".looper/backlog.md/precious", "x");
    drop(project.looper(&["run"]).exits(0));
    let state = std::fs::read_dir(project.path(".looper")).unwrap();
    let kept = state.flatten().any(|entry| entry.path().join("precious").exists());
    assert!(kept, "the directory is gone");
}

/// The rollback of an attempt does not take the attempt's backlog for work of the agent.
#[test]
fn a_backlog_that_is_not_named_again_after_a_crash_stays_one() {
    let rules = [implementer([sh(KILL)]).once(), implementer([write("src/1.txt", "x")])];
    let project = Project::with(&[task("1")], &rules);
    std::fs::rename(project.path(".looper/backlog.md"), project.path("plan.md")).unwrap();
    drop(project.looper(&["run", "--backlog", "plan.md"]));
    drop(project.looper(&["run"]).exits(0));
    assert!(project.read("plan.md").contains("[x] Task 1"));
}

#[test]
fn an_uncommitted_pass_that_a_person_threw_away_is_not_committed_later() {
    let rules = [
        implementer([write("src/1.txt", "x")]).task("1"),
        implementer([write("src/2.txt", "x")]).task("2"),
    ];
    let mut project = Project::with(&[task("1"), task("2")], &rules);
    project.env("LOOPER_RUN_COMMIT_ON_PASS", "false");
    drop(project.run(&["-i", "1"]).exits(0));
    std::fs::remove_file(project.path("src/1.txt")).unwrap();
    project.env("LOOPER_RUN_COMMIT_ON_PASS", "true");
    drop(project.run(&[]).exits(0));
    assert_eq!(project.changed_by("HEAD"), ["src/2.txt"]);
}

/// One agent that removes the lock is no reason to fail all that come after it.
#[test]
fn a_lock_that_an_agent_removed_is_taken_again() {
    let rules = [
        implementer([sh("rm .looper/lock; mkdir .looper/lock")]).once(),
        implementer([write("src/1.txt", "x")]),
    ];
    let project = Project::with(&[task("1")], &rules);
    drop(project.run(&[]).exits(0));
    assert_eq!((project.log().count("task_failed"), project.marks()), (1, "x".to_owned()));
    assert!(project.read(".looper/lock").contains("looper run"));
}
