//! What a scan is asked, and what it answers.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use super::content;
use super::eol::Settings;
use super::error::GitError;
use super::ignores::Rules;
use super::known::Known;
use super::mirror::Dir;
use super::repo::Repo;
use crate::engine::id::RepoPath;

/// Files larger than this are not kept in any snapshot.
pub(super) const KEPT_BYTES_MAX: u64 = 1 << 30;

/// How much of the content a scan wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The names of the bytes of everything that is tracked, or in the reference.
    Compare,
    /// The bytes of everything, in the object store.
    Store {
        /// Files larger than this are not taken in.
        file_bytes_max: u64,
    },
}

/// What a file that may not be read means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It is left alone and reported.
    Report,
    /// Its owner is given the permission.
    Force,
}

/// What a new directory is whose own `.gitignore` ignores everything in it. Test runners and the
/// like leave such caches behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caches {
    /// A directory like any other.
    Seen,
    /// Named, and left out.
    Named,
}

/// Where the rules about ignored files come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum RuleSource<'a> {
    /// From the files as they are now. Those that did not change are taken from here.
    Live(&'a Rules),
    /// From an earlier moment.
    Pinned(&'a Rules),
}

/// What a scan is about.
pub(super) struct Request<'a> {
    pub(super) repo: &'a Repo,
    pub(super) root: BorrowedFd<'a>,
    pub(super) root_path: &'a Path,
    /// Paths that are not looked at at all.
    pub(super) excluded: &'a [RepoPath],
    pub(super) known: &'a Known,
    /// The time of the index, if what it remembers about files may be trusted.
    pub(super) index_ns: Option<i64>,
    /// The last scan: what it found about a file holds as long as the stamp does.
    pub(super) earlier: Option<&'a Arc<Dir>>,
    /// The state that this one is going to be compared with.
    pub(super) reference: Option<&'a Arc<Dir>>,
    pub(super) rules: RuleSource<'a>,
    pub(super) depth: Depth,
    pub(super) access: Access,
    pub(super) caches: Caches,
    /// Set where files can differ from what git stores for them.
    pub(super) conversion: Option<Settings>,
    /// The time of the file system just before.
    pub(super) start_ns: i64,
}

/// What a scan found.
pub(super) struct Scanned {
    pub(super) top: Arc<Dir>,
    pub(super) rules: Rules,
    /// Every attribute file there is, tracked or not.
    pub(super) attribute_files: Vec<Vec<u8>>,
    /// New directories that ignore themselves, where they are left out.
    pub(super) caches: Vec<Vec<u8>>,
    /// How many files were read.
    pub(super) hashed: u64,
}

impl Request<'_> {
    /// The rules that do not belong to a directory, as they are now.
    pub(super) fn live_rules(&self) -> Result<Rules, GitError> {
        let exclude = self.repo.common_dir().join("info/exclude");
        Ok(Rules {
            by_dir: BTreeMap::new(),
            exclude: content::pattern_file(&exclude)?,
            global: match content::global_ignores(self.repo)? {
                Some(path) => content::pattern_file(&path)?,
                None => Arc::default(),
            },
        })
    }
}
