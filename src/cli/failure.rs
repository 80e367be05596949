//! From an error to what a person reads and what the process exits with.

use std::error::Error;
use std::path::Path;

use super::exit::Exit;
use crate::driver::DriveError;
use crate::engine::fold::FoldError;
use crate::engine::replay::ReplayError;
use crate::host::config::{ConfigError, Origin};
use crate::host::files::FileError;
use crate::host::git::{Blame, GitError, Refusal};
use crate::host::lock::LockError;
use crate::host::log::LogError;
use crate::host::paths::PathError;
use crate::host::prompts::PromptError;
use crate::host::reserve::is_out_of_room;
use crate::host::tx::TxError;
use crate::host::world::WorldError;
use crate::ui::sanitize::clean;

/// Why a command failed: what went wrong, why, and a way out.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the process exits with.
    pub exit: Exit,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
    is_out_of_room: bool,
}

/// The way out of a full disk, wherever it is met.
const MAKE_ROOM: &str = "make room there, then run the same command again: nothing is lost, and \
     what the attempt left behind is removed first";

impl Failure {
    /// A failure in our own words.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, message, causes: vec![], help: None, is_out_of_room: false }
    }

    /// An error and everything that caused it.
    pub(crate) fn of(exit: Exit, error: &dyn Error) -> Self {
        let is_out_of_room = is_out_of_room(error);
        let help = is_out_of_room.then(|| MAKE_ROOM.to_owned());
        let mut causes: Vec<String> = vec![];
        let mut next = error.source();
        while let Some(source) = next {
            causes.push(source.to_string());
            next = source.source();
        }
        Self { exit, message: error.to_string(), causes, help, is_out_of_room }
    }

    /// One more thing that explains it.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// A way out, unless a full disk says it already.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if !self.is_out_of_room {
            self.help = Some(help.into());
        }
        self
    }

    /// Whether it failed because there was no room on a disk.
    pub(crate) fn is_out_of_room(&self) -> bool {
        self.is_out_of_room
    }

    /// Before the first agent is called, a machine that fails is a refusal.
    #[must_use]
    pub(crate) fn before_agents(mut self) -> Self {
        if self.exit == Exit::Machine {
            self.exit = Exit::Refused;
        }
        self
    }

    /// What went wrong and why, in one line.
    pub(crate) fn summary(&self) -> String {
        let mut parts = vec![self.message.as_str()];
        for cause in self.causes.iter().filter(|cause| !cause.is_empty()) {
            if !parts.iter().any(|part| part.contains(cause.as_str())) {
                parts.push(cause);
            }
        }
        parts.join(": ")
    }

    /// The way out, where there is one.
    pub(crate) fn way_out(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What is printed.
    pub(crate) fn render(&self, color: bool) -> String {
        let (red, bold) = if color { ("\x1b[1;31m", "\x1b[1m") } else { ("", "") };
        let end = if color { "\x1b[0m" } else { "" };
        let mut text = format!("{red}error{end}: {bold}{}{end}\n", clean(&self.message));
        let mut last = self.message.as_str();
        for cause in self.causes.iter().filter(|cause| !cause.is_empty()) {
            if !last.contains(cause.as_str()) {
                text.push_str(&format!("  because: {}\n", clean(cause)));
            }
            last = cause;
        }
        if let Some(help) = &self.help {
            text.push_str(&format!("  help: {}\n", clean(help)));
        }
        text
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::of(Exit::Machine, &error).help("check the disk and the permissions, then run again")
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        let exit = match &error {
            PathError::NoProject { .. } => Exit::Usage,
            PathError::File(_)
            | PathError::NoRepository { .. }
            | PathError::UnfitStateDir { .. }
            | PathError::NoBacklog { .. }
            | PathError::ManyBacklogs { .. } => Exit::Refused,
        };
        let help = match &error {
            PathError::NoProject { .. } => "name an existing directory with --project",
            PathError::NoRepository { .. } => {
                "work inside a git repository, or let `looper run --git-init` make one"
            }
            PathError::UnfitStateDir { .. } => "name another directory with --state-dir",
            PathError::NoBacklog { .. } => {
                "write one (see the README for the format), or name it with --backlog"
            }
            PathError::ManyBacklogs { .. } => "choose one with --backlog",
            PathError::File(FileError::Symlink { .. } | FileError::NotAFile { .. }) => {
                "put a regular file there"
            }
            PathError::File(_) => "check the disk and the permissions, then run again",
        };
        Self::of(exit, &error).help(help)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let is_flag =
            matches!(&error, ConfigError::UnknownAgent { origin: Origin::Flag { .. }, .. });
        let exit = if is_flag { Exit::Usage } else { Exit::Refused };
        Self::of(exit, &error).help("`looper doctor` shows every setting and where it comes from")
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        Self::of(Exit::Refused, &error)
            .help("mend the template, or move it away to use the built-in one")
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let help = match &error {
            LockError::Held { .. } => "wait for it, or ask it to end with `looper stop`",
            LockError::Unsupported { .. } => "put the state directory on a local file system",
            LockError::Replaced { .. } | LockError::File(_) => {
                "check the state directory and its permissions"
            }
        };
        Self::of(Exit::Refused, &error).help(help)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let exit = match &error {
            LogError::File(_) | LogError::Poisoned { .. } => Exit::Machine,
            LogError::AsideTaken { .. } => Exit::Refused,
            LogError::OutOfOrder { .. } | LogError::TooLong { .. } => Exit::Bug,
            LogError::Damaged { .. }
            | LogError::TooNew { .. }
            | LogError::Foreign { .. }
            | LogError::Lost { .. }
            | LogError::Tampered { .. } => Exit::BadLog,
        };
        let help = match &error {
            LogError::Damaged { offset: offset @ 1.., .. } => format!(
                "{}; the first {offset} bytes are sound: when a copy of them takes its place, \
                 `looper run` goes on if nothing that was recorded elsewhere is missing",
                error.help()
            ),
            _ => error.help().to_owned(),
        };
        let mut failure = Self::of(exit, &error).help(help);
        if let LogError::Damaged { line, .. } | LogError::TooNew { line, .. } = &error {
            // Every line is one event.
            failure.message.push_str(&format!(": event {line} is due there"));
        }
        failure
    }
}

