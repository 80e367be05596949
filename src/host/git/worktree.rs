//! One repository with its work tree, and what is remembered about it between calls.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::{self, as_path};
use super::disk::{self, absent};
use super::eol::Settings;
use super::error::{GitError, Refusal};
use super::ignores::{FILE_BYTES_MAX, Rules};
use super::index::{Fault, Index};
use super::mirror::{Dir, Stamp};
use super::object::Head;
use super::oid::Oid;
use super::repo::Repo;
use super::request::{Access, Caches, Depth, Request, RuleSource, Scanned};
use super::scan;
use super::snapshot::Snapshot;
use super::tracked::Tracked;
use crate::engine::id::RepoPath;

/// Where the refs of this program are, and below that those of linked work trees.
const OWN_REFS: &str = "refs/looper/";
const LINKED: &str = "in/";

/// A repository and its work tree. All calls are synchronous; one value serves one project for the
/// life of the process, so that files are not read again as long as their stamps vouch for them.
pub struct Git {
    pub(super) repo: Repo,
    pub(super) root: PathBuf,
    root_fd: OwnedFd,
    /// Held open: while it is, no other directory can get its number.
    git_dir: OwnedFd,
    /// Where this work tree's own refs are.
    refs: String,
    pub(super) excluded: Vec<RepoPath>,
    pub(super) top: Option<Arc<Dir>>,
    pub(super) rules: Rules,
    /// How deep the last scan went, as long as nothing ran since.
    pub(super) fresh: Option<Depth>,
    /// Whether what the index remembers about files may be believed: not after a crash, when an
    /// agent may have written it.
    pub(super) trusts_index: bool,
    index: Option<(Stamp, Arc<Index>)>,
    pub(super) tracked: Option<Arc<Tracked>>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) candidate: Option<Oid>,
    /// Author and committer as they were before any agent could change the settings.
    pub(super) identities: Option<[(String, String); 2]>,
    hashed: u64,
}

/// Which files a scan reads, and by which rules it ignores some.
pub(super) struct Sight<'a> {
    pub(super) tracked: &'a Tracked,
    pub(super) depth: Depth,
    pub(super) access: Access,
    pub(super) caches: Caches,
    pub(super) reference: Option<&'a Arc<Dir>>,
    /// The rules of an earlier moment, or else those of now.
    pub(super) rules: Option<&'a Rules>,
}

impl Git {
    /// Opens the repository whose work tree has its top at `root`. Paths in `excluded`, with all
    /// below them, are never looked at, committed or brought back: the state directory belongs
    /// there.
    ///
    /// # Errors
    /// There is no repository that can be worked on safely: see [`Refusal`].
    pub fn open(root: &Path, excluded: &[RepoPath]) -> Result<Self, GitError> {
        let repo = Repo::open(root).map_err(|error| super::preflight::explain(root, error))?;
        Self::with(repo, root, excluded)
    }

    /// Whether everything that a run writes below `.git` and in the work tree may be written, as
    /// far as that can be told without writing.
    ///
    /// # Errors
    /// It may not.
    pub fn check_writable(&self) -> Result<(), GitError> {
        let common = self.repo.common_dir();
        let places = [self.root.clone(), self.repo.git_dir().to_owned(), common.to_owned()];
        for place in places.into_iter().chain(["objects", "refs"].map(|name| common.join(name))) {
            let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
            rustix::fs::access(&place, wanted)
                .map_err(|error| GitError::io("write into", &place, error))?;
        }
        Ok(())
    }

    pub(super) fn with(repo: Repo, root: &Path, excluded: &[RepoPath]) -> Result<Self, GitError> {
        let path = root.to_owned();
        let Some(top) = repo.work_dir() else { return Err(Refusal::Bare { path }.into()) };
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if real(top) != real(root) {
            return Err(Refusal::NotTheTop { path, top: top.to_owned() }.into());
        }
        let root_fd = disk::open_root(root).map_err(|error| GitError::io("open", root, error))?;
        let git_dir = disk::open_root(repo.git_dir())
            .map_err(|error| GitError::io("open", repo.git_dir(), error))?;
        // Runs in several work trees of one repository must not take each other's refs.
        let refs = match repo.git_dir().file_name() {
            Some(name) if repo.git_dir() != repo.common_dir() => {
                format!("{OWN_REFS}{LINKED}{}/", name.to_string_lossy())
            }
            _ => OWN_REFS.to_owned(),
        };
        Ok(Self {
            repo,
            root: path,
            root_fd,
            git_dir,
            refs,
            excluded: excluded.to_vec(),
            top: None,
            rules: Rules::default(),
            fresh: None,
            identities: None,
            trusts_index: true,
            index: None,
            tracked: None,
            snapshot: None,
            candidate: None,
            hashed: 0,
        })
    }

