//! What a benchmark says, for programs.

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::Finding;
use super::later::{Followed, Later};
use super::rate::Rate;
use crate::engine::charter::GateId;
use crate::engine::event::ScenarioKind;

/// The output of `looper bench --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// What became of each scenario, by name.
    pub scenarios: Vec<Row>,
    /// All of them together.
    pub totals: Totals,
    /// Commits of real runs, which no oracle has judged. Only logs have any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Followed>,
    /// What later facts say about them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<Later>,
}

/// One scenario.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    /// What became of it.
    #[serde(flatten)]
    pub finding: Finding,
    /// How long it took, in milliseconds. A log alone does not say.
    pub duration_ms: Option<u64>,
}

/// What all scenarios say together.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Totals {
    /// How many there are.
    pub scenarios: u64,
    /// Bad work that was committed, of all scenarios with bad work.
    pub false_pass: Rate,
    /// Good work that was not committed, of all scenarios with good work.
    pub false_block: Rate,
    /// Bad work among what was committed.
    pub bad_of_committed: Rate,
    /// What each gate caught, in the order of judgement.
    pub gates: Vec<GateTotal>,
    /// Bad scenarios that ended before any gate was asked.
    pub before_gates: u64,
}

/// What one gate caught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GateTotal {
    /// Which.
    pub gate: GateId,
    /// Bad scenarios that it objected to.
    pub caught: u64,
    /// Those of them that no other gate objected to, by name.
    pub alone: Vec<String>,
}

impl Report {
    /// Adds up.
    pub fn new(scenarios: Vec<Row>) -> Self {
        let findings = || scenarios.iter().map(|row| &row.finding);
        let of = |kind: ScenarioKind| findings().filter(move |finding| finding.kind == kind);
        let count = |found: usize| found as u64;
        let bad = count(of(ScenarioKind::Bad).count());
        let good = count(of(ScenarioKind::Good).count());
        let false_pass = count(findings().filter(|finding| finding.false_pass).count());
        let false_block = count(findings().filter(|finding| finding.false_block).count());
        let committed = count(findings().filter(|finding| finding.committed).count());
        let caught = |gate: GateId| GateTotal {
            gate,
            caught: count(of(ScenarioKind::Bad).filter(|it| it.gates.contains(&gate)).count()),
            alone: of(ScenarioKind::Bad)
                .filter(|it| it.gates == [gate])
                .map(|it| it.name.clone())
                .collect(),
        };
        let unseen =
            of(ScenarioKind::Bad).filter(|it| !it.committed && it.gates.is_empty()).count();
        let totals = Totals {
            scenarios: count(scenarios.len()),
            false_pass: Rate::new(false_pass, bad),
            false_block: Rate::new(false_block, good),
            bad_of_committed: Rate::new(false_pass, committed),
            gates: GateId::ALL.into_iter().map(caught).collect(),
            before_gates: count(unseen),
        };
        Self { scenarios, totals, commits: vec![], later: None }
    }

    /// Adds what became of the commits of real runs.
    #[must_use]
    pub fn with_commits(mut self, commits: Vec<Followed>) -> Self {
        self.later = (!commits.is_empty()).then(|| Later::of(&commits));
        self.commits = commits;
        self
    }

    /// Whether nothing bad was committed and nothing good was refused, as far as anybody knows.
    pub fn is_clean(&self) -> bool {
        let contradicted = self.later.as_ref().map_or(0, |later| later.contradicted.count);
        self.totals.false_pass.count == 0 && self.totals.false_block.count == 0 && contradicted == 0
    }
}
