//! `looper __confine`: a process that gives up writing and becomes another program.

use std::process::ExitCode;

use super::args::ConfineArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::report;
use crate::engine::charter::Network;
use crate::host::sandbox::become_confined;

/// What it exits with when it is still itself: no program of people's uses this by habit.
const NOT_CONFINED: u8 = 125;

/// Comes back only when that fails.
pub(super) fn confine(args: ConfineArgs) -> ExitCode {
    let mut command = args.command.into_iter();
    let program = command.next().unwrap_or_default();
    let network = if args.no_network { Network::Closed } else { Network::Open };
    let error = become_confined(&args.writable, network, program.as_ref(), command);
    report(&Failure::of(Exit::Machine, &error), false);
    ExitCode::from(NOT_CONFINED)
}
