//! The candidate: what an attempt changed, as the tree that would be committed.

use std::sync::Arc;

use super::content;
use super::eol::Settings;
use super::error::{GitError, absent};
use super::guard::Rescue;
use super::link::leads_out;
use super::mirror::{Delta, Dir, File, Nested, Node, SpecialKind, differences, repo_path};
use super::object::{Attr, Target};
use super::oid::{Entry, Oid, mode};
use super::request::{Access, Caches, Depth};
use super::snapshot::Snapshot;
use super::trace::between;
use super::tracked::Tracked;
use super::tree::{self, Edits};
use super::worktree::{Git, Sight};
use crate::engine::id::{CommitId, RepoPath, TreeId};

pub(super) const CANDIDATE: &str = "candidate";

/// Files larger than this are not taken into a candidate. They are reported, and rolled back.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// How many of an agent's commits are named.
const COMMITS_MAX: usize = 1000;

/// How a path of the candidate differs from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// The base does not have it.
    Added,
    /// Content or executable bit differ.
    Modified,
    /// The candidate does not have it.
    Deleted,
    /// File, link and submodule took each other's place.
    TypeChanged,
}

/// One path in which the candidate differs from the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The path.
    pub path: RepoPath,
    /// How it differs.
    pub kind: ChangeKind,
}

/// Something an attempt left behind that cannot be committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Special {
    /// The path.
    pub path: RepoPath,
    /// Why it cannot.
    pub kind: SpecialKind,
}

/// A candidate.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// The tree that would be committed.
    pub tree: TreeId,
    /// Every path in which it differs from the base.
    pub changes: Vec<Change>,
    /// Paths that people had changed before and that changed again. They are not in the tree.
    pub overlaps: Vec<RepoPath>,
    /// What cannot be in any tree. An attempt with any of these is not what was judged.
    pub special: Vec<Special>,
    /// Links of `changes` that lead out of the work tree: elsewhere they lead nowhere, and here to
    /// what is no part of the project.
    pub leads_out: Vec<RepoPath>,
    /// New directories whose own `.gitignore` ignores everything in them, as test runners leave
    /// them behind. They are in no tree, and [`Git::clean_to`] removes them, so that nothing that
    /// is verified can depend on them.
    pub caches: Vec<RepoPath>,
    /// Commits the agent made, newest first. Their effect is in the tree, HEAD is back.
    pub agent_commits: Vec<CommitId>,
    /// What was put back under `.git`.
    pub rescued: Vec<Rescue>,
    pub(super) top: Arc<Dir>,
    pub(super) tracked: Arc<Tracked>,
}

impl Git {
    /// Turns what changed in the work tree since the snapshot into a candidate. To be called once
    /// every process of the attempt is gone. What people had changed before is not in it.
    ///
    /// # Errors
    /// `.git` is gone, or something cannot be read or written.
    pub fn freeze(&mut self, snapshot: &Snapshot) -> Result<Frozen, GitError> {
        self.check_alive()?;
        let agent_commits = self.agent_commits(snapshot)?;
        let forced = self.forced(snapshot)?;
        let rescued = self.guard(snapshot)?;
        let tracked = if forced.is_empty() {
            Arc::clone(&snapshot.tracked)
        } else {
            Arc::new(snapshot.tracked.with(&forced))
        };
        self.fresh = None;
        let (top, caches) = self.look_for(&Sight {
            tracked: &tracked,
            depth: Depth::Store { file_bytes_max: FILE_BYTES_MAX },
            access: Access::Report,
            caches: Caches::Named,
            reference: Some(&snapshot.top),
            rules: Some(&snapshot.rules),
        })?;
        let mut freezer = Freezer {
            git: self,
            snapshot,
            settings: Settings::read(&self.repo)?,
            has_modes: self.repo.flag("core.fileMode")?.unwrap_or(true),
            drivers: super::preflight::filter_drivers(self)?,
            edits: Edits::new(),
            changes: Vec::new(),
            overlaps: Vec::new(),
            special: Vec::new(),
            leads_out: Vec::new(),
        };
        for delta in differences(&snapshot.top, &top) {
            freezer.delta(&delta)?;
        }
        let Freezer { edits, changes, overlaps, mut special, leads_out, .. } = freezer;
        let tree = tree::edit(&self.repo, snapshot.base_tree_oid, &edits)?;
        self.repo.set_ref(&self.own_ref(CANDIDATE), &Target::Direct(tree), "looper: candidate")?;
        self.candidate = Some(tree);
        special.sort();
        special.dedup();
        Ok(Frozen {
            tree: tree.tree(),
            changes,
            overlaps,
            special,
            leads_out,
            caches: caches.iter().map(|path| repo_path(path)).collect(),
            agent_commits,
            rescued,
            top,
            tracked,
        })
    }

