//! What a snapshot remembers beside trees: permissions, other repositories, rules, refs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::GitError;
use super::guarded::Guarded;
use super::ignores::{Rules, Source};
use super::index::{Fault, Index, IndexEntry, Stat};
use super::mirror::{Dir, File, Name, Nested, Node, SpecialKind, Stamp, join, repo_path};
use super::object::Kind;
use super::oid::{Oid, mode};
use super::snapshot::Parts;
use super::tracked::Tracked;
use super::tree;
use super::worktree::Git;
use crate::engine::id::RepoPath;

const FORMAT: u32 = 1;

/// The blob named `meta`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    v: u32,
    base: Oid,
    base_tree: Oid,
    branch: Option<String>,
    index: Option<Oid>,
    /// The usual permissions of files, executable files and directories.
    usual: [u32; 3],
    /// Paths with other permissions.
    unusual: Vec<(RepoPath, u32)>,
    top_permissions: u32,
    nested: Vec<(RepoPath, Option<Oid>, Option<Oid>)>,
    special: Vec<(RepoPath, SpecialKind)>,
    /// Directories with a `.git` although their content is ours.
    with_git: BTreeSet<RepoPath>,
    dirty: Vec<RepoPath>,
    /// Pattern files by directory; the top has no path.
    ignores: Vec<(Option<RepoPath>, Oid)>,
    exclude: Oid,
    global: Oid,
    guarded: Guarded,
}

/// Returns the bytes of the blob, and the blobs that it names.
pub(super) fn describe(git: &Git, parts: &Parts) -> Result<(Vec<u8>, BTreeSet<Oid>), GitError> {
    let mut blobs: BTreeSet<Oid> = parts.guarded.files.values().map(|file| file.blob).collect();
    // What is staged has no other name once an agent resets the index.
    for entry in parts.tracked.index.entries.iter().filter(|_| parts.index.is_some()) {
        let staged = parts.tracked.staged.contains_key(&*entry.path);
        if staged && entry.entry.mode != mode::GITLINK && git.repo.header(entry.entry.oid).is_ok() {
            blobs.insert(entry.entry.oid);
        }
    }
    let mut keep = |source: &Source| {
        let blob = git.repo.write(Kind::Blob, &source.bytes)?;
        blobs.insert(blob);
        Ok::<_, GitError>(blob)
    };
    let rules = &parts.rules;
    let (exclude, global) = (keep(&rules.exclude)?, keep(&rules.global)?);
    let mut ignores = Vec::new();
    for (dir, source) in &rules.by_dir {
        ignores.push(((!dir.is_empty()).then(|| repo_path(dir)), keep(source)?));
    }
    let mut meta = Meta {
        v: FORMAT,
        base: parts.base_oid,
        base_tree: parts.base_tree_oid,
        branch: parts.branch.clone(),
        index: parts.index,
        usual: usual_permissions(&parts.top),
        unusual: Vec::new(),
        top_permissions: parts.top.permissions,
        nested: Vec::new(),
        special: Vec::new(),
        with_git: BTreeSet::new(),
        dirty: parts.dirty_paths.iter().map(|path| repo_path(path)).collect(),
        ignores,
        exclude,
        global,
        guarded: parts.guarded.clone(),
    };
    let usual = meta.usual;
    parts.top.visit(&mut Vec::new(), &mut |path, node| match node {
        Node::Nested(nested) => meta.nested.push((repo_path(path), nested.head, nested.changes)),
        Node::Special(kind) => meta.special.push((repo_path(path), *kind)),
        Node::File(_) | Node::Dir(_) => {
            if let Node::Dir(dir) = node
                && dir.has_git
            {
                meta.with_git.insert(repo_path(path));
            }
            if let Some((class, permissions)) = class_of(node)
                && usual[class] != permissions
            {
                meta.unusual.push((repo_path(path), permissions));
            }
        }
    });
    let bytes = serde_json::to_vec(&meta).expect("every key of its maps is text");
    Ok((bytes, blobs))
}

/// Which of the usual permissions a node is measured by, and its own.
fn class_of(node: &Node) -> Option<(usize, u32)> {
    match node {
        Node::File(file) if file.stamp.is_link() => None,
        Node::File(file) => {
            let class = usize::from(file.stamp.git_mode() == mode::EXEC);
            Some((class, file.stamp.permissions()))
        }
        Node::Dir(dir) => Some((2, dir.permissions)),
        Node::Nested(_) | Node::Special(_) => None,
    }
}

fn usual_permissions(top: &Dir) -> [u32; 3] {
    let mut counts: [BTreeMap<u32, usize>; 3] = Default::default();
    top.visit(&mut Vec::new(), &mut |_, node| {
        if let Some((class, permissions)) = class_of(node) {
            *counts[class].entry(permissions).or_default() += 1;
        }
    });
    counts.map(|counts| {
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map_or(0, |(permissions, _)| permissions)
    })
}

