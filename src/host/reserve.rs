//! Room set aside in the state directory, so that an attempt can be undone on a disk it has filled.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::files::{self, FileError};

/// How many files are set aside: each is a name that the file system has to have left too.
const FILES: u64 = 8;

/// The size of each, in bytes. All of them hold the log lines, the transaction, the rescued refs
/// and the marks of several attempts.
const FILE_BYTES: u64 = 256 << 10;

/// How many entries of the directory are looked at: one more than there should be.
const ENTRIES_MAX: usize = 9;

/// How much has to be free beside the reserve before a stage begins, in bytes. With less, nobody
/// could say whether the stage or somebody else used it up.
const FREE_MIN: u64 = 1 << 20;

/// What the system says when there is no room. The git library and the transaction's database pass
/// on its words only.
const WORDS: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// Whether something failed because there was no room.
pub fn is_out_of_room(error: &dyn Error) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if WORDS.iter().any(|words| text.contains(words)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Room that is set aside. The directory may be removed at any time by anybody.
#[derive(Clone, Debug)]
pub struct Reserve {
    dir: PathBuf,
}

impl Reserve {
    /// The reserve in this directory.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Sets the room aside, unless it is.
    ///
    /// # Errors
    /// There is not enough of it, or the system refuses.
    pub fn hold(&self) -> Result<(), FileError> {
        if self.is_whole() {
            return Ok(());
        }
        self.release()?;
        let held = fs::create_dir(&self.dir).and_then(|()| {
            (0..FILES).try_for_each(|number| allocate(&self.dir.join(number.to_string())))
        });
        held.or_else(|source| {
            self.release()?;
            Err(FileError::io("set room aside in", &self.dir, source))
        })
    }

    /// Gives the room back to whoever needs it now. No link is followed.
    ///
    /// # Errors
    /// The system refuses.
    pub fn release(&self) -> Result<(), FileError> {
        let removed = match fs::symlink_metadata(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => Err(error),
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&self.dir),
            Ok(_) => fs::remove_file(&self.dir),
        };
        removed.map_err(|source| FileError::io("remove", &self.dir, source))
    }

    /// Gives the room back where little else is left: what an earlier process left open is settled
    /// in it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn release_if_short(&self) -> Result<(), FileError> {
        let short = |left: Space| left.bytes < FILES * FILE_BYTES || left.names_short(FILES);
        if Space::at(files::parent_of(&self.dir)).is_ok_and(short) {
            self.release()
        } else {
            Ok(())
        }
    }

    fn is_whole(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.dir) else { return false };
        let is_held = |entry: io::Result<fs::DirEntry>| {
            let meta = entry.and_then(|entry| fs::symlink_metadata(entry.path()));
            meta.is_ok_and(|meta| meta.is_file() && meta.len() == FILE_BYTES)
        };
        let is_dir = fs::symlink_metadata(&self.dir).is_ok_and(|meta| meta.is_dir());
        let counted: Vec<bool> = entries.take(ENTRIES_MAX).map(is_held).collect();
        is_dir && counted.len() as u64 == FILES && counted.iter().all(|is_held| *is_held)
    }
}

fn allocate(path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, FILE_BYTES) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            io::copy(&mut io::Read::take(io::repeat(0), FILE_BYTES), &mut file)?;
            file.flush()
        }
        allocated => Ok(allocated?),
    }
}

/// What is free on one file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Space {
    bytes: u64,
    /// How many more files there can be; none where the file system does not count them.
    names: Option<u64>,
}

impl Space {
    fn at(path: &Path) -> io::Result<Self> {
        let stat = statvfs(path)?;
        let names = (stat.f_files > 0).then_some(stat.f_favail);
        Ok(Self { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), names })
    }

    fn names_short(self, wanted: u64) -> bool {
        self.names.is_some_and(|names| names < wanted)
    }

    /// Whether more was used since `before` than is left: then whoever used it is who filled it.
    fn was_filled(self, before: Self) -> bool {
        let names = before.names.zip(self.names);
        before.bytes.saturating_sub(self.bytes) > self.bytes
            || names.is_some_and(|(before, now)| before.saturating_sub(now) > now)
    }
}

