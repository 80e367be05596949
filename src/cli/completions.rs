//! `looper completions`, `looper man` and the scripted agent: what needs no project.

use clap::CommandFactory as _;

use super::args::{Cli, CompletionsArgs};
use super::exit::Exit;
use super::failure::Failure;

/// Prints a completion script.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Cli::command(), "looper", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}

/// Prints the manual page.
pub(super) fn man() -> Result<Exit, Failure> {
    let mut page = vec![];
    let made = clap_mangen::Man::new(Cli::command()).render(&mut page);
    made.map_err(|error| Failure::of(Exit::Machine, &error))?;
    super::print(&String::from_utf8_lossy(&page))
}
