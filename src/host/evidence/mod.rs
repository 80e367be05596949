//! What an attempt leaves for people to read: files beside the log, made from it, never read back.

mod command_run;
mod folder;
mod note;
mod proposal;
mod results;
mod window;

pub use command_run::CommandRun;
pub use folder::{Change, Document, EvidenceDir, EvidenceError, write_progress_window};
pub use note::note;
pub use proposal::{Proposal, proposal};
pub use results::Results;
pub use window::{CurrentTask, Outcome, PastAttempt, Window, progress_window};
