//! Writes a tape: each call into a folder that takes its name when it is complete.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::TapeError;
use super::page::{Becoming, Call, Change, Content, End, Page, Stream, Tape, VERSION};
use crate::engine::at::At;
use crate::engine::charter::{AgentTerms, SandboxLevel, Stage};
use crate::engine::id::{AgentName, Digest, RepoPath, TaskId, TreeId};
use crate::engine::report::Class;
use crate::host::agents::Turn;
use crate::host::files;
use crate::host::git::Became;
use crate::host::process::Ended;

/// The page about the tape.
pub(super) const TAPE: &str = "tape.json";

/// The page about a call, in its folder.
pub(super) const CALL: &str = "call.json";

/// The files that a call has changed, in its folder.
pub(super) const CHANGE: &str = "change";

/// What a folder is called before it is complete.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// How many changed paths are kept of one call. Nobody can judge more.
pub(super) const CHANGES_MAX: usize = 50_000;

/// How much of a change is kept of one call, in bytes. A candidate's largest file fits.
const CHANGE_BYTES_MAX: u64 = 512 << 20;

/// How much of a task's name is in the name of a folder.
const TASK_CHARS_MAX: usize = 40;

/// Writes a tape.
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    next: u32,
}

/// A call that is about to be recorded, and what is known about it beforehand.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The stage.
    pub stage: Stage,
    /// The task.
    pub task: &'a TaskId,
    /// The attempt at it.
    pub attempt: u32,
    /// Who is called.
    pub agent: &'a AgentName,
    /// How.
    pub terms: &'a AgentTerms,
    /// What holds it.
    pub sandbox: SandboxLevel,
    /// The tree that the attempt's change is counted from.
    pub tree: &'a TreeId,
    /// SHA-256 of the prompt.
    pub prompt: Digest,
}

/// A call that is being recorded. Where it is dropped before its end, nothing is on the tape.
#[derive(Debug)]
#[must_use = "it is on the tape once it is finished"]
pub struct Take {
    dir: PathBuf,
    folder: PathBuf,
    name: String,
    number: u32,
    change: Vec<Change>,
    left_out: Vec<String>,
    bytes_left: u64,
    files: u32,
}

impl Recorder {
    /// Begins a tape in a directory that is new or empty, or goes on with the one that is there.
    ///
    /// # Errors
    /// Others may look into the directory, it holds something else, or the system refuses.
    pub fn open(dir: &Path) -> Result<Self, TapeError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(TapeError::io("create the directory", dir))?;
        let dir = &fs::canonicalize(dir).map_err(TapeError::io("find", dir))?;
        let found = fs::metadata(dir).map_err(TapeError::io("look at", dir))?;
        if found.mode() & 0o077 != 0 {
            return Err(TapeError::Open { path: dir.clone() });
        }
        let mut next = 1;
        let mut is_empty = true;
        for entry in fs::read_dir(dir).map_err(TapeError::io("read", dir))? {
            let entry = entry.map_err(TapeError::io("read", dir))?;
            is_empty = false;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What was cut off stays, and says so: its number is not given away again.
            let name = name.strip_prefix(UNFINISHED).unwrap_or(&name);
            if let Some(number) = number_of(name) {
                next = next.max(number + 1);
            }
        }
        if !is_empty && fs::symlink_metadata(dir.join(TAPE)).is_err() {
            return Err(TapeError::NoTape { path: dir.clone() });
        }
        Ok(Self { dir: dir.clone(), next })
    }

    /// Where the tape is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Says what all calls have in common, or makes sure that it is what was said before.
    ///
    /// # Errors
    /// The tape was begun with other agents, or the system refuses.
    pub fn begin(&self, tape: Tape) -> Result<(), TapeError> {
        let path = self.dir.join(TAPE);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(files::write_atomic(&path, &Page::Tape(tape).text(), 0o600)?);
        }
        match Page::read(&path)? {
            Page::Tape(known) if (&known.roles, &known.agents) == (&tape.roles, &tape.agents) => {
                Ok(())
            }
            Page::Tape(_) => Err(TapeError::OtherRoles { path: self.dir.clone() }),
            Page::Call(_) => Err(TapeError::Page { path, reason: "it is about a call".to_owned() }),
        }
    }

    /// Begins to record a call.
    ///
    /// # Errors
    /// The system refuses.
    pub fn take(&mut self, stage: Stage, task: &TaskId) -> Result<Take, TapeError> {
        let number = self.next;
        let name = format!("{number:04}-{}-{}", stage.name(), plain(task));
        let folder = self.dir.join(format!("{UNFINISHED}{name}"));
        make_private(&folder)?;
        self.next += 1;
        let (change, left_out) = (vec![], vec![]);
        let dir = self.dir.clone();
        let bytes_left = CHANGE_BYTES_MAX;
        Ok(Take { dir, folder, name, number, change, left_out, bytes_left, files: 0 })
    }
}

