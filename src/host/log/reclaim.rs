//! Takes a log back from whoever wrote to it while this process was its only writer.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::error::{LogError, Tampering};
use super::reader::Reader;
use super::writer::{Footprint, NAMES_MAX, Writer, create_beside, look_at, open_append};
use crate::host::files::{self, FileError};

/// How much of what somebody appended is kept, in bytes. It is evidence, and it may be endless.
const KEPT_BYTES_MAX: u64 = 1 << 20;

/// The permissions of a log.
const MODE: u32 = 0o644;

/// What somebody else did to the log, all of which is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intrusion {
    /// In words that follow the name of the log.
    pub what: String,
    /// Where the bytes are that are not ours.
    pub kept: Option<PathBuf>,
}

impl Writer {
    /// Brings the log back to what this process wrote, after a stage in which others could write
    /// to it: bytes behind our last line are moved to a file of their own, and a log that was
    /// removed or replaced is written again from the file that is still open.
    ///
    /// # Errors
    /// Our own bytes are gone, so that nothing can be appended any more; or the system refuses.
    pub fn reclaim(&mut self) -> Result<Option<Intrusion>, LogError> {
        self.guard(Self::take_back)
    }

    fn take_back(&mut self) -> Result<Option<Intrusion>, LogError> {
        let open = look_at(&self.file, &self.path)?;
        let named = fs::symlink_metadata(&self.path).ok();
        let identity = Footprint::of(&open).identity;
        let is_named = named.as_ref().is_some_and(|meta| Footprint::of(meta).identity == identity);
        if is_named && Footprint::of(&open) == self.print {
            return Ok(None);
        }
        self.prove(open.len())?;
        if !is_named {
            let kept = named.is_some().then(|| self.set_aside()).transpose()?;
            self.write_again()?;
            let what = if kept.is_some() { "was replaced" } else { "was removed" };
            return Ok(Some(Intrusion { what: what.to_owned(), kept }));
        }
        let more = open.len() - self.written.offset;
        let is_reached = open.mode() & 0o7777 != self.mode;
        if is_reached {
            let mode = Permissions::from_mode(self.mode);
            self.file.set_permissions(mode).map_err(|e| self.io("set the mode of", e))?;
        }
        let kept = (more > 0).then(|| self.cut_off()).transpose()?;
        self.print = Footprint::of(&look_at(&self.file, &self.path)?);
        let what = match (more, is_reached) {
            // A backup that links it, or a look at it that left a time.
            (0, false) => return Ok(None),
            (0, true) => "got other permissions".to_owned(),
            (more, _) => format!("got {more} bytes behind its end"),
        };
        Ok(Some(Intrusion { what, kept }))
    }

    /// Everything this process wrote or found is still in the file it has open.
    fn prove(&self, len: u64) -> Result<(), LogError> {
        let want = self.written;
        if len < want.offset {
            let how = Tampering::Length { want: want.offset, found: len };
            return Err(self.tampered(how));
        }
        let mut file = self.file.try_clone().map_err(|e| self.io("read", e))?;
        file.seek(SeekFrom::Start(0)).map_err(|e| self.io("read", e))?;
        let mut reader = Reader::over(&self.path, file);
        while reader.tip().offset < want.offset {
            match reader.next() {
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    return Err(self.tampered(Tampering::Unreadable(Box::new(error))));
                }
                None => break,
            }
        }
        if reader.tip() == want {
            Ok(())
        } else {
            Err(self.tampered(Tampering::Rewritten(want.seq)))
        }
    }

    /// Moves whatever has the log's name to a name of its own.
    fn set_aside(&self) -> Result<PathBuf, LogError> {
        let dir = files::parent_of(&self.path);
        for number in 1..=NAMES_MAX {
            let aside = aside_name(dir, self.written.offset, number);
            match renameat_with(CWD, &self.path, CWD, &aside, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    files::sync_dir(dir)?;
                    return Ok(aside);
                }
                Err(rustix::io::Errno::EXIST) => {}
                Err(errno) => return Err(self.io("set aside", errno.into())),
            }
        }
        Err(self.io("set aside", io::ErrorKind::AlreadyExists.into()))
    }

    /// A new file with our bytes under the old name. The one that is open may have other names.
    fn write_again(&mut self) -> Result<(), LogError> {
        let dir = files::parent_of(&self.path);
        let fails = |source| FileError::io("write again", &self.path, source);
        let mut temp = files::temp_in(dir, MODE)?;
        copy(&self.file, 0, self.written.offset, temp.as_file_mut()).map_err(fails)?;
        temp.as_file().sync_all().map_err(fails)?;
        temp.persist_noclobber(&self.path).map_err(|error| fails(error.error))?;
        files::sync_dir(dir)?;
        self.file = open_append(&self.path, false)?;
        let found = look_at(&self.file, &self.path)?;
        self.mode = found.mode() & 0o7777;
        self.print = Footprint::of(&found);
        self.prove(found.len())
    }

    /// Moves the bytes behind our last line to a file of their own, as far as they are worth it.
    fn cut_off(&mut self) -> Result<PathBuf, LogError> {
        let (dir, offset) = (files::parent_of(&self.path), self.written.offset);
        let (kept, mut beside) = create_beside(dir, |number| aside_name(dir, offset, number))?;
        copy(&self.file, offset, KEPT_BYTES_MAX, &mut beside)
            .and_then(|()| beside.sync_all())
            .map_err(|source| FileError::io("write", &kept, source))?;
        files::sync_dir(dir)?;
        self.file.set_len(offset).map_err(|e| self.io("cut foreign bytes off", e))?;
        self.file.sync_data().map_err(|e| self.io("flush", e))?;
        Ok(kept)
    }
}

