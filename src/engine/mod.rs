//! The pure half: events in, decisions out. No clock, no disk, no processes.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod at;
pub mod charter;
pub mod event;
pub mod id;
pub mod line;
pub mod report;
pub mod task;
pub mod verdict;
