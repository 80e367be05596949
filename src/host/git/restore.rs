//! Carries out a return to an earlier state of the work tree, file by file.
//!
//! Every file is complete and flushed before it takes its place, and no step follows a symbolic
//! link, so that the return can be cut short anywhere and begun again.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;

use super::content::as_path;
use super::disk;
use super::error::GitError;
use super::mirror::{Dir, File, Name, Node, join, repo_path};
use super::rollback::Restored;
use super::worktree::Git;

/// How far a restorer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// To the target and nothing else.
    Exactly,
    /// Puts back what is missing or altered, and leaves what is new.
    Mend,
    /// Removes what is new or altered and puts nothing back: it only makes room.
    Clear,
}

/// Brings a work tree back.
pub(super) struct Restorer<'a> {
    git: &'a Git,
    path: Vec<u8>,
    task: Task,
    done: Restored,
}

impl<'a> Restorer<'a> {
    /// Makes the work tree, which is `now`, equal to `target`.
    pub(super) fn run(git: &'a Git, target: &Dir, now: &Dir) -> Result<Restored, GitError> {
        Self::start(git, target, now, Task::Exactly)
    }

    /// Puts back what is missing or altered, and leaves what is new.
    pub(super) fn mend(git: &'a Git, target: &Dir, now: &Dir) -> Result<Restored, GitError> {
        Self::start(git, target, now, Task::Mend)
    }

    /// Removes what the target does not have as it is, so that there is room to put the rest back.
    pub(super) fn clear(git: &'a Git, target: &Dir, now: &Dir) -> Result<Restored, GitError> {
        Self::start(git, target, now, Task::Clear)
    }

    fn start(git: &'a Git, target: &Dir, now: &Dir, task: Task) -> Result<Restored, GitError> {
        let mut restorer = Self { git, path: Vec::new(), task, done: Restored::default() };
        let top = disk::open_dir(git.root(), b".").map_err(restorer.failed("open"))?;
        restorer.directory(&top, target, Some(now))?;
        Ok(restorer.done)
    }

    fn failed(&self, action: &'static str) -> impl Fn(Errno) -> GitError + use<> {
        let path = self.git.root.join(as_path(&self.path));
        move |error| GitError::io(action, &path, error)
    }

    /// Brings back the content and the permissions of an open directory.
    fn directory(&mut self, fd: &OwnedFd, target: &Dir, now: Option<&Dir>) -> Result<(), GitError> {
        let names: BTreeSet<&Name> =
            target.nodes.keys().chain(now.iter().flat_map(|dir| dir.nodes.keys())).collect();
        let mut changes = false;
        for name in names {
            let is = now.and_then(|dir| dir.nodes.get(name));
            let wanted = target.nodes.get(name);
            if unchanged(wanted, is) || (wanted.is_none() && self.task == Task::Mend) {
                continue;
            }
            if !changes {
                self.make_writable(fd)?;
                changes = true;
            }
            let length = join(&mut self.path, name);
            match wanted {
                Some(wanted) if self.task == Task::Clear => self.clear_one(fd, name, wanted, is)?,
                Some(wanted) => self.bring_back(fd, name, wanted, is)?,
                None => self.take_away(fd, name, is)?,
            }
            self.path.truncate(length);
        }
        if now.is_some_and(|now| now.has_git) && !target.has_git && self.task != Task::Mend {
            self.make_writable(fd)?;
            disk::remove(fd.as_fd(), b".git").map_err(self.failed("remove the repository in"))?;
            self.removed_below(b".git");
        }
        let stamp = disk::stat_open(fd).map_err(self.failed("look at"))?;
        if stamp.permissions() != target.permissions {
            disk::set_permissions(fd, target.permissions)
                .map_err(self.failed("set the mode of"))?;
        }
        if changes {
            rustix::fs::fsync(fd).map_err(self.failed("flush"))?;
        }
        Ok(())
    }

    fn make_writable(&self, fd: &OwnedFd) -> Result<(), GitError> {
        let permissions = disk::stat_open(fd).map_err(self.failed("look at"))?.permissions();
        if permissions & 0o700 != 0o700 {
            disk::set_permissions(fd, permissions | 0o700)
                .map_err(self.failed("set the mode of"))?;
        }
        Ok(())
    }

    fn bring_back(
        &mut self,
        fd: &OwnedFd,
        name: &[u8],
        wanted: &Node,
        is: Option<&Node>,
    ) -> Result<(), GitError> {
        match wanted {
            Node::File(file) => self.file(fd, name, file, is),
            Node::Dir(dir) => self.subdirectory(fd, name, dir, is),
            // What was another repository, or a pipe, cannot be made again. What took its place
            // goes, unless it may hold what was there before.
            Node::Nested(_) | Node::Special(_) => {
                if matches!(is, Some(Node::File(_) | Node::Special(_))) {
                    self.remove(fd, name)?;
                }
                self.done.left.push(repo_path(&self.path));
                Ok(())
            }
        }
    }

