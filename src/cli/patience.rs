//! Waiting for something to happen, until somebody has had enough.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use super::failure::Failure;

/// Waits between two looks at something that grows. Interrupt and end are requests to stop looking.
pub(super) struct Patience {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Patience {
    pub(super) fn new() -> Result<Self, Failure> {
        let fails = |error: std::io::Error| Failure::of(Exit::Machine, &error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(fails)?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(fails)?;
        let terminate = signal(SignalKind::terminate()).map_err(fails)?;
        drop(entered);
        Ok(Self { runtime, interrupt, terminate })
    }

    /// Waits; false when nobody wants more: a signal came, or whoever reads standard output left.
    pub(super) fn wait(&mut self, pause: Duration) -> bool {
        let Self { runtime, interrupt, terminate } = self;
        let goes_on = runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(pause) => true,
                _ = interrupt.recv() => false,
                _ = terminate.recv() => false,
            }
        });
        goes_on && is_read()
    }
}

/// Whether somebody may still read standard output: a pipe knows when its reader is gone.
fn is_read() -> bool {
    let out = std::io::stdout();
    let mut fds = [PollFd::new(&out, PollFlags::empty())];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(1..) => !fds[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL),
        Ok(0) | Err(_) => true,
    }
}
