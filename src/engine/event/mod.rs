//! The log's vocabulary: what can happen, in the past tense.

mod attempt;
mod run;
mod settle;

pub use attempt::{
    AgentEnd, BaseRun, CommandResult, GateResult, GatesJudged, ImplCritiqueFinished,
    ImplementFinished, JudgedAs, PlanCritiqueFinished, PlanFinished, SecretFinding, StageRetried,
    StageStarted, TaskSelected, VerifyFinished, VerifyStarted,
};
pub use run::{
    BacklogChanged, BacklogLoaded, By, EndReason, Interrupted, Interruption, LimitLifted,
    OracleJudged, PauseCause, RunEnded, RunPaused, ScenarioKind, StopRequested,
};
pub use settle::{
    CommitFinished, CommitPrepared, CommitStarted, Person, ProposalRecorded, Reconciled,
    RollbackCause, RollbackFinished, RollbackStarted, TaskBlocked, TaskDone, TaskFailed,
    TaskReopened, TaskUnblocked,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::at::At;
use super::charter::{Charter, Stage};
use super::id::{RunId, Seq, TaskId};

/// The line format this build writes, and the newest it reads.
///
/// 1: the first.
pub const FORMAT: u16 = 1;

/// One line of the log, without its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Format of the line.
    pub v: u16,
    /// Position in the log.
    pub seq: Seq,
    /// When it was recorded. Shown, never decided on.
    pub at: At,
    /// The run it belongs to; a command outside a run has its own.
    pub run: RunId,
    /// What happened.
    pub kind: EventKind,
}

/// Declares the closed set of events together with their public names.
macro_rules! vocabulary {
    ($($(#[$doc:meta])* $name:ident($data:ty) = $text:literal,)+) => {
        /// What happened.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "event", content = "data")]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $text)] $name($data),)+
        }

        impl EventKind {
            /// Every public name, in the order of declaration.
            pub const NAMES: &[&str] = &[$($text),+];

            /// The public name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $text,)+
                }
            }

            /// Reads the data of the event with this name. `None`: no event has it.
            pub(super) fn read(name: &str, data: &RawValue) -> Option<serde_json::Result<Self>> {
                Some(match name {
                    $($text => serde_json::from_str(data.get()).map(Self::$name),)+
                    _ => return None,
                })
            }

            /// The data alone, as JSON.
            pub(super) fn write_data(&self) -> serde_json::Result<String> {
                match self {
                    $(Self::$name(data) => serde_json::to_string(data),)+
                }
            }
        }
    };
}

vocabulary! {
    /// A run began under these terms.
    RunStarted(Charter) = "run_started",
    /// A run that had not ended goes on, under new terms.
    RunResumed(Charter) = "run_resumed",
    /// A run waits for a provider.
    RunPaused(RunPaused) = "run_paused",
    /// A run is over.
    RunEnded(RunEnded) = "run_ended",
    /// The backlog was read, with these marks.
    BacklogLoaded(BacklogLoaded) = "backlog_loaded",
    /// The backlog's terms are not what they were.
    BacklogChanged(BacklogChanged) = "backlog_changed",
    /// An attempt at a task began.
    TaskSelected(TaskSelected) = "task_selected",
    /// The planner was called.
    PlanStarted(StageStarted) = "plan_started",
    /// The planner ended.
    PlanFinished(PlanFinished) = "plan_finished",
    /// The plan's critic was called.
    PlanCritiqueStarted(StageStarted) = "plan_critique_started",
    /// The plan's critic ended.
    PlanCritiqueFinished(PlanCritiqueFinished) = "plan_critique_finished",
    /// The implementer was called.
    ImplementStarted(StageStarted) = "implement_started",
    /// The implementer ended, and its change was frozen.
    ImplementFinished(ImplementFinished) = "implement_finished",
    /// The verify commands began.
    VerifyStarted(VerifyStarted) = "verify_started",
    /// The verify commands ended.
    VerifyFinished(VerifyFinished) = "verify_finished",
    /// The change's critic was called.
    ImplCritiqueStarted(StageStarted) = "impl_critique_started",
    /// The change's critic ended.
    ImplCritiqueFinished(ImplCritiqueFinished) = "impl_critique_finished",
    /// A stage is taken again, by the same agent or by the next one.
    StageRetried(StageRetried) = "stage_retried",
    /// The gates decided.
    GatesJudged(GatesJudged) = "gates_judged",
    /// A commit of the judged tree was decided.
    CommitStarted(CommitStarted) = "commit_started",
    /// The commit exists and no branch points at it yet.
    CommitPrepared(CommitPrepared) = "commit_prepared",
    /// The branch points at the commit.
    CommitFinished(CommitFinished) = "commit_finished",
    /// A return to the snapshot was decided.
    RollbackStarted(RollbackStarted) = "rollback_started",
    /// The work tree equals the snapshot.
    RollbackFinished(RollbackFinished) = "rollback_finished",
    /// What a crash left behind was looked at.
    Reconciled(Reconciled) = "reconciled",
    /// A critic's wish for another backlog was kept for a person.
    ProposalRecorded(ProposalRecorded) = "proposal_recorded",
    /// A task is done.
    TaskDone(TaskDone) = "task_done",
    /// An attempt failed and counts.
    TaskFailed(TaskFailed) = "task_failed",
    /// A task was set aside until a person decides.
    TaskBlocked(TaskBlocked) = "task_blocked",
    /// A person took a block back.
    TaskUnblocked(TaskUnblocked) = "task_unblocked",
    /// A person says that a done task is not done.
    TaskReopened(TaskReopened) = "task_reopened",
    /// Someone asked the run to end after the attempt in hand.
    StopRequested(StopRequested) = "stop_requested",
    /// An attempt was cut short, by a signal or by the death of the process.
    Interrupted(Interrupted) = "interrupted",
    /// The time had passed for which an agent was limited.
    LimitLifted(LimitLifted) = "limit_lifted",
    /// A benchmark's oracle, which nothing in a run can see, looked at what became of a task.
    OracleJudged(OracleJudged) = "oracle_judged",
}

