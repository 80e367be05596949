//! The index file: read whole, checked, and written whole.
//!
//! libgit2 takes the lock only when it writes, and never flushes the file. Here the new index is
//! complete and flushed under its lock before a branch moves, so that all that is left to do
//! afterwards is a rename.

use sha1::{Digest as _, Sha1};

use super::mirror::Stamp;
use super::oid::{Entry, Oid};
use crate::engine::id::RepoPath;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) path: Box<[u8]>,
    pub(super) entry: Entry,
    /// Zero, or the side of a conflict.
    pub(super) stage: u8,
    pub(super) flags: Flags,
    pub(super) stat: Stat,
}

/// Flags people and tools set to hide changes, or to announce a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) assume_valid: bool,
    pub(super) skip_worktree: bool,
    pub(super) intent_to_add: bool,
}

/// What the index remembers about the file on disk, cut to 32 bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    ctime: [u32; 2],
    mtime: [u32; 2],
    dev: u32,
    ino: u32,
    uid: u32,
    gid: u32,
    size: u32,
}

/// Why an index cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Damaged(&'static str),
    Unsupported(&'static str),
}

/// A whole index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) entries: Vec<IndexEntry>,
}

impl IndexEntry {
    pub(super) fn new(path: &[u8], entry: Entry, stat: Stat) -> Self {
        Self { path: path.into(), entry, stage: 0, flags: Flags::default(), stat }
    }

    /// Whether both say the same about the next commit and about what git looks at.
    fn same(&self, other: &Self) -> bool {
        self.path == other.path
            && self.entry == other.entry
            && self.stage == other.stage
            && self.flags == other.flags
    }
}

impl From<&Stamp> for Stat {
    fn from(stamp: &Stamp) -> Self {
        let time = |ns: i64| {
            let seconds = ns.div_euclid(1_000_000_000) & 0xffff_ffff;
            [seconds, ns.rem_euclid(1_000_000_000)].map(|part| u32::try_from(part).unwrap_or(0))
        };
        Self {
            ctime: time(stamp.ctime_ns),
            mtime: time(stamp.mtime_ns),
            dev: low(stamp.dev),
            ino: low(stamp.ino),
            uid: stamp.uid,
            gid: stamp.gid,
            size: low(stamp.size),
        }
    }
}

impl Stat {
    /// Whether the file looks as it did then. The device does not count: git does not compare it,
    /// and libraries write something else there.
    pub(super) fn vouches_for(&self, stamp: &Stamp) -> bool {
        let now = Self::from(stamp);
        Self { dev: now.dev, ..*self } == now
    }
}

fn low(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or(0)
}

impl Index {
    /// Reads an index of version 2, 3 or 4.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        const HEADER: usize = 12;
        const HASH: usize = 20;
        if bytes.len() < HEADER + HASH || !bytes.starts_with(b"DIRC") {
            return Err(Fault::Damaged("it is cut off or is no index"));
        }
        let (body, hash) = bytes.split_at(bytes.len() - HASH);
        // All zeros mean that index.skipHash is on.
        if hash != [0; HASH] && Sha1::digest(body).as_slice() != hash {
            return Err(Fault::Damaged("its checksum is wrong"));
        }
        let mut reader = Reader { rest: &body[4..] };
        let version = reader.number().ok_or(Fault::Damaged("it is cut off"))?;
        if !(2..=4).contains(&version) {
            return Err(Fault::Damaged("its version is unknown"));
        }
        let count = reader.number().ok_or(Fault::Damaged("it is cut off"))?;
        let mut entries: Vec<IndexEntry> =
            Vec::with_capacity(body.len().min(count as usize * 62) / 62);
        for _ in 0..count {
            let previous = entries.last().map_or(&b""[..], |entry| &entry.path);
            let entry =
                reader.entry(version, previous).ok_or(Fault::Damaged("an entry is cut off"))?;
            entries.push(entry);
        }
        reader.extensions()?;
        // Whoever writes this file may be an agent, and what follows trusts its paths.
        if entries.iter().any(|entry| RepoPath::new(&*entry.path).is_err()) {
            return Err(Fault::Damaged("an entry leads out of the work tree"));
        }
        let ordered = entries
            .windows(2)
            .all(|pair| (&pair[0].path, pair[0].stage) < (&pair[1].path, pair[1].stage));
        if ordered {
            Ok(Self { entries })
        } else {
            Err(Fault::Damaged("its entries are out of order"))
        }
    }

    /// The bytes of the file. Caches that git can rebuild are left out.
    pub(super) fn encode(&self) -> Vec<u8> {
        let extended = |entry: &IndexEntry| entry.flags.skip_worktree || entry.flags.intent_to_add;
        let version: u32 = if self.entries.iter().any(extended) { 3 } else { 2 };
        let count =
            u32::try_from(self.entries.len()).expect("an index holds fewer than 2^32 paths");
        let mut bytes = Vec::with_capacity(self.entries.len() * 100);
        bytes.extend_from_slice(b"DIRC");
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        for entry in &self.entries {
            entry.encode(&mut bytes, extended(entry));
        }
        let hash = Sha1::digest(&bytes);
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Whether both say the same about the next commit and about what git looks at. What they
    /// remember about files on disk does not count: every `git status` refreshes it.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(|(one, two)| one.same(two))
    }

    /// The first path with a conflict.
    pub(super) fn unmerged(&self) -> Option<&[u8]> {
        self.entries.iter().find(|entry| entry.stage != 0).map(|entry| &*entry.path)
    }

    /// Replaces or adds an entry, together with everything that cannot stand beside it.
    pub(super) fn set(&mut self, new: IndexEntry) {
        self.remove(&new.path);
        let below = [&*new.path, b"/"].concat();
        let first = self.entries.partition_point(|entry| *entry.path < *below);
        let count =
            self.entries[first..].iter().take_while(|entry| entry.path.starts_with(&below)).count();
        self.entries.drain(first..first + count);
        let slashes = new.path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for above in slashes.map(|(slash, _)| &new.path[..slash]) {
            self.remove(above);
        }
        let place = self.entries.partition_point(|entry| entry.path < new.path);
        self.entries.insert(place, new);
    }

    /// Removes a path in all its stages.
    pub(super) fn remove(&mut self, path: &[u8]) {
        let first = self.entries.partition_point(|entry| *entry.path < *path);
        let count = self.entries[first..].iter().take_while(|entry| *entry.path == *path).count();
        self.entries.drain(first..first + count);
    }
}