    /// The paths in which the work tree differs from what was frozen.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn drift(
        &mut self,
        snapshot: &Snapshot,
        frozen: &Frozen,
    ) -> Result<Vec<RepoPath>, GitError> {
        let top = self.look(&Sight {
            tracked: &frozen.tracked,
            depth: Depth::Compare,
            access: Access::Report,
            caches: Caches::Seen,
            reference: Some(&frozen.top),
            rules: Some(&snapshot.rules),
        })?;
        Ok(differences(&frozen.top, &top).into_iter().map(|delta| delta.path).collect())
    }

    fn agent_commits(&self, snapshot: &Snapshot) -> Result<Vec<CommitId>, GitError> {
        // A HEAD that cannot be read holds no commits; the guard puts it back.
        let head = absent(self.repo.head())?.and_then(|head| head.commit);
        match head.filter(|commit| *commit != snapshot.base_oid) {
            None => Ok(Vec::new()),
            Some(tip) => {
                let commits = between(&self.repo, tip, snapshot.base_oid, COMMITS_MAX)?;
                Ok(commits.into_iter().map(Oid::commit).collect())
            }
        }
    }

    /// Paths that the agent told git to track although patterns may ignore them. They are part of
    /// what it made, and a candidate without them is not what verify commands see.
    fn forced(&mut self, snapshot: &Snapshot) -> Result<Vec<(Vec<u8>, Entry)>, GitError> {
        let mut forced = Vec::new();
        let head = absent(self.repo.head())?.and_then(|head| head.commit);
        if let Some(tip) = head.filter(|commit| *commit != snapshot.base_oid) {
            let base = self.repo.tree_of(snapshot.base_oid)?;
            for one in tree::differences(&self.repo, base, self.repo.tree_of(tip)?)? {
                forced.extend(one.new.map(|entry| (one.path, entry)));
            }
        }
        match self.read_index() {
            Ok(index) if Arc::ptr_eq(&index, &snapshot.tracked.index) => {}
            Ok(index) => {
                let entries = index.entries.iter();
                forced.extend(entries.map(|entry| (entry.path.to_vec(), entry.entry)));
            }
            // The guard puts it back.
            Err(GitError::Index { .. } | GitError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        forced.retain(|(path, entry)| {
            entry.mode != mode::GITLINK && !snapshot.tracked.known.has(path)
        });
        Ok(forced)
    }
}

struct Freezer<'a> {
    git: &'a Git,
    snapshot: &'a Snapshot,
    settings: Settings,
    has_modes: bool,
    drivers: Vec<String>,
    edits: Edits,
    changes: Vec<Change>,
    overlaps: Vec<RepoPath>,
    special: Vec<Special>,
    leads_out: Vec<RepoPath>,
}

