//! Places that may not be written: read-only mounts, missing rights, missing directories.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use looper::scripted::Rule;
use rstest::rstest;

use crate::support::*;

/// Whoever has no rights on any machine.
const NOBODY: u32 = 65_534;

fn any_file() -> Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt")])
}

/// Not a test: what each scenario does in its namespace.
#[test]
#[ignore = "started in a namespace"]
fn inside() {
    let name = scenario().expect("only a test with a namespace starts it");
    let mut project = Project::with(&[task("1")], &[any_file()]);
    let place = match name.as_str() {
        "project" => project.root().to_owned(),
        "tmp" => project.place().join("tmp"),
        below => project.path(below),
    };
    let before = project.manifest();
    let mount = Mount::read_only(&place);
    project.looper(&["run"]).exits(3).says("Read-only file system").says("help: ");
    assert_eq!((project.seen("plan_started"), project.manifest()), (0, before));
    drop(mount);
    project.env("NO_COLOR", "1");
    project.run(&[]).exits(0);
    assert_eq!(project.marks(), "x");
}

/// EROFS: nothing is begun, nothing is half-written, and it goes on once it can be written.
#[rstest]
fn what_cannot_be_written_refuses_the_run(
    #[values("project", ".looper", ".git", ".git/objects", "tmp")] place: &str,
) {
    enter("end_to_end::refusing_disk::inside", place);
}

/// The same files for another user, who is not allowed everything.
fn give(place: &Path, uid: u32) {
    let mut open = vec![place.to_owned()];
    while let Some(path) = open.pop() {
        std::os::unix::fs::lchown(&path, Some(uid), Some(uid)).unwrap();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    chown(place, Some(uid), Some(uid)).unwrap();
}

/// `looper` as somebody without special rights; nothing where that is not possible.
fn plain_user(project: &Project, args: &[&str]) -> Option<(i32, String)> {
    let looper = env!("CARGO_BIN_EXE_looper");
    let is_root = rustix::process::geteuid().is_root();
    let setpriv = || {
        let mut command = project.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", looper]);
        command
    };
    if is_root {
        let probe = setpriv().arg("--version").current_dir("/").output();
        if !probe.is_ok_and(|output| output.status.success()) {
            println!("skipped: nobody else can start {looper}");
            return None;
        }
        give(project.place(), NOBODY);
    }
    let mut command = if is_root { setpriv() } else { project.command(looper) };
    let output = command.args(args).output().unwrap();
    if is_root {
        give(project.place(), 0);
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((output.status.code().unwrap_or(-1), words))
}

/// EACCES, each time before an agent is called.
#[rstest]
#[case::the_state_directory(".looper", 0o555)]
#[case::the_lock(".looper/lock", 0o000)]
#[case::the_log(".looper/events.jsonl", 0o444)]
#[case::the_transaction(".looper/tx", 0o000)]
#[case::the_objects_of_ours(".looper/objects", 0o555)]
#[case::the_backlog_unreadable(".looper/backlog.md", 0o000)]
#[case::the_repository(".git", 0o555)]
#[case::its_objects(".git/objects", 0o555)]
#[case::its_refs(".git/refs", 0o555)]
#[case::its_head(".git/HEAD", 0o000)]
#[case::the_project(".", 0o555)]
#[case::a_directory_without_x("src", 0o600)]
#[case::a_file_that_cannot_be_read("README.md", 0o000)]
#[case::the_temporary_directory("../tmp", 0o555)]
fn what_may_not_be_touched_refuses_the_run(#[case] name: &str, #[case] mode: u32) {
    let project = Project::with(&[task("1"), task("2")], &[any_file()]);
    project.run(&["-i", "1"]).exits(0);
    let (path, seen) = (project.path(name), project.seen("plan_started"));
    let before = fs::metadata(&path).unwrap().permissions();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let Some((code, words)) = plain_user(&project, &["run"]) else { return };
    fs::set_permissions(&path, before).unwrap();
    assert_eq!((code, project.seen("plan_started")), (3, seen), "{words}");
    assert!(words.contains("denied") || words.contains("not clean"), "{words}");
    assert!(words.contains("help: ") && !words.contains("panicked"), "{words}");
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("xx", 2));
}

#[test]
fn a_missing_temporary_directory_refuses_the_run() {
    let mut project = Project::with(&[task("1")], &[any_file()]);
    project.env("TMPDIR", "/nowhere/at/all");
    project.looper(&["run"]).exits(3).says("/nowhere/at/all").says("No such file");
    assert_eq!(project.seen("run_started"), 0);
    project.env("TMPDIR", project.place().join("tmp"));
    project.run(&[]).exits(0);
}

/// What an agent takes the rights from is put back, rights included.
#[test]
fn an_agent_that_takes_all_rights_away_is_undone() {
    let change = "echo x > src/1.txt; mkdir -p new/deep; echo x > new/deep/x; \
                  chmod 0 new/deep new src/kept.txt README.md; chmod 500 src; exit 1";
    let project = Project::with(&[task("1")], &[implementer([sh(change)]).once(), any_file()]);
    let Some((code, words)) = plain_user(&project, &["run"]) else { return };
    assert_eq!(code, 0, "{words}");
    assert_eq!((project.marks().as_str(), project.has("new")), ("x", false));
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
}
