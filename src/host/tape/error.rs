//! What can be wrong with a tape.

use std::path::{Path, PathBuf};

use crate::engine::id::TreeId;
use crate::host::files::FileError;
use crate::host::git::GitError;

/// Why nothing can be recorded, or what was recorded cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// A file of the tape.
    #[error(transparent)]
    File(#[from] FileError),
    /// The work tree, where a change was to be read or made again.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Others could read what agents print, secrets included.
    #[error("others than its owner can look into {}", .path.display())]
    Open {
        /// The directory.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{} is not empty, and is no tape", .path.display())]
    NoTape {
        /// The directory.
        path: PathBuf,
    },
    /// Agents would find in it what others have said, and could commit it.
    #[error("{} lies in the project", .path.display())]
    InProject {
        /// The directory.
        path: PathBuf,
    },
    /// It was recorded with other agents in the roles.
    #[error("the tape {} was begun with other agents or roles", .path.display())]
    OtherRoles {
        /// The directory.
        path: PathBuf,
    },
    /// A page that says nothing, or more than is known here.
    #[error("{} is no page of a tape: {reason}", .path.display())]
    Page {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A file that is not what its page says.
    #[error("{} is not what was recorded: {what}", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// How it differs.
        what: String,
    },
    /// A recording is gone.
    #[error("the tape {} has no call {number}", .path.display())]
    Gap {
        /// The directory.
        path: PathBuf,
        /// The number that is missing.
        number: u32,
    },
    /// The repository is at another place than when the tape was recorded.
    #[error("the tape {} was recorded on the files of tree {recorded}, and here is {found}", .path.display())]
    OtherTree {
        /// The directory, or the recording in it.
        path: PathBuf,
        /// What it was.
        recorded: TreeId,
        /// What it is.
        found: TreeId,
    },
    /// The run asks for what was not recorded.
    #[error("the tape {} has no recording for {wanted}{}", .path.display(), cut(.unfinished))]
    Missing {
        /// The directory.
        path: PathBuf,
        /// Who is asked for what, in words.
        wanted: String,
        /// Recordings that were cut off.
        unfinished: Vec<String>,
    },
    /// The run asks somebody else than was asked then.
    #[error("{} is a recording of {recorded}, and the run asks {wanted}", .path.display())]
    OtherAgent {
        /// The recording.
        path: PathBuf,
        /// Who was asked then.
        recorded: String,
        /// Who is asked now.
        wanted: String,
    },
    /// What the agent did then is not all on the tape.
    #[error("{} does not hold all that the agent did: {what}", .path.display())]
    LeftOut {
        /// The recording.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// The process that plays a recording failed.
    #[error("cannot play {}: {reason}", .path.display())]
    Play {
        /// The recording.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

fn cut(unfinished: &[String]) -> String {
    match unfinished {
        [] => String::new(),
        names => format!("; the recording of {} was cut off", names.join(", ")),
    }
}

impl TapeError {
    pub(super) fn io(attempt: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| FileError::io(attempt, &path, source).into()
    }

    /// A way out.
    pub fn help(&self) -> &'static str {
        match self {
            Self::InProject { .. } => "name a directory outside of it: a tape is raw",
            Self::Open { .. } => "take the others' permissions away, or name a new directory",
            Self::NoTape { .. } | Self::OtherRoles { .. } => "name a new directory",
            Self::Page { .. } | Self::Changed { .. } | Self::Gap { .. } => {
                "somebody changed the tape: bring it back from a copy"
            }
            Self::OtherTree { .. } => {
                "check out the commit that `base` in its tape.json names, with an empty state \
                 directory; what was recorded elsewhere cannot be told to happen here"
            }
            Self::Missing { .. } | Self::OtherAgent { .. } => {
                "the run goes another way than the recorded one: a tape is played with the same \
                 backlog, settings and flags, on the same commit, with an empty log. Where the \
                 recorded run was killed, the same command goes on with what came after"
            }
            Self::LeftOut { .. } => "this call can only be made again with a real agent",
            Self::File(_) | Self::Git(_) | Self::Play { .. } => {
                "nothing is lost: put it right and run the same command again"
            }
        }
    }
}
