//! Asking one process to end, and no other that has got its number since.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// Sends SIGTERM. `is_it` is asked once the process cannot be mistaken for a later one any more.
/// Returns whether there was such a process.
///
/// # Errors
/// The system refuses: it belongs to another user.
pub fn terminate(pid: u32, is_it: impl FnOnce() -> bool) -> io::Result<bool> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let handle = pidfd_open(pid, PidfdFlags::empty());
    if !is_it() {
        return Ok(false);
    }
    let sent = match handle {
        Ok(handle) => pidfd_send_signal(handle, Signal::TERM),
        Err(Errno::NOSYS) => kill_process(pid, Signal::TERM),
        Err(errno) => Err(errno),
    };
    match sent {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_the_process_that_is_meant_is_ended() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(!terminate(child.id(), || false).unwrap());
        assert!(child.try_wait().unwrap().is_none());
        assert!(terminate(child.id(), || true).unwrap());
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        assert!(!terminate(child.id(), || true).unwrap());
        assert!(!terminate(0, || true).unwrap());
        assert!(!terminate(u32::MAX, || true).unwrap());
    }
}
