//! Runs AI coding agents through a backlog of tasks: deterministic gates decide, an event log remembers.
//!
//! The house, from the inside out (each room may only look inwards):
//!
//! * [`engine`] is pure: events are folded into state, state decides what comes next.
//! * `backlog` is pure: task files are parsed, linted, compared and marked without touching any other byte.
//! * `driver` is the loop between engine and world: decide, record, act, record.
//! * `host` is the world: git, processes, files, the log on disk, the transaction, the clock.
//! * [`scripted`] is an agent that follows a script; it stands on the other side of a process boundary.
//! * [`mod@bench`] measures: what bad work gets committed, and what later facts say about real runs.
//! * `ui` tells people what happens; `cli` is one file per command.

// They panic where nobody listens.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod backlog;
pub mod bench;
pub mod cli;
pub mod driver;
pub mod engine;
pub mod host;
pub mod schema;
pub mod scripted;
pub mod ui;
