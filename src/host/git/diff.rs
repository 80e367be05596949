//! Shows people and critics what differs between two trees, within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::error::GitError;
use super::freeze::{Change, kind_of};
use super::mirror::repo_path;
use super::object::Kind;
use super::oid::{Oid, mode};
use super::tree;
use super::worktree::Git;
use crate::engine::id::{CommitId, RepoPath, TreeId};

/// The difference between two trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// The text, in git's format.
    pub text: Vec<u8>,
    /// Whether there was more than fitted.
    pub truncated: bool,
    /// One line per file and a sum, as `git diff --stat` counts.
    pub stat: String,
    /// Every path that differs.
    pub names: Vec<Change>,
    /// Where in the text a file's part begins.
    starts: Vec<(RepoPath, usize)>,
}

impl Patch {
    /// The text, file by file.
    pub fn by_file(&self) -> impl Iterator<Item = (&RepoPath, &[u8])> {
        self.starts.iter().enumerate().map(|(index, (path, start))| {
            let end = self.starts.get(index + 1).map_or(self.text.len(), |(_, next)| *next);
            (path, &self.text[*start..end])
        })
    }
}

/// What a file has in one tree that it did not have in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The file.
    pub path: RepoPath,
    /// The lines that were added; all bytes where the file is not text.
    pub content: Vec<u8>,
    /// How many lines of the file came in pieces before.
    pub lines_before: u64,
}

/// How much of a piece is in the next one too, in bytes: longer than anything that is looked for
/// in one line.
const SEAM: usize = 4096;

impl Added {
    /// One line more. What would be too long is cut anywhere; what lies on a cut is in both pieces.
    fn gain(&mut self, line: &[u8], piece_bytes: usize, visit: &mut dyn FnMut(Self)) {
        for part in line.chunks(piece_bytes) {
            if self.content.len() + part.len() > piece_bytes + SEAM {
                let next = self.next();
                visit(std::mem::replace(self, next));
            }
            self.content.extend_from_slice(part);
        }
    }

    /// The piece that goes on where this one ends.
    fn next(&self) -> Self {
        let seam = &self.content[self.content.len().saturating_sub(SEAM)..];
        let before = &self.content[..self.content.len() - seam.len()];
        let lines = before.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        let lines_before = self.lines_before + lines;
        Self { path: self.path.clone(), content: seam.to_vec(), lines_before }
    }
}

#[derive(Default)]
struct Counts {
    added: u64,
    removed: u64,
    is_binary: bool,
}

impl Git {
    /// The difference between two trees. At most `bytes_max` bytes of text are kept; the counts
    /// and names are complete.
    ///
    /// # Errors
    /// A tree is missing or damaged.
    pub fn patch(&self, old: &TreeId, new: &TreeId, bytes_max: usize) -> Result<Patch, GitError> {
        let (old, new) = (Oid::parse(old.as_str())?, Oid::parse(new.as_str())?);
        let mut patch = Patch { names: self.names(old, new)?, ..Patch::default() };
        let mut counts: BTreeMap<Vec<u8>, Counts> = BTreeMap::new();
        for change in &patch.names {
            counts.insert(change.path.as_bytes().to_vec(), Counts::default());
        }
        self.repo.diff(old, new, |path, origin, content| {
            let counted = counts.entry(path.to_vec()).or_default();
            match origin {
                '+' => counted.added += 1,
                '-' => counted.removed += 1,
                'B' => counted.is_binary = true,
                _ => {}
            }
            if patch.starts.last().is_none_or(|(last, _)| last.as_bytes() != path)
                && let Ok(path) = RepoPath::new(path)
            {
                patch.starts.push((path, patch.text.len()));
            }
            let mark = matches!(origin, '+' | '-' | ' ').then_some(origin);
            let room = bytes_max.saturating_sub(patch.text.len());
            if content.len() + usize::from(mark.is_some()) > room {
                patch.truncated = true;
            } else if !patch.truncated {
                patch.text.extend(mark.map(|mark| u8::try_from(mark).unwrap_or(b' ')));
                patch.text.extend_from_slice(content);
            }
            true
        })?;
        patch.stat = stat(&counts);
        Ok(patch)
    }

    /// Every path that differs between two trees.
    ///
    /// # Errors
    /// A tree is missing or damaged.
    pub fn changes(&self, old: &TreeId, new: &TreeId) -> Result<Vec<Change>, GitError> {
        self.names(Oid::parse(old.as_str())?, Oid::parse(new.as_str())?)
    }

    fn names(&self, old: Oid, new: Oid) -> Result<Vec<Change>, GitError> {
        let differences = tree::differences(&self.repo, old, new)?;
        let change = |one: tree::Difference| {
            let kind = kind_of(one.old, one.new)?;
            Some(Change { path: repo_path(&one.path), kind })
        };
        Ok(differences.into_iter().filter_map(change).collect())
    }

