//! What the engine asks of the world, and which event carries each decision.

use super::charter::Stage;
use super::event::{
    By, CommitStarted, EventKind, GatesJudged, RollbackStarted, RunEnded, RunPaused, StageRetried,
    StageStarted, TaskBlocked, TaskDone, TaskFailed, VerifyStarted,
};
use super::id::{CommitId, Digest, TaskId};
use super::task::{Mark, Status};
use super::verdict::Verdict;

/// One decision. Issued only by [`decide`](super::decide::decide).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Take a snapshot and begin an attempt.
    Select {
        /// At which task.
        task: TaskId,
        /// Which attempt at it.
        attempt: u32,
    },
    /// Call an agent.
    Call(Stage, StageStarted),
    /// Run the verify commands.
    Verify(VerifyStarted),
    /// Write the judgement down.
    Judge(GatesJudged),
    /// Commit the judged tree.
    Commit(CommitStarted),
    /// Ask the repository what a crash left behind.
    Reconcile {
        /// Which task.
        task: TaskId,
        /// Which attempt at it.
        attempt: u32,
    },
    /// Return to the snapshot.
    Rollback(RollbackStarted),
    /// Take a stage again, after a pause.
    Retry(StageRetried),
    /// Keep a proposal for a person.
    Propose {
        /// Which task.
        task: TaskId,
        /// Which attempt at it.
        attempt: u32,
        /// What is proposed.
        verdict: Verdict,
    },
    /// Make a mark.
    Close(Close),
    /// Wait for a provider.
    Pause(RunPaused),
    /// End the run.
    End(RunEnded),
}

/// A mark that the run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it; 0: there was none.
    pub attempt: u32,
    /// Which mark.
    pub mark: Closing,
}

impl Close {
    /// What the backlog shows afterwards.
    pub fn shown(&self) -> Mark {
        let (status, fail_count, reason) = match &self.mark {
            Closing::Done { .. } => (Status::Done, 0, None),
            Closing::Failed { reason, fail_count } => (Status::Todo, *fail_count, Some(reason)),
            Closing::Blocked { reason, fail_count } => (Status::Blocked, *fail_count, Some(reason)),
        };
        Mark { task: self.task.clone(), status, fail_count, reason: reason.cloned() }
    }

    /// The event that records it.
    pub fn event(&self, before: Digest, after: Digest) -> EventKind {
        let (task, attempt, by) = (self.task.clone(), self.attempt, By::Run);
        match self.mark.clone() {
            Closing::Done { commit } => {
                EventKind::TaskDone(TaskDone { task, attempt, by, commit, before, after })
            }
            Closing::Failed { reason, fail_count } => EventKind::TaskFailed(TaskFailed {
                task,
                attempt,
                reason,
                fail_count,
                by,
                before,
                after,
            }),
            Closing::Blocked { reason, fail_count } => EventKind::TaskBlocked(TaskBlocked {
                task,
                attempt,
                reason,
                fail_count,
                by,
                before,
                after,
            }),
        }
    }
}

/// Which mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Done.
    Done {
        /// By this commit, where passes are committed.
        commit: Option<CommitId>,
    },
    /// Failed once more.
    Failed {
        /// Why.
        reason: String,
        /// Consecutive failures, this one included.
        fail_count: u32,
    },
    /// Blocked.
    Blocked {
        /// Why.
        reason: String,
        /// Consecutive failures.
        fail_count: u32,
    },
}

impl Effect {
    /// Whether it may be put off when someone asks to stop: a commit, a rollback or a mark under
    /// way is finished first.
    pub fn is_deferrable(&self) -> bool {
        match self {
            Self::Select { .. }
            | Self::Call(..)
            | Self::Verify(_)
            | Self::Judge(_)
            | Self::Retry(_) => true,
            Self::Commit(_)
            | Self::Reconcile { .. }
            | Self::Rollback(_)
            | Self::Propose { .. }
            | Self::Close(_)
            | Self::Pause(_)
            | Self::End(_) => false,
        }
    }

