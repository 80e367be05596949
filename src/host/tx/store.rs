//! The database itself: sled is named here and nowhere else.

use std::any::Any;
use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::dir::{db_file, prepare, require_free};
use crate::host::files::{self, FileError};

/// The key of the one record.
const KEY: &str = "open";

/// How much sled writes at once, in bytes. It keeps about forty buffers of this size.
pub(super) const SEGMENT: usize = 64 << 10;

/// Pages kept in memory.
const CACHE: u64 = 1 << 20;

/// How long opening may take before it counts as hanging; measured are a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// An open database, and a second handle on the file it writes.
pub(super) struct Store {
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
pub(super) enum Refusal {
    /// It is broken: put it aside.
    Broken(String),
    /// The machine or another process is in the way: putting it aside would not help.
    Fatal(TxError),
}

impl Store {
    /// A new database whose every name is durable. It is made elsewhere and gets its name when it
    /// is whole: sled cannot open what a kill leaves half made.
    pub(super) fn create(dir: &Path) -> Result<Self, TxError> {
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

    /// Writes the record, so that it outlives this process.
    pub(super) fn put(&self, dir: &Path, bytes: &[u8]) -> Result<(), TxError> {
        let path = || dir.to_owned();
        let fails = |attempt| move |source| TxError::Sled { attempt, path: path(), source };
        let db = self.db();
        survive(|| db.insert(KEY, bytes)).flatten().map_err(fails("write to"))?;
        survive(|| db.flush()).flatten().map_err(fails("flush"))?;
        Ok(())
    }

    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("it is closed only with its store")
    }

    /// sled leaves what it flushes in the cache of the device.
    pub(super) fn sync(&self, dir: &Path) -> Result<(), TxError> {
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

/// Opens what an earlier process left, and reads its record. A database that makes sled panic or
/// hang is broken; what hangs is left behind with its thread.
pub(super) fn open_existing(dir: &Path) -> Result<(Store, Option<Vec<u8>>), Refusal> {
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
