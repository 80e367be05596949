//! The state before an attempt, kept so that any later process can bring it back.
//!
//! One commit under `refs/looper/snapshot` holds everything: the work tree byte for byte, without
//! line-ending conversion, the index where it cannot be made again from HEAD, and what under
//! `.git` is put back. Whatever did not change since the last snapshot is shared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use super::dirty::Comparison;
use super::dotgit::clear_own_ref_locks;
use super::error::{GitError, Refusal};
use super::guarded::Guarded;
use super::ignores::Rules;
use super::meta::{self, Meta};
use super::mirror::{Dir, Node, SpecialKind, repo_path};
use super::object::{CommitParts, Kind, Target};
use super::oid::{Entry, Oid, mode};
use super::request::{Access, Caches, Depth, KEPT_BYTES_MAX};
use super::tracked::Tracked;
use super::tree;
use super::worktree::{Git, Sight};
use crate::engine::id::{CommitId, TreeId};

pub(super) const SNAPSHOT: &str = "snapshot";

/// Who snapshots and rescued files are from. Fixed, as is their time, so that the same state has
/// the same name.
pub(super) const NOBODY: (&str, &str) = ("looper", "looper@localhost");

/// The state before an attempt. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshot(Arc<Parts>);

/// What a snapshot holds.
#[derive(Debug)]
pub struct Parts {
    /// The snapshot's own name.
    pub id: CommitId,
    /// The commit under HEAD.
    pub base: CommitId,
    /// The tree that changes are counted from: that of `base`, or the one that was carried over.
    pub base_tree: TreeId,
    /// The full name of the branch; nothing when HEAD is detached.
    pub branch: Option<String>,
    /// The tree of the work tree's raw bytes.
    pub work: TreeId,
    /// Whether anything was not committed.
    pub dirty: bool,
    pub(super) base_oid: Oid,
    pub(super) base_tree_oid: Oid,
    pub(super) id_oid: Oid,
    pub(super) top: Arc<Dir>,
    pub(super) rules: Rules,
    pub(super) tracked: Arc<Tracked>,
    /// Paths that differed from the base already, by work tree or index.
    pub(super) dirty_paths: BTreeSet<Vec<u8>>,
    pub(super) guarded: Guarded,
    /// The bytes of the index; nothing where it says what HEAD says.
    pub(super) index: Option<Oid>,
}

