//! The loop: decide, record, act, record.

mod drive;
mod ports;

pub use drive::{DriveError, Driver, Outcome};
pub use ports::{Ask, AskSelect, Clock, Log, Reply, Request, Snapshot, Watch, World};
