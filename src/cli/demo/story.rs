//! What happened in the demo, read from its log and its repository, and whether that is what its
//! script says.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::engine::event::{Event, EventKind};
use crate::engine::id::{CommitId, TaskId};
use crate::engine::state::{Progress, State};
use crate::engine::task::Status;
use crate::ui::sanitize::clean_line;

/// More commits than the demo makes.
pub(super) const COMMITS_MAX: usize = 10;

/// How each task ends, and at which attempt.
const WRITTEN: [(&str, Status, u32); 5] = [
    ("1.1", Status::Done, 1),
    ("1.2", Status::Done, 2),
    ("1.3", Status::Blocked, 2),
    ("1.4", Status::Blocked, 2),
    ("1.5", Status::Blocked, 1),
];

/// What is left of that in the repository, newest first.
const COMMITTED: [&str; 3] =
    ["Task 1.2: Say goodbye", "Task 1.1: Greet by name", "Greet the world"];

/// How many digits of a commit `git log --oneline` shows in a small repository.
const DIGITS: usize = 7;

/// A commit and its subject.
type Commit = (CommitId, String);

/// What the log says beside the state that it adds up to.
#[derive(Default)]
pub(super) struct Story {
    events: u64,
    titles: Vec<(TaskId, String)>,
    failures: BTreeMap<TaskId, String>,
}

impl Story {
    /// Takes note of one event.
    pub(super) fn saw(&mut self, event: &Event) {
        self.events += 1;
        if let EventKind::RunStarted(charter) = &event.kind {
            let title = |task: &crate::engine::task::Task| (task.id.clone(), task.title.clone());
            self.titles = charter.tasks.iter().map(title).collect();
        }
        if let EventKind::TaskFailed(data) = &event.kind {
            self.failures.insert(data.task.clone(), data.reason.clone());
        }
    }

    /// The first thing that is not as written.
    pub(super) fn differs(&self, state: &State, history: &[Commit]) -> Option<String> {
        let found = |task: &str| {
            let known = state.progress().iter().find(|(id, _)| id.as_str() == task);
            known.map(|(_, known)| (known.status, known.attempts))
        };
        for (task, status, attempts) in WRITTEN {
            if found(task) != Some((status, attempts)) {
                let wanted = format!("{status:?} at attempt {attempts}");
                return Some(format!("task {task} is not {wanted} but {:?}", found(task)));
            }
        }
        let subjects: Vec<&str> = history.iter().map(|(_, subject)| subject.as_str()).collect();
        (subjects != COMMITTED).then(|| format!("the commits are {subjects:?}"))
    }

    /// For people.
    pub(super) fn text(&self, state: &State, history: &[Commit], kept: Option<&Path>) -> String {
        let mut text = String::from("\nWhat happened\n");
        for (task, title) in &self.titles {
            let known = state.progress().get(task).cloned().unwrap_or_default();
            let name = format!("{task} {title}");
            let why = clean_line(&self.why(task, &known)).into_owned();
            text.push_str(&format!("  {name:<30} {:<8} {why}\n", status(known.status)));
        }
        text.push_str("\ngit log --oneline\n");
        for (commit, subject) in history {
            text.push_str(&format!("  {} {}\n", digits(commit), clean_line(subject)));
        }
        let events = self.events;
        text.push_str(&format!(
            "\nReplayed {events} events: every decision would be made again.\n"
        ));
        text.push_str(&match kept {
            Some(path) => format!("The project is in {}.\n", path.display()),
            None => "The project is removed again; --keep DIR leaves it in DIR.\n".to_owned(),
        });
        text
    }

    /// For programs.
    pub(super) fn json(&self, state: &State, history: &[Commit], kept: Option<&Path>) -> String {
        let task = |(task, title): &(TaskId, String)| {
            let known = state.progress().get(task).cloned().unwrap_or_default();
            json!({
                "task": task,
                "title": title,
                "status": known.status,
                "attempts": known.attempts,
                "commit": known.commit,
                "reason": known.reason,
            })
        };
        let tasks: Vec<_> = self.titles.iter().map(task).collect();
        let commit = |(commit, subject): &Commit| json!({ "commit": commit, "subject": subject });
        let commits: Vec<_> = history.iter().map(commit).collect();
        let project = kept.map(|path| path.display().to_string());
        let all = json!({
            "tasks": tasks,
            "commits": commits,
            "events_replayed": self.events,
            "project": project,
        });
        format!("{all}\n")
    }

    fn why(&self, task: &TaskId, known: &Progress) -> String {
        match (known.status, &known.commit, self.failures.get(task)) {
            (Status::Done, Some(commit), None) => format!("commit {}", digits(commit)),
            (Status::Done, Some(commit), Some(failure)) => {
                let (commit, attempt) = (digits(commit), known.attempts);
                format!("commit {commit} at attempt {attempt}; before that: {failure}")
            }
            _ => known.reason.clone().unwrap_or_default(),
        }
    }
}

fn digits(commit: &CommitId) -> &str {
    commit.as_str().get(..DIGITS).unwrap_or(commit.as_str())
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Blocked => "blocked",
        Status::Todo => "to do",
    }
}
