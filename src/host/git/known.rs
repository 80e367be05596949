//! The paths git tracks, as a tree: they are looked at even where patterns ignore them.

use std::collections::BTreeMap;

use super::index::Stat;
use super::mirror::Name;
use super::oid::{Entry, mode};

/// The tracked names of one directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    nodes: BTreeMap<Name, KnownNode>,
}

/// What is tracked under one name: an index can hold a file where a commit has a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownNode {
    /// The entry of the index, or else of the commit.
    pub(super) entry: Option<Entry>,
    /// What the index remembers about the file on disk.
    pub(super) stat: Option<Stat>,
    pub(super) below: Option<Box<Known>>,
}

impl KnownNode {
    pub(super) fn is_gitlink(&self) -> bool {
        self.entry.is_some_and(|entry| entry.mode == mode::GITLINK)
    }
}

impl Known {
    pub(super) fn get(&self, name: &[u8]) -> Option<&KnownNode> {
        self.nodes.get(name)
    }

    /// Adds a path. What was known before stays unless the new knowledge says more.
    pub(super) fn add(&mut self, path: &[u8], entry: Entry, stat: Option<Stat>) {
        let mut level = self;
        let mut rest = path;
        while let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
            let name = &rest[..slash];
            if !level.nodes.contains_key(name) {
                level.nodes.insert(name.into(), KnownNode::default());
            }
            let node = level.nodes.get_mut(name).expect("the name was added if it was missing");
            level = node.below.get_or_insert_default();
            rest = &rest[slash + 1..];
        }
        let node = level.nodes.entry(rest.into()).or_default();
        if node.entry.is_none() || stat.is_some() {
            node.entry = Some(entry);
            node.stat = stat;
        }
    }

    /// Whether a file of this path is tracked.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        match path.iter().position(|byte| *byte == b'/') {
            None => self.nodes.get(path).is_some_and(|node| node.entry.is_some()),
            Some(slash) => self
                .nodes
                .get(&path[..slash])
                .and_then(|node| node.below.as_ref())
                .is_some_and(|below| below.has(&path[slash + 1..])),
        }
    }
}
