//! Reads one file and names its bytes as git does.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use sha1::{Digest as _, Sha1};

use super::disk;
use super::eol::Settings;
use super::error::GitError;
use super::ignores::{FILE_BYTES_MAX, Source};
use super::mirror::{File, SpecialKind, Stamp};
use super::object::Kind;
use super::oid::{Entry, Oid, mode};
use super::repo::Repo;

/// Files larger than this are read in pieces, and their line endings are left alone.
const WHOLE_BYTES_MAX: u64 = 64 << 20;

/// How often a file that changes under the reader is read again.
const TRIES_MAX: usize = 3;

/// What is wanted of a file.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) repo: &'a Repo,
    pub(super) store: bool,
    /// Whether permission to read may be taken.
    pub(super) force: bool,
    pub(super) start_ns: i64,
    pub(super) conversion: Option<Settings>,
    /// What the repository has for the path.
    pub(super) committed: Option<Entry>,
}

pub(super) enum Read {
    File(File),
    Unreadable,
    Gone,
}

/// Reads a file or a link whose stamp is `stamp`.
pub(super) fn read(
    wish: &Wish<'_>,
    at: BorrowedFd<'_>,
    name: &[u8],
    path: &[u8],
    stamp: Stamp,
    full_path: &Path,
) -> Result<Read, GitError> {
    let failed = |error: std::io::Error| GitError::io("read", full_path, error);
    if stamp.is_link() {
        let target = match disk::read_link(at, name) {
            Ok(target) => target,
            Err(Errno::NOENT | Errno::INVAL) => return Ok(Read::Gone),
            Err(error) => return Err(failed(error.into())),
        };
        let raw = named(wish, &target)?;
        let settled = stamp.is_older_than(wish.start_ns);
        let clean = Some(raw);
        return Ok(Read::File(File { stamp, settled, raw: Some(raw), stored: wish.store, clean }));
    }
    let mut forced = None;
    let mut file = match disk::open_file(at, name) {
        Err(Errno::ACCESS) if wish.force => {
            forced = Some(stamp.permissions());
            set_mode(at, name, stamp.permissions() | 0o400).map_err(|one| failed(one.into()))?;
            disk::open_file(at, name)
        }
        opened => opened,
    };
    if let Some(permissions) = forced {
        set_mode(at, name, permissions).map_err(|error| failed(error.into()))?;
    }
    let file = match &mut file {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(Read::Gone),
        Err(Errno::ACCESS) => return Ok(Read::Unreadable),
        Err(error) => return Err(failed((*error).into())),
    };
    for attempt in 1..=TRIES_MAX {
        let before = disk::stat_open(&*file).map_err(|error| failed(error.into()))?;
        if !before.is_file() {
            return Ok(Read::Gone);
        }
        let (raw, clean) = match contents(wish, file, path, before.size, full_path) {
            // A file that shrinks while it is copied is read again.
            Err(_) if before.size > WHOLE_BYTES_MAX && attempt < TRIES_MAX => (None, None),
            read => read.map(|(raw, clean)| (Some(raw), clean))?,
        };
        let after = disk::stat_open(&*file).map_err(|error| failed(error.into()))?;
        if raw.is_some() && (before == after || attempt == TRIES_MAX) {
            let settled = before == after && after.is_older_than(wish.start_ns);
            let stored = wish.store;
            return Ok(Read::File(File { stamp: after, settled, raw, stored, clean }));
        }
        std::io::Seek::rewind(file).map_err(failed)?;
    }
    Ok(Read::Gone)
}

fn set_mode(at: BorrowedFd<'_>, name: &[u8], permissions: u32) -> Result<(), Errno> {
    rustix::fs::chmodat(at, name, Mode::from_raw_mode(permissions), AtFlags::empty())
}

