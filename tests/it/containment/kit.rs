//! Projects in a sandbox of a certain kind.

use looper::scripted::{Rule, Step};

use crate::support::*;

/// A project whose runs are held at this level, where the machine has it. Elsewhere the test says
/// why it proves nothing.
pub(super) fn held_at(level: &str, tasks: &[TaskText], rules: &[Rule]) -> Option<Project> {
    let mut project = Project::with(tasks, rules);
    project.env("LOOPER_RUN_SANDBOX", "auto");
    if level == "partial" {
        break_bwrap(&project);
    }
    is_held_at(&project, level).then_some(project)
}

/// What `doctor` says has to be what a run then does.
pub(super) fn is_held_at(project: &Project, level: &str) -> bool {
    let said = doctor(project);
    let is_there = said["detail"].as_str().unwrap().starts_with(level);
    if !is_there {
        eprintln!("skipped: no {level} sandbox here: {said}");
    }
    is_there
}

/// The line of `doctor` about the sandbox.
pub(super) fn doctor(project: &Project) -> serde_json::Value {
    let said = project.looper(&["doctor", "--format", "json"]).stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let checks = said["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "sandbox").unwrap().clone()
}

/// From here on this project finds a `bwrap` that does not work, as where users may not make
/// namespaces.
pub(super) fn break_bwrap(project: &Project) {
    project.program("bwrap", "echo 'bwrap: no namespaces today' >&2; exit 1");
}

/// Fails, with exit code 9, where the command succeeds.
pub(super) fn held(attack: &str) -> Step {
    sh(&format!(
        "if ( {attack} ) 2>/dev/null >&2; then echo 'NOT HELD: {}' >&2; exit 9; fi",
        attack.replace('\'', "")
    ))
}

/// Fails where the command fails.
pub(super) fn works(command: &str) -> Step {
    sh(&format!("( {command} ) || {{ echo 'DOES NOT WORK' >&2; exit 8; }}"))
}

/// A run that passes with everything held: nothing had to be put back either.
#[track_caller]
pub(super) fn passes(project: &Project, level: &str) -> Log {
    let ran = project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    assert_eq!(project.marks(), "x", "{ran}\n{:#?}", log.all("implement_finished"));
    assert_eq!(log.last("run_started")["containment"]["level"], level);
    for name in log.names().into_iter().filter(|name| name.ends_with("_finished")) {
        for event in log.all(name).iter().filter(|event| event.get("agent").is_some()) {
            assert_eq!(event["sandbox"], level, "{name}");
            assert_eq!(event["state_changes"], serde_json::json!([]), "{name}");
            assert_eq!(event["rescued"], serde_json::json!([]), "{name}");
        }
    }
    assert_eq!(log.last("verify_finished")["sandbox"], level);
    log
}
