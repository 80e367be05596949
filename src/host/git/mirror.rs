//! A work tree in memory: what a scan found, shared between scans where nothing changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::error::GitError;
use super::object::Kind;
use super::oid::{Entry, Oid, mode};
use super::repo::Repo;
use super::tree;
use crate::engine::id::RepoPath;

/// The name of a file in its directory.
pub(super) type Name = Box<[u8]>;

/// What the system says about a file without opening it. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    pub(super) ctime_ns: i64,
    pub(super) ino: u64,
    pub(super) dev: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A file or a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) stamp: Stamp,
    /// Whether the same stamp proves the same content: it is older than the reading of the file.
    pub(super) settled: bool,
    /// The name of the bytes as they are on disk.
    pub(super) raw: Option<Oid>,
    /// Whether the object store has them.
    pub(super) stored: bool,
    /// The name of the bytes as git would store them, where known.
    pub(super) clean: Option<Oid>,
}

/// Another repository inside this one. Its content is its own business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nested {
    pub(super) head: Option<Oid>,
    /// A digest over everything in it that is not committed; nothing when all is.
    pub(super) changes: Option<Oid>,
}

/// Why something in the work tree cannot be part of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecialKind {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// A repository inside this one that was not there before, or was changed.
    NestedRepository,
    /// A submodule with changes that are not committed in it.
    DirtySubmodule,
    /// A submodule at another commit: nobody else may have that commit, and no rollback moves it
    /// back.
    MovedSubmodule,
    /// A file larger than any candidate may hold.
    TooLarge,
    /// A file or directory that its owner may not read.
    Unreadable,
    /// A name that git refuses because some systems read it as `.git`.
    ReservedName,
    /// A directory nested deeper than is walked.
    TooDeep,
    /// A file that has to go through a filter program or a re-encoding.
    Filtered,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(File),
    Dir(Arc<Dir>),
    Nested(Nested),
    Special(SpecialKind),
}

/// A directory.
#[derive(Debug, Default)]
pub(super) struct Dir {
    pub(super) nodes: BTreeMap<Name, Node>,
    pub(super) permissions: u32,
    /// Whether it holds a `.git` although its content belongs to this repository.
    pub(super) has_git: bool,
    tree: OnceLock<Oid>,
}

impl PartialEq for Dir {
    fn eq(&self, other: &Self) -> bool {
        self.permissions == other.permissions
            && self.has_git == other.has_git
            && self.nodes == other.nodes
    }
}

impl Eq for Dir {}

impl From<&rustix::fs::Stat> for Stamp {
    #[expect(clippy::unnecessary_cast, reason = "the types of these fields differ between systems")]
    fn from(stat: &rustix::fs::Stat) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            mode: stat.st_mode as u32,
            size: stat.st_size as u64,
            mtime_ns: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime_ns: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            ino: stat.st_ino as u64,
            dev: stat.st_dev as u64,
            uid: stat.st_uid as u32,
            gid: stat.st_gid as u32,
        }
    }
}

impl Stamp {
    pub(super) fn is_dir(&self) -> bool {
        mode::kind(self.mode) == mode::TREE
    }

    pub(super) fn is_file(&self) -> bool {
        mode::kind(self.mode) == mode::kind(mode::FILE)
    }

    pub(super) fn is_link(&self) -> bool {
        mode::kind(self.mode) == mode::LINK
    }

    pub(super) fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// The mode git would record.
    pub(super) fn git_mode(&self) -> u32 {
        if self.is_link() {
            mode::LINK
        } else if self.mode & 0o100 == 0 {
            mode::FILE
        } else {
            mode::EXEC
        }
    }

    /// Whether a reading that began at `start` came after every change that this stamp can name.
    pub(super) fn is_older_than(&self, start_ns: i64) -> bool {
        const TICK_NS: i64 = 20_000_000;
        const COARSE_NS: i64 = 2_000_000_000;
        let last = self.mtime_ns.max(self.ctime_ns);
        // File systems without fractions of a second round to one or two of them.
        let whole = last % 1_000_000_000 == 0;
        last < start_ns.saturating_sub(if whole { COARSE_NS } else { TICK_NS })
    }
}

impl File {
    fn same(&self, other: &Self) -> bool {
        let content = match (self.raw, other.raw) {
            (Some(one), Some(two)) => one == two,
            (None, _) | (_, None) => self.stamp == other.stamp && self.settled && other.settled,
        };
        let link = self.stamp.is_link();
        content
            && link == other.stamp.is_link()
            && (link || self.stamp.permissions() == other.stamp.permissions())
    }
}

impl Node {
    /// Whether both are the same but for their children.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(two)) => one.same(two),
            (Self::Dir(one), Self::Dir(two)) => {
                one.permissions == two.permissions && one.has_git == two.has_git
            }
            (Self::Nested(one), Self::Nested(two)) => one == two,
            (Self::Special(one), Self::Special(two)) => one == two,
            (Self::File(_) | Self::Dir(_) | Self::Nested(_) | Self::Special(_), _) => false,
        }
    }

    pub(super) fn as_dir(&self) -> Option<&Arc<Dir>> {
        match self {
            Self::Dir(dir) => Some(dir),
            Self::File(_) | Self::Nested(_) | Self::Special(_) => None,
        }
    }

    /// What a tree of raw bytes says about it.
    fn raw_entry(&self, repo: &Repo) -> Result<Option<Entry>, GitError> {
        Ok(match self {
            Self::File(File { stamp, raw: Some(oid), stored: true, .. }) => {
                Some(Entry { mode: stamp.git_mode(), oid: *oid })
            }
            Self::Dir(dir) => Some(Entry { mode: mode::TREE, oid: dir.write(repo)? }),
            // A repository without a commit still has to be remembered; the name is never looked up.
            Self::Nested(nested) => {
                Some(Entry { mode: mode::GITLINK, oid: nested.head.unwrap_or(Oid::EMPTY_TREE) })
            }
            Self::File(_) | Self::Special(_) => None,
        })
    }
}

