//! Finds what was recorded: call `n` of a stage in an attempt gets what call `n` gave then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::TapeError;
use super::page::{Call, Page, Tape};
use super::recorder::{TAPE, UNFINISHED, number_of};
use super::recording::Recording;
use crate::engine::at::At;
use crate::engine::charter::Stage;
use crate::engine::id::{AgentName, TaskId, TreeId};

/// A tape with more calls than this is none: a night has a few hundred.
const CALLS_MAX: usize = 100_000;

/// Which calls are told apart: the attempt at a task, and the stage in it.
type Key = (TaskId, u32, Stage);

/// A tape that is played.
#[derive(Debug)]
pub struct Player {
    dir: PathBuf,
    tape: Tape,
    calls: BTreeMap<Key, Vec<Recording>>,
    unfinished: Vec<String>,
    played: BTreeMap<Key, usize>,
    /// When the call ended that was played last.
    told_until: Option<At>,
}

/// What a run asks of a tape.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The stage.
    pub stage: Stage,
    /// The task.
    pub task: &'a TaskId,
    /// The attempt at it.
    pub attempt: u32,
    /// Who is asked.
    pub agent: &'a AgentName,
    /// The tree that the attempt's change is counted from.
    pub tree: &'a TreeId,
}

impl Player {
    /// Opens a tape, and makes sure that every recording is there and whole.
    ///
    /// # Errors
    /// Something is missing, or is not what was recorded.
    pub fn open(dir: &Path) -> Result<Self, TapeError> {
        let dir = &fs::canonicalize(dir).map_err(TapeError::io("find the tape", dir))?;
        let path = dir.join(TAPE);
        let Page::Tape(tape) = Page::read(&path)? else {
            let reason = "it is about a call".to_owned();
            return Err(TapeError::Page { path, reason });
        };
        let mut names = BTreeMap::new();
        let mut unfinished = BTreeSet::new();
        for entry in fs::read_dir(dir).map_err(TapeError::io("read", dir))? {
            let entry = entry.map_err(TapeError::io("read", dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(name) = name.strip_prefix(UNFINISHED) {
                unfinished.insert(name.to_owned());
            } else if let Some(number) = number_of(&name)
                && names.len() < CALLS_MAX
            {
                names.insert(number, name);
            }
        }
        let mut calls: BTreeMap<Key, Vec<Recording>> = BTreeMap::new();
        // What was cut off has a number too.
        let is_cut = |number: u32| unfinished.iter().any(|name| number_of(name) == Some(number));
        let mut due = 1;
        for (found, name) in names {
            if let Some(number) = (due..found).find(|number| !is_cut(*number)) {
                return Err(TapeError::Gap { path: dir.clone(), number });
            }
            due = found + 1;
            let recording = Recording::open(&dir.join(&name))?;
            if recording.call.number != found {
                let reason = format!("it is about call {}", recording.call.number);
                return Err(TapeError::Page { path: dir.join(name).join("call.json"), reason });
            }
            let call = &recording.call;
            let key = (call.task.clone(), call.attempt, call.stage);
            calls.entry(key).or_default().push(recording);
        }
        let unfinished = unfinished.iter().cloned().collect();
        let (played, told_until) = (BTreeMap::new(), None);
        Ok(Self { dir: dir.clone(), tape, calls, unfinished, played, told_until })
    }

    /// Where the tape is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What all its calls have in common.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// Makes sure that some attempt was begun where the repository is now.
    ///
    /// # Errors
    /// None was.
    pub fn check_tree(&self, found: &TreeId) -> Result<(), TapeError> {
        let mut recordings = self.calls.values().flatten();
        let Some(first) = recordings.clone().min_by_key(|recording| recording.call.number) else {
            return Ok(());
        };
        if recordings.any(|recording| recording.call.tree == *found) {
            return Ok(());
        }
        let (path, recorded) = (self.dir.clone(), first.call.tree.clone());
        Err(TapeError::OtherTree { path, recorded, found: found.clone() })
    }

    /// The moment of the telling: that at which an attempt that is about to begin was begun, or else
    /// the end of the last call. What had passed by then and what had not decides as it did then.
    pub fn moment(&self, next: Option<(&TaskId, u32)>) -> Option<At> {
        let begun = next.and_then(|(task, attempt)| {
            let calls = self.calls.values().flatten().map(|recording| &recording.call);
            let of_it = calls.filter(|call| call.task == *task && call.attempt == attempt);
            of_it.min_by_key(|call| call.number).map(Call::began)
        });
        begun.or(self.told_until)
    }

    /// The recording that answers a call.
    ///
    /// # Errors
    /// There is none: the run goes another way than the recorded one did.
    pub fn next(&mut self, wanted: &Wanted<'_>) -> Result<Recording, TapeError> {
        let key = (wanted.task.clone(), wanted.attempt, wanted.stage);
        let played = self.played.entry(key.clone()).or_default();
        let found = self.calls.get(&key).and_then(|calls| calls.get(*played));
        let Some(recording) = found else {
            let (stage, task, attempt) = (wanted.stage.name(), wanted.task, wanted.attempt);
            let call = *played + 1;
            let wanted = format!("call {call} of {stage} in attempt {attempt} at task {task}");
            let (path, unfinished) = (self.dir.clone(), self.unfinished.clone());
            return Err(TapeError::Missing { path, wanted, unfinished });
        };
        let (path, call) = (recording.folder().to_owned(), &recording.call);
        if call.tree != *wanted.tree {
            let (recorded, found) = (call.tree.clone(), wanted.tree.clone());
            return Err(TapeError::OtherTree { path, recorded, found });
        }
        if call.agent != *wanted.agent {
            let (recorded, wanted) = (call.agent.to_string(), wanted.agent.to_string());
            return Err(TapeError::OtherAgent { path, recorded, wanted });
        }
        if let [first, ..] = &call.left_out[..] {
            return Err(TapeError::LeftOut { path, what: first.clone() });
        }
        *played += 1;
        self.told_until = Some(call.at);
        Ok(recording.clone())
    }
}
