//! From event to the next state.

use std::collections::BTreeMap;

use super::advance;
use super::attempt::{Attempt, Planned, Retries};
use super::charter::Charter;
use super::closing;
use super::event::{
    BacklogLoaded, By, EndReason, Event, EventKind, Interrupted, Interruption, LimitLifted,
    RunEnded, RunPaused, TaskSelected,
};
use super::id::{AgentName, Digest, RunId, Seq, TaskId};
use super::recovery::{Limit, LimitCause};
use super::report::QuotaWindow;
use super::stage_end;
use super::state::{BacklogDigest, Mode, Progress, Run, State, Stop};
use super::task::{Mark, Status};

/// An event that cannot follow the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The log skips or repeats a position.
    #[error("event {got} stands where {want} is due")]
    Gap {
        /// The position due.
        want: Seq,
        /// The position found.
        got: Seq,
    },
    /// The event does not fit the state.
    #[error("event {seq}, {name}, cannot happen here")]
    Misfit {
        /// Which event.
        seq: Seq,
        /// Its name.
        name: &'static str,
    },
}

/// Takes one step. On error the state is gone, so a half-applied event cannot be observed.
///
/// # Errors
/// The event skips a position, or cannot happen in this state.
pub fn fold(state: State, event: &Event) -> Result<State, FoldError> {
    if event.seq != state.next() {
        return Err(FoldError::Gap { want: state.next(), got: event.seq });
    }
    let misfit = FoldError::Misfit { seq: event.seq, name: event.kind.name() };
    let mut state = step(state, event).ok_or(misfit)?;
    state.last = event.seq;
    if !may_be_unwritten(&event.kind)
        && let Some(backlog) = &mut state.backlog
    {
        backlog.before.clone_from(&backlog.after);
    }
    Ok(state)
}

/// A mark is in the backlog before the next event is recorded. Only where it is the last word, or
/// a crash was noticed right after it, can the backlog still be as it was before; later that means
/// that a person took the mark back.
fn may_be_unwritten(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::TaskDone(_)
            | EventKind::TaskFailed(_)
            | EventKind::TaskBlocked(_)
            | EventKind::TaskUnblocked(_)
            | EventKind::TaskReopened(_)
            | EventKind::Interrupted(_)
    )
}

/// Every event in its place, `None` where it has none. Events of an attempt go to [`advance`].
#[expect(clippy::too_many_lines, reason = "one match over all variants")]
fn step(mut state: State, event: &Event) -> Option<State> {
    match &event.kind {
        EventKind::RunStarted(charter) => start(state, &event.run, charter),
        EventKind::RunResumed(charter) => resume(state, &event.run, charter),
        EventKind::RunPaused(data) => pause(state, data),
        EventKind::RunEnded(data) => end(state, data),
        EventKind::BacklogLoaded(data) => load(state, data),
        EventKind::BacklogChanged(data) => {
            if data.by == By::Person {
                state.backlog = Some(fixed(&data.after));
            }
            Some(state)
        }
        EventKind::StopRequested(_) => {
            wake(&mut state);
            let run = active(&mut state)?;
            run.stop.get_or_insert(Stop::End(EndReason::Stopped));
            Some(state)
        }
        EventKind::Interrupted(data) => interrupt(state, data),
        EventKind::LimitLifted(data) => lift(state, &event.run, data),
        // It is about the state, and no part of it.
        EventKind::OracleJudged(_) => Some(state),
        EventKind::TaskSelected(data) => select(state, &event.run, data),
        EventKind::TaskDone(data) if data.by != By::Run => {
            mark(state, &data.task, &data.before, &data.after, |progress| {
                progress.status = Status::Done;
                progress.commit = data.commit.clone();
                progress.fail_count = 0;
                progress.reason = None;
            })
        }
        EventKind::TaskBlocked(data) if data.by != By::Run => {
            mark(state, &data.task, &data.before, &data.after, |progress| {
                progress.status = Status::Blocked;
                progress.fail_count = data.fail_count;
                progress.reason = Some(data.reason.clone());
            })
        }
        EventKind::TaskDone(data) => {
            is_current(&state, &event.run)?;
            closing::close(state, &event.kind, &data.task, &data.before, &data.after)
        }
        EventKind::TaskFailed(data) => {
            is_current(&state, &event.run)?;
            closing::close(state, &event.kind, &data.task, &data.before, &data.after)
        }
        EventKind::TaskBlocked(data) => {
            is_current(&state, &event.run)?;
            closing::close(state, &event.kind, &data.task, &data.before, &data.after)
        }
        EventKind::TaskUnblocked(data) => {
            mark(state, &data.task, &data.before, &data.after, Progress::open)
        }
        EventKind::TaskReopened(data) => {
            mark(state, &data.task, &data.before, &data.after, Progress::open)
        }
        EventKind::PlanStarted(_)
        | EventKind::PlanFinished(_)
        | EventKind::PlanCritiqueStarted(_)
        | EventKind::PlanCritiqueFinished(_)
        | EventKind::ImplementStarted(_)
        | EventKind::ImplementFinished(_)
        | EventKind::VerifyStarted(_)
        | EventKind::VerifyFinished(_)
        | EventKind::ImplCritiqueStarted(_)
        | EventKind::ImplCritiqueFinished(_)
        | EventKind::GatesJudged(_)
        | EventKind::CommitStarted(_)
        | EventKind::CommitPrepared(_)
        | EventKind::CommitFinished(_)
        | EventKind::RollbackStarted(_)
        | EventKind::RollbackFinished(_)
        | EventKind::Reconciled(_)
        | EventKind::StageRetried(_)
        | EventKind::ProposalRecorded(_) => {
            is_current(&state, &event.run)?;
            advance::advance(state, event.seq, &event.kind)
        }
    }
}