impl Dir {
    pub(super) fn new(nodes: BTreeMap<Name, Node>, permissions: u32, has_git: bool) -> Self {
        Self { nodes, permissions, has_git, tree: OnceLock::new() }
    }

    /// Returns the earlier directory where nothing changed, so that both share it, and otherwise
    /// keeps what is known about the content.
    pub(super) fn or_earlier(self, earlier: Option<&Arc<Self>>) -> Arc<Self> {
        let Some(earlier) = earlier else { return Arc::new(self) };
        if **earlier == self {
            return Arc::clone(earlier);
        }
        let alike = self.nodes.len() == earlier.nodes.len()
            && self.nodes.iter().zip(&earlier.nodes).all(|(new, old)| {
                new.0 == old.0
                    && match (new.1, old.1) {
                        (Node::File(new), Node::File(old)) => {
                            new.raw == old.raw
                                && new.stored
                                && new.stamp.git_mode() == old.stamp.git_mode()
                        }
                        (Node::Dir(new), Node::Dir(old)) => {
                            new.tree.get().is_some() && new.tree.get() == old.tree.get()
                        }
                        (new, old) => new == old,
                    }
            });
        if let (true, Some(tree)) = (alike, earlier.tree.get()) {
            return Arc::new(Self { tree: OnceLock::from(*tree), ..self });
        }
        Arc::new(self)
    }

    /// The name of the tree of raw bytes, where it was written before.
    pub(super) fn written(&self) -> Option<Oid> {
        self.tree.get().copied()
    }

    /// Writes the tree of raw bytes. Empty directories are in it, as empty trees.
    pub(super) fn write(&self, repo: &Repo) -> Result<Oid, GitError> {
        if let Some(tree) = self.tree.get() {
            return Ok(*tree);
        }
        let mut entries = Vec::with_capacity(self.nodes.len());
        for (name, node) in &self.nodes {
            if let Some(entry) = node.raw_entry(repo)? {
                entries.push((name.clone(), entry));
            }
        }
        let tree = repo.write(Kind::Tree, &tree::encode(entries))?;
        Ok(*self.tree.get_or_init(|| tree))
    }

    /// The node at a path.
    pub(super) fn find(&self, path: &[u8]) -> Option<&Node> {
        match path.iter().position(|byte| *byte == b'/') {
            None => self.nodes.get(path),
            Some(slash) => match self.nodes.get(&path[..slash])? {
                Node::Dir(dir) => dir.find(&path[slash + 1..]),
                Node::File(_) | Node::Nested(_) | Node::Special(_) => None,
            },
        }
    }

    /// Shows every node with its path, directories before their content.
    pub(super) fn visit(&self, path: &mut Vec<u8>, visit: &mut impl FnMut(&[u8], &Node)) {
        for (name, node) in &self.nodes {
            let length = join(path, name);
            visit(path, node);
            if let Node::Dir(dir) = node {
                dir.visit(path, visit);
            }
            path.truncate(length);
        }
    }
}

/// Adds a name to a path and returns the length to cut it back to.
pub(super) fn join(path: &mut Vec<u8>, name: &[u8]) -> usize {
    let length = path.len();
    if length > 0 {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    length
}

/// One path that differs between two scans.
#[derive(Clone, Debug)]
pub(super) struct Delta<'a> {
    pub(super) path: RepoPath,
    pub(super) old: Option<&'a Node>,
    pub(super) new: Option<&'a Node>,
}

/// Every path that differs, directories included. The top itself has no path and is left to the
/// caller.
pub(super) fn differences<'a>(old: &'a Dir, new: &'a Dir) -> Vec<Delta<'a>> {
    let mut found = Vec::new();
    compare(Some(old), Some(new), &mut Vec::new(), &mut found);
    found
}

fn compare<'a>(
    old: Option<&'a Dir>,
    new: Option<&'a Dir>,
    path: &mut Vec<u8>,
    found: &mut Vec<Delta<'a>>,
) {
    let dirs = [old, new].into_iter().flatten();
    let names: BTreeSet<&[u8]> =
        dirs.flat_map(|dir| dir.nodes.keys()).map(|name| &**name).collect();
    for name in names {
        let was = old.and_then(|dir| dir.nodes.get(name));
        let is = new.and_then(|dir| dir.nodes.get(name));
        let (was_dir, is_dir) = (was.and_then(Node::as_dir), is.and_then(Node::as_dir));
        if let (Some(one), Some(two)) = (was_dir, is_dir)
            && Arc::ptr_eq(one, two)
        {
            continue;
        }
        let length = join(path, name);
        if !matches!((was, is), (Some(was), Some(is)) if was.same(is)) {
            found.push(Delta { path: repo_path(path), old: was, new: is });
        }
        if was_dir.is_some() || is_dir.is_some() {
            compare(was_dir.map(|dir| &**dir), is_dir.map(|dir| &**dir), path, found);
        }
        path.truncate(length);
    }
}

/// A path put together from names that a directory or a checked tree gave.
pub(super) fn repo_path(path: &[u8]) -> RepoPath {
    RepoPath::new(path).expect("names in a directory are neither empty nor dots, and hold no slash")
}
