//! Object names and file modes, as git writes them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::GitError;
use crate::engine::id::{CommitId, TreeId};

/// A SHA-1 object name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Oid(pub(super) [u8; 20]);

impl Oid {
    /// The tree without entries, which every repository has.
    pub(super) const EMPTY_TREE: Self = Self([
        0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92,
        0x88, 0xfb, 0xee, 0x49, 0x04,
    ]);

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 40 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(bytes))
    }

    /// Reads a name that comes from outside.
    pub(super) fn parse(text: &str) -> Result<Self, GitError> {
        Self::from_hex(text).ok_or_else(|| GitError::BadId { text: text.to_owned() })
    }

    pub(super) fn commit(self) -> CommitId {
        CommitId::new(self.to_string())
    }

    pub(super) fn tree(self) -> TreeId {
        TreeId::new(self.to_string())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("not an object name"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// File modes that git knows.
pub(super) mod mode {
    /// A file.
    pub(in crate::host::git) const FILE: u32 = 0o100_644;
    /// A file that can be run.
    pub(in crate::host::git) const EXEC: u32 = 0o100_755;
    /// A symbolic link.
    pub(in crate::host::git) const LINK: u32 = 0o120_000;
    /// A directory.
    pub(in crate::host::git) const TREE: u32 = 0o040_000;
    /// A commit of another repository.
    pub(in crate::host::git) const GITLINK: u32 = 0o160_000;

    /// The bits that tell file, link, directory and gitlink apart.
    pub(in crate::host::git) fn kind(mode: u32) -> u32 {
        mode & 0o170_000
    }
}

/// What a tree or an index says about one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: u32,
    pub(super) oid: Oid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_name_survives_text() {
        let text = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(Oid::from_hex(text), Some(Oid::EMPTY_TREE));
        assert_eq!(Oid::EMPTY_TREE.to_string(), text);
    }

    #[test]
    fn text_that_is_no_object_name_is_refused() {
        for text in
            ["", "4b82", "zz825dc642cb6eb9a060e54bf8d69288fbee4904", "äääääääääääääääääääää"]
        {
            assert!(Oid::parse(text).is_err(), "{text}");
        }
    }
}
