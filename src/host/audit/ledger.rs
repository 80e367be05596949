//! What the log says about commits, in a form that commits can be compared with.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::event::{Event, EventKind, JudgedAs};
use crate::engine::id::{CommitId, RunId, Seq, TaskId, TreeId};
use crate::engine::line::Proof;
use crate::engine::message::{Trailers, trailers};
use crate::host::git::Trace;
use crate::host::log::{Found, Loss};

/// The passed judgements of a log and what became of them: less than a kilobyte for each.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) passes: BTreeMap<Seq, Pass>,
    pub(super) end: Seq,
    /// The last `run_ended`.
    pub(super) last_ended: Option<Seq>,
    runs: BTreeSet<RunId>,
}

/// A judgement that let a change through.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) proof: Proof,
    pub(super) run: RunId,
    pub(super) task: TaskId,
    pub(super) tree: TreeId,
    pub(super) made: Option<Made>,
}

/// The commit that followed a judgement.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) commit: CommitId,
    pub(super) tree: TreeId,
    pub(super) parent: CommitId,
    /// Where the log says that it is ready.
    pub(super) prepared: Seq,
    /// Where the log says that the branch moved to it.
    pub(super) published: Option<Seq>,
    /// What its message was, as far as it is about the log.
    pub(super) claims: Vec<Trailers>,
}

/// What one block of a commit's trailers is worth.
#[derive(Debug)]
pub(super) enum Claim {
    /// The commit is the one that the log tells of.
    Recorded(Seq),
    /// The log tells of another commit with this claim.
    Copied(Seq),
    /// The log knows neither the run nor the event.
    Stranger(Loss),
    /// The log tells something else about its own run.
    Contradicted(Loss),
}

impl Ledger {
    /// Takes in the next event of the log.
    pub fn note(&mut self, event: &Event, proof: Proof) {
        self.end = event.seq;
        match &event.kind {
            EventKind::RunStarted(_) => drop(self.runs.insert(event.run.clone())),
            EventKind::RunEnded(_) => self.last_ended = Some(event.seq),
            EventKind::GatesJudged(data) if data.outcome == JudgedAs::Pass => {
                let (run, task, tree) = (event.run.clone(), data.task.clone(), data.tree.clone());
                let pass = Pass { proof, run, task, tree, made: None };
                self.passes.insert(event.seq, pass);
            }
            EventKind::CommitPrepared(data) => {
                let made = Made {
                    commit: data.commit.clone(),
                    tree: data.tree.clone(),
                    parent: data.parent.clone(),
                    prepared: event.seq,
                    published: None,
                    claims: trailers(&data.message),
                };
                if let Some(mut pass) = self.passes.last_entry() {
                    pass.get_mut().made = Some(made);
                }
            }
            EventKind::CommitFinished(_) => self.publish(event.seq),
            EventKind::Reconciled(data) if data.commit.is_some() => self.publish(event.seq),
            _ => {}
        }
    }

    fn publish(&mut self, seq: Seq) {
        let mut last = self.passes.last_entry();
        if let Some(made) = last.as_mut().and_then(|last| last.get_mut().made.as_mut()) {
            made.published = Some(seq);
        }
    }

    /// How many commits the log tells of.
    pub fn commits(&self) -> u64 {
        self.passes.values().filter(|pass| pass.made.is_some()).count() as u64
    }

    /// Compares one block of a commit's trailers with what the log says.
    pub(super) fn judge(&self, trace: &Trace, block: &Trailers) -> Claim {
        let seq = block.seq.unwrap_or_default();
        let want = block.log.unwrap_or(Proof::GENESIS);
        let witness = format!("commit {}", trace.commit);
        let loss = |found| Loss { witness, seq, want, found };
        let pass = self.passes.get(&seq);
        let is_told = |pass: &&Pass| {
            Some(pass.proof) == block.log
                && Some(&pass.run) == block.run.as_ref()
                && Some(&pass.task) == block.task.as_ref()
        };
        if let Some(pass) = pass.filter(is_told) {
            return match &pass.made {
                None => Claim::Contradicted(loss(Found::NoCommit)),
                Some(made) if made.commit == trace.commit => Claim::Recorded(seq),
                Some(_) => Claim::Copied(seq),
            };
        }
        let found = match pass {
            Some(pass) => Found::Other(pass.proof),
            None if seq > self.end => Found::End(self.end),
            None => Found::NoPass,
        };
        let is_own = block.run.as_ref().is_some_and(|run| self.runs.contains(run));
        if is_own { Claim::Contradicted(loss(found)) } else { Claim::Stranger(loss(found)) }
    }
}

impl Made {
    /// What is wrong with the commit as it stands in the repository, and what the log says.
    pub(super) fn difference(&self, pass: &Pass, seq: Seq, trace: &Trace) -> Option<[String; 2]> {
        let claims = Trailers {
            run: Some(pass.run.clone()),
            task: Some(pass.task.clone()),
            seq: Some(seq),
            log: Some(pass.proof),
        };
        if trace.tree != self.tree || trace.tree != pass.tree {
            let want = format!("the judged tree {}", pass.tree);
            return Some([format!("the commit has the tree {}", trace.tree), want]);
        }
        if trace.parents != [self.parent.clone()] {
            let parents: Vec<&str> = trace.parents.iter().map(CommitId::as_str).collect();
            let found = format!("the commit has the parents [{}]", parents.join(", "));
            return Some([found, format!("the one parent {}", self.parent)]);
        }
        if trace.trailers != [claims.clone()] || self.claims != [claims] {
            let found = "the trailers of the commit name another event".to_owned();
            return Some([found, format!("event {seq} with proof {}", pass.proof)]);
        }
        None
    }
}
