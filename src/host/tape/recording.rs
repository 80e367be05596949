//! One recorded call: checked before anything is believed of it, and played by a process that
//! stands where the agent stood.

use std::ffi::OsString;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::TapeError;
use super::page::{Becoming, Call, Content, End, Page};
use super::recorder::{CALL, CHANGE, named};
use crate::host::files;
use crate::host::git::{Make, make_again};

/// The hidden command that plays a recording.
pub const PLAY: &str = "__play";

/// A file of a change is held in memory while it is made again: no larger one is believed.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// A recorded call.
#[derive(Clone, Debug)]
pub struct Recording {
    folder: PathBuf,
    /// What is known about it.
    pub call: Call,
}

impl Recording {
    /// Reads a recording, and makes sure that every file of it is as it was written.
    ///
    /// # Errors
    /// Something is missing, or is not what was recorded.
    pub fn open(folder: &Path) -> Result<Self, TapeError> {
        let path = folder.join(CALL);
        let call = match Page::read(&path)? {
            Page::Call(call) => *call,
            Page::Tape(_) => {
                let reason = "it is about a whole tape".to_owned();
                return Err(TapeError::Page { path, reason });
            }
        };
        let recording = Self { folder: folder.to_owned(), call };
        recording.check()?;
        Ok(recording)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What stands in for the agent's program.
    ///
    /// # Errors
    /// This program's own file is gone.
    pub fn argv(&self) -> io::Result<Vec<OsString>> {
        let own = std::env::current_exe()?;
        Ok(vec![own.into(), PLAY.into(), self.folder.clone().into()])
    }

    fn check(&self) -> Result<(), TapeError> {
        if let End::Ended { stdout, stderr, .. } = &self.call.end {
            check(&self.folder.join("stdout"), &stdout.content)?;
            check(&self.folder.join("stderr"), &stderr.content)?;
        }
        for change in &self.call.change {
            if let Becoming::File { file, content, .. } | Becoming::Link { file, content } =
                &change.became
            {
                check(&self.changed(*file), content)?;
            }
        }
        Ok(())
    }

    fn changed(&self, file: u32) -> PathBuf {
        self.folder.join(CHANGE).join(file.to_string())
    }

    /// Does in a work tree what the agent did, and prints what it printed.
    ///
    /// # Errors
    /// A file of the recording cannot be read, or the work tree not be written.
    pub fn play(
        &self,
        root: &Path,
        stdout: &mut dyn Write,
        stderr: &mut dyn Write,
    ) -> Result<(), TapeError> {
        self.make_change(root)?;
        if let End::Ended { .. } = &self.call.end {
            self.print("stdout", stdout)?;
            self.print("stderr", stderr)?;
        }
        Ok(())
    }

    fn print(&self, name: &str, out: &mut dyn Write) -> Result<(), TapeError> {
        let path = self.folder.join(name);
        let mut file = files::open_read(&path)?;
        let copied = io::copy(&mut file, out).and_then(|_| out.flush());
        copied.map_err(TapeError::io("play", &path))
    }

    /// Nothing is made before all of it is known to be whole.
    fn make_change(&self, root: &Path) -> Result<(), TapeError> {
        let mut contents: Vec<Vec<u8>> = vec![];
        for change in &self.call.change {
            contents.push(match &change.became {
                Becoming::File { file, .. } | Becoming::Link { file, .. } => {
                    files::read_bounded(&self.changed(*file), FILE_BYTES_MAX)?
                }
                Becoming::Gone | Becoming::Dir { .. } | Becoming::Fifo => vec![],
            });
        }
        let both = self.call.change.iter().zip(&contents);
        let made: Vec<_> = both
            .map(|(change, content)| {
                let make = match &change.became {
                    Becoming::Gone => Make::Nothing,
                    Becoming::Dir { mode } => Make::Dir { permissions: *mode },
                    Becoming::File { mode, .. } => Make::File { permissions: *mode, content },
                    Becoming::Link { .. } => Make::Link { target: content },
                    Becoming::Fifo => Make::Fifo,
                };
                (change.path.clone(), make)
            })
            .collect();
        Ok(make_again(root, &made)?)
    }
}

/// Whether a file holds what it is said to hold.
fn check(path: &Path, content: &Content) -> Result<(), TapeError> {
    let mut file = files::open_read(path)?;
    let mut sha = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(TapeError::io("read", path)(error)),
        };
        bytes += count as u64;
        sha.update(&buffer[..count]);
        if bytes > content.bytes {
            break;
        }
    }
    let changed = |what: String| TapeError::Changed { path: path.to_owned(), what };
    if bytes != content.bytes {
        let more = if bytes > content.bytes { "more than " } else { "" };
        let known = content.bytes;
        return Err(changed(format!("it has {more}{} of {known} bytes", bytes.min(known))));
    }
    if named(sha) != content.sha256 {
        return Err(changed("its content differs".to_owned()));
    }
    Ok(())
}
