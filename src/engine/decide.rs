//! From state to the next decision.

use super::attempt::{Attempt, Ending, Step};
use super::casting::{self, Shortage};
use super::charter::{Charter, Stage};
use super::effect::{Close, Closing, Effect};
use super::event::{
    CommitStarted, EndReason, RollbackStarted, RunEnded, StageRetried, StageStarted, VerifyStarted,
};
use super::gate::{self, Evidence};
use super::id::{Seq, TaskId};
use super::policy;
use super::reason;
use super::state::{Mode, Progress, Run, State, Stop};
use super::task::{Status, Task};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No run is active.
    Rest,
    /// Record this effect, then carry it out.
    Act(Box<Effect>),
    /// The effect that this event started was never answered.
    Await(Seq),
}

/// For people.
impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rest => f.write_str("to rest: no run is active"),
            Self::Act(effect) => write!(f, "to {effect}"),
            Self::Await(seq) => write!(f, "to wait for the answer to event {seq}"),
        }
    }
}

/// Decides what to do next. Total, deterministic, and blind to everything but the log.
pub fn decide(state: &State) -> Decision {
    let run = match &state.mode {
        Mode::Idle | Mode::Paused(..) => return Decision::Rest,
        Mode::Running(run) => run,
    };
    if let Some(started) = run.in_flight {
        return Decision::Await(started);
    }
    Decision::Act(Box::new(match &run.attempt {
        None => between(state, run),
        Some(attempt) => within(state, run, attempt),
    }))
}

fn within(state: &State, run: &Run, attempt: &Attempt) -> Effect {
    let (task, number) = (attempt.task.id.clone(), attempt.number);
    let call = |stage: Stage| {
        let agent = casting::agent(run, attempt, stage);
        Effect::Call(stage, StageStarted { task: task.clone(), attempt: number, agent })
    };
    match &attempt.step {
        Step::Plan => call(Stage::Plan),
        Step::PlanCritique { .. } => call(Stage::PlanCritique),
        Step::Implement(_) => call(Stage::Implement),
        Step::ImplCritique(..) => call(Stage::ImplCritique),
        Step::Verify(..) => {
            let commands = attempt.task.verify.clone();
            Effect::Verify(VerifyStarted { task, attempt: number, commands })
        }
        Step::Judge(change, verified, critique) => {
            let (verified, critique) = (verified.as_ref(), critique.as_ref());
            let evidence = Evidence { change, verified, critique };
            let (judged, _) = gate::judge(&run.charter.policy, attempt, evidence)
                .expect("only a frozen change reaches the gates");
            Effect::Judge(judged)
        }
        Step::Commit { passed, .. } => Effect::Commit(CommitStarted {
            task,
            attempt: number,
            base: passed.base().clone(),
            tree: passed.tree().clone(),
        }),
        Step::Reconcile { .. } => Effect::Reconcile { task, attempt: number },
        Step::Undo { cause, .. } => Effect::Rollback(RollbackStarted {
            task,
            attempt: number,
            to: attempt.snapshot.clone(),
            cause: *cause,
        }),
        Step::Retry { retried, .. } => {
            // Whoever wants the run to end does not want to wait.
            let wait_s = if run.stop.is_none() { retried.wait_s } else { 0 };
            Effect::Retry(StageRetried { wait_s, ..retried.clone() })
        }
        Step::Propose { verdict, .. } => {
            Effect::Propose { task, attempt: number, verdict: *verdict }
        }
        Step::Close(ending) => {
            let fail_count = state.progress.get(&task).map_or(0, |progress| progress.fail_count);
            let mark = match ending.clone() {
                Ending::Done { commit } => Closing::Done { commit },
                Ending::Failed { reason } => {
                    Closing::Failed { reason, fail_count: fail_count.saturating_add(1) }
                }
                Ending::Blocked { reason } => Closing::Blocked { reason, fail_count },
            };
            Effect::Close(Close { task, attempt: number, mark })
        }
    }
}

fn between(state: &State, run: &Run) -> Effect {
    match &run.stop {
        Some(Stop::End(reason)) => return end(*reason),
        Some(Stop::Pause(paused)) => return Effect::Pause(paused.clone()),
        None => {}
    }
    let Some((task, progress)) = next_task(state, run) else {
        let all_done = wanted(run).all(|task| is_done(state, run, &task.id));
        return end(if all_done { EndReason::Done } else { EndReason::NothingRunnable });
    };
    if let Some(reason) = hopeless(&run.charter, task) {
        let mark = Closing::Blocked { reason, fail_count: progress.fail_count };
        return Effect::Close(Close { task: task.id.clone(), attempt: progress.attempts, mark });
    }
    if is_spent(run) {
        return end(EndReason::Budget);
    }
    let iterations = run.charter.policy.iterations;
    if iterations > 0 && run.attempts >= iterations {
        return end(EndReason::Iterations);
    }
    let attempt = progress.attempts.saturating_add(1);
    match casting::shortage(run, attempt) {
        None => Effect::Select { task: task.id.clone(), attempt },
        Some(Shortage::Limited(paused)) => Effect::Pause(paused),
        Some(Shortage::Hopeless) => end(EndReason::NothingRunnable),
    }
}

fn end(reason: EndReason) -> Effect {
    Effect::End(RunEnded { reason, exit_code: reason.exit_code() })
}

/// The tasks this run is about.
fn wanted(run: &Run) -> impl Iterator<Item = &Task> {
    let only = run.charter.policy.only.as_ref();
    run.charter.tasks.iter().filter(move |task| only.is_none_or(|only| task.id == *only))
}

fn is_done(state: &State, run: &Run, id: &TaskId) -> bool {
    run.charter.archived.contains(id)
        || run.progress_of(&state.progress, id).is_some_and(|known| known.status == Status::Done)
}

/// The first task in file order that is neither done nor blocked and whose dependencies are done.
fn next_task<'state>(state: &'state State, run: &'state Run) -> Option<(&'state Task, Progress)> {
    wanted(run).find_map(|task| {
        let progress = state.progress.get(&task.id);
        // Dependencies come second: they are looked up in all tasks, and most tasks are done.
        let is_open = progress.is_none_or(|known| known.status == Status::Todo);
        let is_ready = is_open && task.depends.iter().all(|id| is_done(state, run, id));
        is_ready.then(|| (task, progress.cloned().unwrap_or_default()))
    })
}

/// Why no attempt at this task can pass, whoever makes it.
fn hopeless(charter: &Charter, task: &Task) -> Option<String> {
    if task.verify.is_empty() && charter.policy.stages.contains(&Stage::Verify) {
        return Some("it has no verify command".to_owned());
    }
    task.verify.iter().find_map(|command| {
        let denial = policy::denied(command)?;
        Some(reason::line(&format!("verify command denied ({}): {command}", denial.why)))
    })
}

fn is_spent(run: &Run) -> bool {
    run.charter.limits.are_reached(run.spent)
}