/// What was free, everywhere a stage can write, before it began.
#[derive(Clone, Debug, Default)]
pub struct Room {
    places: Vec<(PathBuf, Space)>,
}

impl Room {
    /// Looks at the file systems of these places.
    ///
    /// # Errors
    /// One of them is not there, or has too little left for anything to begin.
    pub fn look<'a>(places: impl IntoIterator<Item = &'a Path>) -> Result<Self, FileError> {
        let mut room = Self::default();
        for place in places {
            let found = Space::at(place);
            let space = found.map_err(|source| FileError::io("look at", place, source))?;
            if space.bytes < FREE_MIN || space.names_short(FILES) {
                let source = Errno::NOSPC.into();
                return Err(FileError::io("begin anything with so little room at", place, source));
            }
            room.places.push((place.to_owned(), space));
        }
        Ok(room)
    }

    /// Whether more was used since then than is left.
    pub fn was_filled(&self) -> bool {
        let filled = |(place, before): &(PathBuf, Space)| {
            Space::at(place).is_ok_and(|now| now.was_filled(*before))
        };
        self.places.iter().any(filled)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn room_is_held_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(dir.path().join("reserve"));
        reserve.hold().unwrap();
        assert!(reserve.is_whole());
        reserve.hold().unwrap();
        reserve.release().unwrap();
        reserve.release().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[rstest]
    #[case::a_file_too_few(|dir: &Path| fs::remove_file(dir.join("3")).unwrap())]
    #[case::a_file_too_many(|dir: &Path| fs::write(dir.join("notes"), "x").unwrap())]
    #[case::an_empty_one(|dir: &Path| fs::write(dir.join("3"), "").unwrap())]
    fn what_somebody_did_to_it_does_not_last(#[case] change: fn(&Path)) {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(dir.path().join("reserve"));
        reserve.hold().unwrap();
        change(&dir.path().join("reserve"));
        assert!(!reserve.is_whole());
        reserve.hold().unwrap();
        assert!(reserve.is_whole() && !dir.path().join("reserve/notes").exists());
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let (dir, precious) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for number in 0..FILES {
            let file = File::create_new(precious.path().join(number.to_string())).unwrap();
            file.set_len(FILE_BYTES).unwrap();
        }
        let reserve = Reserve::new(dir.path().join("reserve"));
        std::os::unix::fs::symlink(precious.path(), dir.path().join("reserve")).unwrap();
        reserve.hold().unwrap();
        assert!(reserve.is_whole());
        assert_eq!(fs::read_dir(precious.path()).unwrap().count() as u64, FILES);
    }

    /// Bytes and names before and now.
    #[rstest]
    #[case::nothing_happened((100, 9), (100, 9), false)]
    #[case::used_and_enough_left((100, 9), (60, 9), false)]
    #[case::more_used_than_left((100, 9), (40, 9), true)]
    #[case::full((100, 9), (0, 9), true)]
    #[case::no_names_left((100, 9), (100, 0), true)]
    #[case::somebody_made_room((100, 9), (300, 9), false)]
    fn who_used_more_than_is_left_filled_it(
        #[case] before: (u64, u64),
        #[case] now: (u64, u64),
        #[case] want: bool,
    ) {
        let space = |(bytes, names)| Space { bytes, names: Some(names) };
        assert_eq!(space(now).was_filled(space(before)), want);
    }

    #[test]
    fn a_cause_far_below_is_found() {
        let full = io::Error::from(Errno::NOSPC);
        let error = FileError::io("write", Path::new("x"), full);
        assert!(is_out_of_room(&error));
        let other = FileError::io("write", Path::new("x"), Errno::IO.into());
        assert!(!is_out_of_room(&other));
    }
}
