//! Which sandbox a run takes, and when it takes none.

use std::fs;

use super::kit::{break_bwrap, doctor, held_at};
use crate::support::*;

fn writes_one() -> looper::scripted::Rule {
    implementer([write("src/1.txt", "x\n")])
}

/// Refused before any agent is called, by `run` and by `doctor`.
#[test]
fn a_required_sandbox_that_does_not_work_is_refused() {
    let mut project = Project::with(&[task("1")], &[writes_one()]);
    project.env("LOOPER_RUN_SANDBOX", "required");
    break_bwrap(&project);
    project.looper(&["run"]).exits(3).says("no namespaces today");
    assert_eq!(doctor(&project)["status"], "fail");
    fs::remove_file(project.place().join("bin/bwrap")).unwrap();
    // Nothing that `bwrap` could be found in.
    let bin = project.place().join("bin");
    for name in ["git", "sh", "bash", "true", "cat"] {
        let found = ["/usr/bin", "/bin"].iter().map(|dir| format!("{dir}/{name}"));
        let found = found.into_iter().find(|path| fs::exists(path).unwrap()).unwrap();
        std::os::unix::fs::symlink(found, bin.join(name)).unwrap();
    }
    project.env("PATH", &bin);
    project.looper(&["run"]).exits(3).says("the program bwrap is not found");
    assert_eq!(project.seen("run_started"), 0);
}

#[test]
fn a_required_sandbox_that_works_is_used() {
    let Some(mut project) = held_at("full", &[task("1")], &[writes_one()]) else { return };
    project.env("LOOPER_RUN_SANDBOX", "required");
    project.run(&[]).exits(0).says("full: agents write");
    assert_eq!((project.marks().as_str(), &doctor(&project)["status"]), ("x", &"ok".into()));
}

#[test]
fn without_any_sandbox_a_run_says_so() {
    let project = Project::with(&[task("1")], &[writes_one()]);
    project.run(&[]).exits(0).says("none: agents can reach whatever you can");
    assert_eq!(project.log().last("implement_finished")["sandbox"], "none");
    assert!(doctor(&project)["detail"].as_str().unwrap().starts_with("none, because"));
}

/// A closed network cannot be had without a sandbox.
#[test]
fn a_closed_network_that_nothing_closes_is_refused() {
    let mut project = Project::with(&[task("1")], &[writes_one()]);
    project.env("LOOPER_VERIFY_NETWORK", "false");
    project.looper(&["run"]).exits(3).says("verify.network = false");
}

/// A sandbox that breaks in the middle of a run is no reason to go on without one.
#[test]
fn a_sandbox_that_stops_working_stops_the_run() {
    let tasks = [task("1"), task("2")];
    let rules = [writes_one().task("1"), implementer([write("src/2.txt", "x")]).task("2")];
    let Some(project) = held_at("full", &tasks, &rules) else { return };
    // It works until the implementer of the second task is due.
    let bwrap = project.place().join("bin/bwrap");
    let real = ["/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"];
    let real = real.into_iter().find(|path| fs::exists(path).unwrap()).expect("it works");
    let text = format!(
        "if [ \"$LOOPER_TASK$LOOPER_STAGE\" = 2implement ]; then \
         echo 'bwrap: no namespaces any more' >&2; exit 1; fi; exec {real} \"$@\""
    );
    project.program("bwrap", &text);
    project.looper(&["run"]).exits(74).says("no namespaces any more").says("nothing is lost");
    assert_eq!((project.seen("implement_started"), project.seen("implement_finished")), (2, 1));
    assert_eq!(project.subjects().len(), 1);
    fs::remove_file(&bwrap).unwrap();
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.log().count("task_failed")), ("xx", 0));
}
