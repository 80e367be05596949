//! Which system calls change what is on the disk, and on which path.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};

use nix::libc::{self, c_long, user_regs_struct};
use nix::unistd::Pid;

/// The longest path that is read.
const PATH_MAX: u64 = 4096;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Puts bytes into a file.
    Write,
    /// Makes something durable.
    Sync,
    /// Makes a name, or empties a file on opening it.
    Create,
    Rename,
    Link,
    Remove,
    Directory,
    Truncate,
    /// Changes permissions, owners or times.
    Attributes,
    /// Starts a process.
    Spawn,
}

impl Kind {
    pub(super) fn needs_space(self) -> bool {
        matches!(
            self,
            Self::Write | Self::Sync | Self::Create | Self::Rename | Self::Link | Self::Directory
        )
    }

    pub(super) fn asks_permission(self) -> bool {
        !matches!(self, Self::Write | Self::Sync | Self::Spawn)
    }
}

/// One call that is about to change something.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    number: c_long,
    /// Where, seen from outside.
    pub(super) path: PathBuf,
    /// The open file, by its name under `/proc`: it works for files without a name too.
    pub(super) open: Option<PathBuf>,
}

impl Call {
    /// Lets a write put down only half of what it was given.
    pub(super) fn halve(&self, registers: &mut user_regs_struct) {
        match self.number {
            libc::SYS_sendfile => registers.r10 /= 2,
            libc::SYS_copy_file_range | libc::SYS_splice => registers.r8 /= 2,
            // Of a vector with one part nothing is left, which is as bad.
            _ => registers.rdx /= 2,
        }
    }

    /// Whether it makes a whole file system durable.
    pub(super) fn is_of_everything(&self) -> bool {
        self.number == libc::SYS_syncfs
    }

    /// Whether afterwards the device is known to hold the file.
    pub(super) fn is_barrier(&self) -> bool {
        matches!(self.number, libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_syncfs)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.kind, self.path.display())
    }
}

/// A thread that stands at the door of a system call.
pub(super) struct Caller<'a> {
    pub(super) thread: Pid,
    pub(super) registers: &'a user_regs_struct,
    pub(super) memory: &'a File,
}

