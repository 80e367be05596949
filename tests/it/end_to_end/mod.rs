//! The program, git, agents and verify commands, from the command line to the commit.

mod agents;
mod gates;
mod pass;
mod plan;
mod verdicts;
