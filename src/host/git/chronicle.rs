//! What happened since a commit: every later one with its words, and what each changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::error::{GitError, absent};
use super::object::{Kind, Target};
use super::oid::{Entry, Oid};
use super::trace::Trace;
use super::worktree::Git;
use super::{refs, tree};
use crate::engine::id::{CommitId, TreeId};

/// How many commits are read. Where the first base is still there, only later ones count.
const COMMITS_MAX: usize = 100_000;

/// A commit with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The commit.
    pub trace: Trace,
    /// What it says.
    pub message: String,
}

/// Every commit that a branch, a remote-tracking branch, a tag or HEAD leads to.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    /// Them, by name.
    pub commits: BTreeMap<CommitId, Told>,
    /// Those that HEAD or one of the named branches leads to.
    pub line: BTreeSet<CommitId>,
    /// Whether there were more than are read.
    pub is_cut: bool,
}

/// What differs between two trees, exactly: every path with its mode and content on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta(Vec<(Vec<u8>, Option<Entry>, Option<Entry>)>);

impl Delta {
    /// What takes it back.
    pub fn inverse(&self) -> Self {
        let swapped = self.0.iter().map(|(path, old, new)| (path.clone(), *new, *old));
        Self(swapped.collect())
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Git {
    /// Reads every commit that any ref of people leads to and `since` does not. `branches` are
    /// names without `refs/heads/`; those that are gone lead nowhere.
    ///
    /// # Errors
    /// The refs or the history cannot be read.
    pub fn chronicle(
        &self,
        since: Option<&CommitId>,
        branches: &[String],
    ) -> Result<Chronicle, GitError> {
        let head = self.repo.head()?.commit;
        let (mut all, mut line): (Vec<Oid>, Vec<Oid>) =
            (head.into_iter().collect(), head.into_iter().collect());
        for (name, target) in refs::list(self.repo.common_dir())? {
            let Target::Direct(oid) = target else { continue };
            let is_peoples = ["refs/heads/", "refs/remotes/", "refs/tags/"]
                .iter()
                .any(|it| name.starts_with(it));
            if is_peoples {
                all.push(self.peeled(oid)?);
            }
            let branch = name.strip_prefix("refs/heads/");
            if branch.is_some_and(|branch| branches.iter().any(|known| known == branch)) {
                line.push(oid);
            }
        }
        let hidden: Vec<Oid> =
            since.map(|commit| Oid::parse(commit.as_str())).transpose()?.into_iter().collect();
        let mut chronicle = Chronicle::default();
        self.repo.walk(&all, &hidden, |oid| {
            if chronicle.commits.len() == COMMITS_MAX {
                chronicle.is_cut = true;
                return Ok(ControlFlow::Break(()));
            }
            if let Some((trace, message)) = self.told(oid)? {
                chronicle.commits.insert(oid.commit(), Told { trace, message });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        chronicle.line = chronicle.ancestors(line.into_iter().map(Oid::commit).collect());
        Ok(chronicle)
    }

    /// An annotated tag stands for what it names.
    fn peeled(&self, oid: Oid) -> Result<Oid, GitError> {
        let Some((Kind::Tag, _)) = absent(self.repo.header(oid))? else { return Ok(oid) };
        let (_, bytes) = self.repo.read(oid)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text
            .strip_prefix("object ")
            .and_then(|rest| Oid::from_hex(rest.get(..40)?))
            .unwrap_or(oid))
    }

    /// What differs between two trees. `None`: one of them is not there.
    ///
    /// # Errors
    /// A tree is damaged.
    pub fn delta(&self, old: &TreeId, new: &TreeId) -> Result<Option<Delta>, GitError> {
        if !self.has_tree(old)? || !self.has_tree(new)? {
            return Ok(None);
        }
        let (old, new) = (Oid::parse(old.as_str())?, Oid::parse(new.as_str())?);
        let found = absent(tree::differences(&self.repo, old, new))?;
        let delta = |found: Vec<tree::Difference>| {
            Delta(found.into_iter().map(|one| (one.path, one.old, one.new)).collect())
        };
        Ok(found.map(delta))
    }

    /// Whether a tree holds something that came with a difference: one of its files as it became
    /// then or, where it only took files away, none of them.
    ///
    /// # Errors
    /// The tree is damaged.
    pub fn holds_of(&self, tree: &TreeId, delta: &Delta) -> Result<bool, GitError> {
        let tree = Oid::parse(tree.as_str())?;
        let only_takes = delta.0.iter().all(|(_, _, new)| new.is_none());
        for (path, _, new) in &delta.0 {
            let found = tree::find(&self.repo, tree, path)?;
            match (only_takes, new) {
                (true, _) if found.is_some() => return Ok(false),
                (false, Some(_)) if found == *new => return Ok(true),
                _ => {}
            }
        }
        Ok(only_takes)
    }
}

impl Chronicle {
    /// These and every commit before them, as far as they are known.
    pub fn ancestors(&self, of: Vec<CommitId>) -> BTreeSet<CommitId> {
        let (mut found, mut open) = (BTreeSet::new(), of);
        while let Some(next) = open.pop() {
            let Some(told) = self.commits.get(&next) else { continue };
            if found.insert(next) {
                open.extend(told.trace.parents.iter().cloned());
            }
        }
        found
    }
}
