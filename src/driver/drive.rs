//! One step after the other, until the run comes to rest.

use super::ports::{Ask, AskSelect, Clock, Log, Reply, Request, Watch, World};
use crate::engine::at::At;
use crate::engine::attempt::Step;
use crate::engine::charter::{Charter, Stage};
use crate::engine::decide::{Decision, decide};
use crate::engine::effect::{Close, Effect};
use crate::engine::event::{
    By, CommitStarted, Event, EventKind, FORMAT, Interruption, LimitLifted, RunEnded, RunPaused,
    StageRetried, StageStarted, StopRequested, TaskSelected,
};
use crate::engine::fold::{FoldError, fold};
use crate::engine::id::{AgentName, RunId, Seq, TaskId};
use crate::engine::line::Proof;
use crate::engine::message::commit_message;
use crate::engine::recovery::Limit;
use crate::engine::state::{State, Transaction};
use crate::engine::verdict::Verdict;

/// How long after its time a limit counts as lifted, in milliseconds: clocks differ a little, and
/// whoever asks too early meets the limit once more.
const LIFTED_LATE_MS: i64 = 10_000;

/// Why a run could not go on. The log is intact; the next process picks up from it.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<L, W> {
    /// The log could not be written.
    #[error("cannot append to the log")]
    Log(#[source] L),
    /// The world broke.
    #[error("cannot carry out {effect}")]
    World {
        /// What was attempted.
        effect: String,
        /// What broke.
        #[source]
        source: W,
    },
    /// The engine refused its own event.
    #[error("BUG: the engine refused its own event")]
    Fold(#[from] FoldError),
}

/// How a run came to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is over.
    Ended(RunEnded),
    /// It waits for a provider.
    Paused(RunPaused),
}

/// Drives one run to its end.
pub struct Driver<L, W, C, V> {
    /// Where events go.
    pub log: L,
    /// Who acts.
    pub world: W,
    /// What time it is.
    pub clock: C,
    /// Who is told.
    pub watch: V,
    state: State,
    run: RunId,
    /// Recorded, and not yet durable: nobody has been told.
    untold: Vec<Event>,
    /// What the transaction holds; at first it is whatever an earlier process left.
    remembered: Option<Option<Transaction>>,
    /// Position and proof of the latest judgement.
    judged: Option<(Seq, Proof)>,
    has_called: bool,
}

type Drive<T, L, W> = Result<T, DriveError<<L as Log>::Error, <W as World>::Error>>;

impl<L: Log, W: World, C: Clock, V: Watch> Driver<L, W, C, V> {
    /// Takes over what the log says so far. `run` names a run that is begun; one that is open keeps
    /// its name.
    pub fn new(log: L, world: W, clock: C, watch: V, state: State, run: RunId) -> Self {
        let run = state.run_id().cloned().unwrap_or(run);
        let untold = Vec::new();
        let (remembered, judged, has_called) = (None, None, false);
        Self { log, world, clock, watch, state, run, untold, remembered, judged, has_called }
    }

    /// What the log adds up to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether this process has called an agent.
    pub fn has_called(&self) -> bool {
        self.has_called
    }

    /// Settles the attempt that a dead process left open, under the terms it was begun with.
    /// Returns whether there was one.
    ///
    /// # Errors
    /// The log or the world broke. Doing it again is safe.
    pub async fn settle(&mut self) -> Drive<bool, L, W> {
        if self.state.is_settled() {
            return Ok(false);
        }
        self.record(EventKind::Interrupted(self.state.interruption(Interruption::Crash)))?;
        while !self.state.is_settled() {
            self.step().await?;
        }
        self.barrier()?;
        Ok(true)
    }

    /// Begins a run, or goes on with an open one, and drives it to its end. `news` is what the
    /// backlog says now.
    ///
    /// # Errors
    /// The log or the world broke.
    pub async fn run(&mut self, charter: Charter, news: Vec<EventKind>) -> Drive<Outcome, L, W> {
        self.record(match self.state.run_id() {
            None => EventKind::RunStarted(charter),
            Some(_) => EventKind::RunResumed(charter),
        })?;
        for kind in news {
            self.record(kind)?;
        }
        self.go_on().await
    }

    /// Ends a run that waits for a provider, because somebody asked for it.
    ///
    /// # Errors
    /// The log or the world broke.
    pub async fn end_wait(&mut self, request: Request) -> Drive<Outcome, L, W> {
        self.heed(request)?;
        self.go_on().await
    }

    async fn go_on(&mut self) -> Drive<Outcome, L, W> {
        loop {
            if let Some(outcome) = self.step().await? {
                self.barrier()?;
                return Ok(outcome);
            }
        }
    }

    /// One decision, carried out.
    async fn step(&mut self) -> Drive<Option<Outcome>, L, W> {
        let effect = match decide(&self.state) {
            Decision::Act(effect) => *effect,
            Decision::Rest | Decision::Await(_) => {
                unreachable!("BUG: only the driver opens runs and answers effects")
            }
        };
        if effect.is_deferrable()
            && let Some(request) = self.world.request()
        {
            self.heed(request)?;
            return Ok(None);
        }
        if self.lift_limits(&effect)? {
            return Ok(None);
        }
        self.carry_out(effect).await
    }

