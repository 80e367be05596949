//! `looper bench --mutate` tells commands that notice faults from commands that notice nothing.

use serde_json::Value;

use crate::support::*;

const LOG: &str = ".looper/events.jsonl";

/// What is asked for: a script that says which of two numbers is larger.
const LARGER: &str = "#!/bin/sh\n# Prints the larger one.\nif [ $1 -gt $2 ]; then\n    echo $1\n\
     else\n    echo $2\nfi\ncount=10\necho \"done $count\"\n";

const STRONG: &str = "test \"$(sh src/1.txt 3 2)\" = \"$(printf '3\\ndone 10')\" && \
     test \"$(sh src/1.txt 2 3)\" = \"$(printf '3\\ndone 10')\"";

fn project(commands: &[&[&str]]) -> Project {
    let tasks: Vec<TaskText> = commands
        .iter()
        .enumerate()
        .map(|(index, verify)| task(&(index + 1).to_string()).verify(verify))
        .collect();
    let rule = |id: &str| implementer([write(&format!("src/{id}.txt"), LARGER)]).task(id);
    let rules: Vec<_> = (1..=commands.len()).map(|id| rule(&id.to_string())).collect();
    let project = Project::with(&tasks, &rules);
    project.run(&[]).exits(0);
    project
}

#[track_caller]
fn mutate(project: &Project, more: &[&str], code: i32) -> Value {
    let args = [&["bench", "--format", "json", "--mutate", LOG], more].concat();
    let before = (project.manifest(), project.read(LOG));
    let ran = project.looper(&args).exits(code);
    assert!((project.manifest(), project.read(LOG)) == before, "it only looks");
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/mutation-v1.json"));
    let schema = serde_json::from_str(&schema.unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&json).unwrap();
    json
}

/// `-gt` and `-ge` differ for equal numbers only, which nothing tries.
#[test]
fn a_strong_command_notices_all_but_the_fault_it_does_not_try() {
    let project = project(&[&[STRONG]]);
    let json = mutate(&project, &["--mutants", "100"], 0);
    let task = &json["tasks"][0];
    let survived = task["survived"].as_array().unwrap();
    assert_eq!(survived.len(), 1, "{json:#}");
    assert_eq!((&survived[0]["path"], &survived[0]["line"]), (&"src/1.txt".into(), &3.into()));
    assert_eq!(survived[0]["after"], "if [ $1 -ge $2 ]; then");
    // Four in the condition, then two in each of the other four lines.
    assert_eq!(
        (&task["possible"], &task["caught"], &task["broken"]),
        (&12.into(), &11.into(), &0.into())
    );
    assert_eq!(json["vacuous"], serde_json::json!([]));
    project.check();
}

#[test]
fn commands_that_notice_nothing_are_named() {
    let project = project(&[&[STRONG], &["test -e src/2.txt", "true"]]);
    let ran = project.looper(&["bench", "--mutate", LOG, "--mutants", "5", "--seed", "9"]).exits(1);
    assert!(ran.stdout.contains("these commands catch nothing: test -e src/2.txt; true"), "{ran}");
    assert!(ran.stdout.contains(": caught 0 of 5\n"), "{ran}");
    assert!(ran.stdout.contains("survived  src/2.txt:"), "{ran}");
    assert!(ran.stdout.contains("seed 9: caught "), "{ran}");
    let json = mutate(&project, &["--mutants", "5", "--seed", "9"], 1);
    assert_eq!(json["vacuous"], serde_json::json!(["2"]));
    assert_eq!(json["tasks"][0]["vacuous"], false);
    assert_eq!(json, mutate(&project, &["--mutants", "5", "--seed", "9"], 1));
    assert_ne!(json["tasks"], mutate(&project, &["--mutants", "5", "--seed", "10"], 1)["tasks"]);
}

/// Two faults that nobody notices prove little.
#[test]
fn few_faults_name_nobody() {
    let project = project(&[&["true"]]);
    let json = mutate(&project, &["--mutants", "2"], 0);
    assert_eq!(json["tasks"][0]["survived"].as_array().unwrap().len(), 2);
}

/// What fails without a fault would notice every fault, and none.
#[test]
fn commands_that_fail_in_a_clean_checkout_say_nothing() {
    let project = Project::with(
        &[task("1").verify(&["test -e ignored/dep"])],
        &[implementer([write("src/1.txt", LARGER)])],
    );
    project.write("ignored/dep", "x");
    project.run(&[]).exits(0);
    let json = mutate(&project, &[], 0);
    assert_eq!((&json["tasks"][0]["caught"], &json["caught"]["of"]), (&0.into(), &0.into()));
    let reason = json["tasks"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("without any fault, in a clean checkout: exit code 1"), "{reason}");
}

/// Only what the change brought is made worse: neither older lines nor tests beside the work.
#[test]
fn only_lines_of_the_change_have_faults() {
    let tasks = [task("1").files("src/old.sh, tests/old.sh").verify(&["true"])];
    let steps =
        [write("src/old.sh", "one=1\ntwo=5\nthree=3\n"), write("tests/old.sh", "test 1 -eq 1\n")];
    let project = Project::with(&tasks, &[implementer(steps)]);
    project.write("src/old.sh", "one=1\ntwo=2\nthree=3\n");
    project.write("tests/old.sh", "true\n");
    project.commit("older");
    project.run(&[]).exits(0);
    let json = mutate(&project, &["--mutants", "50"], 0);
    let survived = json["tasks"][0]["survived"].as_array().unwrap();
    assert!(survived.iter().all(|it| it["path"] == "src/old.sh" && it["line"] == 2), "{json:#}");
    assert_eq!(survived.len(), 2);
}

#[test]
fn without_a_project_nothing_can_be_tried() {
    let project = project(&[&["true"]]);
    std::fs::copy(project.path(LOG), project.path("copy.jsonl")).unwrap();
    project.looper(&["bench", "--mutate", "copy.jsonl"]).exits(64).says("--project");
    project.looper(&["bench", "--seed", "1"]).exits(64);
}
