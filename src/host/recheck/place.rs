//! A clean checkout outside of the project, which is gone when nobody needs it any more.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::edit::Edit;
use crate::engine::id::TreeId;
use crate::host::git::{Git, GitError};
use crate::host::sandbox::make_temporary;

/// Where temporary files can be if the usual place lies in the project.
const ELSEWHERE: [&str; 2] = ["/tmp", "/var/tmp"];

/// Deeper directories are not looked into when a checkout is removed; nothing that git holds is.
const DEPTH_MAX: usize = 256;

/// Why there is no checkout.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Every place for temporary files lies in the project.
    #[error("no place for temporary files lies outside of {}", .project.display())]
    Inside {
        /// The project.
        project: PathBuf,
    },
    /// A file or directory cannot be made, read or removed.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The tree cannot be written.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The line that was to be changed does not say what was expected.
    #[error("line {line} of {path} is not what the tree says")]
    Stale {
        /// The file.
        path: String,
        /// The line.
        line: usize,
    },
}

impl PlaceError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// A directory outside of the project for one recheck.
#[derive(Debug)]
pub struct Scratch {
    dir: Option<TempDir>,
    real: PathBuf,
}

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// There is no place outside of the project, or nothing can be made there.
    pub fn new(project: &Path) -> Result<Self, PlaceError> {
        let usual = std::env::temp_dir();
        let places = std::iter::once(usual).chain(ELSEWHERE.map(PathBuf::from));
        let mut outside = places
            .filter_map(|place| fs::canonicalize(place).ok())
            .filter(|place| !place.starts_with(project));
        let Some(place) = outside.next() else {
            return Err(PlaceError::Inside { project: project.to_owned() });
        };
        let made = tempfile::Builder::new().prefix("looper-recheck-").tempdir_in(&place);
        let dir = made.map_err(PlaceError::io("create a directory in", &place))?;
        let scratch = Self { real: dir.path().to_owned(), dir: Some(dir) };
        make_temporary(&scratch.temporary()).map_err(PlaceError::io("create", &scratch.real))?;
        Ok(scratch)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.real
    }

    /// For temporary files of the commands.
    pub(super) fn temporary(&self) -> PathBuf {
        self.real.join("tmp")
    }

    /// A new directory in it.
    pub(super) fn dir(&self, name: &str) -> Result<PathBuf, PlaceError> {
        let dir = self.real.join(name);
        fs::create_dir(&dir).map_err(PlaceError::io("create", &dir))?;
        Ok(dir)
    }
}

/// A command may have left directories that nobody may write, and still nothing stays behind.
impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        open_up(&self.real, 0);
        if let Err(error) = dir.close() {
            tracing::warn!(path = %self.real.display(), %error, "a checkout stays behind");
        }
    }
}

fn open_up(dir: &Path, depth: usize) {
    let is_open = fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).is_ok();
    if !is_open || depth == DEPTH_MAX {
        return;
    }
    let Ok(entries) = fs::read_dir(dir) else { return };
    let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.flatten().filter(is_dir).for_each(|entry| open_up(&entry.path(), depth + 1));
}

/// Writes a tree into an empty directory, with one line changed where that is asked for.
pub(super) fn check_out(
    git: &Git,
    tree: &TreeId,
    edit: Option<&Edit>,
    dir: &Path,
) -> Result<(), PlaceError> {
    git.checkout_to(tree, dir)?;
    let Some(edit) = edit else { return Ok(()) };
    use std::os::unix::ffi::OsStrExt as _;
    let path = dir.join(std::ffi::OsStr::from_bytes(edit.path.as_bytes()));
    let content = fs::read(&path).map_err(PlaceError::io("read", &path))?;
    let stale = || PlaceError::Stale { path: edit.path.to_string(), line: edit.line };
    let changed = edit.apply(&content).ok_or_else(stale)?;
    fs::write(&path, changed).map_err(PlaceError::io("write", &path))
}

