//! Disks that are full, for real: small file systems in a namespace of the test's own.

use std::fs;

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

/// Large enough for a run, small enough to be filled at once.
const SIZE: &str = "size=12m";
const LARGER: &str = "size=64m";

/// What somebody else has on the disk.
const FILLER: &str = "ignored/filler";

/// What no compression makes smaller.
const FILL: &str = "head -c 1G /dev/urandom";

fn any_file() -> Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt")])
}

/// Not a test: what each scenario does in its namespace.
#[test]
#[ignore = "started in a namespace"]
fn inside() {
    let name = scenario().expect("only a test with a namespace starts it");
    let (what, how) = name.split_once(' ').unwrap_or((&name, ""));
    match what {
        "agent" => filled_by_an_agent(how),
        "again" => filled_again_and_again(),
        "ignored" => filled_with_ignored_files(),
        "before" => full_before_the_first_agent(),
        "left" => filled_by_somebody_else(how.parse().unwrap()),
        "state" => full_state_directory(),
        "names" => no_names_left(),
        "rollback" => full_when_it_rolls_back(),
        _ => panic!("{name} is no scenario"),
    }
}

#[track_caller]
fn run_inside(name: &str) {
    enter("end_to_end::full_disk::inside", name);
}

/// A project whose disk is small.
fn on_a_small_disk(options: &str) -> (Project, Mount) {
    let project = Project::bare();
    let disk = Mount::small(project.root(), options);
    project.furnish();
    project.backlog(&[task("1"), task("2")]);
    project.write("ignored/cache", "mine");
    (project, disk)
}

/// The rest of the disk is the agent's own doing: its attempt fails, what it wrote goes, and the
/// run goes on.
#[rstest]
fn an_agent_that_fills_the_disk_fails_its_attempt(
    #[values(
        "plan",
        "plan_critique",
        "implement",
        "impl_critique",
        "tracked",
        "frozen",
        "failing",
        "verify"
    )]
    how: &str,
) {
    run_inside(&format!("agent {how}"));
}

fn filled_by_an_agent(how: &str) {
    let (project, _disk) = on_a_small_disk(SIZE);
    let ok = |command: String| vec![sh(&format!("{command}; true")), print("VERDICT: PASS")];
    let rule = match how {
        "tracked" => implementer(ok(format!("{FILL} >> src/kept.txt"))),
        // It fits once, and not a second time among the objects.
        "frozen" => implementer(ok("head -c 5M /dev/urandom > big".to_owned())),
        "failing" => implementer([sh(&format!("{FILL} > big"))]),
        "verify" => {
            let fill = "test -e ../filled || { touch ../filled; head -c 1G /dev/urandom > big; }";
            project.backlog(&[task("1").verify(&[fill, "test -e src/1.txt"]), task("2")]);
            any_file()
        }
        stage => on(stage).does(ok(format!("mkdir -p deep/er; {FILL} > deep/er/big"))),
    };
    let rule = if how == "verify" { rule } else { rule.once() };
    project.script(&[rule, any_file()]);
    let ran = project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("xx", ""), "{ran}");
    let log = project.log();
    assert_eq!((log.count("task_failed"), project.subjects().len()), (1, 2), "{ran}");
    let reason = log.last("task_failed")["reason"].as_str().unwrap();
    let finished =
        if how == "verify" { log.last("verify_finished") } else { log.last("run_ended") };
    assert!(finished["state_changes"].as_array().is_none_or(Vec::is_empty), "{finished}");
    let wanted = match how {
        "verify" => "verify",
        _ => "filled the disk",
    };
    assert!(reason.contains(wanted), "{reason}");
    assert!(!project.has("big") && !project.has("deep"));
    assert_eq!(
        (project.read("src/kept.txt").as_str(), project.read("ignored/cache").as_str()),
        ("kept\n", "mine")
    );
}

/// A task whose agent does that every time is blocked in the end, and the others are worked on.
#[test]
fn an_agent_that_fills_the_disk_every_time_does_not_hold_the_others_up() {
    run_inside("again");
}

fn filled_again_and_again() {
    let (mut project, _disk) = on_a_small_disk(SIZE);
    project.env("LOOPER_RUN_FAILURES_MAX", "3");
    let fill = implementer([sh(&format!("{FILL} > big; true"))]).task("1");
    project.script(&[fill, any_file()]);
    project.run(&[]).exits(1);
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("!x", 1));
    assert_eq!(project.status(), "");
}

/// Ignored files are nobody's to remove: a person has to make room, and nothing is lost till then.
#[test]
fn ignored_files_that_fill_the_disk_end_the_run() {
    run_inside("ignored");
}

fn filled_with_ignored_files() {
    let (project, disk) = on_a_small_disk(SIZE);
    let fill = implementer([write("mess", "x"), sh(&format!("{FILL} > ignored/big; true"))]);
    project.script(&[fill.once(), any_file()]);
    project.run(&[]).exits(74).says("No space left on device").says("make room there");
    assert_eq!((project.status().as_str(), project.marks().as_str()), ("", "  "));
    for _ in 0..2 {
        project.run(&[]).exits(3).says("No space left on device").says("make room there");
    }
    assert!(project.has("ignored/big"));
    disk.change(LARGER);
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("xx", 2));
}

#[test]
fn a_disk_that_is_full_before_the_first_agent_refuses_the_run() {
    run_inside("before");
}

