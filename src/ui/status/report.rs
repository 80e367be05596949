//! The shape of a status: what is printed, and what programs may rely on.

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::at::At;
use crate::engine::event::{EndReason, PauseCause};
use crate::engine::id::{AgentName, RunId, Seq, TaskId};
use crate::ui::accounts::{Budget, Group, Quota, Used};

/// Where a project stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// How many events the log has.
    pub events: u64,
    /// When the last of them was recorded.
    pub last_event_at: Option<At>,
    /// How many tasks are where.
    pub progress: Totals,
    /// What the latest run is doing.
    pub condition: Condition,
    /// The latest run.
    pub run: Option<RunId>,
    /// When it started.
    pub started_at: Option<At>,
    /// Who holds the lock of the state directory.
    pub holder: Option<String>,
    /// The attempt in hand.
    pub now: Option<Now>,
    /// The task that comes next, after the one in hand.
    pub next: Option<TaskLine>,
    /// Tasks that wait for a person.
    pub blocked: Vec<BlockedTask>,
    /// What was decided last about a task or a run.
    pub last_decision: Option<LastDecision>,
    /// What the latest run has used.
    pub used: Used,
    /// The same by agent, what cost most first.
    pub used_by_agent: Vec<Group>,
    /// What all runs have used.
    pub used_in_all: Used,
    /// What the latest command may use, and what it has used of it.
    pub budget: Budget,
    /// How much of their providers' allowances agents had used when they were called last.
    pub quotas: Vec<Quota>,
}

/// How many tasks are where. A task in hand is still to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    /// Done.
    pub done: u64,
    /// Waiting for a person.
    pub blocked: u64,
    /// Neither.
    pub todo: u64,
    /// All of them.
    pub total: u64,
}

/// What the latest run is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Condition {
    /// No run was ever started.
    New,
    /// A process is at work.
    Running,
    /// It waits for a provider.
    Paused {
        /// Why.
        cause: PauseCause,
        /// Whose provider asked for it.
        agent: AgentName,
        /// When it may go on, where the provider says so.
        until: Option<At>,
    },
    /// Its process is gone and it is not over.
    Interrupted,
    /// It is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// What the process exited with.
        exit_code: u8,
        /// When.
        at: At,
    },
}

/// The attempt in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Now {
    /// At which task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// Which attempt at it.
    pub attempt: u32,
    /// What is being done; nothing between two stages.
    pub stage: Option<String>,
    /// By whom.
    pub agent: Option<AgentName>,
    /// Since when.
    pub since: Option<At>,
}

/// A task in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TaskLine {
    /// Its id.
    pub task: TaskId,
    /// Its title.
    pub title: String,
}

/// A task that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlockedTask {
    /// Its id.
    pub task: TaskId,
    /// Its title, where its terms are known.
    pub title: Option<String>,
    /// Why it is blocked.
    pub reason: Option<String>,
    /// Consecutive failures.
    pub fail_count: u32,
    /// The number of its latest attempt over the project's life, which names its evidence; 0:
    /// there was none.
    pub latest_loop: u32,
    /// What a person can do.
    pub remedy: String,
}

/// A decision about a task or a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LastDecision {
    /// Its event.
    pub seq: Seq,
    /// The name of its event.
    pub event: String,
    /// When it was recorded.
    pub at: At,
    /// About which task, if it was about one.
    pub task: Option<TaskId>,
    /// At which attempt.
    pub attempt: Option<u32>,
    /// In words.
    pub text: String,
}
