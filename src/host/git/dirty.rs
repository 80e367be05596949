//! Where the work tree differs from a commit, as git would see it.

use std::collections::{BTreeMap, BTreeSet};

use super::content;
use super::eol::Settings;
use super::error::GitError;
use super::mirror::{Dir, File, Node, join, repo_path};
use super::oid::{Entry, Oid, mode};
use super::request::{Access, Caches, Depth};
use super::tree::{self, Entries};
use super::worktree::{Git, Sight};
use crate::engine::id::RepoPath;

/// What is not committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirt {
    /// Tracked paths with changes, staged or not.
    pub changed: Vec<RepoPath>,
    /// Files that git neither tracks nor ignores.
    pub untracked: Vec<RepoPath>,
}

impl Dirt {
    /// Whether everything is committed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.untracked.is_empty()
    }
}

/// Paths that differ, each with what the commit says about it.
pub(super) type Differing = BTreeMap<Vec<u8>, Option<Entry>>;

/// Compares a scan with a tree.
pub(super) struct Comparison<'a> {
    git: &'a Git,
    conversion: Option<Settings>,
    /// Whether the executable bit of files means anything.
    has_modes: bool,
    found: Differing,
}

impl Git {
    /// Lists what is not committed. Reads only tracked files whose stamps do not vouch for them.
    ///
    /// # Errors
    /// The branch has no commit yet, or something cannot be read.
    pub fn dirty(&mut self) -> Result<Dirt, GitError> {
        let (_, commit) = self.head()?;
        let head_tree = self.repo.tree_of(commit)?;
        let tracked = self.tracked(head_tree)?;
        let sight = Sight {
            tracked: &tracked,
            depth: Depth::Compare,
            access: Access::Report,
            caches: Caches::Seen,
            reference: None,
            rules: None,
        };
        let top = self.look(&sight)?;
        let conversion = self.conversion(&tracked.attribute_files)?;
        let work = Comparison::run(self, conversion, &top, head_tree)?;
        let mut dirt = Dirt::default();
        let paths: BTreeSet<&Vec<u8>> = work.keys().chain(tracked.staged.keys()).collect();
        for path in paths.into_iter().filter(|path| !self.is_excluded(path)) {
            if tracked.known.has(path) {
                dirt.changed.push(repo_path(path));
            } else {
                dirt.untracked.push(repo_path(path));
            }
        }
        Ok(dirt)
    }
}

impl<'a> Comparison<'a> {
    pub(super) fn run(
        git: &'a Git,
        conversion: Option<Settings>,
        top: &Dir,
        tree: Oid,
    ) -> Result<Differing, GitError> {
        let has_modes = git.repo.flag("core.fileMode")?.unwrap_or(true);
        let mut comparison = Self { git, conversion, has_modes, found: Differing::new() };
        comparison.directory(Some(top), Some(tree), &mut Vec::new())?;
        Ok(comparison.found)
    }

    fn directory(
        &mut self,
        dir: Option<&Dir>,
        tree: Option<Oid>,
        path: &mut Vec<u8>,
    ) -> Result<(), GitError> {
        let written = dir.and_then(Dir::written);
        if self.has_modes && written.is_some() && written == tree {
            return Ok(());
        }
        let mut entries: Entries =
            tree.map(|tree| tree::read(&self.git.repo, tree)).transpose()?.unwrap_or_default();
        for (name, node) in dir.iter().flat_map(|dir| &dir.nodes) {
            let length = join(path, name);
            self.pair(Some(node), entries.remove(name), path)?;
            path.truncate(length);
        }
        for (name, entry) in entries {
            let length = join(path, &name);
            if !self.git.is_excluded(path) {
                self.pair(None, Some(entry), path)?;
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn pair(
        &mut self,
        node: Option<&Node>,
        entry: Option<Entry>,
        path: &mut Vec<u8>,
    ) -> Result<(), GitError> {
        let below = entry.filter(|entry| entry.mode == mode::TREE).map(|entry| entry.oid);
        let entry = entry.filter(|entry| entry.mode != mode::TREE);
        let dir = node.and_then(Node::as_dir);
        let same = match (node, entry) {
            (Some(Node::File(file)), Some(entry)) => self.same(file, entry, path)?,
            (Some(Node::Nested(nested)), Some(entry)) => {
                entry.mode == mode::GITLINK
                    && nested.head == Some(entry.oid)
                    && nested.changes.is_none()
            }
            (Some(Node::File(_)), None) => false,
            // Git knows neither empty directories nor pipes, and other repositories are not ours.
            (None | Some(Node::Nested(_) | Node::Special(_) | Node::Dir(_)), None) => true,
            (None | Some(Node::Special(_) | Node::Dir(_)), Some(_)) => false,
        };
        if !same {
            self.found.insert(path.clone(), entry);
        }
        if dir.is_some() || below.is_some() {
            self.directory(dir.map(|dir| &**dir), below, path)?;
        }
        Ok(())
    }

    fn same(&self, file: &File, entry: Entry, path: &[u8]) -> Result<bool, GitError> {
        let now = file.stamp.git_mode();
        let same_mode = if self.has_modes || file.stamp.is_link() {
            now == entry.mode
        } else {
            mode::kind(now) == mode::kind(entry.mode)
        };
        if !same_mode {
            return Ok(false);
        }
        let clean = match (self.conversion, file.clean, file.raw) {
            (_, Some(clean), _) => Some(clean),
            (None, None, raw) => raw,
            (Some(settings), None, Some(raw)) if file.stored && !file.stamp.is_link() => {
                let repo = &self.git.repo;
                Some(content::clean_stored(repo, settings, path, raw, Some(entry))?)
            }
            (Some(_), None, raw) => raw,
        };
        Ok(clean == Some(entry.oid))
    }
}
