//! Files below `.git`: written, removed, and asked, one at a time.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use super::content::as_path;
use super::disk::{self, absent};
use super::error::GitError;
use super::guarded::{GuardedFile, place_of};
use super::worktree::Git;
use crate::engine::id::RepoPath;

/// The lock files that a killed git process can leave.
pub(super) fn lock_files(git: &Git, branch: Option<&str>) -> Vec<PathBuf> {
    let (own, common) = (git.repo.git_dir(), git.repo.common_dir());
    let mut files = vec![own.join("index.lock"), own.join("HEAD.lock")];
    files.extend(branch.map(|branch| common.join(format!("{branch}.lock"))));
    files.extend(["packed-refs.lock", "config.lock"].map(|name| common.join(name)));
    files
}

/// Removes the locks of refs that only this program writes.
pub(super) fn clear_own_ref_locks(git: &Git) -> Result<(), GitError> {
    const DEPTH_MAX: usize = 32;
    let common = git.repo.common_dir();
    let mut next = vec![(common.join(git.own_ref("")), 0)];
    while let Some((dir, depth)) = next.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries {
            let entry = entry.map_err(|error| GitError::io("list", &dir, error))?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.path();
            let name = name.strip_prefix(common).unwrap_or(&name).join("");
            if git.is_anothers(&name.to_string_lossy()) {
                continue;
            }
            if is_dir && depth < DEPTH_MAX {
                next.push((entry.path(), depth + 1));
            } else if entry.path().extension().is_some_and(|extension| extension == "lock") {
                remove(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// Branches that another work tree of the same repository has checked out.
pub(super) fn checked_out_elsewhere(git: &Git) -> Result<BTreeSet<String>, GitError> {
    let common = git.repo.common_dir();
    let mut dirs = vec![common.to_owned()];
    let linked = common.join("worktrees");
    let failed = |error| GitError::io("list", &linked, error);
    match std::fs::read_dir(&linked) {
        Ok(entries) => {
            for entry in entries {
                dirs.push(entry.map_err(failed)?.path());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let own = git.repo.git_dir().canonicalize().ok();
    let mut branches = BTreeSet::new();
    for dir in dirs.into_iter().filter(|dir| dir.canonicalize().ok() != own) {
        let head = dir.join("HEAD");
        match std::fs::read_to_string(&head) {
            Ok(text) => {
                let branch = text.strip_prefix("ref: ").map(|branch| branch.trim_end().to_owned());
                branches.extend(branch);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(GitError::io("read", head, error)),
        }
    }
    Ok(branches)
}

/// Puts a guarded file back as it was, or removes it where there was none.
pub(super) fn put_back(
    git: &Git,
    name: &RepoPath,
    old: Option<&GuardedFile>,
) -> Result<(), GitError> {
    let bytes = name.as_bytes();
    let slash = bytes.iter().position(|byte| *byte == b'/').unwrap_or(0);
    let place = std::str::from_utf8(&bytes[..slash]).unwrap_or_default();
    let (dir, path) = (place_of(git, place), &bytes[slash + 1..]);
    match old {
        None => remove_below(&dir, path),
        Some(GuardedFile { permissions, blob }) => {
            let (_, content) = git.repo.read(*blob)?;
            match permissions {
                Some(permissions) => put_file(&dir, path, &content, Some(*permissions)),
                None => put_link(&dir, path, &content),
            }
        }
    }
}

pub(super) fn put_file(
    dir: &Path,
    path: &[u8],
    content: &[u8],
    permissions: Option<u32>,
) -> Result<(), GitError> {
    let failed = |error: std::io::Error| GitError::io("write", dir.join(as_path(path)), error);
    let root = disk::open_root(dir).map_err(|error| failed(error.into()))?;
    let (parent, name) =
        disk::make_parent(root.as_fd(), path).map_err(|error| failed(error.into()))?;
    if disk::stat(&parent, name).is_ok_and(|stamp| stamp.is_dir()) {
        disk::remove(parent.as_fd(), name).map_err(|error| failed(error.into()))?;
    }
    disk::put_file(parent.as_fd(), name, content, permissions).map_err(failed)?;
    rustix::fs::fsync(&parent).map_err(|error| failed(error.into()))
}

fn put_link(dir: &Path, path: &[u8], target: &[u8]) -> Result<(), GitError> {
    let failed = |error: rustix::io::Errno| GitError::io("write", dir.join(as_path(path)), error);
    let root = disk::open_root(dir).map_err(failed)?;
    let (parent, name) = disk::make_parent(root.as_fd(), path).map_err(failed)?;
    disk::remove(parent.as_fd(), name).map_err(failed)?;
    disk::put_link(parent.as_fd(), name, target).map_err(failed)
}

fn remove_below(dir: &Path, path: &[u8]) -> Result<(), GitError> {
    let failed = |error: rustix::io::Errno| GitError::io("remove", dir.join(as_path(path)), error);
    let root = disk::open_root(dir).map_err(failed)?;
    match absent(disk::open_parent(root.as_fd(), path)).map_err(failed)? {
        Some((parent, name)) => disk::remove(parent.as_fd(), name).map_err(failed),
        // A parent that is gone took the file with it.
        None => Ok(()),
    }
}

pub(super) fn remove(path: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}
