//! Evidence on disk: each piece in a compressed file that is named by what is in it.

mod recent;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use zstd::stream::{read::Decoder, write::Encoder};

use self::recent::{Recent, read_packed};
use super::files::{self, FileError};
use super::stamp::Stamp;
use crate::engine::id::ObjectId;

/// Higher levels cost more memory than they save disk on transcripts and diffs.
const LEVEL: i32 = 3;

/// 512 KiB of window: what writer and reader need in memory stays below 2 MiB whatever the size of
/// the content, and a forged frame cannot demand more.
const WINDOW_LOG: u32 = 19;

/// An object is never changed.
const MODE: u32 = 0o444;

/// Bytes moved at once.
const CHUNK: usize = 64 << 10;

/// Objects remembered as whole, to spare reading them again.
const KNOWN_MAX: usize = 4096;

/// Why a piece of evidence cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A name that no object can have.
    #[error("{id:?} is not the name of an object")]
    BadName {
        /// The name.
        id: String,
    },
    /// Nothing is kept under this name.
    #[error("object {id} is missing")]
    Missing {
        /// The name.
        id: ObjectId,
    },
    /// What is kept under this name is something else.
    #[error("object {id} is damaged")]
    Damaged {
        /// The name.
        id: ObjectId,
        /// How it shows.
        #[source]
        source: io::Error,
    },
    /// More than anybody wants in memory.
    #[error("object {id} is larger than {limit} bytes")]
    TooLarge {
        /// The name.
        id: ObjectId,
        /// What would have been accepted.
        limit: u64,
    },
    /// A file grew or shrank while it was being read.
    #[error("{} changed while it was read", .path.display())]
    Unsteady {
        /// The file.
        path: PathBuf,
    },
}

/// A directory of objects. Nothing in it is ever changed; equal content is kept once.
pub struct Objects {
    dir: PathBuf,
    known: BTreeMap<ObjectId, Stamp>,
    recent: VecDeque<Recent>,
    unflushed: Unflushed,
}

/// Whether something was kept and is not durable yet.
#[derive(Clone, Debug)]
pub struct Unflushed {
    dir: PathBuf,
    is_any: Rc<Cell<bool>>,
}

impl Unflushed {
    /// Makes everything kept since the last call durable, names included, at the price of one
    /// device sync however many objects there are.
    ///
    /// # Errors
    /// The system refuses.
    pub fn flush(&self) -> Result<(), FileError> {
        if self.is_any.get() {
            files::flush_file_system(&self.dir)?;
            self.is_any.set(false);
        }
        Ok(())
    }
}