fn active(state: &mut State) -> Option<&mut Run> {
    match &mut state.mode {
        Mode::Running(run) => Some(run),
        Mode::Idle | Mode::Paused(..) => None,
    }
}

/// Events of an attempt carry the id of the run that makes it.
fn is_current(state: &State, run: &RunId) -> Option<()> {
    (state.run_id()? == run).then_some(())
}

fn start(mut state: State, id: &RunId, charter: &Charter) -> Option<State> {
    match state.mode {
        Mode::Idle => {}
        Mode::Running(_) | Mode::Paused(..) => return None,
    }
    open(&mut state, id.clone(), charter);
    Some(state)
}

/// Goes on with a run that a limit paused or a crash left open, once its attempt is settled.
fn resume(mut state: State, id: &RunId, charter: &Charter) -> Option<State> {
    let run = state.run()?;
    if run.id != *id || run.attempt.is_some() || run.in_flight.is_some() {
        return None;
    }
    open(&mut state, id.clone(), charter);
    Some(state)
}

fn open(state: &mut State, id: RunId, charter: &Charter) {
    let limits = allowances_used(state, charter);
    state.tasks.clone_from(&charter.tasks);
    state.mode = Mode::Running(Box::new(Run {
        id,
        charter: charter.clone(),
        attempts: 0,
        spent: charter.spent_before.unwrap_or_default(),
        attempt: None,
        in_flight: None,
        stop: None,
        limits,
        has_cut_short: false,
    }));
}

/// Whoever was limited may be asked once more; whoever had nearly used up an allowance may not, or
/// every run would use some of the rest. One that never begins anew bars nobody for good.
fn allowances_used(state: &State, charter: &Charter) -> BTreeMap<AgentName, Limit> {
    let Some(recovery) = &charter.policy.recovery else { return BTreeMap::new() };
    let limit = |(agent, windows): (&AgentName, &Vec<QuotaWindow>)| {
        let limit = recovery.limit_by(windows).filter(|limit| limit.until.is_some())?;
        Some((agent.clone(), limit))
    };
    state.quotas.iter().filter_map(limit).collect()
}

fn pause(mut state: State, data: &RunPaused) -> Option<State> {
    let Mode::Running(run) = state.mode else { return None };
    let is_due = match &run.stop {
        Some(Stop::Pause(due)) => due == data,
        Some(Stop::End(_)) => false,
        None => run.limits.get(&data.agent).is_some_and(|limit| limit.until == data.until),
    };
    if run.attempt.is_some() || !is_due {
        return None;
    }
    state.mode = Mode::Paused(run, data.clone());
    Some(state)
}

