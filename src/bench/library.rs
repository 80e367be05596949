//! Where scenarios come from: the folders built into the program, or a directory.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::scenario::{Files, Manifest, Scenario};
use crate::host::files::{self, FileError};

/// `fixtures/bench` as it was when this program was built.
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/bench");

/// The folder whose files every scenario has unless it brings its own.
const COMMON: &str = "common";

/// What a scenario says about itself.
const MANIFEST: &str = "scenario.toml";

/// Files that a scenario may bring, besides its manifest and what is below `project/`.
const KNOWN: [&str; 9] = [
    "agents.sh",
    "backlog.md",
    "impl_critique.sh",
    "implement.sh",
    "oracle.sh",
    "oracles.sh",
    "plan.sh",
    "plan_critique.sh",
    "setup.sh",
];

/// A larger file is not part of a scenario: it makes it in `setup.sh`.
const FILE_MAX: u64 = 1 << 20;

/// Why scenarios cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder is no scenario.
    #[error("scenario {name}: {reason}")]
    Malformed {
        /// The folder.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// There is none.
    #[error("there is no scenario in {}", .dir.display())]
    Empty {
        /// Where.
        dir: PathBuf,
    },
}

/// The scenarios that are built into this program, by name.
///
/// # Errors
/// One of them is malformed.
pub fn embedded() -> Result<Vec<Scenario>, LibraryError> {
    let mut folders = Vec::new();
    for dir in BUILT_IN.dirs() {
        let mut found = Files::new();
        gather(dir, dir.path(), &mut found);
        folders.push((dir.path().display().to_string(), found));
    }
    scenarios(folders)
}

fn gather(dir: &Dir<'_>, top: &Path, found: &mut Files) {
    for file in dir.files() {
        let path = file.path().strip_prefix(top).unwrap_or(file.path());
        found.insert(path.to_owned(), file.contents().to_vec());
    }
    dir.dirs().for_each(|dir| gather(dir, top, found));
}

/// The scenarios in a directory, one folder each, by name. What every scenario has is `common` in
/// it, or else what is built in.
///
/// # Errors
/// The directory cannot be read, holds none, or one of them is malformed.
pub fn read_dir(dir: &Path) -> Result<Vec<Scenario>, LibraryError> {
    let mut folders = Vec::new();
    for entry in entries(dir)? {
        if entry.is_dir() {
            let mut found = Files::new();
            read_into(&entry, &entry, &mut found)?;
            let name = entry.file_name().unwrap_or_default();
            folders.push((name.to_string_lossy().into_owned(), found));
        }
    }
    if !folders.iter().any(|(name, _)| name == COMMON)
        && let Some(common) = BUILT_IN.get_dir(COMMON)
    {
        let mut found = Files::new();
        gather(common, common.path(), &mut found);
        folders.push((COMMON.to_owned(), found));
    }
    let found = scenarios(folders)?;
    if found.is_empty() {
        return Err(LibraryError::Empty { dir: dir.to_owned() });
    }
    Ok(found)
}

fn read_into(dir: &Path, top: &Path, found: &mut Files) -> Result<(), FileError> {
    for path in entries(dir)? {
        if path.is_dir() {
            read_into(&path, top, found)?;
        } else {
            let bytes = files::read_bounded(&path, FILE_MAX)?;
            found.insert(path.strip_prefix(top).unwrap_or(&path).to_owned(), bytes);
        }
    }
    Ok(())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let listed = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    };
    listed().map_err(|source| FileError::io("list", dir, source))
}

fn scenarios(mut folders: Vec<(String, Files)>) -> Result<Vec<Scenario>, LibraryError> {
    folders.sort();
    let common = folders.iter().position(|(name, _)| name == COMMON);
    let common = common.map(|at| folders.remove(at).1).unwrap_or_default();
    folders.into_iter().map(|(name, own)| scenario(name, &common, own)).collect()
}

fn scenario(name: String, common: &Files, mut own: Files) -> Result<Scenario, LibraryError> {
    let malformed = |reason: String| LibraryError::Malformed { name: name.clone(), reason };
    let manifest = own.remove(Path::new(MANIFEST));
    let manifest = manifest.ok_or_else(|| malformed(format!("{MANIFEST} is missing")))?;
    let manifest = String::from_utf8(manifest).map_err(|error| malformed(error.to_string()))?;
    let manifest: Manifest =
        toml::from_str(&manifest).map_err(|error| malformed(format!("{MANIFEST}: {error}")))?;
    if let Some(stranger) = own.keys().find(|path| !is_known(path)) {
        return Err(malformed(format!("{} has no meaning there", stranger.display())));
    }
    let mut files = common.clone();
    files.extend(own);
    Ok(Scenario { name, manifest, files })
}

fn is_known(path: &Path) -> bool {
    let mut parts = path.components();
    let first = parts.next().map(Component::as_os_str);
    let is_alone = parts.next().is_none();
    let is_one = |known: &&str| first == Some(OsStr::new(known));
    if is_alone { KNOWN.iter().any(is_one) } else { is_one(&"project") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_well_formed_and_says_what_it_tries() {
        let found = embedded().unwrap();
        for scenario in &found {
            let Manifest { tries, family, .. } = &scenario.manifest;
            assert!(tries.ends_with('.') && tries.len() < 200, "{}: {tries}", scenario.name);
            assert!(!family.is_empty() && !family.contains(' '), "{}: {family}", scenario.name);
        }
    }
}
