//! Lists the refs from their files.
//!
//! libgit2 leaves out a ref that it fails to read, or shows an older value of it. A ref that is
//! missing from a list for that reason would be taken for one that an agent made or deleted.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::content::as_path;
use super::disk::{self, absent};
use super::error::GitError;
use super::mirror::join;
use super::object::Target;
use super::oid::Oid;

const PACKED_BYTES_MAX: u64 = 1 << 30;
const LOOSE_BYTES_MAX: u64 = 4096;
const DEPTH_MAX: usize = 64;

/// Every ref with a name that is text and a value that makes sense.
pub(super) fn list(common: &Path) -> Result<BTreeMap<String, Target>, GitError> {
    let mut loose = Loose { top: common.to_owned(), found: BTreeMap::new() };
    let top = common.join("refs");
    let fd = absent(disk::open_root(&top)).map_err(|error| GitError::io("open", &top, error))?;
    if let Some(fd) = fd {
        loose.directory(&fd, &mut b"refs".to_vec(), 0)?;
    }
    // Packed refs come second: a ref that is packed in between is then found there.
    let mut refs = packed(common)?;
    for (name, target) in loose.found {
        match target {
            Some(target) => drop(refs.insert(name, target)),
            None => drop(refs.remove(&name)),
        }
    }
    Ok(refs)
}

fn packed(common: &Path) -> Result<BTreeMap<String, Target>, GitError> {
    let failed = |error: std::io::Error| GitError::io("read", common.join("packed-refs"), error);
    let top = disk::open_root(common).map_err(|error| failed(error.into()))?;
    let bytes = disk::read_small(&top, b"packed-refs", PACKED_BYTES_MAX).map_err(failed)?;
    let mut refs = BTreeMap::new();
    for line in bytes.unwrap_or_default().split(|byte| *byte == b'\n') {
        let Some((oid, name)) =
            std::str::from_utf8(line).ok().and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        if let Some(oid) = Oid::from_hex(oid) {
            refs.insert(name.to_owned(), Target::Direct(oid));
        }
    }
    Ok(refs)
}

struct Loose {
    top: PathBuf,
    /// Nothing for files that do not read as a ref: they hide a packed one.
    found: BTreeMap<String, Option<Target>>,
}

impl Loose {
    fn directory(
        &mut self,
        fd: &OwnedFd,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), GitError> {
        let top = self.top.clone();
        let failed = |path: &[u8], error: std::io::Error| {
            GitError::io("read", top.join(as_path(path)), error)
        };
        if depth == DEPTH_MAX {
            return Ok(());
        }
        let names = disk::list(fd.as_fd()).map_err(|error| failed(path, error.into()))?;
        for (name, kind) in names {
            let length = join(path, &name);
            if kind == FileType::Directory {
                let below = absent(disk::open_dir(fd, &name));
                if let Some(below) = below.map_err(|error| failed(path, error.into()))? {
                    self.directory(&below, path, depth + 1)?;
                }
            } else if !name.ends_with(b".lock") {
                let bytes = disk::read_small(fd, &name, LOOSE_BYTES_MAX)
                    .map_err(|error| failed(path, error))?;
                if let Ok(name) = std::str::from_utf8(path) {
                    self.found.insert(name.to_owned(), bytes.as_deref().and_then(value));
                }
            }
            path.truncate(length);
        }
        Ok(())
    }
}

fn value(bytes: &[u8]) -> Option<Target> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end();
    match text.strip_prefix("ref:") {
        Some(name) => Some(Target::Symbolic(name.trim_start().to_owned())),
        None => Oid::from_hex(text).map(Target::Direct),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    #[test]
    fn a_loose_ref_hides_a_packed_one() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let packed = ["a", "b", "c"].map(|name| format!("{ONE} refs/heads/{name}\n")).concat();
        write("packed-refs", &format!("# pack-refs with: peeled\n{packed}^{TWO}\n"));
        write("refs/heads/b", &format!("{TWO}\n"));
        write("refs/heads/c", "junk");
        write("refs/heads/d.lock", TWO);
        write("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/a\n");
        let refs = list(dir.path()).unwrap();
        let shown: Vec<_> = refs.iter().map(|(name, target)| format!("{name} {target}")).collect();
        let head = "refs/remotes/origin/HEAD refs/remotes/origin/a".to_owned();
        assert_eq!(shown, [format!("refs/heads/a {ONE}"), format!("refs/heads/b {TWO}"), head]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_a_missing_ref() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("refs"), "").unwrap();
        assert_eq!(list(dir.path()).unwrap(), BTreeMap::new());
        assert!(list(&dir.path().join("missing")).is_err());
    }
}
