//! `looper block`: sets a task aside.

use super::args::BlockArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::person::{self, Ruling};
use super::site::Site;
use crate::engine::event::{By, EventKind, TaskBlocked};
use crate::engine::reason;
use crate::engine::task::{Mark, Status};

/// Sets a task aside until a person lets it run again.
///
/// # Errors
/// The task is unknown, done or blocked already, or a run is going on.
pub(super) fn block(site: &Site, args: &BlockArgs) -> Result<Exit, Failure> {
    let reason = reason::line(&args.reason);
    if reason.is_empty() {
        return Err(Failure::new(Exit::Usage, "the reason says nothing")
            .help("write with --reason what has to happen first"));
    }
    person::decide(site, "looper block", &args.task, |found| {
        let task = found.task.clone();
        let refuse = |what: String| Err(Failure::new(Exit::Refused, what));
        match found.mark.status {
            Status::Todo => {}
            Status::Done => return refuse(format!("task {task} is done")),
            Status::Blocked => {
                let why = found.mark.reason.as_deref().unwrap_or("no reason is recorded");
                return refuse(format!("task {task} is blocked already: {why}"));
            }
        }
        let (attempt, fail_count, by) = (found.attempts, found.mark.fail_count, By::Person);
        let status = Status::Blocked;
        let mark = Mark { task: task.clone(), status, fail_count, reason: Some(reason.clone()) };
        let event = Box::new(move |before, after| {
            let data = TaskBlocked { task, attempt, reason, fail_count, by, before, after };
            EventKind::TaskBlocked(data)
        });
        Ok(Ruling { mark, event })
    })
}
