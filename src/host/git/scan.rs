//! Looks at every file of a work tree, and reads only those whose stamp does not vouch for them.
//!
//! Flags of the index that hide changes are not asked, symbolic links are not followed, and what
//! is ignored is decided by given rules, not by files that an agent may have written.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::content::{self, Read};
use super::disk;
use super::error::GitError;
use super::ignores::{FILE_BYTES_MAX, Rules, Source};
use super::known::{Known, KnownNode};
use super::mirror::{Dir, File, Node, SpecialKind, Stamp, join};
use super::nested;
use super::request::{Access, Caches, Depth, KEPT_BYTES_MAX, Request, RuleSource, Scanned};

/// Directories nested deeper than this are not walked: each level holds an open file.
const DEPTH_MAX: usize = 200;

/// What is known about one name from elsewhere.
#[derive(Clone, Copy, Default)]
struct Context<'a> {
    known: Option<&'a KnownNode>,
    earlier: Option<&'a Node>,
    reference: Option<&'a Node>,
}

enum Seen {
    Node(Node),
    /// Something is there, and is ignored.
    Hidden,
    Gone,
}

pub(super) fn scan(request: &Request<'_>) -> Result<Scanned, GitError> {
    let rules = match request.rules {
        RuleSource::Live(_) => request.live_rules()?,
        RuleSource::Pinned(rules) => rules.clone(),
    };
    let mut walk = Walk {
        request,
        path: Vec::new(),
        rules,
        attribute_files: Vec::new(),
        caches: Vec::new(),
        hashed: 0,
    };
    let fd = disk::open_dir(request.root, b".").map_err(|error| walk.failed(error))?;
    let around = Around {
        known: Some(request.known),
        earlier: request.earlier,
        reference: request.reference.map(|dir| &**dir),
        ignored: false,
    };
    let names = disk::list(fd.as_fd()).map_err(|error| walk.failed(error))?;
    let (top, _) = walk.directory(&fd, &names, around, 0)?;
    let Walk { rules, attribute_files, caches, hashed, .. } = walk;
    Ok(Scanned { top, rules, attribute_files, caches, hashed })
}

struct Walk<'a> {
    request: &'a Request<'a>,
    path: Vec<u8>,
    rules: Rules,
    attribute_files: Vec<Vec<u8>>,
    caches: Vec<Vec<u8>>,
    hashed: u64,
}

/// What is known about one directory from elsewhere.
#[derive(Clone, Copy)]
struct Around<'a> {
    known: Option<&'a Known>,
    earlier: Option<&'a Arc<Dir>>,
    reference: Option<&'a Dir>,
    /// Whether untracked files in it are ignored because the directory is.
    ignored: bool,
}

