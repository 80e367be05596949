//! The crash transaction: one record that outlives a killed process. Evidence, never truth.
//!
//! Losing what it holds costs nothing but a little certainty, so whatever is wrong with it, it is
//! put aside and begun anew.

pub mod copy;
mod dir;
mod store;

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{self, FileError};
use super::log::Tip;
use dir::move_aside;
pub use store::TxError;
use store::{Refusal, SEGMENT, Store, open_existing};

/// The largest record. Above a quarter of a segment sled writes a file of its own, which would
/// need further syncs; long lists belong into objects.
const RECORD_MAX: usize = SEGMENT / 8;

/// What the last process remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory<T> {
    /// What was open, if anything was.
    pub record: Option<T>,
    /// Where the log ended then. A log that does not hold this line has lost it.
    pub anchor: Tip,
}

/// A transaction that is ready for use.
pub struct Opened<T> {
    /// It.
    pub tx: Tx<T>,
    /// What the last process remembered.
    pub memory: Option<Memory<T>>,
    /// What had to be put aside, in words for a person.
    pub note: Option<String>,
    /// Why it had to be.
    pub why: Option<String>,
}

/// The transaction of the run in hand. Needs the lock of the state directory.
pub struct Tx<T> {
    dir: PathBuf,
    store: Option<Store>,
    /// The record that is on the device.
    durable: Option<Vec<u8>>,
    /// What was remembered last, to be written again where somebody removes it.
    last: Option<Written>,
    record: PhantomData<fn(&T)>,
}

/// What is in the database, and the record in it alone.
struct Written {
    bytes: Vec<u8>,
    record: Vec<u8>,
}

impl Written {
    fn of<T: Serialize>(bytes: Vec<u8>, memory: &Memory<T>) -> Option<Self> {
        let record = serde_json::to_vec(&memory.record.as_ref()).ok()?;
        Some(Self { bytes, record })
    }
}

impl<T: Serialize + DeserializeOwned> Tx<T> {
    /// Opens the transaction and reads what an earlier process left. Where there is none, nothing
    /// is made before there is something to remember.
    ///
    /// # Errors
    /// Another process has it open, or the system refuses. A broken database is no error: it is
    /// moved aside.
    pub fn open(dir: &Path) -> Result<Opened<T>, TxError> {
        let dir_of = dir.to_owned();
        let mut tx =
            Self { dir: dir_of, store: None, durable: None, last: None, record: PhantomData };
        let found = match fs::symlink_metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Opened { tx, memory: None, note: None, why: None });
            }
            Err(source) => return Err(FileError::io("look at", dir, source).into()),
            Ok(metadata) if !metadata.is_dir() => Err(Refusal::Broken("no directory".to_owned())),
            Ok(_) => open_existing(dir),
        };
        let why = match found {
            Ok((store, bytes)) => match bytes.as_deref().map(serde_json::from_slice).transpose() {
                Ok(memory) => {
                    tx.store = Some(store);
                    tx.last = bytes.and_then(|bytes| Written::of(bytes, memory.as_ref()?));
                    return Ok(Opened { tx, memory, note: None, why: None });
                }
                Err(error) => format!("its record cannot be read ({error})"),
            },
            Err(Refusal::Broken(why)) => why,
            Err(Refusal::Fatal(error)) => return Err(error),
        };
        let aside = move_aside(dir)?;
        let (dir, aside) = (dir.display(), aside.display());
        let note = format!("{dir} was unusable: {why}; it is now {aside}, the log is the truth");
        Ok(Opened { tx, memory: None, note: Some(note), why: Some(why) })
    }

    /// Remembers what is open, or that nothing is, together with where the log ends. When this
    /// returns, a new record survives a power cut; the price is one device sync. A new end of the
    /// log alone survives a kill: what a power cut can take from it, it cannot take from the log.
    ///
    /// # Errors
    /// The record is too large, or the system refuses.
    pub fn remember(&mut self, record: Option<&T>, anchor: Tip) -> Result<(), TxError> {
        let path = || self.dir.clone();
        let form = |source| TxError::Form { path: path(), source };
        let bytes = serde_json::to_vec(&Memory { record, anchor }).map_err(form)?;
        if bytes.len() > RECORD_MAX {
            return Err(TxError::TooLarge { path: path(), bytes: bytes.len() });
        }
        let record = serde_json::to_vec(&record).map_err(form)?;
        let written = Written { bytes, record };
        self.write(&written)?;
        self.last = Some(written);
        Ok(())
    }

    /// Begins anew with what was remembered last, after somebody changed the directory.
    ///
    /// # Errors
    /// The system refuses.
    pub fn renew(&mut self) -> Result<(), TxError> {
        (self.store, self.durable) = (None, None);
        files::clear(&self.dir)?;
        let Some(written) = self.last.take() else { return Ok(()) };
        let done = self.write(&written);
        self.last = Some(written);
        done
    }

    fn write(&mut self, written: &Written) -> Result<(), TxError> {
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert(Store::create(&self.dir)?),
        };
        store.put(&self.dir, &written.bytes)?;
        if self.durable.as_ref() != Some(&written.record) {
            store.sync(&self.dir)?;
            self.durable = Some(written.record.clone());
        }
        Ok(())
    }
}
