//! Appends events, one writer at a time, and notices when it was not alone.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::{LogError, Tampering};
use super::reader::Reader;
use super::tip::{Tip, Torn};
use crate::engine::event::Event;
use crate::engine::line::{self, LINE_MAX, Proof};
use crate::host::files::{self, FileError};

/// Lines kept in memory before they are written without being asked to.
const BATCH_MAX: usize = 1 << 20;

/// Names tried for bytes that are set aside: each is one crash, or one intruder, at the very same
/// offset.
pub(super) const NAMES_MAX: u32 = 100;

/// The only writer of a log.
///
/// Lines are collected by [`Self::append`], leave in one `write` and become durable by
/// [`Self::sync`]. After any failure of the system, or when somebody else turns out to have
/// written, nothing more is accepted: only a new pass over the file can tell where it ends.
#[must_use = "appended lines are lost unless they are synced"]
pub struct Writer {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pending: Vec<u8>,
    appended: Tip,
    pub(super) written: Tip,
    synced: Tip,
    pub(super) print: Footprint,
    pub(super) mode: u32,
    is_poisoned: bool,
}

/// A log that is ready for more.
pub struct Opened {
    /// Its writer.
    pub writer: Writer,
    /// What had to be mended.
    pub repair: Option<Repair>,
}

/// What became of an unfinished last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Where it was in the log, and how long.
    pub torn: Torn,
    /// Where its bytes are now.
    pub kept: PathBuf,
}

