//! `looper doctor` names each kind of damage, where it is, and a safe way out; `looper run` says
//! the same.

use std::fs;
use std::os::unix::fs::symlink;

use rstest::rstest;

use super::*;

/// Makes the damage.
type Harm = fn(&Project);

fn in_log(project: &Project, harm: fn(&mut Vec<String>)) {
    let mut lines = lines(project);
    harm(&mut lines);
    put_lines(project, &lines);
}

fn copy_the_lock(project: &Project) -> String {
    project.read(".looper/lock")
}

/// What doctor says: the line, what it holds, the way out. What it exits with, and the run.
struct Want(&'static str, &'static str, &'static str, i32, i32);

#[rstest]
#[case::a_torn_tail(
    |it: &Project| { let log = it.read(LOG); it.write(LOG, log + "{\"v\":1,\"se"); },
    Want("warn log", "an unfinished line of 10 bytes", "`looper run` keeps it aside", 0, 1)
)]
#[case::a_damaged_line(
    |it: &Project| in_log(it, |lines| lines[2] = lines[2].replacen("\"task\":\"1\"", "\"task\":\"2\"", 1)),
    Want("fail log", "line 3 of", "compare with a backup", 3, 4)
)]
#[case::a_line_that_is_none(
    |it: &Project| in_log(it, |lines| lines[2] = "hello".to_owned()),
    Want("fail log", "line 3 of", "compare with a backup", 3, 4)
)]
#[case::a_cut_log(
    |it: &Project| in_log(it, |lines| lines.truncate(9)),
    Want("fail log", "lacks a recorded event", "restore the log from a backup", 3, 4)
)]
#[case::a_log_that_only_commits_remember(
    |it: &Project| { in_log(it, |lines| lines.truncate(7)); forget(it, &["tx", "ref"]); },
    Want("fail commits", "the log ends at event 7", "go on in a fresh clone", 3, 4)
)]
#[case::no_log(
    |it: &Project| fs::remove_file(it.path(LOG)).unwrap(),
    Want("fail log", "the log ends at event 0", "restore the log from a backup", 3, 4)
)]
#[case::a_newer_format(
    |it: &Project| in_log(it, |lines| lines[2] = lines[2].replacen("{\"v\":1,", "{\"v\":9,", 1)),
    Want("fail log", "has format 9", "use the looper that wrote it", 3, 4)
)]
#[case::a_story_that_does_not_replay(
    |it: &Project| {
        in_log(it, |lines| { drop(lines.remove(4)); reseal(lines) });
        forget(it, &["tx", "ref"]);
    },
    Want("fail log", "does not replay", "compare with a backup", 3, 4)
)]
#[case::an_anchor_that_is_none(
    |it: &Project| {
        let blob = it.git(&["hash-object", "-w", "README.md"]);
        it.git(&["update-ref", "refs/looper/log", &blob]);
    },
    Want("fail log", "does not name a line of the log", "git cat-file -p refs/looper/log", 3, 4)
)]
#[case::a_transaction_that_is_no_directory(
    |it: &Project| { fs::remove_dir_all(it.path(".looper/tx")).unwrap(); it.write(".looper/tx", "x"); },
    Want("warn transaction", "it is no directory", "`looper run` keeps it aside", 0, 1)
)]
#[case::a_transaction_of_garbage(
    |it: &Project| {
        fs::remove_file(it.path(".looper/tx/db")).unwrap();
        fs::create_dir(it.path(".looper/tx/db")).unwrap();
    },
    Want("warn transaction", "cannot be used", "`looper run` keeps it aside", 0, 1)
)]
#[case::the_index_is_locked(
    |it: &Project| it.write(".git/index.lock", ""),
    Want("fail git", "index.lock exists", "if none is running, move the lock file away", 3, 3)
)]
#[case::the_branch_is_locked(
    |it: &Project| it.write(".git/refs/heads/main.lock", ""),
    Want("fail git", "main.lock exists", "if none is running, move the lock file away", 3, 3)
)]
#[case::head_is_locked(
    |it: &Project| symlink("nowhere", it.path(".git/HEAD.lock")).unwrap(),
    Want("fail git", "HEAD.lock exists", "if none is running, move the lock file away", 3, 3)
)]
#[case::the_index_is_unreadable(
    |it: &Project| it.write(".git/index", "DIRC"),
    Want("fail git", "cannot be read", "move the index to another place", 3, 3)
)]
#[case::uncommitted_changes(
    |it: &Project| it.write("src/kept.txt", "changed\n"),
    Want("fail work tree", "src/kept.txt", "commit", 3, 3)
)]
#[case::another_branch(
    |it: &Project| it.config("[run]\nrequire_branch_prefix = \"work/\""),
    Want("fail branch", "HEAD is at main", "", 3, 3)
)]
#[case::the_lock_is_a_directory(
    |it: &Project| { fs::remove_file(it.path(".looper/lock")).unwrap(); it.write(".looper/lock/x", ""); },
    Want("fail lock", "lock", "check the state directory", 3, 3)
)]
fn each_kind_of_damage_has_a_name_and_a_way_out(#[case] harm: Harm, #[case] want: Want) {
    let Want(line, holds, way_out, code, run) = want;
    let project = after_two_runs();
    harm(&project);
    let ran = project.looper(&["doctor"]).exits(code);
    let mut rest =
        ran.stdout.lines().skip_while(|found| !found.starts_with(line) || !found.contains(holds));
    assert!(rest.next().is_some(), "{line}: {holds}\n{ran}");
    let hint = rest.next().unwrap_or_default();
    assert!(hint.contains("hint: ") && hint.contains(way_out), "{way_out}\n{ran}");
    is_safe(&format!("{}{}", ran.stdout, ran.stderr));

    let refused = project.looper(&["run", "--task", "3"]).exits(run);
    is_safe(&format!("{}{}", refused.stdout, refused.stderr));
    if code == 3 {
        assert!(refused.stderr.contains(way_out), "a run says something else: {refused}");
    }
}

/// Ends the run as a crash would, and leaves something that goes on.
const LEAVE: &str = "(unset LOOPER_X; setsid sleep 300 >/dev/null 2>&1 &) ; \
                     kill -9 $(ps -o ppid= -p $PPID)";

#[test]
fn what_a_dead_run_left_is_told_and_then_mended() {
    let rules = [implementer([sh(LEAVE)]).once(), implementer([write("src/1.txt", "one\n")])];
    let project = Project::with(&[task("1")], &rules);
    drop(project.looper(&["run"]));
    let owner = copy_the_lock(&project);
    assert!(owner.contains("pid: "), "{owner}");
    project.write(".git/index.lock", "");
    let ran = project.looper(&["doctor"]).exits(0);
    for (line, holds) in [
        ("warn git", "index.lock exists"),
        ("warn transaction", "attempt 1 at task 1 was cut short"),
        ("warn processes", "are still at work"),
        ("ok   lock", "nobody holds it"),
    ] {
        let found = ran.stdout.lines().any(|it| it.starts_with(line) && it.contains(holds));
        assert!(found, "{line}: {holds}\n{ran}");
    }
    is_safe(&ran.stdout);
    drop(project.run(&[]).exits(0));
    let ran = project.looper(&["doctor"]).exits(0);
    assert!(!ran.stdout.contains("warn "), "{ran}");
}
