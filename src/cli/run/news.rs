//! What the backlog says that the log does not: marks and terms that people changed.

use super::{HostDriver, News};
use crate::backlog::{Backlog, diff};
use crate::cli::failure::Failure;
use crate::engine::charter::Charter;
use crate::engine::event::{
    BacklogChanged, BacklogLoaded, By, EventKind, TaskBlocked, TaskDone, TaskReopened,
    TaskUnblocked,
};
use crate::engine::id::Digest;
use crate::engine::state::{Progress, State};
use crate::engine::task::{Mark, Status};
use crate::host::world::{BacklogFile, digest};

/// Compares the backlog with what the log says about it. Marks that were about to be written when
/// the last process died are written now; everything else that differs is a person's edit, which
/// wins.
pub(super) fn news(
    driver: &mut HostDriver,
    charter: &Charter,
    backlog: &Backlog,
) -> Result<News, Failure> {
    let found = driver.world.backlog().text().to_owned();
    driver.world.objects().put(found.as_bytes())?;
    let state = driver.state().clone();
    write_pending(&state, driver.world.backlog(), backlog)?;
    let text = driver.world.backlog().text().to_owned();
    let backlog = Backlog::parse(&text).backlog;
    let now = digest(text.as_bytes());
    // The bytes stay findable under their digest, should an agent touch the file.
    driver.world.objects().put(text.as_bytes())?;
    let state = driver.state();
    let before = state.backlog().map_or_else(|| now.clone(), |known| known.after.clone());
    let mut news = vec![];
    let changes = match state.tasks() {
        [] => vec![],
        known => diff::tasks(known, &charter.tasks),
    };
    if !changes.is_empty() {
        let (before, after) = (before.clone(), now.clone());
        let by = By::Person;
        news.push(EventKind::BacklogChanged(BacklogChanged { by, before, after, changes }));
    }
    let marks = backlog.marks();
    let known: Vec<EventKind> =
        marks.iter().filter_map(|mark| edit(state, mark, &before, &now)).collect();
    let loaded = BacklogLoaded { digest: now, marks };
    news.extend(known);
    news.push(EventKind::BacklogLoaded(loaded));
    Ok(news)
}

/// Writes the mark that the log knows and that the last process did not come to write.
///
/// # Errors
/// The backlog cannot be written.
pub(crate) fn write_pending(
    state: &State,
    file: &mut BacklogFile,
    backlog: &Backlog,
) -> Result<(), Failure> {
    let Some(wanted) = state.backlog() else { return Ok(()) };
    let Some(task) = wanted.task.as_ref().filter(|_| wanted.before != wanted.after) else {
        return Ok(());
    };
    // People may have changed other things meanwhile: only this one mark is missing.
    let shown = backlog.marks().into_iter().find(|mark| mark.task == *task);
    let known = state.progress().get(task).map(|known| known.mark(task));
    match (shown, known) {
        (Some(shown), Some(known)) if shown != known => Ok(file.write(&known)?),
        _ => Ok(()),
    }
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
            let fail_count = known.fail_count;
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
