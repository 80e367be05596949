//! What one process changed in the work tree: seen here, and done again in another one.
//!
//! Raw bytes and permissions, without what git ignores. A candidate tells less: it knows neither
//! empty directories nor line endings as they were written, and only of implementers.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::content::{as_path, is_reserved};
use super::disk::{self, absent};
use super::error::GitError;
use super::mirror::{Dir, Node, SpecialKind, differences};
use super::request::{Access, Caches, Depth, KEPT_BYTES_MAX};
use super::snapshot::Snapshot;
use super::worktree::{Git, Sight};
use crate::engine::id::RepoPath;

/// What a directory may permit that is made again: no set-id bit comes from elsewhere.
const PERMISSIONS: u32 = 0o777;

/// The work tree at one moment.
#[derive(Clone, Debug)]
pub struct Sighting {
    top: Arc<Dir>,
}

/// What a path has become.
#[derive(Debug)]
pub enum Became {
    /// Nothing is there any more.
    Gone,
    /// A directory.
    Dir {
        /// Its permissions.
        permissions: u32,
    },
    /// A file.
    File {
        /// Its permissions.
        permissions: u32,
        /// It, open for reading.
        file: File,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// Something that cannot be made again elsewhere.
    Other(SpecialKind),
}

/// What is to be made of a path.
#[derive(Clone, Copy, Debug)]
pub enum Make<'a> {
    /// Nothing is left there. A directory with something in it stays.
    Nothing,
    /// A directory.
    Dir {
        /// Its permissions.
        permissions: u32,
    },
    /// A file.
    File {
        /// Its permissions.
        permissions: u32,
        /// All of it.
        content: &'a [u8],
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: &'a [u8],
    },
    /// A named pipe.
    Fifo,
}