    /// Where the repository keeps what belongs to this work tree, and what all its work trees share.
    pub fn dirs(&self) -> [&Path; 2] {
        [self.repo.git_dir(), self.repo.common_dir()]
    }

    /// Says that something else may have written to the work tree since the last call. To be
    /// called after every child process.
    pub fn touched(&mut self) {
        self.fresh = None;
    }

    /// How many files were read so far. Files whose stamps vouch for them are not.
    pub fn files_read(&self) -> u64 {
        self.hashed
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root_fd.as_fd()
    }

    /// The full name of one of this work tree's own refs.
    pub(super) fn own_ref(&self, name: &str) -> String {
        format!("{}{name}", self.refs)
    }

    /// Whether a ref is one that a run in another work tree keeps.
    pub(super) fn is_anothers(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(OWN_REFS) else { return false };
        if self.refs == OWN_REFS { rest.starts_with(LINKED) } else { !name.starts_with(&self.refs) }
    }

    /// Makes sure that `.git` is still the one that was opened.
    pub(super) fn check_alive(&self) -> Result<(), GitError> {
        let path = self.repo.git_dir();
        let failed = |error: rustix::io::Errno| GitError::io("look at", path, error);
        let now = absent(disk::stat(&self.root_fd, path_bytes(path))).map_err(failed)?;
        let opened = disk::stat_open(&self.git_dir).map_err(failed)?;
        let same = |now: Stamp| now.ino == opened.ino && now.dev == opened.dev;
        let objects = self.repo.common_dir().join("objects");
        let objects = absent(disk::open_root(&objects)).map_err(failed)?;
        if now.is_some_and(same) && objects.is_some() {
            return Ok(());
        }
        Err(GitError::Lost { path: path.to_owned() })
    }

    /// HEAD, with the commit it is at.
    pub(super) fn head(&self) -> Result<(Head, Oid), GitError> {
        let head = self.repo.head()?;
        match head.commit {
            Some(commit) => Ok((head, commit)),
            None => Err(Refusal::Unborn { branch: head.branch.unwrap_or_default() }.into()),
        }
    }

    pub(super) fn index_path(&self) -> PathBuf {
        self.repo.git_dir().join("index")
    }

    /// The index as it is now. Parsed again only if the file changed.
    pub(super) fn read_index(&mut self) -> Result<Arc<Index>, GitError> {
        let path = self.index_path();
        let failed = |error: rustix::io::Errno| GitError::io("read", &path, error);
        let stamp = match disk::stat(&self.root_fd, path_bytes(&path)) {
            Ok(stamp) => stamp,
            Err(rustix::io::Errno::NOENT) => return Ok(Arc::default()),
            Err(error) => return Err(failed(error)),
        };
        if let Some((seen, index)) = &self.index
            && *seen == stamp
            && stamp.is_older_than(self.now_ns()?)
        {
            return Ok(Arc::clone(index));
        }
        let bytes = std::fs::read(&path).map_err(|error| GitError::io("read", &path, error))?;
        let index = Index::parse(&bytes).map_err(|fault| match fault {
            Fault::Damaged(reason) => GitError::Index { path: path.clone(), reason },
            Fault::Unsupported(feature) => {
                Refusal::Unsupported { feature: feature.to_owned() }.into()
            }
        })?;
        // One allocation for one meaning, so that sameness is cheap to see further on.
        let index = match self.index.take() {
            Some((_, before)) if before.same(&index) => before,
            _ => Arc::new(index),
        };
        self.index = Some((stamp, Arc::clone(&index)));
        Ok(index)
    }

    /// The time as the file system tells it: times of files come from its clock, not from ours.
    pub(super) fn now_ns(&self) -> Result<i64, GitError> {
        let dir = self.repo.git_dir();
        let probe = tempfile::tempfile_in(dir)
            .map_err(|error| GitError::io("make a temporary file in", dir, error))?;
        let stamp = disk::stat_open(&probe).map_err(|error| GitError::io("look at", dir, error))?;
        Ok(stamp.mtime_ns)
    }

    /// What git tracks at a commit whose tree this is, together with the index.
    pub(super) fn tracked(&mut self, head_tree: Oid) -> Result<Arc<Tracked>, GitError> {
        let index = self.read_index()?;
        if let Some(tracked) = &self.tracked
            && tracked.tree == head_tree
            && Arc::ptr_eq(&tracked.index, &index)
        {
            return Ok(Arc::clone(tracked));
        }
        let tracked = Arc::new(Tracked::new(&self.repo, head_tree, index)?);
        self.tracked = Some(Arc::clone(&tracked));
        Ok(tracked)
    }

