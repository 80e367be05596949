//! A project that is recorded, a clone of it at the same place, and what may differ between both.

use std::fs;
use std::path::PathBuf;

use looper::scripted::Rule;
use serde_json::Value;

use crate::support::*;

/// A project and the same project once more, before anything ran in either.
pub(super) struct Pair {
    pub(super) first: Project,
    pub(super) second: Project,
    tape: tempfile::TempDir,
}

/// Fields that time or chance decide. A tree is named by its content, so trees stay.
const MOVING: [&str; 13] = [
    "at", "run", "h", "base", "snapshot", "commit", "parent", "to", "before", "after", "digest",
    "message", "time",
];

impl Pair {
    pub(super) fn new(tasks: &[TaskText], rules: &[Rule]) -> Self {
        Self::of(Project::with(tasks, rules))
    }

    /// Whoever plays has no agent: what stands where one was cannot be started.
    pub(super) fn of(first: Project) -> Self {
        let second = first.copy();
        fs::remove_file(second.place().join("bin/fake-agent")).expect("it was copied");
        fs::remove_file(second.place().join("script.json")).expect("it was copied");
        Self { first, second, tape: tempfile::tempdir().expect("a directory") }
    }

    pub(super) fn tape(&self) -> PathBuf {
        self.tape.path().join("tape")
    }

    /// Runs with a tape that takes everything down. Returns the exit code.
    #[track_caller]
    pub(super) fn record(&self, args: &[&str], code: Option<i32>) -> Option<i32> {
        let tape = self.tape().display().to_string();
        let ran = self.first.run(&[&["--record", &tape], args].concat());
        assert!(code.is_none() || ran.status.code() == code, "{ran}");
        ran.status.code()
    }

    /// Runs the second project from the tape. Returns the exit code.
    #[track_caller]
    pub(super) fn replay(&self, args: &[&str], code: Option<i32>) -> Option<i32> {
        let agent = format!("replay:{}", self.tape().display());
        let ran = self.second.run(&[&["--agent", &agent], args].concat());
        assert!(code.is_none() || ran.status.code() == code, "{ran}");
        ran.status.code()
    }

    /// A replay that is refused before anything is done.
    #[track_caller]
    pub(super) fn refused_to_replay(&self, args: &[&str], code: i32) -> Ran {
        let agent = format!("replay:{}", self.tape().display());
        let before = (self.second.manifest(), self.second.has(".looper/events.jsonl"));
        let ran = self.second.looper(&[&["run", "--agent", &agent], args].concat()).exits(code);
        let is_empty = |name| std::fs::read(self.second.path(name)).is_ok_and(|log| log.is_empty());
        let has_log = self.second.has(".looper/events.jsonl") && !is_empty(".looper/events.jsonl");
        assert_eq!((self.second.manifest(), has_log), before, "{ran}");
        ran
    }

    /// A page of the tape.
    pub(super) fn page(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.tape().join(name)).expect("the page is there");
        serde_json::from_str(&text).expect("a page is JSON")
    }

    /// Changes a file of the tape as somebody would who should not.
    pub(super) fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let path = self.tape().join(name);
        let text = fs::read_to_string(&path).expect("the file is there");
        fs::write(&path, change(text)).expect("the tape is writable");
    }

    /// Both logs tell the same, and both work trees hold the same.
    #[track_caller]
    pub(super) fn is_told_again(&self) {
        self.compare(|_| {});
        assert_eq!(self.first.manifest(), self.second.manifest());
    }

    /// As [`is_told_again`](Self::is_told_again), but for what git keeps and what it ignores: on no
    /// tape.
    #[track_caller]
    pub(super) fn is_told_again_but_for_git(&self) {
        self.compare(|line| {
            if let Some(rescued) = line["data"].get_mut("rescued") {
                rescued.take();
            }
        });
        let tree = |project: &Project| project.git(&["rev-parse", "HEAD^{tree}"]);
        assert_eq!(tree(&self.first), tree(&self.second));
        assert_eq!(self.first.status(), self.second.status());
    }

    #[track_caller]
    fn compare(&self, but_for: impl Fn(&mut Value)) {
        let (mut first, mut second) = (settled(&self.first), settled(&self.second));
        for (one, two) in first.iter_mut().zip(&mut second) {
            but_for(one);
            but_for(two);
            assert_eq!(one, two);
        }
        assert_eq!(first.len(), second.len());
        assert_eq!(self.first.marks(), self.second.marks());
        assert_eq!(self.first.subjects(), self.second.subjects());
    }
}

/// The events of a project without what time and chance decide.
fn settled(project: &Project) -> Vec<Value> {
    let mut lines = project.log().lines;
    for line in &mut lines {
        settle(line);
        settle_prompt(project, line);
    }
    lines
}

fn settle(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_verify = fields.get("event").is_some_and(|name| name == "verify_finished");
            for (name, field) in fields.iter_mut() {
                if MOVING.contains(&name.as_str()) {
                    *field = Value::Null;
                }
                settle(field);
                if is_verify {
                    without_durations(field);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(settle),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A prompt tells how long verify commands took.
fn settle_prompt(project: &Project, line: &mut Value) {
    let Some(id) = line["data"]["prompt"].as_str() else { return };
    let took = regex::Regex::new("after [0-9]+ ms").expect("it is one");
    line["data"]["prompt"] = took.replace_all(&project.object(id), "after a while").into();
}

/// Verify commands are run again, so how long they take is theirs.
fn without_durations(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("duration_ms");
            fields.values_mut().for_each(without_durations);
        }
        Value::Array(values) => values.iter_mut().for_each(without_durations),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
