//! What the log adds up to.

use std::collections::BTreeMap;

use super::attempt::{Attempt, Step};
use super::charter::Charter;
use super::event::{EndReason, Interrupted, Interruption, RunPaused};
use super::id::{AgentName, CommitId, Digest, RunId, Seq, TaskId, TreeId};
use super::recovery::Limit;
use super::report::QuotaWindow;
use super::task::{Mark, Status, Task};

/// Everything the log says so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(super) last: Seq,
    pub(super) attempts: u32,
    /// The tasks as the latest charter has them.
    pub(super) tasks: Vec<Task>,
    pub(super) progress: BTreeMap<TaskId, Progress>,
    pub(super) backlog: Option<BacklogDigest>,
    pub(super) kept: Option<Kept>,
    pub(super) quotas: BTreeMap<AgentName, Vec<QuotaWindow>>,
    pub(super) mode: Mode,
}

/// A candidate that passed and was left uncommitted: the next attempt stands on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The commit under HEAD. Once HEAD is elsewhere, a person has taken over.
    pub base: CommitId,
    /// The candidate.
    pub tree: TreeId,
}

/// What the log says the backlog's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacklogDigest {
    /// Before the last mark.
    pub before: Digest,
    /// With the last mark.
    pub after: Digest,
    /// Whose mark that is.
    pub task: Option<TaskId>,
}

/// Where a task stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Done, blocked or neither.
    pub status: Status,
    /// Consecutive failures.
    pub fail_count: u32,
    /// Attempts so far, over all runs.
    pub attempts: u32,
    /// The commit that did it.
    pub commit: Option<CommitId>,
    /// Why it is blocked, or why it failed last.
    pub reason: Option<String>,
    /// The number of the latest attempt over the project's life: the name of its evidence.
    pub latest_loop: u32,
    /// The same of the latest attempt that counted as a failure; 0: there was none.
    pub failed_loop: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// No run is open.
    #[default]
    Idle,
    Running(Box<Run>),
    Paused(Box<Run>, RunPaused),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) charter: Charter,
    /// Attempts under this charter.
    pub(super) attempts: u32,
    pub(super) spent: Spent,
    pub(super) attempt: Option<Attempt>,
    /// The event that started the effect which has not been answered yet.
    pub(super) in_flight: Option<Seq>,
    pub(super) stop: Option<Stop>,
    /// Whom nobody asks for anything, as far as the terms want to know.
    pub(super) limits: BTreeMap<AgentName, Limit>,
    /// Whether a pause has cut an attempt short.
    pub(super) has_cut_short: bool,
}

/// What a run has used under its charter, and before it where that counts.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Tokens read and written.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub cost_micros: i64,
    /// Milliseconds in stages.
    pub duration_ms: u64,
}

/// What ends a run once the attempt in hand is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    End(EndReason),
    Pause(RunPaused),
}

/// What the crash-recovery transaction has to remember: a projection of the state, and nothing
/// while no attempt is open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Transaction {
    /// Whose attempt.
    pub run: RunId,
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit it starts from.
    pub base: CommitId,
    /// What a rollback returns to.
    pub snapshot: CommitId,
    /// The commit the branch is about to point at.
    pub prepared: Option<CommitId>,
}

impl State {
    /// The position the next event must have.
    pub fn next(&self) -> Seq {
        self.last.next()
    }

    /// Where each task stands that the log knows.
    pub fn progress(&self) -> &BTreeMap<TaskId, Progress> {
        &self.progress
    }

    /// What the log says the backlog's bytes are.
    pub fn backlog(&self) -> Option<&BacklogDigest> {
        self.backlog.as_ref()
    }