impl IndexEntry {
    fn encode(&self, bytes: &mut Vec<u8>, extended: bool) {
        let start = bytes.len();
        let stat = &self.stat;
        let numbers = [
            stat.ctime[0],
            stat.ctime[1],
            stat.mtime[0],
            stat.mtime[1],
            stat.dev,
            stat.ino,
            self.entry.mode,
            stat.uid,
            stat.gid,
            stat.size,
        ];
        bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        bytes.extend_from_slice(&self.entry.oid.0);
        let length = u16::try_from(self.path.len()).unwrap_or(u16::MAX).min(0xfff);
        let flags = length
            | (u16::from(self.stage) << 12)
            | (u16::from(extended) << 14)
            | (u16::from(self.flags.assume_valid) << 15);
        bytes.extend_from_slice(&flags.to_be_bytes());
        if extended {
            let more = (u16::from(self.flags.intent_to_add) << 13)
                | (u16::from(self.flags.skip_worktree) << 14);
            bytes.extend_from_slice(&more.to_be_bytes());
        }
        bytes.extend_from_slice(&self.path);
        // One to eight NULs, up to a multiple of eight.
        let padding = 8 - (bytes.len() - start) % 8;
        bytes.resize(bytes.len() + padding, 0);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn short(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn entry(&mut self, version: u32, previous: &[u8]) -> Option<IndexEntry> {
        let before = self.rest.len();
        let ctime = [self.number()?, self.number()?];
        let mtime = [self.number()?, self.number()?];
        let (dev, ino, mode) = (self.number()?, self.number()?, self.number()?);
        let (uid, gid, size) = (self.number()?, self.number()?, self.number()?);
        let oid = Oid(self.take(20)?.try_into().ok()?);
        let flags = self.short()?;
        let more = if flags & 0x4000 == 0 { 0 } else { self.short()? };
        let path = self.path(version, previous)?;
        if version < 4 {
            let length = before - self.rest.len();
            self.take(length.next_multiple_of(8) - length)?;
        }
        Some(IndexEntry {
            path,
            entry: Entry { mode, oid },
            stage: u8::try_from((flags >> 12) & 3).ok()?,
            flags: Flags {
                assume_valid: flags & 0x8000 != 0,
                skip_worktree: more & 0x4000 != 0,
                intent_to_add: more & 0x2000 != 0,
            },
            stat: Stat { ctime, mtime, dev, ino, uid, gid, size },
        })
    }

    /// Reads up to and with the first NUL.
    fn path(&mut self, version: u32, previous: &[u8]) -> Option<Box<[u8]>> {
        let kept = if version == 4 {
            let cut = self.variable_number()?;
            &previous[..previous.len().checked_sub(cut)?]
        } else {
            &[]
        };
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let path = [kept, self.take(end)?].concat();
        self.take(1)?;
        Some(path.into())
    }

    fn variable_number(&mut self) -> Option<usize> {
        let mut byte = self.take(1)?[0];
        let mut number = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.take(1)?[0];
            number = number.checked_add(1)?.checked_mul(128)? + usize::from(byte & 0x7f);
        }
        Some(number)
    }

    /// Extensions in capitals may be ignored by those who do not know them; the others change what
    /// the entries mean.
    fn extensions(mut self) -> Result<(), Fault> {
        while !self.rest.is_empty() {
            let cut = Fault::Damaged("an extension is cut off");
            let name = self.take(4).ok_or(cut)?;
            let length = self.number().ok_or(cut)?;
            self.take(length as usize).ok_or(cut)?;
            match name {
                b"link" => return Err(Fault::Unsupported("a split index")),
                b"sdir" => return Err(Fault::Unsupported("a sparse index")),
                _ if !name[0].is_ascii_uppercase() => {
                    return Err(Fault::Unsupported("an unknown extension of the index"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_leads_out_of_the_work_tree_is_damage() {
        for (path, is_good) in
            [("a/b", true), ("../b", false), ("/b", false), ("a//b", false), ("", false)]
        {
            let entry = Entry { mode: 0o100_644, oid: Oid::EMPTY_TREE };
            let entries = vec![IndexEntry::new(path.as_bytes(), entry, Stat::default())];
            let read = Index::parse(&Index { entries }.encode());
            assert_eq!(read.is_ok(), is_good, "{path}");
        }
    }
}
