//! The world: git, processes, files, the log on disk, the transaction, the clock.

pub mod agents;
pub mod clock;
pub mod config;
pub mod files;
pub mod lock;
pub mod log;
pub mod objects;
pub mod paths;
pub mod process;
pub mod tx;
pub mod git;
