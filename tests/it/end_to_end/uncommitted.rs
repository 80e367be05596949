//! `commit_on_pass = false`: what passes stays in the work tree and is the next attempt's ground.

use crate::support::*;

fn project() -> Project {
    let tasks = [
        task("1"),
        task("2").verify(&["test -e src/1.txt", "test -e src/2.txt"]),
        task("3").files("nothing"),
    ];
    let rules = [implementer([sh("echo $LOOPER_TASK > src/$LOOPER_TASK.txt")])];
    let project = Project::with(&tasks, &rules);
    project.config("[run]\ncommit_on_pass = false");
    project
}

/// LoopDex w39: new files of the first task are no foreign files to the second.
#[test]
fn the_second_task_stands_on_the_first() {
    let project = project();
    project.run(&["-i", "2"]).exits(0).says("what passes stays in the work tree");
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("xx ", 0));
    let log = project.log();
    assert_eq!(log.all("implement_finished")[1]["paths"], serde_json::json!(["src/2.txt"]));
    assert_eq!(project.status(), "?? src/1.txt\n?? src/2.txt");
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let project = project();
    project.run(&["-i", "1"]).exits(0);
    project.run(&["-i", "1"]).exits(0);
    assert_eq!(project.marks(), "xx ");
    // What is refused is undone, and what passed before it stays.
    project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(project.status(), "?? src/1.txt\n?? src/2.txt");
}

#[test]
fn a_person_may_commit_what_passed() {
    let project = project();
    project.run(&["-i", "1"]).exits(0);
    project.commit("by hand");
    project.run(&["-i", "1"]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("xx ", "?? src/2.txt"));
}

#[test]
fn a_person_who_changes_what_passed_is_asked_first() {
    let project = project();
    project.run(&["-i", "1"]).exits(0);
    project.write("src/1.txt", "mine\n");
    project.run(&["-i", "1"]).exits(3).says("the work tree is not clean");
    assert_eq!(project.read("src/1.txt"), "mine\n");
    project.run(&["-i", "1", "--allow-dirty"]).exits(0);
    assert_eq!((project.marks().as_str(), project.read("src/1.txt").as_str()), ("xx ", "mine\n"));
}

#[test]
fn committing_again_leaves_what_passed_before_where_it_is() {
    let project = project();
    project.run(&["-i", "1"]).exits(0);
    project.config("");
    project.run(&["-i", "1"]).exits(0);
    assert_eq!(project.marks(), "xx ");
    let log = project.log();
    assert_eq!(log.count("commit_finished"), 1);
    // The commit holds the tree that was judged, which stands on what had passed before.
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt", "src/2.txt"]);
    assert_eq!(project.status(), "");
}
