//! Writes a tree into a directory of its own, as a fresh clone would have it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::content::{self, as_path};
use super::disk;
use super::eol::Settings;
use super::error::GitError;
use super::mirror::join;
use super::object::Kind;
use super::oid::{Entry, Oid, mode};
use super::tree;
use super::worktree::Git;
use crate::engine::id::TreeId;

impl Git {
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
                let id = super::mirror::repo_path(path).to_string();
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
