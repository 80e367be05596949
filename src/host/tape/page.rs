//! What a tape says about itself and about each call: `tape.json` and `call.json`.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::TapeError;
use crate::engine::at::At;
use crate::engine::charter::{SandboxLevel, Stage};
use crate::engine::id::{AgentName, CommitId, Digest, RepoPath, TaskId, TreeId};
use crate::engine::report::Class;
use crate::host::agents::Turn;
use crate::host::config::{AgentConfig, Agents};
use crate::host::files;
use crate::host::process::{Cause, Ended, Exit};

/// The version of the format.
pub const VERSION: u32 = 1;

/// How much of a page is read, in bytes: room for the longest list of changes.
const PAGE_BYTES_MAX: u64 = 64 << 20;

/// A page of a tape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "page", rename_all = "snake_case")]
pub enum Page {
    /// `tape.json`.
    Tape(Tape),
    /// `call.json`.
    Call(Box<Call>),
}

/// What all calls of a tape have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tape {
    /// Version of this format.
    pub v: u32,
    /// Version of the program that began the tape.
    pub engine: String,
    /// The commit the first recorded run began with.
    pub base: CommitId,
    /// Who did what.
    pub roles: TapeRoles,
    /// How each of them was called: nothing is left to a preset.
    pub agents: BTreeMap<AgentName, AgentConfig>,
}

/// Who did what. A list rotates by attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TapeRoles {
    /// Planners.
    pub plan: Agents,
    /// Critics of plans.
    pub plan_critique: Agents,
    /// Implementers.
    pub implement: Agents,
    /// Critics of changes.
    pub impl_critique: Agents,
}

/// One call of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Version of this format.
    pub v: u32,
    /// Its number on the tape, from one.
    pub number: u32,
    /// The stage.
    pub stage: Stage,
    /// The task.
    pub task: TaskId,
    /// The attempt at it.
    pub attempt: u32,
    /// Who was called.
    pub agent: AgentName,
    /// The format of what it prints.
    pub output: String,
    /// The model that was asked for, where one was.
    pub model: String,
    /// What held it.
    pub sandbox: SandboxLevel,
    /// The tree that the attempt's change is counted from.
    pub tree: TreeId,
    /// SHA-256 of the prompt. The prompt itself is in the objects of the recorded run.
    pub prompt: Digest,
    /// When it ended. Moments like "in five minutes" were seen from here.
    pub at: At,
    /// How it ended.
    pub end: End,
    /// What it changed in the work tree, directories before their content. Files that git ignores
    /// are not looked at.
    pub change: Vec<Change>,
    /// What else it did that is not on the tape, so that the call cannot be played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum End {
    /// No process was started.
    NotStarted {
        /// What that meant.
        class: Class,
    },
    /// The process and all it had started were gone.
    Ended {
        /// The exit code, unless a signal ended it.
        exit_code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// Why it ended.
        cause: EndCause,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// Its standard output.
        stdout: Stream,
        /// Its standard error.
        stderr: Stream,
        /// Processes it left behind, which were ended.
        swept: u32,
        /// Processes it left behind that could not be ended.
        survivors: u32,
        /// What its program wrote about it in a file of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<Turn>,
    },
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// By itself.
    Exited,
    /// Its time was up.
    DeadlinePassed,
    /// It printed nothing for too long.
    Idle,
    /// A person ended the run.
    Cancelled,
    /// It printed too much.
    TooMuchOutput,
}

/// A stream and the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What the file holds.
    pub content: Content,
    /// How many bytes were printed. The file holds fewer where that was more than is kept.
    pub printed: u64,
}

/// What a file of the tape holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// One path that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The path.
    pub path: RepoPath,
    /// What it has become.
    pub became: Becoming,
}

/// What a path has become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Becoming {
    /// Nothing.
    Gone,
    /// A directory.
    Dir {
        /// Its permissions.
        mode: u32,
    },
    /// A file.
    File {
        /// Its permissions.
        mode: u32,
        /// Which file of `change/` holds it.
        file: u32,
        /// What it holds.
        content: Content,
    },
    /// A symbolic link.
    Link {
        /// Which file of `change/` holds where it leads.
        file: u32,
        /// What it holds.
        content: Content,
    },
    /// A named pipe.
    Fifo,
}

impl From<Cause> for EndCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Exited => Self::Exited,
            Cause::DeadlinePassed => Self::DeadlinePassed,
            Cause::Idle => Self::Idle,
            Cause::Cancelled => Self::Cancelled,
            Cause::TooMuchOutput => Self::TooMuchOutput,
        }
    }
}

impl From<EndCause> for Cause {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Exited => Self::Exited,
            EndCause::DeadlinePassed => Self::DeadlinePassed,
            EndCause::Idle => Self::Idle,
            EndCause::Cancelled => Self::Cancelled,
            EndCause::TooMuchOutput => Self::TooMuchOutput,
        }
    }
}

impl Call {
    /// When it began.
    pub(super) fn began(&self) -> At {
        let took = self.end.ended().map_or(0, |ended| ended.duration_ms);
        let took = i64::try_from(took).unwrap_or(i64::MAX);
        At::from_millis(self.at.millis().saturating_sub(took))
    }
}

impl End {
    pub(super) fn of(ended: &Ended, turn: Option<&Turn>, [stdout, stderr]: [Stream; 2]) -> Self {
        let (exit_code, signal) = match ended.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
        };
        Self::Ended {
            exit_code,
            signal,
            cause: ended.cause.into(),
            duration_ms: ended.duration_ms,
            stdout,
            stderr,
            swept: ended.swept,
            survivors: ended.survivors,
            turn: turn.cloned(),
        }
    }

    /// What the program wrote about it in a file of its own.
    pub fn turn(&self) -> Option<&Turn> {
        match self {
            Self::Ended { turn, .. } => turn.as_ref(),
            Self::NotStarted { .. } => None,
        }
    }

    /// The end as it was then; nothing where no process was started.
    pub fn ended(&self) -> Option<Ended> {
        let Self::Ended {
            exit_code,
            signal,
            cause,
            duration_ms,
            stdout,
            stderr,
            swept,
            survivors,
            ..
        } = self
        else {
            return None;
        };
        let is_cut = |stream: &Stream| stream.printed > stream.content.bytes;
        Some(Ended {
            exit: match (exit_code, signal) {
                (Some(code), _) => Exit::Code(*code),
                (None, signal) => Exit::Signal(signal.unwrap_or_default()),
            },
            cause: (*cause).into(),
            duration_ms: *duration_ms,
            stdout_bytes: stdout.printed,
            stderr_bytes: stderr.printed,
            stdout_truncated: is_cut(stdout),
            stderr_truncated: is_cut(stderr),
            swept: *swept,
            survivors: *survivors,
        })
    }
}

impl Page {
    pub(super) fn read(path: &Path) -> Result<Self, TapeError> {
        let bytes = files::read_bounded(path, PAGE_BYTES_MAX)?;
        let bad = |reason: String| TapeError::Page { path: path.to_owned(), reason };
        let page: Self = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        match page.version() {
            VERSION => Ok(page),
            other => Err(bad(format!("version {other} is not known here"))),
        }
    }

    fn version(&self) -> u32 {
        match self {
            Self::Tape(tape) => tape.v,
            Self::Call(call) => call.v,
        }
    }

    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a page is JSON");
        text.push(b'\n');
        text
    }
}
