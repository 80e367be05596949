//! Limits that lift: waiting for them, and asking too early.

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

/// What an agent does at a limit that lifts so many seconds later.
fn limit(ahead_s: i64) -> [Step; 2] {
    let line = format!("Claude AI usage limit reached|$(($(date +%s) + {ahead_s}))");
    [sh(&format!("echo \"{line}\" >&2")), exit(1)]
}

/// An agent that meets such a limit the first so many times.
fn limited(times: u32, ahead_s: i64) -> Project {
    let limited = Rule { times: Some(times), ..on("plan").does(limit(ahead_s)) };
    Project::with(&[task("1")], &[limited, implementer([write("src/1.txt", "x")])])
}

/// An agent that meets a limit of two seconds.
fn limited_once() -> Project {
    limited(1, 2)
}

#[test]
fn a_run_that_waits_goes_on_by_itself() {
    let project = limited_once();
    project.run(&["--wait"]).exits(0).says("waiting");
    let log = project.log();
    assert!(log.last("run_paused")["until"].is_string());
    assert_eq!((log.count("run_resumed"), project.marks().as_str()), (1, "x"));
    let at = |name: &str| {
        let line = log.lines.iter().find(|line| line["event"] == name).unwrap();
        line["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    assert!(at("run_resumed") - at("run_paused") >= 900);
}

/// Waiting is when people change things: what they changed is what the run goes on with.
#[test]
fn a_run_that_waited_goes_on_under_the_settings_of_then() {
    let project = limited_once();
    let mut running = project.start(&["run", "--wait"]);
    running.until("the run waits", || project.seen("run_paused") > 0);
    project.config("[run]\nfailures_max = 3\n[gates]\nscope = \"off\"");
    project.write(".looper/prompts/planner.md", "Plan it as I say.\n\n{% include \"task\" %}\n");
    running.wait().exits(0);
    let log = project.log();
    let policy = &log.last("run_resumed")["policy"];
    assert_eq!(
        (policy["failures_max"].as_u64(), &policy["gates_off"][0]),
        (Some(3), &"scope".into())
    );
    let prompt = log.last("plan_finished")["prompt"].as_str().unwrap();
    assert!(project.object(prompt).contains("Plan it as I say."));
}

/// Whatever ends the wait ends the run, and the last event says so.
#[rstest]
#[case::interrupted("interrupted", "interrupted", 130)]
#[case::asked("stop_requested", "stopped", 0)]
fn a_run_that_waits_can_be_ended(
    #[case] event: &str,
    #[case] reason: &str,
    #[case] exit_code: i32,
) {
    let project = limited(1, 9000);
    let mut running = project.start(&["run", "--wait"]);
    running.until("the run waits", || project.seen("run_paused") > 0);
    if event == "stop_requested" {
        project.looper(&["stop"]).exits(0);
    } else {
        running.signal("INT");
    }
    running.wait().exits(exit_code);
    project.check();
    let log = project.log();
    assert_eq!(log.names().iter().rev().take(2).collect::<Vec<_>>(), [&"run_ended", &event]);
    let ended = log.last("run_ended");
    assert_eq!((&ended["reason"], &ended["exit_code"]), (&reason.into(), &exit_code.into()));
    project.looper(&["status"]).exits(0);
    project.script(&[implementer([write("src/1.txt", "x")])]);
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.log().count("run_started")), ("x", 2));
}

/// Without `--wait`, a run before the time probes once and pauses again.
#[test]
fn a_run_before_the_time_asks_once_and_pauses_again() {
    let limit = [print_stderr("Error: 429 Too Many Requests"), exit(1)];
    let project = Project::with(&[task("1")], &[on("plan").does(limit)]);
    for times in 1..=3 {
        let log = project.run_in_vain(&[], 2);
        assert_eq!((log.count("plan_started"), log.count("run_paused")), (times, times));
    }
    let log = project.log();
    assert_eq!((log.count("run_started"), log.count("run_resumed")), (1, 2));
    assert_eq!(log.last("run_paused")["until"], serde_json::Value::Null);
}

/// Whatever ended the process that waited: the same command goes on waiting, and asks nobody.
#[test]
fn a_run_that_was_killed_while_it_waited_waits_on() {
    let project = limited(1, 6);
    let mut running = project.start(&["run", "--wait"]);
    running.until("the run waits", || project.seen("run_paused") > 0);
    running.kill();
    project.run(&["--wait"]).exits(0).says("waiting");
    let log = project.log();
    assert_eq!((log.count("run_paused"), log.count("plan_started")), (1, 2));
    let until = log.last("run_paused")["until"].as_str().unwrap().to_owned();
    let resumed = log.lines.iter().find(|line| line["event"] == "run_resumed").unwrap();
    // Both are written alike, to the millisecond.
    assert!(resumed["at"].as_str().unwrap() >= until.as_str());
    assert_eq!(project.marks(), "x");
}

/// Who calls somebody else need not wait for the first.
#[test]
fn a_run_with_another_agent_does_not_wait_for_the_first() {
    let project = limited(1, 9000);
    project.run(&[]).exits(2);
    project.config("[agents.other]\ncommand = [\"fake-agent\"]\noutput = \"text\"");
    project.run(&["--wait", "--agent", "other"]).exits(0);
    assert_eq!(project.marks(), "x");
}

/// Clocks differ, and limits outlive their time.
#[test]
fn a_limit_that_outlives_its_time_is_not_asked_about_all_the_time() {
    let project = limited(2, -60);
    project.run(&["--wait"]).exits(0).says("waiting 5 s");
    assert_eq!((project.log().count("plan_started"), project.marks().as_str()), (3, "x"));
}

/// A plan that nobody carries out is no progress, and costs as much each time.
#[test]
fn a_limit_behind_a_good_plan_is_not_asked_about_all_the_time() {
    let limited = Rule { times: Some(2), ..on("implement").does(limit(-60)) };
    let project = Project::with(&[task("1")], &[limited, implementer([write("src/1.txt", "x")])]);
    project.run(&["--wait"]).exits(0).says("waiting 5 s");
    assert_eq!((project.log().count("plan_started"), project.marks().as_str()), (3, "x"));
}

#[test]
fn a_limit_is_told_with_the_command_to_give_again() {
    let project = limited(1, 9000);
    let said = project.run(&["--task", "1"]).exits(2);
    said.says("is limited, until 20").says("run --task 1 --wait\n");
}
