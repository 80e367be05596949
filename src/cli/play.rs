//! `looper __play`: stands where an agent stood, and does and prints what was recorded of it.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::args::PlayArgs;
use super::failure::Failure;
use crate::host::tape::{Recording, TapeError};

/// Plays one recording in the current directory.
pub(super) fn play(args: &PlayArgs) -> ExitCode {
    match played(&args.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In one line: whoever started this says the rest.
            drop(writeln!(io::stderr(), "{}", Failure::from(error).summary()));
            ExitCode::FAILURE
        }
    }
}

fn played(folder: &Path) -> Result<(), TapeError> {
    Recording::open(folder)?.play(Path::new("."), &mut io::stdout(), &mut io::stderr())
}
