//! The only place that starts processes, and the place that makes sure that none is left.
//!
//! [`run()`] starts one program and comes back when it and everything it started are gone. Agents
//! start tools in sessions of their own and verify commands leave servers behind, so ending a
//! process group is not enough: `looper` makes itself the subreaper of its descendants
//! ([`become_subreaper`]), so whatever loses its parent becomes its child and is found, ended and
//! reaped. [`sweep_run`] does the same for a run whose `looper` was killed, by the variable
//! `LOOPER_RUN` in the environment of what that run has left.
//!
//! Nothing here runs between fork and exec, so `posix_spawn` stays possible: a fork of a large
//! process is slow. All limits are on the monotonic clock, which stands still while the machine
//! sleeps.

mod cancel;
mod capture;
mod command;
mod patience;
mod procfs;
mod program;
mod registry;
mod run;
mod signal;
mod sweep;

pub use cancel::{Cancel, Canceller, canceller};
pub use command::{Capture, Cause, Command, Ended, Exit, Limits, ProcessError, Stdin};
pub use program::{become_program, find_program};
pub use registry::{PROCESS_VARIABLE, become_subreaper};
pub use run::run;
pub use signal::terminate;
pub use sweep::{RUN_VARIABLE, Swept, left_running, sweep_marked, sweep_run};
