//! Commits that a person took back, or took out of history.

use std::collections::{BTreeMap, BTreeSet};

use super::{Contradiction, Fact};
use crate::bench::accepted::{Accepted, Accounts};
use crate::engine::id::CommitId;
use crate::engine::message::Trailers;
use crate::host::git::{Chronicle, Delta, Git, GitError, Told};

/// What `git revert` writes before the commit that it takes back.
const REVERTS: &str = "This reverts commit ";

/// What it writes between a merge and the parent that stays.
const REVERSING: &str = "reversing changes made to ";

/// A shorter name of a commit is not believed.
const NAME_MIN: usize = 7;

/// How many later commits are searched for the exact inverse of a change, or for its content.
const SEARCHED_MAX: usize = 5_000;

/// The history since the first run of a log began.
pub(super) struct History<'a> {
    git: &'a Git,
    chronicle: Chronicle,
    /// Commits whose claims the log knows.
    ours: Vec<Trailers>,
    deltas: BTreeMap<CommitId, Option<Delta>>,
    /// Commits on which something was built whose content is still there.
    built_on: BTreeSet<CommitId>,
}

/// What the history says about a commit.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) contradiction: Option<Contradiction>,
    pub(super) remark: Option<String>,
}

impl<'a> History<'a> {
    /// Reads it.
    pub(super) fn read(git: &'a Git, accounts: &Accounts) -> Result<Self, GitError> {
        let chronicle = git.chronicle(accounts.base.as_ref(), &accounts.branches)?;
        let ours = accounts.accepted.iter().flat_map(|it| it.claims.iter().cloned()).collect();
        let (deltas, built_on) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { git, chronicle, ours, deltas, built_on })
    }

    /// Asks about one commit. Those that were built on it come before it.
    pub(super) fn ask(&mut self, accepted: &Accepted, commit: &CommitId) -> Result<Said, GitError> {
        let copies = self.copies(accepted, commit);
        if copies.is_empty() {
            return self.ask_about_lost(accepted, commit);
        }
        let here: Vec<CommitId> =
            copies.into_iter().filter(|copy| self.chronicle.line.contains(copy)).collect();
        let mut by = None;
        for copy in &here {
            match self.reverted_by(copy, &mut BTreeSet::new())? {
                Some(reverting) => by = Some(reverting),
                None => return Ok(Said::default()),
            }
        }
        let contradiction = by.map(|by| Contradiction {
            fact: Fact::Reverted,
            reason: format!("commit {by} takes it back"),
            seq: None,
            commit: Some(by),
        });
        Ok(Said { contradiction, remark: None })
    }

    /// The commit itself and what people have made of it, wherever it is.
    fn copies(&self, accepted: &Accepted, commit: &CommitId) -> Vec<CommitId> {
        let is_copy = |told: &Told| {
            told.trace.commit == *commit
                || accepted.claims.iter().any(|claim| told.trace.trailers.contains(claim))
        };
        let copies = self.chronicle.commits.values().filter(|told| is_copy(told));
        copies.map(|told| told.trace.commit.clone()).collect()
    }

    /// The commit that takes this one back, unless that one was taken back itself.
    fn reverted_by(
        &mut self,
        commit: &CommitId,
        seen: &mut BTreeSet<CommitId>,
    ) -> Result<Option<CommitId>, GitError> {
        if !seen.insert(commit.clone()) {
            return Ok(None);
        }
        for candidate in self.after(commit) {
            let is_revert = self.names(&candidate, commit) || self.undoes(&candidate, commit)?;
            if is_revert && self.reverted_by(&candidate, seen)?.is_none() {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    /// Commits of the line that were made on top of this one.
    fn after(&self, commit: &CommitId) -> Vec<CommitId> {
        let mut children: BTreeMap<&CommitId, Vec<&CommitId>> = BTreeMap::new();
        for id in &self.chronicle.line {
            let Some(told) = self.chronicle.commits.get(id) else { continue };
            for parent in &told.trace.parents {
                children.entry(parent).or_default().push(id);
            }
        }
        let (mut found, mut open) = (BTreeSet::new(), vec![commit]);
        while let Some(next) = open.pop() {
            for child in children.get(next).into_iter().flatten() {
                if found.insert(*child) {
                    open.push(child);
                }
            }
        }
        found.into_iter().cloned().collect()
    }

    /// Whether a commit says that it takes another one back, or the merge that brought it.
    fn names(&self, candidate: &CommitId, commit: &CommitId) -> bool {
        let Some(told) = self.chronicle.commits.get(candidate) else { return false };
        reverts(&told.message).into_iter().any(|(name, kept)| {
            if commit.as_str().starts_with(&name) {
                return true;
            }
            let Some(kept) = kept else { return false };
            let whole = |name: &str| {
                let mut all = self.chronicle.commits.keys();
                all.find(|known| known.as_str().starts_with(name)).cloned()
            };
            let before = |name: &str| self.chronicle.ancestors(whole(name).into_iter().collect());
            before(&name).contains(commit) && !before(&kept).contains(commit)
        })
    }

    /// Whether the change of one commit is the exact inverse of another one's. A commit that the
    /// log tells of is none: somebody planned it.
    fn undoes(&mut self, candidate: &CommitId, commit: &CommitId) -> Result<bool, GitError> {
        if self.chronicle.line.len() > SEARCHED_MAX {
            return Ok(false);
        }
        let told = self.chronicle.commits.get(candidate);
        if told.is_some_and(|told| told.trace.trailers.iter().any(|it| self.ours.contains(it))) {
            return Ok(false);
        }
        let (Some(later), Some(first)) = (self.delta(candidate)?, self.delta(commit)?) else {
            return Ok(false);
        };
        Ok(!first.is_empty() && later == first.inverse())
    }

    /// What a commit with one parent changed.
    fn delta(&mut self, commit: &CommitId) -> Result<Option<Delta>, GitError> {
        if let Some(known) = self.deltas.get(commit) {
            return Ok(known.clone());
        }
        let found = match self.git.look_up(commit)? {
            Some(trace) => match &trace.parents[..] {
                [parent] => match self.git.look_up(parent)? {
                    Some(parent) => self.git.delta(&parent.tree, &trace.tree)?,
                    None => None,
                },
                _ => None,
            },
            None => None,
        };
        self.deltas.insert(commit.clone(), found.clone());
        Ok(found)
    }

    /// A commit that no ref leads to, and no copy of it either.
    fn ask_about_lost(&mut self, accepted: &Accepted, commit: &CommitId) -> Result<Said, GitError> {
        let remark = |text: &str| {
            Ok(Said { contradiction: None, remark: Some(format!("it is in no history; {text}")) })
        };
        if self.chronicle.is_cut {
            return remark("but not all of the history was read");
        }
        if self.built_on.contains(commit) {
            self.built_on.insert(accepted.base.clone());
            return remark("but what was built on it is");
        }
        let Some(base) = self.git.look_up(&accepted.base)? else {
            return remark("this repository does not know where it began");
        };
        let Some(delta) = self.git.delta(&base.tree, &accepted.tree)? else {
            return remark("what it changed is gone, so nothing tells whether it is elsewhere");
        };
        if self.chronicle.commits.len() > SEARCHED_MAX {
            return remark("there are too many commits to look for what it changed");
        }
        for told in self.chronicle.commits.values() {
            let tree = &told.trace.tree;
            if self.git.has_tree(tree)? && self.git.holds_of(tree, &delta)? {
                let text = format!("commit {} has what it changed", told.trace.commit);
                self.built_on.insert(accepted.base.clone());
                return remark(&text);
            }
        }
        Ok(Said {
            contradiction: Some(Contradiction {
                fact: Fact::Dropped,
                reason: "it was amended or rebased away, and nothing it changed is left".to_owned(),
                seq: None,
                commit: None,
            }),
            remark: None,
        })
    }
}

/// The commits that a message says it takes back; where one is a merge, with the parent that stays.
fn reverts(message: &str) -> Vec<(String, Option<String>)> {
    let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = |text: &str| {
        let end = text.find(|char: char| !char.is_ascii_hexdigit()).unwrap_or(text.len());
        (end >= NAME_MIN).then(|| text[..end].to_ascii_lowercase())
    };
    let is_own_line = message.lines().any(|line| line.starts_with(REVERTS));
    let pieces = words.split(REVERTS).skip(1).filter(|_| is_own_line);
    pieces
        .filter_map(|piece| {
            let kept = piece.split_once(REVERSING).and_then(|(_, rest)| name(rest));
            Some((name(piece)?, kept))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ONE: &str = "0123456789012345678901234567890123456789";

    #[rstest]
    #[case::plain(&format!("Revert \"x\"\n\nThis reverts commit {ONE}.\n"), &[(ONE, None)])]
    #[case::with_words_behind(&format!("a\n\nThis reverts commit {ONE} because.\n"), &[(ONE, None)])]
    #[case::two("a\n\nThis reverts commit 1234567.\nThis reverts commit 89abcde.\n", &[("1234567", None), ("89abcde", None)])]
    #[case::a_merge(
        "Revert \"Merge\"\n\nThis reverts commit 1234567, reversing\nchanges made to 89abcde.\n",
        &[("1234567", Some("89abcde"))]
    )]
    #[case::too_short("a\n\nThis reverts commit 123456.\n", &[])]
    #[case::quoted("a\n\nGit writes \"This reverts commit 1234567.\"\n", &[])]
    #[case::about_reverts("a\n\nThis reverts the change.\n", &[])]
    fn a_message_says_what_it_takes_back(
        #[case] message: &str,
        #[case] want: &[(&str, Option<&str>)],
    ) {
        let found = reverts(message);
        let found: Vec<_> =
            found.iter().map(|(name, kept)| (name.as_str(), kept.as_deref())).collect();
        assert_eq!(found, want);
    }
}
