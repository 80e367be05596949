//! Who takes which stage of an attempt.

use std::collections::BTreeSet;

use super::attempt::{Attempt, Step};
use super::charter::{Charter, Roles, Stage};
use super::event::{PauseCause, RunPaused};
use super::id::AgentName;
use super::recovery::{LimitCause, Recovery};
use super::state::Run;

/// What is made, and where it is judged.
const PAIRS: [(Stage, Stage); 2] =
    [(Stage::Plan, Stage::PlanCritique), (Stage::Implement, Stage::ImplCritique)];

/// The agents of a stage.
pub(super) fn role(roles: &Roles, stage: Stage) -> &[AgentName] {
    match stage {
        Stage::Plan => &roles.plan,
        Stage::PlanCritique => &roles.plan_critique,
        Stage::Implement | Stage::Verify => &roles.implement,
        Stage::ImplCritique => &roles.impl_critique,
    }
}

/// The agent whose turn it is: a list rotates by attempt.
fn in_turn(charter: &Charter, stage: Stage, attempt: u32) -> Option<&AgentName> {
    let list = role(&charter.roles, stage);
    list.get(turn(list, attempt))
}

fn turn(list: &[AgentName], attempt: u32) -> usize {
    attempt.saturating_sub(1) as usize % list.len().max(1)
}

/// Who takes the stage that is due.
pub(super) fn agent(run: &Run, attempt: &Attempt, stage: Stage) -> AgentName {
    let taken = attempt.retries.agent.as_ref().or_else(|| {
        let recovery = run.charter.policy.recovery.as_ref()?;
        Casting::within(run, recovery, attempt, stage).agent(stage, maker(&attempt.step))
    });
    let taken = taken.or_else(|| in_turn(&run.charter, stage, attempt.number));
    taken.cloned().unwrap_or_else(|| AgentName::new("nobody"))
}

/// Who made what a critic judges in this step.
fn maker(step: &Step) -> Option<&AgentName> {
    match step {
        Step::PlanCritique { by, .. } => Some(by),
        Step::ImplCritique(_, change, _) => Some(&change.agent),
        Step::Plan
        | Step::Implement(_)
        | Step::Verify(..)
        | Step::Judge(..)
        | Step::Commit { .. }
        | Step::Reconcile { .. }
        | Step::Undo { .. }
        | Step::Retry { .. }
        | Step::Propose { .. }
        | Step::Close(_) => None,
    }
}

/// Who takes a stage over from an agent that cannot be had, where the attempt can be brought to its
/// end that way. `step`: the stage's own.
pub(super) fn successor(
    run: &Run,
    attempt: &Attempt,
    stage: Stage,
    step: &Step,
    failed: &AgentName,
) -> Option<AgentName> {
    let recovery = run.charter.policy.recovery.as_ref().filter(|terms| terms.failover)?;
    let mut casting = Casting::within(run, recovery, attempt, stage);
    casting.gave_up.1.insert(failed.clone());
    let next = casting.agent(stage, maker(step))?;
    casting.covers(|making| making > stage).then(|| next.clone())
}

/// Why no attempt can be brought to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// Limits are in the way.
    Limited(RunPaused),
    /// Nobody may judge what anybody makes.
    Hopeless,
}

/// Whether somebody is there for each stage of the attempt with this number.
pub(super) fn shortage(run: &Run, attempt: u32) -> Option<Shortage> {
    let recovery = run.charter.policy.recovery.as_ref()?;
    let casting = Casting {
        charter: &run.charter,
        recovery,
        attempt,
        blocked: run.limits.keys().collect(),
        gave_up: (Stage::Verify, BTreeSet::new()),
    };
    if casting.covers(|_| true) {
        return None;
    }
    let stages = &run.charter.policy.stages;
    let asked = stages.iter().flat_map(|stage| casting.asked(*stage));
    let limits = asked.filter_map(|name| run.limits.get_key_value(name));
    let limits: Vec<_> = limits.collect();
    let is_by_quota = limits.iter().all(|(_, limit)| limit.cause == LimitCause::Quota);
    let cause = if is_by_quota { PauseCause::Quota } else { PauseCause::RateLimit };
    let soonest = limits.into_iter().min_by_key(|(_, limit)| (limit.until.is_none(), limit.until));
    Some(match soonest {
        None => Shortage::Hopeless,
        Some((agent, limit)) => {
            Shortage::Limited(RunPaused { cause, agent: agent.clone(), until: limit.until })
        }
    })
}

