//! What a stage printed before it was cut short is kept with the attempt's evidence.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::host_world::{HostWorld, scratch_prefix};
use super::stage::redact_into;
use crate::engine::id::RunId;

/// What it is called in the attempt's folder.
const NAME: &str = "cut_short.txt";

/// How much of each stream is kept, in bytes. It is for a person who wants to know how far it came.
const STREAM_BYTES_MAX: u64 = 1 << 20;

/// How many streams are kept: two for an agent, two for each verify command.
const STREAMS_MAX: usize = 32;

impl HostWorld {
    /// Removes what a process that was killed left in the temporary directory: what agents printed
    /// lies there as they printed it, secrets included. The end of it stays with the evidence.
    pub fn sweep_scratch(&self, run: &RunId, loop_number: u32) {
        let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
        let prefix = scratch_prefix(run);
        let evidence = self.layout.evidence_of(loop_number.into());
        for entry in entries.flatten() {
            if !entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
                continue;
            }
            keep(&entry.path(), &evidence);
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!(path = %entry.path().display(), %error, "not removed");
            }
        }
    }

    /// Keeps what a stage of this process printed that a signal cut short.
    pub(super) fn keep_cut_short(&self, scratch: &Path) {
        keep(scratch, &self.layout.evidence_of(self.loop_number.into()));
    }
}

/// An attempt that is cut short is settled without this, so a full disk is no reason to stop.
fn keep(scratch: &Path, evidence: &Path) {
    if let Err(error) = copy(scratch, evidence) {
        tracing::debug!(path = %evidence.display(), %error, "what was printed is not kept");
    }
}

fn copy(scratch: &Path, evidence: &Path) -> io::Result<()> {
    let streams = streams(scratch)?;
    if streams.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(evidence)?;
    let mut text = Vec::new();
    for stream in streams {
        let name = stream.strip_prefix(scratch).unwrap_or(&stream);
        writeln!(text, "--- {}", name.display())?;
        redact_into(&stream, &mut Bounded { text: &mut text, left: STREAM_BYTES_MAX })?;
    }
    // The name is new: an attempt is cut short once, and what stands there is not followed.
    File::create_new(evidence.join(NAME))?.write_all(&text)
}

/// Files with something in them that a program printed, here and one level below.
fn streams(scratch: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![];
    let mut dirs = vec![scratch.to_owned()];
    for entry in fs::read_dir(scratch)?.flatten().take(STREAMS_MAX) {
        if entry.file_type()?.is_dir() {
            dirs.push(entry.path());
        }
    }
    for path in dirs.iter().flat_map(|dir| ["stdout", "stderr"].map(|name| dir.join(name))) {
        // An agent can reach this place: a link is not followed.
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() > 0) {
            found.push(path);
        }
    }
    found.sort();
    found.truncate(STREAMS_MAX);
    Ok(found)
}

/// Takes so many bytes and forgets the rest.
struct Bounded<'a> {
    text: &'a mut Vec<u8>,
    left: u64,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.text.extend_from_slice(&bytes[..room]);
        self.left -= room as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
