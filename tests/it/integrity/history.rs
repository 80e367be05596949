//! What people do to a history is no forgery.

use rstest::rstest;

use super::*;

/// Something people do.
type Deed = fn(&Project);

fn amend(project: &Project) {
    let message = project.git(&["log", "-1", "--format=%B"]);
    let message = format!("{}\nSigned-off-by: Ada <ada@example.org>\n", message.trim_end());
    project.write("src/2.txt", "two, and more\n");
    project.git(&["commit", "-q", "--amend", "-a", "-m", &message]);
}

fn collect(project: &Project) {
    for name in project.git(&["for-each-ref", "--format=%(refname)", "refs/looper"]).lines() {
        if name != "refs/looper/log" {
            project.git(&["update-ref", "-d", name]);
        }
    }
    project.git(&["reflog", "expire", "--expire=now", "--all"]);
    project.git(&["gc", "-q", "--prune=now"]);
}

#[rstest]
#[case::nothing(|_: &Project| {}, "2 recorded")]
#[case::amended(amend, "1 copied, 1 recorded, 1 rewritten")]
#[case::amended_and_collected(
    |it: &Project| { amend(it); collect(it); },
    "1 copied, 1 recorded, 1 rewritten"
)]
#[case::taken_back(|it: &Project| drop(it.git(&["reset", "-q", "--hard", "HEAD~1"])), "1 recorded, 1 rewritten")]
#[case::taken_back_and_collected(
    |it: &Project| { it.git(&["reset", "-q", "--hard", "HEAD~2"]); collect(it); },
    "2 rewritten"
)]
#[case::reverted(|it: &Project| drop(it.git(&["revert", "--no-edit", "HEAD"])), "2 recorded")]
#[case::rebased(
    |it: &Project| {
        it.git(&["checkout", "-q", "-b", "base", "HEAD~2"]);
        it.write("other.txt", "x\n");
        it.commit("other work");
        it.git(&["checkout", "-q", "main"]);
        it.git(&["rebase", "-q", "base"]);
    },
    "2 copied, 2 rewritten"
)]
#[case::squashed(
    |it: &Project| {
        let both = it.git(&["log", "-2", "--format=%B"]);
        it.git(&["reset", "-q", "--soft", "HEAD~2"]);
        it.git(&["commit", "-q", "-m", &format!("Both\n\n{both}")]);
    },
    "2 copied, 2 rewritten"
)]
#[case::squashed_by_merge(
    |it: &Project| {
        it.git(&["checkout", "-q", "-b", "side", "HEAD~2"]);
        it.git(&["merge", "-q", "--squash", "main"]);
        it.git(&["commit", "-q", "--no-edit"]);
    },
    "2 recorded"
)]
#[case::picked(
    |it: &Project| {
        it.git(&["checkout", "-q", "-b", "side", "HEAD~2"]);
        it.git(&["cherry-pick", "-x", "main"]);
    },
    "1 copied, 2 recorded"
)]
#[case::merged(
    |it: &Project| {
        it.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
        it.write("other.txt", "x\n");
        it.commit("other work");
        it.git(&["merge", "-q", "--no-edit", "main"]);
    },
    "2 recorded"
)]
#[case::detached(|it: &Project| drop(it.git(&["checkout", "-q", "--detach", "HEAD~1"])), "2 recorded")]
#[case::packed(|it: &Project| { it.git(&["gc", "-q"]); it.git(&["pack-refs", "--all"]); }, "2 recorded")]
#[case::told_in_words(
    |it: &Project| {
        let body = it.git(&["log", "-1", "--format=%B"]);
        let quoted: String = body.lines().map(|line| format!("> {line}\n")).collect();
        it.git(&["commit", "-q", "--allow-empty", "-m", &format!("About it\n\n{quoted}")]);
    },
    "2 recorded"
)]
fn what_people_do_is_no_forgery(#[case] deed: Deed, #[case] want: &str) {
    let project = after_two_runs();
    deed(&project);
    assert_eq!(counts(&project), want);
    drop(project.looper(&["doctor"]).exits(0));
    // The third task fails, which is what a run that was not refused says.
    drop(project.looper(&["run", "--task", "3"]).exits(1));
    drop(project.looper(&["replay", "--check-git"]).exits(0));
}

