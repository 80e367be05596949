//! What git tracks: the commit under HEAD, the index, and where they differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::GitError;
use super::index::{Flags, Index};
use super::known::Known;
use super::oid::{Entry, Oid};
use super::repo::Repo;
use super::tree;

/// The tracked paths of one commit and one index.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) tree: Oid,
    pub(super) index: Arc<Index>,
    pub(super) known: Known,
    /// Where the index differs from the commit, with what the commit says.
    pub(super) staged: BTreeMap<Vec<u8>, Option<Entry>>,
    /// Whether the index can be made again from the commit.
    pub(super) is_plain: bool,
    pub(super) attribute_files: Vec<Vec<u8>>,
}

impl Tracked {
    pub(super) fn new(repo: &Repo, tree: Oid, index: Arc<Index>) -> Result<Self, GitError> {
        let mut known = Known::default();
        let mut staged = BTreeMap::new();
        let mut is_plain = true;
        let mut attribute_files = vec![b".gitattributes".to_vec()];
        for entry in &index.entries {
            known.add(&entry.path, entry.entry, Some(entry.stat));
            is_plain &= entry.stage == 0 && entry.flags == Flags::default();
            if entry.path.ends_with(b"/.gitattributes") {
                attribute_files.push(entry.path.to_vec());
            }
        }
        let mut entries = index.entries.iter().peekable();
        tree::walk(repo, tree, &mut |path, committed| {
            while let Some(entry) = entries.next_if(|entry| *entry.path < *path) {
                staged.insert(entry.path.to_vec(), None);
            }
            let mut found = false;
            while let Some(entry) = entries.next_if(|entry| *entry.path == *path) {
                found |= entry.entry == committed && entry.stage == 0;
            }
            if !found {
                known.add(path, committed, None);
                staged.insert(path.to_vec(), Some(committed));
            }
            Ok(())
        })?;
        staged.extend(entries.map(|entry| (entry.path.to_vec(), None)));
        is_plain &= staged.is_empty();
        Ok(Self { tree, index, known, staged, is_plain, attribute_files })
    }

    /// The same with some paths more, which are looked at although they may be ignored.
    pub(super) fn with(&self, more: &[(Vec<u8>, Entry)]) -> Self {
        let mut known = self.known.clone();
        for (path, entry) in more {
            known.add(path, *entry, None);
        }
        Self {
            tree: self.tree,
            index: Arc::clone(&self.index),
            known,
            staged: self.staged.clone(),
            is_plain: self.is_plain,
            attribute_files: self.attribute_files.clone(),
        }
    }
}
