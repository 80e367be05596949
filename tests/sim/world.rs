//! The world of one process, carried out on the machine in the order of `host/world`.

use std::rc::Rc;

use looper::backlog::marks;
use looper::driver::{Ask, AskSelect, Reply, Request, Snapshot as Taken, World};
use looper::engine::at::At as Moment;
use looper::engine::attempt::Step;
use looper::engine::charter::Stage;
use looper::engine::event::{
    CommandResult, CommitFinished, CommitPrepared, CommitStarted, ImplCritiqueFinished,
    ImplementFinished, Person, PlanCritiqueFinished, PlanFinished, ProposalRecorded, Reconciled,
    RollbackFinished, RollbackStarted, SecretFinding, StageStarted, VerifyFinished, VerifyStarted,
};
use looper::engine::id::{Digest, ObjectId, RepoPath};
use looper::engine::report::{Class, Usage};
use looper::engine::state::Transaction;
use looper::engine::task::Mark;
use looper::engine::verdict::Verdict;

use crate::agents::Says;
use crate::computer::{Shared, Text, digest};
use crate::fault::{Broken, Doing, Phase};
use crate::git::{At, Frozen};
use crate::repo::{Path, Snapshot};
use crate::stage::Called;

/// What one process knows of the world.
#[derive(Debug)]
pub(crate) struct SimWorld {
    pub(crate) shared: Shared,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) frozen: Option<Frozen>,
    /// The backlog as this process knows it.
    pub(crate) backlog: Text,
    pub(crate) is_recovering: bool,
    pub(crate) holds_requests: bool,
}

/// The fields every end of a stage shares, then its own.
macro_rules! finished {
    ($name:ident, $call:expr, $called:expr, { $($field:ident: $value:expr),* $(,)? }) => {
        $name {
            task: $call.task.clone(),
            attempt: $call.attempt,
            agent: $call.agent.clone(),
            model: String::new(),
            exit_code: Some(i32::from($called.class != Class::Ok)),
            class: $called.class,
            until: $called.until,
            duration_ms: 1,
            usage: Usage { input: 10, ..Usage::default() },
            prompt: $called.prompt,
            transcript: None,
            message: $called.message,
            state_changes: $called.state_changes,
            rescued: $called.rescued,
            sandbox: None,
            session: None,
            activity: None,
            quota: $called.quota,
            $($field: $value,)*
        }
    };
}

/// The answer, or an early return.
macro_rules! got {
    ($reply:expr) => {
        match $reply {
            Some(answer) => answer,
            None => return Ok(Reply::Interrupted),
        }
    };
}

fn repo_path(path: &Path) -> RepoPath {
    RepoPath::new(*path).expect("the simulation names good paths")
}

impl World for SimWorld {
    type Error = Broken;

    fn select(&mut self, ask: AskSelect<'_>) -> Result<Taken, Broken> {
        let mut machine = self.shared.borrow_mut();
        machine.begins(Doing::Select, Phase::During);
        machine.check_nobody_is_at_work("a snapshot is taken");
        self.frozen = None;
        let carried = machine.carried(ask.kept).cloned();
        let id = machine.snapshot(carried.as_ref())?;
        machine.coverage.outcome("select", if carried.is_some() { "carried" } else { "fresh" });
        let snapshot = machine.load_snapshot(&id)?;
        let base = snapshot.base.clone();
        machine.oracle.selected(&snapshot);
        self.snapshot = Some(snapshot);
        machine.step("describe the attempt")?;
        machine.enters(Phase::After);
        Ok(Taken { base, id })
    }

