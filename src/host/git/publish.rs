//! The commit: prepared and durable first, then published by one compare-and-swap.
//!
//! Hooks do not run: they belong to the commits of people, and a hook that changes what is
//! committed would change what was judged.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::content::as_path;
use super::disk::{self, absent};
use super::dotgit::remove;
use super::error::{GitError, LibraryKind, Refusal};
use super::freeze::Frozen;
use super::index::{Index, IndexEntry, Stat};
use super::mirror::{Dir, Node};
use super::object::CommitParts;
use super::oid::{Entry, Oid};
use super::snapshot::Snapshot;
use super::tracked::Tracked;
use super::tree::{self, Difference};
use super::worktree::Git;
use crate::engine::id::{CommitId, TreeId};

/// Somebody, as a commit names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// A moment, as a commit names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Seconds since 1970 in UTC.
    pub seconds: i64,
    /// The time zone, in minutes east of UTC.
    pub offset_minutes: i32,
}

/// A commit that is in the object store and that no ref names yet: everything it takes to make it
/// again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The commit.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// Its only parent.
    pub parent: CommitId,
    /// Who wrote it.
    pub author: Identity,
    /// Who committed it.
    pub committer: Identity,
    /// When.
    pub when: When,
    /// Its message.
    pub message: String,
}

/// Whether publishing moved the branch, or found that it had been moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// This call moved it.
    Now,
    /// An earlier one had; only the index was brought up to date.
    Before,
}

impl Git {
    /// Writes a commit without naming it in any ref, and makes it durable. The same arguments and
    /// identities give the same commit.
    ///
    /// # Errors
    /// Git does not know who commits, or something cannot be written.
    pub fn prepare_commit(
        &mut self,
        base: &CommitId,
        tree: &TreeId,
        message: &str,
        when: When,
    ) -> Result<Prepared, GitError> {
        let identities = self.identities.clone().or_else(|| self.repo.identities());
        let [author, committer] = identities.ok_or(Refusal::NoIdentity)?;
        let identity = |(name, email): (String, String)| Identity { name, email };
        let mut prepared = Prepared {
            commit: base.clone(),
            tree: tree.clone(),
            parent: base.clone(),
            author: identity(author),
            committer: identity(committer),
            when,
            message: message.to_owned(),
        };
        prepared.commit = self.write_commit(&prepared)?;
        Ok(prepared)
    }

    /// Makes a prepared commit again, from what was recorded about it.
    ///
    /// # Errors
    /// It comes out with another name, or its tree or parent is missing.
    pub fn remake_commit(&mut self, prepared: &Prepared) -> Result<(), GitError> {
        let made = self.write_commit(prepared)?;
        if made == prepared.commit {
            return Ok(());
        }
        Err(GitError::Damaged { what: "record of the commit", id: prepared.commit.to_string() })
    }

    fn write_commit(&self, prepared: &Prepared) -> Result<CommitId, GitError> {
        self.check_alive()?;
        let commit = self.repo.commit(&CommitParts {
            tree: Oid::parse(prepared.tree.as_str())?,
            parent: Some(Oid::parse(prepared.parent.as_str())?),
            author: (&prepared.author.name, &prepared.author.email),
            committer: (&prepared.committer.name, &prepared.committer.email),
            time: prepared.when.seconds,
            offset_minutes: prepared.when.offset_minutes,
            message: &prepared.message,
        })?;
        Ok(commit.commit())
    }

    /// Moves the branch, or a detached HEAD, from the base to the commit, and lets the index
    /// follow. The index is complete under its lock before the branch moves, and what is staged
    /// for other paths stays staged. May be called again after a crash.
    ///
    /// # Errors
    /// HEAD is neither at the base nor at the commit, the index is locked, or something cannot be
    /// written.
    pub fn publish(
        &mut self,
        prepared: &Prepared,
        snapshot: &Snapshot,
    ) -> Result<Published, GitError> {
        self.check_alive()?;
        let commit = Oid::parse(prepared.commit.as_str())?;
        let foreign =
            |found: String| GitError::ForeignHead { expected: snapshot.base.clone(), found };
        let head = self.repo.head()?;
        let published = match head.commit {
            Some(found) if found == commit => Published::Before,
            Some(found) if found == snapshot.base_oid && head.branch == snapshot.branch => {
                Published::Now
            }
            Some(found) => return Err(foreign(found.to_string())),
            None => return Err(foreign("an unborn branch".to_owned())),
        };
        let old_tree = self.repo.tree_of(snapshot.base_oid)?;
        let new_tree = self.repo.tree_of(commit)?;
        let changed = tree::differences(&self.repo, old_tree, new_tree)?;
        let index = self.next_index(snapshot, &changed)?;
        let lock = IndexLock::take(self, &index)?;
        self.flush(&changed)?;
        if published == Published::Now {
            let name = snapshot.branch.as_deref().unwrap_or("HEAD");
            let subject = prepared.message.lines().next().unwrap_or_default();
            let log = format!("commit: {subject}");
            match self.repo.swap_ref(name, snapshot.base_oid, commit, &log) {
                Err(error) if error.library() == Some(LibraryKind::Modified) => {
                    return Err(foreign("another commit".to_owned()));
                }
                moved => moved?,
            }
        }
        lock.put_in_place()?;
        self.adopt(snapshot, new_tree, index, &changed)?;
        Ok(published)
    }