impl From<TxError> for Failure {
    fn from(error: TxError) -> Self {
        Self::of(Exit::Machine, &error)
            .help("the tx folder may be moved away while no run is open: the log is the truth")
    }
}

impl Failure {
    /// The log is a history that this engine could not have.
    /// `due`: what it would have decided.
    pub(crate) fn replay(log: &Path, line: u64, error: &ReplayError, due: Option<&str>) -> Self {
        let seq = error.seq();
        let what = format!("line {line} of {} does not replay: event {seq}", log.display());
        let mut failure = Self::of(Exit::BadLog, error);
        failure.causes.insert(0, std::mem::replace(&mut failure.message, what));
        if let (ReplayError::Fold(FoldError::Misfit { .. }), Some(due)) = (error, due) {
            failure.causes.push(format!("the engine expects {due}"));
        }
        failure.help(
            "the log was changed by somebody, or written by another looper: \
             compare with a backup and keep this file",
        )
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        let exit = match error.blame() {
            Blame::State | Blame::Foreign => Exit::Refused,
            Blame::Machine => Exit::Machine,
        };
        let help = match &error {
            GitError::Refused(refusal) => refusal_help(refusal),
            GitError::Locked { .. } => {
                "wait for the other git command; if none is running, move the lock file away"
            }
            GitError::ForeignHead { .. } => {
                "nothing was touched: check out the commit the attempt began with, then run again"
            }
            GitError::Lost { .. } => "bring .git back from a backup or a clone",
            GitError::Index { .. } => {
                "move the index to another place, then `git reset` writes a new one from HEAD: \
                 your files stay as they are"
            }
            GitError::Io { .. }
            | GitError::Store { .. }
            | GitError::Unrestored { .. }
            | GitError::Damaged { .. }
            | GitError::BadId { .. } => "check the disk and `git fsck`, then run again",
        };
        Self::of(exit, &error).help(help)
    }
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Self {
        match error {
            WorldError::Git(error) => error.into(),
            WorldError::Prompt(error) => error.into(),
            WorldError::Lock(error) => error.into(),
            WorldError::Tape(error) => Self { exit: Exit::Machine, ..error.into() },
            WorldError::Sandbox(error) => error.into(),
            WorldError::Log(error) => error.into(),
            WorldError::ForeignHead { .. } => Self::of(Exit::Refused, &error).help(
                "somebody moved HEAD after the crash, and nothing was touched: \
                 check out the branch as it was, then run again",
            ),
            WorldError::NotText { .. } => {
                Self::of(Exit::Refused, &error).help("save the backlog as UTF-8")
            }
            other => Self::of(Exit::Machine, &other)
                .help("nothing is lost: put it right and run the same command again"),
        }
    }
}

impl From<DriveError<LogError, WorldError>> for Failure {
    fn from(error: DriveError<LogError, WorldError>) -> Self {
        match error {
            DriveError::Log(error) => error.into(),
            DriveError::World { effect, source } => {
                let mut failure = Self::from(source);
                failure.message = format!("{effect} broke off: {}", failure.message);
                failure
            }
            DriveError::Fold(error) => Self::of(Exit::Bug, &error)
                .help("please report this with the log: it is a bug of looper"),
        }
    }
}

fn refusal_help(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotARepository { .. } => {
            "run `git init` and commit, or let `looper run --git-init` do both"
        }
        Refusal::ForeignOwner { .. } => "add it with `git config --global --add safe.directory`",
        Refusal::Bare { .. } => "work in a clone that has files",
        Refusal::NotTheTop { .. } => "name the top with --project",
        Refusal::Unborn { .. } => "make a first commit",
        Refusal::InProgress { .. } => "finish it or abort it, then run again",
        Refusal::IndexLocked { .. } => {
            "wait for the other git command; if none is running, move the lock file away"
        }
        Refusal::Unmerged { .. } => "resolve the conflict and commit",
        Refusal::Unsupported { .. } => "work in a plain clone without it",
        Refusal::Filtered { .. } => "remove the filter attribute, or work in a clone without it",
        Refusal::Encoded { .. } => "remove the attribute, or work in a clone without it",
        Refusal::TooLarge { .. } => "have git ignore it, or move it out of the work tree",
        Refusal::Signed => "switch it off for this clone: `git config commit.gpgsign false`",
        Refusal::NoIdentity => "`git config user.name` and `git config user.email` set it",
    }
}
