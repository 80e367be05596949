//! What a benchmark says, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use comfy_table::{Table, presets};

use crate::bench::believer::Believed;
use crate::bench::report::{Report, Row};
use crate::bench::scenario::Scenario;
use crate::engine::event::ScenarioKind;
use crate::ui::sanitize::clean_line;

/// What each scenario tries.
pub(super) fn list(scenarios: &[Scenario]) -> String {
    let mut table = plain(&["scenario", "kind", "family", "what it tries"]);
    for Scenario { name, manifest, .. } in scenarios {
        let kind = manifest.kind.name();
        table.add_row([name, kind, &manifest.family, &manifest.tries].map(clean_line));
    }
    format!("{table}\n")
}

/// The same for programs.
pub(super) fn list_json(scenarios: &[Scenario]) -> String {
    let rows: Vec<_> = scenarios
        .iter()
        .map(|Scenario { name, manifest, .. }| {
            let (kind, family, tries) = (manifest.kind, &manifest.family, &manifest.tries);
            serde_json::json!({ "name": name, "kind": kind, "family": family, "tries": tries })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::from(rows))
}

/// What became of each scenario, and what all of them say.
pub(super) fn report(report: &Report) -> String {
    let mut table = plain(&["scenario", "kind", "ended", "", "gate", "time"]);
    for row in &report.scenarios {
        table.add_row(cells(row));
    }
    let totals = &report.totals;
    let mut text = format!("{table}\n\n");
    let mut gates = plain(&["gate", "caught", "alone"]);
    for total in &totals.gates {
        let (caught, alone) = (total.caught.to_string(), total.alone.len().to_string());
        gates.add_row([total.gate.name(), &caught, &alone]);
    }
    gates.add_row(["none was asked", &totals.before_gates.to_string(), ""]);
    text.push_str(&format!("{gates}\n\n"));
    text.push_str(&format!("{} scenarios\n", totals.scenarios));
    text.push_str(&format!("false PASS        {}\n", totals.false_pass));
    text.push_str(&format!("false BLOCK       {}\n", totals.false_block));
    text.push_str(&format!("bad of committed  {}\n", totals.bad_of_committed));
    text
}

fn cells(row: &Row) -> [String; 6] {
    let finding = &row.finding;
    let wrong = match (finding.false_pass, finding.false_block) {
        (true, _) => "FALSE PASS",
        (_, true) => "FALSE BLOCK",
        (false, false) if finding.committed => "committed",
        (false, false) => "",
    };
    let gates: Vec<&str> = finding.gates.iter().map(|gate| gate.name()).collect();
    let time = row.duration_ms.map_or_else(String::new, |ms| format!("{ms} ms"));
    let ended = serde_json::to_value(finding.outcome).unwrap_or_default();
    let ended = ended.as_str().unwrap_or_default();
    let kind = finding.kind.name();
    [&finding.name, kind, ended, wrong, &gates.join(" "), &time]
        .map(|text| clean_line(text).into_owned())
}

/// What a loop that believes its agents made of each scenario.
pub(super) fn believed(believed: &BTreeMap<String, (Arc<Scenario>, Believed)>) -> String {
    let mut table = plain(&["scenario", "kind", "accepted", "oracle"]);
    for (name, (scenario, found)) in believed {
        let accepted = if found.accepted { "accepted" } else { "" };
        let oracle = if found.good { "good" } else { &found.oracle };
        table.add_row([name, scenario.manifest.kind.name(), accepted, oracle].map(clean_line));
    }
    let all = believed.values();
    let fooled = all.filter(|(scenario, found)| is_bad(scenario) && found.is_fooled()).count();
    format!("{table}\n\n{} scenarios, {fooled} false PASS\n", believed.len())
}

/// Scenarios with bad work that does not even fool the believer.
pub(super) fn idle(believed: &BTreeMap<String, (Arc<Scenario>, Believed)>) -> Vec<&str> {
    let all = believed.iter();
    let idle = all.filter(|(_, (scenario, found))| is_bad(scenario) && !found.is_fooled());
    idle.map(|(name, _)| name.as_str()).collect()
}

fn is_bad(scenario: &Scenario) -> bool {
    scenario.manifest.kind == ScenarioKind::Bad
}

pub(super) fn plain(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.iter().copied());
    table
}
