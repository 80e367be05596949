//! What the log adds up to.

use std::collections::BTreeMap;

use super::charter::Charter;
use super::event::{
    CommandResult, CommitPrepared, EndReason, ImplementFinished, Interrupted, Interruption,
    RollbackCause, RunPaused,
};
use super::gate::Passed;
use super::id::{CommitId, Digest, ObjectId, RunId, Seq, TaskId, TreeId};
use super::task::{Mark, Status, Task};
use super::verdict::Verdict;

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
}

/// What a run has used under its charter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// One attempt at one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The task's terms.
    pub task: Task,
    /// Which attempt at it, from one.
    pub number: u32,
    /// Which attempt over the project's life: the name of its evidence.
    pub loop_number: u32,
    /// The commit it starts from.
    pub base: CommitId,
    /// What a rollback returns to.
    pub snapshot: CommitId,
    /// Where it stands.
    pub step: Step,
}

/// Where an attempt stands. Each variant carries what its successors need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The planner is due.
    Plan,
    /// The plan's critic is due.
    PlanCritique {
        /// The plan.
        plan: ObjectId,
    },
    /// The implementer is due.
    Implement(Planned),
    /// The verify commands are due.
    Verify(Planned, Box<ImplementFinished>),
    /// The change's critic is due.
    ImplCritique(Planned, Box<ImplementFinished>, Option<Verified>),
    /// The gates are due.
    Judge(Box<ImplementFinished>, Option<Verified>, Option<Critique>),
    /// The commit is due.
    Commit {
        /// What passed.
        passed: Passed,
        /// The event that says so.
        judged: Seq,
        /// The commit, once it exists.
        prepared: Option<Box<CommitPrepared>>,
    },
    /// A crash cut the commit short: the repository has to be asked.
    Reconcile {
        /// The commit, if it existed.
        prepared: Option<Box<CommitPrepared>>,
    },
    /// The work tree has to return to the snapshot.
    Undo {
        /// Why.
        cause: RollbackCause,
        /// What follows.
        after: After,
    },
    /// A proposal has to be kept.
    Propose {
        /// What the critic wants.
        verdict: Verdict,
        /// Its answer.
        critique: Option<ObjectId>,
        /// Why, in one line.
        reason: String,
    },
    /// A mark has to be made.
    Close(Ending),
}

/// What planning left for the implementer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The plan, where the profile has one.
    pub plan: Option<ObjectId>,
    /// What its critic said.
    pub critique: Option<ObjectId>,
}

/// What verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether every command passed.
    pub passed: bool,
    /// Each run of each command.
    pub commands: Vec<CommandResult>,
    /// What the commands changed in the state directory.
    pub state_changes: Vec<String>,
}

/// What the change's critic said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Critique {
    /// Its ruling.
    pub verdict: Option<Verdict>,
    /// Its reason in one line.
    pub note: Option<String>,
    /// Its answer.
    pub message: Option<ObjectId>,
    /// What it changed in the state directory.
    pub state_changes: Vec<String>,
}

/// What follows a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The failure counts.
    Fail {
        /// Why, in one line.
        reason: String,
    },
    /// A person is needed.
    Block {
        /// Why, in one line.
        reason: String,
    },
    /// A person is asked to change the backlog.
    Propose {
        /// What the critic wants.
        verdict: Verdict,
        /// Its answer.
        critique: Option<ObjectId>,
        /// Why, in one line.
        reason: String,
    },
    /// Nothing counts.
    Nothing,
    /// Nothing counts, and the run waits.
    Pause(RunPaused),
    /// Nothing counts, and the run ends.
    End(EndReason),
}

/// How an attempt ends for its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is done.
    Done {
        /// By this commit, where passes are committed.
        commit: Option<CommitId>,
    },
    /// It failed and counts.
    Failed {
        /// Why, in one line.
        reason: String,
    },
    /// It waits for a person.
    Blocked {
        /// Why, in one line.
        reason: String,
    },
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

    /// What the run has used under its charter.
    pub fn spent(&self) -> Spent {
        self.run().map(|run| run.spent).unwrap_or_default()
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
