//! Files read and written so that neither a crash nor a hostile file can surprise.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::{Pid, test_kill_process};
use tempfile::NamedTempFile;

/// What temporary files are called before they take their place; the number of the process that
/// writes follows.
const TEMP_PREFIX: &str = ".looper-tmp-";

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {attempt} {}", .path.display())]
    Io {
        /// What was attempted, as a verb.
        attempt: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A link stands where a file of ours belongs.
    #[error("{} is a symbolic link", .path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// A directory, a pipe or a device.
    #[error("{} is not a regular file", .path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// More than anybody wants to read.
    #[error("{} is larger than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What would have been accepted.
        limit: u64,
    },
}

impl FileError {
    /// An attempt the system refused.
    pub(crate) fn io(attempt: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { attempt, path: path.to_owned(), source }
    }

    /// Whether the system does not allow it.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether nothing is there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Opens a regular file for reading. A pipe in its place does not block.
///
/// # Errors
/// It cannot be opened, or is not a regular file.
pub fn open_read(path: &Path) -> Result<File, FileError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags(OFlags::NONBLOCK))
        .open(path)
        .map_err(|source| FileError::io("open", path, source))?;
    require_regular(&file, path)?;
    Ok(file)
}

/// Flags of `open(2)` in the form the standard library takes.
pub(crate) fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// Fails for anything but a regular file.
pub(crate) fn require_regular(file: &File, path: &Path) -> Result<(), FileError> {
    let metadata = file.metadata().map_err(|source| FileError::io("look at", path, source))?;
    if metadata.is_file() { Ok(()) } else { Err(FileError::NotAFile { path: path.to_owned() }) }
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// It cannot be read, is not a regular file, or is larger.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    open_read(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| FileError::io("read", path, source))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Replaces a file's content so that after a crash either the old or the new content is there.
///
/// The mode is that of the file that is replaced; a new file gets `mode` under the umask. Costs
/// two device syncs: one for the content, one for the name.
///
/// # Errors
/// The target is a link or no regular file, or the system refuses; then the old content stands.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let fails = |attempt| move |source| FileError::io(attempt, path, source);
    let kept = permissions_of(path)?;
    let dir = parent_of(path);
    let mut temp = temp_in(dir, mode)?;
    if let Some(permissions) = kept {
        temp.as_file().set_permissions(permissions).map_err(fails("set the mode of"))?;
    }
    temp.write_all(bytes).map_err(fails("write"))?;
    temp.as_file().sync_all().map_err(fails("flush"))?;
    temp.persist(path).map_err(|error| FileError::io("replace", path, error.error))?;
    sync_dir(dir)
}

/// Makes everything durable that any process wrote to the file system of a directory, names
/// included. What a dead process wrote looks finished, and is not until it is flushed.
///
/// # Errors
/// The directory cannot be opened, or the system refuses.
pub fn flush_file_system(dir: &Path) -> Result<(), FileError> {
    let flushed = File::open(dir).and_then(|dir| sync_file_system(&dir));
    flushed.map_err(|source| FileError::io("flush", dir, source))
}

#[cfg(target_os = "linux")]
pub(crate) fn sync_file_system(dir: &File) -> io::Result<()> {
    rustix::fs::syncfs(dir).map_err(Into::into)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_file_system(dir: &File) -> io::Result<()> {
    rustix::fs::sync();
    dir.sync_all()
}

/// A file that is gone unless it gets a name of its own; a kill leaves it to [`sweep_leftovers`].
pub(crate) fn temp_in(dir: &Path, mode: u32) -> Result<NamedTempFile, FileError> {
    tempfile::Builder::new()
        .prefix(&format!("{TEMP_PREFIX}{}-", std::process::id()))
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(dir)
        .map_err(|source| FileError::io("make a temporary file in", dir, source))
}

/// The mode to keep, unless there is no file yet.
fn permissions_of(path: &Path) -> Result<Option<Permissions>, FileError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(FileError::Symlink { path: path.to_owned() }),
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.permissions())),
        Ok(_) => Err(FileError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::io("look at", path, source)),
    }
}

/// Removes what writers that were killed left in a directory, and names it.
///
/// # Errors
/// The directory cannot be read, or a leftover cannot be removed.
pub fn sweep_leftovers(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut swept = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| FileError::io("read", dir, source))? {
        let path = entry.map_err(|source| FileError::io("read", dir, source))?.path();
        let is_ours = path.file_name().and_then(writer_of).is_some_and(|pid| !is_running(pid));
        if is_ours && fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            fs::remove_file(&path).map_err(|source| FileError::io("remove", &path, source))?;
            swept.push(path);
        }
    }
    Ok(swept)
}

/// The process that writes the temporary file of this name.
fn writer_of(name: &OsStr) -> Option<Pid> {
    let (pid, _) = name.to_str()?.strip_prefix(TEMP_PREFIX)?.split_once('-')?;
    Pid::from_raw(pid.parse().ok().filter(|pid| *pid > 0)?)
}

fn is_running(pid: Pid) -> bool {
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// The directory a path lies in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The system refuses.
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    File::open(dir)
        .and_then(|handle| handle.sync_all())
        .map_err(|source| FileError::io("flush the directory", dir, source))
}

/// Removes whatever has this name, a directory with all that is in it, without following links.
///
/// # Errors
/// The system refuses. That nothing is there is no error.
pub(crate) fn clear(path: &Path) -> Result<(), FileError> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if super::stamp::is_absent(&error) => return Ok(()),
        Err(error) => Err(error),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(|source| FileError::io("remove", path, source))
}

/// Makes sure that a directory and its parents exist.
///
/// # Errors
/// The system refuses, or something else has that name.
pub fn create_dir(dir: &Path) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(|source| FileError::io("create the directory", dir, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backlog.md");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        write_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o664);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_gets_the_mode_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        write_atomic(&path, b"x", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_link_at_the_target_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join("link"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &link).unwrap();
        assert!(matches!(write_atomic(&link, b"x", 0o644), Err(FileError::Symlink { .. })));
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert!(matches!(write_atomic(dir.path(), b"x", 0o644), Err(FileError::NotAFile { .. })));
    }

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing").join("file");
        assert!(write_atomic(&path, b"x", 0o644).unwrap_err().is_missing());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert!(matches!(read_bounded(&path, 4), Err(FileError::TooLarge { limit: 4, .. })));
        assert!(read_bounded(&dir.path().join("none"), 4).unwrap_err().is_missing());
        assert!(matches!(read_bounded(dir.path(), 4), Err(FileError::NotAFile { .. })));
    }

    #[test]
    fn a_pipe_does_not_block_a_reader() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600))
            .unwrap();
        assert!(matches!(read_bounded(&pipe, 4), Err(FileError::NotAFile { .. })));
    }

    #[test]
    fn only_leftovers_of_dead_writers_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let dead = dir.path().join(format!("{TEMP_PREFIX}{}-abc", child.id()));
        let alive = dir.path().join(format!("{TEMP_PREFIX}{}-abc", std::process::id()));
        for path in [&dead, &alive, &dir.path().join(".looper-tmp-notes")] {
            fs::write(path, "x").unwrap();
        }
        assert_eq!(sweep_leftovers(dir.path()).unwrap(), [dead]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
