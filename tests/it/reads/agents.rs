//! What `looper doctor` finds out about agents: who they are, and whether they are logged in.

use std::fs;
use std::path::Path;

use rstest::rstest;
use serde_json::Value;

use crate::support::*;

fn project(name: &str) -> Project {
    let mut project = Project::with(&[task("1")], &[]);
    project.env("LOOPER_ROLES_PLAN", name);
    project
}

fn agent(project: &Project, name: &str, code: i32) -> Value {
    let ran = project.looper(&["doctor", "--format", "json"]).exits(code);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut all = said["agents"].as_array().unwrap().iter();
    all.find(|found| found["name"] == name).unwrap_or_else(|| panic!("{ran}")).clone()
}

const LOGGED_OUT: &str =
    "case $1 in --version) echo codex-cli 0.169.0;; login) echo 'Not logged in'; exit 1;; esac";
const LOGGED_IN: &str =
    "case $1 in --version) echo codex-cli 0.169.0;; login) echo 'Logged in'; exit 0;; esac";

#[rstest]
#[case::logged_in("codex", LOGGED_IN, Some("0.169.0"), Some(true), None)]
#[case::logged_out("codex", LOGGED_OUT, Some("0.169.0"), Some(false), Some("codex login"))]
#[case::does_not_know(
    "codex",
    "case $1 in login) exit 2;; *) echo codex-cli 0.1.0;; esac",
    Some("0.1.0"),
    None,
    None
)]
#[case::an_old_version("qwen", "echo 0.15.10", Some("0.15.10"), None, Some("0.24 or newer"))]
#[case::a_new_version("qwen", "echo 0.24.4", Some("0.24.4"), None, None)]
#[case::half_installed(
    "opencode",
    "echo \"Error: opencode-ai's postinstall script was not run.\" >&2; exit 1",
    None,
    None,
    Some("agents.opencode.command")
)]
#[case::breaks(
    "opencode",
    "echo 1.18.33; exit 3",
    None,
    None,
    Some("instead of its version it says: 1.18.33")
)]
#[case::says_nothing("opencode", "exit 0", None, None, Some("it says: nothing"))]
#[case::never_stops("qwen", "yes 0.24.4", None, None, Some("--version by hand"))]
#[case::reads("qwen", "cat; echo 0.24.4", Some("0.24.4"), None, None)]
#[case::talks_to_the_terminal(
    "qwen",
    "printf '0.24.4\\033[2J no'",
    None,
    None,
    Some("instead of its version")
)]
fn an_agent_says_who_it_is(
    #[case] name: &str,
    #[case] script: &str,
    #[case] version: Option<&str>,
    #[case] logged_in: Option<bool>,
    #[case] hint: Option<&str>,
) {
    let project = project(name);
    project.program(name, script);
    let found = agent(&project, name, 0);
    assert_eq!(found["version"].as_str(), version, "{found}");
    assert_eq!(found["logged_in"].as_bool(), logged_in, "{found}");
    let said = found["hint"].as_str();
    assert!(said.is_some() == hint.is_some(), "{found}");
    assert!(hint.is_none_or(|hint| said.unwrap().contains(hint)), "{found}");
    let text = project.looper(&["doctor"]).exits(0).stdout;
    let word = if hint.is_some() { "warn" } else { "ok  " };
    assert!(text.contains(&format!("{word} agent {name}")), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

/// What npm leaves where it runs no scripts is a text without an interpreter.
#[test]
fn a_program_that_does_not_start_is_told_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = project("opencode");
    let path = project.place().join("bin/opencode");
    fs::write(&path, "echo \"Error: the script was not run.\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let found = agent(&project, "opencode", 0);
    let hint = found["hint"].as_str().unwrap();
    assert!(hint.contains("cannot start") && hint.contains("agents.opencode.command"), "{hint}");
}

#[test]
fn a_program_that_hangs_is_not_waited_for() {
    let project = project("gemini");
    project.program("gemini", "sleep 100 & wait");
    let found = agent(&project, "gemini", 0);
    assert!(found["hint"].as_str().unwrap().contains("in 10 s"), "{found}");
    assert_eq!(project.orphans(), []);
}

#[test]
fn node_has_to_be_new_enough() {
    let project = project("gemini");
    project.program("node", "if [ $# = 1 ]; then echo v18.20.1; else echo 0.61.0; fi");
    let path = project.place().join("bin/gemini");
    project.program("gemini", "");
    fs::write(&path, "#!/usr/bin/env node\n").unwrap();
    let hint = agent(&project, "gemini", 0)["hint"].clone();
    assert_eq!(hint, "it needs node 20 or newer, and node here is 18");
}

/// What a program leaves is its own business, but not in the project, and not for long.
#[test]
fn looking_leaves_nothing() {
    let project = project("codex");
    project.program("codex", "echo x > $TMPDIR/litter; echo x > litter; echo codex-cli 0.169.0");
    let before = project.manifest();
    assert_eq!(agent(&project, "codex", 0)["version"], "0.169.0");
    assert_eq!(project.manifest(), before);
    assert_eq!(fs::read_dir(project.place().join("tmp")).unwrap().count(), 0);
}

/// A script of one's own may take any argument for a wish.
#[test]
fn a_program_that_nobody_knows_is_not_started() {
    let project = project("mine");
    project.config("[agents.mine]\ncommand = [\"night-shift\", \"--all\"]\nmodel = \"m-1\"");
    project.program("night-shift", &format!("touch {}/started", project.place().display()));
    let found = agent(&project, "mine", 0);
    assert_eq!(
        (&found["version"], &found["logged_in"], &found["hint"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!((&found["model"], &found["has_role"]), (&"m-1".into(), &true.into()));
    assert!(!project.place().join("started").exists());
}

/// Who looks at a project has not agreed to anything in it.
#[rstest]
#[case::by_its_name("./.looper/codex", false)]
#[case::behind_a_link("PLACE/bin/codex", true)]
fn a_program_of_the_project_is_not_started(#[case] command: &str, #[case] is_linked: bool) {
    let project = project("codex");
    let place = project.place().display().to_string();
    let started = project.place().join("started");
    project.program("codex", &format!("touch {}; echo codex-cli 0.169.0", started.display()));
    let (outside, inside) =
        (project.place().join("bin/codex"), project.root().join(".looper/codex"));
    fs::rename(&outside, &inside).unwrap();
    if is_linked {
        std::os::unix::fs::symlink(&inside, &outside).unwrap();
    }
    let command = command.replace("PLACE", &place);
    project.config(&format!("[agents.codex]\ncommand = [\"{command}\"]"));
    let found = agent(&project, "codex", 0);
    assert_eq!((&found["version"], &found["has_role"]), (&Value::Null, &true.into()));
    assert!(found["program"].as_str().unwrap().ends_with("codex"), "{found}");
    assert!(!started.exists());
}

/// Whoever has no role may be missing.
#[test]
fn only_an_agent_with_a_role_has_to_be_there() {
    let project = Project::with(&[task("1")], &[]);
    project.config("[agents.spare]\ncommand = [\"nowhere\"]");
    let found = agent(&project, "spare", 0);
    assert_eq!((&found["program"], &found["has_role"]), (&Value::Null, &false.into()));
    let mut project = project;
    project.env("LOOPER_ROLES_REVIEW", "spare");
    project.env("LOOPER_ROLES_PLAN", "spare");
    assert_eq!(agent(&project, "spare", 3)["has_role"], true);
}

#[test]
fn the_findings_are_valid() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/doctor-v1.json");
    let schema = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let project = project("codex");
    project.program("codex", LOGGED_OUT);
    let ran = project.looper(&["doctor", "--format", "json"]).exits(0);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let errors: Vec<_> = validator.iter_errors(&said).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{said}");
}