impl Deref for Snapshot {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl From<Parts> for Snapshot {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Git {
    /// Takes a snapshot and makes it durable. `carried` is the tree that changes are counted from
    /// where an earlier candidate was left uncommitted in the work tree.
    ///
    /// # Errors
    /// The branch has no commit yet, the index is in conflict, or something cannot be read.
    pub fn snapshot(
        &mut self,
        label: &str,
        carried: Option<&TreeId>,
    ) -> Result<Snapshot, GitError> {
        self.check_alive()?;
        self.check_unlocked()?;
        // A process killed while it took a snapshot left no attempt that would be recovered.
        clear_own_ref_locks(self)?;
        let (head, base) = self.head()?;
        let head_tree = self.repo.tree_of(base)?;
        let base_tree = carried.map(|tree| Oid::parse(tree.as_str())).transpose()?;
        let base_tree = base_tree.unwrap_or(head_tree);
        let tracked = self.tracked_with(head_tree, base_tree)?;
        let top = self.look_for_snapshot(&tracked)?;
        refuse_large(&top)?;
        let work = top.write(&self.repo)?;
        let conversion = self.conversion(&tracked.attribute_files)?;
        let differing = Comparison::run(self, conversion, &top, base_tree)?;
        let dirty_paths: BTreeSet<Vec<u8>> = differing
            .into_keys()
            .chain(tracked.staged.keys().cloned())
            .filter(|path| !self.is_excluded(path))
            .collect();
        let index = if tracked.is_plain {
            None
        } else {
            let path = self.index_path();
            let bytes = std::fs::read(&path).map_err(|error| GitError::io("read", path, error))?;
            Some(self.repo.write(Kind::Blob, &bytes)?)
        };
        let guarded = Guarded::capture(self)?;
        let mut parts = Parts {
            id: base.commit(),
            base: base.commit(),
            base_tree: base_tree.tree(),
            branch: head.branch,
            work: work.tree(),
            dirty: !dirty_paths.is_empty(),
            base_oid: base,
            base_tree_oid: base_tree,
            id_oid: base,
            top,
            rules: self.rules.clone(),
            tracked,
            dirty_paths,
            guarded,
            index,
        };
        parts.id_oid = self.store(&parts, work, label)?;
        parts.id = parts.id_oid.commit();
        self.repo.set_ref(&self.own_ref(SNAPSHOT), &Target::Direct(parts.id_oid), label)?;
        self.candidate = None;
        let snapshot = Snapshot::from(parts);
        self.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Finds a snapshot that this or an earlier process took.
    ///
    /// # Errors
    /// There is none of this name, or it is damaged.
    pub fn load_snapshot(&mut self, id: &CommitId) -> Result<Snapshot, GitError> {
        if let Some(snapshot) = &self.snapshot
            && snapshot.id == *id
        {
            return Ok(snapshot.clone());
        }
        self.check_alive()?;
        // The process that took it is gone, and what it left behind may have been written by an
        // agent: from here on every file is read.
        self.trusts_index = false;
        self.top = None;
        self.fresh = None;
        let oid = Oid::parse(id.as_str())?;
        let entries = tree::read(&self.repo, self.repo.tree_of(oid)?)?;
        let damaged = || GitError::Damaged { what: "snapshot", id: id.to_string() };
        let find = |name: &str| entries.get(name.as_bytes()).copied().ok_or_else(damaged);
        let (_, bytes) = self.repo.read(find("meta")?.oid)?;
        let meta = Meta::parse(&bytes).ok_or_else(damaged)?;
        let work = find("work")?.oid;
        let snapshot = Snapshot::from(meta.load(self, oid, work)?);
        self.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }

    fn tracked_with(&mut self, head_tree: Oid, base_tree: Oid) -> Result<Arc<Tracked>, GitError> {
        let tracked = self.tracked(head_tree)?;
        if let Some(path) = tracked.index.unmerged() {
            let path = repo_path(path);
            return Err(Refusal::Unmerged { path }.into());
        }
        if base_tree == head_tree {
            return Ok(tracked);
        }
        let carried = tree::differences(&self.repo, head_tree, base_tree)?;
        let carried: Vec<_> =
            carried.into_iter().filter_map(|one| Some((one.path, one.new?))).collect();
        Ok(Arc::new(tracked.with(&carried)))
    }

    fn look_for_snapshot(&mut self, tracked: &Tracked) -> Result<Arc<Dir>, GitError> {
        if let (Some(Depth::Store { .. }), Some(top)) = (self.fresh, &self.top) {
            return Ok(Arc::clone(top));
        }
        self.look(&Sight {
            tracked,
            depth: Depth::Store { file_bytes_max: KEPT_BYTES_MAX },
            access: Access::Report,
            caches: Caches::Seen,
            reference: None,
            rules: None,
        })
    }

    fn store(&self, parts: &Parts, work: Oid, label: &str) -> Result<Oid, GitError> {
        let (meta, mut blobs) = meta::describe(self, parts)?;
        blobs.extend(parts.index);
        let blobs = blobs.into_iter().map(|oid| {
            (oid.to_string().into_bytes().into_boxed_slice(), Entry { mode: mode::FILE, oid })
        });
        let blobs: BTreeMap<_, _> = blobs.collect();
        let named =
            |name: &str, mode: u32, oid: Oid| (Box::from(name.as_bytes()), Entry { mode, oid });
        let tree = self.repo.write(
            Kind::Tree,
            &tree::encode([
                named("blobs", mode::TREE, self.repo.write(Kind::Tree, &tree::encode(blobs))?),
                named("meta", mode::FILE, self.repo.write(Kind::Blob, &meta)?),
                named("work", mode::TREE, work),
            ]),
        )?;
        self.repo.commit(&CommitParts {
            tree,
            parent: Some(parts.base_oid),
            author: NOBODY,
            committer: NOBODY,
            time: 0,
            offset_minutes: 0,
            message: label,
        })
    }
}

/// A file that cannot be kept could not be brought back.
fn refuse_large(top: &Dir) -> Result<(), GitError> {
    let mut large = None;
    top.visit(&mut Vec::new(), &mut |path, node| {
        if *node == Node::Special(SpecialKind::TooLarge) && large.is_none() {
            large = Some(repo_path(path));
        }
    });
    match large {
        Some(path) => Err(Refusal::TooLarge { path, gib_max: KEPT_BYTES_MAX >> 30 }.into()),
        None => Ok(()),
    }
}