    async fn plan(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<PlanFinished>, Broken> {
        let called = got!(self.call(ask, Stage::Plan)?);
        self.ends();
        Ok(Reply::Got(finished!(PlanFinished, call, called, {})))
    }

    async fn plan_critique(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<PlanCritiqueFinished>, Broken> {
        let called = got!(self.call(ask, Stage::PlanCritique)?);
        let verdict = called.verdict();
        if verdict.is_some_and(Verdict::is_proposal) {
            self.shared.borrow_mut().sync_objects()?;
        }
        self.ends();
        Ok(Reply::Got(
            finished!(PlanCritiqueFinished, call, called, { verdict: verdict, note: None }),
        ))
    }

    async fn implement(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<ImplementFinished>, Broken> {
        let mut called = got!(self.call(ask, Stage::Implement)?);
        if matches!(called.class, Class::Ok | Class::Empty) {
            let snapshot = self.look(&ask.attempt.snapshot)?;
            let mut machine = self.shared.borrow_mut();
            let (frozen, rescued) = machine.freeze(&snapshot)?;
            machine.clean_to(&snapshot, &frozen)?;
            called.rescued.extend(rescued);
            self.frozen = Some(frozen);
        }
        self.ends();
        let frozen = self.frozen.as_ref().filter(|_| called.is_frozen());
        let paths = |pick: fn(&Frozen) -> Vec<RepoPath>| frozen.map(pick).unwrap_or_default();
        let secrets = frozen.filter(|frozen| self.holds_secret(frozen)).map(|_| SecretFinding {
            path: RepoPath::new("src/b.rs").expect("good"),
            line: 1,
            rule: "word".to_owned(),
        });
        let own = finished!(ImplementFinished, call, called, {
            tree: frozen.map(|frozen| frozen.tree.clone()),
            paths: paths(|frozen| frozen.changed.iter().map(repo_path).collect()),
            created: paths(|frozen| {
                let is_new = |path: &&Path| matches!(**path, "src/new.rs" | "out.bin" | ".env");
                frozen.changed.iter().filter(is_new).map(repo_path).collect()
            }),
            paths_left_out: 0,
            overlaps: paths(|frozen| frozen.overlaps.iter().map(repo_path).collect()),
            special: paths(|frozen| frozen.special.iter().map(repo_path).collect()),
            leads_out: vec![],
            secrets: secrets.into_iter().collect(),
            diff: None,
        });
        Ok(Reply::Got(own))
    }

    async fn verify(
        &mut self,
        ask: Ask<'_>,
        call: &VerifyStarted,
    ) -> Result<Reply<VerifyFinished>, Broken> {
        let called = got!(self.call(ask, Stage::Verify)?);
        if !ask.charter.policy.stages.contains(&Stage::ImplCritique) {
            self.tidy_up(ask)?;
        }
        self.ends();
        let exit_code = match &called.says {
            Says::Exit(code) => *code,
            Says::Slow => None,
            Says::Ok | Says::Class(_) | Says::Verdict(_) | Says::Signal => Some(0),
        };
        let timed_out = called.says == Says::Slow;
        let run = |command: &String| CommandResult {
            command: command.clone(),
            exit_code,
            timed_out,
            duration_ms: 1,
            output: called.prompt.clone(),
        };
        Ok(Reply::Got(VerifyFinished {
            task: call.task.clone(),
            attempt: call.attempt,
            passed: exit_code == Some(0) && !timed_out,
            commands: call.commands.iter().map(run).collect(),
            state_changes: called.state_changes,
            rescued: called.rescued,
            sandbox: None,
            base: None,
        }))
    }

    async fn impl_critique(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<ImplCritiqueFinished>, Broken> {
        let called: Called = got!(self.call(ask, Stage::ImplCritique)?);
        self.tidy_up(ask)?;
        self.ends();
        let verdict = called.verdict();
        Ok(Reply::Got(
            finished!(ImplCritiqueFinished, call, called, { verdict: verdict, note: None }),
        ))
    }

    fn prepare_commit(
        &mut self,
        _: Ask<'_>,
        commit: &CommitStarted,
        message: &str,
    ) -> Result<CommitPrepared, Broken> {
        let mut machine = self.shared.borrow_mut();
        machine.begins(Doing::Prepare, Phase::During);
        machine.step("write the commit")?;
        let id = machine.prepare(&commit.base, &commit.tree, message);
        machine.step("flush the commit")?;
        machine.enters(Phase::After);
        let time = Moment::from_millis(machine.millis);
        let (name, email) = ("A".to_owned(), "a@b".to_owned());
        let person = Person { name, email, time, offset_min: 0 };
        Ok(CommitPrepared {
            task: commit.task.clone(),
            attempt: commit.attempt,
            commit: id,
            tree: commit.tree.clone(),
            parent: commit.base.clone(),
            author: person.clone(),
            committer: person,
            message: message.to_owned(),
        })
    }

    fn publish(
        &mut self,
        ask: Ask<'_>,
        prepared: &CommitPrepared,
    ) -> Result<CommitFinished, Broken> {
        let snapshot = self.look(&ask.attempt.snapshot)?;
        let mut machine = self.shared.borrow_mut();
        machine.begins(Doing::Publish, Phase::During);
        machine.check_durable("a commit is published");
        machine.publish_commit(&prepared.commit, &snapshot)?;
        machine.enters(Phase::After);
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
        back: &RollbackStarted,
    ) -> Result<RollbackFinished, Broken> {
        self.shared.borrow_mut().enters(Phase::During);
        let snapshot = self.look(&back.to)?;
        self.check_head(ask, &snapshot)?;
        let mut machine = self.shared.borrow_mut();
        machine.check_durable("a rollback begins");
        machine.check_nobody_is_at_work("the work tree is rolled back");
        machine.step("begin to roll back")?;
        let rescued = machine.guard(&snapshot)?;
        machine.restore(&snapshot.work)?;
        machine.check_rolled_back(&snapshot);
        machine.enters(Phase::After);
        Ok(RollbackFinished {
            task: back.task.clone(),
            attempt: back.attempt,
            to: back.to.clone(),
            restored: vec![],
            removed: vec![],
            left_out: 0,
            rescued,
        })
    }

    fn reconcile(
        &mut self,
        ask: Ask<'_>,
        prepared: Option<&CommitPrepared>,
    ) -> Result<Reconciled, Broken> {
        let snapshot = self.look(&ask.attempt.snapshot)?;
        let wanted = prepared.map(|prepared| &prepared.commit);
        let mut machine = self.shared.borrow_mut();
        machine.begins(Doing::Reconcile, Phase::During);
        machine.step("look where HEAD is")?;
        let commit = match (machine.locate(&snapshot.branch, &ask.attempt.base, wanted), wanted) {
            (At::Prepared, Some(wanted)) => {
                machine.publish_commit(wanted, &snapshot)?;
                Some(wanted.clone())
            }
            (At::Beyond, Some(wanted)) => Some(wanted.clone()),
            (At::Foreign | At::AgentCommits, _) => {
                return Err(Broken::Refused("HEAD is a person's"));
            }
            (At::Prepared | At::Beyond | At::Base, _) => None,
        };
        machine.enters(Phase::After);
        let (task, attempt) = (ask.attempt.task.id.clone(), ask.attempt.number);
        Ok(Reconciled { task, attempt, commit })
    }

    fn propose(
        &mut self,
        ask: Ask<'_>,
        verdict: Verdict,
        critique: Option<&ObjectId>,
    ) -> Result<ProposalRecorded, Broken> {
        let mut machine = self.shared.borrow_mut();
        machine.begins(Doing::Propose(verdict), Phase::During);
        let critique = critique.map(|id| machine.get_object(id)).transpose()?;
        machine.step("write the proposal")?;
        let proposal = machine.put_object(&format!("proposal: {critique:?}"))?;
        machine.enters(Phase::After);
        assert!(matches!(ask.attempt.step, Step::Propose { .. }));
        let (task, attempt) = (ask.attempt.task.id.clone(), ask.attempt.number);
        Ok(ProposalRecorded { task, attempt, verdict, proposal })
    }

    fn weigh_mark(&mut self, mark: &Mark) -> Result<(Digest, Digest), Broken> {
        let marked = marked(&self.backlog, mark);
        Ok((Digest::new(digest(&self.backlog)), Digest::new(digest(&marked))))
    }

    fn write_mark(&mut self, mark: &Mark) -> Result<(), Broken> {
        let shared = Rc::clone(&self.shared);
        let mut machine = shared.borrow_mut();
        machine.enters(Phase::During);
        machine.check_durable("a mark is written");
        machine.step("look at the backlog")?;
        let found = machine.backlog.get().clone();
        if found != self.backlog {
            machine.put_object(&found)?;
        }
        let marked = marked(&self.backlog, mark);
        if marked != *self.backlog {
            machine.write_backlog(&marked)?;
            self.backlog = marked.into();
        }
        Ok(())
    }

    fn remember(&mut self, open: Option<&Transaction>) -> Result<(), Broken> {
        let mut machine = self.shared.borrow_mut();
        let tip = machine.oracle.tip;
        machine.remember(open, tip)
    }

    async fn wait(&mut self, _: u32) -> Result<Option<Request>, Broken> {
        let mut machine = self.shared.borrow_mut();
        machine.enters(Phase::During);
        machine.check_durable("a provider is waited for");
        machine.check_nobody_is_at_work("a provider is waited for");
        machine.step("wait for a provider")?;
        drop(machine);
        Ok(self.request())
    }

    fn request(&mut self) -> Option<Request> {
        if self.holds_requests {
            return None;
        }
        let mut machine = self.shared.borrow_mut();
        let one_in = machine.plan.requests_one_in;
        if machine.dice.one_in(one_in) {
            if machine.dice.one_in(2) {
                machine.is_stop_asked = true;
            } else {
                machine.is_cancelled = true;
            }
        }
        if machine.is_cancelled {
            return Some(Request::Interrupt);
        }
        std::mem::take(&mut machine.is_stop_asked).then_some(Request::Stop)
    }
}

fn marked(text: &str, mark: &Mark) -> String {
    marks::apply(text, std::slice::from_ref(mark)).expect("the tasks are in the backlog")
}
