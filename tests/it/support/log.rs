//! The log as a test reads it: through the schema, through the library, and as plain JSON.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use looper::engine::event::Event;
use looper::engine::line::{self, Proof};
use looper::engine::replay::replay;
use looper::engine::state::State;
use looper::host::log::Reader;
use serde_json::Value;

use crate::schemas::line_validator;

/// A log that is sound: every line is valid, the chain holds, and every decision is made again.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) lines: Vec<Value>,
    pub(crate) events: Vec<Event>,
    pub(crate) state: State,
}

impl Log {
    /// Reads a log and demands that it is sound.
    #[track_caller]
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("there is a log");
        let lines: Vec<Value> = text.lines().map(valid).collect();
        let reader = Reader::open(path).expect("the log opens");
        let events: Vec<Event> =
            reader.map(|item| item.unwrap_or_else(|error| panic!("{error:?}")).0).collect();
        assert_eq!(lines.len(), events.len());
        let state = replay(&events).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Self { lines, events, state }
    }

    /// The names of all events, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        names(&self.lines)
    }

    /// The data of every event with this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Value> {
        let named = self.lines.iter().filter(|line| line["event"] == name);
        named.map(|line| &line["data"]).collect()
    }

    /// The data of the last event with this name.
    #[track_caller]
    pub(crate) fn last(&self, name: &str) -> &Value {
        let all = self.all(name);
        all.last().copied().unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))
    }

    /// How often this event is there.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.all(name).len()
    }

    /// What the last judgement says about a gate: `None` where it passed, else the reason.
    #[track_caller]
    pub(crate) fn objection(&self, gate: &str) -> Option<&str> {
        let judged = self.last("gates_judged");
        let gates = judged["gates"].as_array().expect("the schema holds");
        let result = gates.iter().find(|result| result["gate"] == gate).expect("every gate");
        (result["passed"] == false).then(|| result["reason"].as_str().expect("the schema holds"))
    }
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().expect("the schema holds")).collect()
}

#[track_caller]
fn valid(line: &str) -> Value {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    let value: Value = serde_json::from_str(line).expect("a line is JSON");
    let validator = VALIDATOR.get_or_init(line_validator);
    if let Err(error) = validator.validate(&value) {
        panic!("{error} at {}: {line}", error.instance_path());
    }
    value
}

/// The same events with a chain that holds, whatever was done to them: what a forger would write.
pub(crate) fn rechained(events: &[Event]) -> String {
    let mut proof = Proof::GENESIS;
    let mut text = String::new();
    for event in events {
        let (line, next) = line::write(event, proof);
        text.push_str(&line);
        proof = next;
    }
    text
}