/// Brings everything that `fresh` has back into `dir`, as it is there. What `dir` has besides
/// stays: one command may build what the next one tests.
pub(super) fn mend(fresh: &Path, dir: &Path) -> Result<(), PlaceError> {
    for entry in fs::read_dir(fresh).map_err(PlaceError::io("read", fresh))? {
        let entry = entry.map_err(PlaceError::io("read", fresh))?;
        let (from, to) = (entry.path(), dir.join(entry.file_name()));
        let wanted = fs::symlink_metadata(&from).map_err(PlaceError::io("look at", &from))?;
        let found = fs::symlink_metadata(&to).ok();
        if wanted.is_dir() {
            if !found.is_some_and(|found| found.is_dir()) {
                clear(&to)?;
                fs::create_dir(&to).map_err(PlaceError::io("create", &to))?;
            }
            mend(&from, &to)?;
        } else if !found.is_some_and(|found| is_same(&wanted, &from, &found, &to)) {
            clear(&to)?;
            put(&wanted, &from, &to).map_err(PlaceError::io("write", &to))?;
        }
    }
    Ok(())
}

fn is_same(wanted: &fs::Metadata, from: &Path, found: &fs::Metadata, to: &Path) -> bool {
    if wanted.is_symlink() {
        return found.is_symlink() && fs::read_link(from).ok() == fs::read_link(to).ok();
    }
    // What is no plain file is never opened: a pipe would not answer.
    found.is_file()
        && found.len() == wanted.len()
        && found.permissions() == wanted.permissions()
        && matches!((fs::read(from), fs::read(to)), (Ok(from), Ok(to)) if from == to)
}

fn put(wanted: &fs::Metadata, from: &Path, to: &Path) -> io::Result<()> {
    if wanted.is_symlink() {
        symlink(fs::read_link(from)?, to)
    } else {
        fs::copy(from, to).map(drop)
    }
}

pub(super) fn clear(path: &Path) -> Result<(), PlaceError> {
    let cleared = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            open_up(path, 0);
            fs::remove_dir_all(path)
        }
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    cleared.map_err(PlaceError::io("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_altered_is_brought_back_and_what_it_made_stays() {
        let top = tempfile::tempdir().unwrap();
        let (fresh, dir) = (top.path().join("fresh"), top.path().join("dir"));
        for place in [&fresh, &dir] {
            fs::create_dir_all(place.join("src")).unwrap();
            for name in ["src/a", "src/b", "c", "d"] {
                fs::write(place.join(name), name).unwrap();
            }
            symlink("c", place.join("link")).unwrap();
        }
        fs::write(dir.join("src/a"), "altered").unwrap();
        fs::set_permissions(dir.join("src/b"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::remove_file(dir.join("c")).unwrap();
        fs::create_dir_all(dir.join("c/deep")).unwrap();
        fs::remove_file(dir.join("d")).unwrap();
        symlink(top.path().join("outside"), dir.join("d")).unwrap();
        fs::remove_file(dir.join("link")).unwrap();
        fs::write(dir.join("made"), "x").unwrap();
        mend(&fresh, &dir).unwrap();
        for name in ["src/a", "src/b", "c", "d"] {
            assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), name);
            let mode = |top: &Path| fs::symlink_metadata(top.join(name)).unwrap().permissions();
            assert_eq!(mode(&dir), mode(&fresh), "{name}");
        }
        assert_eq!(fs::read_link(dir.join("link")).unwrap(), Path::new("c"));
        assert!(dir.join("made").exists() && !top.path().join("outside").exists());
    }

    #[test]
    fn a_directory_that_nobody_may_write_is_removed_too() {
        let scratch = Scratch::new(Path::new("/nowhere")).unwrap();
        let path = scratch.path().to_owned();
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/c"), "x").unwrap();
        for dir in ["a/b", "a"] {
            fs::set_permissions(path.join(dir), fs::Permissions::from_mode(0o500)).unwrap();
        }
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn no_place_in_the_project_is_taken() {
        let error = Scratch::new(Path::new("/")).unwrap_err();
        assert!(matches!(error, PlaceError::Inside { .. }));
    }
}
