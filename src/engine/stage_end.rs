//! Where an attempt goes on once a stage has ended.

use super::at::At;
use super::attempt::{After, Attempt, Critique, Planned, Step, Verified};
use super::charter::{GateId, Policy, Stage};
use super::event::{
    EndReason, ImplCritiqueFinished, ImplementFinished, PauseCause, PlanCritiqueFinished,
    PlanFinished, RollbackCause, RunPaused, VerifyFinished,
};
use super::gate::{self, Evidence};
use super::id::AgentName;
use super::reason;
use super::report::Class;
use super::verdict::Verdict;

/// Where an attempt goes on once planning left this.
pub(super) fn first_step(stages: &[Stage], planned: &Planned) -> Option<Step> {
    if stages.contains(&Stage::Plan) && planned.plan.is_none() {
        return Some(Step::Plan);
    }
    stages.contains(&Stage::Implement).then(|| Step::Implement(planned.clone()))
}

pub(super) fn undo(cause: RollbackCause, after: After) -> Step {
    Step::Undo { cause, after }
}

/// What an abnormal end means for the task and for the run.
fn agent_failed(stage: &str, agent: &AgentName, report: Failed) -> Step {
    let says = |what: &str| reason::line(&format!("{stage} ({agent}) {what}"));
    let pause = |cause: PauseCause| {
        After::Pause(RunPaused { cause, agent: agent.clone(), until: report.until })
    };
    let after = match report.class {
        Class::RateLimited => pause(PauseCause::RateLimit),
        Class::Overloaded => pause(PauseCause::Overloaded),
        Class::NoCredit | Class::Auth => After::End(EndReason::AgentUnusable),
        Class::Missing => After::Block { reason: says("cannot be started") },
        Class::Context => {
            After::Fail { reason: says("ran out of context: the task may be too large, split it") }
        }
        Class::TimedOut => After::Fail { reason: says("did not end in time") },
        Class::DiskFull => After::Fail { reason: says("filled the disk") },
        Class::Idle => After::Fail { reason: says("was silent for too long") },
        Class::Empty | Class::Ok => After::Fail { reason: says("ended without an answer") },
        Class::Crashed => After::Fail {
            reason: match report.exit_code {
                Some(code) => says(&format!("failed with exit code {code}")),
                None => says("was ended by a signal"),
            },
        },
    };
    undo(RollbackCause::AgentFailed, after)
}

/// The part of a report that matters when a stage failed.
struct Failed {
    class: Class,
    exit_code: Option<i32>,
    until: Option<At>,
}

macro_rules! failed {
    ($data:expr) => {
        Failed { class: $data.class, exit_code: $data.exit_code, until: $data.until }
    };
}

fn state_touched(stage: &str, changes: &[String]) -> Step {
    let reason = format!("{stage} changed the state directory: {}", reason::list(changes));
    undo(RollbackCause::StateTouched, After::Fail { reason: reason::line(&reason) })
}

pub(super) fn planned(policy: &Policy, data: &PlanFinished) -> Option<Step> {
    let plan = match (data.class, data.message.clone()) {
        (Class::Ok, Some(plan)) => plan,
        _ => return Some(agent_failed("planner", &data.agent, failed!(data))),
    };
    if !data.state_changes.is_empty() {
        return Some(state_touched("planner", &data.state_changes));
    }
    if policy.stages.contains(&Stage::PlanCritique) {
        return Some(Step::PlanCritique { plan, by: data.agent.clone() });
    }
    first_step(&policy.stages, &Planned { plan: Some(plan), critique: None })
}

pub(super) fn plan_judged(
    policy: &Policy,
    planned: Planned,
    data: &PlanCritiqueFinished,
) -> Option<Step> {
    let message = match (data.class, data.message.clone()) {
        (Class::Ok, Some(message)) => message,
        _ => return Some(agent_failed("plan critic", &data.agent, failed!(data))),
    };
    if !data.state_changes.is_empty() {
        return Some(state_touched("plan critic", &data.state_changes));
    }
    let says = |what: &str| reason::line(&format!("plan critic: {what}"));
    let after = match data.verdict {
        Some(Verdict::Pass) => {
            let critique = Some(message);
            return first_step(&policy.stages, &Planned { critique, ..planned });
        }
        None => After::Fail { reason: says("no verdict could be read") },
        Some(verdict) => {
            let reason = says(&gate::said(verdict, data.note.as_deref()));
            if verdict.is_proposal() {
                After::Propose { verdict, critique: Some(message), reason }
            } else if verdict == Verdict::Blocked {
                After::Block { reason }
            } else {
                After::Fail { reason }
            }
        }
    };
    Some(undo(RollbackCause::PlanRejected, after))
}

/// A state or secret failure skips verification and critic, a scope failure only verification.
pub(super) fn implemented(
    policy: &Policy,
    attempt: &Attempt,
    planned: Planned,
    data: &ImplementFinished,
) -> Option<Step> {
    // What an implementer says decides nothing, so it may say nothing.
    if !matches!(data.class, Class::Ok | Class::Empty) || data.tree.is_none() {
        return Some(agent_failed("implementer", &data.agent, failed!(data)));
    }
    let change = Box::new(data.clone());
    let evidence = Evidence { change: data, verified: None, critique: None };
    let passes = |gate: GateId| gate::passes(gate, policy, &attempt.task, evidence);
    Some(if !passes(GateId::State) || !passes(GateId::Secret) {
        Step::Judge(change, None, None)
    } else if passes(GateId::Scope) && policy.stages.contains(&Stage::Verify) {
        Step::Verify(planned, change)
    } else {
        after_verify(policy, planned, change, None)
    })
}

pub(super) fn verified(
    policy: &Policy,
    planned: Planned,
    change: Box<ImplementFinished>,
    data: &VerifyFinished,
) -> Step {
    let verified = Verified {
        passed: data.passed && !data.commands.is_empty(),
        commands: data.commands.clone(),
        state_changes: data.state_changes.clone(),
        base: data.base.clone(),
    };
    if verified.state_changes.is_empty() {
        after_verify(policy, planned, change, Some(verified))
    } else {
        Step::Judge(change, Some(verified), None)
    }
}

fn after_verify(
    policy: &Policy,
    planned: Planned,
    change: Box<ImplementFinished>,
    verified: Option<Verified>,
) -> Step {
    if policy.stages.contains(&Stage::ImplCritique) {
        Step::ImplCritique(planned, change, verified)
    } else {
        Step::Judge(change, verified, None)
    }
}

pub(super) fn criticised(
    change: Box<ImplementFinished>,
    verified: Option<Verified>,
    data: &ImplCritiqueFinished,
) -> Step {
    if data.class != Class::Ok || data.message.is_none() {
        return agent_failed("impl critic", &data.agent, failed!(data));
    }
    let critique = Critique {
        verdict: data.verdict,
        note: data.note.clone(),
        message: data.message.clone(),
        state_changes: data.state_changes.clone(),
    };
    Step::Judge(change, verified, Some(critique))
}
