//! `looper doctor` says what a run would stumble over, and touches nothing.

use std::fs;

use rstest::rstest;

use super::fixture::{Project, footprint};

#[test]
fn a_healthy_project_is_ok_and_looking_writes_nothing() {
    let project = Project::after_a_run();
    project.looper(["doctor"]).exits(0);
    let before = footprint(&project.root());
    let said = project.looper(["doctor"]).exits(0);
    assert!(said.out.lines().all(|line| line.starts_with("ok   ")), "{said:#?}");
    assert!(footprint(&project.root()) == before, "looking writes nothing");
    assert_eq!(project.looper(["doctor", "--quiet"]).exits(0).out, "");
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let project = Project::new();
    let json = project.looper(["doctor", "--format", "json"]).exits(0).json();
    let settings = json["settings"].as_array().unwrap();
    let find = |key: &str| settings.iter().find(|setting| setting["key"] == key).unwrap();
    assert_eq!(find("run.failures_max")["value"], 1);
    assert_eq!(find("run.failures_max")["origin"]["from"], "project");
    assert_eq!(find("verify.repeat")["origin"]["from"], "default");
    for check in json["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check}");
    }
}

/// Spoils something a run needs.
type Spoil = fn(&Project);

#[rstest]
#[case::dirty(|project: &Project| fs::write(project.root().join("new.txt"), "").unwrap(), "work tree", "untracked new.txt")]
#[case::backlog(|project: &Project| project.edit("  - Depends: none\n", ""), "backlog", "1 errors")]
#[case::no_backlog(|project: &Project| fs::remove_file(project.backlog()).unwrap(), "backlog", "no backlog found")]
#[case::config(|project: &Project| fs::write(project.state("config.toml"), "[rum]\n").unwrap(), "config", "rum")]
#[case::no_agent(|project: &Project| fs::write(project.state("config.toml"), "").unwrap(), "agent codex", "is not found")]
#[case::branch(
    |project: &Project| fs::write(project.state("config.toml"), "[run]\nrequire_branch_prefix = \"x/\"").unwrap(),
    "branch", "HEAD is at main"
)]
#[case::sandbox(
    |project: &Project| fs::write(project.state("config.toml"), "[verify]\nnetwork = false").unwrap(),
    "sandbox", "nothing here can keep it out"
)]
#[case::log(|project: &Project| fs::write(project.events(), "{}\n").unwrap(), "log", "event 1 is due there")]
#[case::prompts(
    |project: &Project| {
        fs::create_dir(project.state("prompts")).unwrap();
        fs::write(project.state("prompts/planner.md"), "{{ nonsense }}").unwrap();
    },
    "prompts", "planner.md"
)]
#[case::merge(
    |project: &Project| fs::write(project.root().join(".git/MERGE_HEAD"), "0".repeat(40) + "\n").unwrap(),
    "git", "merge"
)]
fn what_a_run_would_stumble_over_is_named(
    #[case] spoil: Spoil,
    #[case] name: &str,
    #[case] why: &str,
) {
    let project = Project::new();
    spoil(&project);
    let said = project.looper(["doctor"]).exits(3);
    let line = said.out.lines().find(|line| line.starts_with(&format!("fail {name}")));
    assert!(line.is_some_and(|line| line.contains(why)), "{said:#?}");
    assert!(said.out.contains("hint: "), "{said:#?}");
    let json = project.looper(["doctor", "--format", "json"]).exits(3).json();
    let checks = json["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name).unwrap();
    assert_eq!(found["status"], "fail");
}

#[test]
fn an_unfinished_line_and_a_loopdex_log_are_warnings() {
    let project = Project::new();
    fs::write(project.events(), "{\"v\":1").unwrap();
    let said = project.looper(["doctor"]).exits(0);
    assert!(said.out.contains("warn log           0 events, then an unfinished line"), "{said:#?}");
    let foreign = "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"event\":\"loop_started\"}\n";
    fs::write(project.events(), foreign).unwrap();
    let said = project.looper(["doctor"]).exits(0);
    assert!(said.out.contains("was written by LoopDex"), "{said:#?}");
}

#[test]
fn without_a_project_the_machine_is_looked_at() {
    let project = Project::new();
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = project.command(env!("CARGO_BIN_EXE_looper"));
    let output = command.current_dir(nowhere.path()).arg("doctor").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("fail project") && out.contains("ok   shell"), "{out}");
}
