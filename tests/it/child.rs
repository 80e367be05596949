//! A program under test: in an environment of its own, and not for ever.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take before the test fails. None takes a tenth of it.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often a program that runs is looked at.
const TICK: Duration = Duration::from_millis(10);

/// What a program left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The exit code, once it is what it should be.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// A program with nothing in its environment but a `PATH`, started in `cwd`.
pub(crate) fn command(program: impl AsRef<OsStr>, cwd: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.current_dir(cwd).stdin(Stdio::null());
    command
}

/// The program `looper`.
pub(crate) fn looper(cwd: &Path) -> Command {
    command(env!("CARGO_BIN_EXE_looper"), cwd)
}

/// A running program whose output goes into files.
pub(crate) struct Running {
    child: Child,
    dir: tempfile::TempDir,
}

/// Starts it.
pub(crate) fn start(mut command: Command) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let stream = |name: &str| File::create(dir.path().join(name)).unwrap();
    let child = command.stdout(stream("stdout")).stderr(stream("stderr")).spawn().unwrap();
    Running { child, dir }
}

/// Runs it to its end.
pub(crate) fn end(command: Command) -> Ended {
    start(command).end()
}

impl Running {
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    fn stream(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join(name)).unwrap()).into_owned()
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) {
        let began = Instant::now();
        while !self.stream("stderr").contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.stream("stderr"));
            assert!(began.elapsed() < DEADLINE, "never said {text:?}: {}", self.stream("stderr"));
            thread::sleep(TICK);
        }
    }

    /// Waits until it is gone.
    #[track_caller]
    pub(crate) fn end(self) -> Ended {
        self.end_within(DEADLINE)
    }

    /// Waits until it is gone, for a time.
    #[track_caller]
    pub(crate) fn end_within(mut self, patience: Duration) -> Ended {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > patience {
                self.child.kill().unwrap();
                panic!("it does not end: {}", self.stream("stderr"));
            }
            thread::sleep(TICK);
        };
        Ended { status, stdout: self.stream("stdout"), stderr: self.stream("stderr") }
    }
}
