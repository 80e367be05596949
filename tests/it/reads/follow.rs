//! What goes on looking ends when it is told to, and what runs ends when it is asked to.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use super::fixture::{Project, eventually};

#[test]
fn a_follower_sees_what_is_added_and_ends_on_a_signal() {
    let project = Project::new();
    let follow = project.start(["log", "--follow", "--format", "json"]);
    project.looper(["block", "1.1", "--reason", "first"]).exits(0);
    project.looper(["unblock", "1.1"]).exits(0);
    eventually("both events are printed", || follow.out().lines().count() == 2);
    follow.signal(Signal::INT);
    let said = follow.wait().exits(0);
    assert_eq!(said.out, fs::read_to_string(project.events()).unwrap());
}

#[test]
fn a_follower_ends_when_nobody_reads_any_more() {
    let project = Project::new();
    project.looper(["block", "1.1", "--reason", "first"]).exits(0);
    let mut command = project.command(env!("CARGO_BIN_EXE_looper"));
    let mut child = command.args(["log", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut code = None;
    eventually("the follower ends", || {
        code = child.try_wait().unwrap().map(|status| status.code());
        code.is_some()
    });
    assert_eq!(code, Some(Some(0)));
}

#[test]
fn a_run_ends_after_the_attempt_in_hand_when_it_is_asked_to() {
    let project = Project::new();
    let run = project.start_gated_run();
    let said = project.looper(["stop"]).exits(0);
    assert!(said.err.contains("after the attempt in hand"), "{said:#?}");
    project.open_gate();
    run.wait().exits(0);
    let names = project.names_from(0);
    assert_eq!(names.iter().filter(|name| *name == "task_done").count(), 1, "{names:?}");
    assert!(names.contains(&"stop_requested".to_owned()));
    assert!(project.root().join("hello.txt").exists());
    assert!(!project.state("stop").exists());
}

#[test]
fn a_run_ends_at_once_when_it_has_to() {
    let project = Project::new();
    let run = project.start_gated_run();
    let said = project.looper(["stop", "--now"]).exits(0);
    assert!(said.err.contains("It has ended"), "{said:#?}");
    run.wait().exits(130);
    let names = project.names_from(0);
    assert!(
        names.contains(&"interrupted".to_owned()) && !names.contains(&"task_failed".to_owned())
    );
    assert!(project.looper(["status"]).exits(0).out.contains("ended at"));
}

#[test]
fn without_a_run_there_is_nothing_to_stop() {
    let project = Project::after_a_run();
    for arguments in [&["stop"][..], &["stop", "--now"]] {
        assert!(project.looper(arguments).exits(0).err.contains("No run is going on."));
    }
    assert!(!project.state("stop").exists(), "the next run was not asked");
}

/// A lock file is only words: nobody is ended on its word alone.
#[test]
fn only_the_holder_of_the_lock_is_ended() {
    let project = Project::new();
    let run = project.start_gated_run();
    let mut other = project.command("sleep").arg("60").spawn().unwrap();
    let words = fs::read_to_string(project.state("lock")).unwrap();
    let pid = words.lines().next().unwrap();
    fs::write(project.state("lock"), words.replace(pid, &format!("pid: {}", other.id()))).unwrap();
    let said = project.looper(["stop", "--now"]).exits(3);
    assert!(said.err.contains("no process of this machine"), "{said:#?}");
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
    run.signal(Signal::TERM);
    run.wait().exits(130);
}
