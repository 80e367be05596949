//! Runs that are asked to end, and runs that meet another one.

use std::thread;
use std::time::Duration;

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

fn any_file() -> Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt")])
}

/// A run whose agent works until somebody ends it.
fn busy(stage: &str) -> (Project, Running) {
    let hang = on(stage).once().does([
        write("mess/a", "x"),
        append("src/kept.txt", "y"),
        daemon(60_000, "src/late.txt"),
        write("ignored/up", "x"),
        Step::Hang,
    ]);
    let project = Project::with(&[task("1"), task("2")], &[hang, any_file()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    (project, running)
}

/// LoopDex w24: everything is restored and nothing goes on behind anybody's back.
#[rstest]
fn a_signal_ends_the_agents_and_restores_everything(
    #[values("INT", "TERM", "HUP", "QUIT")] signal: &str,
    #[values("plan", "implement", "impl_critique")] stage: &str,
) {
    let (project, running) = busy(stage);
    running.signal(signal);
    running.wait().exits(130).says("everything is restored");
    project.check();
    assert_eq!((project.status().as_str(), project.subjects().len()), ("", 0));
    let log = project.log();
    assert_eq!(log.last("interrupted")["cause"], "signal");
    assert_eq!((log.count("task_failed"), &log.last("run_ended")["exit_code"]), (0, &130.into()));
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("xx", 2));
    assert_eq!(project.log().count("run_started"), 2);
}

#[test]
fn a_signal_ends_a_verify_command() {
    let tasks = [task("1").verify(&["touch ignored/up; trap '' TERM; sleep 60; sleep 60"])];
    let project = Project::with(&tasks, &[implementer([write("src/1.txt", "x")])]);
    project.write("ignored/a", "");
    let mut running = project.start(&["run"]);
    running.until("verify runs", || project.has("ignored/up"));
    running.signal("INT");
    running.wait().exits(130);
    project.check();
    assert_eq!((project.status().as_str(), project.has("src/1.txt")), ("", false));
}

/// A run that stands still for longer than its agent may take does not blame the agent: nobody
/// looked, and a machine that sleeps stops the agent too.
#[test]
fn a_run_that_was_stopped_for_a_while_gives_the_time_back() {
    let work = [write("ignored/up", "x"), sleep(4500), write("src/1.txt", "x")];
    let mut project = Project::with(&[task("1")], &[implementer(work)]);
    project.env("LOOPER_AGENTS_FAKE_AGENT_TIMEOUT_S", "3");
    project.env("LOOPER_RUN_PROFILE", "solo");
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    running.signal("STOP");
    thread::sleep(Duration::from_millis(3700));
    running.signal("CONT");
    running.wait().exits(0);
    project.check();
    assert_eq!(project.log().last("implement_finished")["class"], "empty");
}

#[test]
fn a_second_signal_changes_nothing() {
    let (project, running) = busy("implement");
    running.signal("INT");
    thread::sleep(Duration::from_millis(20));
    // It may be gone already.
    drop(std::process::Command::new("kill").arg(running.pid().to_string()).output());
    running.wait().exits(130);
    project.check();
    assert_eq!(project.status(), "");
}

/// LoopDex w34, w36: one of many gets the lock, and the others say who has it.
#[test]
fn a_second_run_is_refused_and_names_the_first() {
    let (project, running) = busy("plan");
    let before = project.read(".looper/events.jsonl");
    let others: Vec<Running> = (0..6).map(|_| project.start(&["run"])).collect();
    for other in others {
        let ran = other.wait().exits(3);
        assert!(ran.stderr.contains(&running.pid().to_string()), "{ran}");
    }
    assert_eq!(project.read(".looper/events.jsonl"), before);
    running.signal("INT");
    running.wait().exits(130);
    project.check();
}

/// LoopDex w34: a lock file alone keeps nobody out, whatever stands in it.
#[rstest]
#[case::empty("")]
#[case::garbage("\u{0}\u{0}\u{0}")]
#[case::somebody_alive(&format!("{{\"pid\":{}}}", std::process::id()))]
fn a_lock_that_nobody_holds_is_none(#[case] text: &str) {
    let project = Project::with(&[task("1")], &[any_file()]);
    project.write(".looper/lock", text);
    project.run(&[]).exits(0);
}

#[test]
fn a_run_can_be_asked_to_end_after_the_attempt_in_hand() {
    let slow = implementer([
        write("ignored/up", "x"),
        sh("while ! test -e ignored/go; do sleep 0.01; done"),
        write("src/1.txt", "x"),
    ]);
    let project = Project::with(&[task("1"), task("2")], &[slow.task("1"), any_file()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    stop(&project);
    project.write("ignored/go", "");
    running.wait().exits(0).says("Stopped as asked");
    project.check();
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("x ", 1));
    let log = project.log();
    assert_eq!(log.last("stop_requested")["by"], "person");
    assert_eq!(log.last("run_ended")["reason"], "stopped");
    project.run(&[]).exits(0);
    assert_eq!(project.marks(), "xx");
}

fn stop(project: &Project) {
    project.looper(&["stop"]).exits(0);
}
