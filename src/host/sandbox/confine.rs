//! Landlock: a process gives up writing, for itself and all its descendants, and then becomes the
//! program.
//!
//! Nothing may run between fork and exec of `looper`, so this happens in a process of its own: the
//! hidden command `looper __confine`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
};

use super::cell::Cell;
use crate::engine::charter::Network;
use crate::host::process::become_program;

/// The command that confines itself.
pub(super) const COMMAND: &str = "__confine";

/// The oldest Landlock that keeps files from being emptied.
const OLDEST: ABI = ABI::V3;

/// Devices that are no more than a place to write to.
const DEVICES: [&str; 8] = [
    "/dev/full",
    "/dev/null",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/random",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
];

/// Why a process is not confined.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The kernel does not take the rules.
    #[error("cannot use Landlock")]
    Landlock(#[from] RulesetError),
    /// The program does not start.
    #[error("cannot become {}", .program.display())]
    Become {
        /// The program.
        program: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// What stands before the program, after the name of `looper` itself.
pub(super) fn arguments(cell: &Cell) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![COMMAND.into()];
    if cell.network == Network::Closed {
        arguments.push("--no-network".into());
    }
    for place in cell.grants() {
        arguments.extend(["--write".into(), place.into()]);
    }
    arguments.push("--".into());
    arguments
}

/// Becomes a program that can write in these places only. Comes back only with the reason why not.
pub fn become_confined(
    writable: &[PathBuf],
    network: Network,
    program: &Path,
    arguments: impl IntoIterator<Item = OsString>,
) -> ConfineError {
    if let Err(error) = restrict(writable, network) {
        return error.into();
    }
    let environment = std::env::vars_os().collect();
    let source = become_program(program, arguments, &environment);
    ConfineError::Become { program: program.to_owned(), source }
}

/// Only writing is ruled: reading and running stay as they are.
fn restrict(writable: &[PathBuf], network: Network) -> Result<(), RulesetError> {
    let write = AccessFs::from_write(OLDEST);
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset = ruleset.handle_access(write)?;
    if network == Network::Closed {
        ruleset = ruleset.handle_access(AccessNet::from_all(ABI::V4))?;
    }
    // A newer kernel also keeps signals and abstract sockets inside.
    ruleset = ruleset.set_compatibility(CompatLevel::BestEffort).scope(Scope::from_all(ABI::V6))?;
    let mut created = ruleset.create()?;
    let places = writable.iter().map(PathBuf::as_path).chain(DEVICES.map(Path::new));
    for place in places {
        // What is not there cannot be written either.
        let Ok(opened) = PathFd::new(place) else { continue };
        let access = if place.is_dir() { write } else { write & AccessFs::from_file(OLDEST) };
        created = created.add_rule(PathBeneath::new(opened, access))?;
    }
    created.restrict_self()?;
    Ok(())
}
