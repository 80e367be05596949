//! The program, git, agents and verify commands, from the command line to the commit.

mod pass;
