//! The state directory belongs to nobody but us: what a stage changes in it is put back.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::WorldError;
use crate::host::files;

/// A file up to this size is kept in memory while a stage runs, so that it can be put back.
const KEPT_BYTES_MAX: u64 = 1 << 20;

/// How many entries of one directory are looked at. Ours have a few dozen.
const ENTRIES_MAX: usize = 10_000;

/// What a file or directory looked like.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<Metadata> for Stamp {
    fn from(meta: Metadata) -> Self {
        Self {
            inode: meta.ino(),
            size: meta.len(),
            mode: meta.mode(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// How much of an entry is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// Its content, which is put back.
    Content,
    /// Entries that come and go, but not what is in them: objects prove themselves by their names.
    Listing,
    /// Nothing: it changes while a stage runs, or its owner watches it better.
    Nothing,
}

/// The top of the state directory, entry by entry.
fn watch(name: &str) -> Watch {
    match name {
        "events.jsonl" | "lock" | "debug.log" | "stop" | "reserve" => Watch::Nothing,
        "objects" | "tx" | "evidence" | "reports" => Watch::Listing,
        _ => Watch::Content,
    }
}

/// What the state directory looked like before a stage.
#[derive(Debug, Default)]
pub(super) struct Guard {
    root: PathBuf,
    stamps: BTreeMap<PathBuf, Stamp>,
    contents: BTreeMap<PathBuf, (Stamp, Vec<u8>)>,
}

impl Guard {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// Remembers how everything is. What has not changed since the last time is not read again.
    pub(super) fn capture(&mut self, attempt_dir: &Path) -> Result<(), WorldError> {
        self.stamps = self.look(attempt_dir)?;
        let kept = std::mem::take(&mut self.contents);
        for (path, stamp) in &self.stamps {
            if !self.keeps_content(path, stamp) {
                continue;
            }
            let known = kept.get(path).filter(|(old, _)| old == stamp);
            let bytes = match known {
                Some((_, bytes)) => bytes.clone(),
                None => files::read_bounded(path, KEPT_BYTES_MAX)?,
            };
            self.contents.insert(path.clone(), (stamp.clone(), bytes));
        }
        Ok(())
    }

    fn keeps_content(&self, path: &Path, stamp: &Stamp) -> bool {
        let is_file = stamp.mode & 0o170_000 == 0o100_000;
        let is_cache = path.starts_with(self.root.join("tx"));
        is_file && !is_cache && stamp.size <= KEPT_BYTES_MAX
    }

    /// Puts back what changed, and names it.
    pub(super) fn restore(&self, attempt_dir: &Path) -> Result<Vec<String>, WorldError> {
        let now = self.look(attempt_dir)?;
        let mut changed = vec![];
        for path in now.keys().filter(|path| !self.stamps.contains_key(*path)) {
            changed.push(self.name(path));
            clear_the_way(path)?;
        }
        for (path, stamp) in &self.stamps {
            if now.get(path) == Some(stamp) {
                continue;
            }
            if let Some((_, bytes)) = self.contents.get(path) {
                let same = files::read_bounded(path, KEPT_BYTES_MAX).is_ok_and(|now| now == *bytes);
                if !same {
                    clear_the_way(path)?;
                    let mode = stamp.mode & 0o7777;
                    files::write_atomic(path, bytes, mode)?;
                }
                changed.push(self.name(path));
            } else if !self.is_explained(path, &now) {
                changed.push(self.name(path));
            }
        }
        changed.sort();
        changed.dedup();
        Ok(changed)
    }

    /// A directory changes its times when an entry that is named anyway comes or goes.
    fn is_explained(&self, path: &Path, now: &BTreeMap<PathBuf, Stamp>) -> bool {
        let is_dir = |stamp: &Stamp| stamp.mode & 0o170_000 == 0o040_000;
        let still_dir = now.get(path).is_some_and(is_dir);
        let inside = |paths: &BTreeMap<PathBuf, Stamp>| -> Vec<PathBuf> {
            paths.keys().filter(|entry| entry.parent() == Some(path)).cloned().collect()
        };
        still_dir && inside(now) != inside(&self.stamps)
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    fn look(&self, attempt_dir: &Path) -> Result<BTreeMap<PathBuf, Stamp>, WorldError> {
        let mut stamps = BTreeMap::new();
        for entry in list(&self.root)? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let how = watch(&name);
            if how == Watch::Nothing {
                continue;
            }
            let Some(stamp) = stamp(&entry)? else { continue };
            let is_dir = stamp.mode & 0o170_000 == 0o040_000;
            let is_deep = is_dir && (how == Watch::Content || name == "tx");
            stamps.insert(entry.clone(), stamp);
            if is_deep {
                self.look_into(&entry, &mut stamps)?;
            }
        }
        self.look_into(attempt_dir, &mut stamps)?;
        Ok(stamps)
    }

    fn look_into(
        &self,
        dir: &Path,
        stamps: &mut BTreeMap<PathBuf, Stamp>,
    ) -> Result<(), WorldError> {
        for entry in list(dir)? {
            if let Some(stamp) = stamp(&entry)? {
                stamps.insert(entry, stamp);
            }
        }
        Ok(())
    }
}

/// Entries of a directory; one that is not there, or is none, has none.
fn list(dir: &Path) -> Result<Vec<PathBuf>, WorldError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(vec![]),
        Err(error) => return Err(WorldError::io("list", dir)(error)),
    };
    let mut paths = vec![];
    for entry in entries.take(ENTRIES_MAX) {
        paths.push(entry.map_err(WorldError::io("list", dir))?.path());
    }
    Ok(paths)
}

