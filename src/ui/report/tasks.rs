//! What became of each task.

use std::collections::BTreeMap;

use super::shape::{GateReport, Outcome, TaskReport};
use crate::engine::charter::GateId;
use crate::engine::event::EventKind;
use crate::engine::id::TaskId;
use crate::engine::state::{Progress, State};
use crate::engine::task::{Status, Task};
use crate::ui::accounts::{Accounts, Axis};
use crate::ui::status::Totals;

/// What was tried at each task. There are no more of them than in the backlogs of the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    tasks: BTreeMap<TaskId, Attempts>,
}

#[derive(Clone, Debug, Default)]
struct Attempts {
    count: u64,
    gates: BTreeMap<GateId, (u64, String)>,
}

/// Where every task stood at some moment.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    tasks: Vec<Task>,
    progress: BTreeMap<TaskId, Progress>,
    in_hand: Option<TaskId>,
}

impl Standing {
    pub(super) fn of(state: &State) -> Self {
        Self {
            tasks: state.tasks().to_vec(),
            progress: state.progress().clone(),
            in_hand: state.attempt().map(|attempt| attempt.task.id.clone()),
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { total: self.tasks.len() as u64, ..Totals::default() };
        for task in &self.tasks {
            match self.progress.get(&task.id).map(|known| known.status).unwrap_or_default() {
                Status::Done => totals.done += 1,
                Status::Blocked => totals.blocked += 1,
                Status::Todo => totals.todo += 1,
            }
        }
        totals
    }
}

impl Tried {
    pub(super) fn saw(&mut self, kind: &EventKind) {
        match kind {
            EventKind::TaskSelected(data) => {
                self.tasks.entry(data.task.clone()).or_default().count += 1;
            }
            EventKind::GatesJudged(data) => {
                let attempts = self.tasks.entry(data.task.clone()).or_default();
                for result in data.gates.iter().filter(|result| !result.passed) {
                    let (times, reason) = attempts.gates.entry(result.gate).or_default();
                    *times += 1;
                    reason.clone_from(&result.reason);
                }
            }
            _ => {}
        }
    }

    pub(super) fn attempts(&self) -> u64 {
        self.tasks.values().map(|attempts| attempts.count).sum()
    }

    pub(super) fn report(&self, standing: &Standing, accounts: &Accounts) -> Vec<TaskReport> {
        let used: BTreeMap<String, _> =
            accounts.groups(Axis::Task).into_iter().map(|group| (group.name, group.used)).collect();
        let report = |task: &Task| {
            let progress = standing.progress.get(&task.id).cloned().unwrap_or_default();
            let attempts = self.tasks.get(&task.id).cloned().unwrap_or_default();
            let is_blocked = progress.status == Status::Blocked;
            TaskReport {
                task: task.id.clone(),
                title: task.title.clone(),
                outcome: match progress.status {
                    _ if standing.in_hand.as_ref() == Some(&task.id) => Outcome::InHand,
                    Status::Done => Outcome::Done,
                    Status::Blocked => Outcome::Blocked,
                    Status::Todo => Outcome::Todo,
                },
                commit: progress.commit,
                reason: progress.reason,
                remedy: is_blocked.then(|| format!("looper unblock {}", task.id)),
                latest_loop: progress.latest_loop,
                attempts: attempts.count,
                fail_count: progress.fail_count,
                gates: attempts
                    .gates
                    .into_iter()
                    .map(|(gate, (times, reason))| GateReport { gate, times, reason })
                    .collect(),
                used: used.get(task.id.as_str()).copied().unwrap_or_default(),
            }
        };
        standing.tasks.iter().map(report).collect()
    }
}
