//! `looper report` says what became of everything, from the log alone and always the same.

use std::fs;
use std::path::{Path, PathBuf};

use looper::engine::event::{Event, EventKind, OracleJudged, ScenarioKind};
use looper::engine::id::TaskId;
use rstest::rstest;

use super::fixture::Project;
use crate::support::{Log, rechained};

fn golden(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/v1").join(name);
    path.join("events.jsonl")
}

/// A project with a recorded log.
fn recorded(name: &str) -> Project {
    let project = Project::new();
    fs::copy(golden(name), project.events()).unwrap();
    project
}

fn json(project: &Project, arguments: &[&str]) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report-v1.json");
    let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let arguments = ["report", "--format", "json"].iter().chain(arguments);
    let json = project.looper(arguments).exits(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&json).map(|it| it.to_string()).collect();
    assert_eq!(errors, [""; 0], "{json:#}");
    json
}

#[rstest]
#[case("a_critic_sends_it_back_and_the_next_attempt_passes")]
#[case("a_proposal_waits_for_a_person")]
#[case("a_rate_limit_pauses_and_the_next_run_resumes")]
#[case("a_crash_while_an_agent_works")]
#[case("a_failed_verify_command_blocks_the_task")]
#[case("what_passes_is_not_committed")]
fn a_recorded_run_is_reported_on(#[case] name: &str) {
    let said = recorded(name).looper(["report"]).exits(0);
    let name = format!("report_on_{name}");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, said.out);
    });
}

#[test]
fn every_recorded_run_has_a_report_in_every_form() {
    let folders = fs::read_dir(golden("a_task_passes").parent().unwrap().parent().unwrap());
    for folder in folders.unwrap().flatten() {
        let name = folder.file_name().into_string().unwrap();
        let project = recorded(&name);
        let before = fs::read(project.events()).unwrap();
        let report = json(&project, &[]);
        for axis in ["stage", "agent", "model", "cause", "task", "run"] {
            let spending = &report["spending"];
            for key in ["calls", "input", "output", "duration_ms", "calls_without_cost"] {
                let groups = spending[format!("by_{axis}")].as_array().unwrap();
                let sum: u64 = groups.iter().map(|it| it["used"][key].as_u64().unwrap()).sum();
                assert_eq!(spending["total"][key].as_u64(), Some(sum), "{name} {axis} {key}");
            }
        }
        let page = project.looper(["report", "--format", "html"]).exits(0).out;
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{name}");
        assert_eq!(fs::read(project.events()).unwrap(), before, "looking writes nothing");
    }
}

#[test]
fn one_run_is_reported_on_as_it_was_when_it_ended() {
    let project = recorded("a_signal_ends_the_run_and_the_next_one_finishes");
    let whole = json(&project, &[]);
    let runs = whole["runs"]["latest"].as_array().unwrap();
    let [first, second] = &runs[..] else { panic!("{runs:#?}") };
    let of = |run: &serde_json::Value| json(&project, &["--run", run["run"].as_str().unwrap()]);
    let (one, other) = (of(first), of(second));
    assert_eq!((&one["progress"]["done"], &other["progress"]["done"]), (&0.into(), &1.into()));
    assert_eq!((&one["attempts"], &other["attempts"]), (&1.into(), &1.into()));
    assert_eq!(one["runs"]["latest"].as_array().unwrap().len(), 1);
    assert_eq!(one["runs"]["latest"][0]["reason"], "interrupted");
    let calls = |report: &serde_json::Value| report["spending"]["total"]["calls"].as_u64().unwrap();
    assert_eq!(calls(&one) + calls(&other), calls(&whole));
    let said = project.looper(["report", "--run", "0"]).exits(64);
    assert!(said.err.contains("more than one run begins with \"0\""), "{said:#?}");
    let said = project.looper(["report", "--run", "nowhere"]).exits(64);
    assert!(said.err.contains("no run begins with \"nowhere\""), "{said:#?}");
}

#[test]
fn a_run_leaves_its_report_and_the_same_log_gives_the_same() {
    let project = Project::after_a_run();
    let left = fs::read_to_string(project.state("report.md")).unwrap();
    let said = project.looper(["report"]).exits(0);
    assert_eq!(left, said.out);
    assert!(left.contains("2 of 3 tasks done, 1 blocked, 0 to do; 3 attempts."), "{left}");
    assert!(left.contains("looper unblock 1.3"), "{left}");
    let mut elsewhere = project.command(env!("CARGO_BIN_EXE_looper"));
    let output = elsewhere.env("TZ", "Asia/Kolkata").arg("report").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), left);
    let said = project.looper(["report", "-o", "out.html", "--format", "html"]).exits(0);
    assert!(said.out.is_empty() && said.err.contains("the report is in out.html"), "{said:#?}");
    let page = fs::read_to_string(project.root().join("out.html")).unwrap();
    assert!(page.contains("<td>write nothing</td>"), "{page}");
    project.looper(["report", "-o", "nowhere/out.md"]).exits(3);
    let said = project.looper(["ls", "--format", "html"]).exits(64);
    assert!(said.err.contains("only a report has a form in HTML"), "{said:#?}");
}

/// That it cannot be written changes nothing about how a run ends.
#[test]
fn a_report_that_cannot_be_left_is_worth_a_warning() {
    let project = Project::new();
    fs::create_dir(project.state("report.md")).unwrap();
    let said = project.looper(["run"]).exits(1);
    assert!(said.err.contains("warning: ") && said.err.contains("report.md"), "{said:#?}");
}

#[test]
fn before_and_during_a_run_there_is_a_report_too() {
    let project = Project::new();
    let said = project.looper(["report"]).exits(0);
    assert_eq!(said.out, "# Report\n\n- Nothing was recorded yet.\n");
    let run = project.start_gated_run();
    let report = json(&project, &[]);
    assert_eq!(report["tasks"][0]["outcome"], "in_hand");
    assert_eq!(report["spending"]["by_cause"][0]["name"], "not over");
    assert!(project.looper(["report"]).exits(0).out.contains("| not over |"));
    project.open_gate();
    run.wait();
}

#[rstest]
#[case::a_false_pass("a_task_passes", false, "False PASSes: 1; false BLOCKs: 0.")]
#[case::a_pass("a_task_passes", true, "False PASSes: 0; false BLOCKs: 0.")]
#[case::a_false_block(
    "a_failed_verify_command_blocks_the_task",
    true,
    "False PASSes: 0; false BLOCKs: 1."
)]
fn what_oracles_found_is_said(#[case] name: &str, #[case] good: bool, #[case] want: &str) {
    let project = Project::new();
    let mut events = Log::read(&golden(name)).events;
    let last = events.last().unwrap().clone();
    let task = events.iter().find_map(|event| Some(event.kind.about()?.0.clone()));
    let kind = EventKind::OracleJudged(OracleJudged {
        scenario: "s".to_owned(),
        kind: ScenarioKind::Bad,
        task: task.unwrap_or_else(|| TaskId::new("1")),
        tree: None,
        good,
        reason: "looked".to_owned(),
    });
    events.push(Event { seq: last.seq.next(), kind, ..last });
    fs::write(project.events(), rechained(&events)).unwrap();
    let said = project.looper(["report"]).exits(0);
    assert!(said.out.contains(want), "{said:#?}");
}
