//! Every effect, carried out.

use std::time::Duration;

use super::error::WorldError;
use super::host_world::{HostWorld, bounded, names};
use super::record::NoChange;
use super::stage::Message;
use crate::driver::{Ask, AskSelect, Reply, Request, Snapshot as Taken, World};
use crate::engine::at::At;
use crate::engine::attempt::Step;
use crate::engine::charter::Stage;
use crate::engine::effect::Effect;
use crate::engine::event::{
    CommitFinished, CommitPrepared, CommitStarted, ImplCritiqueFinished, ImplementFinished, Person,
    PlanCritiqueFinished, PlanFinished, ProposalRecorded, Reconciled, RollbackFinished,
    RollbackStarted, StageStarted, VerifyFinished, VerifyStarted,
};
use crate::engine::id::{Digest, ObjectId};
use crate::engine::report::Class;
use crate::engine::state::Transaction;
use crate::engine::task::Mark;
use crate::engine::verdict::Verdict;
use crate::host::clock;
use crate::host::evidence::{Document, note};
use crate::host::git::{self, Restored};

/// The fields that every end of a stage shares, then its own.
macro_rules! finished {
    ($name:ident, $call:expr, $called:expr, { $($field:ident: $value:expr),* $(,)? }) => {
        $name {
            task: $call.task.clone(),
            attempt: $call.attempt,
            agent: $call.agent.clone(),
            model: $called.model,
            exit_code: $called.exit_code,
            class: $called.class,
            until: $called.until,
            duration_ms: $called.duration_ms,
            usage: $called.usage,
            prompt: $called.prompt,
            transcript: $called.transcript,
            message: $called.message.map(|message| message.id),
            state_changes: $called.state_changes,
            rescued: $called.rescued,
            sandbox: Some($called.sandbox),
            session: $called.session,
            activity: $called.activity,
            quota: $called.quota,
            $($field: $value,)*
        }
    };
}

/// The answer, or an early return.
macro_rules! got {
    ($reply:expr) => {
        match $reply {
            Reply::Got(answer) => answer,
            Reply::Interrupted => return Ok(Reply::Interrupted),
        }
    };
}

impl World for HostWorld {
    type Error = WorldError;

    fn select(&mut self, ask: AskSelect<'_>) -> Result<Taken, WorldError> {
        self.make_room()?;
        self.loop_number = ask.loop_number;
        self.frozen = None;
        // Before the first snapshot, which has to know it: a log that somebody deletes in the first
        // run is missed too.
        if !self.is_anchored {
            let tip = self.log.borrow_mut().sync()?;
            self.tip.set(tip);
            self.anchor()?;
            self.is_anchored = true;
        }
        let label = format!("looper: before task {}, attempt {}", ask.task.id, ask.attempt);
        let carried = self.carried(ask.kept)?;
        let snapshot = self.git.snapshot(&label, carried)?;
        let taken = Taken { base: snapshot.base.clone(), id: snapshot.id.clone() };
        self.snapshot = Some(snapshot);
        self.record_selection(ask)?;
        Ok(taken)
    }

