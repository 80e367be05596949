//! The state directory belongs to nobody but us: what a stage changes in it is put back.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::WorldError;
use crate::host::files;
use crate::host::stamp::{Stamp, is_absent};

/// A file up to this size is kept in memory while a stage runs, so that it can be put back.
const KEPT_BYTES_MAX: u64 = 1 << 20;

/// How much is kept in memory of all files together, in bytes. What is beyond is watched only.
const KEPT_TOTAL_MAX: u64 = 8 << 20;

/// How many entries are watched. Ours are a few hundred at most.
const ENTRIES_MAX: usize = 10_000;

/// How deep directories of ours go.
const DEPTH_MAX: u32 = 6;

/// How many names a list has: an event has to fit into a line, whatever an agent makes.
const NAMED_MAX: usize = 100;

/// The evidence of so many attempts is watched: what prompts point at, and what people look at.
const EVIDENCE_WATCHED: u64 = 4;

/// How names begin of what was set aside. It is worth a look, and no memory.
const SET_ASIDE: [&str; 5] = ["torn-", "foreign-", "tx.broken-", "backlog-found-", "found-"];

/// How much of an entry is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// Its content, which is put back.
    Content,
    /// Entries that come and go; its owner watches what is in them.
    Listing,
    /// Nothing: it changes while a stage runs, or its owner watches it better.
    Nothing,
}

/// The top of the state directory, entry by entry.
fn watch(name: &str) -> Watch {
    match name {
        "events.jsonl" | "lock" | "debug.log" | "stop" | "reserve" => Watch::Nothing,
        "objects" | "evidence" | "reports" => Watch::Listing,
        _ if SET_ASIDE.iter().any(|prefix| name.starts_with(prefix)) => Watch::Listing,
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
        let (stamps, _) = self.look(attempt_dir)?;
        self.stamps = stamps;
        let mut known = std::mem::take(&mut self.contents);
        let mut room = KEPT_TOTAL_MAX;
        let files = self.stamps.iter().filter(|(path, stamp)| {
            stamp.is_file() && stamp.size <= KEPT_BYTES_MAX && !self.is_watched_only(path)
        });
        // Where memory is short, what steers the loop goes before what tells about it.
        let evidence = self.root.join("evidence");
        let (told, own): (Vec<_>, Vec<_>) =
            files.partition(|(path, _)| path.starts_with(&evidence));
        for (path, stamp) in own.into_iter().chain(told) {
            if stamp.size > room {
                continue;
            }
            let bytes = match known.remove(path).filter(|(old, _)| old == stamp) {
                Some((_, bytes)) => bytes,
                None => files::read_bounded(path, KEPT_BYTES_MAX)?,
            };
            room = room.saturating_sub(bytes.len() as u64);
            self.contents.insert(path.clone(), (*stamp, bytes));
        }
        Ok(())
    }

    /// The transaction is made again from memory by its owner.
    fn is_watched_only(&self, path: &Path) -> bool {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        let top = inside.iter().next().unwrap_or_default().to_string_lossy();
        top == "tx" || watch(&top) == Watch::Listing && top != "evidence"
    }

    /// Puts back what changed, and names it.
    pub(super) fn restore(&self, attempt_dir: &Path) -> Result<Vec<String>, WorldError> {
        let mut changed = self.put_back_directories()?;
        let now = loop {
            let (now, is_cut) = self.look(attempt_dir)?;
            let before = changed.len();
            for path in now.keys().filter(|path| !self.stamps.contains_key(*path)) {
                changed.push(self.name(path));
                files::clear(path)?;
            }
            // What is beyond what can be seen at once is seen when the rest has gone.
            if !is_cut || changed.len() == before {
                break now;
            }
            changed.truncate(NAMED_MAX);
        };
        for (path, stamp) in &self.stamps {
            if now.get(path) == Some(stamp) {
                continue;
            }
            if let Some((_, bytes)) = self.contents.get(path) {
                self.put_back_file(path, stamp, bytes)?;
                changed.push(self.name(path));
            } else if !self.is_explained(path, &now) {
                changed.push(self.name(path));
            }
        }
        // Its owner has to hear of the transaction, however much else there is.
        changed.sort_by(|a, b| (!is_of_tx(a), a).cmp(&(!is_of_tx(b), b)));
        changed.dedup();
        changed.truncate(NAMED_MAX);
        Ok(changed)
    }

    /// Directories of ours that are gone, have become something else, or are closed to us.
    fn put_back_directories(&self) -> Result<Vec<String>, WorldError> {
        let mut changed = vec![];
        for (path, stamp) in self.stamps.iter().filter(|(_, stamp)| stamp.is_dir()) {
            let now = Stamp::of(path).map_err(WorldError::io("look at", path))?;
            if !now.is_some_and(|now| now.is_dir()) {
                files::clear(path)?;
                files::create_dir(path)?;
            } else if now.is_some_and(|now| now.mode == stamp.mode) {
                continue;
            }
            let mode = Permissions::from_mode(stamp.permissions());
            fs::set_permissions(path, mode).map_err(WorldError::io("set the mode of", path))?;
            changed.push(self.name(path));
        }
        Ok(changed)
    }

    fn put_back_file(&self, path: &Path, stamp: &Stamp, bytes: &[u8]) -> Result<(), WorldError> {
        let now = Stamp::of(path).map_err(WorldError::io("look at", path))?;
        let is_same = now.is_some_and(|now| now.mode == stamp.mode)
            && files::read_bounded(path, KEPT_BYTES_MAX).is_ok_and(|now| now == *bytes);
        if is_same {
            return Ok(());
        }
        files::clear(path)?;
        Ok(files::write_atomic(path, bytes, stamp.permissions())?)
    }

    /// A directory changes its times when an entry that is named anyway comes or goes.
    fn is_explained(&self, path: &Path, now: &BTreeMap<PathBuf, Stamp>) -> bool {
        let still_dir = now.get(path).is_some_and(Stamp::is_dir);
        let inside = |paths: &BTreeMap<PathBuf, Stamp>| -> Vec<PathBuf> {
            paths.keys().filter(|entry| entry.parent() == Some(path)).cloned().collect()
        };
        // What comes and goes at the top while a stage runs is watched by others.
        still_dir && (path == self.root || inside(now) != inside(&self.stamps))
    }

    fn name(&self, path: &Path) -> String {
        match path.strip_prefix(&self.root) {
            Ok(inside) if inside.as_os_str().is_empty() => "the state directory".to_owned(),
            Ok(inside) => inside.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }

    /// Everything that is watched, and whether there is more than can be.
    fn look(&self, attempt_dir: &Path) -> Result<(BTreeMap<PathBuf, Stamp>, bool), WorldError> {
        let mut look = Look { stamps: BTreeMap::new(), is_cut: false };
        look.at(&self.root)?;
        for entry in look.list(&self.root)? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match watch(&name) {
                Watch::Nothing => {}
                Watch::Listing => drop(look.at(&entry)?),
                Watch::Content => look.tree(&entry, DEPTH_MAX)?,
            }
        }
        for dir in recent(attempt_dir) {
            look.tree(&dir, DEPTH_MAX)?;
        }
        Ok((look.stamps, look.is_cut))
    }
}

