//! The transitions of one attempt.

use super::again;
use super::attempt::{After, Attempt, Ending, Planned, Step};
use super::charter::{GateId, Policy, Stage};
use super::closing;
use super::effect::Effect;
use super::event::{
    CommitFinished, CommitPrepared, EventKind, GateResult, GatesJudged, JudgedAs, ProposalRecorded,
    Reconciled, RollbackCause,
};
use super::gate::{self, Evidence};
use super::id::Seq;
use super::reason;
use super::recovery;
use super::report::Usage;
use super::stage_end::{self, undo};
use super::state::{Kept, Mode, Run, State};
use super::verdict::Verdict;

/// Applies one event of the attempt in hand. `None`: it cannot happen here.
pub(super) fn advance(mut state: State, seq: Seq, kind: &EventKind) -> Option<State> {
    let Mode::Running(run) = &mut state.mode else { return None };
    let mut attempt = run.attempt.take()?;
    let (task, number) = kind.about()?;
    if *task != attempt.task.id || number != attempt.number {
        return None;
    }
    if let Some(effect) = Effect::carried_by(kind)
        && is_started(&effect)
    {
        if run.in_flight.is_some() || !fits(&effect, &attempt.step) {
            return None;
        }
        run.in_flight = Some(seq);
        run.attempt = Some(attempt);
        return Some(state);
    }
    let next = next_step(run, &attempt, seq, kind)?;
    let taken = std::mem::replace(&mut attempt.step, next);
    match (kind.agent_end(), kind) {
        (Some(end), _) => {
            if !end.quota.is_empty() {
                let known = state.quotas.entry(end.agent.clone()).or_default();
                recovery::keep_windows(known, end.quota);
            }
            again::ended(run, &mut attempt, taken, &end);
        }
        (None, EventKind::StageRetried(data)) => again::take(&mut attempt, data),
        (None, _) => {}
    }
    match (kind, &attempt.step) {
        (EventKind::GatesJudged(data), Step::Close(_)) => {
            state.kept = Some(Kept { base: attempt.base.clone(), tree: data.tree.clone() });
        }
        (EventKind::CommitFinished(_) | EventKind::Reconciled(_), Step::Close(_)) => {
            state.kept = None;
        }
        _ => {}
    }
    run.attempt = Some(attempt);
    if let EventKind::RollbackFinished(data) = kind {
        return closing::rolled_back(state, &data.to);
    }
    Some(state)
}

/// Whether the effect is announced by one event and answered by another.
fn is_started(effect: &Effect) -> bool {
    match effect {
        Effect::Call(..) | Effect::Verify(_) | Effect::Commit(_) | Effect::Rollback(_) => true,
        Effect::Select { .. }
        | Effect::Judge(_)
        | Effect::Reconcile { .. }
        | Effect::Retry(_)
        | Effect::Propose { .. }
        | Effect::Close(_)
        | Effect::Pause(_)
        | Effect::End(_) => false,
    }
}

/// Whether the effect belongs to the step. What exactly it says is for replay to compare.
fn fits(effect: &Effect, step: &Step) -> bool {
    matches!(
        (effect, step),
        (Effect::Call(Stage::Plan, _), Step::Plan)
            | (Effect::Call(Stage::PlanCritique, _), Step::PlanCritique { .. })
            | (Effect::Call(Stage::Implement, _), Step::Implement(_))
            | (Effect::Call(Stage::ImplCritique, _), Step::ImplCritique(..))
            | (Effect::Verify(_), Step::Verify(..))
            | (Effect::Commit(_), Step::Commit { prepared: None, .. })
            | (Effect::Rollback(_), Step::Undo { .. })
    )
}

fn next_step(run: &mut Run, attempt: &Attempt, seq: Seq, kind: &EventKind) -> Option<Step> {
    let policy = run.charter.policy.clone();
    let step = attempt.step.clone();
    match (step, kind) {
        (Step::Plan, EventKind::PlanFinished(data)) => {
            land(run, data.usage, data.duration_ms)?;
            stage_end::planned(&policy, data)
        }
        (Step::PlanCritique { plan, .. }, EventKind::PlanCritiqueFinished(data)) => {
            land(run, data.usage, data.duration_ms)?;
            stage_end::plan_judged(&policy, Planned { plan: Some(plan), critique: None }, data)
        }
        (Step::Implement(planned), EventKind::ImplementFinished(data)) => {
            land(run, data.usage, data.duration_ms)?;
            stage_end::implemented(&policy, attempt, planned, data)
        }
        (Step::Verify(planned, change), EventKind::VerifyFinished(data)) => {
            land(run, Usage::default(), data.duration_ms())?;
            Some(stage_end::verified(&policy, planned, change, data))
        }
        (Step::ImplCritique(_, change, verified), EventKind::ImplCritiqueFinished(data)) => {
            land(run, data.usage, data.duration_ms)?;
            Some(stage_end::criticised(change, verified, data))
        }
        (Step::Judge(change, verified, critique), EventKind::GatesJudged(data)) => {
            let (verified, critique) = (verified.as_ref(), critique.as_ref());
            let evidence = Evidence { change: &change, verified, critique };
            judged(&policy, attempt, evidence, seq, data)
        }
        (Step::Commit { passed, judged, prepared: None }, EventKind::CommitPrepared(data)) => {
            run.in_flight?;
            let stands = data.tree == *passed.tree() && data.parent == *passed.base();
            let prepared = Some(Box::new(data.clone()));
            stands.then_some(Step::Commit { passed, judged, prepared })
        }
        (Step::Commit { prepared, .. }, EventKind::CommitFinished(data)) => {
            run.in_flight.take()?;
            committed(*prepared?, data)
        }
        (Step::Reconcile { prepared }, EventKind::Reconciled(data)) => {
            reconciled(prepared.as_deref(), data)
        }
        (step @ Step::Undo { .. }, EventKind::RollbackFinished(_)) => {
            run.in_flight.take()?;
            Some(step)
        }
        (Step::Retry { stage, retried }, EventKind::StageRetried(data)) => {
            (retried.agent == data.agent && retried.count == data.count).then_some(*stage)
        }
        (Step::Propose { verdict, reason, .. }, EventKind::ProposalRecorded(data)) => {
            proposed(verdict, reason, data)
        }
        _ => None,
    }
}

