//! The only file that names libgit2: a thin typed layer over objects, refs, configuration,
//! attributes and diffs. Work trees and the index are handled by this room itself.

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use git2::{AttrCheckFlags, AttrValue, ErrorClass, ErrorCode, ObjectType, RepositoryState};

use super::error::{GitError, LibraryError, LibraryKind, Refusal, absent};
use super::object::{Attr, CommitParts, Head, Kind, Target};
use super::oid::Oid;

/// An open repository.
pub(super) struct Repo {
    inner: git2::Repository,
}

fn failed(action: impl Into<String>) -> impl FnOnce(git2::Error) -> GitError {
    let action = action.into();
    move |error| {
        let kind = match error.code() {
            ErrorCode::NotFound | ErrorCode::UnbornBranch => LibraryKind::NotFound,
            ErrorCode::Locked => LibraryKind::Locked,
            ErrorCode::Modified | ErrorCode::Exists => LibraryKind::Modified,
            _ => match error.class() {
                ErrorClass::Os | ErrorClass::Filesystem | ErrorClass::NoMemory => {
                    LibraryKind::Machine
                }
                _ => LibraryKind::Other,
            },
        };
        let source = LibraryError { message: error.message().to_owned(), kind };
        GitError::Store { action, source }
    }
}

fn raw(oid: Oid) -> Result<git2::Oid, GitError> {
    git2::Oid::from_bytes(&oid.0).map_err(failed("read an object name"))
}

