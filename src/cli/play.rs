//! `looper __play`: stands where an agent stood, and does and prints what was recorded of it.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::args::PlayArgs;
use super::failure::Failure;
use super::report;
use crate::host::tape::{Recording, TapeError};

/// Plays one recording in the current directory.
pub(super) fn play(args: &PlayArgs) -> ExitCode {
    match played(&args.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&Failure::from(error), false);
            ExitCode::FAILURE
        }
    }
}

fn played(folder: &Path) -> Result<(), TapeError> {
    Recording::open(folder)?.play(Path::new("."), &mut io::stdout(), &mut io::stderr())
}
