//! What can break in the real world.

use std::io;
use std::path::PathBuf;

use crate::backlog::marks::MarkError;
use crate::host::agents::ReadError;
use crate::host::evidence::EvidenceError;
use crate::host::files::FileError;
use crate::host::git::GitError;
use crate::host::lock::LockError;
use crate::host::log::LogError;
use crate::host::objects::ObjectError;
use crate::host::process::ProcessError;
use crate::host::prompts::PromptError;
use crate::host::sandbox::SandboxError;
use crate::host::tape::TapeError;
use crate::host::tx::TxError;

/// Why an effect could not be carried out. Nothing of it was recorded.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Evidence.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The log, where what this process wrote is not there any more.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The crash-recovery transaction.
    #[error(transparent)]
    Tx(#[from] TxError),
    /// The lock of the state directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The sandbox does not work any more.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A tape.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// A prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// What an agent printed.
    #[error(transparent)]
    Answer(#[from] ReadError),
    /// The backlog has no place for a mark.
    #[error("cannot mark {}", .path.display())]
    Mark {
        /// The backlog.
        path: PathBuf,
        /// Why.
        #[source]
        source: MarkError,
    },
    /// The backlog is not text.
    #[error("{} is not UTF-8", .path.display())]
    NotText {
        /// The backlog.
        path: PathBuf,
        /// Where.
        #[source]
        source: std::string::FromUtf8Error,
    },
    /// A file for people.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Something else on disk.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The log names an agent that the charter does not have.
    #[error("the charter has no agent {name}")]
    UnknownAgent {
        /// Its name.
        name: String,
    },
    /// The repository cannot say what a crash left.
    #[error("HEAD is at {found}, neither where the attempt began nor where it would have ended")]
    ForeignHead {
        /// Where HEAD is.
        found: String,
    },
}

impl WorldError {
    /// From an I/O error with what was attempted.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
