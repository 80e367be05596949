//! Watches the log go by for a report.

use std::collections::BTreeSet;

use super::agents::Agents;
use super::rows::Recent;
use super::shape::{Oracle, Pause, Proposal, Report, RunReport};
use super::tasks::{Standing, Tried};
use crate::engine::at::At;
use crate::engine::charter::{Charter, GateId, SandboxLevel};
use crate::engine::event::{Event, EventKind, OracleJudged};
use crate::engine::id::{RunId, Seq, TaskId};
use crate::engine::state::State;
use crate::ui::accounts::{Accounts, Axis, Quotas, Used};

/// Watches a log go by, or one run of it. What it holds does not grow with the log, but with the
/// tasks, agents and runs in it.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    /// How the id of the wanted run begins, in capitals.
    wanted: Option<String>,
    /// Whether another run begins so, too.
    is_ambiguous: bool,
    run: Option<RunId>,
    /// Where everything stood when the wanted run ended: what came later is no part of it.
    ended: Option<Standing>,
    events: u64,
    last_seq: Seq,
    first_at: Option<At>,
    last_at: Option<At>,
    accounts: Accounts,
    quotas: Quotas,
    tried: Tried,
    agents: Agents,
    gates_off: BTreeSet<GateId>,
    sandbox: BTreeSet<SandboxLevel>,
    runs: Recent<RunReport>,
    pauses: Recent<Pause>,
    is_waiting: bool,
    waited_ms: u64,
    proposals: Recent<Proposal>,
    oracles: Recent<Oracle>,
    committed: BTreeSet<TaskId>,
}

impl Chronicle {
    /// Of the run whose id begins so.
    pub fn of_run(beginning: &str) -> Self {
        Self { wanted: Some(beginning.to_ascii_uppercase()), ..Self::default() }
    }

    /// Whether the wanted run was seen.
    pub fn has_run(&self) -> bool {
        self.wanted.is_none() || self.run.is_some()
    }

    /// Whether more than one run would be meant.
    pub fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Something happened, and this is what the log adds up to now.
    pub fn saw(&mut self, event: &Event, state: &State) {
        if !self.is_meant(event) {
            return;
        }
        self.events += 1;
        self.last_seq = event.seq;
        self.first_at = self.first_at.or(Some(event.at));
        self.last_at = Some(event.at);
        self.accounts.saw(event);
        self.quotas.saw(event);
        self.tried.saw(&event.kind);
        self.agents.saw(&event.kind);
        self.note(event);
        if self.wanted.is_some() && matches!(event.kind, EventKind::RunEnded(_)) {
            self.ended = Some(Standing::of(state));
        }
    }

    fn is_meant(&mut self, event: &Event) -> bool {
        let Some(wanted) = &self.wanted else { return true };
        if !event.run.as_str().to_ascii_uppercase().starts_with(wanted) {
            return false;
        }
        if matches!(event.kind, EventKind::RunStarted(_)) {
            self.is_ambiguous |= self.run.as_ref().is_some_and(|run| *run != event.run);
            self.run.get_or_insert_with(|| event.run.clone());
        }
        self.run.as_ref() == Some(&event.run)
    }

    fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(charter) => self.started(event, charter),
            EventKind::RunResumed(charter) => self.resumed(event, charter),
            EventKind::RunPaused(data) => {
                self.is_waiting = true;
                self.pauses.push(Pause {
                    run: event.run.clone(),
                    at: event.at,
                    cause: data.cause,
                    agent: data.agent.clone(),
                    until: data.until,
                    waited_ms: None,
                });
            }
            EventKind::RunEnded(data) => {
                if let Some(run) = self.run_of(event) {
                    run.ended_at = Some(event.at);
                    (run.reason, run.exit_code) = (Some(data.reason), Some(data.exit_code));
                }
                self.waited(event.at);
            }
            EventKind::TaskSelected(_) => {
                if let Some(run) = self.run_of(event) {
                    run.attempts += 1;
                }
            }
            EventKind::CommitFinished(data) => {
                self.committed.insert(data.task.clone());
            }
            EventKind::Reconciled(data) if data.commit.is_some() => {
                self.committed.insert(data.task.clone());
            }
            EventKind::ProposalRecorded(data) => self.proposals.push(Proposal {
                task: data.task.clone(),
                attempt: data.attempt,
                verdict: data.verdict,
                proposal: data.proposal.clone(),
            }),
            EventKind::OracleJudged(data) => self.judged(data),
            _ => {}
        }
    }

    fn run_of(&mut self, event: &Event) -> Option<&mut RunReport> {
        self.runs.find_mut(|run| run.run == event.run)
    }

    fn started(&mut self, event: &Event, charter: &Charter) {
        let gates_off = charter.policy.gates_off.clone();
        let sandbox = charter.containment.as_ref().map(|terms| terms.level);
        self.gates_off.extend(&gates_off);
        self.sandbox.extend(sandbox);
        self.runs.push(RunReport {
            run: event.run.clone(),
            started_at: event.at,
            resumed: 0,
            ended_at: None,
            reason: None,
            exit_code: None,
            attempts: 0,
            gates_off,
            sandbox,
            used: Used::default(),
        });
    }

    fn resumed(&mut self, event: &Event, charter: &Charter) {
        self.gates_off.extend(&charter.policy.gates_off);
        self.sandbox.extend(charter.containment.as_ref().map(|terms| terms.level));
        if let Some(run) = self.run_of(event) {
            run.resumed += 1;
            let off: BTreeSet<GateId> =
                run.gates_off.iter().chain(&charter.policy.gates_off).copied().collect();
            run.gates_off = off.into_iter().collect();
            // The worst of it is what held.
            let level = charter.containment.as_ref().map(|terms| terms.level);
            run.sandbox = run.sandbox.min(level);
        }
        self.waited(event.at);
    }

    /// Whatever was waited for, it is over.
    fn waited(&mut self, at: At) {
        if !std::mem::take(&mut self.is_waiting) {
            return;
        }
        let Some(pause) = self.pauses.last_mut() else { return };
        let millis = at.millis().saturating_sub(pause.at.millis());
        let millis = u64::try_from(millis).unwrap_or(0);
        pause.waited_ms = Some(millis);
        self.waited_ms = self.waited_ms.saturating_add(millis);
    }

    fn judged(&mut self, data: &OracleJudged) {
        self.oracles.push(Oracle {
            scenario: data.scenario.clone(),
            kind: data.kind,
            task: data.task.clone(),
            committed: self.committed.contains(&data.task),
            good: data.good,
            reason: data.reason.clone(),
        });
    }

    /// The report so far. `state` is what the log adds up to.
    pub fn report(&self, state: &State) -> Report {
        let standing = self.ended.clone().unwrap_or_else(|| Standing::of(state));
        let mut runs = self.runs.latest();
        for run in &mut runs.latest {
            run.used = self.accounts.of(Axis::Run, run.run.as_str());
        }
        Report {
            run: self.run.clone(),
            events: self.events,
            last_seq: self.last_seq,
            first_at: self.first_at,
            last_at: self.last_at,
            progress: standing.totals(),
            attempts: self.tried.attempts(),
            tasks: self.tried.report(&standing, &self.accounts),
            gates_off: self.gates_off.iter().copied().collect(),
            sandbox: self.sandbox.iter().copied().collect(),
            agents: self.agents.report(&self.accounts),
            runs,
            pauses: self.pauses.latest(),
            waited_ms: self.waited_ms,
            spending: self.accounts.spending(),
            quotas: self.quotas.all(),
            proposals: self.proposals.latest(),
            oracles: self.oracles.latest(),
        }
    }
}
