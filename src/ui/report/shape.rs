//! The shape of a report: what is printed, and what programs may rely on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::at::At;
use crate::engine::charter::{GateId, SandboxLevel};
use crate::engine::event::{EndReason, PauseCause, ScenarioKind};
use crate::engine::id::{AgentName, CommitId, ObjectId, RunId, Seq, TaskId};
use crate::engine::verdict::Verdict;
use crate::ui::accounts::{Quota, Spending, Used};
use crate::ui::status::Totals;

/// What became of everything, and what it took. The same log gives the same report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// The run it is about; null: the whole log.
    pub run: Option<RunId>,
    /// How many events it rests on.
    pub events: u64,
    /// The last of them.
    pub last_seq: Seq,
    /// When the first was recorded.
    pub first_at: Option<At>,
    /// When the last was recorded.
    pub last_at: Option<At>,
    /// How many tasks are where.
    pub progress: Totals,
    /// Attempts at tasks.
    pub attempts: u64,
    /// Every task, in the order of the backlog.
    pub tasks: Vec<TaskReport>,
    /// Gates that were switched off in some run.
    pub gates_off: Vec<GateId>,
    /// How well runs were contained; runs of older versions do not say.
    pub sandbox: Vec<SandboxLevel>,
    /// Who was called.
    pub agents: Vec<AgentReport>,
    /// Runs, the latest ones.
    pub runs: Latest<RunReport>,
    /// Times of waiting for a provider, the latest ones.
    pub pauses: Latest<Pause>,
    /// Milliseconds from a pause to what followed it, by the clock of the machine.
    pub waited_ms: u64,
    /// What was used, and for what.
    pub spending: Spending,
    /// How much of their providers' allowances agents had used when they were called last.
    pub quotas: Vec<Quota>,
    /// What critics proposed, the latest ones.
    pub proposals: Latest<Proposal>,
    /// What benchmarks' oracles found, the latest ones.
    pub oracles: Latest<Oracle>,
}

/// The latest of many, and how many more there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Latest<T> {
    /// In order.
    pub latest: Vec<T>,
    /// How many came before those.
    pub left_out: u64,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Done,
    /// Waiting for a person.
    Blocked,
    /// An attempt is open.
    InHand,
    /// Neither.
    Todo,
}

impl Outcome {
    /// For people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Blocked => "blocked",
            Self::InHand => "in hand",
            Self::Todo => "to do",
        }
    }
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TaskReport {
    /// Its id.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub outcome: Outcome,
    /// The commit that did it.
    pub commit: Option<CommitId>,
    /// Why it is blocked, or why it failed last.
    pub reason: Option<String>,
    /// What a person can do about a block.
    pub remedy: Option<String>,
    /// The number of its latest attempt over the project's life, which names its evidence; 0: there
    /// was none.
    pub latest_loop: u32,
    /// Attempts.
    pub attempts: u64,
    /// Consecutive failures.
    pub fail_count: u32,
    /// Gates that said no.
    pub gates: Vec<GateReport>,
    /// What was used for it.
    pub used: Used,
}

/// A gate that said no to attempts at a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GateReport {
    /// Which.
    pub gate: GateId,
    /// How often.
    pub times: u64,
    /// What it said last.
    pub reason: String,
}

/// Somebody who was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AgentReport {
    /// Its name in the configuration.
    pub agent: AgentName,
    /// The stages it was called for.
    pub stages: Vec<String>,
    /// The models it named or was asked for, by how often.
    pub models: BTreeMap<String, u64>,
    /// How its calls ended, by how often.
    pub ends: BTreeMap<String, u64>,
    /// What it used.
    pub used: Used,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunReport {
    /// Its id.
    pub run: RunId,
    /// When it started.
    pub started_at: At,
    /// How often it was resumed.
    pub resumed: u64,
    /// When it ended; null: it has not.
    pub ended_at: Option<At>,
    /// Why it ended.
    pub reason: Option<EndReason>,
    /// What its process exited with.
    pub exit_code: Option<u8>,
    /// Attempts in it.
    pub attempts: u64,
    /// Gates that were switched off.
    pub gates_off: Vec<GateId>,
    /// How well it was contained.
    pub sandbox: Option<SandboxLevel>,
    /// What it used.
    pub used: Used,
}

/// A time of waiting for a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pause {
    /// In which run.
    pub run: RunId,
    /// Since when.
    pub at: At,
    /// Why.
    pub cause: PauseCause,
    /// Whose provider asked for it.
    pub agent: AgentName,
    /// Until when, as the provider said.
    pub until: Option<At>,
    /// How long it was until the run went on or ended, in milliseconds; null: it has not.
    pub waited_ms: Option<u64>,
}

/// A critic's wish for another backlog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Proposal {
    /// At which task.
    pub task: TaskId,
    /// At which attempt.
    pub attempt: u32,
    /// What is proposed.
    pub verdict: Verdict,
    /// The proposal.
    pub proposal: ObjectId,
}

/// What a benchmark's oracle found, which nothing in a run can see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Oracle {
    /// The scenario.
    pub scenario: String,
    /// What its agents do.
    pub kind: ScenarioKind,
    /// The task in question.
    pub task: TaskId,
    /// Whether it was committed.
    pub committed: bool,
    /// Whether what is there is what was asked for.
    pub good: bool,
    /// What the oracle says.
    pub reason: String,
}