    /// A file that will be written anew, or a directory with such files in it.
    fn clear_one(
        &mut self,
        fd: &OwnedFd,
        name: &[u8],
        wanted: &Node,
        is: Option<&Node>,
    ) -> Result<(), GitError> {
        match (wanted, is) {
            (Node::File(wanted), Some(Node::File(is))) if wanted.stored && is.raw != wanted.raw => {
                self.remove(fd, name)
            }
            (Node::Dir(wanted), Some(Node::Dir(is))) => {
                let opened = disk::force_open_dir(fd.as_fd(), name).map_err(self.failed("open"))?;
                self.directory(&opened, wanted, Some(is))
            }
            _ => Ok(()),
        }
    }

    fn file(
        &mut self,
        fd: &OwnedFd,
        name: &[u8],
        file: &File,
        is: Option<&Node>,
    ) -> Result<(), GitError> {
        let permissions = file.stamp.permissions();
        let raw = file.raw.filter(|_| file.stored).ok_or_else(|| GitError::Damaged {
            what: "stored content of",
            id: repo_path(&self.path).to_string(),
        })?;
        self.done.restored.push(repo_path(&self.path));
        if let Some(Node::File(is)) = is
            && is.raw == file.raw
            && is.stamp.is_link() == file.stamp.is_link()
        {
            let mode = Mode::from_raw_mode(permissions);
            return rustix::fs::chmodat(fd, name, mode, AtFlags::empty())
                .map_err(self.failed("set the mode of"));
        }
        // Nothing in sight can still be a directory of ignored files, which the attempt made.
        if !matches!(is, Some(Node::File(_))) {
            self.remove(fd, name)?;
        }
        let (_, content) = self.git.repo.read(raw)?;
        if file.stamp.is_link() {
            return disk::put_link(fd.as_fd(), name, &content).map_err(self.failed("write"));
        }
        let path = self.git.root.join(as_path(&self.path));
        disk::put_file(fd.as_fd(), name, &content, Some(permissions))
            .map_err(|error| GitError::io("write", path, error))
    }

    fn subdirectory(
        &mut self,
        fd: &OwnedFd,
        name: &[u8],
        dir: &Arc<Dir>,
        is: Option<&Node>,
    ) -> Result<(), GitError> {
        let now = is.and_then(Node::as_dir);
        if is.is_some() && now.is_none() {
            self.remove(fd, name)?;
        }
        let opened = match disk::force_open_dir(fd.as_fd(), name) {
            Err(Errno::NOENT) => disk::make_dir(fd.as_fd(), name),
            opened => opened,
        };
        let opened = opened.map_err(self.failed("open"))?;
        if now.is_none() && dir.nodes.is_empty() {
            self.done.restored.push(repo_path(&self.path));
        }
        if dir.has_git && !now.is_some_and(|now| now.has_git) {
            self.done.left.push(repo_path(&self.path));
        }
        self.directory(&opened, dir, now.map(|dir| &**dir))
    }

    /// Removes what the attempt made. Ignored files in it stay, and with them their directories.
    fn take_away(&mut self, fd: &OwnedFd, name: &[u8], is: Option<&Node>) -> Result<(), GitError> {
        let Some(Node::Dir(dir)) = is else {
            self.done.removed.push(repo_path(&self.path));
            return self.remove(fd, name);
        };
        let opened = disk::force_open_dir(fd.as_fd(), name).map_err(self.failed("open"))?;
        self.make_writable(&opened)?;
        if dir.nodes.is_empty() {
            self.done.removed.push(repo_path(&self.path));
        }
        for (child, node) in &dir.nodes {
            let length = join(&mut self.path, child);
            self.take_away(&opened, child, Some(node))?;
            self.path.truncate(length);
        }
        if dir.has_git {
            disk::remove(opened.as_fd(), b".git").map_err(self.failed("remove"))?;
            self.removed_below(b".git");
        }
        match rustix::fs::unlinkat(fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(error) => Err(self.failed("remove")(error)),
        }
    }

    fn remove(&self, fd: &OwnedFd, name: &[u8]) -> Result<(), GitError> {
        disk::remove(fd.as_fd(), name).map_err(self.failed("remove"))
    }

    fn removed_below(&mut self, name: &[u8]) {
        let mut path = self.path.clone();
        join(&mut path, name);
        self.done.removed.push(repo_path(&path));
    }
}

/// Whether nothing has to be done for a name and all below it.
fn unchanged(wanted: Option<&Node>, is: Option<&Node>) -> bool {
    match (wanted, is) {
        (Some(Node::Dir(wanted)), Some(Node::Dir(is))) => {
            Arc::ptr_eq(wanted, is)
                || (wanted.permissions == is.permissions
                    && wanted.has_git == is.has_git
                    && wanted.nodes.len() == is.nodes.len()
                    && wanted.nodes.iter().zip(&is.nodes).all(|(wanted, is)| {
                        wanted.0 == is.0 && unchanged(Some(wanted.1), Some(is.1))
                    }))
        }
        (Some(wanted), Some(is)) => wanted.same(is),
        (Some(_), None) | (None, Some(_) | None) => false,
    }
}
