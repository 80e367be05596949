//! What became of a scenario, read from the events of its log and nothing else.

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::charter::GateId;
use crate::engine::event::{
    By, Event, EventKind, GatesJudged, JudgedAs, OracleJudged, ScenarioKind,
};
use crate::engine::id::{CommitId, Seq, TaskId, TreeId};

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Its name.
    pub name: String,
    /// Whether its work must be committed.
    pub kind: ScenarioKind,
    /// How the last attempt ended.
    pub outcome: Outcome,
    /// Whether the work counts as done: its tree is committed, or the task is marked.
    pub committed: bool,
    /// Committed, and the oracle says bad.
    pub false_pass: bool,
    /// Not committed, and the oracle says good.
    pub false_block: bool,
    /// The first gate that objected in the last attempt that came so far.
    pub gate: Option<GateId>,
    /// Every gate that objected then. One that never got to see anything says nothing.
    pub gates: Vec<GateId>,
    /// The event that decided: the gates' judgement, or else the last word about the task.
    pub seq: Option<Seq>,
    /// Why it was not committed, in one line.
    pub reason: Option<String>,
    /// What the oracle says, in one line.
    pub oracle: String,
}

/// How the last attempt at a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The gates let it pass.
    Pass,
    /// The gates refused it.
    Fail,
    /// A person is asked for: by the critic of the change, or by a gate that no attempt can pass.
    Blocked,
    /// A critic asked for another backlog.
    Proposal,
    /// It failed before there was anything to judge.
    Failed,
    /// A provider's limit ended the run.
    Paused,
    /// No attempt was begun.
    Refused,
    /// The run ended otherwise: an agent that cannot work, a signal.
    Ended,
}

/// Follows what a log says about one task, up to the oracle's word.
#[derive(Debug, Default)]
pub struct Story {
    judged: Option<(Seq, GatesJudged)>,
    is_verified: bool,
    is_criticised: bool,
    commit: Option<CommitId>,
    candidate: Option<TreeId>,
    is_done: bool,
    last: Option<(Seq, Outcome, Option<String>)>,
}

impl Story {
    /// Something happened.
    pub fn saw(&mut self, event: &Event, task: &TaskId) {
        let about = event.kind.about().map(|(about, _)| about);
        if about.is_some_and(|about| about != task) {
            return;
        }
        if let Some((outcome, reason)) = last_word(&event.kind, self.last.is_none()) {
            self.last = Some((event.seq, outcome, reason));
        }
        match &event.kind {
            EventKind::TaskSelected(_) => {
                *self =
                    Self { is_done: self.is_done, commit: self.commit.take(), ..Self::default() };
            }
            EventKind::ImplementFinished(data) => self.candidate.clone_from(&data.tree),
            EventKind::VerifyFinished(_) => self.is_verified = true,
            EventKind::ImplCritiqueFinished(_) => self.is_criticised = true,
            EventKind::GatesJudged(data) => {
                self.candidate = Some(data.tree.clone());
                self.judged = Some((event.seq, data.clone()));
            }
            EventKind::CommitFinished(data) => self.commit = Some(data.commit.clone()),
            EventKind::TaskDone(_) => self.is_done = true,
            EventKind::TaskReopened(_) => self.is_done = false,
            _ => {}
        }
    }

    /// The last candidate.
    pub fn candidate(&self) -> Option<&TreeId> {
        self.candidate.as_ref()
    }

    /// Whether the work counts as done.
    pub fn is_committed(&self) -> bool {
        self.is_done || self.commit.is_some()
    }

    /// What became of the scenario, now that the oracle has spoken.
    pub fn end(&self, said: &OracleJudged) -> Finding {
        let committed = self.is_committed();
        let gates = self.objections();
        let (seq, outcome, reason) = match (&self.judged, &self.last) {
            (Some((seq, judged)), last) => {
                let first = judged.gates.iter().find(|result| Some(&result.gate) == gates.first());
                let reason = first.map(|result| result.reason.clone());
                let is_paused = matches!(last, Some((_, Outcome::Paused, _)));
                let outcome = if is_paused { Outcome::Paused } else { judged.outcome.into() };
                (Some(*seq), outcome, reason)
            }
            (None, Some((seq, outcome, reason))) => (Some(*seq), *outcome, reason.clone()),
            (None, None) if committed => (None, Outcome::Pass, None),
            (None, None) => (None, Outcome::Refused, None),
        };
        Finding {
            name: said.scenario.clone(),
            kind: said.kind,
            outcome,
            committed,
            false_pass: committed && !said.good,
            false_block: !committed && said.good,
            gate: gates.first().copied(),
            gates,
            seq,
            reason,
            oracle: said.reason.clone(),
        }
    }

    fn objections(&self) -> Vec<GateId> {
        let Some((_, judged)) = &self.judged else { return vec![] };
        let has_looked = |gate: GateId| match gate {
            GateId::Verify | GateId::FailToPass => self.is_verified,
            GateId::ImplCritique => self.is_criticised,
            _ => true,
        };
        let objecting = judged.gates.iter().filter(|result| !result.passed);
        objecting.map(|result| result.gate).filter(|gate| has_looked(*gate)).collect()
    }
}

/// How an attempt ended that no gate ended, and why.
fn last_word(kind: &EventKind, is_first: bool) -> Option<(Outcome, Option<String>)> {
    Some(match kind {
        EventKind::PlanCritiqueFinished(data) => (Outcome::Failed, data.note.clone()),
        EventKind::TaskFailed(data) => (Outcome::Failed, Some(data.reason.clone())),
        EventKind::TaskBlocked(data) => {
            let outcome = if data.by == By::Run { Outcome::Failed } else { Outcome::Refused };
            (outcome, Some(data.reason.clone()))
        }
        EventKind::ProposalRecorded(_) => (Outcome::Proposal, None),
        EventKind::RunPaused(_) => (Outcome::Paused, None),
        EventKind::RunEnded(_) if is_first => (Outcome::Ended, None),
        _ => return None,
    })
}

impl From<JudgedAs> for Outcome {
    fn from(outcome: JudgedAs) -> Self {
        match outcome {
            JudgedAs::Pass => Self::Pass,
            JudgedAs::Fail => Self::Fail,
            JudgedAs::Blocked => Self::Blocked,
            JudgedAs::Proposal => Self::Proposal,
        }
    }
}
