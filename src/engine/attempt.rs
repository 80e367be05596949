//! One attempt at one task, step by step.

use std::collections::BTreeSet;

use super::event::{
    BaseRun, CommandResult, CommitPrepared, EndReason, ImplementFinished, RollbackCause, RunPaused,
    StageRetried,
};
use super::gate::Passed;
use super::id::{AgentName, CommitId, ObjectId, Seq};
use super::task::Task;
use super::verdict::Verdict;

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
    /// Who takes no part in it, because an allowance was nearly used up when it began.
    pub barred: BTreeSet<AgentName>,
    /// What was tried in vain for the stage in hand.
    pub retries: Retries,
}

/// What was tried in vain for the stage in hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// How often it was taken again.
    pub count: u32,
    /// How often of that because the provider of the agent in hand had no capacity.
    pub overloaded: u32,
    /// How often of that because nothing was said.
    pub empty: u32,
    /// Who takes it now, once it was taken again.
    pub agent: Option<AgentName>,
    /// Who could not be had for it.
    pub gave_up: BTreeSet<AgentName>,
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
        /// Who made it.
        by: AgentName,
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
    /// A stage has to be taken again.
    Retry {
        /// The step in which it is due.
        stage: Box<Step>,
        /// By whom, why and when.
        retried: StageRetried,
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
    /// What they do without the change, where the policy wants to know.
    pub base: Option<BaseRun>,
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
    /// The stage is taken again.
    Again {
        /// The step in which it is due.
        stage: Box<Step>,
        /// By whom, why and when.
        retried: StageRetried,
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
