//! One file that readers which want a path are given.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::PathBuf;

use tempfile::TempDir;

/// Files by number, below the directory for temporary ones.
pub(crate) struct Files {
    dir: TempDir,
}

thread_local! {
    static FILES: RefCell<Option<Files>> = const { RefCell::new(None) };
}

/// Writes bytes to a file and returns its path. The next call with the same name overwrites it.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    FILES.with_borrow_mut(|files| {
        let files = files.get_or_insert_with(|| Files {
            dir: tempfile::tempdir().expect("there is a place for temporary files"),
        });
        let path = files.dir.path().join(name);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .expect("a temporary file can be made");
        file.rewind().and_then(|()| file.write_all(bytes)).expect("there is space for it");
        file.set_len(bytes.len() as u64).expect("a file can be cut");
        path
    })
}