/// Whose limit ends first among those that could take the stage, where several can.
pub(super) fn soonest(run: &Run, stage: Stage, paused: RunPaused) -> RunPaused {
    let has_failover = run.charter.policy.recovery.as_ref().is_some_and(|terms| terms.failover);
    if !has_failover || paused.cause != PauseCause::RateLimit {
        return paused;
    }
    let agents = role(&run.charter.roles, stage).iter();
    let limits = agents.filter_map(|name| run.limits.get_key_value(name));
    let known = limits.filter_map(|(name, limit)| Some((limit.until?, name)));
    match known.min_by_key(|(until, _)| *until) {
        Some((until, agent)) => {
            RunPaused { cause: paused.cause, agent: agent.clone(), until: Some(until) }
        }
        None => paused,
    }
}

/// Who can be had for one attempt.
struct Casting<'a> {
    charter: &'a Charter,
    recovery: &'a Recovery,
    attempt: u32,
    /// Whom nobody asks for anything.
    blocked: BTreeSet<&'a AgentName>,
    /// Who could not be had for this one stage.
    gave_up: (Stage, BTreeSet<AgentName>),
}

impl<'a> Casting<'a> {
    /// In an attempt that has begun, an allowance that is nearly used up since is no reason.
    fn within(run: &'a Run, recovery: &'a Recovery, attempt: &'a Attempt, stage: Stage) -> Self {
        let limited = run.limits.iter().filter(|(_, it)| it.cause == LimitCause::RateLimit);
        Self {
            charter: &run.charter,
            recovery,
            attempt: attempt.number,
            blocked: limited.map(|(name, _)| name).chain(&attempt.barred).collect(),
            gave_up: (stage, attempt.retries.gave_up.clone()),
        }
    }

    /// Who may be asked, in turn: without failover, nobody but the one whose turn it is.
    fn asked(&self, stage: Stage) -> impl Iterator<Item = &'a AgentName> + use<'a> {
        let list = role(&self.charter.roles, stage);
        let count = if self.recovery.failover { list.len() } else { list.len().min(1) };
        list.iter().cycle().skip(turn(list, self.attempt)).take(count)
    }

    fn free(&self, stage: Stage) -> impl Iterator<Item = &'a AgentName> {
        let (given_up, by) = &self.gave_up;
        let has_given_up = move |name: &AgentName| *given_up == stage && by.contains(name);
        self.asked(stage).filter(move |name| !self.blocked.contains(name) && !has_given_up(name))
    }

    fn critic(&self, judging: Stage, maker: &AgentName) -> Option<&'a AgentName> {
        self.free(judging).find(|critic| !self.recovery.are_near(critic, maker))
    }

    /// Somebody whose work somebody else can judge.
    fn maker(&self, making: Stage, judging: Stage) -> Option<&'a AgentName> {
        let is_judged = self.charter.policy.stages.contains(&judging);
        self.free(making).find(|maker| !is_judged || self.critic(judging, maker).is_some())
    }

    fn agent(&self, stage: Stage, maker: Option<&AgentName>) -> Option<&'a AgentName> {
        match stage {
            Stage::Plan => self.maker(Stage::Plan, Stage::PlanCritique),
            Stage::Implement => self.maker(Stage::Implement, Stage::ImplCritique),
            Stage::PlanCritique | Stage::ImplCritique => self.critic(stage, maker?),
            Stage::Verify => None,
        }
    }

    /// Whether somebody is there for what is still to be made, and for judging it.
    fn covers(&self, is_ahead: impl Fn(Stage) -> bool) -> bool {
        let stages = &self.charter.policy.stages;
        let ahead = PAIRS.into_iter().filter(|(it, _)| stages.contains(it) && is_ahead(*it));
        ahead.into_iter().all(|(making, judging)| self.maker(making, judging).is_some())
    }
}