/// `foreign-<offset>`, then `foreign-<offset>-2` and so on.
fn aside_name(dir: &Path, offset: u64, number: u32) -> PathBuf {
    match number {
        1 => dir.join(format!("foreign-{offset}")),
        number => dir.join(format!("foreign-{offset}-{number}")),
    }
}

fn copy(mut from: &File, offset: u64, bytes: u64, to: &mut File) -> io::Result<()> {
    from.seek(SeekFrom::Start(offset))?;
    io::copy(&mut from.take(bytes), to)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rstest::rstest;

    use super::*;
    use crate::engine::at::At;
    use crate::engine::event::{By, Event, EventKind, FORMAT, StopRequested};
    use crate::engine::id::{RunId, Seq};

    fn event(seq: u64) -> Event {
        let kind = EventKind::StopRequested(StopRequested { by: By::Person });
        Event { v: FORMAT, seq: Seq(seq), at: At::default(), run: RunId::new("01K"), kind }
    }

    struct Place {
        dir: tempfile::TempDir,
        writer: Writer,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = Writer::open(&dir.path().join("events.jsonl")).unwrap().writer;
            for seq in 1..=3 {
                writer.append(&event(seq)).unwrap();
            }
            writer.sync().unwrap();
            Self { dir, writer }
        }

        fn log(&self) -> PathBuf {
            self.dir.path().join("events.jsonl")
        }
    }

    fn append(log: &Path, bytes: &[u8]) {
        fs::OpenOptions::new().append(true).open(log).unwrap().write_all(bytes).unwrap();
    }

    #[rstest]
    #[case::a_line(|log: &Path| append(log, b"FORGED\n"), Some("behind its end"), true)]
    #[case::half_a_line(|log: &Path| append(log, b"{"), Some("behind its end"), true)]
    #[case::removed(|log: &Path| fs::remove_file(log).unwrap(), Some("was removed"), false)]
    #[case::moved(|log: &Path| fs::rename(log, log.with_extension("x")).unwrap(), Some("was removed"), false)]
    #[case::a_link(|log: &Path| {
        fs::rename(log, log.with_extension("x")).unwrap();
        symlink("events.x", log).unwrap();
    }, Some("was replaced"), true)]
    #[case::a_directory(|log: &Path| {
        fs::remove_file(log).unwrap();
        fs::create_dir_all(log.join("full")).unwrap();
    }, Some("was replaced"), true)]
    #[case::another_file(|log: &Path| {
        fs::write(log.with_extension("x"), "FORGED\n").unwrap();
        fs::rename(log.with_extension("x"), log).unwrap();
    }, Some("was replaced"), true)]
    #[case::unreadable(
        |log: &Path| fs::set_permissions(log, Permissions::from_mode(0o0)).unwrap(),
        Some("permissions"),
        false
    )]
    #[case::looked_at(|log: &Path| append(log, b""), None, false)]
    #[case::linked(|log: &Path| fs::hard_link(log, log.with_extension("x")).unwrap(), None, false)]
    fn a_log_is_taken_back(
        #[case] harm: fn(&Path),
        #[case] what: Option<&str>,
        #[case] is_kept: bool,
    ) {
        let Place { dir, mut writer } = Place::new();
        let log = dir.path().join("events.jsonl");
        let (ours, mode) = (fs::read(&log).unwrap(), fs::metadata(&log).unwrap().mode());
        harm(&log);
        let found = writer.reclaim().unwrap();
        assert_eq!(found.is_some(), what.is_some(), "{found:?}");
        if let (Some(found), Some(what)) = (found, what) {
            assert!(found.what.contains(what), "{found:?}");
            assert_eq!(found.kept.is_some_and(|kept| kept.symlink_metadata().is_ok()), is_kept);
        }
        assert_eq!(fs::read(&log).unwrap(), ours);
        assert_eq!(fs::symlink_metadata(&log).unwrap().mode(), mode);
        assert_eq!(writer.reclaim().unwrap(), None, "nothing is left to do");
        writer.append(&event(4)).unwrap();
        writer.sync().unwrap();
        assert_eq!(Reader::open(&log).unwrap().map(Result::unwrap).count(), 4);
    }

    /// What is not proved is not appended to, and nothing of it is changed.
    #[rstest]
    #[case::emptied(|log: &Path| fs::File::options().write(true).open(log).unwrap().set_len(0).unwrap())]
    #[case::a_byte(|log: &Path| {
        let mut bytes = fs::read(log).unwrap();
        bytes[30] ^= 1;
        fs::write(log, bytes).unwrap();
    })]
    #[case::another_end(|log: &Path| {
        let bytes = fs::read(log).unwrap();
        let end = bytes.len() - 20;
        fs::write(log, [&bytes[..end], &[b'x'; 40]].concat()).unwrap();
    })]
    fn a_log_whose_bytes_are_gone_is_left_alone(#[case] harm: fn(&Path)) {
        let mut place = Place::new();
        harm(&place.log());
        let found = fs::read(place.log()).unwrap();
        assert!(matches!(place.writer.reclaim(), Err(LogError::Tampered { .. })));
        assert!(matches!(place.writer.append(&event(4)), Err(LogError::Poisoned { .. })));
        assert_eq!(fs::read(place.log()).unwrap(), found);
    }

    #[test]
    fn of_endless_foreign_bytes_the_beginning_is_kept() {
        let mut place = Place::new();
        append(&place.log(), &vec![b'x'; 3 << 20]);
        let kept = place.writer.reclaim().unwrap().unwrap().kept.unwrap();
        assert_eq!(fs::metadata(kept).unwrap().len(), KEPT_BYTES_MAX);
    }
}
