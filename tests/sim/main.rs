//! The real engine and driver on a simulated machine that breaks wherever it can.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agents;
mod computer;
mod coverage;
mod dice;
mod directed;
mod fault;
mod git;
mod journal;
mod life;
mod named;
mod oracle;
mod people;
mod plan;
mod repo;
mod run;
mod slot;
mod stage;
mod swarm;
mod world;
