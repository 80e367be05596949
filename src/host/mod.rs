//! The world: git, processes, files, the log on disk, the transaction, the clock.

pub mod agents;
pub mod audit;
pub mod clock;
pub mod config;
pub mod evidence;
mod fence;
pub mod files;
pub mod git;
pub mod lock;
pub mod log;
pub mod objects;
mod owner;
pub mod paths;
pub mod process;
pub mod prompts;
pub mod recheck;
pub mod reserve;
pub mod sandbox;
pub(crate) mod stamp;
pub mod tape;
pub mod tx;
pub mod world;