    /// Looks at the work tree. Afterwards the last scan is this one.
    pub(super) fn look(&mut self, sight: &Sight<'_>) -> Result<Arc<Dir>, GitError> {
        self.look_for(sight).map(|(top, _)| top)
    }

    /// As [`look`](Self::look), and names the new directories that ignore themselves.
    pub(super) fn look_for(
        &mut self,
        sight: &Sight<'_>,
    ) -> Result<(Arc<Dir>, Vec<Vec<u8>>), GitError> {
        let mut conversion = self.conversion(&sight.tracked.attribute_files)?;
        let index_ns = match (&self.top, self.trusts_index) {
            (None, true) => self.index.as_ref().map(|(stamp, _)| stamp.mtime_ns),
            (Some(_), _) | (None, false) => None,
        };
        let start_ns = self.now_ns()?;
        let mut scanned = self.scan(sight, index_ns, conversion, start_ns)?;
        if conversion.is_none() && index_ns.is_some() {
            // An attribute file that git does not track was not known before.
            conversion = self.conversion(&scanned.attribute_files)?;
            if conversion.is_some() {
                scanned = self.scan(sight, index_ns, conversion, start_ns)?;
            }
        }
        self.hashed += scanned.hashed;
        self.rules = scanned.rules;
        self.top = Some(Arc::clone(&scanned.top));
        // What was left out has to be seen by the next one.
        self.fresh = scanned.caches.is_empty().then_some(sight.depth);
        Ok((scanned.top, scanned.caches))
    }

    fn scan(
        &self,
        sight: &Sight<'_>,
        index_ns: Option<i64>,
        conversion: Option<Settings>,
        start_ns: i64,
    ) -> Result<Scanned, GitError> {
        scan::scan(&Request {
            repo: &self.repo,
            root: self.root(),
            root_path: &self.root,
            excluded: &self.excluded,
            known: &sight.tracked.known,
            index_ns,
            earlier: self.top.as_ref(),
            reference: sight.reference,
            rules: sight.rules.map_or(RuleSource::Live(&self.rules), RuleSource::Pinned),
            depth: sight.depth,
            access: sight.access,
            caches: sight.caches,
            conversion,
            start_ns,
        })
    }

    /// The settings, if any file can differ from what git stores for it.
    pub(super) fn conversion(
        &self,
        attribute_files: &[Vec<u8>],
    ) -> Result<Option<Settings>, GitError> {
        const WORDS: [&[u8]; 4] = [b"text", b"eol", b"crlf", b"ident"];
        let settings = Settings::read(&self.repo)?;
        let named = settings.always_on() || self.attributes_name(attribute_files, &WORDS)?;
        Ok(named.then_some(settings))
    }

    /// Whether an attribute file holds one of these words.
    pub(super) fn attributes_name(
        &self,
        attribute_files: &[Vec<u8>],
        words: &[&[u8]],
    ) -> Result<bool, GitError> {
        let names = |bytes: &[u8]| {
            words.iter().any(|word| bytes.windows(word.len()).any(|window| window == *word))
        };
        for path in attribute_files {
            let full = self.root.join(as_path(path));
            let parent = absent(disk::open_parent(self.root(), path));
            let bytes = match parent.map_err(|error| GitError::io("open", &full, error))? {
                Some((dir, name)) => disk::read_small(dir, name, FILE_BYTES_MAX),
                None => Ok(None),
            };
            let bytes = bytes.map_err(|error| GitError::io("read", full, error))?;
            if bytes.is_some_and(|bytes| names(&bytes)) {
                return Ok(true);
            }
        }
        let elsewhere = [
            Some(self.repo.common_dir().join("info/attributes")),
            content::global_attributes(&self.repo)?,
            Some(PathBuf::from("/etc/gitattributes")),
        ];
        for path in elsewhere.into_iter().flatten() {
            if names(&content::pattern_file(&path)?.bytes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adopts an index that was just written.
    pub(super) fn adopt_index(&mut self, index: Arc<Index>) -> Result<(), GitError> {
        let path = self.index_path();
        let stamp = disk::stat(&self.root_fd, path_bytes(&path))
            .map_err(|error| GitError::io("look at", &path, error))?;
        self.index = Some((stamp, index));
        Ok(())
    }

    /// Whether a path is, or lies below, one that is left out of everything.
    pub(super) fn is_excluded(&self, path: &[u8]) -> bool {
        self.excluded.iter().any(|excluded| {
            path.strip_prefix(excluded.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }
}

pub(super) fn path_bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}
