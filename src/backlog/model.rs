//! A backlog, whatever file format it came from.

use std::collections::BTreeSet;
use std::ops::Range;

use super::complaint::{Complaint, Severity};
use super::markdown;
use crate::engine::id::TaskId;
use crate::engine::task::{Mark, Status, Task};

/// How a backlog is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A checklist with fields, as in LoopDex.
    Markdown,
}

impl Format {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
        }
    }
}

/// The tasks of a project, in the order in which they are worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// How it is written.
    pub format: Format,
    /// The tasks that the file describes.
    pub entries: Vec<Entry>,
    /// Tasks that are done and no longer described.
    pub completed: BTreeSet<TaskId>,
}

/// One task, its marks, and where both stand in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What people wrote.
    pub task: Task,
    /// What the file says about its progress.
    pub mark: Mark,
    /// Where it stands.
    pub place: Place,
}

/// Byte ranges of an entry's parts, for complaints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The whole entry.
    pub whole: Range<usize>,
    /// The id.
    pub id: Range<usize>,
    /// The title.
    pub title: Range<usize>,
    /// Each of `task.files`.
    pub files: Vec<Range<usize>>,
    /// Each of `task.verify`.
    pub verify: Vec<Range<usize>>,
    /// Each of `task.depends`.
    pub depends: Vec<Range<usize>>,
    /// The size.
    pub size: Option<Range<usize>>,
}

/// A backlog and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What could be read.
    pub backlog: Backlog,
    /// In the order of the text.
    pub complaints: Vec<Complaint>,
}

impl Parsed {
    /// Whether no run may start from it.
    pub fn is_refused(&self) -> bool {
        self.complaints.iter().any(|complaint| complaint.severity == Severity::Error)
    }
}

impl Backlog {
    /// Reads and lints a backlog.
    pub fn parse(text: &str) -> Parsed {
        markdown::parse(text)
    }

    /// The entry of a task; the first, should the id stand there twice.
    pub fn entry(&self, id: &TaskId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.task.id == *id)
    }

    /// What people wrote about each task.
    pub fn tasks(&self) -> Vec<Task> {
        self.entries.iter().map(|entry| entry.task.clone()).collect()
    }

    /// What the file says about the progress of each task.
    pub fn marks(&self) -> Vec<Mark> {
        self.entries.iter().map(|entry| entry.mark.clone()).collect()
    }

    /// Whether a dependency on this task is met. A task that is described and not checked is not
    /// done, even if it is listed as completed too.
    pub fn is_done(&self, id: &TaskId) -> bool {
        match self.entry(id) {
            Some(entry) => entry.mark.status == Status::Done,
            None => self.completed.contains(id),
        }
    }
}
