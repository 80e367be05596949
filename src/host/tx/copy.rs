//! The crash transaction as it is, read without touching it: opening it would write.

use std::fs;
use std::path::Path;

use super::{Memory, Tx, TxError};
use crate::host::files::{self, FileError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// More than this was not written by us, in bytes.
const BYTES_MAX: u64 = 64 << 20;

/// What the transaction holds.
#[derive(Debug)]
pub enum Seen<T> {
    /// There is none, or it holds nothing.
    Nothing,
    /// What the last process remembered.
    Memory(Box<Memory<T>>),
    /// It cannot be read.
    Broken(String),
}

/// Reads a copy of the transaction in this directory. To be called while no run is at work.
///
/// # Errors
/// The system refuses.
pub fn look<T: Serialize + DeserializeOwned>(dir: &Path) -> Result<Seen<T>, TxError> {
    let failed = |attempt| move |source| FileError::io(attempt, dir, source);
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Seen::Nothing),
        Err(error) => return Err(failed("look at")(error).into()),
        Ok(metadata) if !metadata.is_dir() => {
            return Ok(Seen::Broken("it is no directory".to_owned()));
        }
        Ok(_) => {}
    }
    let place = tempfile::tempdir().map_err(failed("copy"))?;
    let copy = place.path().join("tx");
    if let Err(why) = copy_dir(dir, &copy, &mut BYTES_MAX.clone())? {
        return Ok(Seen::Broken(why));
    }
    let opened = Tx::open(&copy)?;
    Ok(match (opened.memory, opened.why) {
        (Some(memory), _) => Seen::Memory(Box::new(memory)),
        (None, Some(why)) => Seen::Broken(why.replace(&*copy.to_string_lossy(), "it")),
        (None, None) => Seen::Nothing,
    })
}

/// Copies files and the directories that sled makes. The inner error says what cannot be its.
fn copy_dir(from: &Path, to: &Path, room: &mut u64) -> Result<Result<(), String>, FileError> {
    fs::create_dir(to).map_err(|source| FileError::io("make", to, source))?;
    let failed = |source| FileError::io("read", from, source);
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let metadata = entry.metadata().map_err(failed)?;
        if metadata.is_dir() {
            // sled keeps large values in one directory below; nothing of ours is that large.
            fs::create_dir(&copy).map_err(|source| FileError::io("make", &copy, source))?;
            continue;
        }
        if !metadata.is_file() {
            return Ok(Err(format!("{} is no file", entry.file_name().display())));
        }
        let Some(left) = room.checked_sub(metadata.len()) else {
            return Ok(Err(format!("it has more than {BYTES_MAX} bytes")));
        };
        *room = left;
        let bytes = files::read_bounded(&path, BYTES_MAX)?;
        fs::write(&copy, bytes).map_err(|source| FileError::io("write", &copy, source))?;
    }
    Ok(Ok(()))
}
