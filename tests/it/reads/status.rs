//! `looper status` and `looper ls` tell where a project stands, at any moment.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use looper::engine::event::EventKind;
use looper::engine::report::QuotaWindow;
use rustix::process::Signal;

use super::fixture::{Project, eventually};
use crate::support::{Log, rechained};

fn validator() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/status-v1.json");
    let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn status(project: &Project) -> serde_json::Value {
    let json = project.looper(["status", "--format", "json"]).exits(0).json();
    let errors: Vec<String> =
        validator().iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{json:#}");
    json
}

#[test]
fn before_the_first_run_the_backlog_is_all_there_is() {
    let project = Project::new();
    project.edit("- [ ] Task 1.3", "- [!] Task 1.3");
    let said = project.looper(["status"]).exits(0);
    assert!(said.out.starts_with("Progress: ░░░░░░░░░░░░░░░░░░░░ 0/3 tasks (0%)\n"), "{said:#?}");
    let json = status(&project);
    assert_eq!(json["condition"]["is"], "new");
    assert_eq!(json["progress"]["blocked"], 1);
    assert_eq!(json["next"]["task"], "1.1");
    assert!(!project.events().exists(), "looking writes nothing");
    fs::remove_file(project.backlog()).unwrap();
    assert_eq!(status(&project)["progress"]["total"], 0);
}

#[test]
fn a_run_is_watched_from_its_log_alone() {
    let project = Project::new();
    let run = project.start_gated_run();
    let json = status(&project);
    assert_eq!(json["condition"]["is"], "running");
    assert_eq!(json["now"]["task"], "1.1");
    assert_eq!(json["now"]["stage"], "implement");
    assert_eq!(json["now"]["agent"], "fake");
    assert_eq!(json["next"]["task"], "1.3", "1.2 waits for 1.1");
    assert!(json["holder"].as_str().unwrap().contains("looper run"));
    let said = project.looper(["status"]).exits(0);
    assert!(
        said.out.contains("Task 1.1: write hello (attempt 1) · implement by fake"),
        "{said:#?}"
    );
    let said = project.looper(["ls"]).exits(0);
    assert!(said.out.starts_with("1.1  doing         write hello\n"), "{said:#?}");
    // What a writer is in the middle of is no damage.
    let whole = fs::read(project.events()).unwrap();
    let mut log = fs::OpenOptions::new().append(true).open(project.events()).unwrap();
    log.write_all(b"{\"v\":1,").unwrap();
    let said = project.looper(["status"]).exits(0);
    assert!(said.out.contains("running for") && said.err.is_empty(), "{said:#?}");
    log.set_len(whole.len() as u64).unwrap();
    drop(log);
    project.open_gate();
    run.wait();
}

#[test]
fn what_ended_and_what_waits_for_a_person_is_said() {
    let project = Project::after_a_run();
    let json = status(&project);
    assert_eq!(json["progress"]["done"], 2);
    assert_eq!(json["condition"]["reason"], "nothing_runnable");
    assert_eq!(json["blocked"][0]["task"], "1.3");
    assert_eq!(json["blocked"][0]["remedy"], "looper unblock 1.3");
    assert_eq!(json["last_decision"]["event"], "task_blocked");
    assert_eq!(json["used"]["calls"], 12);
    let said = project.looper(["status"]).exits(0);
    assert!(said.out.contains("2/3 tasks (66%)"), "{said:#?}");
    assert!(said.out.contains("because: 1 failures in a row"), "{said:#?}");
    assert!(said.out.contains("evidence: .looper/evidence/loop-3"), "{said:#?}");
}

#[test]
fn a_run_that_was_killed_is_interrupted() {
    let project = Project::new();
    let run = project.start_gated_run();
    run.signal(Signal::KILL);
    run.wait();
    let json = status(&project);
    assert_eq!(json["condition"]["is"], "interrupted");
    assert_eq!(json["now"]["task"], "1.1");
    assert!(project.looper(["status"]).exits(0).out.contains("`looper run` settles it"));
    assert!(project.looper(["replay"]).exits(0).out.contains("not ended"));
    let said = project.looper(["doctor"]).exits(0);
    assert!(said.out.contains("attempt 1 at task 1.1 was cut short"), "{said:#?}");
}

#[test]
fn a_watcher_prints_again_when_something_happens() {
    let project = Project::new();
    let watch = project.start(["status", "--watch"]);
    eventually("the first look is printed", || watch.out().contains("none yet"));
    project.looper(["block", "1.2", "--reason", "later"]).exits(0);
    eventually("the block is printed", || watch.out().contains("because: later"));
    let looks = watch.out().matches("Progress:").count();
    watch.signal(Signal::INT);
    let said = watch.wait().exits(0);
    assert!(!said.out.contains('\u{1b}') && looks <= 3, "{said:#?}");
}

#[test]
fn tasks_are_listed_by_state() {
    let project = Project::after_a_run();
    let ids = |arguments: &[&str]| -> Vec<String> {
        let said = project.looper(arguments).exits(0);
        said.out.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["ls"]), ["1.1", "1.2", "1.3"]);
    assert_eq!(ids(&["ls", "done"]), ["1.1", "1.2"]);
    assert_eq!(ids(&["ls", "blocked"]), ["1.3"]);
    assert_eq!(ids(&["ls", "todo"]), [""; 0]);
    let json = project.looper(["ls", "blocked", "--format", "json"]).exits(0).json();
    assert_eq!(json["tasks"][0]["fail_count"], 1);
    assert_eq!(json["tasks"][0]["attempts"], 1);
    // Order and titles are the backlog's while it can be read, and the log's otherwise.
    project.edit("write hello", "write something else");
    assert!(project.looper(["ls"]).exits(0).out.contains("write something else"));
    fs::remove_file(project.backlog()).unwrap();
    let said = project.looper(["ls"]).exits(0);
    assert!(said.out.contains("write hello") && said.err.contains("warning: "), "{said:#?}");
    project.looper(["ls", "nonsense"]).exits(64);
}