impl Freezer<'_> {
    fn delta(&mut self, delta: &Delta<'_>) -> Result<(), GitError> {
        let path = delta.path.as_bytes();
        let base = self.base(path)?;
        let was_nested = matches!(delta.old, Some(Node::Nested(_)));
        if was_nested && base.is_none() {
            self.note(path, SpecialKind::NestedRepository);
        }
        match delta.new {
            Some(Node::File(file)) => {
                let entry = self.clean(path, file, base)?;
                self.edit(path, base, entry)
            }
            Some(Node::Special(kind)) => {
                self.note(path, *kind);
                Ok(())
            }
            Some(Node::Nested(nested)) => self.nested(path, base, nested),
            Some(Node::Dir(dir)) => {
                let had_git = delta.old.and_then(Node::as_dir).is_some_and(|dir| dir.has_git);
                if dir.has_git && !had_git {
                    self.note(path, SpecialKind::NestedRepository);
                }
                self.gone(path, delta.old, base)
            }
            None => self.gone(path, delta.old, base),
        }
    }

    fn base(&self, path: &[u8]) -> Result<Option<Entry>, GitError> {
        let found = tree::find(&self.git.repo, self.snapshot.base_tree_oid, path)?;
        Ok(found.filter(|entry| entry.mode != mode::TREE))
    }

    fn note(&mut self, path: &[u8], kind: SpecialKind) {
        self.special.push(Special { path: repo_path(path), kind });
    }

    /// What stood at a path is no longer there.
    fn gone(
        &mut self,
        path: &[u8],
        old: Option<&Node>,
        base: Option<Entry>,
    ) -> Result<(), GitError> {
        match old {
            Some(Node::File(_) | Node::Nested(_)) => self.edit(path, base, None),
            // The content of a directory speaks for itself.
            Some(Node::Dir(_) | Node::Special(_)) | None => Ok(()),
        }
    }

    fn nested(
        &mut self,
        path: &[u8],
        base: Option<Entry>,
        nested: &Nested,
    ) -> Result<(), GitError> {
        let Some(entry) = base.filter(|entry| entry.mode == mode::GITLINK) else {
            self.note(path, SpecialKind::NestedRepository);
            return self.gone(path, None, base);
        };
        if nested.changes.is_some() || nested.head.is_none() {
            self.note(path, SpecialKind::DirtySubmodule);
            let kind = ChangeKind::Modified;
            if nested.head.is_none_or(|head| head == entry.oid) {
                self.changes.push(Change { path: repo_path(path), kind });
            }
        }
        if nested.head.is_some_and(|head| head != entry.oid) {
            self.note(path, SpecialKind::MovedSubmodule);
        }
        match nested.head {
            Some(oid) => self.edit(path, base, Some(Entry { mode: mode::GITLINK, oid })),
            None => Ok(()),
        }
    }

    /// What the candidate holds for a file; nothing where git alone could say.
    fn clean(
        &mut self,
        path: &[u8],
        file: &File,
        base: Option<Entry>,
    ) -> Result<Option<Entry>, GitError> {
        let Some(raw) = file.raw else { return Ok(base) };
        if file.stamp.is_link() {
            return Ok(Some(Entry { mode: mode::LINK, oid: raw }));
        }
        let repo = &self.git.repo;
        let encoded =
            !matches!(repo.attr(path, "working-tree-encoding")?, Attr::Unspecified | Attr::Unset);
        let filtered = match repo.attr(path, "filter")? {
            Attr::Value(name) => self.drivers.iter().any(|driver| driver.as_bytes() == name),
            Attr::Set | Attr::Unset | Attr::Unspecified => false,
        };
        if encoded || filtered {
            self.note(path, SpecialKind::Filtered);
        }
        let oid = content::clean_stored(repo, self.settings, path, raw, base)?;
        let regular = base.filter(|entry| mode::kind(entry.mode) == mode::kind(mode::FILE));
        let mode = match (self.has_modes, regular) {
            (true, _) => file.stamp.git_mode(),
            (false, Some(entry)) => entry.mode,
            (false, None) => mode::FILE,
        };
        Ok(Some(Entry { mode, oid }))
    }

    fn edit(
        &mut self,
        path: &[u8],
        base: Option<Entry>,
        entry: Option<Entry>,
    ) -> Result<(), GitError> {
        if self.snapshot.dirty_paths.contains(path) {
            self.overlaps.push(repo_path(path));
            return Ok(());
        }
        let Some(kind) = kind_of(base, entry) else { return Ok(()) };
        if let Some(entry) = entry.filter(|entry| entry.mode == mode::LINK)
            && leads_out(path, &self.git.repo.read(entry.oid)?.1)
        {
            self.leads_out.push(repo_path(path));
        }
        self.edits.insert(path.to_vec(), entry);
        self.changes.push(Change { path: repo_path(path), kind });
        Ok(())
    }
}

/// How a path differs between two trees, if it does.
pub(super) fn kind_of(old: Option<Entry>, new: Option<Entry>) -> Option<ChangeKind> {
    match (old, new) {
        (old, new) if old == new => None,
        (None, _) => Some(ChangeKind::Added),
        (_, None) => Some(ChangeKind::Deleted),
        (Some(old), Some(new)) if mode::kind(old.mode) != mode::kind(new.mode) => {
            Some(ChangeKind::TypeChanged)
        }
        (Some(_), Some(_)) => Some(ChangeKind::Modified),
    }
}
