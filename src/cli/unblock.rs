//! `looper unblock`: lets a blocked task run again.

use super::args::UnblockArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::person::{self, Ruling};
use super::site::Site;
use crate::engine::event::{By, EventKind, TaskUnblocked};
use crate::engine::task::{Mark, Status};

/// Gives a blocked task all its chances again.
///
/// # Errors
/// The task is unknown or not blocked, or a run is going on.
pub(super) fn unblock(site: &Site, args: &UnblockArgs) -> Result<Exit, Failure> {
    person::decide(site, "looper unblock", &args.task, |found| {
        let task = found.task.clone();
        let state = match found.mark.status {
            Status::Blocked => None,
            Status::Todo => Some("to do"),
            Status::Done => Some("done"),
        };
        if let Some(state) = state {
            let what = format!("task {task} is not blocked: it is {state}");
            return Err(Failure::new(Exit::Refused, what)
                .help("`looper ls blocked` lists the tasks that are"));
        }
        let (attempt, by) = (found.attempts, By::Person);
        let mark = Mark { task: task.clone(), status: Status::Todo, fail_count: 0, reason: None };
        let event = Box::new(move |before, after| {
            EventKind::TaskUnblocked(TaskUnblocked { task, attempt, by, before, after })
        });
        Ok(Ruling { mark, event })
    })
}
