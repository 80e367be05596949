//! Runs a program of a scenario to its end, or ends it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::time::timeout;

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a program of a scenario ended.
pub(super) struct Done {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs it in a process group of its own, which is gone when this returns or is dropped.
///
/// # Errors
/// It cannot be started, or takes too long.
pub(super) async fn run(
    argv: &[&OsStr],
    dir: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> io::Result<Done> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).env_clear().envs(environment);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let child = command.spawn()?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let ended = timeout(PATIENCE, child.wait_with_output()).await;
    drop(group);
    let output = ended.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Done {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Ends what is left of a process group.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nothing of it may be there any more.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}
