//! What passes is committed, exactly as it was judged.

use crate::support::*;

#[test]
fn a_task_is_planned_made_verified_judged_and_committed() {
    let project = Project::with(&[task("1")], &[implementer([write("src/1.txt", "one\n")])]);
    project.run(&[]).exits(0);
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("x", ""));
    let log = project.log();
    assert_eq!(
        log.names(),
        [
            "run_started",
            "backlog_loaded",
            "task_selected",
            "plan_started",
            "plan_finished",
            "plan_critique_started",
            "plan_critique_finished",
            "implement_started",
            "implement_finished",
            "verify_started",
            "verify_finished",
            "impl_critique_started",
            "impl_critique_finished",
            "gates_judged",
            "commit_started",
            "commit_prepared",
            "commit_finished",
            "task_done",
            "run_ended",
        ]
    );
}
