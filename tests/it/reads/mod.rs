//! The commands that look at a project, and those by which a person decides about a task.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod agents;
mod decisions;
mod doctor;
mod events;
mod fixture;
mod follow;
mod replay;
mod report;
mod status;
