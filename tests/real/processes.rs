//! However a stage ends: when its end is in the log, nothing that the agent started is alive.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use looper::engine::charter::Stage;
use rstest::rstest;

use crate::alive;
use crate::night::{Night, figures};
use crate::packages::installed;
use crate::program::Program::{self, Codex, Gemini, Opencode, Qwen};
use crate::server::on;
use crate::support::{Running, task};

/// How a stage comes to its end while a command of the agent's shell runs.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The agent is done, and leaves something behind.
    ByItself,
    Deadline,
    Idle,
    StopNow,
    /// This signal to `looper`.
    Signal(&'static str),
    /// SIGKILL to the agent, and to nothing else.
    AgentKilled,
    /// SIGKILL to `looper`; the next run finds what is left.
    LooperKilled,
}

impl End {
    const ALL: [Self; 8] = [
        Self::ByItself,
        Self::Deadline,
        Self::Idle,
        Self::StopNow,
        Self::Signal("TERM"),
        Self::Signal("INT"),
        Self::AgentKilled,
        Self::LooperKilled,
    ];

    /// The event that says so, and the exit code of the run.
    fn logged(self) -> (&'static str, i32) {
        match self {
            Self::ByItself | Self::Deadline | Self::Idle | Self::AgentKilled => {
                ("implement_finished", 0)
            }
            Self::StopNow | Self::Signal(_) => ("interrupted", 130),
            Self::LooperKilled => ("interrupted", 0),
        }
    }

    /// How it is called in the log.
    fn class(self) -> Option<&'static str> {
        match self {
            Self::ByItself => Some("ok"),
            Self::Deadline => Some("timed_out"),
            Self::Idle => Some("idle"),
            Self::AgentKilled => Some("crashed"),
            Self::StopNow | Self::Signal(_) | Self::LooperKilled => None,
        }
    }
}

#[rstest]
#[case(Codex)]
#[case(Gemini)]
#[case(Opencode)]
#[case(Qwen)]
fn nothing_is_left_when_the_end_of_a_stage_is_logged(#[case] program: Program) {
    for end in End::ALL {
        let night = Night::for_some(&[Codex], program, &[task("1.1")]);
        let Some(night) = night else { return };
        leaves_nothing(&night, program, end);
    }
}

/// As npm starts them: a process more, which dies before the others.
#[rstest]
#[case(Codex)]
#[case(Gemini)]
#[case(Qwen)]
fn nothing_is_left_behind_a_launcher(#[case] program: Program) {
    for end in End::ALL {
        let night = Night::for_some(&[Codex], program, &[task("1.1")]);
        let Some(night) = night else { return };
        program.through_launcher(&night.project, &installed(program).unwrap());
        leaves_nothing(&night, program, end);
    }
}

fn leaves_nothing(night: &Night, program: Program, end: End) {
    let (idle_s, timeout_s) = limits(program, end);
    let name = program.known().name;
    night.settings(&format!(
        "[run]\nprofile = \"solo\"\n[agents.{name}]\nidle_s = {idle_s}\ntimeout_s = {timeout_s}\n"
    ));
    let word = rare_number();
    let command = match end {
        End::ByItself => format!("setsid sleep {word} > /dev/null 2>&1 & env sleep 1"),
        // Qwen refuses to do nothing but sleep.
        _ => format!("env sleep {word}"),
    };
    night.server.rule(on(Stage::Implement).runs(&command));
    let mut running = night.start(&["-i", "1"]);
    running.until("the command of the agent", || alive::runs(&word));
    let count = alive::of_implementer(night.place(), &word).len();
    let litter = bytes_below(&night.place().join("tmp"));

    let began = Instant::now();
    let (event, code) = end.logged();
    let (mut running, asked) = cause(night, running, end);
    running.until(event, || night.seen(event) > 0);
    let left = alive::of_implementer(night.place(), &word);
    assert_eq!(left, [""; 0], "{program:?} {end:?}: alive when {event} was logged");
    let took = began.elapsed();
    let ran = running.wait().exits(code);
    if let Some(asked) = asked {
        asked.wait().exits(0);
    }
    let log = night.log();
    if let Some(class) = end.class() {
        assert_eq!(log.last(event)["class"], class, "{ran}");
    }
    night.check();
    assert_eq!(night.status(), "");
    figures(&format!(
        "{program:?}, {end:?}: {count} processes, {litter} temporary bytes, logged after {took:.2?}"
    ));
}

/// What lies in a directory, which is gone after the stage: every run of a test looks.
fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Seconds for which nobody else sleeps.
fn rare_number() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("300.{:07}{count:03}", std::process::id())
}

/// Limits that let the program come to its command, and end it soon after where they are to.
fn limits(program: Program, end: End) -> (u64, u64) {
    // Everything but codex takes seconds to start, and many on a busy machine.
    let soon = if program == Codex { 20 } else { 90 };
    match end {
        End::Deadline => (0, soon),
        End::Idle => (soon, 600),
        _ => (0, 600),
    }
}

/// Makes the end happen. Returns the run that tells of it, and who asked for it, who waits for it.
fn cause(night: &Night, running: Running, end: End) -> (Running, Option<Running>) {
    match end {
        End::ByItself | End::Deadline | End::Idle => {}
        End::StopNow => return (running, Some(night.project.start(&["stop", "--now"]))),
        End::Signal(name) => running.signal(name),
        End::AgentKilled => {
            let agents: Vec<i32> = alive::children_of(running.pid());
            assert_eq!(agents.len(), 1, "one agent at a time");
            let sent = Command::new("kill").args(["-KILL", &agents[0].to_string()]).status();
            assert!(sent.expect("kill is a program").success());
        }
        End::LooperKilled => {
            running.kill();
            night.server.lift();
            return (night.start(&["-i", "1"]), None);
        }
    }
    (running, None)
}
