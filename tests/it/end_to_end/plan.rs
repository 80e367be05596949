//! A plan that is not accepted never reaches the implementer.

use rstest::rstest;

use crate::support::*;

/// LoopDex w16: whatever is not PASS is not PASS.
#[rstest]
#[case::fail("VERDICT: FAIL", "task_failed", "plan critic: FAIL")]
#[case::blocked("VERDICT: BLOCKED", "task_blocked", "plan critic: BLOCKED")]
#[case::garbage("looks fine to me", "task_failed", "no verdict could be read")]
#[case::almost("VERDICT: PASS!", "task_failed", "no verdict could be read")]
#[case::scope("VERDICT: SCOPE_EXPAND", "task_blocked", "plan critic: SCOPE_EXPAND")]
#[case::split("VERDICT: SPLIT_TASK", "task_blocked", "plan critic: SPLIT_TASK")]
#[case::dependency("VERDICT: DEPENDENCY_INSERT", "task_blocked", "plan critic: DEPENDENCY_INSERT")]
fn a_plan_critic_that_does_not_say_pass(
    #[case] answer: &str,
    #[case] event: &str,
    #[case] reason: &str,
) {
    let rules =
        [on("plan_critique").does([print(answer)]), implementer([write("src/1.txt", "never")])];
    let project = Project::with(&[task("1")], &rules);
    let code = i32::from(event == "task_blocked");
    let log = project.run_in_vain(&["-i", "1"], code);
    assert_eq!(log.count("implement_started"), 0);
    let found = log.last(event)["reason"].as_str().unwrap();
    assert!(found.contains(reason), "{found}");
    assert_eq!(log.last("rollback_started")["cause"], "plan_rejected");
    let is_proposal = answer.contains('_');
    assert_eq!(log.count("proposal_recorded"), usize::from(is_proposal));
}

#[rstest]
#[case::planner_fails("plan", vec![exit(3)], "planner (fake-agent) failed with exit code 3")]
#[case::planner_is_silent("plan", vec![], "planner (fake-agent) ended without an answer")]
#[case::critic_fails("plan_critique", vec![exit(3)], "plan critic (fake-agent) failed")]
#[case::critic_is_silent("plan_critique", vec![], "plan critic (fake-agent) ended without")]
#[case::an_answer_does_not_outweigh_the_exit_code(
    "plan_critique", vec![print("VERDICT: PASS"), exit(1)], "failed with exit code 1"
)]
fn planning_that_breaks_is_undone_and_counts(
    #[case] stage: &str,
    #[case] steps: Vec<looper::scripted::Step>,
    #[case] reason: &str,
) {
    let mut mess = vec![write("mess.txt", "x"), append("src/kept.txt", "y")];
    mess.extend(steps);
    let project = Project::with(&[task("1")], &[on(stage).does(mess)]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.count("implement_started"), 0);
    let found = log.last("task_failed")["reason"].as_str().unwrap();
    assert!(found.contains(reason), "{found}");
}

/// LoopDex w19: nobody's edits slip into the snapshot; they are judged like the implementer's own.
#[rstest]
#[case::planner("plan", "a plan")]
#[case::plan_critic("plan_critique", "VERDICT: PASS")]
fn what_planners_write_is_judged(#[case] stage: &str, #[case] answer: &str) {
    let rules = [
        on(stage).does([append("src/kept.txt", "early\n"), print(answer)]),
        implementer([write("src/1.txt", "x")]),
    ];
    let project = Project::with(&[task("1")], &rules);
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.objection("scope"), Some("outside the task's files: src/kept.txt"));
}

#[test]
fn the_plan_and_its_critique_reach_the_implementer() {
    let rules = [
        on("plan").does([print("Begin with the file in src.")]),
        on("plan_critique").does([print("Mind the line end.\nVERDICT: PASS")]),
        implementer([
            looper::scripted::Step::ExpectPrompt("Begin with the file in src.".into()),
            looper::scripted::Step::ExpectPrompt("Mind the line end.".into()),
            write("src/1.txt", "x\n"),
        ]),
    ];
    let project = Project::with(&[task("1")], &rules);
    project.run(&[]).exits(0);
    assert_eq!(project.marks(), "x");
}
