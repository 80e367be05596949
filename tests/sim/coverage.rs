//! Which transitions were seen, and which there are.

use std::collections::BTreeSet;

use looper::engine::attempt::Step;
use looper::engine::charter::{GateId, Stage};
use looper::engine::event::{EndReason, Event, EventKind, JudgedAs, PauseCause, RollbackCause};
use looper::engine::report::Class;
use looper::engine::state::State;
use looper::engine::verdict::Verdict;

use crate::agents::{FAILURES, REFUSALS};
use crate::fault::{Fault, Point, crash_pairs};

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) outcomes: BTreeSet<(&'static str, String)>,
    pub(crate) crashes: BTreeSet<(Point, Fault)>,
}

fn word(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn ruling(verdict: Option<Verdict>) -> String {
    verdict.map_or("no verdict".to_owned(), |verdict| verdict.word().to_owned())
}

const TOUCHED: &str = "touched the state directory";
const SIGNAL: &str = "cut short by a signal";
const CRASH: &str = "cut short by a death";

/// The end of an agent's stage.
fn agent(class: Class, changes: &[String], verdict: Option<Option<Verdict>>) -> String {
    match (class, verdict) {
        (Class::Ok | Class::Empty, _) if !changes.is_empty() => TOUCHED.to_owned(),
        (Class::Ok, Some(verdict)) => ruling(verdict),
        (class, _) => word(class),
    }
}

impl Coverage {
    pub(crate) fn outcome(&mut self, stage: &'static str, outcome: impl Into<String>) {
        self.outcomes.insert((stage, outcome.into()));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.outcomes.extend(other.outcomes);
        self.crashes.extend(other.crashes);
    }

    pub(crate) fn saw(&mut self, event: &Event, before: &State) {
        let (stage, outcome) = match &event.kind {
            EventKind::PlanFinished(data) => ("plan", agent(data.class, &data.state_changes, None)),
            EventKind::PlanCritiqueFinished(data) => {
                ("plan_critique", agent(data.class, &data.state_changes, Some(data.verdict)))
            }
            EventKind::ImplementFinished(data) => {
                ("implement", agent(data.class, &data.state_changes, None))
            }
            EventKind::ImplCritiqueFinished(data) => {
                ("impl_critique", agent(data.class, &data.state_changes, Some(data.verdict)))
            }
            EventKind::VerifyFinished(data) => {
                let run = data.commands.first();
                let outcome = match run {
                    _ if !data.state_changes.is_empty() => TOUCHED,
                    Some(run) if run.timed_out => "timed out",
                    Some(run) if run.exit_code.is_none() => "ended by a signal",
                    Some(run) if run.exit_code == Some(0) => "passed",
                    Some(_) | None => "failed",
                };
                ("verify", outcome.to_owned())
            }
            EventKind::GatesJudged(data) => {
                let failed = data.gates.iter().find(|result| !result.passed);
                let outcome = match (data.outcome, failed) {
                    (JudgedAs::Fail, Some(gate)) => format!("Fail by {}", gate.gate.name()),
                    (outcome, _) => word(outcome),
                };
                ("judge", outcome)
            }
            EventKind::CommitFinished(_) => ("commit", "made".to_owned()),
            EventKind::Reconciled(data) => {
                let found = if data.commit.is_some() { "found made" } else { "found not made" };
                ("commit", found.to_owned())
            }
            EventKind::RollbackStarted(data) => ("rollback", word(data.cause)),
            EventKind::ProposalRecorded(data) => ("propose", ruling(Some(data.verdict))),
            EventKind::TaskDone(_) => ("close", "done".to_owned()),
            EventKind::TaskFailed(_) => ("close", "failed".to_owned()),
            EventKind::TaskBlocked(_) => ("close", "blocked".to_owned()),
            EventKind::StageRetried(data) => {
                let how = if data.agent == data.instead_of { "again" } else { "handed over" };
                ("retry", format!("{how}: {}", word(data.cause)))
            }
            EventKind::LimitLifted(_) => ("lift", "noted".to_owned()),
            EventKind::RunPaused(data) => ("pause", word(data.cause)),
            EventKind::RunEnded(data) => ("end", word(data.reason)),
            EventKind::Interrupted(data) => {
                let how = match data.cause {
                    looper::engine::event::Interruption::Crash => CRASH,
                    looper::engine::event::Interruption::Signal => SIGNAL,
                };
                (due(before), how.to_owned())
            }
            _ => return,
        };
        self.outcomes.insert((stage, outcome));
    }

    /// What there is and was not seen.
    pub(crate) fn missing(&self) -> Vec<String> {
        let outcomes = outcomes();
        let crashes = crash_pairs();
        let unseen = outcomes.difference(&self.outcomes).map(|pair| format!("{pair:?}"));
        let undied = crashes.difference(&self.crashes).map(|pair| format!("{pair:?}"));
        unseen.chain(undied).collect()
    }

    pub(crate) fn summary(&self) -> String {
        let (outcomes, crashes) = (outcomes(), crash_pairs());
        format!(
            "{} of {} (stage, outcome) pairs and {} of {} (stage, crash) pairs seen",
            outcomes.intersection(&self.outcomes).count(),
            outcomes.len(),
            crashes.intersection(&self.crashes).count(),
            crashes.len(),
        )
    }
}

/// What was due when something was cut short.
fn due(state: &State) -> &'static str {
    match state.attempt().map(|attempt| &attempt.step) {
        None => "between",
        Some(Step::Plan) => "plan",
        Some(Step::PlanCritique { .. }) => "plan_critique",
        Some(Step::Implement(_)) => "implement",
        Some(Step::Verify(..)) => "verify",
        Some(Step::ImplCritique(..)) => "impl_critique",
        Some(Step::Judge(..)) => "judge",
        Some(Step::Commit { .. } | Step::Reconcile { .. }) => "commit",
        Some(Step::Undo { .. }) => "rollback",
        Some(Step::Retry { .. }) => "retry",
        Some(Step::Propose { .. }) => "propose",
        Some(Step::Close(_)) => "close",
    }
}