impl Git {
    /// Looks at the work tree as it is now, to tell later what became of it.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn sight(&mut self, snapshot: &Snapshot) -> Result<Sighting, GitError> {
        self.sight_against(snapshot, &Arc::clone(&snapshot.top))
    }

    fn sight_against(
        &mut self,
        snapshot: &Snapshot,
        reference: &Arc<Dir>,
    ) -> Result<Sighting, GitError> {
        let top = self.look(&Sight {
            tracked: &snapshot.tracked,
            // Only a name tells whether content is the same: a stamp of just now does not.
            depth: Depth::Store { file_bytes_max: KEPT_BYTES_MAX },
            access: Access::Report,
            caches: Caches::Seen,
            reference: Some(reference),
            rules: Some(&snapshot.rules),
        })?;
        // Whoever looks next looks for something else.
        self.touched();
        Ok(Sighting { top })
    }

    /// Shows every path that is not what it was, directories before their content. To be called
    /// once every process is gone.
    ///
    /// # Errors
    /// Something cannot be read, or `visit` fails.
    pub fn altered_since<E: From<GitError>>(
        &mut self,
        snapshot: &Snapshot,
        before: &Sighting,
        visit: &mut dyn FnMut(&RepoPath, Became) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = self.sight_against(snapshot, &before.top)?;
        for delta in differences(&before.top, &now.top) {
            let became = match delta.new {
                None => Became::Gone,
                Some(Node::Dir(dir)) => {
                    let had_git = delta.old.and_then(Node::as_dir).is_some_and(|dir| dir.has_git);
                    if dir.has_git && !had_git {
                        visit(&delta.path, Became::Other(SpecialKind::NestedRepository))?;
                    }
                    Became::Dir { permissions: dir.permissions }
                }
                Some(Node::File(_)) => self.read_altered(&delta.path)?,
                Some(Node::Special(SpecialKind::Fifo)) => Became::Fifo,
                Some(Node::Special(kind)) => Became::Other(*kind),
                Some(Node::Nested(_)) => Became::Other(SpecialKind::NestedRepository),
            };
            visit(&delta.path, became)?;
        }
        Ok(())
    }

    fn read_altered(&self, path: &RepoPath) -> Result<Became, GitError> {
        let failed = |error: Errno| GitError::io("read", as_path(path.as_bytes()), error);
        let (dir, name) = disk::open_parent(self.root(), path.as_bytes()).map_err(failed)?;
        let stamp = disk::stat(&dir, name).map_err(failed)?;
        if stamp.is_link() {
            let target = disk::read_link(&dir, name).map_err(failed)?;
            return Ok(Became::Link { target });
        }
        match disk::open_file(&dir, name) {
            Ok(file) => Ok(Became::File { permissions: stamp.permissions(), file }),
            Err(Errno::ACCESS) => Ok(Became::Other(SpecialKind::Unreadable)),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Makes all of this of paths below `root`, whatever stands there now, without following a link
/// and without touching what git keeps. `made` is in the order of [`Git::altered_since`].
///
/// # Errors
/// A path leads to where git keeps things, or the system refuses.
pub fn make_again(root: &Path, made: &[(RepoPath, Make<'_>)]) -> Result<(), GitError> {
    let failed = |path: &RepoPath, error: std::io::Error| {
        GitError::io("write", root.join(as_path(path.as_bytes())), error)
    };
    let top = disk::open_root(root).map_err(|error| GitError::io("open", root, error))?;
    for (path, _) in made {
        if path.as_bytes().split(|byte| *byte == b'/').any(is_reserved) {
            return Err(GitError::Damaged { what: "name", id: path.to_string() });
        }
    }
    for (path, make) in made.iter().rev() {
        let cleared = clear_for(top.as_fd(), path.as_bytes(), make);
        cleared.map_err(|error| failed(path, error.into()))?;
    }
    for (path, make) in made {
        put(top.as_fd(), path.as_bytes(), make).map_err(|error| failed(path, error))?;
    }
    // Last, because one that may not be written could not be filled.
    for (path, make) in made.iter().rev() {
        if let Make::Dir { permissions } = make {
            let set = permit(top.as_fd(), path.as_bytes(), *permissions);
            set.map_err(|error| failed(path, error.into()))?;
        }
    }
    Ok(())
}

/// Removes what is of another kind than what is wanted.
fn clear_for(root: BorrowedFd<'_>, path: &[u8], make: &Make<'_>) -> rustix::io::Result<()> {
    let Some((dir, name)) = absent(disk::open_parent(root, path))? else { return Ok(()) };
    let Some(found) = absent(disk::stat(&dir, name))? else { return Ok(()) };
    match (make, found.is_dir()) {
        (Make::Dir { .. }, true) => Ok(()),
        (Make::Nothing, true) => match rustix::fs::unlinkat(&dir, name, AtFlags::REMOVEDIR) {
            // What git ignores is still in it, as it was then.
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            removed => removed,
        },
        (Make::File { .. } | Make::Link { .. } | Make::Fifo, true) => {
            rustix::fs::unlinkat(&dir, name, AtFlags::REMOVEDIR)
        }
        (Make::File { .. } | Make::Link { .. }, false) => Ok(()),
        (Make::Nothing | Make::Dir { .. } | Make::Fifo, false) => {
            rustix::fs::unlinkat(&dir, name, AtFlags::empty())
        }
    }
}

fn put(root: BorrowedFd<'_>, path: &[u8], make: &Make<'_>) -> std::io::Result<()> {
    if matches!(make, Make::Nothing) {
        return Ok(());
    }
    let (dir, name) = disk::make_parent(root, path)?;
    match make {
        Make::Nothing => Ok(()),
        Make::Dir { .. } => match disk::make_dir(dir.as_fd(), name) {
            Ok(_) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        },
        Make::File { permissions, content } => {
            disk::put_file(dir.as_fd(), name, content, Some(permissions & PERMISSIONS))
        }
        Make::Link { target } => Ok(disk::put_link(dir.as_fd(), name, target)?),
        Make::Fifo => {
            Ok(rustix::fs::mknodat(&dir, name, FileType::Fifo, Mode::from_raw_mode(0o644), 0)?)
        }
    }
}

fn permit(root: BorrowedFd<'_>, path: &[u8], permissions: u32) -> rustix::io::Result<()> {
    let (parent, name) = disk::open_parent(root, path)?;
    disk::set_permissions(disk::open_dir(&parent, name)?, permissions & PERMISSIONS)
}