/// What changes in a file's metadata when somebody writes to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Footprint {
    pub(super) identity: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Footprint {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            identity: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Writer {
    /// Checks the whole log and continues it.
    ///
    /// # Errors
    /// See [`Self::take_over`].
    pub fn open(path: &Path) -> Result<Opened, LogError> {
        Self::take_over(Reader::open(path)?)
    }

    /// Continues a log where a pass over it ends; the rest of the pass is done here.
    ///
    /// What an earlier process wrote is made durable before anything is built on it, and an
    /// unfinished last line is moved to a file of its own.
    ///
    /// # Errors
    /// The log is damaged or newer than this build, or the system refuses.
    pub fn take_over(mut reader: Reader) -> Result<Opened, LogError> {
        reader.by_ref().try_for_each(|item| item.map(drop))?;
        let (path, tip) = (reader.path().to_owned(), reader.tip());
        let file = open_append(&path, reader.file().is_none())?;
        let found = look_at(&file, &path)?;
        let mut writer = Self {
            print: Footprint::of(&found),
            mode: found.mode() & 0o7777,
            path,
            file,
            pending: Vec::new(),
            appended: tip,
            written: tip,
            synced: Tip::START,
            is_poisoned: false,
        };
        if let Some(read) = reader.file() {
            let read = Footprint::of(&look_at(read, &writer.path)?);
            if read.identity != writer.print.identity {
                return Err(writer.tampered(Tampering::Replaced));
            }
        }
        let repair = reader.torn().map(|torn| writer.cut(torn)).transpose()?;
        if writer.print.len != tip.offset {
            let (want, found) = (tip.offset, writer.print.len);
            return Err(writer.tampered(Tampering::Length { want, found }));
        }
        writer.settle()?;
        Ok(Opened { writer, repair })
    }

    /// Adds an event behind all others and returns its proof. It reaches the disk with the next
    /// [`Self::write`] or [`Self::sync`].
    ///
    /// # Errors
    /// The event does not follow the last one, or is too long for a line: then nothing changes.
    /// Or the writer is closed, or has to write and fails.
    pub fn append(&mut self, event: &Event) -> Result<Proof, LogError> {
        self.guard(|_| Ok(()))?;
        let Tip { seq: last, proof, offset } = self.appended;
        if event.seq != last.next() {
            let path = self.path.clone();
            return Err(LogError::OutOfOrder { path, last, found: event.seq });
        }
        let (line, proof) = line::write(event, proof);
        if line.len() > LINE_MAX {
            let path = self.path.clone();
            return Err(LogError::TooLong { path, seq: event.seq, bytes: line.len() });
        }
        self.pending.extend_from_slice(line.as_bytes());
        self.appended = Tip { seq: event.seq, proof, offset: offset + line.len() as u64 };
        if self.pending.len() >= BATCH_MAX {
            self.write()?;
        }
        Ok(proof)
    }

    /// Hands everything appended to the system, so that readers see it.
    ///
    /// # Errors
    /// The system refuses, or somebody else wrote.
    pub fn write(&mut self) -> Result<(), LogError> {
        self.guard(Self::write_out)
    }

    /// Makes everything appended durable, and returns where the log then ends.
    ///
    /// # Errors
    /// The system refuses, or somebody else wrote. A failed flush is never tried again: the
    /// system may have forgotten what it could not write.
    pub fn sync(&mut self) -> Result<Tip, LogError> {
        self.guard(|writer| {
            writer.write_out()?;
            if writer.synced != writer.written {
                writer.flush()?;
            }
            Ok(writer.synced)
        })
    }

    /// Fails when somebody else wrote to the log, cut it, or put another file in its place.
    ///
    /// Cheap while the file's metadata is as this writer left it; otherwise the log is read.
    ///
    /// # Errors
    /// Somebody did, or the system refuses.
    pub fn verify_unchanged(&mut self) -> Result<(), LogError> {
        self.guard(Self::verify)
    }

    /// The log's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last event appended, durable or not.
    pub fn appended(&self) -> Tip {
        self.appended
    }

    /// The last event that survives a power cut.
    pub fn synced(&self) -> Tip {
        self.synced
    }

    /// Runs a step unless an earlier one failed, and remembers when this one does.
    pub(super) fn guard<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        if self.is_poisoned {
            return Err(LogError::Poisoned { path: self.path.clone() });
        }
        let result = step(self);
        self.is_poisoned = result.is_err();
        result
    }

    fn write_out(&mut self) -> Result<(), LogError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.verify()?;
        self.file.write_all(&self.pending).map_err(|e| self.io("append to", e))?;
        self.print = Footprint::of(&look_at(&self.file, &self.path)?);
        if self.print.len != self.appended.offset {
            let (want, found) = (self.appended.offset, self.print.len);
            return Err(self.tampered(Tampering::Length { want, found }));
        }
        self.written = self.appended;
        self.pending.clear();
        self.pending.shrink_to(BATCH_MAX);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.file.sync_data().map_err(|e| self.io("flush", e))?;
        self.synced = self.written;
        Ok(())
    }

    /// Makes what is in the file durable. A log without events may have a name that is not.
    fn settle(&mut self) -> Result<(), LogError> {
        if self.written.seq == Tip::START.seq {
            let dir = files::parent_of(&self.path);
            files::sync_dir(dir)?;
            files::sync_dir(&dir.join(".."))?;
        }
        self.flush()
    }

    fn verify(&mut self) -> Result<(), LogError> {
        let open = Footprint::of(&look_at(&self.file, &self.path)?);
        match fs::symlink_metadata(&self.path) {
            Ok(named) if Footprint::of(&named).identity == open.identity => {}
            Ok(_) => return Err(self.tampered(Tampering::Replaced)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.tampered(Tampering::Removed));
            }
            Err(error) => return Err(self.io("look at", error)),
        }
        if open.len != self.written.offset {
            let (want, found) = (self.written.offset, open.len);
            return Err(self.tampered(Tampering::Length { want, found }));
        }
        if open != self.print {
            self.read_back()?;
            self.print = open;
        }
        Ok(())
    }

    /// Something touched the file without changing its length: a backup that links it, or a
    /// forger. The content tells.
    fn read_back(&self) -> Result<(), LogError> {
        let mut reader = Reader::open(&self.path)?;
        for item in reader.by_ref() {
            item.map_err(|error| self.tampered(Tampering::Unreadable(Box::new(error))))?;
        }
        if reader.tip() == self.written {
            Ok(())
        } else {
            Err(self.tampered(Tampering::Rewritten(self.written.seq)))
        }
    }

    /// Moves an unfinished last line to a file of its own; its bytes are durable there before
    /// they leave the log.
    fn cut(&mut self, torn: Torn) -> Result<Repair, LogError> {
        let want = torn.offset + torn.bytes;
        if self.print.len != want {
            let found = self.print.len;
            return Err(self.tampered(Tampering::Length { want, found }));
        }
        let dir = files::parent_of(&self.path);
        let (kept, mut copy) = create_beside(dir, |number| torn_name(dir, torn.offset, number))?;
        self.file.seek(SeekFrom::Start(torn.offset)).map_err(|e| self.io("read", e))?;
        io::copy(&mut (&self.file).take(torn.bytes), &mut copy)
            .and_then(|_| copy.sync_all())
            .map_err(|source| FileError::io("write", &kept, source))?;
        files::sync_dir(dir)?;
        self.file.set_len(torn.offset).map_err(|e| self.io("cut the torn line off", e))?;
        self.print = Footprint::of(&look_at(&self.file, &self.path)?);
        Ok(Repair { torn, kept })
    }

    pub(super) fn io(&self, attempt: &'static str, source: io::Error) -> LogError {
        FileError::io(attempt, &self.path, source).into()
    }

    pub(super) fn tampered(&self, how: Tampering) -> LogError {
        LogError::Tampered { path: self.path.clone(), how }
    }
}