fn of_stage(stage: Stage) -> Vec<String> {
    let mut all: Vec<String> = [TOUCHED, SIGNAL, CRASH].map(str::to_owned).into();
    match stage {
        Stage::Plan | Stage::Implement => {
            all.push(word(Class::Ok));
            all.extend(FAILURES.map(word));
        }
        Stage::PlanCritique | Stage::ImplCritique => {
            all.extend(FAILURES.map(word));
            all.push(ruling(Some(Verdict::Pass)));
            all.extend(REFUSALS.map(ruling));
        }
        Stage::Verify => {
            let ends = ["passed", "failed", "timed out", "ended by a signal"];
            all.extend(ends.map(str::to_owned));
        }
    }
    all
}

/// Every pair of a stage and what can come of it.
fn outcomes() -> BTreeSet<(&'static str, String)> {
    let stages =
        [Stage::Plan, Stage::PlanCritique, Stage::Implement, Stage::Verify, Stage::ImplCritique];
    let by_stage = stages
        .into_iter()
        .flat_map(|stage| of_stage(stage).into_iter().map(move |outcome| (stage.name(), outcome)));
    let mut all: BTreeSet<_> = by_stage.collect();
    // One asks for a person, and the other is not asked by the policy.
    let is_seen = |gate: &GateId| !matches!(gate, GateId::Proposal | GateId::FailToPass);
    let gates = GateId::ALL.into_iter().filter(is_seen);
    all.extend(gates.map(|gate| ("judge", format!("Fail by {}", gate.name()))));
    let judged = [JudgedAs::Pass, JudgedAs::Blocked, JudgedAs::Proposal];
    all.extend(judged.map(|outcome| ("judge", word(outcome))));
    let causes = [
        RollbackCause::PlanRejected,
        RollbackCause::AgentFailed,
        RollbackCause::StateTouched,
        RollbackCause::Gates,
        RollbackCause::Interrupted,
    ];
    all.extend(causes.map(|cause| ("rollback", word(cause))));
    let proposals = REFUSALS.into_iter().flatten().filter(|verdict| verdict.is_proposal());
    all.extend(proposals.map(|verdict| ("propose", ruling(Some(verdict)))));
    let pauses = [PauseCause::RateLimit, PauseCause::Overloaded, PauseCause::Quota];
    all.extend(pauses.map(|cause| ("pause", word(cause))));
    let ends = [
        EndReason::Done,
        EndReason::Iterations,
        EndReason::Stopped,
        EndReason::NothingRunnable,
        EndReason::Budget,
        EndReason::AgentUnusable,
        EndReason::Interrupted,
    ];
    all.extend(ends.map(|reason| ("end", word(reason))));
    let others = [
        ("select", "fresh"),
        ("select", "carried"),
        ("commit", "made"),
        ("commit", "found made"),
        ("commit", "found not made"),
        ("close", "done"),
        ("close", "failed"),
        ("close", "blocked"),
        ("between", SIGNAL),
        ("retry", "again: Overloaded"),
        ("retry", "again: Empty"),
        ("retry", "handed over: Overloaded"),
        ("retry", "handed over: RateLimited"),
        ("retry", SIGNAL),
        ("lift", "noted"),
    ];
    all.extend(others.map(|(stage, outcome)| (stage, outcome.to_owned())));
    let cut = ["rollback", "propose", "commit", "close", "retry"];
    all.extend(cut.map(|stage| (stage, CRASH.to_owned())));
    all
}
