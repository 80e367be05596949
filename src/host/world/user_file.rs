//! The user's own settings, outside of the state directory: an agent has no say in them either.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::error::WorldError;
use crate::host::files;
use crate::host::stamp::is_absent;

/// A larger file is refused where it is read as settings.
const BYTES_MAX: u64 = 1 << 20;

/// A file of the user's, and what it was before a stage.
#[derive(Debug, Default)]
pub(super) struct UserFile {
    path: Option<PathBuf>,
    known: Look,
}

/// What can be seen of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Look {
    /// Where it leads to, if it is a link.
    link: Option<PathBuf>,
    content: Content,
    mode: Option<u32>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    Missing,
    Bytes(Vec<u8>),
    /// A directory, a pipe, too much, or closed to us.
    Unreadable,
}

impl UserFile {
    /// A user without a home has no such file.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, known: Look::default() }
    }

    /// Remembers what it is.
    pub(super) fn capture(&mut self) {
        self.known = self.path.as_deref().map(Look::at).unwrap_or_default();
    }

    /// Its path and what it says now, where that is something else.
    pub(super) fn difference(&self) -> Option<(&Path, Vec<u8>)> {
        let path = self.path.as_deref()?;
        let found = Look::at(path);
        if found == self.known {
            return None;
        }
        match found.content {
            Content::Bytes(bytes) => Some((path, bytes)),
            Content::Missing | Content::Unreadable => Some((path, Vec::new())),
        }
    }

    /// Makes it again what it was.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn restore(&self) -> Result<(), WorldError> {
        let Some(path) = &self.path else { return Ok(()) };
        let mode = self.known.mode.unwrap_or(0o600);
        let mut real = path.clone();
        match &self.known.link {
            None => files::clear(path)?,
            Some(link) => {
                if fs::read_link(path).ok().as_ref() != Some(link) {
                    files::clear(path)?;
                    files::create_dir(files::parent_of(path))?;
                    symlink(link, path).map_err(WorldError::io("link", path))?;
                }
                real = files::parent_of(path).join(link);
                real = fs::canonicalize(&real).unwrap_or(real);
            }
        }
        match &self.known.content {
            Content::Bytes(bytes) => {
                files::create_dir(files::parent_of(&real))?;
                Ok(files::write_atomic(&real, bytes, mode)?)
            }
            Content::Missing => Ok(files::clear(&real)?),
            Content::Unreadable => Ok(()),
        }
    }
}

impl Look {
    fn at(path: &Path) -> Self {
        let content = match files::read_bounded(path, BYTES_MAX) {
            Ok(bytes) => Content::Bytes(bytes),
            Err(_) if fs::symlink_metadata(path).is_err_and(|error| is_absent(&error)) => {
                Content::Missing
            }
            Err(error) if error.is_missing() => Content::Missing,
            Err(_) => Content::Unreadable,
        };
        let mode = fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o777);
        Self { link: fs::read_link(path).ok(), content, mode }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A home directory whose settings are a file, a link into a folder of dotfiles, or missing.
    fn home(kind: &str) -> (tempfile::TempDir, UserFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/looper/config.toml");
        let own =
            if kind == "link" { dir.path().join("dotfiles/looper.toml") } else { path.clone() };
        if kind != "missing" {
            fs::create_dir_all(files::parent_of(&own)).unwrap();
            fs::create_dir_all(files::parent_of(&path)).unwrap();
            fs::write(&own, "mine").unwrap();
        }
        if kind == "link" {
            symlink("../../dotfiles/looper.toml", &path).unwrap();
        }
        let mut file = UserFile::new(Some(path));
        file.capture();
        (dir, file)
    }

    #[rstest]
    fn what_a_stage_did_to_the_settings_of_the_user_is_undone(
        #[values("file", "link", "missing")] kind: &str,
        #[values(
            "mkdir -p config/looper; echo evil > config/looper/config.toml",
            "mkdir -p config/looper; rm -f config/looper/config.toml; echo evil > config/looper/config.toml",
            "mkdir -p config/looper e; ln -sf ../../e config/looper/config.toml",
            "rm -rf config; mkdir -p config/looper/config.toml/x",
            "rm -rf config e; mkdir -p e/looper; ln -s e config; echo evil > e/looper/config.toml"
        )]
        harm: &str,
    ) {
        let (dir, file) = home(kind);
        let path = file.path.clone().unwrap();
        assert_eq!(file.difference(), None);
        let done = std::process::Command::new("sh")
            .args(["-ec", harm])
            .current_dir(dir.path())
            .status()
            .unwrap();
        assert!(done.success());
        assert!(file.difference().is_some());
        file.restore().unwrap();
        assert_eq!(file.difference(), None);
        assert_eq!(
            fs::read_to_string(&path).ok().as_deref(),
            (kind != "missing").then_some("mine")
        );
        assert_eq!(
            fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()),
            kind == "link"
        );
    }
}