    /// The decision that an event carries, where it carries one.
    pub fn carried_by(kind: &EventKind) -> Option<Self> {
        let close = |task: &TaskId, attempt: u32, mark: Closing| {
            Some(Self::Close(Close { task: task.clone(), attempt, mark }))
        };
        match kind {
            EventKind::TaskSelected(data) => {
                Some(Self::Select { task: data.task.clone(), attempt: data.attempt })
            }
            EventKind::PlanStarted(data) => Some(Self::Call(Stage::Plan, data.clone())),
            EventKind::PlanCritiqueStarted(data) => {
                Some(Self::Call(Stage::PlanCritique, data.clone()))
            }
            EventKind::ImplementStarted(data) => Some(Self::Call(Stage::Implement, data.clone())),
            EventKind::ImplCritiqueStarted(data) => {
                Some(Self::Call(Stage::ImplCritique, data.clone()))
            }
            EventKind::VerifyStarted(data) => Some(Self::Verify(data.clone())),
            EventKind::GatesJudged(data) => Some(Self::Judge(data.clone())),
            EventKind::CommitStarted(data) => Some(Self::Commit(data.clone())),
            EventKind::Reconciled(data) => {
                Some(Self::Reconcile { task: data.task.clone(), attempt: data.attempt })
            }
            EventKind::RollbackStarted(data) => Some(Self::Rollback(data.clone())),
            EventKind::StageRetried(data) => Some(Self::Retry(data.clone())),
            EventKind::ProposalRecorded(data) => Some(Self::Propose {
                task: data.task.clone(),
                attempt: data.attempt,
                verdict: data.verdict,
            }),
            EventKind::TaskDone(data) if data.by == By::Run => {
                let mark = Closing::Done { commit: data.commit.clone() };
                close(&data.task, data.attempt, mark)
            }
            EventKind::TaskFailed(data) => {
                let (reason, fail_count) = (data.reason.clone(), data.fail_count);
                close(&data.task, data.attempt, Closing::Failed { reason, fail_count })
            }
            EventKind::TaskBlocked(data) if data.by == By::Run => {
                let (reason, fail_count) = (data.reason.clone(), data.fail_count);
                close(&data.task, data.attempt, Closing::Blocked { reason, fail_count })
            }
            EventKind::RunPaused(data) => Some(Self::Pause(data.clone())),
            EventKind::RunEnded(data) => Some(Self::End(data.clone())),
            EventKind::RunStarted(_)
            | EventKind::RunResumed(_)
            | EventKind::BacklogLoaded(_)
            | EventKind::BacklogChanged(_)
            | EventKind::PlanFinished(_)
            | EventKind::PlanCritiqueFinished(_)
            | EventKind::ImplementFinished(_)
            | EventKind::VerifyFinished(_)
            | EventKind::ImplCritiqueFinished(_)
            | EventKind::CommitPrepared(_)
            | EventKind::CommitFinished(_)
            | EventKind::RollbackFinished(_)
            | EventKind::TaskDone(_)
            | EventKind::TaskBlocked(_)
            | EventKind::TaskUnblocked(_)
            | EventKind::TaskReopened(_)
            | EventKind::StopRequested(_)
            | EventKind::LimitLifted(_)
            | EventKind::OracleJudged(_)
            | EventKind::Interrupted(_) => None,
        }
    }
}

/// For people: what is decided, and about what.
impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Select { task, attempt } => write!(f, "select task {task}, attempt {attempt}"),
            Self::Call(stage, data) => {
                let (task, attempt, agent) = (&data.task, data.attempt, &data.agent);
                write!(f, "call {agent} to {} task {task}, attempt {attempt}", stage.name())
            }
            Self::Verify(data) => {
                let commands = data.commands.join("; ");
                write!(f, "verify task {}, attempt {}: {commands}", data.task, data.attempt)
            }
            Self::Judge(data) => {
                write!(f, "judge task {}, attempt {} as ", data.task, data.attempt)?;
                write!(f, "{:?} on tree {}", data.outcome, data.tree)?;
                let mut failed = data.gates.iter().filter(|result| !result.passed);
                failed
                    .try_for_each(|result| write!(f, ", {}: {}", result.gate.name(), result.reason))
            }
            Self::Commit(data) => {
                write!(f, "commit tree {} on {} for task {}", data.tree, data.base, data.task)
            }
            Self::Reconcile { task, attempt } => {
                write!(f, "reconcile task {task}, attempt {attempt}")
            }
            Self::Rollback(data) => {
                write!(f, "roll task {} back to {} ({:?})", data.task, data.to, data.cause)
            }
            Self::Retry(data) => {
                let StageRetried { task, attempt, stage, agent, wait_s, .. } = data;
                let stage = stage.name();
                write!(f, "take {stage} of task {task}, attempt {attempt} again: {agent}, ")?;
                write!(f, "{wait_s} s later")
            }
            Self::Propose { task, verdict, .. } => {
                write!(f, "keep the proposal {} for task {task}", verdict.word())
            }
            Self::Close(close) => {
                write!(f, "mark task {}, attempt {}: {:?}", close.task, close.attempt, close.mark)
            }
            Self::Pause(data) => write!(f, "pause for {} ({:?})", data.agent, data.cause),
            Self::End(data) => write!(f, "end the run: {:?}", data.reason),
        }
    }
}
