//! Puts back what changed under `.git`, and keeps what stood there.

use std::collections::BTreeSet;

use super::dotgit::{
    checked_out_elsewhere, clear_own_ref_locks, lock_files, put_back, put_file, remove,
};
use super::error::{GitError, absent};
use super::freeze::CANDIDATE;
use super::guarded::{Capture, GuardedFile, Keep, guarded_refs};
use super::index::Index;
use super::meta;
use super::object::{CommitParts, Kind, Target};
use super::oid::{Entry, Oid, mode};
use super::refs;
use super::snapshot::{NOBODY, SNAPSHOT, Snapshot};
use super::tree::{self, Edits};
use super::worktree::Git;
use crate::engine::id::RepoPath;

const RESCUED: &str = "rescued/";

/// How long another git process may take to let go of a lock, in steps.
const LOCK_WAIT_STEPS: u32 = 10;
const LOCK_WAIT_STEP_MS: u64 = 20;

/// Something under `.git` that had changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescue {
    /// What: the name of a ref, or of a file below `.git`.
    pub what: String,
    /// What it was before, where that can be said in a word.
    pub old: Option<String>,
    /// What it had become.
    pub new: Option<String>,
    /// The ref under which the new value is kept.
    pub kept: Option<String>,
    /// Whether it was put back. Remote-tracking refs, and branches checked out in other work
    /// trees, are left as they are.
    pub put_back: bool,
}

impl std::fmt::Display for Rescue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        match (&self.old, &self.new) {
            (None, None) => write!(f, "{} changed", self.what)?,
            (old, new) => write!(f, "{}: {} became {}", self.what, text(old), text(new))?,
        }
        match (&self.kept, self.put_back) {
            (_, false) => f.write_str(", left as it is"),
            (Some(kept), true) => write!(f, ", put back, kept as {kept}"),
            (None, true) => f.write_str(", put back"),
        }
    }
}

impl Git {
    /// Puts back what changed under `.git` since the snapshot: hooks, configuration, HEAD,
    /// branches, tags, stash, exclude and attribute files, alternates, the index with its flags.
    /// What had taken its place is kept under `refs/looper/rescued/`.
    ///
    /// # Errors
    /// `.git` is gone, or something cannot be written.
    pub fn guard(&mut self, snapshot: &Snapshot) -> Result<Vec<Rescue>, GitError> {
        self.check_alive()?;
        let mut guard = Guard {
            git: self,
            snapshot,
            number: None,
            rescued: Vec::new(),
            files: Edits::new(),
            waiting: Vec::new(),
        };
        guard.locks()?;
        guard.guarded_files()?;
        guard.operation()?;
        guard.head()?;
        guard.refs()?;
        guard.index()?;
        guard.keep_files()?;
        Ok(guard.rescued)
    }
}

struct Guard<'a> {
    git: &'a mut Git,
    snapshot: &'a Snapshot,
    /// The number under which things are kept, once there is something to keep.
    number: Option<u64>,
    rescued: Vec<Rescue>,
    /// Old and new bytes of files, to be kept in one commit.
    files: Edits,
    /// Which of `rescued` wait for the name of that commit.
    waiting: Vec<usize>,
}

