//! The commands that look at a project, and those by which a person decides about a task.

mod decisions;
mod doctor;
mod events;
mod fixture;
mod follow;
mod replay;
mod status;
