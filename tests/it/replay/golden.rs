//! Every recorded run replays, and comes out as it did when it was recorded.

use std::collections::BTreeMap;
use std::fs;

use looper::engine::event::{Event, EventKind};
use looper::engine::state::State;
use looper::engine::task::Status;
use serde::{Deserialize, Serialize};

use super::{events, folders, name, replayed, text};
use crate::support::*;

/// What has to come out of a recorded run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    /// How the last run came to rest.
    end: String,
    /// Commits that a branch points at.
    commits: usize,
    /// Where each task stands.
    tasks: BTreeMap<String, Task>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    status: Status,
    attempts: u32,
    fail_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Expect {
    pub(super) fn of(events: &[Event], state: &State) -> Self {
        let is_commit = |event: &&Event| match &event.kind {
            EventKind::CommitFinished(_) => true,
            EventKind::Reconciled(data) => data.commit.is_some(),
            _ => false,
        };
        let end = match &events.last().expect("a run leaves events").kind {
            EventKind::RunEnded(data) => serde_json::to_value(data.reason).expect("it is plain"),
            other => other.name().into(),
        };
        let tasks = state.progress().iter().map(|(id, known)| {
            let (status, reason) = (known.status, known.reason.clone());
            let (attempts, fail_count) = (known.attempts, known.fail_count);
            (id.to_string(), Task { status, attempts, fail_count, reason })
        });
        Self {
            end: end.as_str().expect("it is a name").to_owned(),
            commits: events.iter().filter(is_commit).count(),
            tasks: tasks.collect(),
        }
    }
}

#[test]
fn every_recorded_run_comes_out_as_it_did() {
    let folders = folders("v1");
    assert!(folders.len() >= 8);
    for folder in folders {
        let name = name(&folder);
        let log = text(&folder, "events.jsonl");
        let state = replayed(&log).unwrap_or_else(|line| panic!("{name}: line {line}"));
        let expect: Expect = serde_json::from_str(&text(&folder, "expect.json")).unwrap();
        let through_the_schema = Log::read(&folder.join("events.jsonl"));
        assert_eq!(Expect::of(&through_the_schema.events, &state), expect, "{name}");
        assert!(text(&folder, "why.md").trim().ends_with('.'), "{name} does not say why");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "{name} holds something else");
    }
}

/// What is written again is the same, byte for byte.
#[test]
fn a_recorded_log_is_written_as_it_was_read() {
    for folder in folders("v1") {
        let log = text(&folder, "events.jsonl");
        assert!(rechained(&events(&log)) == log, "{}", name(&folder));
    }
}

#[test]
fn recorded_runs_name_no_machine() {
    for folder in folders("v1").into_iter().chain(folders("refused")) {
        let log = text(&folder, "events.jsonl");
        for word in ["/tmp", "/home", "/root", "/work", "kit-", "/usr", "/var", "hostname"] {
            assert!(!log.contains(word), "{} names {word}", name(&folder));
        }
    }
}

#[test]
fn the_command_says_the_same() {
    let project = Project::bare();
    for folder in folders("v1") {
        let log = folder.join("events.jsonl");
        project.looper(&["replay", log.to_str().unwrap()]).exits(0);
    }
    for folder in folders("refused") {
        let log = folder.join("events.jsonl");
        let ran = project.looper(&["replay", log.to_str().unwrap()]).exits(4);
        let expect: serde_json::Value =
            serde_json::from_str(&text(&folder, "expect.json")).unwrap();
        let line = format!("line {} of", expect["line"]);
        assert!(ran.stderr.contains(&line), "{}: {ran}", name(&folder));
        assert!(text(&folder, "why.md").trim().ends_with('.'), "{}", name(&folder));
    }
}

#[test]
fn every_refused_log_is_refused_at_its_line() {
    let folders = folders("refused");
    assert!(folders.len() >= 5);
    for folder in folders {
        let expect: serde_json::Value =
            serde_json::from_str(&text(&folder, "expect.json")).unwrap();
        let line = replayed(&text(&folder, "events.jsonl")).expect_err(&name(&folder));
        assert_eq!(expect["line"], line, "{}", name(&folder));
    }
}
