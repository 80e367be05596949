//! Each gate, once in the way: nothing is committed, and everything is as it was.

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

/// A key in the form that AWS documents, in two pieces so that no scanner stumbles over this file.
fn secret() -> String {
    format!("key = \"{}{}\"\n", "AKIA", "QYLPMN5HFIQR7XYA")
}

fn writes(files: &[(&str, &str)]) -> Vec<Step> {
    files.iter().map(|(path, text)| write(path, text)).collect()
}

#[rstest]
#[case::scope(
    task("1"), writes(&[("src/1.txt", "x"), ("src/other.txt", "y")]), critic("VERDICT: PASS"),
    "scope", "outside the task's files: src/other.txt"
)]
#[case::secret_path(
    task("1").files("src/1.txt, .env"), writes(&[("src/1.txt", "x"), (".env", "y")]),
    critic("VERDICT: PASS"), "secret", ".env looks secret"
)]
#[case::secret_content(
    task("1"), vec![write("src/1.txt", &secret())], critic("VERDICT: PASS"),
    "secret", "src/1.txt line 1 looks like a secret: aws_access_key"
)]
#[case::protected_file(
    task("1").files("src/*").verify(&["sh src/kept.txt"]), writes(&[("src/kept.txt", "true\n")]),
    critic("VERDICT: PASS"), "protected", "protected: src/kept.txt"
)]
#[case::no_change(
    task("1").verify(&["true"]), vec![print("done")], critic("VERDICT: PASS"),
    "change", "nothing changed"
)]
#[case::verify_fails(
    task("1").verify(&["true", "exit 3"]), writes(&[("src/1.txt", "x")]), critic("VERDICT: PASS"),
    "verify", "exit code 3: exit 3"
)]
#[case::verify_is_killed(
    task("1").verify(&["kill -9 $$"]), writes(&[("src/1.txt", "x")]), critic("VERDICT: PASS"),
    "verify", "ended by a signal"
)]
#[case::the_critic_says_fail(
    task("1"), writes(&[("src/1.txt", "x")]), critic("## Notes\nhard-coded\nVERDICT: FAIL"),
    "impl_critique", "FAIL: hard-coded"
)]
#[case::a_malformed_verdict(
    task("1"), writes(&[("src/1.txt", "x")]), critic("VERDICT: PASS."),
    "impl_critique", "no verdict could be read"
)]
#[case::two_verdicts(
    task("1"), writes(&[("src/1.txt", "x")]), critic("VERDICT: FAIL\nVERDICT: PASS"),
    "impl_critique", "no verdict could be read"
)]
fn a_gate_says_no(
    #[case] task: TaskText,
    #[case] steps: Vec<Step>,
    #[case] critic: Rule,
    #[case] gate: &str,
    #[case] reason: &str,
) {
    let project = Project::with(&[task], &[implementer(steps), critic]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    let objection = log.objection(gate).expect("the gate objects");
    assert!(objection.contains(reason), "{objection}");
    assert_eq!(log.last("gates_judged")["outcome"], "FAIL");
    let failed = log.last("task_failed");
    assert_eq!((&failed["fail_count"], project.marks().as_str()), (&1.into(), " "));
    assert!(project.read(".looper/backlog.md").contains("Fail count: 1"));
    let by_gates = log.last("rollback_started");
    assert_eq!(by_gates["cause"], "gates");
}

/// A state or secret failure is told to nobody else; a scope failure is, to the critic.
#[rstest]
#[case::secret(".env", 0, 0)]
#[case::scope("elsewhere", 0, 1)]
#[case::nothing("src/1.txt", 1, 1)]
fn what_is_refused_is_not_looked_at_further(
    #[case] path: &str,
    #[case] verified: usize,
    #[case] criticised: usize,
) {
    let tasks = [task("1").verify(&["true"])];
    let project = Project::with(&tasks, &[implementer([write(path, "x")])]);
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let counts = (log.count("verify_finished"), log.count("impl_critique_finished"));
    assert_eq!(counts, (verified, criticised));
}

/// LoopDex w26: a command that is deaf to the request to end gets no more than its time and a grace.
#[rstest]
#[case::sleeps("sleep 60")]
#[case::is_deaf("trap '' TERM; while :; do sleep 1; done")]
#[case::leaves_somebody_behind("setsid sleep 60 & wait")]
fn a_verify_command_that_does_not_end_is_ended(#[case] command: &str) {
    let tasks = [task("1").verify(&[command, "true"])];
    let mut project = Project::with(&tasks, &[implementer([write("src/1.txt", "x")])]);
    project.env("LOOPER_VERIFY_TIMEOUT_S", "1");
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert!(log.objection("verify").unwrap().starts_with("timed out"));
    let runs = log.last("verify_finished")["commands"].as_array().unwrap();
    assert_eq!((&runs[0]["timed_out"], &runs[1]["exit_code"]), (&true.into(), &0.into()));
    assert!(runs[0]["duration_ms"].as_u64().unwrap() < 15_000, "{runs:?}");
}

#[test]
fn a_task_that_fails_too_often_is_blocked_and_the_next_one_goes_on() {
    let tasks = [task("1"), task("2"), task("3").depends("Task 1")];
    let rules = [implementer([write("src/2.txt", "x")]).task("2")];
    let mut project = Project::with(&tasks, &rules);
    project.env("LOOPER_RUN_FAILURES_MAX", "2");
    project.run(&[]).exits(1).says("A person is needed");
    assert_eq!(
        (project.marks().as_str(), project.subjects()),
        ("!x ", vec!["Task 2: Write 2".into()])
    );
    let log = project.log();
    assert_eq!(log.count("task_failed"), 2);
    let blocked = log.last("task_blocked");
    assert_eq!((&blocked["fail_count"], &blocked["by"]), (&2.into(), &"run".into()));
    assert_eq!(log.last("run_ended")["reason"], "nothing_runnable");
    assert!(project.read(".looper/backlog.md").contains("Blocked reason: 2 failures in a row"));
}

/// A gate that is switched off lets through, and everybody is told.
#[test]
fn a_gate_that_is_off_is_shown() {
    let project =
        Project::with(&[task("1")], &[implementer([write("src/1.txt", "x")]), critic("no")]);
    project.config("[gates]\nimpl_critique = \"off\"");
    project.run(&[]).exits(0).says("gates OFF  impl_critique");
    let gates = project.log().last("gates_judged")["gates"].clone();
    assert_eq!(gates[7]["reason"], "switched off");
}
