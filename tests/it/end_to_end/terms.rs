//! What the configuration asks for is what happens.

use std::fs;

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

fn writes_one() -> Rule {
    implementer([write("src/1.txt", "x\n")])
}

#[rstest]
#[case::stdin("stdin", &["fake-agent"])]
#[case::file("file", &["fake-agent", "--prompt-file", "{{prompt_file}}"])]
#[case::argument("arg", &["sh", "-c", "printf %s \"$1\" | fake-agent", "agent", "{{prompt}}"])]
fn a_prompt_reaches_its_agent(#[case] by: &str, #[case] command: &[&str]) {
    let expects = |text: &str| Step::ExpectPrompt(text.to_owned());
    let rules = [implementer([
        expects("# Implementer\n"),
        expects("\nTask 1: Write 1\n"),
        write("src/1.txt", "x"),
    ])];
    let project = Project::with(&[task("1")], &rules);
    let command = serde_json::to_string(command).unwrap();
    project.config(&format!("[agents.other]\ncommand = {command}\nprompt = \"{by}\""));
    project.run(&["--agent", "other"]).exits(0);
    let log = project.log();
    assert_eq!(log.last("implement_finished")["agent"], "other");
}

/// Whoever works for a run can tell; nobody else is called, not even to ask for a version.
#[test]
fn each_stage_is_one_call_in_a_known_environment() {
    let tasks = [task("1").verify(&["env | grep ^LOOPER_ | sort > ../verify"])];
    let project = Project::with(&tasks, &[writes_one()]);
    let agent = project.place().join("bin/fake-agent");
    fs::remove_file(&agent).unwrap();
    let real = env!("CARGO_BIN_EXE_fake-agent");
    let words = "$LOOPER_STAGE $LOOPER_TASK $LOOPER_ATTEMPT $LOOPER_RUN $# $(pwd)";
    fs::write(&agent, format!("#!/bin/sh\necho \"{words}\" >> ../calls\nexec {real}\n")).unwrap();
    project.git(&["-c", "alias.x=!chmod +x ../bin/fake-agent", "x"]);
    project.run(&[]).exits(0);
    let log = project.log();
    let run = log.lines[0]["run"].as_str().unwrap();
    let root = project.root().display();
    let call = |stage: &str| format!("{stage} 1 1 {run} 0 {root}\n");
    let calls = ["plan", "plan_critique", "implement", "impl_critique"].map(call).concat();
    assert_eq!(fs::read_to_string(project.place().join("calls")).unwrap(), calls);
    let verify = fs::read_to_string(project.place().join("verify")).unwrap();
    assert!(verify.contains("LOOPER_STAGE=verify\n") && verify.contains("LOOPER_ATTEMPT=1\n"));
}

#[test]
fn a_list_of_agents_rotates() {
    let project = Project::with(&[task("1")], &[]);
    project
        .config("[agents.a]\ncommand = [\"fake-agent\"]\n[agents.b]\ncommand = [\"fake-agent\"]");
    let mut project = project;
    project.env("LOOPER_ROLES_IMPLEMENT", "a,b");
    project.run(&["-i", "3"]).exits(0);
    let log = project.log();
    let agents: Vec<_> =
        log.all("implement_started").iter().map(|it| it["agent"].clone()).collect();
    assert_eq!(agents, ["a", "b", "a"]);
}

