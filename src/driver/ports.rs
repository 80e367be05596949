//! What the loop needs from outside: a world, a log, a clock, somebody who watches.

use crate::engine::at::At;
use crate::engine::attempt::Attempt;
use crate::engine::charter::Charter;
use crate::engine::effect::Effect;
use crate::engine::event::{
    CommitFinished, CommitPrepared, CommitStarted, Event, ImplCritiqueFinished, ImplementFinished,
    PlanCritiqueFinished, PlanFinished, ProposalRecorded, Reconciled, RollbackFinished,
    RollbackStarted, StageStarted, VerifyFinished, VerifyStarted,
};
use crate::engine::id::{CommitId, Digest, ObjectId, RunId};
use crate::engine::line::Proof;
use crate::engine::state::{Kept, Progress, State, Transaction};
use crate::engine::task::{Mark, Task};
use crate::engine::verdict::Verdict;

/// What the world has to know to carry out an effect.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'state> {
    /// The run.
    pub run: &'state RunId,
    /// Its terms.
    pub charter: &'state Charter,
    /// The attempt in hand.
    pub attempt: &'state Attempt,
    /// How the task fared before.
    pub progress: &'state Progress,
}

/// What the world has to know to begin an attempt.
#[derive(Clone, Copy, Debug)]
pub struct AskSelect<'state> {
    /// The run.
    pub run: &'state RunId,
    /// Its terms.
    pub charter: &'state Charter,
    /// The task.
    pub task: &'state Task,
    /// Which attempt at it.
    pub attempt: u32,
    /// Which attempt over the project's life.
    pub loop_number: u32,
    /// An earlier pass that was left uncommitted.
    pub kept: Option<&'state Kept>,
}

/// The world, as the engine may ask it. One method per effect, so an answer of the wrong shape
/// does not compile.
///
/// Expected failure is a fact about the task: it is part of an answer, and it is recorded. An
/// error means that the world itself is broken: nothing is recorded, and the next process recovers
/// exactly as it would from a crash.
pub trait World {
    /// What breaks.
    type Error: std::error::Error;

    /// Takes a snapshot. Changes nothing that a person can see.
    fn select(&mut self, ask: AskSelect<'_>) -> Result<Snapshot, Self::Error>;
    /// Calls the planner.
    fn plan(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> impl Future<Output = Result<Reply<PlanFinished>, Self::Error>>;
    /// Calls the plan's critic.
    fn plan_critique(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> impl Future<Output = Result<Reply<PlanCritiqueFinished>, Self::Error>>;
    /// Calls the implementer and freezes what it leaves.
    fn implement(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> impl Future<Output = Result<Reply<ImplementFinished>, Self::Error>>;
    /// Runs the verify commands.
    fn verify(
        &mut self,
        ask: Ask<'_>,
        call: &VerifyStarted,
    ) -> impl Future<Output = Result<Reply<VerifyFinished>, Self::Error>>;
    /// Calls the change's critic.
    fn impl_critique(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> impl Future<Output = Result<Reply<ImplCritiqueFinished>, Self::Error>>;
    /// Writes the commit without moving a branch.
    fn prepare_commit(
        &mut self,
        ask: Ask<'_>,
        commit: &CommitStarted,
        message: &str,
    ) -> Result<CommitPrepared, Self::Error>;
    /// Moves the branch to the prepared commit.
    fn publish(
        &mut self,
        ask: Ask<'_>,
        prepared: &CommitPrepared,
    ) -> Result<CommitFinished, Self::Error>;
    /// Brings the work tree back to the snapshot.
    fn rollback(
        &mut self,
        ask: Ask<'_>,
        rollback: &RollbackStarted,
    ) -> Result<RollbackFinished, Self::Error>;
    /// Looks at what a crash left behind of a commit.
    fn reconcile(
        &mut self,
        ask: Ask<'_>,
        prepared: Option<&CommitPrepared>,
    ) -> Result<Reconciled, Self::Error>;
    /// Keeps a proposal.
    fn propose(
        &mut self,
        ask: Ask<'_>,
        verdict: Verdict,
        critique: Option<&ObjectId>,
    ) -> Result<ProposalRecorded, Self::Error>;
    /// The backlog's digests without and with a mark. Writes nothing.
    fn weigh_mark(&mut self, mark: &Mark) -> Result<(Digest, Digest), Self::Error>;
    /// Writes the mark. Called once it is in the log.
    fn write_mark(&mut self, mark: &Mark) -> Result<(), Self::Error>;
    /// Keeps the crash-recovery transaction, or forgets it. Called once the log says the same.
    fn remember(&mut self, open: Option<&Transaction>) -> Result<(), Self::Error>;
    /// Waits so many seconds, or until somebody asks for something: that is returned.
    fn wait(&mut self, seconds: u32) -> impl Future<Output = Result<Option<Request>, Self::Error>>;
    /// The moment at which limits are looked at before an attempt is begun, or before a pause.
    /// Whoever tells again what was recorded is where the telling is.
    fn moment(&self, now: At, _next: &Effect) -> At {
        now
    }
    /// What somebody asked for since the last call.
    fn request(&mut self) -> Option<Request>;
}

/// What a rollback returns to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit the attempt starts from.
    pub base: CommitId,
    /// The snapshot.
    pub id: CommitId,
}

/// An answer, unless a signal cut it short. Whatever was started is gone either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<T> {
    /// The answer.
    Got(T),
    /// There is none.
    Interrupted,
}

/// What somebody asks of a run from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// End after the attempt in hand.
    Stop,
    /// End now.
    Interrupt,
}

/// An append-only log.
pub trait Log {
    /// What breaks.
    type Error: std::error::Error;

    /// Appends one event. It may still be lost until [`sync`](Self::sync) returns.
    fn append(&mut self, event: &Event) -> Result<Proof, Self::Error>;
    /// Makes everything appended so far durable.
    fn sync(&mut self) -> Result<(), Self::Error>;
}

/// The one source of time.
pub trait Clock {
    /// Now.
    fn now(&self) -> At;
}

/// Somebody who is told what happened, once it is durable.
pub trait Watch {
    /// Something happened; this is the state afterwards.
    fn saw(&mut self, event: &Event, state: &State);
}
