//! Where HEAD and the branches have been, and by what.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::error::GitError;
use super::oid::Oid;
use crate::host::files::{self, FileError};

/// How much of the end of a reflog is read, in bytes: some fifty thousand moves.
const BYTES_MAX: u64 = 8 << 20;

/// One move of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) old: Oid,
    pub(super) new: Oid,
    pub(super) by: By,
}

impl Move {
    /// Whether it went to a commit that was made for it, and not to where a ref began.
    pub(super) fn made_a_commit(&self) -> bool {
        self.by == By::Commit && self.old != Oid([0; 20])
    }
}

/// What moved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A commit was made, or nobody says what it was.
    Commit,
    /// Commits came from somewhere else, or were copied.
    Import,
    /// It went to commits that were there.
    Step,
}

/// The moves of a reflog, the oldest first. A missing one has none, and what is no move is skipped.
pub(super) fn read(path: &Path) -> Result<Vec<Move>, GitError> {
    let failed = |error| GitError::io("read", path, error);
    let mut file = match files::open_read(path) {
        Ok(file) => file,
        Err(FileError::Io { source, .. }) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed(source));
        }
        Err(_) => return Ok(vec![]),
    };
    let length = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX))).map_err(failed)?;
    let mut bytes = vec![];
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<Move> {
    let text = String::from_utf8_lossy(line);
    let (facts, message) = text.split_once('\t').unwrap_or((&text, ""));
    let mut words = facts.split(' ');
    let (old, new) = (Oid::from_hex(words.next()?)?, Oid::from_hex(words.next()?)?);
    Some(Move { old, new, by: By::of(message) })
}

impl By {
    fn of(message: &str) -> Self {
        match message.split([':', ' ']).next().unwrap_or_default() {
            "clone" | "pull" | "merge" | "fetch" | "rebase" | "am" | "cherry-pick" | "revert" => {
                Self::Import
            }
            "checkout" | "reset" | "branch" | "Branch" => Self::Step,
            _ => Self::Commit,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ours("commit: Task 1: a", By::Commit)]
    #[case::amended("commit (amend): a", By::Commit)]
    #[case::by_plumbing("", By::Commit)]
    #[case::pulled("pull --ff-only: Fast-forward", By::Import)]
    #[case::fetched_and_merged("merge FETCH_HEAD: Fast-forward", By::Import)]
    #[case::rebased("rebase (pick): a", By::Import)]
    #[case::cloned("clone: from /somewhere", By::Import)]
    #[case::reset("reset: moving to HEAD~1", By::Step)]
    fn a_move_says_what_it_was(#[case] message: &str, #[case] want: By) {
        let (old, new) = ("1".repeat(40), "2".repeat(40));
        let line = format!("{old} {new} A B <a@b> 1795166102 +0000\t{message}");
        let found = parse(line.as_bytes()).unwrap();
        assert_eq!((found.old.to_string(), found.new.to_string(), found.by), (old, new, want));
    }

    #[test]
    fn a_reflog_that_is_none_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("missing")).unwrap(), []);
        assert_eq!(read(dir.path()).unwrap(), []);
        std::fs::write(dir.path().join("HEAD"), b"\xff\n\nno move\n").unwrap();
        assert_eq!(read(&dir.path().join("HEAD")).unwrap(), []);
    }
}
