//! Whether a stage that failed is taken again, and by whom.

use super::attempt::{After, Attempt, Retries, Step};
use super::casting;
use super::charter::Stage;
use super::event::{AgentEnd, RollbackCause, StageRetried};
use super::recovery::{Limit, LimitCause};
use super::report::Class;
use super::stage_end::undo;
use super::state::Run;

/// What came of an agent's call: what its provider says about limits is kept, and the stage is
/// due again where the terms say so. `taken`: the step in which it was called.
pub(super) fn ended(run: &mut Run, attempt: &mut Attempt, taken: Step, end: &AgentEnd<'_>) {
    note_limits(run, end);
    if let Some(retried) = retried(run, attempt, &taken, end) {
        let stage = Box::new(taken);
        attempt.step = if end.stage == Stage::ImplCritique {
            // The world has put back what a critic changed, and the candidate has to stay.
            Step::Retry { stage, retried }
        } else {
            undo(RollbackCause::AgentFailed, After::Again { stage, retried })
        };
        return;
    }
    attempt.retries = Retries::default();
    if let Step::Undo { after: After::Pause(paused), .. } = &mut attempt.step {
        *paused = casting::soonest(run, end.stage, paused.clone());
    }
}

fn note_limits(run: &mut Run, end: &AgentEnd<'_>) {
    let Some(recovery) = &run.charter.policy.recovery else { return };
    let told = Limit { cause: LimitCause::RateLimit, until: end.until };
    let told = (end.class == Class::RateLimited).then_some(told);
    for limit in told.into_iter().chain(recovery.limit_by(end.quota)) {
        let known = run.limits.get(end.agent).copied();
        let limit = known.map_or(limit, |known| known.with(limit));
        run.limits.insert(end.agent.clone(), limit);
    }
}

fn retried(run: &Run, attempt: &Attempt, taken: &Step, end: &AgentEnd<'_>) -> Option<StageRetried> {
    let terms = run.charter.policy.recovery.as_ref()?;
    // Whoever touched what is ours is not asked for anything a second time.
    if !end.state_changes.is_empty() {
        return None;
    }
    let retries = &attempt.retries;
    let retried = |agent, wait_s| StageRetried {
        task: attempt.task.id.clone(),
        attempt: attempt.number,
        stage: end.stage,
        agent,
        instead_of: end.agent.clone(),
        cause: end.class,
        wait_s,
        count: retries.count.saturating_add(1),
    };
    match end.class {
        // Whoever wants the run to end does not want to wait.
        Class::Overloaded if retries.overloaded < terms.overloaded && run.stop.is_none() => {
            let wait_s = terms.pause_before(retries.overloaded.saturating_add(1));
            Some(retried(end.agent.clone(), wait_s))
        }
        Class::Overloaded | Class::RateLimited => {
            let next = casting::successor(run, attempt, end.stage, taken, end.agent)?;
            Some(retried(next, 0))
        }
        // What an implementer says decides nothing, so it may say nothing.
        Class::Empty if end.stage != Stage::Implement && retries.empty < terms.empty => {
            Some(retried(end.agent.clone(), 0))
        }
        Class::Ok
        | Class::Empty
        | Class::NoCredit
        | Class::Auth
        | Class::Context
        | Class::TimedOut
        | Class::Idle
        | Class::Crashed
        | Class::Missing
        | Class::DiskFull => None,
    }
}

/// The stage is taken again, as was decided.
pub(super) fn take(attempt: &mut Attempt, data: &StageRetried) {
    let retries = &mut attempt.retries;
    retries.count = data.count;
    retries.agent = Some(data.agent.clone());
    if data.agent != data.instead_of {
        retries.gave_up.insert(data.instead_of.clone());
        retries.overloaded = 0;
    } else if data.cause == Class::Overloaded {
        retries.overloaded = retries.overloaded.saturating_add(1);
    } else {
        retries.empty = retries.empty.saturating_add(1);
    }
}
