//! The user's own settings, outside of the state directory: an agent has no say in them either.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::error::WorldError;
use crate::host::clock;
use crate::host::files;
use crate::host::stamp::is_absent;

/// A larger file is refused where it is read as settings.
const BYTES_MAX: u64 = 1 << 20;

/// A file of the user's, and what it was before a stage.
#[derive(Debug, Default)]
pub(super) struct UserFile {
    path: Option<PathBuf>,
    /// Nothing where it is not watched.
    known: Option<Look>,
}

/// What can be seen of a file.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// Where it leads to, if it is a link.
    link: Option<PathBuf>,
    content: Content,
    mode: Option<u32>,
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    Missing,
    Bytes(Vec<u8>),
    /// A directory, a pipe, too much, or closed to us.
    Unreadable,
}

impl UserFile {
    /// A user without a home has no such file.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, known: None }
    }

    /// Remembers what it is, if a stage could change it.
    pub(super) fn capture(&mut self, is_watched: bool) {
        self.known = self.path.as_deref().filter(|_| is_watched).map(Look::at);
    }

    /// Makes it again what it was, and says so. What it said meanwhile is kept beside it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn restore(&self) -> Result<Option<String>, WorldError> {
        let (Some(path), Some(known)) = (&self.path, &self.known) else { return Ok(None) };
        let found = Look::at(path);
        if found == *known {
            return Ok(None);
        }
        let mut said = path.display().to_string();
        if let Content::Bytes(bytes) = &found.content {
            let name = format!("found-{}-config.toml", clock::new_run_id(clock::now()));
            files::write_atomic(&path.with_file_name(&name), bytes, 0o600)?;
            said.push_str(&format!(" (kept as {name} beside it)"));
        }
        known.bring_back(path)?;
        Ok(Some(said))
    }
}

impl Look {
    fn bring_back(&self, path: &Path) -> Result<(), WorldError> {
        let mode = self.mode.unwrap_or(0o600);
        let mut real = path.to_owned();
        match &self.link {
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
        match &self.content {
            Content::Bytes(bytes) => {
                files::create_dir(files::parent_of(&real))?;
                Ok(files::write_atomic(&real, bytes, mode)?)
            }
            Content::Missing => Ok(files::clear(&real)?),
            Content::Unreadable => Ok(()),
        }
    }

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
        file.capture(true);
        (dir, file)
    }

    fn written(home: &Path) {
        fs::create_dir_all(home.join("config/looper")).unwrap();
        fs::write(home.join("config/looper/config.toml"), "evil").unwrap();
    }

    fn written_anew(home: &Path) {
        files::clear(&home.join("config/looper/config.toml")).unwrap();
        written(home);
    }

    fn linked(home: &Path) {
        let path = home.join("config/looper/config.toml");
        fs::create_dir_all(files::parent_of(&path)).unwrap();
        fs::create_dir(home.join("e")).unwrap();
        files::clear(&path).unwrap();
        symlink("../../e", path).unwrap();
    }

    fn made_a_directory(home: &Path) {
        files::clear(&home.join("config")).unwrap();
        fs::create_dir_all(home.join("config/looper/config.toml/x")).unwrap();
    }

    fn moved_with_its_directory(home: &Path) {
        files::clear(&home.join("config")).unwrap();
        fs::create_dir_all(home.join("e/looper")).unwrap();
        symlink("e", home.join("config")).unwrap();
        fs::write(home.join("e/looper/config.toml"), "evil").unwrap();
    }

    #[test]
    fn whoever_changes_it_where_no_stage_can_is_its_owner() {
        let (dir, mut file) = home("file");
        file.capture(false);
        written(dir.path());
        assert_eq!(file.restore().unwrap(), None);
    }

    #[rstest]
    fn what_a_stage_did_to_the_settings_of_the_user_is_undone(
        #[values("file", "link", "missing")] kind: &str,
        #[values(written, written_anew, linked, made_a_directory, moved_with_its_directory)]
        harm: fn(&Path),
    ) {
        let (dir, file) = home(kind);
        let path = file.path.clone().unwrap();
        assert_eq!(file.restore().unwrap(), None);
        harm(dir.path());
        let said = file.restore().unwrap();
        assert!(said.is_some_and(|said| said.starts_with(path.to_str().unwrap())));
        assert_eq!(file.restore().unwrap(), None);
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
