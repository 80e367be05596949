//! A world in memory that answers from a script and loses power where it is told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use looper::driver::{Ask, AskSelect, Reply, Request, Snapshot, World};
use looper::engine::at::At;
use looper::engine::event::{
    BaseRun, CommandResult, CommitFinished, CommitPrepared, CommitStarted, ImplCritiqueFinished,
    ImplementFinished, Person, PlanCritiqueFinished, PlanFinished, ProposalRecorded, Reconciled,
    RollbackFinished, RollbackStarted, StageStarted, VerifyFinished, VerifyStarted,
};
use looper::engine::id::{CommitId, Digest, ObjectId, RepoPath, TaskId, TreeId};
use looper::engine::report::{Class, Usage};
use looper::engine::state::Transaction;
use looper::engine::task::Mark;
use looper::engine::verdict::Verdict;

pub(crate) use crate::scripted_answer::Answer;
use crate::scripted_answer::{class_of, quota, ruling, touched, until};

/// The power is gone.
#[derive(Debug, thiserror::Error)]
#[error("power cut")]
pub(crate) struct PowerCut;

/// What the world remembers over power cuts.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) requests: VecDeque<Option<Request>>,
    /// World calls until the power is cut; every call costs two: before and after its effect.
    pub(crate) power: usize,
    pub(crate) head: CommitId,
    pub(crate) history: Vec<(TaskId, CommitId, TreeId)>,
    pub(crate) objects: BTreeMap<CommitId, (TaskId, TreeId)>,
    pub(crate) is_dirty: bool,
    pub(crate) kept: Option<Transaction>,
    pub(crate) marks: BTreeMap<TaskId, Mark>,
    pub(crate) trees: u32,
    pub(crate) rolled_back: BTreeSet<(TaskId, u32)>,
    /// Seconds of every wait.
    pub(crate) waited: Vec<u32>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            answers: answers.into_iter().collect(),
            requests: VecDeque::new(),
            power: 10_000,
            head: CommitId::new("base"),
            history: vec![],
            objects: BTreeMap::new(),
            is_dirty: false,
            kept: None,
            marks: BTreeMap::new(),
            trees: 0,
            rolled_back: BTreeSet::new(),
            waited: vec![],
        }
    }

    fn spend(&mut self) -> Result<(), PowerCut> {
        self.power = self.power.checked_sub(1).ok_or(PowerCut)?;
        Ok(())
    }

    /// The next answer; an exhausted script crashes every agent.
    fn next(&mut self) -> Result<Answer, PowerCut> {
        self.spend()?;
        self.is_dirty = true;
        self.spend()?;
        Ok(self.answers.pop_front().unwrap_or(Answer::Class(Class::Crashed)))
    }

    fn digest_with(&self, mark: Option<&Mark>) -> Digest {
        let mut marks = self.marks.clone();
        if let Some(mark) = mark {
            marks.insert(mark.task.clone(), mark.clone());
        }
        Digest::new(format!("{marks:?}"))
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest_with(None)
    }
}

/// The fields every end of a stage shares, then its own.
macro_rules! finished {
    ($name:ident, $call:expr, $answer:expr, { $($field:ident: $value:expr),* $(,)? }) => {
        $name {
            task: $call.task.clone(),
            attempt: $call.attempt,
            agent: $call.agent.clone(),
            model: String::new(),
            exit_code: Some(i32::from(class_of(&$answer) != Class::Ok)),
            class: class_of(&$answer),
            until: until(&$answer),
            duration_ms: 1,
            usage: Usage { input: 10, ..Usage::default() },
            prompt: ObjectId::new("prompt"),
            transcript: None,
            message: (class_of(&$answer) == Class::Ok).then(|| ObjectId::new("message")),
            state_changes: touched(&$answer),
            rescued: vec![],
            sandbox: None,
            session: None,
            activity: None,
            quota: quota(&$answer),
            $($field: $value,)*
        }
    };
}

impl World for Script {
    type Error = PowerCut;

    fn select(&mut self, ask: AskSelect<'_>) -> Result<Snapshot, PowerCut> {
        self.spend()?;
        let may_be_dirty = !ask.charter.policy.commit_on_pass;
        assert!(!self.is_dirty || may_be_dirty, "an attempt begins on a clean work tree");
        let id = CommitId::new(format!("snapshot-{}-{}", ask.task.id, ask.attempt));
        Ok(Snapshot { base: self.head.clone(), id })
    }

