//! Why something about the repository could not be done.

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::id::{CommitId, RepoPath};

/// Why something about the repository could not be done.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The repository is in a state in which nothing may be started.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file or directory could not be read or written.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The object store, the refs or the configuration could not be read or written.
    #[error("cannot {action}")]
    Store {
        /// What was attempted.
        action: String,
        /// What the git library said.
        source: LibraryError,
    },
    /// `.git` is gone, or is not the repository that was opened.
    #[error("the repository at {} is gone or was replaced", .path.display())]
    Lost {
        /// Where it was.
        path: PathBuf,
    },
    /// Another git process holds a lock.
    #[error("{} exists: another git process is at work, or one was killed", .path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// HEAD is at a commit that this run did not make.
    #[error("HEAD is at {found}, expected {expected}")]
    ForeignHead {
        /// Where HEAD had to be.
        expected: CommitId,
        /// Where it is.
        found: String,
    },
    /// The index cannot be read.
    #[error("the index {} cannot be read: {reason}", .path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The work tree could not be brought back.
    #[error("{} paths differ from what they have to be again, the first is {}", .paths.len(), first(.paths))]
    Unrestored {
        /// The paths that still differ.
        paths: Vec<RepoPath>,
    },
    /// A stored object does not have the form it was written in.
    #[error("{what} {id} is damaged")]
    Damaged {
        /// Which kind of object.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// Text that had to be an object name is none.
    #[error("{text:?} is not an object name")]
    BadId {
        /// The text.
        text: String,
    },
}

fn first(paths: &[RepoPath]) -> String {
    paths.first().map(ToString::to_string).unwrap_or_default()
}

/// What the git library said.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LibraryError {
    pub(super) message: String,
    pub(super) kind: LibraryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LibraryKind {
    NotFound,
    Locked,
    Modified,
    /// Files could not be read or written.
    Machine,
    Other,
}

/// Whose turn it is after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The machine failed: full disk, I/O error, permission.
    Machine,
    /// The repository is in a state that a person has to change.
    State,
    /// HEAD is where a person, or somebody else, put it.
    Foreign,
}

impl GitError {
    /// Whose turn it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Refused(_) | Self::Lost { .. } | Self::Locked { .. } | Self::BadId { .. } => {
                Blame::State
            }
            Self::ForeignHead { .. } => Blame::Foreign,
            Self::Io { .. }
            | Self::Store { .. }
            | Self::Index { .. }
            | Self::Unrestored { .. }
            | Self::Damaged { .. } => Blame::Machine,
        }
    }

    pub(super) fn io(
        action: &'static str,
        path: impl AsRef<Path>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Io { action, path: path.as_ref().to_owned(), source: source.into() }
    }

    pub(super) fn library(&self) -> Option<LibraryKind> {
        match self {
            Self::Store { source, .. } => Some(source.kind),
            Self::Refused(_)
            | Self::Io { .. }
            | Self::Lost { .. }
            | Self::Locked { .. }
            | Self::ForeignHead { .. }
            | Self::Index { .. }
            | Self::Unrestored { .. }
            | Self::Damaged { .. }
            | Self::BadId { .. } => None,
        }
    }
}

/// Turns what is missing or makes no sense into nothing. What merely cannot be read stays an error.
pub(super) fn absent<T>(result: Result<T, GitError>) -> Result<Option<T>, GitError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.library() {
            Some(LibraryKind::NotFound | LibraryKind::Other) => Ok(None),
            Some(LibraryKind::Machine | LibraryKind::Locked | LibraryKind::Modified) | None => {
                Err(error)
            }
        },
    }
}

/// Why no run may start in this repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no repository.
    #[error("{} is not a git repository", .path.display())]
    NotARepository {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// The repository belongs to another user.
    #[error("the repository at {} belongs to another user and is not listed in safe.directory", .path.display())]
    ForeignOwner {
        /// Where it is.
        path: PathBuf,
    },
    /// The repository has no work tree.
    #[error("{} is a bare repository: there are no files to work on", .path.display())]
    Bare {
        /// Where it is.
        path: PathBuf,
    },
    /// The project is not the top of the work tree.
    #[error("{} is not the top of the work tree, which is {}", .path.display(), .top.display())]
    NotTheTop {
        /// The project.
        path: PathBuf,
        /// The top of the work tree.
        top: PathBuf,
    },
    /// There is no commit yet.
    #[error("the branch {branch} has no commit yet: there is nothing to go back to")]
    Unborn {
        /// The branch that HEAD names.
        branch: String,
    },
    /// An operation is under way.
    #[error("a {operation} is in progress")]
    InProgress {
        /// Which operation.
        operation: &'static str,
    },
    /// The index is locked.
    #[error("{} exists: another git process is at work, or one was killed", .path.display())]
    IndexLocked {
        /// The lock file.
        path: PathBuf,
    },
    /// The index holds conflicts.
    #[error("{path} has an unresolved conflict")]
    Unmerged {
        /// The first path in conflict.
        path: RepoPath,
    },
    /// A file is too large to be kept, so that it could not be brought back.
    #[error("{path} is larger than {gib_max} GiB and not ignored: it cannot be kept safe")]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// How large a file may be.
        gib_max: u64,
    },
    /// The repository uses a format that cannot be handled safely.
    #[error("the repository uses {feature}, which is not supported")]
    Unsupported {
        /// Which format or extension.
        feature: String,
    },
    /// Files go through a filter program on their way into the repository.
    #[error("{path} goes through the filter {driver:?}, and files would be committed without it")]
    Filtered {
        /// A tracked file that the filter applies to.
        path: RepoPath,
        /// The name of the filter driver.
        driver: String,
    },
    /// Files are re-encoded on their way into the repository.
    #[error("{path} has the attribute working-tree-encoding, which is not supported")]
    Encoded {
        /// A tracked file that the attribute applies to.
        path: RepoPath,
    },
    /// Commits have to be signed.
    #[error("commit.gpgsign is set, and commits would not be signed")]
    Signed,
    /// There is nobody to make commits as.
    #[error("git does not know who you are: user.name and user.email are not set")]
    NoIdentity,
}
