//! Looks at what became of a task with eyes that nothing in the run has.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

use super::place::Place;
use super::scenario::Scenario;
use crate::engine::id::TreeId;
use crate::engine::reason;
use crate::host::git::{Git, GitError};

/// What the oracle of a scenario says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Whether what is there is what was asked for.
    pub(super) good: bool,
    /// In one line.
    pub(super) reason: String,
}

/// Why the oracle does not speak.
#[derive(Debug, thiserror::Error)]
pub(super) enum OracleError {
    #[error("the oracle cannot run")]
    Io(#[from] io::Error),
    #[error("the oracle has nothing to look at")]
    Git(#[from] GitError),
    #[error("the oracle ends with {status}: {said}")]
    Broken { status: std::process::ExitStatus, said: String },
}

/// Runs `oracle.sh` in a fresh checkout of a tree: 0 is good, 1 is bad, and its last line says why.
/// It gets the project in `PROJECT`, the commit that everything began with in `BASE`, the tree in
/// `TREE`, and the tasks that count as done in `DONE`; `oracles.sh` is read before it.
///
/// # Errors
/// The tree cannot be written, or the oracle ends in another way.
pub(super) async fn ask(
    place: &Place,
    scenario: &Scenario,
    tree: &TreeId,
    done: &str,
) -> Result<Finding, OracleError> {
    let checkout = place.empty_dir("checkout")?;
    let project = place.project();
    Git::open(&project, &[])?.checkout_to(tree, &checkout)?;
    let oracles = place.empty_dir("oracle")?;
    for name in ["oracle.sh", "oracles.sh"] {
        if let Some(bytes) = scenario.files.get(Path::new(name)) {
            fs::write(oracles.join(name), bytes)?;
        }
    }
    let oracle = oracles.join("oracle.sh");
    let words: [(&str, OsString); 5] = [
        ("PROJECT", project.into()),
        ("BASE", place.base.clone().into()),
        ("TREE", tree.as_str().into()),
        ("DONE", done.into()),
        ("BASH_ENV", oracles.join("oracles.sh").into()),
    ];
    let words = words.into_iter().map(|(name, value)| (name.into(), value));
    let argv = [OsStr::new("bash"), OsStr::new("-eu"), oracle.as_os_str()];
    let ended = place.run_in(&checkout, &argv, words).await?;
    let last = ended.stdout.lines().last().unwrap_or_default();
    match ended.status.code() {
        Some(0) => Ok(Finding { good: true, reason: reason::line(last) }),
        Some(1) if ended.stderr.is_empty() => {
            Ok(Finding { good: false, reason: reason::line(last) })
        }
        _ => {
            let said = reason::line(&format!("{last} {}", ended.stderr));
            Err(OracleError::Broken { status: ended.status, said })
        }
    }
}