impl Objects {
    /// The objects in this directory, which is made by the first one.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let unflushed = Unflushed { dir: dir.clone(), is_any: Rc::default() };
        Self { dir, known: BTreeMap::new(), recent: VecDeque::new(), unflushed }
    }

    /// Keeps some bytes and names them.
    ///
    /// # Errors
    /// The system refuses.
    pub fn put(&mut self, bytes: &[u8]) -> Result<ObjectId, ObjectError> {
        let id = name(Sha256::digest(bytes).into());
        if self.has_whole(&id)? {
            self.watch_again(&id)?;
            return Ok(id);
        }
        let (temp, id) = self.compress(bytes, bytes.len() as u64, &self.dir)?;
        self.keep(temp, id)
    }

    /// Keeps the content of a file and names it. Memory stays small whatever its size.
    ///
    /// # Errors
    /// The file cannot be read or changes meanwhile, or the system refuses.
    pub fn put_file(&mut self, path: &Path) -> Result<ObjectId, ObjectError> {
        let file = files::open_read(path)?;
        let len_of = |file: &File| match file.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(source) => Err(FileError::io("look at", path, source)),
        };
        let len = len_of(&file)?;
        let (temp, id) = self.compress((&file).take(len), len, path)?;
        if len_of(&file)? != len {
            return Err(ObjectError::Unsteady { path: path.to_owned() });
        }
        if self.has_whole(&id)? {
            self.watch_again(&id)?;
            return Ok(id);
        }
        self.keep(temp, id)
    }

    /// The whole content of an object.
    ///
    /// # Errors
    /// It is missing, damaged, or longer than `limit`.
    pub fn get(&self, id: &ObjectId, limit: u64) -> Result<Vec<u8>, ObjectError> {
        let mut bytes = Vec::new();
        self.reader(id)?
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| ObjectError::Damaged { id: id.clone(), source })?;
        if bytes.len() as u64 > limit {
            return Err(ObjectError::TooLarge { id: id.clone(), limit });
        }
        Ok(bytes)
    }

    /// The content of an object as a stream. Damage shows as an error, at the latest where the
    /// content ends: nothing is proved before.
    ///
    /// # Errors
    /// It is missing or cannot be opened.
    pub fn reader(&self, id: &ObjectId) -> Result<ObjectReader, ObjectError> {
        let path = self.path(id)?;
        let file = match files::open_read(&path) {
            Ok(file) => file,
            Err(error) if error.is_missing() => {
                return Err(ObjectError::Missing { id: id.clone() });
            }
            Err(error) => return Err(error.into()),
        };
        let damaged = |source| ObjectError::Damaged { id: id.clone(), source };
        let mut decoder = Decoder::new(file).map_err(damaged)?;
        decoder.window_log_max(WINDOW_LOG).map_err(damaged)?;
        Ok(ObjectReader { decoder, sha: Sha256::new(), want: id.clone() })
    }

    /// Where an object is kept, or would be.
    ///
    /// # Errors
    /// The name is not 64 lower-case hex digits, so it could lead anywhere.
    pub fn path(&self, id: &ObjectId) -> Result<PathBuf, ObjectError> {
        let text = id.as_str();
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ObjectError::BadName { id: text.to_owned() });
        }
        Ok(self.dir.join(text))
    }

    /// What has to be flushed before anything durable may name these objects.
    pub fn unflushed(&self) -> Unflushed {
        self.unflushed.clone()
    }

    /// Whether an object is already there, whole. What a crash or somebody else left half-written
    /// under its name does not count.
    fn has_whole(&mut self, id: &ObjectId) -> Result<bool, ObjectError> {
        let path = self.path(id)?;
        let stamp = Stamp::of(&path).map_err(|e| FileError::io("look at", &path, e))?;
        let Some(stamp) = stamp.filter(Stamp::is_file) else { return Ok(false) };
        if self.known.get(id) == Some(&stamp) {
            return Ok(true);
        }
        match self.reader(id).map(|mut reader| io::copy(&mut reader, &mut io::sink())) {
            Ok(Ok(_)) => {
                self.remember(id.clone(), &path)?;
                Ok(true)
            }
            Ok(Err(_)) | Err(ObjectError::Missing { .. } | ObjectError::Damaged { .. }) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// An object written by a process that died may not be durable yet, so it counts as new.
    fn remember(&mut self, id: ObjectId, path: &Path) -> Result<(), ObjectError> {
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        let stamp = Stamp::of(path).map_err(|e| FileError::io("look at", path, e))?;
        if let Some(stamp) = stamp {
            self.known.insert(id, stamp);
        }
        self.unflushed.is_any.set(true);
        Ok(())
    }

    fn compress(
        &self,
        mut from: impl Read,
        len: u64,
        from_path: &Path,
    ) -> Result<(NamedTempFile, ObjectId), ObjectError> {
        let temp = match files::temp_in(&self.dir, MODE) {
            Err(error) if error.is_missing() => {
                files::create_dir(&self.dir)?;
                files::temp_in(&self.dir, MODE)?
            }
            result => result?,
        };
        let failed = |source| FileError::io("write an object in", &self.dir, source);
        let mut encoder = encoder(temp, len).map_err(failed)?;
        let mut sha = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            let count = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(FileError::io("read", from_path, error).into()),
            };
            sha.update(&chunk[..count]);
            encoder.write_all(&chunk[..count]).map_err(failed)?;
            bytes += count as u64;
        }
        if bytes != len {
            return Err(ObjectError::Unsteady { path: from_path.to_owned() });
        }
        let temp = encoder.finish().map_err(failed)?;
        Ok((temp, name(sha.finalize().into())))
    }

    fn keep(&mut self, temp: NamedTempFile, id: ObjectId) -> Result<ObjectId, ObjectError> {
        let path = self.path(&id)?;
        let packed = read_packed(temp.as_file(), &path)?;
        let kept = temp.persist(&path);
        // Something that is no file can stand there, and no name can take its place.
        if let Err(error) = kept {
            files::clear(&path)?;
            error.file.persist(&path).map_err(|e| FileError::io("create", &path, e.error))?;
        }
        self.remember(id.clone(), &path)?;
        self.watch(&id, packed);
        Ok(id)
    }
}

fn encoder(to: NamedTempFile, len: u64) -> io::Result<Encoder<'static, NamedTempFile>> {
    let mut encoder = Encoder::new(to, LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(len))?;
    Ok(encoder)
}

fn name(sha: [u8; 32]) -> ObjectId {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in sha {
        write!(hex, "{byte:02x}").expect("a string takes whatever it is given");
    }
    ObjectId::new(hex)
}

/// An object's content, proved where it ends.
pub struct ObjectReader {
    decoder: Decoder<'static, io::BufReader<File>>,
    sha: Sha256,
    want: ObjectId,
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.sha.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() {
            let found = name(self.sha.clone().finalize().into());
            if found != self.want {
                let text = format!("its content is that of {found}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
