//! The part of a work tree in memory that the readers name.

pub(super) type Name = Box<[u8]>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    pub(super) ctime_ns: i64,
    pub(super) ino: u64,
    pub(super) dev: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

pub(super) fn join(path: &mut Vec<u8>, name: &[u8]) -> usize {
    let length = path.len();
    if length > 0 {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    length
}