/// Whether a name that [`Guard::restore`] returns belongs to the transaction.
pub(super) fn is_of_tx(name: &str) -> bool {
    name == "tx" || name.starts_with("tx/")
}

/// The folders of this attempt and of the ones before it.
fn recent(attempt_dir: &Path) -> Vec<PathBuf> {
    let name = attempt_dir.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| name.strip_prefix("loop-")?.parse::<u64>().ok());
    let Some(number) = number else { return vec![attempt_dir.to_owned()] };
    // The next one is watched too: nobody is to wait there.
    let numbers = number.saturating_sub(EVIDENCE_WATCHED)..=number + 1;
    numbers.map(|number| attempt_dir.with_file_name(format!("loop-{number}"))).collect()
}

/// One pass over the state directory.
struct Look {
    stamps: BTreeMap<PathBuf, Stamp>,
    is_cut: bool,
}

impl Look {
    fn at(&mut self, path: &Path) -> Result<Option<Stamp>, WorldError> {
        let stamp = Stamp::of(path).map_err(WorldError::io("look at", path))?;
        if let Some(stamp) = stamp {
            self.stamps.insert(path.to_owned(), stamp);
        }
        Ok(stamp)
    }

    fn tree(&mut self, path: &Path, depth: u32) -> Result<(), WorldError> {
        let is_dir = self.at(path)?.is_some_and(|stamp| stamp.is_dir());
        if is_dir && depth > 0 {
            for entry in self.list(path)? {
                self.tree(&entry, depth - 1)?;
            }
        }
        Ok(())
    }

