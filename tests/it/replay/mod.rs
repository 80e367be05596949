//! Recorded runs: honest ones replay for ever, and no changed one does.
//!
//! `replay/v1/<a_sentence>/` holds the log of a real run, what has to come out of it, and why it is
//! kept; `replay/refused/<what was done>/` the same for logs that somebody changed.
//! `cargo test --test it replay::record -- --ignored` records what is missing there.

mod damage;
mod forgery;
mod golden;
mod mutations;
mod record;

use std::fs;
use std::path::{Path, PathBuf};

use looper::engine::event::Event;
use looper::engine::replay::replay_one;
use looper::engine::state::State;
use looper::host::log::{LogError, Reader};

fn home(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("replay").join(name)
}

/// Every folder of a kind, by name.
fn folders(kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home(kind)).expect("it is part of the source");
    let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    all.sort();
    all
}

fn name(folder: &Path) -> String {
    folder.file_name().expect("it has one").to_string_lossy().into_owned()
}

fn text(folder: &Path, file: &str) -> String {
    let path = folder.join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a log of text as `looper replay` does: the state, or the first bad line.
fn replayed(text: &str) -> Result<State, u64> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("events.jsonl");
    fs::write(&path, text).expect("it is writable");
    let mut state = State::default();
    for (line, item) in (1_u64..).zip(Reader::open(&path).map_err(|error| line_of(&error))?) {
        let (event, _) = item.map_err(|error| line_of(&error))?;
        state = replay_one(state, &event).map_err(|_| line)?;
    }
    Ok(state)
}

fn line_of(error: &LogError) -> u64 {
    match error {
        LogError::Damaged { line, .. } | LogError::TooNew { line, .. } => *line,
        other => panic!("{other}"),
    }
}

fn events(text: &str) -> Vec<Event> {
    let mut proof = looper::engine::line::Proof::GENESIS;
    let read = |line: &str| {
        let (event, next) = looper::engine::line::read(line, proof).expect("the log is honest");
        proof = next;
        event
    };
    text.lines().map(read).collect()
}