/// Somebody who does not want to wait any longer ends the wait, and with it the run.
fn wake(state: &mut State) {
    state.mode = match std::mem::take(&mut state.mode) {
        Mode::Paused(mut run, _) => {
            run.stop = None;
            Mode::Running(run)
        }
        mode @ (Mode::Idle | Mode::Running(_)) => mode,
    };
}

/// The time has passed: whoever was limited may be asked again from the next attempt on.
fn lift(mut state: State, id: &RunId, data: &LimitLifted) -> Option<State> {
    is_current(&state, id)?;
    let run = active(&mut state)?;
    if run.attempt.is_some() {
        return None;
    }
    run.limits.remove(&data.agent)?;
    Some(state)
}

fn end(mut state: State, data: &RunEnded) -> Option<State> {
    let run = active(&mut state)?;
    if run.attempt.is_some() || data.exit_code != data.reason.exit_code() {
        return None;
    }
    state.mode = Mode::Idle;
    Some(state)
}

/// Marks of tasks that the log does not know yet are taken as they are; a difference to a known
/// task becomes an event of its own.
fn load(mut state: State, data: &BacklogLoaded) -> Option<State> {
    active(&mut state)?;
    for Mark { task, status, fail_count, reason } in data.marks.clone() {
        let new = Progress { status, fail_count, reason, ..Progress::default() };
        state.progress.entry(task).or_insert(new);
    }
    state.backlog = Some(fixed(&data.digest));
    Some(state)
}

fn fixed(digest: &Digest) -> BacklogDigest {
    BacklogDigest { before: digest.clone(), after: digest.clone(), task: None }
}

fn mark(
    mut state: State,
    task: &TaskId,
    before: &Digest,
    after: &Digest,
    change: impl FnOnce(&mut Progress),
) -> Option<State> {
    change(state.progress.entry(task.clone()).or_default());
    state.backlog = Some(BacklogDigest {
        before: before.clone(),
        after: after.clone(),
        task: Some(task.clone()),
    });
    Some(state)
}

impl Progress {
    fn open(&mut self) {
        self.status = Status::Todo;
        self.fail_count = 0;
        self.reason = None;
        self.commit = None;
    }
}

fn select(mut state: State, id: &RunId, data: &TaskSelected) -> Option<State> {
    is_current(&state, id)?;
    let loop_number = state.attempts.checked_add(1)?;
    let run = active(&mut state)?;
    if run.attempt.is_some() || run.in_flight.is_some() || run.stop.is_some() {
        return None;
    }
    let task = run.charter.tasks.iter().find(|task| task.id == data.task)?.clone();
    if task.title != data.title {
        return None;
    }
    run.attempts = run.attempts.checked_add(1)?;
    let step = stage_end::first_step(&run.charter.policy.stages, &Planned::default())?;
    let barred = run.limits.iter().filter(|(_, limit)| limit.cause == LimitCause::Quota);
    let barred = barred.map(|(name, _)| name.clone()).collect();
    run.attempt = Some(Attempt {
        task,
        number: data.attempt,
        loop_number,
        base: data.base.clone(),
        snapshot: data.snapshot.clone(),
        step,
        barred,
        retries: Retries::default(),
    });
    state.attempts = loop_number;
    let progress = state.progress.entry(data.task.clone()).or_default();
    if progress.attempts.checked_add(1)? != data.attempt || progress.status != Status::Todo {
        return None;
    }
    progress.attempts = data.attempt;
    progress.latest_loop = loop_number;
    Some(state)
}

fn interrupt(mut state: State, data: &Interrupted) -> Option<State> {
    if *data != state.interruption(data.cause) {
        return None;
    }
    wake(&mut state);
    let run = active(&mut state)?;
    run.in_flight = None;
    match (&mut run.attempt, data.cause) {
        (Some(attempt), _) => attempt.step = advance::cut_short(attempt.step.clone()),
        (None, Interruption::Signal) => {}
        (None, Interruption::Crash) => return None,
    }
    match data.cause {
        Interruption::Signal => run.stop = Some(Stop::End(EndReason::Interrupted)),
        Interruption::Crash => {}
    }
    Some(state)
}