    /// Shows `visit` what each file gained, in pieces of about `piece_bytes`: for those who look for
    /// something that must not get in. Links count with where they lead.
    ///
    /// # Errors
    /// A tree or file is missing or damaged.
    pub fn added(
        &self,
        old: &TreeId,
        new: &TreeId,
        piece_bytes: usize,
        visit: &mut dyn FnMut(Added),
    ) -> Result<(), GitError> {
        let (old, new) = (Oid::parse(old.as_str())?, Oid::parse(new.as_str())?);
        let mut now: Option<Added> = None;
        let mut binary: Vec<Vec<u8>> = Vec::new();
        self.repo.diff(old, new, |path, origin, content| {
            if origin == 'B' {
                binary.push(path.to_vec());
            }
            if origin != '+' {
                return true;
            }
            if now.as_ref().is_none_or(|now| now.path.as_bytes() != path)
                && let Ok(path) = RepoPath::new(path)
            {
                let next = Added { path, content: Vec::new(), lines_before: 0 };
                if let Some(done) = now.replace(next) {
                    visit(done);
                }
            }
            if let Some(now) = &mut now {
                now.gain(content, piece_bytes, visit);
            }
            true
        })?;
        if let Some(done) = now {
            visit(done);
        }
        for path in binary {
            let Ok(path) = RepoPath::new(path) else { continue };
            let Some(content) = self.read_in(new, &path)? else { continue };
            let mut piece = Added { path, content: Vec::new(), lines_before: 0 };
            for line in content.split_inclusive(|byte| *byte == b'\n') {
                piece.gain(line, piece_bytes, visit);
            }
            visit(piece);
        }
        Ok(())
    }

    /// The lines, from one, that each file has in the second tree and not in the first. Files that
    /// are not text, and links, have none.
    ///
    /// # Errors
    /// A tree is missing or damaged.
    pub fn gained_lines(
        &self,
        old: &TreeId,
        new: &TreeId,
    ) -> Result<BTreeMap<RepoPath, BTreeSet<usize>>, GitError> {
        let (old, new) = (Oid::parse(old.as_str())?, Oid::parse(new.as_str())?);
        let mut gained: BTreeMap<RepoPath, BTreeSet<usize>> = BTreeMap::new();
        let mut line = 0;
        self.repo.diff(old, new, |path, origin, content| {
            match origin {
                'H' => line = first_line(content).unwrap_or(0),
                '+' if line > 0 => {
                    if let Ok(path) = RepoPath::new(path) {
                        gained.entry(path).or_default().insert(line);
                    }
                    line += 1;
                }
                ' ' => line += 1,
                _ => {}
            }
            true
        })?;
        let is_file = |path: &RepoPath| {
            let entry = tree::find(&self.repo, new, path.as_bytes())?;
            Ok::<_, GitError>(entry.is_some_and(|it| matches!(it.mode, mode::FILE | mode::EXEC)))
        };
        let mut files = BTreeMap::new();
        for (path, lines) in gained {
            if is_file(&path)? {
                files.insert(path, lines);
            }
        }
        Ok(files)
    }

    /// The content of a file or link in a tree, cut to `bytes_max` bytes; nothing if the tree does
    /// not have it.
    ///
    /// # Errors
    /// The tree or the file is missing or damaged.
    pub fn read_blob(
        &self,
        tree: &TreeId,
        path: &RepoPath,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let mut read = self.read_in(Oid::parse(tree.as_str())?, path)?;
        if let Some(content) = &mut read {
            content.truncate(bytes_max);
        }
        Ok(read)
    }

    fn read_in(&self, tree: Oid, path: &RepoPath) -> Result<Option<Vec<u8>>, GitError> {
        let entry = tree::find(&self.repo, tree, path.as_bytes())?;
        let is_blob = |mode: u32| mode != mode::TREE && mode != mode::GITLINK;
        let Some(entry) = entry.filter(|entry| is_blob(entry.mode)) else { return Ok(None) };
        match self.repo.read(entry.oid)? {
            (Kind::Blob, content) => Ok(Some(content)),
            (Kind::Tree | Kind::Commit | Kind::Tag, _) => {
                Err(GitError::Damaged { what: "file", id: entry.oid.to_string() })
            }
        }
    }

    /// The commit under HEAD and the full name of its branch; no name when HEAD is detached.
    ///
    /// # Errors
    /// The branch has no commit yet, or HEAD cannot be read.
    pub fn head_commit(&self) -> Result<(CommitId, Option<String>), GitError> {
        let (head, commit) = self.head()?;
        Ok((commit.commit(), head.branch))
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// There is no such commit.
    pub fn tree_of(&self, commit: &CommitId) -> Result<TreeId, GitError> {
        Ok(self.repo.tree_of(Oid::parse(commit.as_str())?)?.tree())
    }
}

/// Where a hunk begins in the second file: `@@ -1,2 +3,4 @@`.
fn first_line(header: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(header.get(..header.len().min(60))?).ok()?;
    let after = text.strip_prefix("@@ -")?.split_once(" +")?.1;
    let end = after.find(|char: char| !char.is_ascii_digit())?;
    after[..end].parse().ok()
}

fn stat(counts: &BTreeMap<Vec<u8>, Counts>) -> String {
    let mut text = String::new();
    let (mut added, mut removed) = (0, 0);
    for (path, counted) in counts {
        added += counted.added;
        removed += counted.removed;
        let shown = repo_path(path);
        let written = if counted.is_binary {
            writeln!(text, " {shown} | binary")
        } else {
            writeln!(text, " {shown} | +{} -{}", counted.added, counted.removed)
        };
        written.expect("text in memory takes everything");
    }
    let files = counts.len();
    let noun = if files == 1 { "file" } else { "files" };
    writeln!(text, " {files} {noun} changed, {added} added, {removed} removed")
        .expect("text in memory takes everything");
    text
}
