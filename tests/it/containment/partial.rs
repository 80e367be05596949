//! What Landlock holds: what lies outside the project, and with it the `.git` of a linked work tree.

use looper::scripted::Step;

use super::attacks::{ON_GIT, OUTSIDE};
use super::kit::{held, held_at, is_held_at, passes, works};
use crate::support::*;

#[test]
fn what_lies_outside_is_held() {
    let mut steps: Vec<Step> = OUTSIDE.iter().map(|attack| held(attack)).collect();
    steps.extend([
        works("echo new > top && rm top && echo x > $TMPDIR/x && echo x > /dev/null"),
        works("mkdir -p ignored/a && echo x > ignored/a/x && mv ignored/a/x ignored/x"),
        works("git add -A && git reset -q"),
        write("src/1.txt", "x\n"),
    ]);
    let Some(project) = held_at("partial", &[task("1")], &[implementer(steps)]) else { return };
    project.run(&["-i", "1"]).exits(0).says("partial").says("no namespaces today");
    let log = project.log();
    assert_eq!(project.marks(), "x", "{:#?}", log.all("implement_finished"));
    assert_eq!(log.last("implement_finished")["sandbox"], "partial");
}

#[test]
fn the_git_directory_of_a_linked_work_tree_is_held() {
    let attacks = ON_GIT
        .iter()
        .map(|attack| held(&attack.replace("$GIT", "$(git rev-parse --git-common-dir)")));
    let mut steps: Vec<Step> = attacks.collect();
    steps.push(write("src/1.txt", "x\n"));
    let Some(mut project) = held_at("partial", &[], &[implementer(steps)]) else { return };
    let linked = project.place().join("linked");
    project.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    project.move_to(linked);
    project.config("");
    project.backlog(&[task("1")]);
    assert!(is_held_at(&project, "partial"));
    passes(&project, "partial");
}
