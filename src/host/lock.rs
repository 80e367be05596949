//! One run at a time per project: an advisory lock that ends with its holder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;

use super::files::{self, FileError};
pub use super::owner::Owner;

/// What is read of a lock file, in bytes.
const OWNER_MAX: u64 = 4096;

/// Others look whether the lock is held by taking it for a moment; that must not turn a run away.
const ATTEMPTS: u32 = 8;

/// Between two attempts; all of them together last less than a person notices.
const ATTEMPT_WAIT: Duration = Duration::from_millis(10);

/// Why the lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has it.
    #[error("{} is held by {owner}", .path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What it says about its holder.
        owner: Box<Owner>,
    },
    /// The file system has no locks, so two runs could not see each other.
    #[error("the file system of {} has no file locks", .path.display())]
    Unsupported {
        /// The lock file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The lock file has been removed or replaced, so another run could start.
    #[error("{} is no longer the file that was locked", .path.display())]
    Replaced {
        /// The lock file.
        path: PathBuf,
    },
}

/// The right to change a project's state, until it is dropped or the process dies.
///
/// The file is never removed: its name could then stand for another lock. Processes started from
/// here do not inherit it.
#[derive(Debug)]
#[must_use = "the lock is given back when this is dropped"]
pub struct Lock {
    file: File,
    /// The directory is locked as well, where its file system can do that: whoever removes the
    /// file under a run does not let another one in.
    dir: Option<File>,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock and says in the file who has it.
    ///
    /// # Errors
    /// Another process has it, the file system has no locks, or the system refuses.
    pub fn take(path: &Path, owner: &Owner) -> Result<Self, LockError> {
        let mut lock = Self::acquire(path)?;
        lock.describe(owner)?;
        Ok(lock)
    }

    /// Takes the lock under its name again, after somebody removed or replaced the file.
    ///
    /// # Errors
    /// As for [`take`](Self::take): another process may have been faster.
    pub fn retake(&mut self) -> Result<(), LockError> {
        let fails = |source| FileError::io("read", &self.path, source);
        let mut text = Vec::new();
        self.file.seek(SeekFrom::Start(0)).map_err(fails)?;
        (&self.file).take(OWNER_MAX).read_to_end(&mut text).map_err(fails)?;
        let file = lock_file(&self.path)?;
        let mut lock = Self { file, dir: self.dir.take(), path: self.path.clone() };
        lock.verify()?;
        lock.say(&String::from_utf8_lossy(&text))?;
        *self = lock;
        Ok(())
    }

    fn acquire(path: &Path) -> Result<Self, LockError> {
        let file = lock_file(path)?;
        let lock = Self { file, dir: lock_dir(path)?, path: path.to_owned() };
        lock.verify()?;
        Ok(lock)
    }

    /// Says anew who has it: a run's name is known only after the log was read.
    ///
    /// # Errors
    /// The system refuses.
    pub fn describe(&mut self, owner: &Owner) -> Result<(), LockError> {
        self.say(&owner.write())
    }

    fn say(&mut self, text: &str) -> Result<(), LockError> {
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.set_len(text.len() as u64))
            .map_err(|source| FileError::io("write", &self.path, source))?;
        Ok(())
    }

    /// Fails when the lock file was removed or replaced meanwhile, so that another run may hold a
    /// lock of the same name.
    ///
    /// # Errors
    /// It was, or the system refuses.
    pub fn verify(&self) -> Result<(), LockError> {
        let replaced = || LockError::Replaced { path: self.path.clone() };
        let fails = |source| FileError::io("look at", &self.path, source);
        let held = self.file.metadata().map_err(fails)?;
        let named = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(replaced()),
            result => result.map_err(fails)?,
        };
        if (held.dev(), held.ino()) == (named.dev(), named.ino()) {
            Ok(())
        } else {
            Err(replaced())
        }
    }
}

/// The lock file, locked.
fn lock_file(path: &Path) -> Result<File, LockError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(files::flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
        .open(path)
        .map_err(|source| FileError::io("open", path, source))?;
    files::require_regular(&file, path)?;
    match try_often(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let owner = Box::new(read_owner(path)?.unwrap_or_default());
            Err(LockError::Held { path: path.to_owned(), owner })
        }
        Err(TryLockError::Error(source)) => Err(refused(path, source)),
    }
}

/// The directory of the lock file, locked; nothing where directories cannot be.
fn lock_dir(path: &Path) -> Result<Option<File>, LockError> {
    let dir = files::parent_of(path);
    let file = File::open(dir).map_err(|source| FileError::io("open", dir, source))?;
    match try_often(&file) {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let command = "looper, whose lock file was removed".to_owned();
            let owner = Box::new(Owner { command, ..Owner::default() });
            Err(LockError::Held { path: path.to_owned(), owner })
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

fn try_often(file: &File) -> Result<(), TryLockError> {
    let mut attempt = 1;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(ATTEMPT_WAIT),
            locked => return locked,
        }
        attempt += 1;
    }
}