#[test]
fn without_a_project_there_is_nothing_to_show() {
    let project = Project::new();
    let nowhere = tempfile::tempdir().unwrap();
    for arguments in [&["status"][..], &["ls"], &["log"], &["stop"], &["unblock", "1"]] {
        let mut command = project.command(env!("CARGO_BIN_EXE_looper"));
        let output = command.current_dir(nowhere.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        let missing = ["--project", "missing"];
        project.looper(missing.iter().chain(arguments)).exits(64);
    }
}

/// What providers said last, with the age of the news.
#[test]
fn allowances_are_shown_as_they_were_seen_last() {
    let window = |window: &str, used_percent: u32, resets_at: &str| QuotaWindow {
        window: window.to_owned(),
        used_percent,
        resets_at: Some(serde_json::from_value(resets_at.into()).unwrap()),
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/v1/a_task_passes/events.jsonl");
    let mut events = Log::read(&golden).events;
    for event in &mut events {
        match &mut event.kind {
            EventKind::PlanFinished(data) => {
                data.quota = vec![window("primary", 12, "2100-01-01T00:00:00Z")];
            }
            EventKind::ImplementFinished(data) => {
                data.quota = vec![
                    window("primary", 63, "2100-01-01T00:00:00Z"),
                    window("weekly\u{1b}[2J", 100, "2020-01-01T00:00:00Z"),
                ];
            }
            _ => {}
        }
    }
    let project = Project::new();
    fs::write(project.events(), rechained(&events)).unwrap();
    let json = status(&project);
    let quotas = json["quotas"].as_array().unwrap();
    assert_eq!((quotas.len(), &quotas[0]["used_percent"]), (2, &63.into()), "{quotas:#?}");
    let said = project.looper(["status"]).exits(0);
    for line in [
        "Quota:    fake-agent primary 63 % until 2100-01-01 00:00:00 UTC, seen ",
        "          fake-agent weekly\\u{1b}[2J 100 % until 2020-01-01 00:00:00 UTC, anew since, seen ",
    ] {
        assert!(said.out.contains(line), "{line}\n{said:#?}");
    }
}