impl Take {
    /// One path that the call has changed.
    ///
    /// # Errors
    /// It cannot be read, or not be written here.
    pub fn changed(&mut self, path: &RepoPath, became: Became) -> Result<(), TapeError> {
        if self.change.len() >= CHANGES_MAX {
            self.leave_out("more changed paths than a tape holds");
            return Ok(());
        }
        let became = match became {
            Became::Gone => Becoming::Gone,
            Became::Dir { permissions } => Becoming::Dir { mode: permissions },
            Became::Fifo => Becoming::Fifo,
            Became::Link { target } => {
                let Some((file, content)) = self.keep(&mut &target[..])? else { return Ok(()) };
                Becoming::Link { file, content }
            }
            Became::File { permissions, mut file } => {
                let kept = self.keep(&mut file)?;
                let Some((file, content)) = kept else { return Ok(()) };
                Becoming::File { mode: permissions, file, content }
            }
            Became::Other(kind) => {
                self.leave_out(&format!("{path} became something else: {kind:?}"));
                return Ok(());
            }
        };
        self.change.push(Change { path: path.clone(), became });
        Ok(())
    }

    /// Something that the call did and that is not on the tape.
    pub fn leave_out(&mut self, what: &str) {
        if !self.left_out.iter().any(|known| known == what) && self.left_out.len() < 100 {
            self.left_out.push(what.to_owned());
        }
    }

    fn keep(&mut self, from: &mut dyn Read) -> Result<Option<(u32, Content)>, TapeError> {
        let dir = self.folder.join(CHANGE);
        if self.files == 0 {
            make_private(&dir)?;
        }
        self.files += 1;
        let path = dir.join(self.files.to_string());
        let content = copy(&mut from.take(self.bytes_left + 1), &path)?;
        if content.bytes > self.bytes_left {
            files::clear(&path)?;
            self.leave_out("more changed bytes than a tape holds");
            return Ok(None);
        }
        self.bytes_left -= content.bytes;
        Ok(Some((self.files, content)))
    }

    /// A call for which no process was started.
    ///
    /// # Errors
    /// The system refuses.
    pub fn not_started(self, about: About<'_>, at: At, class: Class) -> Result<(), TapeError> {
        self.finish(about, at, End::NotStarted { class })
    }

    /// A call whose process has ended, with what its program wrote about it elsewhere, and the files
    /// that hold what it printed.
    ///
    /// # Errors
    /// The system refuses.
    pub fn ended(
        self,
        about: About<'_>,
        at: At,
        ended: &Ended,
        turn: Option<&Turn>,
        streams: [&Path; 2],
    ) -> Result<(), TapeError> {
        let keep = |name: &str, from: &Path, printed: u64| {
            let mut file = files::open_read(from)?;
            let content = copy(&mut file, &self.folder.join(name))?;
            Ok::<_, TapeError>(Stream { content, printed })
        };
        let [stdout, stderr] = streams;
        let stdout = keep("stdout", stdout, ended.stdout_bytes)?;
        let stderr = keep("stderr", stderr, ended.stderr_bytes)?;
        self.finish(about, at, End::of(ended, turn, [stdout, stderr]))
    }

    /// The name comes last: whatever dies before that leaves a folder that says it is unfinished.
    fn finish(self, about: About<'_>, at: At, end: End) -> Result<(), TapeError> {
        let call = Call {
            v: VERSION,
            number: self.number,
            stage: about.stage,
            task: about.task.clone(),
            attempt: about.attempt,
            agent: about.agent.clone(),
            output: about.terms.output.clone(),
            model: about.terms.model.clone(),
            sandbox: about.sandbox,
            tree: about.tree.clone(),
            prompt: about.prompt,
            at,
            end,
            change: self.change,
            left_out: self.left_out,
        };
        let page = self.folder.join(CALL);
        files::write_atomic(&page, &Page::Call(Box::new(call)).text(), 0o600)?;
        if self.files > 0 {
            files::sync_dir(&self.folder.join(CHANGE))?;
        }
        let place = self.dir.join(&self.name);
        fs::rename(&self.folder, &place).map_err(TapeError::io("finish", &place))?;
        Ok(files::sync_dir(&self.dir)?)
    }
}

/// The number in the name of a finished folder.
pub(super) fn number_of(name: &str) -> Option<u32> {
    let (number, _) = name.split_once('-')?;
    let is_number = number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|number| is_number && *number > 0 && *number < u32::MAX)
}

/// A task's name as it can stand in the name of a folder.
fn plain(task: &TaskId) -> String {
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_');
    let chars = task.as_str().chars().take(TASK_CHARS_MAX);
    chars.map(|char| if fits(char) { char } else { '-' }).collect()
}

fn make_private(dir: &Path) -> Result<(), TapeError> {
    DirBuilder::new().mode(0o700).create(dir).map_err(TapeError::io("create the directory", dir))
}

/// Copies to a new file for its owner alone, and makes it durable.
fn copy(from: &mut dyn Read, to: &Path) -> Result<Content, TapeError> {
    let mut copied = || -> io::Result<Content> {
        let mut file: File =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let mut sha = Sha256::new();
        let mut bytes = 0;
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            file.write_all(&buffer[..count])?;
            sha.update(&buffer[..count]);
            bytes += count as u64;
        }
        file.sync_all()?;
        Ok(Content { bytes, sha256: named(sha) })
    };
    copied().map_err(TapeError::io("write", to))
}

pub(super) fn named(sha: Sha256) -> Digest {
    Digest::new(sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
