//! The program, git, agents and verify commands, from the command line to the commit.

mod agents;
mod between_runs;
mod dirty;
mod fail_to_pass;
mod full_disk;
mod gates;
mod hostile;
mod interruptions;
mod old_bugs;
mod out_of_turn;
mod pass;
mod people;
mod plan;
mod refusing_disk;
mod repositories;
mod secrets;
mod settings;
mod signals;
mod state_dir;
mod surroundings;
mod terms;
mod two_processes;
mod uncommitted;
mod verdicts;
mod verify;
mod waits;
