//! Scenarios that try to get bad work committed, or look bad and are not, and what became of them.
//!
//! Each runs in a project of its own against the real program. What counts is read from the log it
//! leaves and from git; `docs/trust.md` says what the figures mean.

pub mod accepted;
pub mod believer;
pub mod finding;
pub mod later;
mod library;
pub mod mutate;
pub mod mutation;
mod oracle;
mod place;
pub mod rate;
pub mod report;
pub mod reverify;
pub mod scenario;
mod script;
pub mod trial;

pub use library::{LibraryError, embedded, read_dir};
