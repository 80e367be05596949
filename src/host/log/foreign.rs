//! A LoopDex log in the place of ours is set aside, once, and its evidence with it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::{Fault, LogError};
use crate::engine::line::LINE_MAX;
use crate::host::files::{self, FileError};

/// What a LoopDex log is called from then on.
const ASIDE: &str = "events.loopdex.jsonl";

/// The members that tell the two formats apart.
#[derive(Deserialize)]
struct Shape {
    timestamp: Option<IgnoredAny>,
    v: Option<IgnoredAny>,
    h: Option<IgnoredAny>,
}

/// The evidence of LoopDex, whose attempts have numbers of their own, and its name from then on.
const EVIDENCE: [&str; 2] = ["evidence", "evidence.loopdex"];

/// Whether a line is one that LoopDex writes.
pub(super) fn is_foreign(line: &[u8]) -> bool {
    shape(line).is_some_and(|shape| shape.timestamp.is_some() && !shape.is_ours())
}

fn shape(line: &[u8]) -> Option<Shape> {
    serde_json::from_slice(line).ok()
}

impl Shape {
    fn is_ours(&self) -> bool {
        self.v.is_some() && self.h.is_some()
    }
}

/// Renames a LoopDex log to `events.loopdex.jsonl` beside it and returns that path; `None` where
/// the log is ours, empty or missing. Nothing is ever overwritten; so that our evidence does not
/// overwrite its, that goes to `evidence.loopdex`.
///
/// # Errors
/// The name is taken, the system refuses, or lines of ours follow a first line that is not: then
/// somebody changed our log, and setting it aside would hide that.
pub fn set_aside_foreign_log(path: &Path) -> Result<Option<PathBuf>, LogError> {
    if !begins_foreign(path)? {
        return Ok(None);
    }
    let dir = files::parent_of(path);
    let taken = dir.join(ASIDE);
    if taken.symlink_metadata().is_ok() {
        return Err(LogError::AsideTaken { path: path.to_owned(), taken });
    }
    // The log goes last: as long as it is there, the next run knows that this is not finished.
    let [evidence, aside] = EVIDENCE.map(|name| dir.join(name));
    if evidence.symlink_metadata().is_ok() {
        rename(&evidence, &aside)?;
    }
    rename(path, &taken)?;
    files::sync_dir(dir)?;
    Ok(Some(taken))
}

fn rename(path: &Path, taken: &Path) -> Result<(), LogError> {
    match renameat_with(CWD, path, CWD, taken, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => {
            Err(LogError::AsideTaken { path: path.to_owned(), taken: taken.to_owned() })
        }
        Err(errno) => Err(FileError::io("set aside", path, errno.into()).into()),
    }
}

/// Whether the first line is foreign, and none of the others is ours.
fn begins_foreign(path: &Path) -> Result<bool, LogError> {
    let file = match files::open_read(path) {
        Ok(file) => file,
        Err(error) if error.is_missing() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let mut input = BufReader::new(file);
    let mut line = Vec::new();
    for number in 0.. {
        line.clear();
        let bytes = (&mut input)
            .take(LINE_MAX as u64)
            .read_until(b'\n', &mut line)
            .map_err(|source| FileError::io("read", path, source))?;
        if number == 0 && !is_foreign(line.trim_ascii_end()) {
            return Ok(false);
        }
        if bytes == 0 {
            break;
        }
        if line.contains(&b'{') && shape(line.trim_ascii_end()).is_some_and(|s| s.is_ours()) {
            let (path, fault) = (path.to_owned(), Fault::Foreign);
            return Err(LogError::Damaged { path, line: 1, offset: 0, fault });
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LOOPDEX: &str = "{\"timestamp\": \"2026-01-01T00:00:00Z\", \"event\": \"run_start\"}\n";

    #[test]
    fn a_loopdex_log_is_set_aside_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        assert_eq!(set_aside_foreign_log(&path).unwrap(), None);
        fs::write(&path, LOOPDEX.repeat(2)).unwrap();
        let aside = set_aside_foreign_log(&path).unwrap().unwrap();
        assert_eq!(aside, dir.path().join("events.loopdex.jsonl"));
        assert_eq!(fs::read_to_string(&aside).unwrap(), LOOPDEX.repeat(2));
        assert!(!path.exists());

        fs::create_dir(dir.path().join("evidence")).unwrap();
        fs::write(&path, LOOPDEX).unwrap();
        assert!(matches!(set_aside_foreign_log(&path), Err(LogError::AsideTaken { .. })));
        assert_eq!(fs::read_to_string(&aside).unwrap(), LOOPDEX.repeat(2));
        assert_eq!(fs::read_to_string(&path).unwrap(), LOOPDEX);
        assert!(dir.path().join("evidence").exists());
    }

    #[test]
    fn evidence_goes_with_its_log_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, evidence) = (dir.path().join("events.jsonl"), dir.path().join("evidence"));
        let aside = dir.path().join("evidence.loopdex");
        fs::write(&path, LOOPDEX).unwrap();
        fs::create_dir(&evidence).unwrap();
        fs::create_dir(&aside).unwrap();
        assert!(matches!(set_aside_foreign_log(&path), Err(LogError::AsideTaken { .. })));
        assert!(path.exists() && evidence.exists());

        fs::remove_dir(&aside).unwrap();
        fs::write(evidence.join("plan.md"), "plan").unwrap();
        set_aside_foreign_log(&path).unwrap().unwrap();
        assert!(!evidence.exists());
        assert_eq!(fs::read_to_string(aside.join("plan.md")).unwrap(), "plan");
    }

    #[test]
    fn other_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        for text in ["", "\n", "not json\n", "{\"v\":1,\"timestamp\":2,\"h\":\"\"}\n", "{}\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(set_aside_foreign_log(&path).unwrap(), None, "{text:?}");
        }
    }

    #[test]
    fn a_forged_first_line_does_not_hide_a_log_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        fs::write(&path, format!("{LOOPDEX}{{\"v\":1,\"h\":\"00\"}}\n")).unwrap();
        assert!(matches!(set_aside_foreign_log(&path), Err(LogError::Damaged { line: 1, .. })));
        assert!(path.exists());
    }
}