fn full_before_the_first_agent() {
    let (project, disk) = on_a_small_disk(SIZE);
    project.script(&[any_file()]);
    let before = project.manifest();
    for left_kib in [0, 4, 40, 400, 2000] {
        let filler = disk.fill(FILLER, left_kib);
        let ran = project.looper(&["run"]).exits(3).says("No space left on device");
        assert!(!project.has(".looper/events.jsonl") || project.seen("plan_started") == 0, "{ran}");
        fs::remove_file(filler).unwrap();
        assert_eq!(project.manifest(), before);
    }
    project.run(&[]).exits(0);
    assert_eq!(project.marks(), "xx");
}

/// Somebody else takes the room while the last stage works, all of it or nearly all: log, commit,
/// marks and evidence run into it one after the other.
#[rstest]
fn a_disk_that_somebody_else_fills_costs_nothing(
    #[values(0, 4, 12, 24, 40, 64, 100, 200)] left_kib: u64,
) {
    run_inside(&format!("left {left_kib}"));
}

fn filled_by_somebody_else(left_kib: u64) {
    let (mut project, disk) = on_a_small_disk(SIZE);
    project.env("LOOPER_RUN_PROFILE", "solo");
    let wait =
        "test -e ../once || { touch ../once ../up; while test -e ../up; do sleep 0.01; done; }";
    project.backlog(&[task("1").verify(&["test -e src/1.txt", wait]), task("2")]);
    project.script(&[any_file()]);
    let mut running = project.start(&["run"]);
    let up = project.root().join("../up");
    running.until("verify runs", || up.exists());
    let filler = disk.fill(FILLER, left_kib);
    fs::remove_file(&up).unwrap();
    let ran = running.wait().exits(74).says("No space left on device").says("make room there");
    assert!(project.subjects().len() <= 1, "{ran}");
    let again = project.looper(&["run"]);
    assert!(matches!(again.status.code(), Some(3 | 74)), "{again}");
    fs::remove_file(filler).unwrap();
    let last = project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("xx", ""), "{ran}{last}");
    assert_eq!(project.subjects(), ["Task 1: Write 1", "Task 2: Write 2"], "{ran}{last}");
}

/// The state directory alone is on the full disk.
#[test]
fn a_full_disk_below_the_state_directory_costs_nothing() {
    run_inside("state");
}

fn full_state_directory() {
    let mut project = Project::new();
    let disk = Mount::small(&project.place().join("disk"), SIZE);
    let state = project.place().join("disk/state");
    fs::rename(project.path(".looper"), project.place().join("old")).unwrap();
    fs::create_dir(&state).unwrap();
    fs::copy(project.place().join("old/config.toml"), state.join("config.toml")).unwrap();
    fs::write(state.join("backlog.md"), Project::backlog_text(&[task("1"), task("2")])).unwrap();
    project.env("LOOPER_STATE_DIR", &state);
    let wait = sh("touch ../up; while test -e ../up; do sleep 0.01; done");
    project.script(&[implementer([write("src/1.txt", "x"), wait]).once(), any_file()]);
    let mut running = project.start(&["run"]);
    let up = project.place().join("up");
    running.until("the agent is at work", || up.exists());
    let filler = disk.fill("filler", 0);
    fs::remove_file(&up).unwrap();
    running.wait().exits(74).says("No space left on device");
    assert_eq!((project.status().as_str(), project.subjects().len()), ("", 0));
    project.looper(&["run"]).exits(3).says("No space left on device");
    fs::remove_file(filler).unwrap();
    project.looper(&["run"]).exits(0);
    project.looper(&["replay"]).exits(0);
    assert_eq!((project.status().as_str(), project.subjects().len()), ("", 2));
}

/// A file system can run out of names while bytes are left.
#[test]
fn an_agent_that_uses_up_all_names_fails_its_attempt() {
    run_inside("names");
}

fn no_names_left() {
    let (project, _disk) = on_a_small_disk("size=64m,nr_inodes=600");
    let fill = "mkdir many; i=0; while : > many/$i; do i=$((i+1)); done 2>/dev/null; true";
    project.script(&[implementer([sh(fill)]).once(), any_file()]);
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("xx", ""));
    let log = project.log();
    assert!(log.last("task_failed")["reason"].as_str().unwrap().contains("filled the disk"));
    assert!(!project.has("many"));
}

/// The attempt had failed by itself, and to undo it needs room that nobody has: what the attempt
/// made goes first.
#[test]
fn a_rollback_on_a_full_disk_makes_its_own_room() {
    run_inside("rollback");
}

fn full_when_it_rolls_back() {
    let (project, disk) = on_a_small_disk(SIZE);
    // More than the reserve has to be written to bring it back.
    project.write("src/large.bin", vec![7; 3 << 20]);
    project.commit("large");
    let change = "rm src/large.bin; head -c 3M /dev/urandom > zz; touch ../up; \
                  while test -e ../up; do sleep 0.01; done";
    let hang = implementer([sh(change), Step::Hang]).once();
    project.script(&[hang, any_file()]);
    let before = project.manifest();
    let mut running = project.start(&["run"]);
    let up = project.root().join("../up");
    running.until("the agent is at work", || up.exists());
    let filler = disk.fill(FILLER, 0);
    running.signal("INT");
    running.wait().exits(130);
    fs::remove_file(filler).unwrap();
    assert_eq!(project.manifest(), before);
    drop(fs::remove_file(up));
    project.check();
    project.run(&[]).exits(0);
    assert_eq!(project.marks(), "xx");
}