/// The effect in flight was answered.
fn land(run: &mut Run, usage: Usage, duration_ms: u64) -> Option<()> {
    run.in_flight.take()?;
    let spent = &mut run.spent;
    let tokens = usage.input.saturating_add(usage.cached).saturating_add(usage.output);
    spent.tokens = spent.tokens.saturating_add(tokens);
    let cost = usage.cost_usd.unwrap_or_default().micros();
    spent.cost_micros = spent.cost_micros.saturating_add(cost);
    spent.duration_ms = spent.duration_ms.saturating_add(duration_ms);
    Some(())
}

/// The judgement is made again: what the log says must be exactly that.
fn judged(
    policy: &Policy,
    attempt: &Attempt,
    evidence: Evidence<'_>,
    seq: Seq,
    data: &GatesJudged,
) -> Option<Step> {
    let (again, passed) = gate::judge(policy, attempt, evidence)?;
    if again != *data {
        return None;
    }
    let critique = evidence.critique.and_then(|critique| critique.message.clone());
    let objection = |is_meant: &dyn Fn(GateId) -> bool| {
        let mut objecting = data.gates.iter().filter(|result| !result.passed);
        let result = objecting.find(|result| is_meant(result.gate));
        let told = |it: &GateResult| reason::line(&format!("{}: {}", it.gate.name(), it.reason));
        result.map(told).unwrap_or_default()
    };
    let rejected = |after: After| undo(RollbackCause::Gates, after);
    Some(match (data.outcome, passed) {
        (JudgedAs::Pass, Some(passed)) if policy.commit_on_pass => {
            Step::Commit { passed, judged: seq, prepared: None }
        }
        (JudgedAs::Pass, Some(_)) => Step::Close(Ending::Done { commit: None }),
        (JudgedAs::Pass, None) => return None,
        (JudgedAs::Fail, _) => rejected(After::Fail { reason: objection(&|_| true) }),
        (JudgedAs::Blocked, _) => {
            let note = evidence.critique.and_then(|critique| critique.note.as_deref());
            let reason = if gate::is_blocked_by_critic(policy, evidence.critique) {
                reason::line(&gate::said(Verdict::Blocked, note))
            } else {
                objection(&|gate| gate == GateId::FailToPass)
            };
            rejected(After::Block { reason })
        }
        (JudgedAs::Proposal, _) => {
            let verdict = evidence.critique.and_then(|critique| critique.verdict)?;
            let note = evidence.critique.and_then(|critique| critique.note.as_deref());
            let reason = reason::line(&gate::said(verdict, note));
            rejected(After::Propose { verdict, critique, reason })
        }
    })
}

fn committed(prepared: CommitPrepared, data: &CommitFinished) -> Option<Step> {
    (prepared.commit == data.commit && prepared.tree == data.tree)
        .then_some(Step::Close(Ending::Done { commit: Some(prepared.commit) }))
}

/// Only the commit that was prepared can have been made.
fn reconciled(prepared: Option<&CommitPrepared>, data: &Reconciled) -> Option<Step> {
    match (&data.commit, prepared) {
        (None, _) => Some(undo(RollbackCause::Interrupted, After::Nothing)),
        (Some(commit), Some(prepared)) if *commit == prepared.commit => {
            Some(Step::Close(Ending::Done { commit: Some(commit.clone()) }))
        }
        (Some(_), _) => None,
    }
}

fn proposed(verdict: Verdict, reason: String, data: &ProposalRecorded) -> Option<Step> {
    let reason = reason::line(&format!("proposal: {reason}"));
    (data.verdict == verdict).then_some(Step::Close(Ending::Blocked { reason }))
}

/// What becomes of a step that was cut short: work is undone, a commit is looked for, and what was
/// about to settle the attempt is done again.
pub(super) fn cut_short(step: Step) -> Step {
    match step {
        Step::Plan
        | Step::PlanCritique { .. }
        | Step::Implement(_)
        | Step::Verify(..)
        | Step::ImplCritique(..)
        | Step::Retry { .. }
        | Step::Judge(..) => undo(RollbackCause::Interrupted, After::Nothing),
        // Nothing is tried again by whoever only settles what was left behind.
        Step::Undo { cause, after: After::Again { .. } } => undo(cause, After::Nothing),
        Step::Commit { prepared, .. } => Step::Reconcile { prepared },
        Step::Reconcile { .. } | Step::Undo { .. } | Step::Propose { .. } | Step::Close(_) => step,
    }
}
