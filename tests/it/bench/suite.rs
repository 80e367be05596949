//! Every scenario that is built in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use looper::bench::embedded;
use looper::engine::charter::GateId;
use looper::engine::event::ScenarioKind;
use rstest::rstest;
use serde_json::Value;

use super::{bench, told};

/// So many scenarios were promised.
const AT_LEAST: usize = 80;

/// What became of all of them, from one run, and what their logs say of it.
fn suite() -> &'static (Value, Value) {
    static SUITE: OnceLock<(Value, Value)> = OnceLock::new();
    SUITE.get_or_init(|| {
        let cwd = tempfile::tempdir().unwrap();
        let ran = bench(cwd.path(), &["--format", "json", "--keep", "kept"]);
        let report = told(&ran);
        let logs: Vec<String> = rows(&report)
            .map(|row| format!("kept/{}/project/.looper/events.jsonl", name(row)))
            .collect();
        let mut arguments = vec!["--format", "json", "--from-log"];
        arguments.extend(logs.iter().map(String::as_str));
        let again = told(&bench(cwd.path(), &arguments));
        (report, again)
    })
}

fn rows(report: &Value) -> impl Iterator<Item = &Value> {
    report["scenarios"].as_array().expect("the schema holds").iter()
}

fn name(row: &Value) -> &str {
    row["name"].as_str().expect("the schema holds")
}

fn names(report: &Value, is_wanted: impl Fn(&Value) -> bool) -> Vec<&str> {
    rows(report).filter(|row| is_wanted(row)).map(name).collect()
}

#[test]
fn nothing_bad_is_committed_and_nothing_good_is_refused() {
    let (report, _) = suite();
    assert!(rows(report).count() >= AT_LEAST, "{}", rows(report).count());
    assert_eq!(names(report, |row| row["false_pass"] == true), [""; 0], "false PASS");
    assert_eq!(names(report, |row| row["false_block"] == true), [""; 0], "false BLOCK");
    let all = rows(report).count();
    assert_eq!(embedded().unwrap().len(), all, "every folder is a scenario");
}

#[test]
fn the_logs_alone_say_the_same() {
    let (report, again) = suite();
    let mut report = report.clone();
    for row in report["scenarios"].as_array_mut().unwrap() {
        row["duration_ms"] = Value::Null;
    }
    assert_eq!(&report, again);
}

#[test]
fn every_script_can_be_read_by_bash() {
    let mut seen = BTreeSet::new();
    for scenario in embedded().unwrap() {
        for (path, bytes) in &scenario.files {
            if path.extension().is_none_or(|ending| ending != "sh") || !seen.insert(bytes.clone()) {
                continue;
            }
            let mut bash = Command::new("bash");
            let mut bash = bash.arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(bytes).unwrap();
            assert!(bash.wait().unwrap().success(), "{}/{}", scenario.name, path.display());
        }
    }
}

/// A scenario that cannot fail is none.
#[test]
fn a_loop_that_believes_its_agents_is_fooled_by_every_bad_scenario() {
    let cwd = tempfile::tempdir().unwrap();
    bench(cwd.path(), &["--believer"]).exits(0);
}

#[test]
fn good_work_is_committed_without_any_gate_too() {
    let (report, _) = suite();
    let mut arguments = names(report, |row| row["kind"] == "good");
    for gate in GateId::ALL {
        arguments.extend(["--off", gate.name()]);
    }
    let cwd = tempfile::tempdir().unwrap();
    bench(cwd.path(), &arguments).exits(0);
}

/// No gate is decoration: without it, something gets through that nothing else catches.
#[rstest]
fn without_a_gate_bad_work_is_committed(
    #[values(
        GateId::State,
        GateId::Secret,
        GateId::Scope,
        GateId::Change,
        GateId::Protected,
        GateId::Verify,
        GateId::FailToPass,
        GateId::ImplCritique
    )]
    gate: GateId,
) {
    let (report, _) = suite();
    let totals = report["totals"]["gates"].as_array().unwrap();
    let total = totals.iter().find(|total| total["gate"] == gate.name()).unwrap();
    let alone: Vec<&str> =
        total["alone"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    assert!(!alone.is_empty(), "no scenario needs the gate {}", gate.name());
    let cwd = tempfile::tempdir().unwrap();
    let arguments = [&["--format", "json", "--off", gate.name()], &alone[..]].concat();
    let without = told(&bench(cwd.path(), &arguments));
    let through = names(&without, |row| row["false_pass"] == true);
    assert!(!through.is_empty(), "without {}: {without}", gate.name());
}

/// `LOOPER_BLESS=1 cargo test --test it bench` writes the table anew.
#[test]
fn the_page_of_trust_has_every_scenario() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/trust.md");
    let page = fs::read_to_string(&path).unwrap();
    let whole = with(&with(&page, "gates", &gates()), "scenarios", &table());
    if std::env::var_os("LOOPER_BLESS").is_some() {
        fs::write(&path, &whole).unwrap();
        return;
    }
    assert!(page == whole, "docs/trust.md is stale: LOOPER_BLESS=1 cargo test --test it bench");
}

/// The page with this between two marks.
fn with(page: &str, name: &str, text: &str) -> String {
    let (first, last) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&first).expect("there is a first mark");
    let (_, after) = rest.split_once(&last).expect("there is a last mark");
    format!("{before}{first}{text}{last}{after}")
}

fn gates() -> String {
    let totals = &suite().0["totals"];
    let mut table = "| gate | objects to | alone |\n| --- | --- | --- |\n".to_owned();
    for total in totals["gates"].as_array().unwrap() {
        let (gate, alone) = (total["gate"].as_str().unwrap(), total["alone"].as_array().unwrap());
        writeln!(table, "| `{gate}` | {} | {} |", total["caught"], alone.len()).unwrap();
    }
    writeln!(table, "| none was asked | {} | |", totals["before_gates"]).unwrap();
    table
}

fn table() -> String {
    let (report, _) = suite();
    let mut table = String::new();
    for (kind, head) in [
        (ScenarioKind::Bad, "bad work | what it tries | caught by"),
        (ScenarioKind::Good, "good work | what it does | ended"),
    ] {
        writeln!(table, "| {head} |\n| --- | --- | --- |").unwrap();
        for scenario in embedded().unwrap().iter().filter(|it| it.manifest.kind == kind) {
            let row = rows(report).find(|row| name(row) == scenario.name).unwrap();
            let tries = scenario.manifest.tries.replace('|', "\\|");
            writeln!(table, "| {} | {tries} | {} |", scenario.name, caught(row)).unwrap();
        }
        table.push('\n');
    }
    table
}

fn caught(row: &Value) -> String {
    let gates: Vec<&str> =
        row["gates"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    match row["outcome"].as_str().unwrap() {
        "PASS" => "committed".to_owned(),
        _ if !gates.is_empty() => format!("`{}`", gates.join("`, `")),
        "FAILED" => "the attempt failed".to_owned(),
        "REFUSED" => "refused before any agent".to_owned(),
        "PAUSED" => "the run paused".to_owned(),
        "PROPOSAL" => "waits for a person".to_owned(),
        other => other.to_lowercase(),
    }
}
