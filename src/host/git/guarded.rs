//! What under `.git` is put back when it changes: HEAD, refs, and the files that make git do
//! something.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::{as_path, name_of};
use super::disk::{self, absent};
use super::error::GitError;
use super::freeze::CANDIDATE;
use super::mirror::{join, repo_path};
use super::object::{Kind, Target};
use super::oid::Oid;
use super::refs;
use super::snapshot::SNAPSHOT;
use super::worktree::Git;
use crate::engine::id::RepoPath;

/// Files larger than this are not guarded: no hook or list that people write is.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How deep, and how many, files are looked for below `hooks`.
const HOOKS_DEPTH_MAX: usize = 4;
const HOOKS_MAX: usize = 4096;

/// Files of the repository that all its work trees share.
const COMMON: [&str; 7] = [
    "config",
    "info/exclude",
    "info/attributes",
    "info/grafts",
    "objects/info/alternates",
    "shallow",
    "logs/refs/stash",
];

/// Files of this work tree alone.
const OWN: [&str; 2] = ["config.worktree", "info/sparse-checkout"];

/// One guarded file or link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardedFile {
    /// Nothing for a link.
    pub(super) permissions: Option<u32>,
    /// The bytes, or where the link leads.
    pub(super) blob: Oid,
}

/// What is put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guarded {
    pub(super) head: Target,
    /// All refs but those of the attempt itself.
    pub(super) refs: BTreeMap<String, Target>,
    /// By a path whose first component says below which directory it lies.
    pub(super) files: BTreeMap<RepoPath, GuardedFile>,
}

impl Guarded {
    pub(super) fn capture(git: &Git) -> Result<Self, GitError> {
        let files = Capture::run(git, Keep::Store)?;
        let head = git
            .repo
            .find_ref("HEAD")?
            .ok_or_else(|| GitError::Lost { path: git.repo.git_dir().to_owned() })?;
        let refs = guarded_refs(git)?;
        // What is not in this list is removed later on: the branch in hand has to be.
        if let Target::Symbolic(branch) = &head
            && !refs.contains_key(branch)
        {
            return Err(GitError::Damaged { what: "branch", id: branch.clone() });
        }
        Ok(Self { head, refs, files })
    }
}

/// The refs that matter now. The refs of the attempt itself are looked after where they are made.
pub(super) fn guarded_refs(git: &Git) -> Result<BTreeMap<String, Target>, GitError> {
    let mut refs = refs::list(git.repo.common_dir())?;
    let own = [git.own_ref(SNAPSHOT), git.own_ref(CANDIDATE)];
    refs.retain(|name, _| !own.contains(name) && !git.is_anothers(name));
    Ok(refs)
}

/// Whether the bytes of guarded files go into the object store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Store,
    NameOnly,
}

/// Collects the guarded files.
pub(super) struct Capture<'a> {
    git: &'a Git,
    keep: Keep,
    files: BTreeMap<RepoPath, GuardedFile>,
}

impl<'a> Capture<'a> {
    pub(super) fn run(
        git: &'a Git,
        keep: Keep,
    ) -> Result<BTreeMap<RepoPath, GuardedFile>, GitError> {
        let mut capture = Capture { git, keep, files: BTreeMap::new() };
        for path in COMMON {
            capture.one("common", path.as_bytes())?;
        }
        for path in OWN {
            capture.one("own", path.as_bytes())?;
        }
        capture.below("common", &mut b"hooks".to_vec(), 0)?;
        // In a linked work tree `.git` is a file that leads to the repository.
        capture.one("top", b".git")?;
        Ok(capture.files)
    }

    /// Adds a file or link. Directories and everything else do not count.
    fn one(&mut self, place: &str, path: &[u8]) -> Result<(), GitError> {
        let base = place_of(self.git, place);
        let failed = |error: std::io::Error| GitError::io("read", base.join(as_path(path)), error);
        let root = disk::open_root(&base).map_err(|error| failed(error.into()))?;
        let parent = absent(disk::open_parent(root.as_fd(), path));
        let Some((dir, name)) = parent.map_err(|error| failed(error.into()))? else {
            return Ok(());
        };
        let stamp = absent(disk::stat(&dir, name)).map_err(|error| failed(error.into()))?;
        let Some(stamp) = stamp else { return Ok(()) };
        let (permissions, bytes) = if stamp.is_link() {
            (None, disk::read_link(&dir, name).map_err(|error| failed(error.into()))?)
        } else {
            match disk::read_small(&dir, name, FILE_BYTES_MAX).map_err(failed)? {
                Some(bytes) => (Some(stamp.permissions()), bytes),
                None => return Ok(()),
            }
        };
        let blob = match self.keep {
            Keep::Store => self.git.repo.write(Kind::Blob, &bytes)?,
            Keep::NameOnly => name_of(&bytes),
        };
        let key = repo_path(&[place.as_bytes(), b"/", path].concat());
        self.files.insert(key, GuardedFile { permissions, blob });
        Ok(())
    }

    fn below(&mut self, place: &str, path: &mut Vec<u8>, depth: usize) -> Result<(), GitError> {
        let base = place_of(self.git, place);
        let opened = open_below(&base, path);
        let opened =
            opened.map_err(|error| GitError::io("open", base.join(as_path(path)), error))?;
        let Some(dir) = opened else { return self.one(place, path) };
        if depth == HOOKS_DEPTH_MAX {
            return Ok(());
        }
        let names = disk::list(dir.as_fd()).map_err(|error| {
            GitError::io("list", place_of(self.git, place).join(as_path(path)), error)
        })?;
        for (name, _) in names.into_iter().take(HOOKS_MAX) {
            let length = join(path, &name);
            self.below(place, path, depth + 1)?;
            path.truncate(length);
        }
        Ok(())
    }
}

fn open_below(base: &Path, path: &[u8]) -> rustix::io::Result<Option<OwnedFd>> {
    let root = disk::open_root(base)?;
    let Some((dir, name)) = absent(disk::open_parent(root.as_fd(), path))? else {
        return Ok(None);
    };
    absent(disk::open_dir(&dir, name))
}

/// The directory that the first component of a guarded path stands for.
pub(super) fn place_of(git: &Git, place: &str) -> PathBuf {
    match place {
        "common" => git.repo.common_dir().to_owned(),
        "own" => git.repo.git_dir().to_owned(),
        _ => git.root.clone(),
    }
}
