//! Signals at any moment, from anywhere: every run ends as it should, and nothing is left.
//!
//! `LOOPER_SIGNALS` sets how many random moments are tried, 6 unless it says otherwise.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

/// How long a whole run takes at most that nobody disturbs, on a machine that is not busy.
const RUN: Duration = Duration::from_millis(900);

fn any_file() -> Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt")])
}

/// An agent that is hard to get rid of, with everything a tool of its own can be.
fn stubborn() -> Rule {
    implementer([
        Step::IgnoreTerm,
        daemon(60_000, "src/late.txt"),
        sh(
            "(setsid sh -c 'trap \"\" TERM HUP INT; (trap \"\" TERM; sleep 60) & sleep 60' >/dev/null 2>&1 &)",
        ),
        write("mess/a", "x"),
        append("src/kept.txt", "y"),
        write("ignored/up", "x"),
        Step::Hang,
    ])
}

/// One that goes when it is asked to.
fn willing() -> Rule {
    implementer([
        daemon(60_000, "src/late.txt"),
        write("mess/a", "x"),
        append("src/kept.txt", "y"),
        write("ignored/up", "x"),
        Step::Hang,
    ])
}

fn is_restored(project: &Project) {
    assert_eq!((project.status().as_str(), project.orphans()), ("", vec![]));
    assert_eq!((project.read("src/kept.txt").as_str(), project.has("mess")), ("kept\n", false));
    let log = project.log();
    assert_eq!(
        (log.last("interrupted")["cause"].as_str(), log.names().last()),
        (Some("signal"), Some(&"run_ended"))
    );
    assert_eq!(log.last("run_ended")["exit_code"], 130);
}

/// A signal may come at any moment, in the first milliseconds too, and more than once.
#[test]
fn a_signal_at_any_moment_ends_the_run_and_leaves_nothing() {
    let times: u32 =
        std::env::var("LOOPER_SIGNALS").map_or(6, |text| text.parse().expect("a number"));
    let mut ends = [0; 2];
    for number in 0..times {
        let project = Project::with(&[task("1"), task("2").verify(&["exit 1"])], &[any_file()]);
        let ignored = project.place().join("tmp");
        // Spread evenly: chance would try the same moment again.
        let due = Instant::now() + RUN * number / times;
        let mut running = project.start(&["run", "-i", "3"]);
        while Instant::now() < due && running.is_running() {
            thread::yield_now();
        }
        let signal = ["INT", "TERM", "HUP", "QUIT"][number as usize % 4];
        for _ in 0..2 {
            let pid = running.pid().to_string();
            // It may be over.
            drop(Command::new("kill").args([&format!("-{signal}"), &pid]).output());
        }
        let ran = running.wait();
        let Some(code) = ran.status.code() else {
            // It came before the program was there to hear it, so nothing had been begun.
            assert!(!project.has(".looper/events.jsonl"), "{ran}");
            continue;
        };
        assert!(matches!(code, 0 | 130), "{ran}");
        ends[usize::from(code == 130)] += 1;
        assert_eq!((project.status().as_str(), ignored.read_dir().unwrap().count()), ("", 0));
        let log = project.log();
        assert_eq!(
            (log.names().last(), &log.last("run_ended")["exit_code"]),
            (Some(&"run_ended"), &code.into())
        );
        project.check();
        project.run(&["-i", "1"]).exits(0);
        assert!(project.subjects().len() == 1, "{ran}");
    }
    println!("{} ended by themselves, {} by a signal", ends[0], ends[1]);
}

/// As Ctrl-C does it: to everything in the foreground.
#[test]
fn a_signal_to_the_whole_group_ends_the_agents_tree_too() {
    let project = Project::with(&[task("1")], &[stubborn()]);
    let mut looper = project.command(env!("CARGO_BIN_EXE_looper"));
    looper.arg("run").stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = looper.spawn().unwrap();
    wait_for(|| project.has("ignored/up"));
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    project.check();
    is_restored(&project);
}

/// The terminal is closed under the run: it hears of it, and nobody can be told anything any more.
#[test]
fn a_terminal_that_is_closed_ends_the_run() {
    let project = Project::with(&[task("1")], &[willing()]);
    let run = format!("exec {} run", env!("CARGO_BIN_EXE_looper"));
    let mut script = project.command("script");
    script.args(["-qfc", &run, "/dev/null"]).env("SHELL", "/bin/sh");
    script.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut terminal) = script.spawn() else {
        println!("skipped: there is no program `script`");
        return;
    };
    wait_for(|| project.has("ignored/up"));
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    wait_for(|| project.seen("run_ended") > 0 && project.orphans().is_empty());
    project.check();
    is_restored(&project);
}

/// Whoever started it may go: a run that nobody waits for goes on.
#[test]
fn a_run_whose_parent_dies_goes_on() {
    let work = implementer([write("ignored/up", "x"), sleep(300), write("src/1.txt", "x")]);
    let project = Project::with(&[task("1")], &[work]);
    let mut parent = project.command("sh");
    let start = format!("{} run >/dev/null 2>&1 & wait", env!("CARGO_BIN_EXE_looper"));
    let mut parent = parent.args(["-c", &start]).spawn().unwrap();
    wait_for(|| project.has("ignored/up"));
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_for(|| project.seen("run_ended") > 0 && project.orphans().is_empty());
    project.check();
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("x", 1));
}

/// What recovery has begun it brings to its end; then the run ends, because somebody asked.
#[rstest]
fn a_signal_during_recovery_waits_until_the_tree_is_whole(#[values(0, 20, 60)] wait_ms: u64) {
    let project = Project::with(&[task("1")], &[willing().once(), any_file()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    running.kill();
    let mut running = project.start(&["run"]);
    running.until("it has the lock", || {
        let lock = project.read(".looper/lock");
        lock.contains(&format!("pid: {}\n", running_pid(&project)))
    });
    thread::sleep(Duration::from_millis(wait_ms));
    running.signal("INT");
    running.wait().exits(130).says("Recovered: ");
    project.check();
    is_restored(&project);
    project.run(&[]).exits(0);
    assert_eq!(project.marks(), "x");
}

/// The number of the only `looper run` of this project.
fn running_pid(project: &Project) -> i32 {
    let all = project.orphans();
    all.iter().find(|(_, line)| line.contains("looper run")).map_or(0, |(pid, _)| *pid)
}

/// The demo's project is gone whenever the signal comes, and whatever comes of the demo.
#[rstest]
fn a_demo_that_is_ended_leaves_nothing_behind(#[values(30, 60, 120, 400)] wait_ms: u64) {
    let project = Project::bare();
    let mut running = project.start(&["demo"]);
    thread::sleep(Duration::from_millis(wait_ms));
    if running.is_running() {
        running.signal("INT");
    }
    let ran = running.wait();
    let left = project.place().join("tmp").read_dir().unwrap().count();
    assert_eq!((left, project.orphans()), (0, vec![]), "{ran}");
}

#[track_caller]
fn wait_for(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not happen");
        thread::sleep(Duration::from_millis(5));
    }
}
