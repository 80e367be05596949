//! Several processes on one project: one writes, all others read, and none is in another's way.

use std::process::Command;
use std::thread;
use std::time::Duration;

use looper::scripted::Rule;

use crate::support::*;

/// How many runs are started at once.
const RACERS: usize = 20;

fn any_file() -> Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt")])
}

/// An agent that works until it is let go.
fn held() -> Rule {
    implementer([
        write("ignored/up", "x"),
        sh("while ! test -e ignored/go; do sleep 0.01; done; echo x > src/$LOOPER_TASK.txt"),
    ])
}

/// LoopDex w36: twenty at once, and exactly one is at work.
#[test]
fn of_twenty_runs_at_once_exactly_one_works() {
    let project = Project::with(&[task("1")], &[held()]);
    let mut all: Vec<Running> = (0..RACERS).map(|_| project.start(&["run"])).collect();
    let mut refused = vec![];
    while refused.len() < RACERS - 1 {
        let ended = all.iter_mut().position(|running| !running.is_running());
        match ended {
            Some(index) => refused.push(all.remove(index).wait().exits(3)),
            None => thread::sleep(Duration::from_millis(3)),
        }
    }
    let winner = all.pop().unwrap();
    for ran in refused {
        let words = format!("is held by process {}", winner.pid());
        assert!(ran.stderr.contains(&words) && !ran.stderr.contains("project "), "{ran}");
    }
    project.write("ignored/go", "");
    winner.wait().exits(0);
    project.check();
    let log = project.log();
    assert_eq!((log.count("run_started"), project.subjects().len()), (1, 1));
}

#[test]
fn a_run_that_is_turned_away_says_who_works_since_when_and_at_what() {
    let project = Project::with(&[task("1.1")], &[held()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    let before = project.read(".looper/events.jsonl");
    let ran = project.looper(&["run"]).exits(3);
    let owner = format!("is held by process {} on ", running.pid());
    let words = [
        &*owner,
        " since 20",
        " running looper run run 01",
        "task 1.1, attempt 1, is being implemented",
        "looper stop",
    ];
    for words in words {
        assert!(ran.stderr.contains(words), "{words:?} is not in {ran}");
    }
    assert_eq!(project.read(".looper/events.jsonl"), before);
    project.write("ignored/go", "");
    running.wait().exits(0);
    project.check();
}

/// Process numbers mean nothing across namespaces; the lock does.
#[test]
fn another_process_namespace_cannot_take_the_lock_and_gets_it_when_it_is_free() {
    let project = Project::with(&[task("1"), task("2")], &[held()]);
    let elsewhere = || {
        let mut command = project.command("unshare");
        command.args(["-rpf", "--mount-proc", env!("CARGO_BIN_EXE_looper"), "run"]);
        command.output().unwrap()
    };
    let probe = Command::new("unshare").args(["-rpf", "--mount-proc", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: no process namespaces here");
        return;
    }
    let mut running = project.start(&["run", "-i", "1"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    let output = elsewhere();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains(&format!("process {}", running.pid())), "{words}");
    project.write("ignored/go", "");
    running.wait().exits(0);
    let output = elsewhere();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    project.check();
    assert_eq!(project.marks(), "xx");
}

/// Whoever removes the lock file under a run does not let another one in.
#[test]
fn a_lock_file_that_somebody_removes_lets_no_second_run_in() {
    let project = Project::with(&[task("1")], &[held()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    std::fs::remove_file(project.path(".looper/lock")).unwrap();
    let before = project.read(".looper/events.jsonl");
    for _ in 0..2 {
        project.looper(&["run"]).exits(3).says("is held by");
        project.looper(&["block", "1", "--reason", "x"]).exits(3).says("is held by");
    }
    assert_eq!(project.read(".looper/events.jsonl"), before);
    project.looper(&["status"]).exits(0);
    project.write("ignored/go", "");
    running.wait().exits(0);
    project.check();
}

/// Everybody may read while one writes: no torn line, no failure, nothing held up.
#[test]
fn whoever_only_reads_is_never_in_the_way_of_a_run() {
    let tasks: Vec<TaskText> = (1..=6).map(|number| task(&number.to_string())).collect();
    let project = Project::with(&tasks, &[any_file()]);
    let mut follower = project.start(&["log", "-f"]);
    let mut running = project.start(&["run"]);
    running.until("the log is begun", || project.seen("run_started") > 0);
    let mut looks = 0;
    while running.is_running() {
        for args in [
            &["status"][..],
            &["status", "--format", "json"],
            &["log", "--format", "json"],
            &["replay"],
            &["ls"],
            &["lint"],
            &["doctor"],
        ] {
            let ran = project.looper(args);
            let code = ran.status.code();
            // The doctor may find that the tree is not clean at that moment.
            assert!(code == Some(0) || (args[0] == "doctor" && code == Some(3)), "{ran}");
            let words = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!words.contains("damaged") && !words.contains("unfinished"), "{ran}");
            if args == ["log", "--format", "json"] {
                let parsed: Result<Vec<serde_json::Value>, _> =
                    ran.stdout.lines().map(serde_json::from_str).collect();
                assert!(parsed.is_ok_and(|lines| !lines.is_empty()), "{ran}");
            }
        }
        looks += 1;
    }
    running.wait().exits(0);
    assert!(looks > 0, "nobody looked while it was running");
    follower.until_it_said("run ended");
    follower.signal("INT");
    follower.wait().exits(0);
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("xxxxxx", 6));
    project.check();
}