    /// The candidate that passed and was left uncommitted.
    pub fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// The tasks as the latest charter has them.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Attempts over the project's life.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn run(&self) -> Option<&Run> {
        match &self.mode {
            Mode::Idle => None,
            Mode::Running(run) | Mode::Paused(run, _) => Some(run),
        }
    }

    /// The run that has not ended.
    pub fn run_id(&self) -> Option<&RunId> {
        self.run().map(|run| &run.id)
    }

    /// The terms of the run that has not ended.
    pub fn charter(&self) -> Option<&Charter> {
        self.run().map(|run| &run.charter)
    }

    /// What counts against the limits of the run.
    pub fn spent(&self) -> Spent {
        self.run().map(|run| run.spent).unwrap_or_default()
    }

    /// Attempts under the open run's charter that were not cut short by a pause.
    pub fn iterations(&self) -> u32 {
        let is_paused = self.paused().is_some();
        let cut_short = |run: &Run| u32::from(is_paused && run.has_cut_short);
        self.run().map_or(0, |run| run.attempts.saturating_sub(cut_short(run)))
    }

    /// The attempt in hand.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.run().and_then(|run| run.attempt.as_ref())
    }

    /// Why the run waits, if it does.
    pub fn paused(&self) -> Option<&RunPaused> {
        match &self.mode {
            Mode::Paused(_, paused) => Some(paused),
            Mode::Idle | Mode::Running(_) => None,
        }
    }

    /// Whom the open run asks for nothing, and until when.
    pub fn limits(&self) -> impl Iterator<Item = (&AgentName, &Limit)> {
        self.run().into_iter().flat_map(|run| &run.limits)
    }

    /// How much of each agent's allowances was used when it last said so, over all runs.
    pub fn quotas(&self) -> &BTreeMap<AgentName, Vec<QuotaWindow>> {
        &self.quotas
    }

    /// Whether an attempt is open that a dead process left behind.
    pub fn is_settled(&self) -> bool {
        self.attempt().is_none()
    }

    /// What has to be recorded when the attempt in hand is cut short.
    pub fn interruption(&self, cause: Interruption) -> Interrupted {
        let attempt = self.attempt();
        Interrupted {
            task: attempt.map(|attempt| attempt.task.id.clone()),
            attempt: attempt.map(|attempt| attempt.number),
            effect: self.run().and_then(|run| run.in_flight),
            cause,
        }
    }

    /// What the crash-recovery transaction has to remember.
    pub fn transaction(&self) -> Option<Transaction> {
        let attempt = self.attempt()?;
        let prepared = match &attempt.step {
            Step::Commit { prepared, .. } | Step::Reconcile { prepared } => prepared.as_ref(),
            Step::Plan
            | Step::PlanCritique { .. }
            | Step::Implement(_)
            | Step::Verify(..)
            | Step::ImplCritique(..)
            | Step::Judge(..)
            | Step::Undo { .. }
            | Step::Retry { .. }
            | Step::Propose { .. }
            | Step::Close(_) => None,
        };
        Some(Transaction {
            run: self.run_id()?.clone(),
            task: attempt.task.id.clone(),
            attempt: attempt.number,
            base: attempt.base.clone(),
            snapshot: attempt.snapshot.clone(),
            prepared: prepared.map(|prepared| prepared.commit.clone()),
        })
    }

    /// The marks the backlog should carry for the tasks of the open run.
    pub fn marks(&self) -> Vec<Mark> {
        self.progress.iter().map(|(task, progress)| progress.mark(task)).collect()
    }
}

impl Progress {
    /// The marks that show it.
    pub fn mark(&self, task: &TaskId) -> Mark {
        Mark {
            task: task.clone(),
            status: self.status,
            fail_count: self.fail_count,
            reason: self.reason.clone(),
        }
    }
}

impl Run {
    pub(super) fn progress_of<'state>(
        &self,
        progress: &'state BTreeMap<TaskId, Progress>,
        task: &TaskId,
    ) -> Option<&'state Progress> {
        self.charter.tasks.iter().any(|known| known.id == *task).then(|| progress.get(task))?
    }
}