fn own(oid: git2::Oid) -> Oid {
    let mut bytes = [0; 20];
    let len = bytes.len();
    bytes.copy_from_slice(&oid.as_bytes()[..len]);
    Oid(bytes)
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn target(found: &git2::Reference<'_>) -> Option<Target> {
    match found.target() {
        Some(oid) => Some(Target::Direct(own(oid))),
        None => Some(Target::Symbolic(found.symbolic_target().ok()??.to_owned())),
    }
}

/// Makes every object, ref and lock file reach the device before it is named: by default libgit2
/// flushes nothing, and a power cut then leaves a repository with empty objects.
#[expect(unsafe_code, reason = "git2 has no safe call for this option")]
fn flush_everything() {
    // Counts as the initialisation of the library, which has to come first.
    git2::Version::get();
    let option = libgit2_sys::GIT_OPT_ENABLE_FSYNC_GITDIR as std::ffi::c_int;
    // SAFETY: the option takes exactly one int and only stores it.
    let code = unsafe { libgit2_sys::git_libgit2_opts(option, 1 as std::ffi::c_int) };
    debug_assert_eq!(code, 0, "the option exists in every libgit2 this links to");
}

impl Repo {
    /// Opens the repository whose work tree or git directory this is, without looking further up.
    pub(super) fn open(path: &Path) -> Result<Self, GitError> {
        flush_everything();
        match git2::Repository::open(path) {
            Ok(inner) => Ok(Self { inner }),
            Err(error) => match error.code() {
                ErrorCode::NotFound => {
                    Err(Refusal::NotARepository { path: path.to_owned() }.into())
                }
                ErrorCode::Owner => Err(Refusal::ForeignOwner { path: path.to_owned() }.into()),
                _ => Err(failed(format!("open the repository at {}", path.display()))(error)),
            },
        }
    }

    pub(super) fn init(path: &Path) -> Result<Self, GitError> {
        flush_everything();
        let inner = git2::Repository::init(path)
            .map_err(failed(format!("make a repository in {}", path.display())))?;
        Ok(Self { inner })
    }

    /// Reads one value of a configuration file that does not belong to an open repository.
    pub(super) fn value_in_file(file: &Path, key: &str) -> Option<String> {
        git2::Config::open(file).ok()?.get_string(key).ok()
    }

    pub(super) fn git_dir(&self) -> &Path {
        self.inner.path()
    }

    pub(super) fn common_dir(&self) -> &Path {
        self.inner.commondir()
    }

    pub(super) fn work_dir(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// The operation that is under way, if any.
    pub(super) fn operation(&self) -> Option<&'static str> {
        match self.inner.state() {
            RepositoryState::Clean => None,
            RepositoryState::Merge => Some("merge"),
            RepositoryState::Revert | RepositoryState::RevertSequence => Some("revert"),
            RepositoryState::CherryPick | RepositoryState::CherryPickSequence => {
                Some("cherry-pick")
            }
            RepositoryState::Bisect => Some("bisect"),
            RepositoryState::Rebase
            | RepositoryState::RebaseInteractive
            | RepositoryState::RebaseMerge => Some("rebase"),
            RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => Some("am"),
        }
    }

    pub(super) fn end_operation(&self) -> Result<(), GitError> {
        self.inner.cleanup_state().map_err(failed("end the operation in progress"))
    }

    pub(super) fn head(&self) -> Result<Head, GitError> {
        let action = || failed("read HEAD");
        let head = self.inner.find_reference("HEAD").map_err(action())?;
        let Some(branch) = head.symbolic_target().map_err(action())? else {
            return Ok(Head { branch: None, commit: head.target().map(own) });
        };
        let commit = match self.inner.find_reference(branch).and_then(|found| found.resolve()) {
            Ok(found) => found.target().map(own),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(error) => return Err(action()(error)),
        };
        Ok(Head { branch: Some(branch.to_owned()), commit })
    }

    pub(super) fn header(&self, oid: Oid) -> Result<(Kind, u64), GitError> {
        let action = || failed(format!("read the object {oid}"));
        let odb = self.inner.odb().map_err(action())?;
        let (size, kind) = odb.read_header(raw(oid)?).map_err(action())?;
        Ok((Self::kind(kind, oid)?, size as u64))
    }

    pub(super) fn read(&self, oid: Oid) -> Result<(Kind, Vec<u8>), GitError> {
        let action = || failed(format!("read the object {oid}"));
        let odb = self.inner.odb().map_err(action())?;
        let object = odb.read(raw(oid)?).map_err(action())?;
        Ok((Self::kind(object.kind(), oid)?, object.data().to_vec()))
    }

    fn kind(kind: ObjectType, oid: Oid) -> Result<Kind, GitError> {
        match kind {
            ObjectType::Blob => Ok(Kind::Blob),
            ObjectType::Tree => Ok(Kind::Tree),
            ObjectType::Commit => Ok(Kind::Commit),
            ObjectType::Tag => Ok(Kind::Tag),
            ObjectType::Any => Err(GitError::Damaged { what: "object", id: oid.to_string() }),
        }
    }

    pub(super) fn write(&self, kind: Kind, bytes: &[u8]) -> Result<Oid, GitError> {
        let kind = match kind {
            Kind::Blob => ObjectType::Blob,
            Kind::Tree => ObjectType::Tree,
            Kind::Commit => ObjectType::Commit,
            Kind::Tag => ObjectType::Tag,
        };
        let odb = self.inner.odb().map_err(failed("open the object store"))?;
        odb.write(kind, bytes).map(own).map_err(failed("write an object"))
    }

    /// Copies a blob of known size into the object store without holding it in memory.
    pub(super) fn write_stream(
        &self,
        size: u64,
        content: &mut dyn std::io::Read,
    ) -> Result<Oid, GitError> {
        let action = || failed("write an object");
        let odb = self.inner.odb().map_err(action())?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut writer = odb.writer(size, ObjectType::Blob).map_err(action())?;
        std::io::copy(content, &mut writer)
            .map_err(|source| GitError::io("copy a file into", self.common_dir(), source))?;
        writer.finalize().map(own).map_err(action())
    }

    pub(super) fn commit(&self, parts: &CommitParts<'_>) -> Result<Oid, GitError> {
        let action = || failed("write a commit");
        let time = git2::Time::new(parts.time, parts.offset_minutes);
        let author = git2::Signature::new(parts.author.0, parts.author.1, &time);
        let committer = git2::Signature::new(parts.committer.0, parts.committer.1, &time);
        let (author, committer) = (author.map_err(action())?, committer.map_err(action())?);
        let tree = self.inner.find_tree(raw(parts.tree)?).map_err(action())?;
        let parent = match parts.parent {
            Some(parent) => Some(self.inner.find_commit(raw(parent)?).map_err(action())?),
            None => None,
        };
        let parents: Vec<_> = parent.iter().collect();
        // The library's call that also writes it forgets that writing failed.
        let bytes = self
            .inner
            .commit_create_buffer(&author, &committer, parts.message, &tree, &parents)
            .map_err(action())?;
        self.write(Kind::Commit, &bytes)
    }

    pub(super) fn tree_of(&self, commit: Oid) -> Result<Oid, GitError> {
        let found = self.inner.find_commit(raw(commit)?);
        found.map(|found| own(found.tree_id())).map_err(failed(format!("read the commit {commit}")))
    }

    pub(super) fn descends(&self, commit: Oid, ancestor: Oid) -> Result<bool, GitError> {
        self.inner
            .graph_descendant_of(raw(commit)?, raw(ancestor)?)
            .map_err(failed(format!("compare {commit} with {ancestor}")))
    }

    /// Shows every commit that `tips` lead to and `hidden` do not, newest first, until `visit` has
    /// seen enough. What is not there, or is no commit, leads nowhere.
    pub(super) fn walk(
        &self,
        tips: &[Oid],
        hidden: &[Oid],
        mut visit: impl FnMut(Oid) -> Result<ControlFlow<()>, GitError>,
    ) -> Result<(), GitError> {
        let action = || failed("list the commits");
        let is_commit = |oid: &&Oid| matches!(self.header(**oid), Ok((Kind::Commit, _)));
        let mut walk = self.inner.revwalk().map_err(action())?;
        // In the order of git itself, which needs only as much of the history as is looked at: any
        // other one of the library reads all of it first.
        walk.set_sorting(git2::Sort::NONE).map_err(action())?;
        for oid in tips.iter().filter(is_commit) {
            walk.push(raw(*oid)?).map_err(action())?;
        }
        for oid in hidden.iter().filter(is_commit) {
            walk.hide(raw(*oid)?).map_err(action())?;
        }
        for found in walk {
            if visit(own(found.map_err(action())?))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn find_ref(&self, name: &str) -> Result<Option<Target>, GitError> {
        match self.inner.find_reference(name) {
            Ok(found) => Ok(target(&found)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(failed(format!("read {name}"))(error)),
        }
    }

    pub(super) fn set_ref(&self, name: &str, target: &Target, log: &str) -> Result<(), GitError> {
        let set = match target {
            Target::Direct(oid) => self.inner.reference(name, raw(*oid)?, true, log),
            Target::Symbolic(to) => self.inner.reference_symbolic(name, to, true, log),
        };
        set.map(|_| ()).map_err(failed(format!("set {name}")))
    }

    /// Moves a ref only if it still is where it was. The reflogs of the ref and of HEAD follow.
    pub(super) fn swap_ref(
        &self,
        name: &str,
        from: Oid,
        to: Oid,
        log: &str,
    ) -> Result<(), GitError> {
        self.inner
            .reference_matching(name, raw(to)?, true, raw(from)?, log)
            .map(|_| ())
            .map_err(failed(format!("move {name} from {from} to {to}")))
    }

    pub(super) fn delete_ref(&self, name: &str) -> Result<(), GitError> {
        self.inner
            .find_reference(name)
            .and_then(|mut found| found.delete())
            .map_err(failed(format!("delete {name}")))
    }

    /// A value of the configuration as it is now.
    pub(super) fn value(&self, key: &str) -> Result<Option<String>, GitError> {
        self.setting(key, |config| config.get_string(key))
    }

    /// A switch of the configuration. What does not read as one counts as absent.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, GitError> {
        self.setting(key, |config| config.get_bool(key))
    }

    fn setting<T>(
        &self,
        key: &str,
        read: impl FnOnce(&git2::Config) -> Result<T, git2::Error>,
    ) -> Result<Option<T>, GitError> {
        let action = || failed(format!("read the setting {key}"));
        let mut config = self.inner.config().map_err(action())?;
        let config = config.snapshot().map_err(action())?;
        absent(read(&config).map_err(action()))
    }

    /// Writes a value into the repository's own configuration.
    pub(super) fn set_value(&self, key: &str, value: &str) -> Result<(), GitError> {
        let config = self.inner.config().and_then(|all| all.open_level(git2::ConfigLevel::Local));
        let set = config.and_then(|mut config| config.set_str(key, value));
        set.map_err(failed(format!("set {key}")))
    }

    /// The names of the values that match a regular expression.
    pub(super) fn keys(&self, pattern: &str) -> Result<Vec<String>, GitError> {
        let action = || failed("read the configuration");
        let mut config = self.inner.config().map_err(action())?;
        let config = config.snapshot().map_err(action())?;
        let mut keys = Vec::new();
        let entries = config.entries(Some(pattern)).map_err(action())?;
        let each = entries.for_each(|entry| keys.extend(entry.name().map(str::to_owned)));
        each.map_err(action())?;
        Ok(keys)
    }

    /// Name and address of author and committer, from the environment or the configuration.
    pub(super) fn identities(&self) -> Option<[(String, String); 2]> {
        let read = |who: git2::Signature<'_>| {
            let pair = (who.name().ok()?.to_owned(), who.email().ok()?.to_owned());
            (!pair.0.is_empty() && !pair.1.is_empty()).then_some(pair)
        };
        let author = self.inner.author_from_env().ok().and_then(read)?;
        Some([author, self.inner.committer_from_env().ok().and_then(read)?])
    }

    /// Name and address of whoever works on this machine, without any repository.
    pub(super) fn default_identity() -> Option<(String, String)> {
        let config = git2::Config::open_default().ok()?.snapshot().ok()?;
        let pair = (config.get_string("user.name").ok()?, config.get_string("user.email").ok()?);
        (!pair.0.is_empty() && !pair.1.is_empty()).then_some(pair)
    }

    /// An attribute of a path by the attribute files as they are now.
    pub(super) fn attr(&self, path: &[u8], name: &str) -> Result<Attr, GitError> {
        let found = self
            .inner
            .get_attr_bytes(as_path(path), name, AttrCheckFlags::FILE_THEN_INDEX)
            .map_err(failed(format!("read the attribute {name}")))?;
        Ok(match AttrValue::always_bytes(found) {
            AttrValue::Unspecified => Attr::Unspecified,
            AttrValue::True => Attr::Set,
            AttrValue::False => Attr::Unset,
            AttrValue::String(text) => Attr::Value(text.as_bytes().to_vec()),
            AttrValue::Bytes(bytes) => Attr::Value(bytes.to_vec()),
        })
    }

    /// Every changed path in the status of another repository, with its state.
    pub(super) fn status(&self) -> Result<Vec<(Vec<u8>, u32)>, GitError> {
        let mut options = git2::StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true);
        let found = self.inner.statuses(Some(&mut options));
        let found = found.map_err(failed("read the status of a nested repository"))?;
        Ok(found.iter().map(|one| (one.path_bytes().to_vec(), one.status().bits())).collect())
    }

    /// Shows each line of the difference between two trees, with the path it belongs to, until
    /// `visit` says that it has seen enough.
    pub(super) fn diff(
        &self,
        old: Oid,
        new: Oid,
        mut visit: impl FnMut(&[u8], char, &[u8]) -> bool,
    ) -> Result<(), GitError> {
        let action = || failed(format!("compare the trees {old} and {new}"));
        let old_tree = self.inner.find_tree(raw(old)?).map_err(action())?;
        let new_tree = self.inner.find_tree(raw(new)?).map_err(action())?;
        let mut options = git2::DiffOptions::new();
        options.include_typechange(true).id_abbrev(12);
        let diff =
            self.inner.diff_tree_to_tree(Some(&old_tree), Some(&new_tree), Some(&mut options));
        let mut enough = false;
        let printed = diff.map_err(action())?.print(git2::DiffFormat::Patch, |delta, _, line| {
            let file = delta.new_file().path_bytes().or(delta.old_file().path_bytes());
            enough = !visit(file.unwrap_or_default(), line.origin(), line.content());
            !enough
        });
        if enough { Ok(()) } else { printed.map_err(action()) }
    }
}
