//! What a power cut leaves of files that were written and not flushed.
//!
//! The model is that of ext4: names are kept, and what was not flushed of a file's content is lost,
//! whoever wrote it. The content of a file that was never flushed is nothing.
//! `sync_file_range` flushes nothing that counts.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::calls::Call;

/// A file, whatever its name. A file that was made later can have the same number.
type Id = (u64, u64, Option<SystemTime>);

/// The content of every file as the device holds it.
#[derive(Clone, Debug)]
pub(super) struct Device {
    place: PathBuf,
    flushed: BTreeMap<Id, Vec<u8>>,
}

impl Device {
    /// Everything below `place` is on the device.
    pub(super) fn holding(place: &Path) -> Self {
        let mut device = Self { place: place.to_owned(), flushed: BTreeMap::new() };
        device.flush_all();
        device
    }

    fn flush_all(&mut self) {
        let all = files(&self.place);
        let read = |(path, id): (PathBuf, Id)| Some((id, fs::read(path).ok()?));
        self.flushed.extend(all.into_iter().filter_map(read));
    }

    /// A call that flushes has succeeded.
    pub(super) fn flush(&mut self, call: &Call) {
        if !call.is_barrier() {
            return;
        }
        if call.is_of_everything() {
            return self.flush_all();
        }
        let open = call.open.as_ref().expect("only what is open is flushed");
        let metadata = fs::metadata(open).expect("it is open");
        if metadata.is_file() {
            self.flushed.insert(id(&metadata), fs::read(open).expect("it is open"));
        }
    }

    /// How much of a file the device holds.
    pub(super) fn content(&self, path: &Path) -> &[u8] {
        let metadata = fs::metadata(path).expect("it is there");
        self.flushed.get(&id(&metadata)).map_or(&[], Vec::as_slice)
    }

    /// The power goes: whatever was not flushed is lost. Returns what lost something.
    pub(super) fn lose_power(&self) -> Vec<PathBuf> {
        let mut lost = vec![];
        for (path, id) in files(&self.place) {
            let held = self.flushed.get(&id).map_or(&[][..], Vec::as_slice);
            if fs::read(&path).expect("it was listed") != held {
                overwrite(&path, held);
                lost.push(path);
            }
        }
        lost
    }
}

/// Puts other content into the same file, with the same permissions.
pub(super) fn overwrite(path: &Path, content: &[u8]) {
    // Root may write what is read-only, others may not.
    let permissions = fs::metadata(path).expect("it is there").permissions();
    let mut writable = permissions.clone();
    std::os::unix::fs::PermissionsExt::set_mode(&mut writable, 0o600);
    fs::set_permissions(path, writable).expect("it is ours");
    fs::write(path, content).expect("it is writable");
    fs::set_permissions(path, permissions).expect("it is ours");
}

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino(), metadata.created().ok())
}

/// Every regular file of the place but what the program printed.
fn files(place: &Path) -> Vec<(PathBuf, Id)> {
    let mut found = vec![];
    let mut open = vec![place.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("it is readable") {
            let entry = entry.expect("it is readable");
            let path = entry.path();
            // What an agent removes at this moment is not there.
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() && path != place.join("output") {
                open.push(path);
            } else if metadata.is_file() {
                found.push((path, id(&metadata)));
            }
        }
    }
    found
}
