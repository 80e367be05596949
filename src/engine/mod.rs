//! The pure half: events in, decisions out. No clock, no disk, no processes.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod id;
pub mod task;
pub mod verdict;
