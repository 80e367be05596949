//! `looper block` and `looper unblock` are recorded, and the next run finds no edit nobody made.

use std::fs;

use rstest::rstest;
use rustix::process::Signal;

use super::fixture::Project;

/// Events by which a run says that a person edited the backlog.
const EDITS: [&str; 5] =
    ["backlog_changed", "task_blocked", "task_unblocked", "task_reopened", "task_done"];

fn edits_by_people(project: &Project, first: usize) -> Vec<String> {
    let lines = project.lines();
    let by_people = lines[first..].iter().filter(|line| line.contains(r#""by":"person""#));
    by_people
        .filter_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = event["event"].as_str().unwrap();
            let task = event["data"]["task"].as_str().unwrap_or_default();
            EDITS.contains(&name).then(|| format!("{name} {task}"))
        })
        .collect()
}

#[test]
fn a_blocked_task_is_left_alone_until_it_is_let_go() {
    let project = Project::new();
    project.looper(["block", "Task 1.1", "--reason", "wait for\nthe design"]).exits(0);
    let text = fs::read_to_string(project.backlog()).unwrap();
    assert!(text.contains("- [!] Task 1.1: write hello"), "{text}");
    assert!(text.contains("  - Blocked reason: wait for the design\n"), "{text}");
    project.looper(["run"]).exits(1);
    assert_eq!(edits_by_people(&project, 1), [""; 0]);
    assert!(!project.root().join("hello.txt").exists());
    let events = project.lines().len();
    project.looper(["unblock", "1.1"]).exits(0);
    assert!(!fs::read_to_string(project.backlog()).unwrap().contains("wait for the design"));
    project.looper(["run"]).exits(1);
    assert_eq!(edits_by_people(&project, events + 1), [""; 0]);
    assert!(project.root().join("hello.txt").exists());
    project.looper(["replay"]).exits(0);
}

/// A log that does not know the task yet has to agree with the backlog about its failures.
#[test]
fn failures_that_only_the_backlog_knows_survive_a_block() {
    let project = Project::new();
    project.edit("Fail count: 0", "Fail count: 3");
    project.looper(["block", "1.1", "--reason", "later"]).exits(0);
    assert!(fs::read_to_string(project.backlog()).unwrap().contains("Fail count: 3"));
    let json = project.looper(["ls", "blocked", "--format", "json"]).exits(0).json();
    assert_eq!(json["tasks"][0]["fail_count"], 3);
    project.looper(["run", "--task", "1.3"]).exits(1);
    assert_eq!(edits_by_people(&project, 1), [""; 0]);
}

/// Only the mark of the task is written: what a person edited stays, and the run finds it.
#[test]
fn an_edit_by_hand_stays_and_is_found_by_the_next_run() {
    let project = Project::after_a_run();
    project.edit("- [x] Task 1.2", "- [ ] Task 1.2");
    project.edit("write hello", "write a greeting");
    project.looper(["unblock", "1.3"]).exits(0);
    let text = fs::read_to_string(project.backlog()).unwrap();
    assert!(text.contains("- [ ] Task 1.2") && text.contains("write a greeting"), "{text}");
    let events = project.lines().len();
    project.looper(["run", "--iterations", "1"]);
    let edits = edits_by_people(&project, events);
    assert_eq!(edits, ["backlog_changed ", "task_reopened 1.2"]);
    project.looper(["replay"]).exits(0);
}

/// The power went between the event and the mark: whoever comes next writes it.
#[rstest]
#[case::a_run(&["run", "--task", "1.3"], 1)]
#[case::another_decision(&["block", "1.2", "--reason", "too"], 0)]
fn a_mark_that_was_due_is_written(#[case] next: &[&str], #[case] code: i32) {
    let project = Project::new();
    let before = fs::read(project.backlog()).unwrap();
    project.looper(["block", "1.1", "--reason", "later"]).exits(0);
    fs::write(project.backlog(), before).unwrap();
    project.looper(next).exits(code);
    let text = fs::read_to_string(project.backlog()).unwrap();
    assert!(text.contains("- [!] Task 1.1"), "{text}");
    let events = project.lines().len();
    project.looper(["run", "--task", "1.3"]);
    assert_eq!(edits_by_people(&project, events), [""; 0]);
}

/// A command, what it exits with, and what it says.
const REFUSED: [(&[&str], i32, &str); 7] = [
    (&["block", "9.9", "--reason", "x"], 64, "the backlog has no task 9.9"),
    (&["block", "1.1", "--reason", "x"], 3, "task 1.1 is done"),
    (&["block", "1.3", "--reason", "x"], 3, "blocked already: 1 failures"),
    (&["unblock", "1.1"], 3, "task 1.1 is not blocked: it is done"),
    (&["unblock", "nope"], 64, "the backlog has no task nope"),
    (&["block", "1.1"], 64, "--reason"),
    (&["block", "1.1", "--reason", " \n"], 64, "the reason says nothing"),
];

#[test]
fn a_decision_that_makes_no_sense_is_refused() {
    let project = Project::after_a_run();
    let before = (fs::read(project.backlog()).unwrap(), fs::read(project.events()).unwrap());
    for (arguments, code, why) in REFUSED {
        let said = project.looper(arguments).exits(code);
        assert!(said.err.contains(why), "{said:#?}");
        let after = (fs::read(project.backlog()).unwrap(), fs::read(project.events()).unwrap());
        assert!(before == after, "{arguments:?} writes nothing");
    }
}

#[test]
fn nobody_decides_while_a_run_is_going_on_or_was_cut_short() {
    let project = Project::new();
    let run = project.start_gated_run();
    let said = project.looper(["block", "1.2", "--reason", "x"]).exits(3);
    assert!(said.err.contains("is held by process"), "{said:#?}");
    run.signal(Signal::KILL);
    run.wait();
    let said = project.looper(["block", "1.2", "--reason", "x"]).exits(3);
    assert!(said.err.contains("attempt 1 at task 1.1 was cut short"), "{said:#?}");
    assert!(said.err.contains("`looper run` settles it"), "{said:#?}");
    project.open_gate();
    project.looper(["run"]).exits(1);
    project.looper(["unblock", "1.3"]).exits(0);
}

#[test]
fn a_damaged_log_takes_no_decision() {
    let project = Project::after_a_run();
    let mut lines = project.lines();
    lines.remove(4);
    fs::write(project.events(), lines.join("\n") + "\n").unwrap();
    let before = fs::read(project.backlog()).unwrap();
    project.looper(["unblock", "1.3"]).exits(4);
    assert_eq!(fs::read(project.backlog()).unwrap(), before);
    assert_eq!(project.lines(), lines);
}