    async fn plan(
        &mut self,
        _: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<PlanFinished>, PowerCut> {
        let answer = self.next()?;
        if let Answer::Interrupted = answer {
            return Ok(Reply::Interrupted);
        }
        Ok(Reply::Got(finished!(PlanFinished, call, answer, {})))
    }

    async fn plan_critique(
        &mut self,
        _: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<PlanCritiqueFinished>, PowerCut> {
        let answer = self.next()?;
        if let Answer::Interrupted = answer {
            return Ok(Reply::Interrupted);
        }
        let verdict = ruling(&answer);
        Ok(Reply::Got(
            finished!(PlanCritiqueFinished, call, answer, { verdict: verdict, note: None }),
        ))
    }

    async fn implement(
        &mut self,
        _: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<ImplementFinished>, PowerCut> {
        let answer = self.next()?;
        if let Answer::Interrupted = answer {
            return Ok(Reply::Interrupted);
        }
        self.trees += 1;
        let tree = TreeId::new(format!("tree-{}", self.trees));
        let paths = match &answer {
            Answer::Paths(paths) => paths.clone(),
            _ => vec!["src/a.rs"],
        };
        let paths = paths
            .into_iter()
            .map(|path| RepoPath::new(path).expect("the script names good paths"))
            .collect();
        Ok(Reply::Got(finished!(ImplementFinished, call, answer, {
            tree: (class_of(&answer) == Class::Ok).then_some(tree),
            paths: paths,
            created: vec![],
            paths_left_out: 0,
            overlaps: vec![],
            special: vec![],
            leads_out: vec![],
            secrets: vec![],
            diff: None,
        })))
    }

    async fn verify(
        &mut self,
        ask: Ask<'_>,
        call: &VerifyStarted,
    ) -> Result<Reply<VerifyFinished>, PowerCut> {
        let answer = self.next()?;
        let passed = match answer {
            Answer::Interrupted => return Ok(Reply::Interrupted),
            Answer::Verify(passed) => passed,
            _ => true,
        };
        let run = |command: &String, passed: bool| CommandResult {
            command: command.clone(),
            exit_code: Some(i32::from(!passed)),
            timed_out: false,
            duration_ms: 1,
            output: ObjectId::new("output"),
        };
        let runs = |passed: bool| call.commands.iter().map(move |it| run(it, passed)).collect();
        let is_vacuous = matches!(answer, Answer::Vacuous);
        let base = BaseRun { tree: TreeId::new("base"), commands: runs(is_vacuous) };
        Ok(Reply::Got(VerifyFinished {
            task: call.task.clone(),
            attempt: call.attempt,
            passed,
            commands: runs(passed),
            state_changes: touched(&answer),
            rescued: vec![],
            sandbox: None,
            base: (!ask.charter.policy.fail_to_pass.is_off()).then_some(base),
        }))
    }

    async fn impl_critique(
        &mut self,
        _: Ask<'_>,
        call: &StageStarted,
    ) -> Result<Reply<ImplCritiqueFinished>, PowerCut> {
        let answer = self.next()?;
        if let Answer::Interrupted = answer {
            return Ok(Reply::Interrupted);
        }
        let verdict = ruling(&answer);
        Ok(Reply::Got(
            finished!(ImplCritiqueFinished, call, answer, { verdict: verdict, note: None }),
        ))
    }

    fn prepare_commit(
        &mut self,
        ask: Ask<'_>,
        commit: &CommitStarted,
        message: &str,
    ) -> Result<CommitPrepared, PowerCut> {
        self.spend()?;
        assert_eq!(commit.base, self.head, "a commit stands on the head");
        let id = CommitId::new(format!("{}+{}", commit.base, commit.tree));
        self.objects.insert(id.clone(), (ask.attempt.task.id.clone(), commit.tree.clone()));
        self.spend()?;
        let person = Person {
            name: "A".to_owned(),
            email: "a@b".to_owned(),
            time: At::default(),
            offset_min: 0,
        };
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
        _: Ask<'_>,
        prepared: &CommitPrepared,
    ) -> Result<CommitFinished, PowerCut> {
        self.spend()?;
        assert_eq!(self.head, prepared.parent, "compare and swap");
        let (task, tree) = self.objects[&prepared.commit].clone();
        self.history.push((task, prepared.commit.clone(), tree));
        self.head = prepared.commit.clone();
        self.is_dirty = false;
        self.spend()?;
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
    ) -> Result<RollbackFinished, PowerCut> {
        self.spend()?;
        self.is_dirty = false;
        self.rolled_back.insert((ask.attempt.task.id.clone(), ask.attempt.number));
        self.spend()?;
        Ok(RollbackFinished {
            task: back.task.clone(),
            attempt: back.attempt,
            to: back.to.clone(),
            restored: vec![],
            removed: vec![],
            left_out: 0,
            rescued: vec![],
        })
    }

    fn reconcile(
        &mut self,
        ask: Ask<'_>,
        prepared: Option<&CommitPrepared>,
    ) -> Result<Reconciled, PowerCut> {
        self.spend()?;
        let commit = prepared.filter(|prepared| prepared.commit == self.head);
        if commit.is_some() {
            self.is_dirty = false;
        }
        Ok(Reconciled {
            task: ask.attempt.task.id.clone(),
            attempt: ask.attempt.number,
            commit: commit.map(|prepared| prepared.commit.clone()),
        })
    }

    fn propose(
        &mut self,
        ask: Ask<'_>,
        verdict: Verdict,
        _: Option<&ObjectId>,
    ) -> Result<ProposalRecorded, PowerCut> {
        self.spend()?;
        Ok(ProposalRecorded {
            task: ask.attempt.task.id.clone(),
            attempt: ask.attempt.number,
            verdict,
            proposal: ObjectId::new("proposal"),
        })
    }

    fn weigh_mark(&mut self, mark: &Mark) -> Result<(Digest, Digest), PowerCut> {
        self.spend()?;
        Ok((self.digest(), self.digest_with(Some(mark))))
    }

    fn write_mark(&mut self, mark: &Mark) -> Result<(), PowerCut> {
        self.spend()?;
        self.marks.insert(mark.task.clone(), mark.clone());
        self.spend()
    }

    fn remember(&mut self, open: Option<&Transaction>) -> Result<(), PowerCut> {
        self.spend()?;
        self.kept = open.cloned();
        self.spend()
    }

    async fn wait(&mut self, seconds: u32) -> Result<Option<Request>, PowerCut> {
        self.spend()?;
        self.waited.push(seconds);
        self.spend()?;
        Ok(self.request())
    }

    fn request(&mut self) -> Option<Request> {
        self.requests.pop_front().flatten()
    }
}