    async fn plan(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<PlanFinished>, WorldError> {
        let prompt = self.planner_prompt(ask)?;
        let called = got!(self.call(ask, call, Stage::Plan, &prompt).await?);
        self.record_message(Document::Plan, called.message.as_ref())?;
        Ok(Reply::Got(finished!(PlanFinished, call, called, {})))
    }

    async fn plan_critique(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<PlanCritiqueFinished>, WorldError> {
        let prompt = self.plan_critic_prompt(ask)?;
        let called = got!(self.call(ask, call, Stage::PlanCritique, &prompt).await?);
        self.record_message(Document::PlanCritique, called.message.as_ref())?;
        let (ruling, note) = ruling(called.message.as_ref());
        let own = finished!(PlanCritiqueFinished, call, called, { verdict: ruling, note: note });
        Ok(Reply::Got(own))
    }

    async fn implement(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<ImplementFinished>, WorldError> {
        let prompt = self.implementer_prompt(ask)?;
        let mut called = got!(self.call(ask, call, Stage::Implement, &prompt).await?);
        // The change's critic must not find the implementer's words: they are written in the end.
        self.summary = called.message.as_ref().map(|message| message.text.clone());
        let mut change = NoChange::default();
        if matches!(called.class, Class::Ok | Class::Empty) {
            match self.freeze(ask) {
                Ok(frozen) => change = frozen,
                Err(error) if self.was_filled(&error) => {
                    self.reserve.release()?;
                    called.class = Class::DiskFull;
                }
                Err(error) => return Err(error),
            }
        }
        let mut own = finished!(ImplementFinished, call, called, {
            tree: change.tree,
            paths: change.paths,
            created: change.created,
            paths_left_out: change.paths_left_out,
            overlaps: change.overlaps,
            special: change.special,
            leads_out: change.leads_out,
            secrets: change.secrets,
            diff: change.diff,
        });
        own.rescued.extend(change.rescued);
        Ok(Reply::Got(own))
    }

    async fn verify(
        &mut self,
        ask: Ask<'_>,
        call: &VerifyStarted,
    ) -> Result<Reply<VerifyFinished>, WorldError> {
        let snapshot = self.snapshot(&ask.attempt.snapshot)?;
        let Step::Verify(_, change) = &ask.attempt.step else {
            unreachable!("BUG: only a frozen change is verified")
        };
        let tree = change.tree.as_ref().expect("only a frozen change is verified");
        self.make_room()?;
        let finished = match self.run_verify(ask, call, tree, &snapshot).await {
            Err(error) if self.was_filled(&error) => self.verify_filled(ask, call)?,
            reply => got!(reply?),
        };
        self.record_verify(ask, &finished)?;
        if !ask.charter.policy.stages.contains(&Stage::ImplCritique) {
            self.tidy_up(ask)?;
        }
        Ok(Reply::Got(finished))
    }

    async fn impl_critique(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<ImplCritiqueFinished>, WorldError> {
        let prompt = self.impl_critic_prompt(ask)?;
        let called = got!(self.call(ask, call, Stage::ImplCritique, &prompt).await?);
        self.record_message(Document::ImplCritique, called.message.as_ref())?;
        self.tidy_up(ask)?;
        let (ruling, note) = ruling(called.message.as_ref());
        let own = finished!(ImplCritiqueFinished, call, called, { verdict: ruling, note: note });
        Ok(Reply::Got(own))
    }

    fn prepare_commit(
        &mut self,
        _: Ask<'_>,
        commit: &CommitStarted,
        message: &str,
    ) -> Result<CommitPrepared, WorldError> {
        let (seconds, offset_minutes) = clock::seconds_and_offset(clock::now());
        let when = git::When { seconds, offset_minutes };
        let made = self.git.prepare_commit(&commit.base, &commit.tree, message, when)?;
        let person = |identity: git::Identity| Person {
            name: identity.name,
            email: identity.email,
            time: At::from_millis(when.seconds * 1000),
            offset_min: when.offset_minutes,
        };
        Ok(CommitPrepared {
            task: commit.task.clone(),
            attempt: commit.attempt,
            commit: made.commit,
            tree: made.tree,
            parent: made.parent,
            author: person(made.author),
            committer: person(made.committer),
            message: made.message,
        })
    }

    fn publish(
        &mut self,
        ask: Ask<'_>,
        prepared: &CommitPrepared,
    ) -> Result<CommitFinished, WorldError> {
        let snapshot = self.snapshot(&ask.attempt.snapshot)?;
        self.git.publish(&as_git(prepared), &snapshot)?;
        Ok(CommitFinished {
            task: prepared.task.clone(),
            attempt: prepared.attempt,
            commit: prepared.commit.clone(),
            tree: prepared.tree.clone(),
        })
    }

    fn rollback(
        &mut self,
        ask: Ask<'_>,
        rollback: &RollbackStarted,
    ) -> Result<RollbackFinished, WorldError> {
        self.loop_number = ask.attempt.loop_number;
        self.record_summary()?;
        let snapshot = self.snapshot(&rollback.to)?;
        self.check_head(ask, &snapshot)?;
        let Restored { restored, removed, rescued, .. } = self.git.rollback(&snapshot)?;
        let total = restored.len() + removed.len();
        let (restored, removed) = (bounded(restored), bounded(removed));
        let left_out = (total - restored.len() - removed.len()) as u64;
        Ok(RollbackFinished {
            task: rollback.task.clone(),
            attempt: rollback.attempt,
            to: rollback.to.clone(),
            restored,
            removed,
            left_out,
            rescued: names(&rescued),
        })
    }

    fn reconcile(
        &mut self,
        ask: Ask<'_>,
        prepared: Option<&CommitPrepared>,
    ) -> Result<Reconciled, WorldError> {
        let snapshot = self.snapshot(&ask.attempt.snapshot)?;
        let wanted = prepared.map(|prepared| &prepared.commit);
        let branch = snapshot.branch.as_deref();
        let commit = match (self.locate(branch, &ask.attempt.base, wanted)?, prepared) {
            (git::At::Prepared, Some(prepared)) => {
                self.git.publish(&as_git(prepared), &snapshot)?;
                Some(prepared.commit.clone())
            }
            (git::At::Beyond, Some(prepared)) => Some(prepared.commit.clone()),
            // Every stage is over when a commit is due: whoever committed since is no agent.
            (git::At::AgentCommits(_), _) => {
                let (found, _) = self.git.head_commit()?;
                return Err(WorldError::ForeignHead { found: found.to_string() });
            }
            (git::At::Foreign(found), _) => {
                return Err(WorldError::ForeignHead { found: found.to_string() });
            }
            (git::At::Prepared | git::At::Beyond | git::At::Base, _) => None,
        };
        let (task, attempt) = (ask.attempt.task.id.clone(), ask.attempt.number);
        Ok(Reconciled { task, attempt, commit })
    }

    fn propose(
        &mut self,
        ask: Ask<'_>,
        verdict: Verdict,
        critique: Option<&ObjectId>,
    ) -> Result<ProposalRecorded, WorldError> {
        self.loop_number = ask.attempt.loop_number;
        let proposal = self.record_proposal(ask, verdict, critique)?;
        let (task, attempt) = (ask.attempt.task.id.clone(), ask.attempt.number);
        Ok(ProposalRecorded { task, attempt, verdict, proposal })
    }

    fn weigh_mark(&mut self, mark: &Mark) -> Result<(Digest, Digest), WorldError> {
        self.backlog.weigh(mark)
    }

    fn write_mark(&mut self, mark: &Mark) -> Result<(), WorldError> {
        self.record_summary()?;
        self.record_mark(mark);
        // Whatever was written in the last moment is kept before it is overwritten.
        if let Some(found) = self.backlog.difference()? {
            self.objects.put(&found)?;
        }
        self.backlog.write(mark)
    }

    fn remember(&mut self, open: Option<&Transaction>) -> Result<(), WorldError> {
        Ok(self.tx.remember(open, self.tip.get())?)
    }

    async fn wait(&mut self, seconds: u32) -> Result<Option<Request>, WorldError> {
        Ok(self.sleep(Duration::from_secs(seconds.into()), |_| {}).await)
    }

    fn moment(&self, now: At, next: &Effect) -> At {
        self.told_moment(next).unwrap_or(now)
    }

    fn request(&mut self) -> Option<Request> {
        if self.holds_requests {
            return None;
        }
        if self.cancel.is_cancelled() {
            return Some(Request::Interrupt);
        }
        // Whoever asks leaves a file; it is gone once it has been heard.
        let asked = std::fs::remove_file(self.layout.stop_request()).is_ok();
        asked.then_some(Request::Stop)
    }
}

fn ruling(message: Option<&Message>) -> (Option<Verdict>, Option<String>) {
    match message {
        None => (None, None),
        Some(message) => (message.verdict, note(&message.text)),
    }
}

fn as_git(prepared: &CommitPrepared) -> git::Prepared {
    let identity =
        |person: &Person| git::Identity { name: person.name.clone(), email: person.email.clone() };
    git::Prepared {
        commit: prepared.commit.clone(),
        tree: prepared.tree.clone(),
        parent: prepared.parent.clone(),
        author: identity(&prepared.author),
        committer: identity(&prepared.committer),
        when: git::When {
            seconds: prepared.author.time.millis() / 1000,
            offset_minutes: prepared.author.offset_min,
        },
        message: prepared.message.clone(),
    }
}
