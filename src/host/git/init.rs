//! Makes a repository of a directory that is none.

use std::path::Path;

use super::content;
use super::eol::Settings;
use super::error::{GitError, Refusal};
use super::index::{Index, IndexEntry};
use super::mirror::Node;
use super::object::{CommitParts, Target};
use super::oid::{Entry, Oid, mode};
use super::publish::{IndexLock, When, stat_of};
use super::repo::Repo;
use super::request::{Access, Caches, Depth};
use super::tracked::Tracked;
use super::tree::{self, Edits};
use super::worktree::{Git, Sight};
use crate::engine::id::{CommitId, RepoPath};

/// How a repository begins.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// The message of its first commit.
    pub message: &'a str,
    /// When that is made.
    pub when: When,
    /// What its own configuration says, by key.
    pub settings: &'a [(&'a str, &'a str)],
}

impl Git {
    /// Makes a repository in `root` and commits what is there and not ignored. Repositories inside
    /// it, and `excluded`, are left out.
    ///
    /// # Errors
    /// There is a repository already, git does not know who commits, or something cannot be read
    /// or written.
    pub fn init_repo(
        root: &Path,
        excluded: &[RepoPath],
        beginning: &Beginning<'_>,
    ) -> Result<(Self, CommitId), GitError> {
        if root.join(".git").symlink_metadata().is_ok() {
            let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(GitError::io("make a repository in", root, source));
        }
        // Nothing is left behind where nobody could commit.
        let brings_identity = beginning.settings.iter().any(|(key, _)| *key == "user.name");
        if !brings_identity {
            Repo::default_identity().ok_or(Refusal::NoIdentity)?;
        }
        let repo = Repo::init(root)?;
        for (key, value) in beginning.settings {
            repo.set_value(key, value)?;
        }
        let mut git = Self::with(repo, root, excluded)?;
        let [author, committer] = git.repo.identities().ok_or(Refusal::NoIdentity)?;
        let index = git.read_index()?;
        let tracked = Tracked::new(&git.repo, Oid::EMPTY_TREE, index)?;
        let top = git.look(&Sight {
            tracked: &tracked,
            depth: Depth::Store { file_bytes_max: u64::MAX },
            access: Access::Report,
            caches: Caches::Seen,
            reference: None,
            rules: None,
        })?;
        let mut files = Vec::new();
        top.visit(&mut Vec::new(), &mut |path, node| {
            if let Node::File(file) = node
                && let Some(raw) = file.raw
            {
                files.push((path.to_vec(), file.stamp.git_mode(), raw));
            }
        });
        let settings = Settings::read(&git.repo)?;
        let (mut edits, mut index) = (Edits::new(), Index::default());
        for (path, mode, raw) in files {
            let oid = match mode {
                mode::LINK => raw,
                _ => content::clean_stored(&git.repo, settings, &path, raw, None)?,
            };
            let entry = Entry { mode, oid };
            index.set(IndexEntry::new(&path, entry, stat_of(&top, &path, entry)));
            edits.insert(path, Some(entry));
        }
        let commit = git.repo.commit(&CommitParts {
            tree: tree::edit(&git.repo, Oid::EMPTY_TREE, &edits)?,
            parent: None,
            author: (&author.0, &author.1),
            committer: (&committer.0, &committer.1),
            time: beginning.when.seconds,
            offset_minutes: beginning.when.offset_minutes,
            message: beginning.message,
        })?;
        let branch = git.repo.head()?.branch.unwrap_or_else(|| "HEAD".to_owned());
        let lock = IndexLock::take(&git, &index)?;
        git.repo.set_ref(&branch, &Target::Direct(commit), "commit (initial)")?;
        lock.put_in_place()?;
        Ok((git, commit.commit()))
    }
}