#[test]
fn a_pass_that_was_not_committed_needs_no_commit() {
    let mut project = Project::with(&[task("1")], &[implementer([write("src/1.txt", "x")])]);
    project.env("LOOPER_RUN_COMMIT_ON_PASS", "false");
    drop(project.run(&[]).exits(0));
    assert_eq!(counts(&project), "");
    project.commit("a person commits it");
    assert_eq!(counts(&project), "");
}

/// Goes on in a clone, which has no log, and then back at home with what the clone made.
#[rstest]
#[case::by_pull(&["pull", "-q", "--ff-only", "../clone", "main"])]
#[case::by_fetch(&["fetch", "-q", "../clone", "main:refs/remotes/clone/main"])]
fn commits_of_another_clone_are_foreign(#[case] bring: &[&str]) {
    let mut project = after_two_runs();
    let home = project.root().to_owned();
    let clone = project.place().join("clone");
    project.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
    std::fs::create_dir(clone.join(".looper")).unwrap();
    for name in ["backlog.md", "config.toml"] {
        std::fs::copy(home.join(".looper").join(name), clone.join(".looper").join(name)).unwrap();
    }
    project.move_to(clone);
    project.backlog(&[task("1").mark('x'), task("2").mark('x'), task("4")]);
    project.script(&[implementer([write("src/4.txt", "four\n")])]);
    assert_eq!(counts(&project), "2 foreign");
    drop(project.run(&[]).exits(0));
    assert_eq!(counts(&project), "2 foreign, 1 recorded");

    project.move_to(home);
    project.git(bring);
    if bring[0] == "fetch" {
        project.git(&["reset", "-q", "--hard", "clone/main"]);
    }
    assert_eq!(counts(&project), "1 foreign, 2 recorded");
    project.backlog(&[task("5")]);
    project.script(&[implementer([write("src/5.txt", "five\n")])]);
    drop(project.run(&[]).exits(0));
    assert_eq!(counts(&project), "1 foreign, 3 recorded");
}

#[test]
fn commits_of_another_work_tree_are_foreign() {
    let mut project = after_two_runs();
    let home = project.root().to_owned();
    let linked = project.place().join("linked");
    project.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    project.move_to(linked.clone());
    project.config("");
    project.backlog(&[task("4")]);
    project.script(&[implementer([write("src/4.txt", "four\n")])]);
    assert_eq!(counts(&project), "2 foreign");
    drop(project.run(&[]).exits(0));
    assert_eq!(counts(&project), "2 foreign, 1 recorded");

    project.move_to(home);
    assert_eq!(counts(&project), "1 foreign, 2 recorded");
    // The work tree goes, its branch stays and is taken over.
    project.git(&["worktree", "remove", "--force", linked.to_str().unwrap()]);
    assert_eq!(counts(&project), "1 foreign, 2 recorded");
    project.git(&["checkout", "-q", "side"]);
    drop(project.looper(&["run", "--task", "3"]).exits(1));
    assert_eq!(counts(&project), "1 foreign, 2 recorded");
}

#[test]
fn beyond_the_end_of_a_shallow_clone_nothing_is_known() {
    let mut project = after_two_runs();
    let clone = project.place().join("clone");
    let url = format!("file://{}", project.root().display());
    project.git(&["clone", "-q", "--depth", "1", &url, clone.to_str().unwrap()]);
    let state = clone.join(".looper");
    std::fs::create_dir(&state).unwrap();
    for name in ["backlog.md", "config.toml", "events.jsonl"] {
        std::fs::copy(project.path(".looper").join(name), state.join(name)).unwrap();
    }
    project.move_to(clone);
    let ran = project.looper(&["replay", "--check-git"]).exits(0);
    assert!(ran.stdout.contains("1 recorded, 1 unknown"), "{ran}");
    drop(project.looper(&["run", "--task", "3"]).exits(1));
}
