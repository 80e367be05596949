//! What later facts say about commits that no oracle has judged.
//!
//! There is evidence against a commit, or there is none: nothing that happens later proves that
//! work is good. What can be read in two ways is no evidence; `docs/later_facts.md` says how each
//! fact is told from what merely looks like it.

mod commands;
mod history;

use schemars::JsonSchema;
use serde::Serialize;

use super::accepted::{Accepted, Accounts};
use super::rate::Rate;
use super::reverify::{Agreement, Reverified};
use crate::engine::id::{CommitId, Seq, TaskId};
use crate::host::git::{Git, GitError};
use history::History;

/// A commit of a run, and what happened since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Followed {
    /// The log that tells of it.
    pub log: String,
    /// The judgement that let it through.
    pub seq: Seq,
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit.
    pub commit: CommitId,
    /// What later facts come to.
    pub standing: Standing,
    /// What speaks against it.
    pub contradictions: Vec<Contradiction>,
    /// What was seen and is no evidence.
    pub remarks: Vec<String>,
}

/// What later facts come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Something speaks against it.
    Contradicted,
    /// One of its commands was run again, and nothing speaks against it.
    NothingAgainst,
    /// Nothing was ever asked again.
    NoLaterEvidence,
}

/// A fact that speaks against a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Contradiction {
    /// Which kind.
    pub fact: Fact,
    /// In one line.
    pub reason: String,
    /// The event that shows it, where one does.
    pub seq: Option<Seq>,
    /// The commit that shows it, where one does.
    pub commit: Option<CommitId>,
}

/// What can speak against a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A later commit takes it back.
    Reverted,
    /// It is in no history any more, and neither is what it brought.
    Dropped,
    /// One of its verify commands failed later, and no change since can be blamed.
    CommandFailed,
    /// Its commands fail on its own tree.
    ReverifyDisagrees,
}

/// What all commits come to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Later {
    /// How many there are.
    pub commits: u64,
    /// Commits that something speaks against, of all of them: at least so many are bad.
    pub contradicted: Rate,
    /// The same, of those alone about which anything was asked again.
    pub contradicted_of_examined: Rate,
    /// Commits about which nothing was ever asked again.
    pub without_evidence: u64,
}

impl Later {
    /// Adds up.
    pub fn of(commits: &[Followed]) -> Self {
        let count = |standing| commits.iter().filter(|it| it.standing == standing).count() as u64;
        let (all, bad) = (commits.len() as u64, count(Standing::Contradicted));
        let without = count(Standing::NoLaterEvidence);
        Self {
            commits: all,
            contradicted: Rate::new(bad, all),
            contradicted_of_examined: Rate::new(bad, all - without),
            without_evidence: without,
        }
    }
}

/// Asks what happened since to every commit of a log: the log itself, the repository where there is
/// one, and the commands that were run again where they were.
///
/// # Errors
/// The repository cannot be read.
pub fn follow(
    log: &str,
    accounts: &Accounts,
    git: Option<&Git>,
    reverified: &[Reverified],
) -> Result<Vec<Followed>, GitError> {
    let mut history = git.map(|git| History::read(git, accounts)).transpose()?;
    let mut found = vec![];
    // What was built on a commit can tell what became of it, so the last one comes first.
    for accepted in accounts.accepted.iter().rev() {
        let Some(commit) = accepted.commit.clone() else { continue };
        let mut remarks = vec![];
        let mut contradictions = vec![];
        if let Some(history) = &mut history {
            let said = history.ask(accepted, &commit)?;
            contradictions.extend(said.contradiction);
            remarks.extend(said.remark);
        }
        let commands = commands::ask(accounts, accepted, &commit);
        contradictions.extend(commands.contradiction);
        let again = reverified.iter().find(|one| one.seq == accepted.seq);
        let is_examined = commands.is_asked || again.is_some_and(has_told);
        contradictions.extend(again.and_then(disagrees));
        let standing = match (contradictions.is_empty(), is_examined) {
            (false, _) => Standing::Contradicted,
            (true, true) => Standing::NothingAgainst,
            (true, false) => Standing::NoLaterEvidence,
        };
        found.push(followed(log, accepted, commit, standing, (contradictions, remarks)));
    }
    found.reverse();
    Ok(found)
}

fn followed(
    log: &str,
    accepted: &Accepted,
    commit: CommitId,
    standing: Standing,
    (contradictions, remarks): (Vec<Contradiction>, Vec<String>),
) -> Followed {
    Followed {
        log: log.to_owned(),
        seq: accepted.seq,
        task: accepted.task.clone(),
        attempt: accepted.attempt,
        commit,
        standing,
        contradictions,
        remarks,
    }
}

fn has_told(again: &Reverified) -> bool {
    again.outcome != Agreement::CannotTell
}

fn disagrees(again: &Reverified) -> Option<Contradiction> {
    (again.outcome == Agreement::Disagree).then(|| Contradiction {
        fact: Fact::ReverifyDisagrees,
        reason: format!("in a clean checkout of its tree: {}", again.reason),
        seq: None,
        commit: None,
    })
}
