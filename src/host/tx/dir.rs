//! The directory of the database, before sled sees it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::store::{Refusal, TxError};
use crate::host::files::{self, FileError};

/// A directory larger than this was not made here; reading it could take any amount of memory.
const DIR_MAX: u64 = 64 << 20;

/// Names tried for a broken directory; the oldest can be deleted at any time.
const BROKEN_MAX: u32 = 1000;

pub(super) fn db_file(dir: &Path) -> PathBuf {
    dir.join("db")
}

/// sled's own lock cannot be told from damage by its error, so it is asked for first.
pub(super) fn require_free(dir: &Path) -> Result<(), Refusal> {
    let path = db_file(dir);
    let file = match files::open_read(&path) {
        Err(error) if error.is_missing() => return Ok(()),
        // Whoever may not look at it cannot know whether it is broken.
        Err(error) if error.is_denied() => return Err(Refusal::Fatal(error.into())),
        result => result.map_err(|error| Refusal::Broken(error.to_string()))?,
    };
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => {
            Err(Refusal::Fatal(TxError::Busy { path: dir.to_owned() }))
        }
        Err(fs::TryLockError::Error(source)) => {
            Err(Refusal::Fatal(FileError::io("lock", &path, source).into()))
        }
    }
}

/// Removes unfinished snapshots, which sled would take for finished ones, and refuses what could
/// not come from here.
pub(super) fn prepare(dir: &Path) -> Result<(), Refusal> {
    let fatal = |attempt| move |e| Refusal::Fatal(FileError::io(attempt, dir, e).into());
    let mut size = 0;
    for entry in fs::read_dir(dir).map_err(fatal("read"))? {
        let entry = entry.map_err(fatal("read"))?;
        if entry.path().extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(entry.path()).map_err(fatal("clear"))?;
            continue;
        }
        let metadata = entry.metadata().map_err(fatal("look at"))?;
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(Refusal::Broken(format!("{} is no file", entry.path().display())));
        }
        size += if metadata.is_file() { metadata.len() } else { 0 };
        if size > DIR_MAX {
            return Err(Refusal::Broken(format!("it has more than {DIR_MAX} bytes")));
        }
    }
    Ok(())
}

/// Renames a directory to the first free `<name>.broken-<n>`.
pub(super) fn move_aside(dir: &Path) -> Result<PathBuf, FileError> {
    let name = dir.file_name().unwrap_or_default().to_os_string();
    for number in 1..=BROKEN_MAX {
        let mut name = name.clone();
        name.push(format!(".broken-{number}"));
        let aside = dir.with_file_name(name);
        if fs::symlink_metadata(&aside).is_err() {
            fs::rename(dir, &aside).map_err(|source| FileError::io("move aside", dir, source))?;
            files::sync_dir(files::parent_of(dir))?;
            return Ok(aside);
        }
    }
    Err(FileError::io("move aside", dir, io::ErrorKind::AlreadyExists.into()))
}
