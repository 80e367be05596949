//! What a person should know before the first agent is called.

use crate::engine::charter::{Charter, Network, Risk, SandboxLevel, Stage};
use crate::engine::recovery::Recovery;
use crate::host::config::Config;
use crate::host::paths::Layout;
use crate::ui::accounts::{Budget, Used};
use crate::ui::sanitize::clean_line;
use crate::ui::story::short;

/// The safety banner.
///
/// `why`: what a better sandbox than the chosen one lacks.
pub(super) fn banner(
    layout: &Layout,
    charter: &Charter,
    config: &Config,
    why: Option<&str>,
) -> String {
    let policy = &charter.policy;
    let mut text = String::from("looper\n");
    let mut row = |name: &str, value: &str| {
        text.push_str(&format!("  {name:<11}{}\n", clean_line(value)));
    };
    row("project", &layout.project().display().to_string());
    let branch = charter.base.branch.as_deref().unwrap_or("detached HEAD");
    row("base", &format!("{} on {branch}", short(charter.base.commit.as_str())));
    let open = charter.tasks.len();
    row("backlog", &format!("{}, {open} tasks", charter.backlog.path));
    let stages: Vec<&str> = policy.stages.iter().map(|stage| stage.name()).collect();
    row("stages", &stages.join(", "));
    row("agents", &agents(charter));
    row(
        "risk",
        match policy.risk {
            Risk::Unattended => "unattended: agents run with their bypass flags",
            Risk::Safe => "safe: agents run without their bypass flags",
        },
    );
    row("sandbox", &sandbox(charter, why));
    let before = charter.spent_before.unwrap_or_default();
    for line in Budget::new(charter.limits, before, Used::default()).lines() {
        row("budget", &line);
    }
    if let Some(recovery) = &policy.recovery {
        row("limits", &limits(recovery));
    }
    if policy.allow_dirty {
        row("work tree", "your uncommitted changes stay out of every commit");
    }
    if !policy.gates_off.is_empty() {
        let off: Vec<&str> = policy.gates_off.iter().map(|gate| gate.name()).collect();
        row("gates OFF", &off.join(", "));
    }
    if !config.run.commit_on_pass {
        row("commits", "off: what passes stays in the work tree");
    }
    text
}

fn sandbox(charter: &Charter, why: Option<&str>) -> String {
    let level = charter.containment.as_ref().map_or(SandboxLevel::None, |terms| terms.level);
    let holds = match level {
        SandboxLevel::Full => {
            "agents write the project and what is theirs, never .git or the state directory"
        }
        SandboxLevel::Partial => {
            "agents write the project, .git in it and what is theirs, and little else"
        }
        SandboxLevel::None => "agents can reach whatever you can",
    };
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    let is_closed =
        charter.containment.as_ref().is_some_and(|terms| terms.verify_network == Network::Closed);
    let network = if is_closed { "; verify commands have no network" } else { "" };
    format!("{}: {holds}{network}{why}", level.name())
}

fn limits(recovery: &Recovery) -> String {
    let mut said = vec![match (recovery.overloaded, recovery.pause_s) {
        (0, _) => "no retry".to_owned(),
        (times, pause_s) => format!("up to {times} retries without capacity, from {pause_s} s on"),
    }];
    if recovery.failover {
        let apart = if recovery.apart.is_some() { ", critics apart" } else { "" };
        said.push(format!("the next of a list takes over{apart}"));
    }
    if recovery.quota_percent > 0 {
        said.push(format!("no attempt from {} % of an allowance on", recovery.quota_percent));
    }
    said.join("; ")
}

fn agents(charter: &Charter) -> String {
    let roles = &charter.roles;
    let list = [
        (Stage::Plan, &roles.plan),
        (Stage::PlanCritique, &roles.plan_critique),
        (Stage::Implement, &roles.implement),
        (Stage::ImplCritique, &roles.impl_critique),
    ];
    let wanted = list.into_iter().filter(|(stage, _)| charter.policy.stages.contains(stage));
    let named = wanted.map(|(stage, names)| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        format!("{} {}", stage.name(), names.join("/"))
    });
    named.collect::<Vec<_>>().join(", ")
}
