//! What was used, grouped in every way.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::used::{Used, money};
use crate::engine::report::Usd;

/// More names than this along one axis are counted together: models name themselves.
const NAMES_MAX: usize = 10_000;

/// Stands for the names that are counted together.
const OTHERS: &str = "(others)";

/// By what spending is grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Axis {
    /// Runs.
    Run,
    /// Tasks.
    Task,
    /// Stages.
    Stage,
    /// Agents.
    Agent,
    /// Models.
    Model,
    /// What became of it.
    Cause,
}

impl Axis {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Run, Self::Task, Self::Stage, Self::Agent, Self::Model, Self::Cause];
}

/// What was used for one run, task, stage, agent, model or outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What was used.
    pub used: Used,
}

/// What was used, and for what. The sums of all groups of each kind are the total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Spending {
    /// All of it.
    pub total: Used,
    /// Changes that were accepted: commits, and passes that were left uncommitted on purpose.
    pub accepted: u64,
    /// All spending, whatever it was for, divided by `accepted`; null where nothing is known or
    /// nothing was accepted. Where some calls have no cost, it is at least this.
    pub cost_per_accepted_usd: Option<Usd>,
    /// By stage.
    pub by_stage: Vec<Group>,
    /// By agent; verify commands have none.
    pub by_agent: Vec<Group>,
    /// By model, as agents name it or were asked for it.
    pub by_model: Vec<Group>,
    /// By what became of it.
    pub by_cause: Vec<Group>,
    /// By task.
    pub by_task: Vec<Group>,
    /// By run.
    pub by_run: Vec<Group>,
}

impl Spending {
    /// What an accepted change cost, for people.
    pub fn per_accepted_text(&self) -> String {
        match (self.accepted, self.cost_per_accepted_usd) {
            (0, _) => "nothing was accepted".to_owned(),
            (_, None) => "unknown".to_owned(),
            (_, Some(cost)) if self.total.is_cost_whole() => money(cost),
            (_, Some(cost)) => format!("≥ {}", money(cost)),
        }
    }
}

/// Sums along every axis.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    total: Used,
    axes: BTreeMap<Axis, BTreeMap<String, Used>>,
}

impl Sums {
    /// Books something under one name of each axis.
    pub(super) fn book(&mut self, used: Used, name: impl Fn(Axis) -> String) {
        self.total.add(used);
        for axis in Axis::ALL {
            let groups = self.axes.entry(axis).or_default();
            let mut name = name(axis);
            if groups.len() >= NAMES_MAX && !groups.contains_key(&name) {
                OTHERS.clone_into(&mut name);
            }
            groups.entry(name).or_default().add(used);
        }
    }

    pub(super) fn total(&self) -> Used {
        self.total
    }

    /// One group, by name.
    pub(super) fn of(&self, axis: Axis, name: &str) -> Used {
        self.axes.get(&axis).and_then(|groups| groups.get(name)).copied().unwrap_or_default()
    }

    /// The groups of an axis, what cost most first.
    pub(super) fn groups(&self, axis: Axis) -> Vec<Group> {
        let groups = self.axes.get(&axis).into_iter().flatten();
        let mut groups: Vec<Group> =
            groups.map(|(name, used)| Group { name: name.clone(), used: *used }).collect();
        let weight = |group: &Group| {
            let Used { cost_usd, duration_ms, .. } = group.used;
            std::cmp::Reverse((cost_usd, group.used.tokens(), duration_ms))
        };
        groups.sort_by_key(weight);
        groups
    }

    pub(super) fn spending(&self, accepted: u64) -> Spending {
        let each = i64::try_from(accepted).ok().filter(|count| *count > 0);
        let share = |cost: Usd| {
            let micros = i128::from(cost.micros());
            // Rounded up: nothing costs less than it does.
            let count = i128::from(each?);
            i64::try_from((micros + count - 1) / count).ok().map(Usd::from_micros)
        };
        Spending {
            total: self.total,
            accepted,
            cost_per_accepted_usd: self.total.cost_usd.and_then(share),
            by_stage: self.groups(Axis::Stage),
            by_agent: self.groups(Axis::Agent),
            by_model: self.groups(Axis::Model),
            by_cause: self.groups(Axis::Cause),
            by_task: self.groups(Axis::Task),
            by_run: self.groups(Axis::Run),
        }
    }
}