    /// Makes durable what a candidate changed in the work tree, where it is left uncommitted.
    ///
    /// # Errors
    /// Something cannot be read or flushed.
    pub fn keep(&self, snapshot: &Snapshot, frozen: &Frozen) -> Result<(), GitError> {
        let tree = Oid::parse(frozen.tree.as_str())?;
        let changed = tree::differences(&self.repo, snapshot.base_tree_oid, tree)?;
        self.flush(&changed)
    }

    /// The index with the changed paths as they are committed.
    fn next_index(
        &mut self,
        snapshot: &Snapshot,
        changed: &[Difference],
    ) -> Result<Index, GitError> {
        let mut index = match self.read_index() {
            Ok(index) => (*index).clone(),
            Err(GitError::Index { .. }) => (*snapshot.tracked.index).clone(),
            Err(error) => return Err(error),
        };
        for one in changed.iter().filter(|one| one.new.is_none()) {
            index.remove(&one.path);
        }
        let top = self.top.clone().unwrap_or_else(|| Arc::clone(&snapshot.top));
        for one in changed {
            if let Some(entry) = one.new {
                index.set(IndexEntry::new(&one.path, entry, stat_of(&top, &one.path, entry)));
            }
        }
        Ok(index)
    }

    /// Makes the changed files of the work tree durable: the commit says that they are there.
    fn flush(&self, changed: &[Difference]) -> Result<(), GitError> {
        let mut parents: BTreeSet<&[u8]> = BTreeSet::new();
        for path in changed.iter().map(|one| one.path.as_slice()) {
            let failed =
                |error: std::io::Error| GitError::io("flush", self.root.join(as_path(path)), error);
            let parent = absent(disk::open_parent(self.root(), path));
            let Some((dir, name)) = parent.map_err(|error| failed(error.into()))? else {
                continue;
            };
            match disk::open_file(dir.as_fd(), name) {
                Ok(file) => file.sync_all().map_err(failed)?,
                // Links live in their directory, and what was deleted has no content.
                Err(Errno::NOENT | Errno::LOOP | Errno::ACCESS | Errno::NXIO) => {}
                Err(error) => return Err(failed(error.into())),
            }
            if parents.insert(path.rsplitn(2, |byte| *byte == b'/').nth(1).unwrap_or(b"")) {
                rustix::fs::fsync(&dir).map_err(|error| failed(error.into()))?;
            }
        }
        Ok(())
    }

    /// Remembers what is tracked now, so that nothing has to be read again.
    fn adopt(
        &mut self,
        snapshot: &Snapshot,
        tree: Oid,
        index: Index,
        changed: &[Difference],
    ) -> Result<(), GitError> {
        let index = Arc::new(index);
        self.adopt_index(Arc::clone(&index))?;
        let before = &snapshot.tracked;
        let more: Vec<_> =
            changed.iter().filter_map(|one| Some((one.path.clone(), one.new?))).collect();
        let mut next = before.with(&more);
        let attributes = more.iter().map(|(path, _)| path);
        next.attribute_files
            .extend(attributes.filter(|path| path.ends_with(b"/.gitattributes")).cloned());
        for one in changed {
            next.staged.remove(&one.path);
        }
        self.tracked = Some(Arc::new(Tracked { tree, index, ..next }));
        Ok(())
    }
}

/// The index under its lock, complete and flushed. Dropped without being put in place, it is gone.
pub(super) struct IndexLock {
    path: PathBuf,
    lock: PathBuf,
    in_place: bool,
}

impl IndexLock {
    pub(super) fn take(git: &Git, index: &Index) -> Result<Self, GitError> {
        let path = git.index_path();
        let lock = path.with_extension("lock");
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(GitError::Locked { path: lock });
            }
            Err(error) => return Err(GitError::io("make", lock, error)),
        };
        let taken = Self { path, lock, in_place: false };
        let written = file.write_all(&index.encode()).and_then(|()| file.sync_all());
        written.map_err(|error| GitError::io("write", &taken.lock, error))?;
        Ok(taken)
    }

    pub(super) fn put_in_place(mut self) -> Result<(), GitError> {
        std::fs::rename(&self.lock, &self.path)
            .map_err(|error| GitError::io("replace", &self.path, error))?;
        self.in_place = true;
        let dir = self.path.parent().unwrap_or(&self.path);
        let flushed = std::fs::File::open(dir).and_then(|dir| dir.sync_all());
        flushed.map_err(|error| GitError::io("flush", dir, error))
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        if !self.in_place {
            // The error that led here is the one to tell; a lock that stays is found by the next.
            remove(&self.lock).ok();
        }
    }
}

/// What the index may remember about a file: its stamp, if it vouches for this very content.
/// Nothing makes git look at the content itself.
pub(super) fn stat_of(top: &Dir, path: &[u8], entry: Entry) -> Stat {
    match top.find(path) {
        Some(Node::File(file)) if file.settled && file.clean.or(file.raw) == Some(entry.oid) => {
            Stat::from(&file.stamp)
        }
        _ => Stat::default(),
    }
}
