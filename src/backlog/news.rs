//! What a backlog says that the log does not, and what it has to say again.

use super::diff;
use super::marks;
use super::model::Backlog;
use crate::engine::event::{
    BacklogChanged, BacklogLoaded, By, EventKind, TaskBlocked, TaskDone, TaskReopened,
    TaskUnblocked,
};
use crate::engine::id::Digest;
use crate::engine::state::{BacklogDigest, Progress, State};
use crate::engine::task::{Mark, Status, Task};

/// The mark that the log knows and that the last process did not come to write.
pub fn pending(state: &State, backlog: &Backlog) -> Option<Mark> {
    let wanted = state.backlog()?;
    let task = wanted.task.as_ref().filter(|_| wanted.before != wanted.after)?;
    // People may have changed other things meanwhile: only this one mark is missing.
    let shown = backlog.marks().into_iter().find(|mark| mark.task == *task)?;
    let known = state.progress().get(task).map(|known| known.mark(task))?;
    (shown != known).then_some(known)
}

/// Compares the backlog, whose bytes have this digest, with what the log says about it. Everything
/// that differs is a person's edit, which wins.
pub fn news(state: &State, tasks: &[Task], backlog: &Backlog, now: &Digest) -> Vec<EventKind> {
    let before = state.backlog().map_or_else(|| now.clone(), |known| known.after.clone());
    let mut news = vec![];
    let changes = match state.tasks() {
        [] => vec![],
        known => diff::tasks(known, tasks),
    };
    if !changes.is_empty() {
        let (before, after) = (before.clone(), now.clone());
        let by = By::Person;
        news.push(EventKind::BacklogChanged(BacklogChanged { by, before, after, changes }));
    }
    let marks = backlog.marks();
    news.extend(marks.iter().filter_map(|mark| edit(state, mark, &before, now)));
    news.push(EventKind::BacklogLoaded(BacklogLoaded { digest: now.clone(), marks }));
    news
}

/// The event for one task whose checkbox a person changed.
fn edit(state: &State, mark: &Mark, before: &Digest, after: &Digest) -> Option<EventKind> {
    let known = state.progress().get(&mark.task)?;
    let (task, attempt, by) = (mark.task.clone(), known.attempts, By::Person);
    let (before, after) = (before.clone(), after.clone());
    let was = |status: Status| known.status == status;
    match mark.status {
        Status::Done if !was(Status::Done) => {
            let commit = None;
            Some(EventKind::TaskDone(TaskDone { task, attempt, by, commit, before, after }))
        }
        Status::Blocked if !was(Status::Blocked) => {
            let reason = mark.reason.clone().unwrap_or_else(|| "marked in the backlog".to_owned());
            let fail_count = mark.fail_count;
            let data = TaskBlocked { task, attempt, reason, fail_count, by, before, after };
            Some(EventKind::TaskBlocked(data))
        }
        Status::Todo if was(Status::Done) => {
            Some(EventKind::TaskReopened(TaskReopened { task, attempt, by, before, after }))
        }
        Status::Todo if was(Status::Blocked) || was_forgiven(known, mark) => {
            Some(EventKind::TaskUnblocked(TaskUnblocked { task, attempt, by, before, after }))
        }
        Status::Done | Status::Blocked | Status::Todo => None,
    }
}

/// A person who sets the failure count back to zero gives the task all its chances again.
fn was_forgiven(known: &Progress, mark: &Mark) -> bool {
    known.fail_count > 0 && mark.fail_count == 0
}

/// The backlog before somebody touched it, given what is kept under a digest. A text with marks is
/// not kept itself: it is the text that the run began with, with the marks that the log knows.
pub fn as_it_was(
    state: &State,
    wanted: &BacklogDigest,
    mut get: impl FnMut(&Digest) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    if let Some(bytes) = [&wanted.after, &wanted.before].into_iter().find_map(&mut get) {
        return Some(bytes);
    }
    let text = String::from_utf8(get(&state.charter()?.backlog.digest)?).ok()?;
    let shown = Backlog::parse(&text).backlog.marks();
    let is_news = |mark: &Mark| {
        let old = shown.iter().find(|old| old.task == mark.task);
        old.is_some_and(|old| (old.status, old.fail_count) != (mark.status, mark.fail_count))
    };
    let marks: Vec<Mark> = state.marks().into_iter().filter(is_news).collect();
    marks::apply(&text, &marks).ok().map(String::into_bytes)
}
