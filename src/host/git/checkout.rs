//! Writes a tree into a directory of its own, as a fresh clone would have it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::content::{self, as_path};
use super::disk;
use super::eol::Settings;
use super::error::{GitError, absent};
use super::mirror::{join, repo_path};
use super::object::Kind;
use super::oid::{Entry, Oid, mode};
use super::tree;
use super::worktree::Git;
use crate::engine::id::{RepoPath, TreeId};

/// How a file begins that stands for another one in Git LFS.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// No pointer is larger, by its specification.
const LFS_POINTER_BYTES_MAX: u64 = 1024;

/// No path that the system takes is deeper.
const DEPTH_MAX: usize = 1024;

/// What a tree names and a checkout of it would lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The tree itself.
    Tree,
    /// A file or directory in it, by its object.
    Object(String),
    /// What a submodule holds.
    Submodule(RepoPath),
    /// A file that Git LFS keeps elsewhere.
    Large(RepoPath),
}

impl Git {
    /// The first thing that a checkout of the tree would lack.
    ///
    /// # Errors
    /// The object store cannot be read.
    pub fn absent_from_checkout(&self, tree: &TreeId) -> Result<Option<Absent>, GitError> {
        let tree = Oid::parse(tree.as_str())?;
        if !matches!(absent(self.repo.header(tree))?, Some((Kind::Tree, _))) {
            return Ok(Some(Absent::Tree));
        }
        self.absent_below(tree, &mut Vec::new(), 0)
    }

    fn absent_below(
        &self,
        tree: Oid,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<Option<Absent>, GitError> {
        if depth == DEPTH_MAX {
            return Err(GitError::Damaged { what: "tree", id: tree.to_string() });
        }
        let Some(entries) = absent(tree::read(&self.repo, tree))? else {
            return Ok(Some(Absent::Object(tree.to_string())));
        };
        for (name, entry) in entries {
            let length = join(path, &name);
            let found = match entry.mode {
                mode::TREE => self.absent_below(entry.oid, path, depth + 1)?,
                mode::GITLINK => Some(Absent::Submodule(repo_path(path))),
                _ => self.absent_file(entry, path)?,
            };
            if found.is_some() {
                return Ok(found);
            }
            path.truncate(length);
        }
        Ok(None)
    }

    fn absent_file(&self, entry: Entry, path: &[u8]) -> Result<Option<Absent>, GitError> {
        let Some((_, size)) = absent(self.repo.header(entry.oid))? else {
            return Ok(Some(Absent::Object(entry.oid.to_string())));
        };
        if size > LFS_POINTER_BYTES_MAX || entry.mode == mode::LINK {
            return Ok(None);
        }
        let (_, bytes) = self.repo.read(entry.oid)?;
        Ok(bytes.starts_with(LFS_POINTER).then(|| Absent::Large(repo_path(path))))
    }

    /// Writes every file of a tree below an existing, empty directory, with line endings as the
    /// repository's attributes want them. Submodules become empty directories. The result is not a
    /// repository, and is not flushed: it is there to be looked at and thrown away.
    ///
    /// # Errors
    /// The tree is damaged, or something cannot be written.
    pub fn checkout_to(&self, tree: &TreeId, dir: &Path) -> Result<(), GitError> {
        let tree = Oid::parse(tree.as_str())?;
        let top = disk::open_root(dir).map_err(|error| GitError::io("open", dir, error))?;
        let checkout = Checkout { git: self, dir, settings: Settings::read(&self.repo)? };
        checkout.level(&top, tree, &mut Vec::new())
    }
}

struct Checkout<'a> {
    git: &'a Git,
    dir: &'a Path,
    settings: Settings,
}

impl Checkout<'_> {
    fn level(&self, at: &OwnedFd, tree: Oid, path: &mut Vec<u8>) -> Result<(), GitError> {
        for (name, entry) in tree::read(&self.git.repo, tree)? {
            let length = join(path, &name);
            if content::is_reserved(&name) {
                let id = repo_path(path).to_string();
                return Err(GitError::Damaged { what: "name", id });
            }
            match entry.mode {
                mode::TREE => {
                    let made = disk::make_dir(at.as_fd(), &name);
                    let made = made.map_err(|error| self.failed(path, error.into()))?;
                    self.level(&made, entry.oid, path)?;
                }
                mode::GITLINK => {
                    disk::make_dir(at.as_fd(), &name)
                        .map_err(|error| self.failed(path, error.into()))?;
                }
                _ => self.file(at, &name, entry, path)?,
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn file(&self, at: &OwnedFd, name: &[u8], entry: Entry, path: &[u8]) -> Result<(), GitError> {
        let (Kind::Blob, bytes) = self.git.repo.read(entry.oid)? else {
            return Err(GitError::Damaged { what: "file", id: entry.oid.to_string() });
        };
        if entry.mode == mode::LINK {
            return disk::put_link(at.as_fd(), name, &bytes)
                .map_err(|error| self.failed(path, error.into()));
        }
        let content = self.settings.smudge(&self.git.repo, path, entry.oid, &bytes)?;
        let mode = if entry.mode == mode::EXEC { 0o777 } else { 0o666 };
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(at, name, flags, Mode::from_raw_mode(mode));
        let made = made.map_err(|error| self.failed(path, error.into()))?;
        std::io::Write::write_all(&mut std::fs::File::from(made), &content)
            .map_err(|error| self.failed(path, error))
    }

    fn failed(&self, path: &[u8], error: std::io::Error) -> GitError {
        GitError::io("write", self.dir.join(as_path(path)), error)
    }
}