/// The names of the bytes as they are and as git stores them.
fn contents(
    wish: &Wish<'_>,
    file: &mut std::fs::File,
    path: &[u8],
    size: u64,
    full_path: &Path,
) -> Result<(Oid, Option<Oid>), GitError> {
    let failed = |error: std::io::Error| GitError::io("read", full_path, error);
    if size > WHOLE_BYTES_MAX {
        let mut limited = file.take(size);
        if wish.store {
            return Ok((wish.repo.write_stream(size, &mut limited)?, None));
        }
        let mut hash = Sha1::new_with_prefix(format!("blob {size}\0"));
        std::io::copy(&mut limited, &mut HashWriter(&mut hash)).map_err(failed)?;
        return Ok((Oid(hash.finalize().into()), None));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(WHOLE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    let raw = named(wish, &bytes)?;
    let Some(settings) = wish.conversion else { return Ok((raw, Some(raw))) };
    let stored = || stored_text(wish.repo, wish.committed);
    let clean = settings.clean(wish.repo, path, &bytes, stored)?;
    Ok((raw, Some(name_of(&clean))))
}

struct HashWriter<'a>(&'a mut Sha1);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn named(wish: &Wish<'_>, bytes: &[u8]) -> Result<Oid, GitError> {
    if wish.store { wish.repo.write(Kind::Blob, bytes) } else { Ok(name_of(bytes)) }
}

/// The name a blob of these bytes has.
pub(super) fn name_of(bytes: &[u8]) -> Oid {
    let mut hash = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    Oid(hash.finalize().into())
}

/// The content of a file that the repository has, unless it is too large to look into.
pub(super) fn stored_text(repo: &Repo, entry: Option<Entry>) -> Result<Option<Vec<u8>>, GitError> {
    match entry {
        Some(entry)
            if mode::kind(entry.mode) == mode::kind(mode::FILE)
                && repo.header(entry.oid)?.1 <= WHOLE_BYTES_MAX =>
        {
            repo.read(entry.oid).map(|(_, bytes)| Some(bytes))
        }
        Some(_) | None => Ok(None),
    }
}

/// The name of the bytes git would store for a file whose raw bytes are in the object store.
/// Writes them there.
pub(super) fn clean_stored(
    repo: &Repo,
    settings: Settings,
    path: &[u8],
    raw: Oid,
    committed: Option<Entry>,
) -> Result<Oid, GitError> {
    if repo.header(raw)?.1 > WHOLE_BYTES_MAX {
        return Ok(raw);
    }
    let (_, bytes) = repo.read(raw)?;
    match settings.clean(repo, path, &bytes, || stored_text(repo, committed))? {
        std::borrow::Cow::Borrowed(_) => Ok(raw),
        std::borrow::Cow::Owned(bytes) => repo.write(Kind::Blob, &bytes),
    }
}

/// Which special file it is.
pub(super) fn special_kind(stamp: &Stamp) -> SpecialKind {
    match mode::kind(stamp.mode) {
        0o010_000 => SpecialKind::Fifo,
        0o140_000 => SpecialKind::Socket,
        _ => SpecialKind::Device,
    }
}

/// Whether some file system takes the name for `.git`: case, trailing dots and spaces, streams,
/// short names, and characters that HFS+ leaves out.
pub(super) fn is_reserved(name: &[u8]) -> bool {
    let text = String::from_utf8_lossy(name);
    let ignorable = |char: &char| {
        !matches!(char, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}')
    };
    let text: String = text.chars().filter(ignorable).collect::<String>().to_ascii_lowercase();
    let stem = text.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    matches!(stem, ".git" | "git~1")
}

pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// A pattern file that does not belong to a directory. A missing one holds no pattern.
pub(super) fn pattern_file(path: &Path) -> Result<Arc<Source>, GitError> {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let failed = |error| GitError::io("read", path, error);
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        // As git does: what may not be read holds no pattern, and hides nothing.
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | PermissionDenied) => {
            return Ok(Arc::default());
        }
        Err(error) => return Err(failed(error)),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Ok(Arc::default());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Arc::new(Source::new(bytes, None)))
}

/// Where patterns for all of a person's repositories are.
pub(super) fn global_ignores(repo: &Repo) -> Result<Option<PathBuf>, GitError> {
    configured(repo, "core.excludesFile", "ignore")
}

/// Where attributes for all of a person's repositories are.
pub(super) fn global_attributes(repo: &Repo) -> Result<Option<PathBuf>, GitError> {
    configured(repo, "core.attributesFile", "attributes")
}

fn configured(repo: &Repo, key: &str, default: &str) -> Result<Option<PathBuf>, GitError> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if let Some(path) = repo.value(key)? {
        return Ok(match path.strip_prefix("~/") {
            Some(rest) => home.map(|home| home.join(rest)),
            None => Some(PathBuf::from(path)),
        });
    }
    let config = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(home?.join(".config")));
    Ok(config.map(|config| config.join("git").join(default)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(".git", true)]
    #[case(".GIT", true)]
    #[case(".git. .", true)]
    #[case("git~1", true)]
    #[case(".git::$INDEX_ALLOCATION", true)]
    #[case(".g\u{200c}it", true)]
    #[case(".gitignore", false)]
    #[case("git", false)]
    #[case(".github", false)]
    fn a_reserved_name_is_seen_through(#[case] name: &str, #[case] want: bool) {
        assert_eq!(is_reserved(name.as_bytes()), want);
    }

    #[test]
    fn bytes_are_named_as_git_names_them() {
        assert_eq!(name_of(b"hello\n").to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
