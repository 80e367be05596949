//! What has to hold after every event, after every recovery, and in the end.

use std::collections::{BTreeMap, BTreeSet};

use looper::backlog::Backlog;
use looper::engine::event::{Event, EventKind, JudgedAs, RollbackCause, TaskBlocked, TaskFailed};
use looper::engine::id::{CommitId, Seq, TaskId, TreeId};
use looper::engine::line::Proof;
use looper::engine::replay::replay_one;
use looper::engine::state::State;
use looper::engine::task::Status;
use looper::host::log::Tip;

use crate::computer::{Computer, Memory, Text};
use crate::journal::Found;
use crate::repo::{MAIN, Snapshot, Tree};

/// What somebody who forgets nothing knows.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// What the durable lines add up to.
    pub(crate) shadow: State,
    /// Where the log of the process in hand is durable.
    pub(crate) tip: Tip,
    /// The last line that somebody was told of.
    pub(crate) acknowledged: Option<(Seq, Proof)>,
    pub(crate) agent_commits: BTreeSet<CommitId>,
    /// Commits that the log says were made.
    pub(crate) committed: BTreeMap<TaskId, CommitId>,
    pub(crate) passed: BTreeSet<TreeId>,
    /// Commits of ours that the branch durably stood at.
    pub(crate) published: BTreeSet<CommitId>,
    pub(crate) debt: Debt,
    /// What people have in the work tree besides what is committed.
    pub(crate) mine: Tree,
}

/// What must not depend on how often a run was cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Which task was committed with which content, in order.
    pub(crate) committed: Vec<(String, Tree)>,
    pub(crate) work: Tree,
    pub(crate) index: Option<Tree>,
    pub(crate) backlog: Text,
    pub(crate) tasks: BTreeMap<TaskId, (Status, u32, Option<String>)>,
}

/// Whether an attempt that is undone for this reason is one that failed, whatever comes between.
fn counts(cause: RollbackCause) -> bool {
    match cause {
        RollbackCause::PlanRejected | RollbackCause::StateTouched | RollbackCause::Gates => true,
        // Of an agent that failed it depends on how.
        RollbackCause::AgentFailed | RollbackCause::Interrupted => false,
    }
}

/// The attempt that is undone because it failed: it has to be counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Debt(Option<(TaskId, u32)>);

impl Debt {
    pub(crate) fn note(&mut self, kind: &EventKind) {
        match kind {
            EventKind::TaskSelected(_) => self.is_paid(),
            EventKind::RollbackStarted(data) if counts(data.cause) => {
                self.0 = Some((data.task.clone(), data.attempt));
            }
            EventKind::TaskFailed(TaskFailed { task, attempt, .. })
            | EventKind::TaskBlocked(TaskBlocked { task, attempt, .. }) => {
                self.0.take_if(|(owed, number)| owed == task && number == attempt);
            }
            _ => {}
        }
    }

    fn is_paid(&self) {
        assert_eq!(self.0, None, "a failure was never counted");
    }
}

/// Whose turn it is depends on how often a run was cut short.
fn by_nobody(text: &str) -> String {
    ["(b)", "(c)"].iter().fold(text.to_owned(), |text, name| text.replace(name, "(a)"))
}

impl Oracle {
    pub(crate) fn selected(&mut self, snapshot: &Snapshot) {
        for path in &snapshot.dirty {
            let mine = self.mine.get(path);
            assert_eq!(mine, snapshot.work.get(path), "{path} is not as its owner left it");
        }
    }
}

impl Computer {
    /// Remembers what people have in the work tree before the first run.
    pub(crate) fn remember_people(&mut self) {
        let head = self.repo.head_commit();
        let dirty = self.repo.dirty_against(self.repo.tree_of(&head));
        let visible = self.repo.visible();
        self.oracle.mine = visible.into_iter().filter(|(path, _)| dirty.contains(path)).collect();
    }

    /// After each event, once it is durable.
    pub(crate) fn saw(&mut self, event: &Event, state: &State) {
        self.coverage.saw(event, &self.oracle.shadow);
        let before = std::mem::take(&mut self.oracle.shadow);
        let after = replay_one(before, event).expect("what is told replays");
        if after.next() == state.next() {
            assert!(after == *state, "the log says something else than the loop holds");
        }
        self.oracle.shadow = after;
        self.oracle.acknowledged = Some((event.seq, self.log.proofs[&event.seq]));
        self.oracle.debt.note(&event.kind);
        match &event.kind {
            EventKind::GatesJudged(data) if data.outcome == JudgedAs::Pass => {
                self.oracle.passed.insert(data.tree.clone());
            }
            EventKind::CommitFinished(data) => self.check_commit(&data.task, &data.commit),
            EventKind::Reconciled(data) => {
                if let Some(commit) = &data.commit {
                    self.check_commit(&data.task, commit);
                }
            }
            _ => {}
        }
    }

    fn check_commit(&mut self, task: &TaskId, commit: &CommitId) {
        let twice = self.oracle.committed.insert(task.clone(), commit.clone());
        let is_new = twice.is_none_or(|before| before == *commit);
        assert!(is_new, "task {task} is committed twice");
        let head = self.repo.head_commit();
        assert!(self.repo.history(&head).contains(commit), "{commit} is not in history");
    }

