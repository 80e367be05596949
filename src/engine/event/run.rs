//! Events about a run as a whole and about the backlog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::at::At;
use crate::engine::change::FieldChange;
use crate::engine::id::{AgentName, Digest, Seq, TaskId, TreeId};
use crate::engine::task::Mark;

/// Data of `run_paused`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunPaused {
    /// Why.
    pub cause: PauseCause,
    /// Whose provider asked for it.
    pub agent: AgentName,
    /// When it may go on, where the provider says so.
    pub until: Option<At>,
}

/// Why a run pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    /// The provider asked us to wait.
    RateLimit,
    /// The provider has no capacity.
    Overloaded,
    /// So much of an allowance is used that the policy stops before it is used up.
    Quota,
}

/// Data of `limit_lifted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitLifted {
    /// Whose limit was over.
    pub agent: AgentName,
}

/// Data of `run_ended`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunEnded {
    /// Why.
    pub reason: EndReason,
    /// What the process exits with.
    pub exit_code: u8,
}

/// Why a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Every task is done.
    Done,
    /// The iterations are used up and tasks remain.
    Iterations,
    /// Someone asked it to stop.
    Stopped,
    /// Tasks remain and none can run: a person is needed.
    NothingRunnable,
    /// The budget is spent.
    Budget,
    /// An agent cannot work at all: no login, no credit, no such model.
    AgentUnusable,
    /// A signal.
    Interrupted,
}

impl EndReason {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done | Self::Iterations | Self::Stopped => 0,
            Self::NothingRunnable => 1,
            Self::Budget => 5,
            Self::AgentUnusable => 6,
            Self::Interrupted => 130,
        }
    }
}

/// Data of `backlog_loaded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BacklogLoaded {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The marks of every task in it.
    pub marks: Vec<Mark>,
}

/// Data of `backlog_changed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BacklogChanged {
    /// Who changed it.
    pub by: By,
    /// SHA-256 before.
    pub before: Digest,
    /// SHA-256 after.
    pub after: Digest,
    /// What is different.
    pub changes: Vec<FieldChange>,
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The loop.
    Run,
    /// A person.
    Person,
    /// An agent; what it did was put back.
    Agent,
}

/// Data of `stop_requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRequested {
    /// Who asked.
    pub by: By,
}

/// Data of `interrupted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// The task in hand.
    pub task: Option<TaskId>,
    /// Which attempt at it.
    pub attempt: Option<u32>,
    /// The event that started what was cut short.
    pub effect: Option<Seq>,
    /// What cut it short.
    pub cause: Interruption,
}

/// What cuts an attempt short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// The process died; noticed by the next one.
    Crash,
    /// A signal, or `stop --now`.
    Signal,
}

/// Data of `oracle_judged`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleJudged {
    /// The scenario.
    pub scenario: String,
    /// What the scenario's agents do.
    pub kind: ScenarioKind,
    /// The task in question.
    pub task: TaskId,
    /// The tree that was looked at: the last candidate, where there was one.
    pub tree: Option<TreeId>,
    /// Whether what is there is what was asked for.
    pub good: bool,
    /// What the oracle says, in one line.
    pub reason: String,
}

/// What the agents of a scenario do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioKind {
    /// Something that must not be committed.
    Bad,
    /// Something that must be committed.
    Good,
}

impl ScenarioKind {
    /// The name in the log and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Good => "good",
        }
    }
}