    /// Entries of a directory; one that is not there, or is none, has none.
    fn list(&mut self, dir: &Path) -> Result<Vec<PathBuf>, WorldError> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(vec![]),
            Err(error) => return Err(WorldError::io("list", dir)(error)),
        };
        let room = ENTRIES_MAX.saturating_sub(self.stamps.len());
        let mut paths = vec![];
        for entry in entries {
            if paths.len() >= room {
                self.is_cut = true;
                break;
            }
            paths.push(entry.map_err(WorldError::io("list", dir))?.path());
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    struct State {
        dir: tempfile::TempDir,
        guard: Guard,
    }

    const FILES: [&str; 6] = [
        "config.toml",
        "prompts/planner.md",
        "prompts/deep/one.md",
        "evidence/loop-2/plan.md",
        "evidence/loop-3/plan.md",
        "events.jsonl",
    ];

    impl State {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for name in ["objects", "tx", "evidence/loop-2", "evidence/loop-3", "prompts/deep"] {
                fs::create_dir_all(dir.path().join(name)).unwrap();
            }
            for name in FILES {
                fs::write(dir.path().join(name), name).unwrap();
            }
            let mut guard = Guard::new(dir.path());
            guard.capture(&dir.path().join("evidence/loop-3")).unwrap();
            Self { dir, guard }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn changed(&self) -> Vec<String> {
            self.guard.restore(&self.path("evidence/loop-3")).unwrap()
        }

        fn is_whole(&self) {
            for name in FILES.iter().filter(|name| **name != "events.jsonl") {
                assert_eq!(fs::read_to_string(self.path(name)).unwrap(), *name);
            }
            assert_eq!(self.changed(), self.changed(), "it is as it stays");
        }
    }

    #[test]
    fn nothing_changed() {
        let state = State::new();
        fs::write(state.path("events.jsonl"), "more").unwrap();
        fs::write(state.path("stop"), "").unwrap();
        assert_eq!(state.changed(), [""; 0]);
    }

    /// Proves I14.
    #[test]
    fn what_a_stage_changes_in_the_state_directory_is_put_back() {
        let state = State::new();
        fs::write(state.path("config.toml"), "evil").unwrap();
        fs::remove_file(state.path("prompts/planner.md")).unwrap();
        fs::remove_file(state.path("evidence/loop-3/plan.md")).unwrap();
        fs::create_dir(state.path("evidence/loop-3/plan.md")).unwrap();
        fs::write(state.path("new"), "").unwrap();
        fs::write(state.path("objects/forged"), "").unwrap();
        let changed = state.changed();
        for name in
            ["config.toml", "evidence/loop-3/plan.md", "new", "objects", "prompts/planner.md"]
        {
            assert!(changed.iter().any(|changed| changed == name), "{name} is not in {changed:?}");
        }
        assert!(!changed.iter().any(|name| name.contains("loop-2")), "{changed:?}");
        state.is_whole();
        assert!(!state.path("new").exists());
    }

    #[rstest]
    #[case::in_a_deep_place(|root: &Path| fs::write(root.join("prompts/deep/one.md"), "evil").unwrap(), "prompts/deep/one.md")]
    #[case::in_an_earlier_attempt(|root: &Path| fs::write(root.join("evidence/loop-2/plan.md"), "evil").unwrap(), "evidence/loop-2/plan.md")]
    #[case::a_directory_gone(|root: &Path| fs::remove_dir_all(root.join("prompts")).unwrap(), "prompts")]
    #[case::a_directory_that_is_a_link(|root: &Path| {
        fs::rename(root.join("evidence"), root.join("x")).unwrap();
        std::os::unix::fs::symlink("x", root.join("evidence")).unwrap();
    }, "evidence")]
    #[case::everything_gone(|root: &Path| fs::remove_dir_all(root).unwrap(), "the state directory")]
    #[case::a_file_in_its_place(|root: &Path| {
        fs::remove_dir_all(root).unwrap();
        fs::write(root, "").unwrap();
    }, "the state directory")]
    #[case::closed(|root: &Path| fs::set_permissions(root, Permissions::from_mode(0o0)).unwrap(), "the state directory")]
    #[case::more_than_can_be_seen(|root: &Path| {
        for number in 0..ENTRIES_MAX + 100 {
            fs::create_dir(root.join(format!("n{number}"))).unwrap();
        }
        fs::write(root.join("config.toml"), "evil").unwrap();
    }, "config.toml")]
    fn whatever_is_done_to_it(#[case] harm: fn(&Path), #[case] named: &str) {
        let state = State::new();
        harm(state.dir.path());
        let changed = state.changed();
        assert!(changed.iter().any(|name| name == named), "{changed:?}");
        assert!(changed.len() <= NAMED_MAX);
        state.is_whole();
        assert!(fs::read_dir(state.dir.path()).unwrap().count() < 10);
    }

    #[test]
    fn a_change_of_the_transaction_is_named_among_any_number_of_others() {
        let mut state = State::new();
        fs::write(state.path("tx/db"), "").unwrap();
        state.guard.capture(&state.path("evidence/loop-3")).unwrap();
        for number in 0..2 * NAMED_MAX {
            fs::write(state.path(&format!("n{number}")), "").unwrap();
        }
        fs::write(state.path("tx/db"), "evil").unwrap();
        let changed = state.changed();
        assert!(changed.iter().any(|name| name == "tx/db") && changed.len() == NAMED_MAX);
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
