//! What a log says was accepted: each PASS that counted, with everything that is needed to look at
//! it again.

use std::collections::BTreeMap;

use crate::engine::charter::{Charter, Checkout, VerifyTerms};
use crate::engine::event::{By, CommandResult, Event, EventKind, JudgedAs};
use crate::engine::id::{CommitId, RepoPath, Seq, TaskId, TreeId};
use crate::engine::message::{Trailers, trailers};
use crate::engine::task::{Pattern, Task};

/// A PASS that counted: its tree was committed, or left in the work tree as done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The judgement.
    pub seq: Seq,
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// What the task may touch.
    pub scope: Vec<Pattern>,
    /// The commit that the attempt began from.
    pub base: CommitId,
    /// The tree that was judged.
    pub tree: TreeId,
    /// The commit, where there is one.
    pub commit: Option<CommitId>,
    /// What the commit says about the log.
    pub claims: Vec<Trailers>,
    /// Every path that was changed; nothing where the log does not name all of them.
    pub paths: Option<Vec<RepoPath>>,
    /// The verify commands, in order.
    pub commands: Vec<String>,
    /// How they ran.
    pub terms: VerifyTerms,
    /// Whether they passed.
    pub verified: bool,
}

/// One attempt whose verify commands ran to their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where the log says how they ended.
    pub seq: Seq,
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit that the attempt began from.
    pub base: CommitId,
    /// Every path in which the candidate differs from the base; nothing where the log does not name
    /// all of them.
    pub paths: Option<Vec<RepoPath>>,
    /// Each run of each command.
    pub results: Vec<CommandResult>,
}

/// Gathers them while a log is read.
#[derive(Debug, Default)]
pub struct Accounts {
    /// What was accepted, in order.
    pub accepted: Vec<Accepted>,
    /// What was verified, in order.
    pub verified: Vec<Verified>,
    /// The commit that the first run began from.
    pub base: Option<CommitId>,
    /// The branches that runs were on.
    pub branches: Vec<String>,
    terms: Option<VerifyTerms>,
    scopes: BTreeMap<TaskId, Vec<Pattern>>,
    open: Option<Open>,
}

/// The attempt in hand.
#[derive(Debug)]
struct Open {
    task: TaskId,
    attempt: u32,
    base: CommitId,
    paths: Option<Vec<RepoPath>>,
    commands: Vec<String>,
    verified: bool,
    passed: Option<(Seq, TreeId)>,
    commit: Option<(CommitId, Vec<Trailers>)>,
}

impl Accounts {
    /// Takes in the next event of the log.
    pub fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(charter) | EventKind::RunResumed(charter) => self.begin(charter),
            EventKind::TaskSelected(data) => {
                self.open = Some(Open {
                    task: data.task.clone(),
                    attempt: data.attempt,
                    base: data.base.clone(),
                    paths: None,
                    commands: vec![],
                    verified: false,
                    passed: None,
                    commit: None,
                });
            }
            kind => {
                let Some((task, attempt)) = kind.about() else { return };
                if self.open.as_ref().is_some_and(|it| it.task == *task && it.attempt == attempt) {
                    self.follow(event.seq, kind);
                }
            }
        }
    }

    fn begin(&mut self, charter: &Charter) {
        self.terms = Some(charter.policy.verify);
        let scope = |task: &Task| (task.id.clone(), task.files.clone());
        self.scopes = charter.tasks.iter().map(scope).collect();
        self.base.get_or_insert_with(|| charter.base.commit.clone());
        let branch = charter.base.branch.iter().filter(|it| !self.branches.contains(it)).cloned();
        self.branches.extend(branch.collect::<Vec<_>>());
    }

    fn follow(&mut self, seq: Seq, kind: &EventKind) {
        let Some(open) = &mut self.open else { return };
        match kind {
            EventKind::ImplementFinished(data) => {
                let is_whole = data.paths_left_out == 0 && data.tree.is_some();
                open.paths = is_whole.then(|| data.paths.clone());
            }
            EventKind::VerifyStarted(data) => open.commands.clone_from(&data.commands),
            EventKind::VerifyFinished(data) => {
                open.verified = data.passed;
                self.verified.push(Verified {
                    seq,
                    task: open.task.clone(),
                    attempt: open.attempt,
                    base: open.base.clone(),
                    paths: open.paths.clone(),
                    results: data.commands.clone(),
                });
            }
            EventKind::GatesJudged(data) => {
                let is_pass = data.outcome == JudgedAs::Pass;
                open.passed = is_pass.then(|| (seq, data.tree.clone()));
            }
            EventKind::CommitPrepared(data) => {
                open.commit = Some((data.commit.clone(), trailers(&data.message)));
            }
            EventKind::CommitFinished(_) => self.accept(),
            EventKind::Reconciled(data) if data.commit.is_some() => self.accept(),
            EventKind::TaskDone(data) if data.by == By::Run => self.accept(),
            EventKind::RollbackStarted(_) => open.passed = None,
            _ => {}
        }
    }

    fn accept(&mut self) {
        let Some(open) = &mut self.open else { return };
        let Some((seq, tree)) = open.passed.take() else { return };
        let scope = self.scopes.get(&open.task).cloned().unwrap_or_default();
        let (commit, claims) = open.commit.clone().unzip();
        self.accepted.push(Accepted {
            seq,
            task: open.task.clone(),
            attempt: open.attempt,
            scope,
            base: open.base.clone(),
            tree,
            commit,
            claims: claims.unwrap_or_default(),
            paths: open.paths.clone(),
            commands: open.commands.clone(),
            terms: self.terms.unwrap_or(UNKNOWN),
            verified: open.verified,
        });
    }
}

/// A log without a charter replays nowhere.
const UNKNOWN: VerifyTerms =
    VerifyTerms { timeout_s: 300, checkout: Checkout::Worktree, repeat: 1 };
