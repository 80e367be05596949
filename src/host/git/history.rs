//! The commits that lead to HEAD.

use super::error::GitError;
use super::oid::Oid;
use super::worktree::Git;
use crate::engine::id::CommitId;

impl Git {
    /// The newest commits up to HEAD with their subjects, newest first, by first parents.
    ///
    /// # Errors
    /// A commit cannot be read.
    pub fn history(&self, max: usize) -> Result<Vec<(CommitId, String)>, GitError> {
        let mut found = vec![];
        let mut next = Some(self.head()?.1);
        while let Some(commit) = next.take_if(|_| found.len() < max) {
            let (_, bytes) = self.repo.read(commit)?;
            let text = String::from_utf8_lossy(&bytes);
            let (header, message) = text.split_once("\n\n").unwrap_or((&text, ""));
            next = header.lines().find_map(|line| Oid::from_hex(line.strip_prefix("parent ")?));
            found.push((commit.commit(), message.lines().next().unwrap_or_default().to_owned()));
        }
        Ok(found)
    }
}