pub(super) fn look_at(file: &File, path: &Path) -> Result<Metadata, FileError> {
    file.metadata().map_err(|source| FileError::io("look at", path, source))
}

pub(super) fn open_append(path: &Path, is_new: bool) -> Result<File, FileError> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(is_new)
        .mode(0o644)
        .custom_flags(files::flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
        .open(path)
        .map_err(|source| FileError::io("open", path, source))?;
    files::require_regular(&file, path)?;
    Ok(file)
}

/// A new file under the first of these names that is free.
pub(super) fn create_beside(
    dir: &Path,
    name: impl Fn(u32) -> PathBuf,
) -> Result<(PathBuf, File), FileError> {
    for number in 1..=NAMES_MAX {
        let path = name(number);
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FileError::io("create", &path, source)),
            Ok(file) => return Ok((path, file)),
        }
    }
    Err(FileError::io("create a file in", dir, io::ErrorKind::AlreadyExists.into()))
}

/// `torn-<offset>`, then `torn-<offset>-2` and so on.
fn torn_name(dir: &Path, offset: u64, number: u32) -> PathBuf {
    match number {
        1 => dir.join(format!("torn-{offset}")),
        number => dir.join(format!("torn-{offset}-{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::at::At;
    use crate::engine::event::{By, EventKind, FORMAT, StopRequested};
    use crate::engine::id::{RunId, Seq};

    /// A writer with one event that is written and one that is not.
    fn writer(dir: &Path) -> Writer {
        let mut writer = Writer::open(&dir.join("events.jsonl")).unwrap().writer;
        for seq in 1..=2 {
            let kind = EventKind::StopRequested(StopRequested { by: By::Person });
            let (at, run) = (At::default(), RunId::new("01K"));
            writer.append(&Event { v: FORMAT, seq: Seq(seq), at, run, kind }).unwrap();
            if seq == 1 {
                writer.write().unwrap();
            }
        }
        writer
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let good = std::mem::replace(&mut writer.file, File::open(&writer.path).unwrap());
        assert!(matches!(writer.sync(), Err(LogError::File(_))));
        writer.file = good;
        assert!(matches!(writer.sync(), Err(LogError::Poisoned { .. })));
        assert_eq!(writer.synced(), Tip::START);
    }

    #[test]
    fn a_failed_flush_is_not_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        writer.write().unwrap();
        let (pipe, _other_end) = std::io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
        let good = std::mem::replace(&mut writer.file, pipe);
        assert!(matches!(writer.sync(), Err(LogError::File(_))));
        writer.file = good;
        assert!(matches!(writer.sync(), Err(LogError::Poisoned { .. })));
        assert_eq!(writer.synced(), Tip::START, "nothing is told to be durable");
    }
}
