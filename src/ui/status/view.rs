//! Tasks as the log leaves them, or as the backlog has them while there is no log.

use super::report::{BlockedTask, TaskLine, Totals};
use crate::engine::id::TaskId;
use crate::engine::state::{Progress, State};
use crate::engine::task::{Mark, Status, Task};

/// What the backlog says, for a project whose log does not say it yet.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// Where each of them stands.
    pub marks: Vec<Mark>,
    /// Tasks that are done and no longer described.
    pub archived: Vec<TaskId>,
}

pub(super) struct View<'a> {
    pub(super) state: &'a State,
    pub(super) known: &'a Known,
    pub(super) tasks: &'a [Task],
    pub(super) archived: &'a [TaskId],
}

impl View<'_> {
    fn progress(&self, id: &TaskId) -> Progress {
        if let Some(progress) = self.state.progress().get(id) {
            return progress.clone();
        }
        let mark = self.known.marks.iter().find(|mark| mark.task == *id);
        mark.map_or_else(Progress::default, |mark| Progress {
            status: mark.status,
            fail_count: mark.fail_count,
            reason: mark.reason.clone(),
            ..Progress::default()
        })
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { total: self.tasks.len() as u64, ..Totals::default() };
        for task in self.tasks {
            match self.progress(&task.id).status {
                Status::Done => totals.done += 1,
                Status::Blocked => totals.blocked += 1,
                Status::Todo => totals.todo += 1,
            }
        }
        totals
    }

    fn is_done(&self, id: &TaskId) -> bool {
        self.archived.contains(id)
            || self.known.archived.contains(id)
            || self.progress(id).status == Status::Done
    }

    pub(super) fn next(&self) -> Option<TaskLine> {
        let in_hand = self.state.attempt().map(|attempt| &attempt.task.id);
        let only = self.state.charter().and_then(|charter| charter.policy.only.as_ref());
        let is_next = |task: &&Task| {
            Some(&task.id) != in_hand
                && only.is_none_or(|only| task.id == *only)
                && self.progress(&task.id).status == Status::Todo
                && task.depends.iter().all(|id| self.is_done(id))
        };
        let task = self.tasks.iter().find(is_next)?;
        Some(TaskLine { task: task.id.clone(), title: task.title.clone() })
    }

    pub(super) fn blocked(&self) -> Vec<BlockedTask> {
        let line = |task: &Task| {
            let progress = self.progress(&task.id);
            (progress.status == Status::Blocked).then(|| BlockedTask {
                task: task.id.clone(),
                title: Some(task.title.clone()),
                reason: progress.reason,
                fail_count: progress.fail_count,
                latest_loop: progress.latest_loop,
                remedy: format!("looper unblock {}", task.id),
            })
        };
        self.tasks.iter().filter_map(line).collect()
    }
}
