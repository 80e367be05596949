//! Makes the work tree what it was, at the snapshot or when the candidate was frozen.

use std::sync::Arc;

use super::error::GitError;
use super::freeze::Frozen;
use super::guard::Rescue;
use super::ignores::Rules;
use super::mirror::{Dir, differences};
use super::request::{Access, Caches, Depth};
use super::restore::Restorer;
use super::snapshot::Snapshot;
use super::tracked::Tracked;
use super::worktree::{Git, Sight};
use crate::engine::id::RepoPath;
use crate::host::reserve::is_out_of_room;

/// What it took to bring the work tree back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Paths that were brought back.
    pub restored: Vec<RepoPath>,
    /// Paths that were removed.
    pub removed: Vec<RepoPath>,
    /// Paths that differ and are not touched: the inside of repositories that were there before.
    pub left: Vec<RepoPath>,
    /// What was put back under `.git`.
    pub rescued: Vec<Rescue>,
}

impl Git {
    /// Brings everything back to the snapshot: tracked files, the index, files that were not
    /// tracked, modes, links, empty directories, HEAD, refs, hooks. Ignored files and nested
    /// repositories that were there before are not touched. May be called again after any crash.
    ///
    /// # Errors
    /// `.git` is gone, something cannot be written, or in the end the work tree does not equal the
    /// snapshot.
    pub fn rollback(&mut self, snapshot: &Snapshot) -> Result<Restored, GitError> {
        let rescued = match self.guard(snapshot) {
            Err(error) if is_out_of_room(&error) => {
                self.clear(
                    &snapshot.top,
                    &against(&snapshot.top, &snapshot.tracked, &snapshot.rules),
                )?;
                self.guard(snapshot)?
            }
            rescued => rescued?,
        };
        let restored = self.restore(&snapshot.top, &snapshot.tracked, &snapshot.rules)?;
        Ok(Restored { rescued, ..restored })
    }

    /// Removes what verify commands and critics left behind and puts back what they altered, so
    /// that the work tree holds the candidate and what was not committed before. To be called
    /// before verify as well: caches of the implementer are not part of the candidate.
    ///
    /// # Errors
    /// As for [`rollback`](Self::rollback).
    pub fn clean_to(&mut self, snapshot: &Snapshot, frozen: &Frozen) -> Result<Restored, GitError> {
        let rescued = self.guard(snapshot)?;
        let restored = self.restore(&frozen.top, &frozen.tracked, &snapshot.rules)?;
        Ok(Restored { rescued, ..restored })
    }

    /// Puts back what one verify command altered or deleted of the candidate, so that the next one
    /// judges the candidate and nothing else. What it made stays: the next one may want it.
    ///
    /// # Errors
    /// `.git` is gone, or something cannot be read or written.
    pub fn mend(&mut self, snapshot: &Snapshot, frozen: &Frozen) -> Result<Restored, GitError> {
        let rescued = self.guard(snapshot)?;
        let now = self.look(&against(&frozen.top, &frozen.tracked, &snapshot.rules))?;
        let restored = Restorer::mend(self, &frozen.top, &now)?;
        self.fresh = None;
        Ok(Restored { rescued, ..restored })
    }

    /// What took the room is what the attempt made: that goes before anything is written.
    fn clear(&mut self, target: &Dir, sight: &Sight<'_>) -> Result<Restored, GitError> {
        let now = self.look(sight)?;
        Restorer::clear(self, target, &now)
    }

    fn restore(
        &mut self,
        target: &Arc<Dir>,
        tracked: &Tracked,
        rules: &Rules,
    ) -> Result<Restored, GitError> {
        let mut sight = against(target, tracked, rules);
        let everything = Depth::Store { file_bytes_max: u64::MAX };
        let now = self.look(&sight)?;
        if now.permissions == target.permissions && differences(target, &now).is_empty() {
            // Equal to what is in the object store: nothing is left to be stored.
            self.fresh = Some(everything);
            return Ok(Restored::default());
        }
        let restored = match Restorer::run(self, target, &now) {
            Err(error) if is_out_of_room(&error) => {
                let cleared = self.clear(target, &sight)?;
                let now = self.look(&sight)?;
                let mut restored = Restorer::run(self, target, &now)?;
                restored.removed.extend(cleared.removed);
                restored
            }
            restored => restored?,
        };
        sight.depth = everything;
        let after = self.look(&sight)?;
        let mut paths: Vec<RepoPath> =
            differences(target, &after).into_iter().map(|delta| delta.path).collect();
        paths.retain(|path| !restored.left.contains(path));
        if paths.is_empty() && after.permissions == target.permissions {
            return Ok(restored);
        }
        self.fresh = None;
        Err(GitError::Unrestored { paths })
    }
}

/// A look for what differs from a target, permissions or not.
fn against<'a>(target: &'a Arc<Dir>, tracked: &'a Tracked, rules: &'a Rules) -> Sight<'a> {
    Sight {
        tracked,
        depth: Depth::Compare,
        access: Access::Force,
        caches: Caches::Seen,
        reference: Some(target),
        rules: Some(rules),
    }
}
