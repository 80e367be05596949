//! Runs a program of a scenario to its end, or ends it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::host::process::Cancel;

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a program may take that was asked to end: a run brings its project back first.
const GRACE: Duration = Duration::from_secs(10);

/// How a program of a scenario ended.
pub(super) struct Done {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs it in a process group of its own, which is gone when this returns or is dropped.
///
/// # Errors
/// It cannot be started, takes too long, or nobody wants to know any more.
pub(super) async fn run(
    argv: &[&OsStr],
    dir: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    mut cancel: Cancel,
) -> io::Result<Done> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).env_clear().envs(environment);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let child = command.spawn()?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let mut ended = std::pin::pin!(child.wait_with_output());
    let why = tokio::select! {
        output = &mut ended => return output.map(Done::from),
        () = sleep(PATIENCE) => io::ErrorKind::TimedOut,
        () = cancel.cancelled() => io::ErrorKind::Interrupted,
    };
    group.signal(Signal::TERM);
    // However it ends now, it is no result.
    drop(timeout(GRACE, ended).await);
    Err(why.into())
}

impl From<std::process::Output> for Done {
    fn from(output: std::process::Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A process group, of which nothing is left in the end.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // Nothing of it may be there any more.
            kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
