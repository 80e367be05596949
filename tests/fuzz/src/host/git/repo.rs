//! An object store in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;

use sha1::{Digest as _, Sha1};

use super::error::GitError;
use super::object::Kind;
use super::oid::Oid;

#[derive(Default)]
pub(super) struct Repo {
    objects: RefCell<BTreeMap<Oid, (Kind, Vec<u8>)>>,
}

impl Repo {
    pub(super) fn read(&self, oid: Oid) -> Result<(Kind, Vec<u8>), GitError> {
        let found = self.objects.borrow().get(&oid).cloned();
        found.ok_or_else(|| GitError::Missing { id: oid.to_string() })
    }

    pub(super) fn write(&self, kind: Kind, bytes: &[u8]) -> Result<Oid, GitError> {
        let name = match kind {
            Kind::Blob => "blob",
            Kind::Tree => "tree",
            Kind::Commit => "commit",
            Kind::Tag => "tag",
        };
        let mut hash = Sha1::new();
        hash.update(format!("{name} {}\0", bytes.len()));
        hash.update(bytes);
        let oid = Oid(hash.finalize().into());
        self.objects.borrow_mut().insert(oid, (kind, bytes.to_vec()));
        Ok(oid)
    }
}