/// A command that passes by luck passes only as often as it is lucky.
#[test]
fn verify_commands_can_be_repeated() {
    let flaky = "test ! -e ../seen && touch ../seen";
    let mut project = Project::with(&[task("1").verify(&["true", flaky])], &[writes_one()]);
    project.env("LOOPER_VERIFY_REPEAT", "3");
    let log = project.run_in_vain(&["-i", "1"], 0);
    let runs = log.last("verify_finished")["commands"].as_array().unwrap();
    let codes: Vec<_> = runs.iter().map(|run| run["exit_code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [0, 0, 0, 1, 0, 1]);
}

/// In a checkout of its own a command sees what would be committed and nothing else.
#[test]
fn verify_commands_can_have_a_checkout_of_their_own() {
    let tasks = [task("1").verify(&["test -e src/1.txt", "test ! -e ignored", "rm -r src"])];
    let mut project = Project::with(&tasks, &[writes_one()]);
    project.write("ignored/cache", "x");
    project.env("LOOPER_VERIFY_CHECKOUT", "clean");
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("x", ""));
    assert!(project.has("src/kept.txt"));
}

/// LoopDex w01: no command reads what belongs to the next one.
#[test]
fn verify_commands_have_nothing_to_read() {
    let tasks = [task("1").verify(&["cat", "test \"$(cat | wc -c)\" = 0", "false"])];
    let project = Project::with(&tasks, &[writes_one()]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    let runs = log.last("verify_finished")["commands"].as_array().unwrap();
    let codes: Vec<_> = runs.iter().map(|run| run["exit_code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [0, 0, 1]);
}

#[rstest]
#[case::by_pattern("protected = [\"tests/**\"]", "src/*, tests/*", Some("protected: tests/t.txt"))]
#[case::named_exactly("protected = [\"tests/**\"]", "src/*, tests/t.txt", None)]
fn protected_files(#[case] gates: &str, #[case] files: &str, #[case] want: Option<&str>) {
    let project = Project::new();
    project.write("tests/t.txt", "a test\n");
    project.commit("second");
    project.config(&format!("[gates]\n{gates}"));
    project.backlog(&[task("1").files(files).verify(&["true"])]);
    project.script(&[implementer([write("tests/t.txt", "loosened\n")])]);
    project.run(&["-i", "1"]).exits(0);
    assert_eq!(project.log().objection("protected"), want);
}

#[test]
fn a_branch_with_the_right_name_is_worked_on() {
    let project = Project::with(&[task("1")], &[writes_one()]);
    project.config("[run]\nrequire_branch_prefix = \"bot/\"");
    project.git(&["checkout", "-qb", "bot/night"]);
    project.run(&[]).exits(0);
    assert_eq!(project.log().last("run_started")["base"]["branch"], "bot/night");
}

#[test]
fn a_budget_that_is_spent_ends_the_run() {
    let recorded = tempfile::tempdir().unwrap();
    unpack_recordings("codex", recorded.path());
    let plan = recorded.path().join("codex/plain/stdout");
    let rules = [on("plan").does([Step::PrintFile(plan)])];
    let mut project = Project::with(&[task("1"), task("2")], &rules);
    project.config("[budget]\ntokens = 1050\n[agents.codex]\ncommand = [\"fake-agent\"]");
    project.env("LOOPER_ROLES_PLAN", "codex");
    let log = project.run_in_vain(&[], 5);
    assert_eq!(log.last("run_ended")["reason"], "budget");
    assert_eq!(log.count("task_selected"), 1);
    let usage = &log.last("plan_finished")["usage"];
    assert_eq!(
        (&usage["input"], &usage["cached"], &usage["output"]),
        (&800.into(), &200.into(), &50.into())
    );
}

/// Settings are pinned when the run begins: what an agent writes into them changes nothing.
#[test]
fn an_agent_cannot_loosen_the_gates_for_the_next_task() {
    let loosen = sh("printf '[gates]\\nscope = \"off\"\\n' > .looper/config.toml");
    let rules = [
        implementer([write("src/1.txt", "x"), loosen]).task("1"),
        implementer([write("elsewhere", "x")]).task("2"),
    ];
    let mut project = Project::with(&[task("1"), task("2").verify(&["true"])], &rules);
    project.env("LOOPER_RUN_FAILURES_MAX", "1");
    let log = project.run_in_vain(&[], 1);
    assert!(log.objection("scope").is_some());
    assert_eq!(project.marks(), "!!");
}