fn stamp(path: &Path) -> Result<Option<Stamp>, WorldError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta.into())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(WorldError::io("look at", path)(error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Removes whatever stands where a file of ours belongs, without following links.
pub(super) fn clear_the_way(path: &Path) -> Result<(), WorldError> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => Err(error),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(WorldError::io("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct State {
        dir: tempfile::TempDir,
        guard: Guard,
    }

    impl State {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for name in ["objects", "tx", "evidence/loop-1", "prompts"] {
                fs::create_dir_all(dir.path().join(name)).unwrap();
            }
            for name in
                ["config.toml", "prompts/planner.md", "evidence/loop-1/plan.md", "events.jsonl"]
            {
                fs::write(dir.path().join(name), name).unwrap();
            }
            let mut guard = Guard::new(dir.path());
            guard.capture(&dir.path().join("evidence/loop-1")).unwrap();
            Self { dir, guard }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn changed(&self) -> Vec<String> {
            self.guard.restore(&self.path("evidence/loop-1")).unwrap()
        }
    }

    #[test]
    fn nothing_changed() {
        let state = State::new();
        fs::write(state.path("events.jsonl"), "more").unwrap();
        assert_eq!(state.changed(), [""; 0]);
    }

    /// Proves I14.
    #[test]
    fn what_a_stage_changes_in_the_state_directory_is_put_back() {
        let state = State::new();
        fs::write(state.path("config.toml"), "evil").unwrap();
        fs::remove_file(state.path("prompts/planner.md")).unwrap();
        fs::remove_file(state.path("evidence/loop-1/plan.md")).unwrap();
        fs::create_dir(state.path("evidence/loop-1/plan.md")).unwrap();
        fs::write(state.path("new"), "").unwrap();
        fs::write(state.path("objects/forged"), "").unwrap();
        let names =
            ["config.toml", "evidence/loop-1/plan.md", "new", "objects", "prompts/planner.md"];
        assert_eq!(state.changed(), names);
        for name in ["config.toml", "prompts/planner.md", "evidence/loop-1/plan.md"] {
            assert_eq!(fs::read_to_string(state.path(name)).unwrap(), name);
        }
        assert!(!state.path("new").exists());
    }

    #[test]
    fn a_link_in_place_of_a_file_is_not_followed() {
        let state = State::new();
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::remove_file(state.path("config.toml")).unwrap();
        std::os::unix::fs::symlink(outside.path(), state.path("config.toml")).unwrap();
        assert_eq!(state.changed(), ["config.toml"]);
        assert_eq!(fs::read(outside.path()).unwrap(), b"");
        assert!(!fs::symlink_metadata(state.path("config.toml")).unwrap().is_symlink());
    }
}
