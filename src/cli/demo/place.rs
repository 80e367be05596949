//! Where the demo's project lies, and whether it stays there.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::host::files::FileError;

/// A new directory. A temporary one is gone when this is dropped, on an error too.
pub(super) struct Place {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Place {
    /// Makes the directory that is to be kept, or a temporary one.
    pub(super) fn make(keep: Option<&Path>, cwd: &Path) -> Result<Self, Failure> {
        let (made, temporary) = match keep {
            Some(keep) => (make_new(&cwd.join(keep))?, None),
            None => {
                let made = tempfile::Builder::new().prefix("looper-demo-").tempdir();
                let made = made.map_err(|source| {
                    FileError::io("create a directory in", &std::env::temp_dir(), source)
                })?;
                (made.path().to_owned(), Some(made))
            }
        };
        let path = made.canonicalize().map_err(|source| FileError::io("find", &made, source))?;
        Ok(Self { path, temporary })
    }

    /// The directory, absolute and free of links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, if it stays.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.temporary.is_none().then_some(&self.path)
    }

    /// Removes what is not kept.
    pub(super) fn leave(self) -> Result<(), Failure> {
        let closed = self.temporary.map_or(Ok(()), TempDir::close);
        Ok(closed.map_err(|source| FileError::io("remove", &self.path, source))?)
    }
}

fn make_new(path: &Path) -> Result<PathBuf, Failure> {
    let usage = |what: &str, help: &str| {
        Err(Failure::new(Exit::Usage, format!("{} {what}", path.display())).help(help))
    };
    match std::fs::create_dir(path) {
        Ok(()) => Ok(path.to_owned()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            usage("exists already", "name a directory that is not there yet")
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            usage("has no parent directory", "make its parent directory first")
        }
        Err(error) => Err(FileError::io("create the directory", path, error).into()),
    }
}