impl Guard<'_> {
    fn number(&mut self) -> Result<u64, GitError> {
        if let Some(number) = self.number {
            return Ok(number);
        }
        let refs = refs::list(self.git.repo.common_dir())?;
        let rescued = self.git.own_ref(RESCUED);
        let numbers = refs.keys().filter_map(|name| {
            name.strip_prefix(&*rescued)?.split('/').next()?.parse::<u64>().ok()
        });
        let number = numbers.max().unwrap_or(0) + 1;
        self.number = Some(number);
        Ok(number)
    }

    fn rescue(&mut self, what: &str, old: Option<String>, new: Option<String>) -> usize {
        let what = what.to_owned();
        self.rescued.push(Rescue { what, old, new, kept: None, put_back: true });
        self.rescued.len() - 1
    }

    /// Locks that the stage left behind. There were none at the snapshot, and the stage's
    /// processes are gone, so that after a short wait they are nobody's.
    fn locks(&mut self) -> Result<(), GitError> {
        clear_own_ref_locks(self.git)?;
        for path in lock_files(self.git, self.snapshot.branch.as_deref()) {
            let mut steps = 0;
            while path.exists() && steps < LOCK_WAIT_STEPS {
                std::thread::sleep(std::time::Duration::from_millis(LOCK_WAIT_STEP_MS));
                steps += 1;
            }
            if path.symlink_metadata().is_ok() {
                remove(&path)?;
                let name = path.strip_prefix(self.git.repo.common_dir()).unwrap_or(&path);
                let name = format!(".git/{}", name.display());
                self.rescue(&name, None, Some("a lock".to_owned()));
            }
        }
        Ok(())
    }

    fn guarded_files(&mut self) -> Result<(), GitError> {
        let now = Capture::run(self.git, Keep::NameOnly)?;
        let before = &self.snapshot.guarded.files;
        if now == *before {
            return Ok(());
        }
        // Only now the bytes are worth keeping.
        let now = Capture::run(self.git, Keep::Store)?;
        let names: BTreeSet<&RepoPath> = now.keys().chain(before.keys()).collect();
        for name in names {
            let (old, new) = (before.get(name), now.get(name));
            if old == new {
                continue;
            }
            let word = |file: Option<&GuardedFile>| file.map(|file| file.blob.to_string());
            let index = self.rescue(&shown(name), word(old), word(new));
            self.keep(name.as_bytes(), old.map(|file| file.blob), new.map(|file| file.blob), index);
            put_back(self.git, name, old)?;
        }
        Ok(())
    }

    fn keep(&mut self, name: &[u8], old: Option<Oid>, new: Option<Oid>, index: usize) {
        for (side, blob) in [("old/", old), ("new/", new)] {
            if let Some(oid) = blob {
                let path = [side.as_bytes(), name].concat();
                self.files.insert(path, Some(Entry { mode: mode::FILE, oid }));
            }
        }
        self.waiting.push(index);
    }

    fn keep_files(&mut self) -> Result<(), GitError> {
        if self.files.is_empty() {
            return Ok(());
        }
        let tree = tree::edit(&self.git.repo, Oid::EMPTY_TREE, &self.files);
        let commit = self.git.repo.commit(&CommitParts {
            tree: tree?,
            parent: None,
            author: NOBODY,
            committer: NOBODY,
            time: 0,
            offset_minutes: 0,
            message: "files that had changed under .git",
        })?;
        let name = format!("{RESCUED}{}/changed-files", self.number()?);
        let name = self.git.own_ref(&name);
        self.git.repo.set_ref(&name, &Target::Direct(commit), "looper: rescue")?;
        for index in &self.waiting {
            self.rescued[*index].kept = Some(name.clone());
        }
        Ok(())
    }

    fn operation(&mut self) -> Result<(), GitError> {
        if let Some(operation) = self.git.repo.operation() {
            self.git.repo.end_operation()?;
            self.rescue("operation in progress", None, Some(operation.to_owned()));
        }
        Ok(())
    }

    fn head(&mut self) -> Result<(), GitError> {
        let before = self.snapshot.guarded.head.clone();
        // A HEAD that cannot be read is one that changed.
        let now = absent(self.git.repo.find_ref("HEAD"))?.flatten();
        if now.as_ref() == Some(&before) {
            return Ok(());
        }
        let index =
            self.rescue("HEAD", Some(before.to_string()), now.as_ref().map(Target::to_string));
        if let Some(Target::Direct(oid)) = &now {
            self.rescued[index].kept = self.keep_ref("HEAD", *oid)?;
        }
        if now.is_none() {
            remove(&self.git.repo.git_dir().join("HEAD"))?;
        }
        self.git.repo.set_ref("HEAD", &before, "looper: back to the branch")
    }

    fn refs(&mut self) -> Result<(), GitError> {
        let now = guarded_refs(self.git)?;
        let before = &self.snapshot.guarded.refs;
        self.own_refs()?;
        if now == *before {
            return Ok(());
        }
        let elsewhere = checked_out_elsewhere(self.git)?;
        let names: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
        let differing: Vec<&String> =
            names.into_iter().filter(|name| now.get(*name) != before.get(*name)).collect();
        // What is new goes first: a new `a/b` may stand in the way of an old `a`.
        let (new, old): (Vec<&String>, Vec<&String>) =
            differing.into_iter().partition(|name| !before.contains_key(*name));
        for name in new.into_iter().chain(old) {
            self.one_ref(name, before.get(name), now.get(name), elsewhere.contains(name))?;
        }
        Ok(())
    }

    fn one_ref(
        &mut self,
        name: &str,
        old: Option<&Target>,
        new: Option<&Target>,
        elsewhere: bool,
    ) -> Result<(), GitError> {
        if old.is_none() && name.starts_with(&self.git.own_ref(RESCUED)) {
            return Ok(());
        }
        let index = self.rescue(name, old.map(Target::to_string), new.map(Target::to_string));
        if elsewhere || name.starts_with("refs/remotes/") {
            self.rescued[index].put_back = false;
            return Ok(());
        }
        if let Some(Target::Direct(oid)) = new {
            self.rescued[index].kept = self.keep_ref(name, *oid)?;
        }
        let repo = &self.git.repo;
        remove(&repo.common_dir().join(format!("{name}.lock")))?;
        match (old, new) {
            (Some(Target::Direct(old)), Some(Target::Direct(new))) => {
                repo.swap_ref(name, *new, *old, "looper: back to the snapshot")
            }
            (Some(old), new) => {
                let file = repo.common_dir().join(name);
                if new.is_none() && file.symlink_metadata().is_ok_and(|data| !data.is_dir()) {
                    // It no longer reads as a ref, is not listed, and stands in the way.
                    remove(&file)?;
                }
                repo.set_ref(name, old, "looper: back to the snapshot")
            }
            (None, _) => repo.delete_ref(name),
        }
    }

    fn keep_ref(&mut self, name: &str, oid: Oid) -> Result<Option<String>, GitError> {
        let short = name.strip_prefix("refs/").unwrap_or(name);
        let kept = format!("{RESCUED}{}/{short}", self.number()?);
        let kept = self.git.own_ref(&kept);
        self.git.repo.set_ref(&kept, &Target::Direct(oid), "looper: rescue")?;
        Ok(Some(kept))
    }

    /// The refs that keep this attempt's objects alive.
    fn own_refs(&self) -> Result<(), GitError> {
        let repo = &self.git.repo;
        let candidate = self.git.candidate.map(|oid| (CANDIDATE, oid));
        for (name, oid) in [(SNAPSHOT, self.snapshot.id_oid)].into_iter().chain(candidate) {
            let (name, target) = (&self.git.own_ref(name), Target::Direct(oid));
            if absent(repo.find_ref(name))?.flatten().as_ref() != Some(&target) {
                repo.set_ref(name, &target, "looper: kept")?;
            }
        }
        Ok(())
    }

    fn index(&mut self) -> Result<(), GitError> {
        let path = self.git.index_path();
        let now = match self.git.read_index() {
            Ok(now) if now.same(&self.snapshot.tracked.index) => return Ok(()),
            Ok(now) => Some(now),
            Err(GitError::Index { .. } | GitError::Refused(_)) => None,
            Err(error) => return Err(error),
        };
        let index = self.rescue("index", None, now.is_none().then(|| "unreadable".to_owned()));
        if let Ok(bytes) = std::fs::read(&path) {
            let blob = self.git.repo.write(Kind::Blob, &bytes)?;
            self.keep(b"index", None, Some(blob), index);
        }
        let bytes = match self.snapshot.index {
            Some(blob) => self.git.repo.read(blob)?.1,
            None => restored_index(self.git, self.snapshot)?.encode(),
        };
        put_file(self.git.repo.git_dir(), b"index", &bytes, None)?;
        self.git.read_index().map(|_| ())
    }
}

/// A guarded file as people know it.
fn shown(name: &RepoPath) -> String {
    let text = name.to_string();
    match text.split_once('/') {
        Some(("common" | "own", rest)) => format!(".git/{rest}"),
        Some((_, rest)) => rest.to_owned(),
        None => text,
    }
}

/// An index that says what HEAD says, with what is known about files on disk.
fn restored_index(git: &Git, snapshot: &Snapshot) -> Result<Index, GitError> {
    let tree = git.repo.tree_of(snapshot.base_oid)?;
    let mut index = meta::index_of(git, tree)?;
    for entry in &mut index.entries {
        entry.stat = super::publish::stat_of(&snapshot.top, &entry.path, entry.entry);
    }
    Ok(index)
}