impl Meta {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|meta: &Self| meta.v == FORMAT)
    }

    /// Puts the snapshot together again.
    pub(super) fn load(self, git: &Git, id: Oid, work: Oid) -> Result<Parts, GitError> {
        let loader = Loader {
            git,
            unusual: self.unusual.iter().map(|(path, one)| (path.as_bytes(), *one)).collect(),
            nested: self.nested.iter().map(|one| (one.0.as_bytes(), (one.1, one.2))).collect(),
            special: self.special.iter().map(|(path, kind)| (path.as_bytes(), *kind)).collect(),
            meta: &self,
        };
        let top = loader.directory(work, &mut Vec::new(), self.top_permissions)?;
        let source =
            |blob: Oid| git.repo.read(blob).map(|(_, bytes)| Arc::new(Source::new(bytes, None)));
        let mut rules = Rules {
            by_dir: BTreeMap::new(),
            exclude: source(self.exclude)?,
            global: source(self.global)?,
        };
        for (dir, blob) in &self.ignores {
            let dir = dir.as_ref().map(|dir| dir.as_bytes().to_vec()).unwrap_or_default();
            rules.by_dir.insert(dir, source(*blob)?);
        }
        let head_tree = git.repo.tree_of(self.base)?;
        let index = match self.index {
            Some(blob) => Index::parse(&git.repo.read(blob)?.1).map_err(|fault| match fault {
                Fault::Damaged(_) | Fault::Unsupported(_) => {
                    GitError::Damaged { what: "stored index", id: blob.to_string() }
                }
            })?,
            None => index_of(git, head_tree)?,
        };
        let mut tracked = Tracked::new(&git.repo, head_tree, Arc::new(index))?;
        if self.base_tree != head_tree {
            let carried = tree::differences(&git.repo, head_tree, self.base_tree)?;
            let carried: Vec<_> =
                carried.into_iter().filter_map(|one| Some((one.path, one.new?))).collect();
            tracked = tracked.with(&carried);
        }
        Ok(Parts {
            id: id.commit(),
            base: self.base.commit(),
            base_tree: self.base_tree.tree(),
            work: work.tree(),
            dirty: !self.dirty.is_empty(),
            base_oid: self.base,
            base_tree_oid: self.base_tree,
            id_oid: id,
            top,
            rules,
            tracked: Arc::new(tracked),
            dirty_paths: self.dirty.iter().map(|path| path.as_bytes().to_vec()).collect(),
            index: self.index,
            branch: self.branch,
            guarded: self.guarded,
        })
    }
}

/// An index that says what a tree says, and remembers nothing about files.
pub(super) fn index_of(git: &Git, tree: Oid) -> Result<Index, GitError> {
    let mut entries = Vec::new();
    tree::walk(&git.repo, tree, &mut |path, entry| {
        entries.push(IndexEntry::new(path, entry, Stat::default()));
        Ok(())
    })?;
    Ok(Index { entries })
}

struct Loader<'a> {
    git: &'a Git,
    meta: &'a Meta,
    unusual: BTreeMap<&'a [u8], u32>,
    nested: BTreeMap<&'a [u8], (Option<Oid>, Option<Oid>)>,
    special: BTreeMap<&'a [u8], SpecialKind>,
}

impl Loader<'_> {
    fn directory(
        &self,
        tree: Oid,
        path: &mut Vec<u8>,
        permissions: u32,
    ) -> Result<Arc<Dir>, GitError> {
        let mut nodes: BTreeMap<Name, Node> = BTreeMap::new();
        for (special, kind) in &self.special {
            let (parent, name) = match special.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => (&special[..slash], &special[slash + 1..]),
                None => (&b""[..], *special),
            };
            if parent == path.as_slice() {
                nodes.insert(name.into(), Node::Special(*kind));
            }
        }
        for (name, entry) in tree::read(&self.git.repo, tree)? {
            let length = join(path, &name);
            let permissions = |class: usize| {
                self.unusual.get(path.as_slice()).copied().unwrap_or(self.meta.usual[class])
            };
            let node = match entry.mode {
                mode::TREE => {
                    let permissions = permissions(2);
                    Node::Dir(self.directory(entry.oid, path, permissions)?)
                }
                mode::GITLINK => {
                    let found = self.nested.get(path.as_slice()).copied();
                    let (head, changes) = found.unwrap_or((Some(entry.oid), None));
                    Node::Nested(Nested { head, changes })
                }
                _ => {
                    let mode = match entry.mode {
                        mode::LINK => mode::LINK,
                        other => mode::kind(other) | permissions(usize::from(other == mode::EXEC)),
                    };
                    let stamp = Stamp { mode, ..Stamp::default() };
                    let raw = Some(entry.oid);
                    Node::File(File { stamp, settled: false, raw, stored: true, clean: None })
                }
            };
            nodes.insert(name, node);
            path.truncate(length);
        }
        let has_git = !path.is_empty() && self.meta.with_git.contains(&repo_path(path));
        Ok(Arc::new(Dir::new(nodes, permissions, has_git)))
    }
}
