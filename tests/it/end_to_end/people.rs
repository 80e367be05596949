//! What people do to the backlog between two runs wins, and is on record.

use rstest::rstest;

use crate::support::*;

fn project() -> Project {
    let rules = [
        implementer([write("src/1.txt", "x")]).task("1"),
        implementer([write("src/2.txt", "x")]).task("2"),
    ];
    let project = Project::with(&[task("1"), task("2"), task("3")], &rules);
    project.config("[run]\nfailures_max = 1");
    project
}

#[rstest]
#[case::ticks("- [ ] Task 2", "- [x] Task 2", "task_done", "2", "xx!")]
#[case::unticks("- [x] Task 1", "- [ ] Task 1", "task_reopened", "1", "!x!")]
#[case::blocks("- [ ] Task 2", "- [!] Task 2", "task_blocked", "2", "x!!")]
fn a_mark_by_hand(
    #[case] from: &str,
    #[case] to: &str,
    #[case] event: &str,
    #[case] task: &str,
    #[case] marks: &str,
) {
    let project = project();
    project.run(&["-i", "1"]).exits(0);
    assert_eq!(project.marks(), "x  ");
    project.edit_backlog(from, to);
    project.run(&[]).exits(1);
    let log = project.log();
    let by_hand: Vec<_> =
        log.all(event).into_iter().filter(|data| data["by"] == "person").collect();
    assert_eq!((by_hand.len(), &by_hand[0]["task"]), (1, &task.into()));
    assert_ne!(by_hand[0]["before"], by_hand[0]["after"]);
    assert_eq!((project.marks().as_str(), log.count("backlog_changed")), (marks, 0));
}

#[test]
fn unblocking_by_hand_gives_a_task_all_its_chances_again() {
    let project = project();
    project.run(&[]).exits(1);
    assert_eq!(project.marks(), "xx!");
    project.script(&[implementer([write("src/3.txt", "x")])]);
    project.edit_backlog("- [!]", "- [ ]");
    project.run(&[]).exits(0);
    let log = project.log();
    assert_eq!(log.last("task_unblocked")["by"], "person");
    assert_eq!((project.marks().as_str(), &log.last("task_done")["attempt"]), ("xxx", &2.into()));
    assert!(project.read(".looper/backlog.md").contains("Fail count: 0"));
}

#[rstest]
#[case::title("Write 2", "Write the second", "title")]
#[case::files("Files: src/2.txt", "Files: src/2.txt, src/4.txt", "files")]
#[case::verify("`test -e src/2.txt`", "`test -s src/2.txt`", "verify")]
#[case::description("text.\n", "text, more or less.\n", "description")]
fn terms_by_hand_are_recorded_field_by_field(
    #[case] from: &str,
    #[case] to: &str,
    #[case] field: &str,
) {
    let project = project();
    project.run(&["-i", "1"]).exits(0);
    project.edit_backlog(from, to);
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let changed = log.last("backlog_changed");
    assert_eq!(
        (&changed["by"], changed["changes"].as_array().unwrap().len()),
        (&"person".into(), 1)
    );
    assert_eq!(changed["changes"][0]["field"], field);
    assert_ne!(changed["before"], changed["after"]);
}

#[test]
fn tasks_may_come_and_go() {
    let project = project();
    project.run(&["-i", "1"]).exits(0);
    project.backlog(&[task("2"), task("5").verify(&["true"]).files("src/5.txt")]);
    project.script(&[implementer([sh("echo x > src/$LOOPER_TASK.txt")])]);
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("xx", 3));
    assert_eq!(project.log().count("backlog_changed"), 1);
}

/// Nothing but the marks is written, byte for byte.
#[test]
fn a_run_changes_nothing_in_the_backlog_but_marks() {
    let project = project();
    let text = project.read(".looper/backlog.md").replace('\n', "\r\n");
    let text = format!("\u{feff}{text}\r\n<!-- a note -->   \r\n\tend without a line end");
    project.write(".looper/backlog.md", &text);
    project.run(&["-i", "2"]).exits(0);
    assert_eq!(
        project.read(".looper/backlog.md"),
        text.replace("- [ ] Task 1", "- [x] Task 1").replace("- [ ] Task 2", "- [x] Task 2")
    );
}

/// A backlog that somebody edits during a run is an agent's doing: it is put back and kept.
#[test]
fn an_edit_while_an_agent_works_is_put_back_and_kept() {
    let edit = "echo '<!-- mine -->' >> .looper/backlog.md";
    let project =
        Project::with(&[task("1")], &[implementer([write("src/1.txt", "x"), sh(edit)]).once()]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    let named = log.last("implement_finished")["state_changes"][0].as_str().unwrap().to_owned();
    let object = named.split("kept as ").nth(1).unwrap().trim_end_matches(')').to_owned();
    assert!(project.object(&object).ends_with("<!-- mine -->\n"));
}
