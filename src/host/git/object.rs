//! What the object store and the refs hold, in words of this room.

use serde::{Deserialize, Serialize};

use super::oid::Oid;

/// What HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The full name of the branch; nothing when HEAD is detached.
    pub(super) branch: Option<String>,
    /// The commit; nothing when the branch is unborn.
    pub(super) commit: Option<Oid>,
}

/// What a ref holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    Direct(Oid),
    Symbolic(String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct(oid) => oid.fmt(f),
            Self::Symbolic(name) => name.fmt(f),
        }
    }
}

/// The kinds of objects this room reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Blob,
    Tree,
    Commit,
    Tag,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attr {
    Unspecified,
    Set,
    Unset,
    Value(Vec<u8>),
}

/// Everything that goes into a commit object.
pub(super) struct CommitParts<'a> {
    pub(super) tree: Oid,
    pub(super) parent: Option<Oid>,
    pub(super) author: (&'a str, &'a str),
    pub(super) committer: (&'a str, &'a str),
    pub(super) time: i64,
    pub(super) offset_minutes: i32,
    pub(super) message: &'a str,
}