    /// What a process finds is at least what somebody was told.
    pub(crate) fn check_nothing_lost(&mut self, found: &Found) {
        if let Some((seq, proof)) = self.oracle.acknowledged {
            assert!(found.tip.seq >= seq, "event {seq} was told and is lost");
            let index = usize::try_from(seq.0).expect("small") - 1;
            assert_eq!(found.proofs[index], proof, "event {seq} is another one");
        }
        // Lines that nobody was told of may have survived.
        for (task, commit) in &found.commits {
            self.check_commit(task, commit);
        }
        self.oracle.passed.extend(found.passed.iter().cloned());
        self.oracle.shadow = found.state.clone();
        self.oracle.debt = found.debt.clone();
    }

    /// Nothing unwritten is acted on.
    pub(crate) fn check_durable(&self, what: &str) {
        assert_eq!(self.log.synced, self.log.appended, "{what} before the log is durable");
        match self.memory.get() {
            Memory::Holds(_, tip) => {
                assert!(self.memory.is_safe(), "{what} before the transaction is durable");
                assert_eq!(tip.seq, self.log.synced, "{what} behind the transaction's back");
            }
            Memory::Nothing | Memory::Torn => panic!("{what} without a transaction"),
        }
    }

    pub(crate) fn check_nobody_is_at_work(&self, what: &str) {
        assert!(self.orphans.is_empty() && !self.is_agent_alive, "an agent is alive while {what}");
    }

    /// Everything is as it was, and what stood there is kept.
    pub(crate) fn check_rolled_back(&self, snapshot: &Snapshot) {
        assert_eq!(self.repo.visible(), snapshot.work, "the work tree after a rollback");
        assert_eq!(self.repo.index.get().as_ref(), Some(&snapshot.index), "the index");
        assert_eq!(*self.repo.head.get(), snapshot.branch, "HEAD");
        assert_eq!(self.repo.head_commit(), snapshot.base, "the branch");
        assert_eq!(*self.repo.hook.get(), snapshot.hook, "the hooks");
        for (name, commit) in &snapshot.refs {
            assert_eq!(self.repo.at(name), Some(commit), "{name}");
        }
    }

    /// In the end.
    pub(crate) fn check_end(&self, state: &State) {
        let repo = &self.repo;
        let head = repo.head_commit();
        assert_eq!(*repo.head.get(), MAIN);
        let history = repo.history(&head);
        let ours: Vec<&CommitId> =
            history.iter().filter(|id| repo.commits[*id].message.contains("Looper-Task")).collect();
        let logged: BTreeSet<&CommitId> = self.oracle.committed.values().collect();
        assert_eq!(ours.iter().copied().collect::<BTreeSet<_>>(), logged, "history and log");
        for id in ours {
            let tree = &repo.commits[id].tree;
            assert!(self.oracle.passed.contains(tree), "{tree} was never judged");
        }
        for id in &self.oracle.published {
            assert!(history.contains(id), "{id} was thrown away");
        }
        self.oracle.debt.is_paid();
        for id in &self.oracle.agent_commits {
            assert!(!history.contains(id), "an agent's own commit is in history");
        }
        let mut work = match state.kept() {
            Some(kept) if kept.base == head => repo.trees[&kept.tree].clone(),
            _ => repo.tree_of(&head).clone(),
        };
        work.extend(self.oracle.mine.iter().map(|(path, text)| (*path, text.clone())));
        assert_eq!(repo.visible(), work, "the work tree in the end");
        let ignored = repo.work["ignored/mine"].get().as_deref();
        assert_eq!(ignored, Some("nobody touches this\n"), "an ignored file");
        let shown = Backlog::parse(self.backlog.get()).backlog.marks();
        for mark in shown {
            let known = &state.progress()[&mark.task];
            let (status, count) = (known.status, known.fail_count);
            assert_eq!(mark.status, status, "{}", mark.task);
            // Of a blocked task the count says nothing any more, and people may write what they like.
            assert!(status == Status::Blocked || mark.fail_count == count, "{}", mark.task);
        }
        for (task, progress) in state.progress() {
            let commit = self.oracle.committed.get(task);
            assert_eq!(progress.commit.as_ref(), commit, "task {task}");
        }
        assert!(matches!(self.memory.get(), Memory::Holds(None, _)), "the transaction is settled");
        assert!(self.repo.locks.is_empty(), "locks are left: {:?}", self.repo.locks);
    }

    /// What must not depend on how often a run was cut short.
    pub(crate) fn end(&self, state: &State) -> End {
        let repo = &self.repo;
        let ours = repo.history(&repo.head_commit()).into_iter().rev();
        let subject = |id: &CommitId| {
            let message = &repo.commits[id].message;
            message.lines().next().unwrap_or_default().to_owned()
        };
        let task = |(id, known): (&TaskId, &looper::engine::state::Progress)| {
            let reason = known.reason.as_deref().map(by_nobody);
            (id.clone(), (known.status, known.fail_count, reason))
        };
        End {
            committed: ours.map(|id| (subject(&id), repo.tree_of(&id).clone())).collect(),
            work: repo.visible(),
            index: repo.index.get().clone(),
            backlog: by_nobody(self.backlog.get()).into(),
            tasks: state.progress().iter().map(task).collect(),
        }
    }
}
