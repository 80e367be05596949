//! Repositories inside the repository: looked at from outside, never touched.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha1::{Digest as _, Sha1};

use super::content::as_path;
use super::mirror::Nested;
use super::oid::Oid;
use super::repo::Repo;

/// Looks at a nested repository or an uninitialised submodule. `committed` is the commit that the
/// outer repository has for it. What cannot be read counts as a change, so that breaking a nested
/// repository hides nothing.
pub(super) fn look(path: &Path, committed: Option<Oid>) -> Nested {
    if !path.join(".git").exists() {
        return without_repository(path, committed);
    }
    let Ok(repo) = Repo::open(path) else {
        return Nested { head: None, changes: Some(digest([b"unreadable".as_slice()])) };
    };
    let head = repo.head().ok().and_then(|head| head.commit);
    let changes = match repo.status() {
        Ok(status) if status.is_empty() => None,
        Ok(status) => Some(digest(status.iter().map(|(name, state)| {
            let mut line = name.clone();
            line.extend_from_slice(&state.to_be_bytes());
            if let Ok(data) = path.join(as_path(name)).symlink_metadata() {
                line.extend_from_slice(&data.size().to_be_bytes());
                line.extend_from_slice(&data.mtime().to_be_bytes());
                line.extend_from_slice(&data.mtime_nsec().to_be_bytes());
            }
            line
        }))),
        Err(_) => Some(digest([b"unreadable".as_slice()])),
    };
    Nested { head, changes }
}

/// A submodule that was never initialised is an empty directory; git calls it unchanged.
fn without_repository(path: &Path, committed: Option<Oid>) -> Nested {
    let names = std::fs::read_dir(path).map(|entries| {
        let mut names: Vec<_> =
            entries.map(|entry| entry.map(|entry| entry.file_name()).unwrap_or_default()).collect();
        names.sort();
        names
    });
    let changes = match names {
        Ok(names) if names.is_empty() => None,
        Ok(names) => Some(digest(names.iter().map(|name| name.as_encoded_bytes().to_vec()))),
        Err(_) => Some(digest([b"unreadable".as_slice()])),
    };
    Nested { head: committed, changes }
}

fn digest(lines: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Oid {
    let mut hash = Sha1::new();
    for line in lines {
        hash.update(line.as_ref());
        hash.update([0]);
    }
    Oid(hash.finalize().into())
}
