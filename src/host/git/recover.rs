//! Finds out, after a crash, how far a commit came, and clears what it left behind.

use super::content::as_path;
use super::dotgit::{clear_own_ref_locks, remove};
use super::error::GitError;
use super::meta;
use super::object::{Kind, Target};
use super::oid::Oid;
use super::publish::{IndexLock, stat_of};
use super::trace::between;
use super::worktree::Git;
use crate::engine::id::CommitId;

const LOG: &str = "log";

/// How large the anchor of a log may be.
const ANCHOR_BYTES_MAX: u64 = 4096;

/// How many of an agent's commits are named.
const COMMITS_MAX: usize = 1000;

/// Where HEAD is, seen from an attempt that did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// At the prepared commit: the branch moved.
    Prepared,
    /// On the same branch, at commits that were made on top of the prepared one: the branch moved,
    /// and somebody went on from there.
    Beyond,
    /// At the commit the attempt began with.
    Base,
    /// On the same branch, at commits that were made on top of the base; newest first.
    AgentCommits(Vec<CommitId>),
    /// Anywhere else: a person's work.
    Foreign(CommitId),
}

impl Git {
    /// Says where HEAD is. `branch` is the full name of the attempt's branch.
    ///
    /// # Errors
    /// HEAD or the history cannot be read.
    pub fn locate(
        &self,
        branch: Option<&str>,
        base: &CommitId,
        prepared: Option<&CommitId>,
    ) -> Result<At, GitError> {
        self.check_alive()?;
        let (head, found) = self.head()?;
        let base = Oid::parse(base.as_str())?;
        if prepared.is_some_and(|prepared| prepared.as_str() == found.to_string()) {
            return Ok(At::Prepared);
        }
        if found == base {
            return Ok(At::Base);
        }
        if head.branch.as_deref() == branch && self.repo.descends(found, base)? {
            if let Some(prepared) = prepared
                && self.repo.descends(found, Oid::parse(prepared.as_str())?)?
            {
                return Ok(At::Beyond);
            }
            let commits = between(&self.repo, found, base, COMMITS_MAX)?;
            return Ok(At::AgentCommits(commits.into_iter().map(Oid::commit).collect()));
        }
        Ok(At::Foreign(found.commit()))
    }

    /// The directory that all work trees of the repository share.
    pub fn common_dir(&self) -> &std::path::Path {
        self.repo.common_dir()
    }

    /// Removes the locks that a killed process of ours can have left: of the index, of HEAD, of
    /// the branch, and of refs that nobody else writes. To be called only while no other process may be at work here.
    ///
    /// # Errors
    /// One of them cannot be removed.
    pub fn clear_stale_locks(&self, branch: Option<&str>) -> Result<(), GitError> {
        let own = self.repo.git_dir();
        clear_own_ref_locks(self)?;
        remove(&own.join("index.lock"))?;
        remove(&own.join("HEAD.lock"))?;
        match branch {
            Some(branch) => remove(&self.repo.common_dir().join(format!("{branch}.lock"))),
            None => Ok(()),
        }
    }

    /// Writes the index anew from HEAD. What was staged is forgotten, the work tree stays. Cures
    /// an index that a power cut made unreadable.
    ///
    /// # Errors
    /// The index is locked or cannot be written.
    pub fn sync_index_to_head(&mut self) -> Result<(), GitError> {
        self.check_alive()?;
        let (_, commit) = self.head()?;
        let mut index = meta::index_of(self, self.repo.tree_of(commit)?)?;
        if let Some(top) = &self.top {
            for entry in &mut index.entries {
                entry.stat = stat_of(top, &entry.path, entry.entry);
            }
        }
        IndexLock::take(self, &index)?.put_in_place()
    }

    /// Whether the index can be read.
    ///
    /// # Errors
    /// It can be read, and says something that is not supported; or the machine failed.
    pub fn index_is_readable(&mut self) -> Result<bool, GitError> {
        match self.read_index() {
            Ok(_) => Ok(true),
            Err(GitError::Index { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Keeps a few bytes about the log under `refs/looper/log`, so that a log that lost its end
    /// shows. In a linked work tree this ref, as all of ours, is below `refs/looper/in/<name>/`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn anchor(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        // A run that was killed right here has no attempt to settle, and nobody else takes its lock
        // away.
        clear_own_ref_locks(self)?;
        let blob = self.repo.write(Kind::Blob, bytes)?;
        self.repo.set_ref(&self.own_ref(LOG), &Target::Direct(blob), "looper: log")
    }

    /// What [`anchor`](Self::anchor) kept last.
    ///
    /// # Errors
    /// It cannot be read, or is larger than anything that was kept.
    pub fn read_anchor(&self) -> Result<Option<Vec<u8>>, GitError> {
        let Some(Target::Direct(blob)) = self.repo.find_ref(&self.own_ref(LOG))? else {
            return Ok(None);
        };
        if self.repo.header(blob)?.1 > ANCHOR_BYTES_MAX {
            return Err(GitError::Damaged { what: "anchor", id: blob.to_string() });
        }
        self.repo.read(blob).map(|(_, bytes)| Some(bytes))
    }

    /// Where a path of the repository is on disk.
    pub fn on_disk(&self, path: &crate::engine::id::RepoPath) -> std::path::PathBuf {
        self.root.join(as_path(path.as_bytes()))
    }
}
