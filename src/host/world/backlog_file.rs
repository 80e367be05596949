//! The backlog on disk, and what it has to say.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::WorldError;
use crate::backlog::marks;
use crate::engine::id::Digest;
use crate::engine::task::Mark;
use crate::host::files;

/// The largest backlog that is read, in bytes. Five thousand tasks take about four million.
pub const BACKLOG_BYTES_MAX: u64 = 16 << 20;

/// The backlog as this process knows it. Agents have no say in it.
#[derive(Clone, Debug)]
pub struct BacklogFile {
    path: PathBuf,
    text: String,
}

/// The SHA-256 of some bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    let sha = Sha256::digest(bytes);
    Digest::new(sha.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

impl BacklogFile {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, is too large, or is not UTF-8.
    pub fn open(path: &Path) -> Result<Self, WorldError> {
        let bytes = files::read_bounded(path, BACKLOG_BYTES_MAX)?;
        let text = String::from_utf8(bytes)
            .map_err(|source| WorldError::NotText { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of what it says.
    pub fn digest(&self) -> Digest {
        digest(self.text.as_bytes())
    }

    /// Its digests without and with a mark.
    ///
    /// # Errors
    /// There is no such task in it.
    pub fn weigh(&self, mark: &Mark) -> Result<(Digest, Digest), WorldError> {
        let marked = self.marked(mark)?;
        Ok((self.digest(), digest(marked.as_bytes())))
    }

    /// Writes a mark and nothing else.
    ///
    /// # Errors
    /// There is no such task in it, or it cannot be written.
    pub fn write(&mut self, mark: &Mark) -> Result<(), WorldError> {
        let marked = self.marked(mark)?;
        if marked != self.text {
            files::write_atomic(&self.path, marked.as_bytes(), 0o644)?;
            self.text = marked;
        }
        Ok(())
    }

    /// What the file says now, where that is something else.
    ///
    /// # Errors
    /// The disk fails. A backlog that is gone, or is no file any more, is a difference.
    pub fn difference(&self) -> Result<Option<Vec<u8>>, WorldError> {
        match files::read_bounded(&self.path, BACKLOG_BYTES_MAX) {
            Ok(bytes) if bytes == self.text.as_bytes() => Ok(None),
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Ok(Some(Vec::new())),
        }
    }

    /// Makes the file say again what it has to say.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn restore(&self) -> Result<(), WorldError> {
        files::clear(&self.path)?;
        Ok(files::write_atomic(&self.path, self.text.as_bytes(), 0o644)?)
    }

    fn marked(&self, mark: &Mark) -> Result<String, WorldError> {
        marks::apply(&self.text, std::slice::from_ref(mark))
            .map_err(|source| WorldError::Mark { path: self.path.clone(), source })
    }
}