impl EventKind {
    /// The task it is about, and which attempt at it.
    pub fn about(&self) -> Option<(&TaskId, u32)> {
        macro_rules! about {
            ($data:expr) => {
                Some((&$data.task, $data.attempt))
            };
        }
        match self {
            Self::RunStarted(_)
            | Self::RunResumed(_)
            | Self::RunPaused(_)
            | Self::RunEnded(_)
            | Self::BacklogLoaded(_)
            | Self::BacklogChanged(_)
            | Self::StopRequested(_)
            | Self::LimitLifted(_)
            | Self::OracleJudged(_) => None,
            Self::Interrupted(data) => Some((data.task.as_ref()?, data.attempt?)),
            Self::PlanStarted(data)
            | Self::PlanCritiqueStarted(data)
            | Self::ImplementStarted(data)
            | Self::ImplCritiqueStarted(data) => about!(data),
            Self::TaskSelected(data) => about!(data),
            Self::PlanFinished(data) => about!(data),
            Self::PlanCritiqueFinished(data) => about!(data),
            Self::ImplementFinished(data) => about!(data),
            Self::VerifyStarted(data) => about!(data),
            Self::VerifyFinished(data) => about!(data),
            Self::ImplCritiqueFinished(data) => about!(data),
            Self::StageRetried(data) => about!(data),
            Self::GatesJudged(data) => about!(data),
            Self::CommitStarted(data) => about!(data),
            Self::CommitPrepared(data) => about!(data),
            Self::CommitFinished(data) => about!(data),
            Self::RollbackStarted(data) => about!(data),
            Self::RollbackFinished(data) => about!(data),
            Self::Reconciled(data) => about!(data),
            Self::ProposalRecorded(data) => about!(data),
            Self::TaskDone(data) => about!(data),
            Self::TaskFailed(data) => about!(data),
            Self::TaskBlocked(data) => about!(data),
            Self::TaskUnblocked(data) => about!(data),
            Self::TaskReopened(data) => about!(data),
        }
    }

    /// What it says about the end of an agent's call.
    pub fn agent_end(&self) -> Option<AgentEnd<'_>> {
        macro_rules! end {
            ($stage:ident, $data:expr) => {
                Some(AgentEnd {
                    stage: Stage::$stage,
                    agent: &$data.agent,
                    class: $data.class,
                    until: $data.until,
                    state_changes: &$data.state_changes,
                    quota: &$data.quota,
                })
            };
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "four of many are such an end")]
        match self {
            Self::PlanFinished(data) => end!(Plan, data),
            Self::PlanCritiqueFinished(data) => end!(PlanCritique, data),
            Self::ImplementFinished(data) => end!(Implement, data),
            Self::ImplCritiqueFinished(data) => end!(ImplCritique, data),
            _ => None,
        }
    }
}
