//! The crash transaction: one record that outlives a killed process. Evidence, never truth.
//!
//! sled is named here and nowhere else. Losing what it holds costs nothing but a little certainty,
//! so whatever is wrong with it, it is put aside and begun anew.

use std::any::Any;
use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{self, FileError};
use super::log::Tip;

/// The key of the one record.
const KEY: &str = "open";

/// The largest record. Above a quarter of a segment sled writes a file of its own, which would
/// need further syncs; long lists belong into objects.
const RECORD_MAX: usize = SEGMENT / 8;

/// How much sled writes at once, in bytes. It keeps about forty buffers of this size.
const SEGMENT: usize = 64 << 10;

/// A directory larger than this was not made here; reading it could take any amount of memory.
const DIR_MAX: u64 = 64 << 20;

/// Pages kept in memory.
const CACHE: u64 = 1 << 20;

/// How long opening may take before it counts as hanging; measured are a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names tried for a broken directory; the oldest can be deleted at any time.
const BROKEN_MAX: u32 = 1000;

/// Why the transaction cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TxError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has it open, though this one holds the lock.
    #[error("{} is open in another process", .path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// A record does not fit. Nothing was written.
    #[error("a record of {bytes} bytes does not fit into {}", .path.display())]
    TooLarge {
        /// The directory.
        path: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// A record has no JSON form. Nothing was written.
    #[error("a record for {} cannot be written as JSON", .path.display())]
    Form {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The database refused, even a new one.
    #[error("cannot {attempt} {}", .path.display())]
    Sled {
        /// What was attempted, as a verb.
        attempt: &'static str,
        /// The directory.
        path: PathBuf,
        /// What it says.
        #[source]
        source: sled::Error,
    },
}

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

/// An open database, and a second handle on the file it writes.
struct Store {
    /// There until it is closed.
    db: Option<sled::Db>,
    file: File,
}

impl Drop for Store {
    /// Everything that was remembered has been flushed, so nothing is lost when closing fails, and
    /// a disk that fails just now makes sled panic.
    fn drop(&mut self) {
        let Some(db) = self.db.take() else { return };
        if thread::panicking() {
            // A second panic would end the process without a word.
            Box::leak(Box::new(db));
        } else {
            survive(move || drop(db)).ok();
        }
    }
}

thread_local! {
    /// Whether sled is at work: what it panics about is told as an error.
    static IN_SLED: Cell<bool> = const { Cell::new(false) };
}

/// Does something with sled, which panics where a disk fails.
fn survive<T>(work: impl FnOnce() -> T) -> Result<T, sled::Error> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IN_SLED.get() {
                loud(info);
            }
        }));
    });
    IN_SLED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IN_SLED.set(false);
    // Where something panics without a reason, there is none to tell.
    let why = |panic: Box<dyn Any + Send>| panic.downcast::<String>().map(|text| *text);
    done.map_err(|panic| sled::Error::Io(io::Error::other(why(panic).unwrap_or_default())))
}

/// Why a database cannot be opened.
enum Refusal {
    /// It is broken: put it aside.
    Broken(String),
    /// The machine or another process is in the way: putting it aside would not help.
    Fatal(TxError),
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
        let path = || self.dir.clone();
        let fails = |attempt| move |source| TxError::Sled { attempt, path: path(), source };
        let db = store.db();
        survive(|| db.insert(KEY, &*written.bytes)).flatten().map_err(fails("write to"))?;
        survive(|| db.flush()).flatten().map_err(fails("flush"))?;
        if self.durable.as_ref() != Some(&written.record) {
            store.sync(&self.dir)?;
            self.durable = Some(written.record.clone());
        }
        Ok(())
    }
}

