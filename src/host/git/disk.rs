//! Files below an open directory, reached without ever following a symbolic link.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::{Errno, Result};

use super::mirror::Stamp;

/// Files made on the way to their final name. Whatever a crash leaves behind under this name is an
/// untracked file of the attempt and goes with it.
const TEMPORARY: &[u8] = b".looper-tmp-";

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Directories nested deeper than this are flattened before they are removed, so that a hostile
/// tree exhausts neither the stack nor the table of open files.
const DEPTH_MAX: usize = 64;

/// Turns "there is nothing of this kind there" into nothing. Every other failure stays one: what
/// merely cannot be read must not be taken for missing.
pub(super) fn absent<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens the directory from which everything else is reached.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())
}

pub(super) fn open_dir(at: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    rustix::fs::openat(at, name, DIRECTORY, Mode::empty())
}

/// Opens a directory even if its owner may not look into it at the moment.
pub(super) fn force_open_dir(at: impl AsFd + Copy, name: &[u8]) -> Result<OwnedFd> {
    match open_dir(at, name) {
        Err(Errno::ACCESS) if stat(at, name)?.is_dir() => {
            rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::empty())?;
            open_dir(at, name)
        }
        opened => opened,
    }
}

pub(super) fn stat(at: impl AsFd, name: &[u8]) -> Result<Stamp> {
    rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| Stamp::from(&stat))
}

pub(super) fn stat_open(file: impl AsFd) -> Result<Stamp> {
    rustix::fs::fstat(file).map(|stat| Stamp::from(&stat))
}

/// Names and types in a directory, sorted by name.
pub(super) fn list(dir: BorrowedFd<'_>) -> Result<Vec<(Box<[u8]>, FileType)>> {
    let mut names: Vec<(Box<[u8]>, FileType)> = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((Box::from(name), entry.file_type()));
        }
    }
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// Opens a regular file for reading. Does not wait for a writer should it have become a FIFO.
pub(super) fn open_file(at: impl AsFd, name: &[u8]) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty()).map(File::from)
}

pub(super) fn read_link(at: impl AsFd, name: &[u8]) -> Result<Vec<u8>> {
    rustix::fs::readlinkat(at, name, Vec::new()).map(std::ffi::CString::into_bytes)
}

/// Reads a regular file of at most `max` bytes; nothing if there is none, or it is larger.
pub(super) fn read_small(at: impl AsFd, name: &[u8], max: u64) -> std::io::Result<Option<Vec<u8>>> {
    let Some(file) = absent(open_file(at, name))? else { return Ok(None) };
    let stamp = stat_open(&file)?;
    if !stamp.is_file() || stamp.size > max {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Opens the directory that holds `path`, which is relative to `root`.
pub(super) fn open_parent<'a>(root: BorrowedFd<'_>, path: &'a [u8]) -> Result<(OwnedFd, &'a [u8])> {
    let mut dir = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    let mut rest = path;
    while let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
        dir = open_dir(&dir, &rest[..slash])?;
        rest = &rest[slash + 1..];
    }
    Ok((dir, rest))
}

/// As [`open_parent`], and makes the directories on the way, in place of anything else there.
pub(super) fn make_parent<'a>(root: BorrowedFd<'_>, path: &'a [u8]) -> Result<(OwnedFd, &'a [u8])> {
    let mut dir = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    let mut rest = path;
    while let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
        let name = &rest[..slash];
        dir = match force_open_dir(dir.as_fd(), name) {
            Err(Errno::NOENT) => make_dir(dir.as_fd(), name)?,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                rustix::fs::unlinkat(&dir, name, AtFlags::empty())?;
                make_dir(dir.as_fd(), name)?
            }
            opened => opened?,
        };
        rest = &rest[slash + 1..];
    }
    Ok((dir, rest))
}

pub(super) fn make_dir(at: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    rustix::fs::mkdirat(at, name, Mode::RWXU | Mode::RWXG | Mode::RWXO)?;
    open_dir(at, name)
}

/// Sets the permission bits of an open file or directory.
pub(super) fn set_permissions(file: impl AsFd, permissions: u32) -> Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(permissions))
}

