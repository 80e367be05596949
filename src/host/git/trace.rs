//! Commits as witnesses: what their messages say about the log, and where they came from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use super::error::GitError;
use super::object::{Kind, Target};
use super::oid::Oid;
use super::reflog::{self, By, Move};
use super::refs;
use super::repo::Repo;
use super::worktree::Git;
use crate::engine::id::{CommitId, TreeId};
use crate::engine::message::{Trailers, trailers};

/// A commit object that is larger than this is not one of ours.
const COMMIT_BYTES_MAX: u64 = 4 << 20;

/// How many reflogs are read.
const REFLOGS_MAX: usize = 1000;

/// A commit, seen from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The commit.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// Its parents.
    pub parents: Vec<CommitId>,
    /// What its message claims.
    pub trailers: Vec<Trailers>,
}

/// Where the history of a repository ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tips {
    /// HEAD and the local branches.
    local: BTreeSet<Oid>,
    /// What was put back in this work tree.
    rescued: BTreeSet<Oid>,
}

/// Where a commit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was made in this work tree.
    Here,
    /// It was made elsewhere and brought here.
    Elsewhere,
    /// Nothing tells.
    Unknown,
}

/// The commits that `tip` has and `base` has not, newest first.
pub(super) fn between(repo: &Repo, tip: Oid, base: Oid, max: usize) -> Result<Vec<Oid>, GitError> {
    let mut commits = vec![];
    repo.walk(&[tip], &[base], |oid| {
        commits.push(oid);
        Ok(if commits.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(commits)
}

impl Git {
    /// Where the history ends now.
    ///
    /// # Errors
    /// The refs cannot be read.
    pub fn tips(&self) -> Result<Tips, GitError> {
        let mut tips = Tips::default();
        tips.local.extend(self.repo.head()?.commit);
        let rescued = self.own_ref("rescued/");
        for (name, target) in refs::list(self.repo.common_dir())? {
            let Target::Direct(oid) = target else { continue };
            if name.starts_with("refs/heads/") {
                tips.local.insert(oid);
            } else if name.starts_with(&rescued) {
                tips.rescued.insert(oid);
            }
        }
        Ok(tips)
    }

    /// Shows every commit that HEAD and the branches lead to and those of `seen` do not, newest
    /// first, until `visit` has seen enough.
    ///
    /// # Errors
    /// The history cannot be read, or `visit` fails.
    pub fn traces(
        &self,
        tips: &Tips,
        seen: &Tips,
        visit: impl FnMut(Trace) -> ControlFlow<()>,
    ) -> Result<(), GitError> {
        self.walk_from(&tips.local, &seen.local, visit)
    }

    /// Shows every commit that was put back and that no branch leads to.
    ///
    /// # Errors
    /// As [`traces`](Self::traces).
    pub fn rescued_traces(
        &self,
        tips: &Tips,
        visit: impl FnMut(Trace) -> ControlFlow<()>,
    ) -> Result<(), GitError> {
        self.walk_from(&tips.rescued, &tips.local, visit)
    }

    /// Shows the commits that lead to this one, or else to HEAD, newest first.
    ///
    /// # Errors
    /// As [`traces`](Self::traces).
    pub fn traces_of(
        &self,
        tip: Option<&CommitId>,
        visit: impl FnMut(Trace) -> ControlFlow<()>,
    ) -> Result<(), GitError> {
        let tip = match tip {
            Some(commit) => Some(Oid::parse(commit.as_str())?),
            None => self.repo.head()?.commit,
        };
        self.walk_from(&tip.into_iter().collect(), &BTreeSet::new(), visit)
    }

    fn walk_from(
        &self,
        tips: &BTreeSet<Oid>,
        hidden: &BTreeSet<Oid>,
        mut visit: impl FnMut(Trace) -> ControlFlow<()>,
    ) -> Result<(), GitError> {
        let list = |oids: &BTreeSet<Oid>| oids.iter().copied().collect::<Vec<_>>();
        self.repo.walk(&list(tips), &list(hidden), |oid| {
            Ok(self.trace(oid)?.map_or(ControlFlow::Continue(()), &mut visit))
        })
    }

    /// One commit. `None`: the repository has no such object.
    ///
    /// # Errors
    /// It is no commit, or cannot be read.
    pub fn look_up(&self, commit: &CommitId) -> Result<Option<Trace>, GitError> {
        self.trace(Oid::parse(commit.as_str())?)
    }

    /// Whether a tree is in the repository.
    ///
    /// # Errors
    /// The object store cannot be read.
    pub fn has_tree(&self, tree: &TreeId) -> Result<bool, GitError> {
        let header = super::error::absent(self.repo.header(Oid::parse(tree.as_str())?))?;
        Ok(matches!(header, Some((Kind::Tree, _))))
    }

    /// Whether older commits were left out when the repository was cloned.
    pub fn is_shallow(&self) -> bool {
        self.repo.common_dir().join("shallow").metadata().is_ok_and(|found| found.len() > 0)
    }

    fn trace(&self, oid: Oid) -> Result<Option<Trace>, GitError> {
        Ok(self.told(oid)?.map(|(trace, _)| trace))
    }

    /// One commit with its message.
    pub(super) fn told(&self, oid: Oid) -> Result<Option<(Trace, String)>, GitError> {
        let Some((kind, size)) = super::error::absent(self.repo.header(oid))? else {
            return Ok(None);
        };
        let damaged = || GitError::Damaged { what: "commit", id: oid.to_string() };
        if kind != Kind::Commit || size > COMMIT_BYTES_MAX {
            return Err(damaged());
        }
        let (_, bytes) = self.repo.read(oid)?;
        let text = String::from_utf8_lossy(&bytes);
        let (header, message) = text.split_once("\n\n").unwrap_or((&text, ""));
        let named = |prefix: &'static str| {
            header.lines().filter_map(move |line| Oid::from_hex(line.strip_prefix(prefix)?))
        };
        let tree = named("tree ").next().ok_or_else(damaged)?;
        let trace = Trace {
            commit: oid.commit(),
            tree: TreeId::new(tree.to_string()),
            parents: named("parent ").map(Oid::commit).collect(),
            trailers: trailers(message),
        };
        Ok(Some((trace, message.to_owned())))
    }

    /// Where these commits came from, as far as reflogs and remote-tracking branches tell. Git
    /// forgets: a reflog can be expired, switched off or removed.
    ///
    /// # Errors
    /// A reflog or the history cannot be read.
    pub fn origins(
        &self,
        commits: &BTreeSet<CommitId>,
    ) -> Result<BTreeMap<CommitId, Origin>, GitError> {
        let wanted: BTreeSet<Oid> =
            commits.iter().map(|it| Oid::parse(it.as_str())).collect::<Result<_, _>>()?;
        let moves = reflog::read(&self.repo.git_dir().join("logs/HEAD"))?;
        let here = self.made_here(&moves, &wanted)?;
        let head = self.repo.head()?.commit;
        // A reflog that does not end where HEAD is has lost something.
        let vouches = moves.last().is_some_and(|last| Some(last.new) == head);
        let imports = moves.iter().filter(|it| it.by == By::Import).map(|it| it.new);
        let mut tips: Vec<Oid> = imports.chain(self.remote_tips()?).collect();
        tips.sort_unstable();
        tips.dedup();
        let mut elsewhere = if vouches { self.made_by_others()? } else { BTreeSet::new() };
        let mut left = wanted.len();
        self.repo.walk(&tips, &[], |oid| {
            if wanted.contains(&oid) {
                elsewhere.insert(oid);
                left -= 1;
            }
            Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let origin = |oid: &Oid| match (here.contains(oid), elsewhere.contains(oid)) {
            (true, _) => Origin::Here,
            (false, true) => Origin::Elsewhere,
            (false, false) => Origin::Unknown,
        };
        Ok(wanted.iter().map(|oid| (oid.commit(), origin(oid))).collect())
    }

    /// Those of the wanted commits that a reflog of HEAD saw being made. One that was made from
    /// another one with the same claims is a person's copy of it.
    fn made_here(&self, moves: &[Move], wanted: &BTreeSet<Oid>) -> Result<BTreeSet<Oid>, GitError> {
        let mut made = BTreeSet::new();
        let is_wanted = |step: &&Move| step.made_a_commit() && wanted.contains(&step.new);
        for step in moves.iter().filter(is_wanted) {
            let claims = |oid| Ok::<_, GitError>(self.trace(oid)?.map(|trace| trace.trailers));
            if claims(step.old)? != claims(step.new)? {
                made.insert(step.new);
            }
        }
        Ok(made)
    }

    fn remote_tips(&self) -> Result<Vec<Oid>, GitError> {
        let refs = refs::list(self.repo.common_dir())?;
        let remote = refs.into_iter().filter_map(|(name, target)| match target {
            Target::Direct(oid) if name.starts_with("refs/remotes/") => Some(oid),
            Target::Direct(_) | Target::Symbolic(_) => None,
        });
        Ok(remote.collect())
    }

    /// The commits that were made on a branch or in a work tree of this repository, whoever made
    /// them there.
    fn made_by_others(&self) -> Result<BTreeSet<Oid>, GitError> {
        let common = self.repo.common_dir();
        let mut paths = vec![common.join("logs/HEAD")];
        paths.extend(below(&common.join("worktrees")).map(|tree| tree.join("logs/HEAD")));
        let branches = refs::list(common)?;
        let branches = branches.keys().filter(|name| name.starts_with("refs/heads/"));
        paths.extend(branches.map(|name| common.join("logs").join(name)));
        paths.truncate(REFLOGS_MAX);
        let mut made = BTreeSet::new();
        for path in paths {
            let moves = reflog::read(&path)?;
            made.extend(moves.iter().filter(|it| it.made_a_commit()).map(|it| it.new));
        }
        Ok(made)
    }
}

fn below(dir: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}