impl Caller<'_> {
    /// The call, if it changes something below `place`.
    pub(super) fn call(&self, place: &Path) -> Option<Call> {
        let number: c_long = self.registers.orig_rax.cast_signed();
        let registers = self.registers;
        let [a, b, c] = [registers.rdi, registers.rsi, registers.rdx];
        let cwd = i64::from(libc::AT_FDCWD).cast_unsigned();
        let (kind, place_of) = match number {
            libc::SYS_write
            | libc::SYS_pwrite64
            | libc::SYS_writev
            | libc::SYS_pwritev
            | libc::SYS_pwritev2
            | libc::SYS_sendfile => (Kind::Write, On::File(a)),
            libc::SYS_copy_file_range | libc::SYS_splice => (Kind::Write, On::File(c)),
            libc::SYS_fallocate => (Kind::Write, On::File(a)),
            libc::SYS_fsync
            | libc::SYS_fdatasync
            | libc::SYS_syncfs
            | libc::SYS_sync_file_range => (Kind::Sync, On::File(a)),
            libc::SYS_creat => (Kind::Create, On::Name(cwd, a)),
            libc::SYS_open if creates(b) => (Kind::Create, On::Name(cwd, a)),
            libc::SYS_openat if creates(c) => (Kind::Create, On::Name(a, b)),
            libc::SYS_openat2 if creates(self.number_at(c)) => (Kind::Create, On::Name(a, b)),
            libc::SYS_mknod => (Kind::Create, On::Name(cwd, a)),
            libc::SYS_mknodat => (Kind::Create, On::Name(a, b)),
            libc::SYS_rename => (Kind::Rename, On::Name(cwd, b)),
            libc::SYS_renameat | libc::SYS_renameat2 => (Kind::Rename, On::Name(c, registers.r10)),
            libc::SYS_link | libc::SYS_symlink => (Kind::Link, On::Name(cwd, b)),
            libc::SYS_linkat => (Kind::Link, On::Name(c, registers.r10)),
            libc::SYS_symlinkat => (Kind::Link, On::Name(b, c)),
            libc::SYS_unlink | libc::SYS_rmdir => (Kind::Remove, On::Name(cwd, a)),
            libc::SYS_unlinkat => (Kind::Remove, On::Name(a, b)),
            libc::SYS_mkdir => (Kind::Directory, On::Name(cwd, a)),
            libc::SYS_mkdirat => (Kind::Directory, On::Name(a, b)),
            libc::SYS_ftruncate => (Kind::Truncate, On::File(a)),
            libc::SYS_truncate => (Kind::Truncate, On::Name(cwd, a)),
            libc::SYS_chmod | libc::SYS_chown | libc::SYS_lchown | libc::SYS_utimes => {
                (Kind::Attributes, On::Name(cwd, a))
            }
            libc::SYS_fchmod | libc::SYS_fchown => (Kind::Attributes, On::File(a)),
            libc::SYS_utimensat if b == 0 => (Kind::Attributes, On::File(a)),
            libc::SYS_fchmodat | libc::SYS_fchmodat2 | libc::SYS_fchownat | libc::SYS_utimensat => {
                (Kind::Attributes, On::Name(a, b))
            }
            libc::SYS_clone if !is_thread(a) => (Kind::Spawn, On::Nothing),
            libc::SYS_clone3 if !is_thread(self.number_at(a)) => (Kind::Spawn, On::Nothing),
            libc::SYS_fork | libc::SYS_vfork => (Kind::Spawn, On::Nothing),
            libc::SYS_mmap => {
                self.check_mapping(place);
                return None;
            }
            _ => return None,
        };
        let (path, open) = match place_of {
            On::Nothing => (PathBuf::from("a process"), None),
            On::File(fd) => (self.file(fd)?, Some(self.link(fd))),
            On::Name(dir, name) => (self.name(dir, name)?, None),
        };
        let is_ours = kind == Kind::Spawn || is_below(&path, place);
        is_ours.then_some(Call { kind, number, path, open })
    }

    /// What is written through a shared mapping would be neither counted nor torn.
    fn check_mapping(&self, place: &Path) {
        let (protection, flags) = (self.registers.rdx, self.registers.r10);
        let has = |value: u64, flag: i32| value & i64::from(flag).cast_unsigned() != 0;
        if has(protection, libc::PROT_WRITE)
            && has(flags, libc::MAP_SHARED)
            && !has(flags, libc::MAP_ANONYMOUS)
            && let Some(path) = self.file(self.registers.r8)
        {
            assert!(!is_below(&path, place), "{} is written through a mapping", path.display());
        }
    }

    fn link(&self, fd: u64) -> PathBuf {
        // The kernel looks at the lower half only.
        PathBuf::from(format!("/proc/{}/fd/{}", self.thread, fd as u32))
    }

    fn file(&self, fd: u64) -> Option<PathBuf> {
        fs::read_link(self.link(fd)).ok().filter(|path| path.is_absolute())
    }

    fn name(&self, dir: u64, name: u64) -> Option<PathBuf> {
        let name = self.text_at(name)?;
        if name.is_absolute() {
            return Some(name);
        }
        let dir = match dir as u32 as i32 {
            libc::AT_FDCWD => fs::read_link(format!("/proc/{}/cwd", self.thread)).ok()?,
            _ => self.file(dir)?,
        };
        Some(dir.join(name))
    }

    fn text_at(&self, address: u64) -> Option<PathBuf> {
        let mut bytes = vec![];
        let mut chunk = [0; 256];
        while (bytes.len() as u64) < PATH_MAX {
            let at = address + bytes.len() as u64;
            // Not beyond the page: the next one need not be there.
            let room = usize::try_from(4096 - at % 4096).expect("a page is small").min(256);
            let read = self.memory.read_at(&mut chunk[..room], at).ok().filter(|read| *read > 0)?;
            match chunk[..read].iter().position(|byte| *byte == 0) {
                Some(end) => {
                    bytes.extend_from_slice(&chunk[..end]);
                    return Some(PathBuf::from(OsString::from_vec(bytes)));
                }
                None => bytes.extend_from_slice(&chunk[..read]),
            }
        }
        None
    }

    fn number_at(&self, address: u64) -> u64 {
        let mut bytes = [0; 8];
        self.memory.read_exact_at(&mut bytes, address).expect("the argument of a call is there");
        u64::from_ne_bytes(bytes)
    }
}

/// On what a call works.
enum On {
    Nothing,
    /// An open file.
    File(u64),
    /// A name at an address, seen from an open directory.
    Name(u64, u64),
}

fn creates(flags: u64) -> bool {
    flags & i64::from(libc::O_CREAT | libc::O_TRUNC).cast_unsigned() != 0
}

fn is_thread(flags: u64) -> bool {
    flags & i64::from(libc::CLONE_THREAD).cast_unsigned() != 0
}

/// What the program prints is nobody's work.
fn is_below(path: &Path, place: &Path) -> bool {
    let mut rest = match path.strip_prefix(place) {
        Ok(rest) => rest.components(),
        Err(_) => return false,
    };
    rest.next() != Some(Component::Normal("output".as_ref()))
}