impl Store {
    /// A new database whose every name is durable. It is made elsewhere and gets its name when it
    /// is whole: sled cannot open what a kill leaves half made.
    fn create(dir: &Path) -> Result<Self, TxError> {
        let start = |dir: &Path| {
            Self::start(dir).map_err(|refusal| match refusal {
                Refusal::Fatal(error) => error,
                Refusal::Broken(why) => {
                    let source = sled::Error::Io(io::Error::other(why));
                    TxError::Sled { attempt: "create", path: dir.to_owned(), source }
                }
            })
        };
        let half = dir.with_extension("new");
        if half.is_dir() {
            fs::remove_dir_all(&half).map_err(|e| FileError::io("clear", &half, e))?;
        }
        files::create_dir(&half)?;
        drop(start(&half)?);
        // A thread of sled may hold the lock for a moment longer.
        let is_busy = || matches!(require_free(&half), Err(Refusal::Fatal(TxError::Busy { .. })));
        (0..PATIENCE.as_millis())
            .take_while(|_| is_busy())
            .for_each(|_| thread::sleep(Duration::from_millis(1)));
        for path in [half.join("conf"), db_file(&half)] {
            let flushed = File::open(&path).and_then(|file| file.sync_all());
            flushed.map_err(|source| FileError::io("flush", &path, source))?;
        }
        files::sync_dir(&half)?;
        fs::rename(&half, dir).map_err(|source| FileError::io("create", dir, source))?;
        files::sync_dir(files::parent_of(dir))?;
        start(dir)
    }

    fn start(dir: &Path) -> Result<Self, Refusal> {
        let config = sled::Config::new()
            .path(dir)
            .mode(sled::Mode::LowSpace)
            .cache_capacity(CACHE)
            .segment_size(SEGMENT)
            .flush_every_ms(None);
        let db = survive(|| config.open()).flatten().map_err(|error| Refusal::of(error, dir))?;
        let path = db_file(dir);
        let file = File::open(&path)
            .map_err(|source| Refusal::Fatal(FileError::io("open", &path, source).into()))?;
        Ok(Self { db: Some(db), file })
    }

    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("it is closed only with its store")
    }

    /// sled leaves what it flushes in the cache of the device.
    fn sync(&self, dir: &Path) -> Result<(), TxError> {
        self.file.sync_data().map_err(|e| FileError::io("flush", &db_file(dir), e))?;
        Ok(())
    }
}

impl Refusal {
    fn of(error: sled::Error, dir: &Path) -> Self {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error {
            sled::Error::Io(source)
                if matches!(
                    source.kind(),
                    PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull
                ) =>
            {
                Self::Fatal(FileError::io("open", dir, source).into())
            }
            error => Self::Broken(error.to_string()),
        }
    }
}

fn db_file(dir: &Path) -> PathBuf {
    dir.join("db")
}

/// Opens what an earlier process left, and reads its record. A database that makes sled panic or
/// hang is broken; what hangs is left behind with its thread.
fn open_existing(dir: &Path) -> Result<(Store, Option<Vec<u8>>), Refusal> {
    require_free(dir)?;
    prepare(dir)?;
    let (sender, receiver) = channel();
    let path = dir.to_owned();
    let worker = thread::Builder::new()
        .name("tx-open".to_owned())
        .spawn(move || {
            let found = Store::start(&path).and_then(|store| {
                let bytes = store.db().get(KEY).map_err(|error| Refusal::of(error, &path))?;
                Ok((store, bytes.map(|bytes| bytes.to_vec())))
            });
            // Whoever waited may have lost patience.
            drop(sender.send(found));
        })
        .map_err(|source| Refusal::Fatal(FileError::io("open", dir, source).into()))?;
    match receiver.recv_timeout(PATIENCE) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => {
            Err(Refusal::Broken(format!("it did not open in {} s", PATIENCE.as_secs())))
        }
        Err(RecvTimeoutError::Disconnected) => {
            let why = if worker.join().is_err() { "sled panicked" } else { "sled gave no answer" };
            Err(Refusal::Broken(why.to_owned()))
        }
    }
}

/// sled's own lock cannot be told from damage by its error, so it is asked for first.
fn require_free(dir: &Path) -> Result<(), Refusal> {
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
fn prepare(dir: &Path) -> Result<(), Refusal> {
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
fn move_aside(dir: &Path) -> Result<PathBuf, FileError> {
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
