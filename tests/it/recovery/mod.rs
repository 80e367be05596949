//! Retries, hand-overs and allowances on a scripted world.

mod cuts;
mod failover;
mod properties;
mod quotas;
mod retries;

use looper::engine::charter::{AgentTerms, Charter, Roles};
use looper::engine::event::{Event, EventKind};
use looper::engine::id::AgentName;
use looper::engine::recovery::Recovery;
use looper::engine::state::State;
use looper::engine::task::Task;

use crate::machine::{FULL, charter, task};

/// Agents by name, in order: "a b".
fn names(list: &str) -> Vec<AgentName> {
    list.split(' ').map(AgentName::new).collect()
}

fn roles(makers: &str, critics: &str) -> Roles {
    let (makers, critics) = (names(makers), names(critics));
    Roles {
        plan: makers.clone(),
        plan_critique: critics.clone(),
        implement: makers,
        impl_critique: critics,
    }
}

/// The terms where nobody says otherwise.
fn terms() -> Recovery {
    Recovery { overloaded: 3, empty: 1, pause_s: 5, failover: true, quota_percent: 0, apart: None }
}

/// All stages by these agents.
fn played_by(roles: Roles, recovery: Recovery, tasks: Vec<Task>) -> Charter {
    let mut charter = charter(&FULL, tasks);
    let one = charter.agents.values().next().cloned();
    let one: AgentTerms = one.expect("there is an agent");
    let lists = [&roles.plan, &roles.plan_critique, &roles.implement, &roles.impl_critique];
    charter.agents = lists.into_iter().flatten().map(|name| (name.clone(), one.clone())).collect();
    charter.roles = roles;
    charter.policy.recovery = Some(recovery);
    charter
}

fn one() -> Vec<Task> {
    vec![task("1", "true", &[])]
}

fn two() -> Vec<Task> {
    vec![task("1", "true", &[]), task("2", "true", &[])]
}

/// Who was called for what, in order: "plan a".
fn calls(events: &[Event]) -> Vec<String> {
    let call = |event: &Event| {
        let (stage, data) = match &event.kind {
            EventKind::PlanStarted(data) => ("plan", data),
            EventKind::PlanCritiqueStarted(data) => ("plan_critique", data),
            EventKind::ImplementStarted(data) => ("implement", data),
            EventKind::ImplCritiqueStarted(data) => ("impl_critique", data),
            _ => return None,
        };
        Some(format!("{stage} {}", data.agent))
    };
    events.iter().filter_map(call).collect()
}

fn count(events: &[Event], name: &str) -> usize {
    events.iter().filter(|event| event.kind.name() == name).count()
}

fn failures(state: &State) -> Vec<u32> {
    state.progress().values().map(|known| known.fail_count).collect()
}
