//! The pure half: events in, decisions out. No clock, no disk, no processes.
#![deny(clippy::wildcard_enum_match_arm)]

mod advance;
mod again;
pub mod at;
pub mod attempt;
mod casting;
pub mod change;
pub mod charter;
mod closing;
pub mod decide;
pub mod effect;
pub mod event;
pub mod fold;
pub mod gate;
pub mod id;
pub mod line;
pub mod message;
pub mod policy;
pub mod price;
pub mod reason;
pub mod recovery;
pub mod replay;
pub mod report;
pub mod secret;
mod stage_end;
pub mod state;
pub mod task;
pub mod text;
pub mod verdict;
