//! What is to be started, and how it ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// A program with everything it gets from us.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments. A program without a slash is looked up in the `PATH` below.
    pub argv: Vec<OsString>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Its whole environment; nothing is inherited.
    pub environment: BTreeMap<OsString, OsString>,
    /// Its standard input.
    pub stdin: Stdin,
    /// Where its standard output goes.
    pub stdout: Capture,
    /// Where its standard error goes.
    pub stderr: Capture,
    /// What bounds it.
    pub limits: Limits,
    /// Whether the program only stands around another one: it ends when that one ends, takes
    /// everything with it when it is ended itself, and so is never asked to end, only forced.
    pub is_wrapper: bool,
}

/// What a program reads.
#[derive(Clone, Debug)]
pub enum Stdin {
    /// Nothing.
    Null,
    /// These bytes, then the end. A program need not read them.
    Bytes(Vec<u8>),
}

/// A new file for one output stream, and how much of the stream it takes.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The file. It must not exist: evidence is never overwritten, and a link is never followed.
    pub path: PathBuf,
    /// Bytes that are kept; what follows is counted and dropped.
    pub keep_bytes: u64,
    /// Bytes after which the program is ended.
    pub kill_bytes: Option<u64>,
}

/// What bounds a program in time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may run.
    pub deadline: Duration,
    /// How long it may print nothing.
    pub idle: Option<Duration>,
    /// How long it has between the request to end and the end.
    pub grace: Duration,
}

impl Limits {
    /// Between SIGTERM and SIGKILL, unless told otherwise.
    pub const GRACE: Duration = Duration::from_secs(5);
}

/// A program that has ended, with everything it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it answered.
    pub exit: Exit,
    /// Why it ended.
    pub cause: Cause,
    /// How long it took, in milliseconds, the sweep included.
    pub duration_ms: u64,
    /// Bytes it wrote to standard output.
    pub stdout_bytes: u64,
    /// Bytes it wrote to standard error.
    pub stderr_bytes: u64,
    /// Whether standard output holds more than its file.
    pub stdout_truncated: bool,
    /// Whether standard error holds more than its file.
    pub stderr_truncated: bool,
    /// Processes it left behind, which were ended.
    pub swept: u32,
    /// Processes it left behind that could not be ended.
    pub survivors: u32,
}

impl Ended {
    /// Whether either stream holds more than its file.
    pub fn truncated(&self) -> bool {
        self.stdout_truncated || self.stderr_truncated
    }
}

/// What a program answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// The exit code, unless a signal ended it.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// Whether it exited with zero.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        match status.code() {
            Some(code) => Self::Code(code),
            None => Self::Signal(status.signal().unwrap_or_default()),
        }
    }
}

/// Why a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By itself.
    Exited,
    /// Its time was up.
    DeadlinePassed,
    /// It printed nothing for too long.
    Idle,
    /// Somebody wanted it to end.
    Cancelled,
    /// It printed too much.
    TooMuchOutput,
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("program {} not found", .program.display())]
    NotFound {
        /// As it was asked for.
        program: OsString,
    },
    /// The program is there and does not start.
    #[error("cannot start {} in {}", .program.display(), .cwd.display())]
    Start {
        /// The file.
        program: PathBuf,
        /// Where it was to run.
        cwd: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What it prints cannot be kept.
    #[error("cannot write {}", .path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It runs, but the system does not tell how it ends.
    #[error("cannot wait for process {pid}")]
    Wait {
        /// Its number.
        pid: i32,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is still there after SIGKILL: it hangs in the kernel.
    #[error("process {pid} does not end")]
    Stuck {
        /// Its number.
        pid: i32,
    },
}