impl Walk<'_> {
    fn at(&self) -> PathBuf {
        self.request.root_path.join(content::as_path(&self.path))
    }

    fn failed(&self, error: Errno) -> GitError {
        GitError::io("read", self.at(), error)
    }

    /// Returns the directory, and whether it holds something that is ignored.
    fn directory(
        &mut self,
        fd: &OwnedFd,
        names: &[(Box<[u8]>, FileType)],
        around: Around<'_>,
        depth: usize,
    ) -> Result<(Arc<Dir>, bool), GitError> {
        let stamp = disk::stat_open(fd).map_err(|error| self.failed(error))?;
        let has = |name: &[u8]| names.binary_search_by(|entry| (*entry.0).cmp(name)).is_ok();
        let has_git = depth > 0 && has(b".git");
        if !around.ignored && has(b".gitignore") {
            self.load_rules(fd)?;
        }
        if has(b".gitattributes") {
            let mut path = self.path.clone();
            join(&mut path, b".gitattributes");
            self.attribute_files.push(path);
        }
        let mut nodes = BTreeMap::new();
        let mut hides = false;
        for (name, kind) in names {
            if **name == *b".git" {
                continue;
            }
            let length = join(&mut self.path, name);
            let context = Context {
                known: around.known.and_then(|known| known.get(name)),
                earlier: around.earlier.and_then(|dir| dir.nodes.get(name)),
                reference: around.reference.and_then(|dir| dir.nodes.get(name)),
            };
            let excluded = self.request.excluded.iter().any(|path| path.as_bytes() == self.path);
            let seen = if excluded {
                Seen::Hidden
            } else {
                self.node(fd, name, *kind, context, around.ignored, depth)?
            };
            self.path.truncate(length);
            match seen {
                Seen::Node(node) => {
                    nodes.insert(name.clone(), node);
                }
                Seen::Hidden => hides = true,
                Seen::Gone => {}
            }
        }
        let dir = Dir::new(nodes, stamp.permissions(), has_git);
        Ok((dir.or_earlier(around.earlier), hides))
    }

    fn node(
        &mut self,
        at: &OwnedFd,
        name: &[u8],
        kind: FileType,
        context: Context<'_>,
        ignored: bool,
        depth: usize,
    ) -> Result<Seen, GitError> {
        if kind == FileType::Directory {
            return self.subdirectory(at, name, context, ignored, depth);
        }
        let stamp = match disk::stat(at, name) {
            Ok(stamp) if stamp.is_dir() => {
                return self.subdirectory(at, name, context, ignored, depth);
            }
            Ok(stamp) => stamp,
            Err(Errno::NOENT) => return Ok(Seen::Gone),
            Err(error) => return Err(self.failed(error)),
        };
        let tracked =
            context.known.is_some_and(|known| known.entry.is_some()) || context.reference.is_some();
        if !tracked && (ignored || self.rules.ignores(&self.path, false)) {
            return Ok(Seen::Hidden);
        }
        if content::is_reserved(name) {
            return Ok(Seen::Node(Node::Special(SpecialKind::ReservedName)));
        }
        if !stamp.is_file() && !stamp.is_link() {
            return Ok(Seen::Node(Node::Special(content::special_kind(&stamp))));
        }
        self.file(at, name, stamp, context)
    }

    fn subdirectory(
        &mut self,
        at: &OwnedFd,
        name: &[u8],
        context: Context<'_>,
        ignored: bool,
        depth: usize,
    ) -> Result<Seen, GitError> {
        let below = context.known.and_then(|known| known.below.as_deref());
        let reference = context.reference.and_then(Node::as_dir);
        let was_nested = matches!(context.reference, Some(Node::Nested(_)));
        if was_nested || (below.is_none() && context.known.is_some_and(KnownNode::is_gitlink)) {
            let entry = context.known.and_then(|known| known.entry);
            let nested = nested::look(&self.at(), entry.map(|entry| entry.oid));
            return Ok(Seen::Node(Node::Nested(nested)));
        }
        let walked = below.is_some() || reference.is_some();
        let ignored = ignored || self.rules.ignores(&self.path, true);
        if ignored && !walked {
            return Ok(Seen::Hidden);
        }
        let special = |kind| Ok(Seen::Node(Node::Special(kind)));
        if content::is_reserved(name) {
            return special(SpecialKind::ReservedName);
        }
        if depth == DEPTH_MAX {
            return special(SpecialKind::TooDeep);
        }
        let opened = if self.forces(context) {
            disk::force_open_dir(at.as_fd(), name)
        } else {
            disk::open_dir(at, name)
        };
        let opened = opened.and_then(|fd| disk::list(fd.as_fd()).map(|names| (fd, names)));
        let (fd, names) = match opened {
            Ok(opened) => opened,
            Err(Errno::ACCESS) => return special(SpecialKind::Unreadable),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Seen::Gone),
            Err(error) => return Err(self.failed(error)),
        };
        if !walked && names.iter().any(|entry| *entry.0 == *b".git") {
            return Ok(Seen::Node(Node::Nested(nested::look(&self.at(), None))));
        }
        if !walked && self.request.caches == Caches::Named && self.ignores_itself(&fd, &names)? {
            self.caches.push(self.path.clone());
            return Ok(Seen::Hidden);
        }
        let around = Around {
            known: below,
            earlier: context.earlier.and_then(Node::as_dir),
            reference: reference.map(|dir| &**dir),
            ignored,
        };
        let (dir, hides) = self.directory(&fd, &names, around, depth + 1)?;
        // A directory that an attempt made for the sake of ignored files stays as they do. One that
        // was there before is brought back like any other.
        let is_new = self.request.reference.is_some() && reference.is_none();
        if hides && dir.nodes.is_empty() && !dir.has_git && is_new {
            return Ok(Seen::Hidden);
        }
        Ok(Seen::Node(Node::Dir(dir)))
    }

    fn file(
        &mut self,
        at: &OwnedFd,
        name: &[u8],
        stamp: Stamp,
        context: Context<'_>,
    ) -> Result<Seen, GitError> {
        let store = matches!(self.request.depth, Depth::Store { .. });
        if let Some(Node::File(earlier)) = context.earlier
            && earlier.settled
            && earlier.stamp == stamp
            && (earlier.stored || !store)
            && (earlier.raw.is_some() || !self.wanted(context))
        {
            return Ok(Seen::Node(Node::File(earlier.clone())));
        }
        if let Some(file) = self.vouched(stamp, context) {
            return Ok(Seen::Node(Node::File(file)));
        }
        if !store && !self.wanted(context) {
            let file = File { stamp, settled: false, raw: None, stored: false, clean: None };
            return Ok(Seen::Node(Node::File(file)));
        }
        if let Depth::Store { file_bytes_max } = self.request.depth
            && stamp.size > self.largest(file_bytes_max, context)
        {
            return Ok(Seen::Node(Node::Special(SpecialKind::TooLarge)));
        }
        self.hashed += 1;
        let request = self.request;
        let wish = content::Wish {
            repo: request.repo,
            store,
            force: self.forces(context),
            start_ns: request.start_ns,
            conversion: request.conversion,
            committed: context.known.and_then(|known| known.entry),
        };
        match content::read(&wish, at.as_fd(), name, &self.path, stamp, &self.at())? {
            Read::File(mut file) => {
                if let Some(Node::File(reference)) = context.reference {
                    file.stored |= reference.stored && reference.raw == file.raw;
                }
                Ok(Seen::Node(Node::File(file)))
            }
            Read::Unreadable => Ok(Seen::Node(Node::Special(SpecialKind::Unreadable))),
            Read::Gone => Ok(Seen::Gone),
        }
    }

    /// What was taken in before may be taken in again.
    fn largest(&self, file_bytes_max: u64, context: Context<'_>) -> u64 {
        match context.reference {
            Some(Node::File(_)) => file_bytes_max.max(KEPT_BYTES_MAX),
            Some(Node::Dir(_) | Node::Nested(_) | Node::Special(_)) | None => file_bytes_max,
        }
    }

    /// Whether permission to read may be taken: not of what was unreadable before.
    fn forces(&self, context: Context<'_>) -> bool {
        let before = context.reference;
        self.request.access == Access::Force
            && before != Some(&Node::Special(SpecialKind::Unreadable))
    }

    /// Whether the bytes matter to this scan even if they are not to be stored.
    fn wanted(&self, context: Context<'_>) -> bool {
        matches!(self.request.depth, Depth::Store { .. })
            || context.known.is_some_and(|known| known.entry.is_some())
            || context.reference.is_some()
    }

    /// What the index says about a file that it saw in this very state. The clock of the file and
    /// of the index must leave no doubt about the order.
    fn vouched(&self, stamp: Stamp, context: Context<'_>) -> Option<File> {
        let index_ns = self.request.index_ns?;
        let known = context.known?;
        let (entry, stat) = (known.entry?, known.stat?);
        let trusted = stat.vouches_for(&stamp)
            && stamp.is_older_than(index_ns)
            && entry.mode == stamp.git_mode();
        if !trusted {
            return None;
        }
        // Every conversion makes a file smaller on its way in, so the same size is the same bytes.
        let as_stored = self.request.conversion.is_none()
            || self.request.repo.header(entry.oid).is_ok_and(|(_, size)| size == stamp.size);
        let raw = as_stored.then_some(entry.oid);
        let compares = self.request.depth == Depth::Compare && context.reference.is_none();
        (raw.is_some() || compares).then_some(File {
            stamp,
            settled: true,
            raw,
            stored: raw.is_some(),
            clean: Some(entry.oid),
        })
    }

    fn ignores_itself(
        &self,
        fd: &OwnedFd,
        names: &[(Box<[u8]>, FileType)],
    ) -> Result<bool, GitError> {
        // One that was there before is ignored by the rules of then.
        if self.rules.by_dir.contains_key(&self.path) {
            return Ok(false);
        }
        let bytes = disk::read_small(fd, b".gitignore", FILE_BYTES_MAX)
            .map_err(|error| GitError::io("read .gitignore in", self.at(), error))?;
        let Some(bytes) = bytes else { return Ok(false) };
        let source = Source::new(bytes, None);
        let ignored = |(name, kind): &(Box<[u8]>, FileType)| {
            source.ignores(name, *kind == FileType::Directory) == Some(true)
        };
        Ok(names.iter().all(ignored))
    }

    fn load_rules(&mut self, fd: &OwnedFd) -> Result<(), GitError> {
        let RuleSource::Live(earlier) = self.request.rules else { return Ok(()) };
        let name = b".gitignore";
        let stamp = disk::stat(fd, name).ok();
        let before = earlier.by_dir.get(&self.path);
        let source = match before.filter(|source| source.stamp.is_some() && source.stamp == stamp) {
            Some(source) => Arc::clone(source),
            None => {
                let bytes = disk::read_small(fd, name, FILE_BYTES_MAX)
                    .map_err(|error| GitError::io("read .gitignore in", self.at(), error))?;
                let Some(bytes) = bytes else { return Ok(()) };
                let stamp = stamp.filter(|stamp| stamp.is_older_than(self.request.start_ns));
                Arc::new(Source::new(bytes, stamp))
            }
        };
        self.rules.by_dir.insert(self.path.clone(), source);
        Ok(())
    }
}