fn refused(path: &Path, source: io::Error) -> LockError {
    use rustix::io::Errno;
    let has_none = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL]
        .iter()
        .any(|errno| source.raw_os_error() == Some(errno.raw_os_error()));
    if has_none {
        LockError::Unsupported { path: path.to_owned(), source }
    } else {
        FileError::io("lock", path, source).into()
    }
}

/// What a lock file says about its holder, or about its last one; `None` where there is no file.
///
/// # Errors
/// The system refuses.
pub fn read_owner(path: &Path) -> Result<Option<Owner>, FileError> {
    let mut bytes = Vec::new();
    match files::open_read(path) {
        Err(error) if error.is_missing() => return Ok(None),
        result => result?
            .take(OWNER_MAX)
            .read_to_end(&mut bytes)
            .map_err(|source| FileError::io("read", path, source))?,
    };
    Ok(Some(Owner::read(&String::from_utf8_lossy(&bytes))))
}

/// Whether some process holds the lock at this moment. Needs no right to write.
///
/// # Errors
/// The file system has no locks, or the system refuses.
pub fn is_held(path: &Path) -> Result<bool, LockError> {
    let file = match files::open_read(path) {
        Err(error) if error.is_missing() => return Ok(false),
        result => result?,
    };
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(true),
        Err(TryLockError::Error(source)) => return Err(refused(path, source)),
    }
    let dir = File::open(files::parent_of(path));
    Ok(dir.is_ok_and(|dir| matches!(dir.try_lock_shared(), Err(TryLockError::WouldBlock))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::RunId;

    fn lock_file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        (dir, path)
    }

    #[test]
    fn a_second_taker_learns_who_holds_it() {
        let (_dir, path) = lock_file();
        assert!(!is_held(&path).unwrap() && read_owner(&path).unwrap().is_none());
        let owner = Owner::this_process("looper run", Some(&RunId::new("01K")));
        let mut lock = Lock::take(&path, &owner).unwrap();
        assert!(is_held(&path).unwrap());
        let Err(LockError::Held { owner: seen, .. }) = Lock::take(&path, &Owner::default()) else {
            panic!("two processes hold the lock");
        };
        assert_eq!(*seen, owner);
        assert!(seen.is_running_here());
        lock.describe(&Owner { command: "x".to_owned(), ..Owner::default() }).unwrap();
        assert_eq!(read_owner(&path).unwrap().unwrap().command, "x");
        drop(lock);
        assert!(!is_held(&path).unwrap() && path.exists());
        drop(Lock::take(&path, &owner).unwrap());
    }

    #[test]
    fn a_look_at_the_lock_turns_no_run_away() {
        let (_dir, path) = lock_file();
        fs::write(&path, "").unwrap();
        let looking = files::open_read(&path).unwrap();
        looking.try_lock_shared().unwrap();
        let waiting = thread::spawn(move || Lock::take(&path, &Owner::default()).map(drop));
        thread::sleep(ATTEMPT_WAIT);
        drop(looking);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn what_a_lock_file_says_is_bounded_and_plain() {
        let (_dir, path) = lock_file();
        let long = "x".repeat(10_000);
        fs::write(&path, format!("pid: 12\nhost: a\x1b[2Jb\u{202e}c\nrun: {long}\npid: 13\n"))
            .unwrap();
        let owner = read_owner(&path).unwrap().unwrap();
        assert_eq!((owner.pid, owner.host.as_str()), (Some(12), "a [2Jb c"));
        assert_eq!(owner.run.len(), 256);
        fs::write(&path, b"\xff\xfe\0garbage").unwrap();
        assert_eq!(read_owner(&path).unwrap(), Some(Owner::default()));
    }

    #[test]
    fn a_removed_lock_file_is_noticed() {
        let (_dir, path) = lock_file();
        let lock = Lock::take(&path, &Owner::default()).unwrap();
        lock.verify().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(lock.verify(), Err(LockError::Replaced { .. })));
        fs::write(&path, "").unwrap();
        assert!(matches!(lock.verify(), Err(LockError::Replaced { .. })));
    }

    #[test]
    fn a_removed_lock_file_lets_nobody_in() {
        let (_dir, path) = lock_file();
        let mut lock = Lock::take(&path, &Owner::default()).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(Lock::take(&path, &Owner::default()), Err(LockError::Held { .. })));
        assert!(is_held(&path).unwrap());
        lock.retake().unwrap();
        lock.verify().unwrap();
        drop(lock);
        drop(Lock::take(&path, &Owner::default()).unwrap());
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_is_refused() {
        let (dir, path) = lock_file();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(matches!(Lock::take(&path, &Owner::default()), Err(LockError::File(_))));
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn a_file_system_without_locks_is_named_as_such() {
        let refusal = |errno: rustix::io::Errno| refused(Path::new("lock"), errno.into());
        for errno in [rustix::io::Errno::NOLCK, rustix::io::Errno::OPNOTSUPP] {
            assert!(matches!(refusal(errno), LockError::Unsupported { .. }));
        }
        assert!(matches!(refusal(rustix::io::Errno::IO), LockError::File(_)));
    }
}