    fn heed(&mut self, request: Request) -> Drive<(), L, W> {
        match request {
            Request::Interrupt => self.interrupted(),
            Request::Stop => {
                let asked = StopRequested { by: By::Person };
                self.record(EventKind::StopRequested(asked)).map(drop)
            }
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Drive<Option<Outcome>, L, W> {
        match effect {
            Effect::Select { task, attempt } => self.select(&task, attempt)?,
            Effect::Call(stage, call) => self.call(stage, call).await?,
            Effect::Verify(call) => {
                self.record(EventKind::VerifyStarted(call.clone()))?;
                self.barrier()?;
                let reply = self.world.verify(ask(&self.state), &call).await;
                self.answer("the verify commands", reply, EventKind::VerifyFinished)?;
            }
            Effect::Judge(judged) => {
                let seq = self.state.next();
                let proof = self.record(EventKind::GatesJudged(judged))?;
                self.judged = Some((seq, proof));
            }
            Effect::Commit(commit) => self.commit(&commit)?,
            Effect::Reconcile { .. } => self.reconcile()?,
            Effect::Rollback(rollback) => {
                self.record(EventKind::RollbackStarted(rollback.clone()))?;
                self.barrier()?;
                let done = self.world.rollback(ask(&self.state), &rollback);
                let done = done.map_err(broken("the rollback"))?;
                self.record(EventKind::RollbackFinished(done))?;
            }
            Effect::Retry(retried) => self.retry(retried).await?,
            Effect::Propose { verdict, .. } => self.propose(verdict)?,
            Effect::Close(close) => self.close(&close)?,
            Effect::Pause(paused) => {
                self.record(EventKind::RunPaused(paused.clone()))?;
                return Ok(Some(Outcome::Paused(paused)));
            }
            Effect::End(ended) => {
                self.record(EventKind::RunEnded(ended.clone()))?;
                return Ok(Some(Outcome::Ended(ended)));
            }
        }
        Ok(None)
    }

    /// Notes which limits are over: time decides nothing by itself. Returns whether one is.
    fn lift_limits(&mut self, next: &Effect) -> Drive<bool, L, W> {
        let until = |(name, limit): (&AgentName, &Limit)| Some((limit.until?, name.clone()));
        let limits: Vec<_> = self.state.limits().filter_map(until).collect();
        if limits.is_empty() || !matches!(next, Effect::Select { .. } | Effect::Pause(_)) {
            return Ok(false);
        }
        let now = self.world.moment(self.clock.now(), next).millis();
        let is_over = |until: At| until.millis().saturating_add(LIFTED_LATE_MS) <= now;
        let over: Vec<_> = limits.into_iter().filter(|(until, _)| is_over(*until)).collect();
        let is_any = !over.is_empty();
        for (_, agent) in over {
            self.record(EventKind::LimitLifted(LimitLifted { agent }))?;
        }
        Ok(is_any)
    }

    /// A wait that is cut short by somebody's wish is over.
    async fn retry(&mut self, retried: StageRetried) -> Drive<(), L, W> {
        let wait_s = retried.wait_s;
        self.record(EventKind::StageRetried(retried))?;
        self.barrier()?;
        if wait_s == 0 {
            return Ok(());
        }
        match self.world.wait(wait_s).await.map_err(broken("the wait"))? {
            Some(request) => self.heed(request),
            None => Ok(()),
        }
    }

    fn select(&mut self, id: &TaskId, attempt: u32) -> Drive<(), L, W> {
        let charter = self.state.charter().expect("a task is selected only while a run is open");
        let task = charter.tasks.iter().find(|task| task.id == *id);
        let task = task.expect("only a task of the charter is selected").clone();
        let loop_number = self.state.attempts() + 1;
        let (run, kept) = (&self.run, self.state.kept());
        let ask = AskSelect { run, charter, task: &task, attempt, loop_number, kept };
        let taken = self.world.select(ask).map_err(broken("the snapshot"))?;
        self.record(EventKind::TaskSelected(TaskSelected {
            task: task.id,
            attempt,
            title: task.title,
            base: taken.base,
            snapshot: taken.id,
        }))?;
        Ok(())
    }

    async fn call(&mut self, stage: Stage, call: StageStarted) -> Drive<(), L, W> {
        let started = match stage {
            Stage::Plan => EventKind::PlanStarted,
            Stage::PlanCritique => EventKind::PlanCritiqueStarted,
            Stage::Implement => EventKind::ImplementStarted,
            Stage::ImplCritique => EventKind::ImplCritiqueStarted,
            Stage::Verify => unreachable!("BUG: verification calls no agent"),
        };
        self.record(started(call.clone()))?;
        self.barrier()?;
        self.has_called = true;
        let (world, ask) = (&mut self.world, ask(&self.state));
        match stage {
            Stage::Plan => {
                let reply = world.plan(ask, &call).await;
                self.answer("the planner", reply, EventKind::PlanFinished)
            }
            Stage::PlanCritique => {
                let reply = world.plan_critique(ask, &call).await;
                self.answer("the plan critic", reply, EventKind::PlanCritiqueFinished)
            }
            Stage::Implement => {
                let reply = world.implement(ask, &call).await;
                self.answer("the implementer", reply, EventKind::ImplementFinished)
            }
            Stage::ImplCritique | Stage::Verify => {
                let reply = world.impl_critique(ask, &call).await;
                self.answer("the impl critic", reply, EventKind::ImplCritiqueFinished)
            }
        }
    }

    fn answer<T>(
        &mut self,
        effect: &str,
        reply: Result<Reply<T>, W::Error>,
        finished: impl FnOnce(T) -> EventKind,
    ) -> Drive<(), L, W> {
        match reply.map_err(broken(effect))? {
            Reply::Got(answer) => self.record(finished(answer)).map(drop),
            Reply::Interrupted => self.interrupted(),
        }
    }

    fn interrupted(&mut self) -> Drive<(), L, W> {
        let cut = self.state.interruption(Interruption::Signal);
        self.record(EventKind::Interrupted(cut)).map(drop)
    }

    /// The commit exists before the branch points at it, and the log knows it before that.
    fn commit(&mut self, commit: &CommitStarted) -> Drive<(), L, W> {
        let (judged, proof) = self.judged.expect("a commit follows its judgement in one process");
        self.record(EventKind::CommitStarted(commit.clone()))?;
        let asked = ask(&self.state);
        let message = commit_message(&asked.attempt.task, &self.run, judged, proof);
        let prepared = self.world.prepare_commit(asked, commit, &message);
        let prepared = prepared.map_err(broken("the commit"))?;
        self.record(EventKind::CommitPrepared(prepared.clone()))?;
        self.barrier()?;
        let finished = self.world.publish(ask(&self.state), &prepared);
        let finished = finished.map_err(broken("the commit"))?;
        self.record(EventKind::CommitFinished(finished)).map(drop)
    }

    fn reconcile(&mut self) -> Drive<(), L, W> {
        let asked = ask(&self.state);
        let prepared = match &asked.attempt.step {
            Step::Reconcile { prepared } => prepared.as_deref(),
            _ => unreachable!("BUG: only a commit that was cut short is reconciled"),
        };
        let found = self.world.reconcile(asked, prepared);
        let found = found.map_err(broken("the reconciliation"))?;
        self.record(EventKind::Reconciled(found)).map(drop)
    }

    fn propose(&mut self, verdict: Verdict) -> Drive<(), L, W> {
        let asked = ask(&self.state);
        let critique = match &asked.attempt.step {
            Step::Propose { critique, .. } => critique.as_ref(),
            _ => unreachable!("BUG: only a proposal is kept"),
        };
        let kept = self.world.propose(asked, verdict, critique);
        let kept = kept.map_err(broken("the proposal"))?;
        self.record(EventKind::ProposalRecorded(kept)).map(drop)
    }

    fn close(&mut self, close: &Close) -> Drive<(), L, W> {
        let mark = close.shown();
        let (before, after) = self.world.weigh_mark(&mark).map_err(broken("the mark"))?;
        self.record(close.event(before, after))?;
        self.barrier()?;
        self.world.write_mark(&mark).map_err(broken("the mark"))
    }

    /// Checks, persists, adopts, in that order: nothing unfoldable is ever written, and nothing
    /// unwritten is ever acted on.
    fn record(&mut self, kind: EventKind) -> Drive<Proof, L, W> {
        let (seq, at, run) = (self.state.next(), self.clock.now(), self.run.clone());
        let event = Event { v: FORMAT, seq, at, run, kind };
        self.state = fold(std::mem::take(&mut self.state), &event)?;
        let proof = self.log.append(&event).map_err(DriveError::Log)?;
        self.untold.push(event);
        Ok(proof)
    }

    /// Everything recorded becomes durable; then the transaction follows, so that a log that loses
    /// any of it shows; then people are told.
    fn barrier(&mut self) -> Drive<(), L, W> {
        self.log.sync().map_err(DriveError::Log)?;
        let open = self.state.transaction();
        if !self.untold.is_empty() || self.remembered.as_ref() != Some(&open) {
            self.world.remember(open.as_ref()).map_err(broken("the transaction"))?;
            self.remembered = Some(open);
        }
        for event in self.untold.drain(..) {
            self.watch.saw(&event, &self.state);
        }
        Ok(())
    }
}

fn broken<L, W>(effect: &str) -> impl FnOnce(W) -> DriveError<L, W> {
    move |source| DriveError::World { effect: effect.to_owned(), source }
}

fn ask(state: &State) -> Ask<'_> {
    const OPEN: &str = "an effect of an attempt is carried out only while the attempt is open";
    let attempt = state.attempt().expect(OPEN);
    Ask {
        run: state.run_id().expect(OPEN),
        charter: state.charter().expect(OPEN),
        attempt,
        progress: state.progress().get(&attempt.task.id).expect(OPEN),
    }
}
