//! What verify commands say without the change, where somebody wants to know.

use rstest::rstest;

use crate::support::*;

const VACUOUS: &str = "every verify command passes without the change too";

fn project(commands: &[&str], settings: &str) -> Project {
    let rules = [implementer([write("src/1.txt", "x")])];
    let project = Project::with(&[task("1").verify(commands)], &rules);
    project.config(settings);
    project
}

/// The whole gate, as the log tells it.
fn gate(log: &Log) -> Option<(bool, String)> {
    let gates = log.last("gates_judged")["gates"].as_array().cloned().unwrap_or_default();
    let found = gates.iter().find(|it| it["gate"] == "fail_to_pass")?;
    Some((found["passed"] == true, found["reason"].as_str()?.to_owned()))
}

#[test]
fn commands_that_pass_without_the_change_wait_for_a_person() {
    let project = project(&["ls src", "true"], "[gates]\nfail_to_pass = \"require\"\n");
    let log = project.run_in_vain(&[], 1);
    assert_eq!(log.objection("fail_to_pass"), Some(VACUOUS));
    assert_eq!(log.last("gates_judged")["outcome"], "BLOCKED");
    assert_eq!(log.count("task_selected"), 1, "nobody tries again");
    let reason = format!("fail_to_pass: {VACUOUS}");
    assert_eq!(log.last("task_blocked")["reason"], reason.as_str());
    let base = &log.last("verify_finished")["base"];
    assert_eq!(base["tree"].as_str(), Some(&*project.git(&["rev-parse", "HEAD^{tree}"])));
    let runs = base["commands"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(
        project.read(".looper/evidence/loop-1/verify_results.md").contains("Without the Change")
    );
    // What it printed there is evidence like the rest.
    let output = runs[0]["output"].as_str().unwrap();
    assert!(!project.object(output).contains("1.txt"));
    let check = || project.looper(&["replay", "--objects"]).exits(0);
    assert!(!check().stdout.contains("1 missing"));
    std::fs::remove_file(project.path(".looper/objects").join(output)).unwrap();
    assert!(check().stdout.contains("1 missing"));
}

#[test]
fn people_are_warned_of_what_passes_all_the_same() {
    let project = project(&["true"], "[gates]\nfail_to_pass = \"warn\"\n");
    project.run(&[]).exits(0).says(&format!("PASS · warning: {VACUOUS}"));
    assert_eq!(gate(&project.log()), Some((true, VACUOUS.to_owned())));
    assert_eq!(project.marks(), "x");
}

/// Where nobody asks, nothing else happens than before.
#[test]
fn nobody_looks_by_default() {
    let project = project(&["true"], "");
    project.run(&[]).exits(0);
    let log = project.log();
    assert_eq!((gate(&log), log.last("verify_finished").get("base")), (None, None));
    assert!(log.last("run_started")["policy"].get("fail_to_pass").is_none());
}

/// The first command that fails there says enough, and it is run as often as it has to pass.
#[rstest]
#[case::once(1, &["true", "test -e src/1.txt", "exit 0"], 2)]
#[case::every_time(3, &["test -e src/1.txt", "true"], 3)]
#[case::until_it_passes(3, &["true", "test -e src/1.txt"], 4)]
fn one_command_that_needs_the_change_is_enough(
    #[case] repeat: u32,
    #[case] commands: &[&str],
    #[case] runs: usize,
) {
    let settings = format!("[gates]\nfail_to_pass = \"require\"\n[verify]\nrepeat = {repeat}\n");
    let project = project(commands, &settings);
    project.run(&[]).exits(0);
    let log = project.log();
    assert_eq!(gate(&log), Some((true, "ok".to_owned())));
    let finished = log.last("verify_finished");
    assert_eq!(finished["base"]["commands"].as_array().unwrap().len(), runs);
    let all = commands.len() * repeat as usize;
    assert_eq!(finished["commands"].as_array().unwrap().len(), all);
}

/// A build that is in no commit is missing from both checkouts, so it proves nothing.
#[test]
fn what_git_ignores_is_missing_from_both() {
    let project = project(&["test -e ignored/built"], "[gates]\nfail_to_pass = \"require\"\n");
    project.write("ignored/built", "x");
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.objection("verify"), Some("exit code 1: test -e ignored/built"));
}

/// The base is what changes are counted from: a pass that is kept in the work tree is part of it.
#[test]
fn a_pass_that_is_not_committed_is_part_of_the_base() {
    let command = "test -e src/1.txt";
    let tasks = [task("1").verify(&[command]), task("2").verify(&[command])];
    let rules = ["1", "2"].map(|id| implementer([write(&format!("src/{id}.txt"), "x")]).task(id));
    let project = Project::with(&tasks, &rules);
    project.config("[run]\ncommit_on_pass = false\n[gates]\nfail_to_pass = \"require\"\n");
    project.run(&[]).exits(1);
    assert_eq!(project.marks(), "x!");
    let log = project.log();
    let kept = log.all("gates_judged")[0]["tree"].clone();
    assert_eq!(log.last("verify_finished")["base"]["tree"], kept);
    assert_eq!(log.objection("fail_to_pass"), Some(VACUOUS));
}