/// Puts a file in place in one step: complete, flushed, with its mode, or not at all.
pub(super) fn put_file(
    at: BorrowedFd<'_>,
    name: &[u8],
    content: &[u8],
    permissions: Option<u32>,
) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mode = Mode::from_raw_mode(0o666);
    let (temporary, fd) =
        with_temporary(|temporary| rustix::fs::openat(at, temporary, flags, mode))?;
    let mut file = File::from(fd);
    let written = file.write_all(content).and_then(|()| {
        if let Some(permissions) = permissions {
            set_permissions(&file, permissions)?;
        }
        file.sync_all()?;
        Ok(rustix::fs::renameat(at, &*temporary, at, name)?)
    });
    if written.is_err() {
        // The first error is the one to tell; a leftover is removed with the attempt.
        rustix::fs::unlinkat(at, &*temporary, AtFlags::empty()).ok();
    }
    written
}

/// Puts a symbolic link in place in one step.
pub(super) fn put_link(at: BorrowedFd<'_>, name: &[u8], target: &[u8]) -> Result<()> {
    let (temporary, ()) = with_temporary(|temporary| rustix::fs::symlinkat(target, at, temporary))?;
    rustix::fs::renameat(at, &*temporary, at, name)
}

/// Finds a free temporary name. Names that are taken are leftovers of a crash.
fn with_temporary<T>(mut make: impl FnMut(&[u8]) -> Result<T>) -> Result<(Vec<u8>, T)> {
    for number in 0..1000 {
        let name = [TEMPORARY, number.to_string().as_bytes()].concat();
        match make(&name) {
            Err(Errno::EXIST) => {}
            made => return made.map(|made| (name, made)),
        }
    }
    Err(Errno::EXIST)
}

/// Removes whatever stands at a name, with all it holds. Nothing there is fine.
pub(super) fn remove(at: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let mut deep = Vec::new();
    remove_level(at, name, at, 0, &mut deep)?;
    while let Some(name) = deep.pop() {
        remove_level(at, &name, at, 0, &mut deep)?;
    }
    Ok(())
}

fn remove_level(
    at: BorrowedFd<'_>,
    name: &[u8],
    top: BorrowedFd<'_>,
    depth: usize,
    deep: &mut Vec<Vec<u8>>,
) -> Result<()> {
    match rustix::fs::unlinkat(at, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // Linux says that it is a directory, other systems that it is not permitted.
        Err(Errno::ISDIR | Errno::PERM | Errno::ACCESS) if stat(at, name)?.is_dir() => {}
        Err(error) => return Err(error),
    }
    if depth == DEPTH_MAX {
        let (moved, ()) = with_temporary(|free| {
            rustix::fs::mkdirat(top, free, Mode::RWXU)?;
            rustix::fs::renameat(at, name, top, free)
        })?;
        deep.push(moved);
        return Ok(());
    }
    let dir = force_open_dir(at, name)?;
    if stat_open(&dir)?.permissions() & 0o700 != 0o700 {
        set_permissions(&dir, 0o700)?;
    }
    for (child, _) in list(dir.as_fd())? {
        remove_level(dir.as_fd(), &child, top, depth + 1, deep)?;
    }
    rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_depth_is_removed() {
        let top = tempfile::tempdir().unwrap();
        let root = open_root(top.path()).unwrap();
        let mut dir = make_dir(root.as_fd(), b"deep").unwrap();
        for _ in 0..3 * DEPTH_MAX {
            dir = make_dir(dir.as_fd(), b"d").unwrap();
        }
        put_file(dir.as_fd(), b"file", b"x", Some(0o400)).unwrap();
        remove(root.as_fd(), b"deep").unwrap();
        assert_eq!(list(root.as_fd()).unwrap(), []);
    }

    #[test]
    fn a_parent_that_is_a_link_is_not_followed() {
        let top = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), top.path().join("d")).unwrap();
        let root = open_root(top.path()).unwrap();
        assert!(open_parent(root.as_fd(), b"d/file").is_err());
        let (dir, name) = make_parent(root.as_fd(), b"d/file").unwrap();
        put_file(dir.as_fd(), name, b"x", None).unwrap();
        assert!(top.path().join("d").is_dir());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
