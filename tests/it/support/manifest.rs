//! What lies in a work tree, byte for byte.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use looper::host::world::digest;

/// One file, link or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Permissions and the SHA-256 of the content.
    File(u32, String),
    Link(PathBuf),
    /// Listed only where it is empty; git does not know it, a rollback must not lose it.
    EmptyDir,
    /// A pipe, a socket, a device.
    Special,
}

/// Every path with what is there.
pub(crate) type Manifest = BTreeMap<OsString, Entry>;

/// Everything below `root` except the entries of `root` with these names.
pub(super) fn read(root: &Path, without: &[&str]) -> Manifest {
    let mut found = Manifest::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        let mut count = 0;
        for entry in fs::read_dir(&dir).expect("a directory of the project is readable") {
            let path = entry.expect("a directory of the project is readable").path();
            count += 1;
            let name = path.strip_prefix(root).expect("it lies below").as_os_str().to_owned();
            if without.iter().any(|skipped| name.as_bytes() == skipped.as_bytes()) {
                continue;
            }
            let meta = fs::symlink_metadata(&path).expect("it was listed");
            if meta.is_dir() {
                open.push(path);
            } else {
                found.insert(name, entry_of(&path, &meta));
            }
        }
        if count == 0 && dir != root {
            let name = dir.strip_prefix(root).expect("it lies below").as_os_str().to_owned();
            found.insert(name, Entry::EmptyDir);
        }
    }
    found
}

fn entry_of(path: &Path, meta: &fs::Metadata) -> Entry {
    if meta.is_symlink() {
        Entry::Link(fs::read_link(path).expect("it is a link"))
    } else if meta.is_file() {
        let bytes = fs::read(path).expect("a file of the project is readable");
        Entry::File(meta.mode() & 0o7777, digest(&bytes).to_string())
    } else {
        Entry::Special
    }
}
