//! A place to run programs in, and proof that nothing is left of them.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use looper::host::process::{
    Cancel, Capture, Command, Ended, Limits, RUN_VARIABLE, Stdin, become_subreaper, run,
};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

pub(crate) const FAKE_AGENT: &str = env!("CARGO_BIN_EXE_fake-agent");

/// Long enough for anything a test waits for on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Tests look at all children of this process, so they take turns.
static TURN: Mutex<()> = Mutex::const_new(());

pub(crate) struct Bench {
    _turn: MutexGuard<'static, ()>,
    pub(crate) folder: TempDir,
    pub(crate) run: String,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let turn = TURN.lock().await;
        become_subreaper().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        Self { _turn: turn, folder, run }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn command(&self, argv: &[&str]) -> Command {
        let capture =
            |name| Capture { path: self.file(name), keep_bytes: 1 << 20, kill_bytes: None };
        let environment = [("PATH", "/usr/bin:/bin"), (RUN_VARIABLE, self.run.as_str())];
        Command {
            argv: argv.iter().map(OsString::from).collect(),
            cwd: self.folder.path().to_path_buf(),
            environment: environment.map(|(name, value)| (name.into(), value.into())).into(),
            stdin: Stdin::Null,
            stdout: capture("stdout"),
            stderr: capture("stderr"),
            limits: Limits { deadline: LONG, idle: None, grace: Duration::from_millis(100) },
            is_wrapper: false,
        }
    }

    pub(crate) fn sh(&self, script: &str) -> Command {
        self.command(&["sh", "-c", script])
    }

    pub(crate) fn agent(&self, steps: &str) -> Command {
        let script = self.file("script.toml");
        fs::write(&script, format!("[[rule]]\nsteps = [{steps}]\n")).unwrap();
        self.command(&[FAKE_AGENT, "--script", script.to_str().unwrap()])
    }

    /// Runs it, and proves that nothing is left of it.
    pub(crate) async fn end(&self, command: Command) -> Ended {
        let ended = run(command, Cancel::never()).await.unwrap();
        self.nothing_is_left();
        assert_eq!(ended.survivors, 0);
        ended
    }

    /// Neither a process that works for this run, nor any child, alive or dead.
    pub(crate) fn nothing_is_left(&self) {
        assert_eq!(working_for(&self.run), Vec::<i32>::new());
        assert_eq!(children(), Vec::<i32>::new());
    }
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

pub(crate) fn working_for(run: &str) -> Vec<i32> {
    let wanted = format!("{RUN_VARIABLE}={run}");
    let is_wanted = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    pids().into_iter().filter(is_wanted).collect()
}

fn children() -> Vec<i32> {
    let parent = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    pids().into_iter().filter(|pid| parent(pid) == Some(std::process::id())).collect()
}

/// The same command with other files for what it prints.
pub(crate) fn named(name: &str, mut command: Command) -> Command {
    command.stdout.path.set_file_name(format!("{name}.stdout"));
    command.stderr.path.set_file_name(format!("{name}.stderr"));
    command
}
