//! Records the runs in `replay/`. Part of the tests only so that it always builds.

use std::fs;
use std::path::Path;
use std::process::Command;

use looper::scripted::{Rule, Step};

use super::damage::{Harm, changed_byte, removed_line, swapped_lines, truncated_middle};
use super::forgery::{forgeries, passed_after_all};
use super::golden::Expect;
use super::{events, home, replayed, text};
use crate::support::*;

/// Name, why it is kept, and how it comes about.
type Recording = (&'static str, &'static str, fn() -> Project);

const RECORDINGS: [Recording; 17] = [
    ("a_task_passes", "The main job, with every event that it has.", a_task_passes),
    (
        "a_critic_sends_it_back_and_the_next_attempt_passes",
        "The count of failures goes up with `task_failed` and back to zero with `task_done`.",
        sent_back,
    ),
    (
        "a_change_outside_its_scope_blocks_the_task",
        "Verification is left out, the critic is asked, one failure is enough where \
         `failures_max` is 1, and the next task goes on.",
        blocked_by_scope,
    ),
    (
        "a_failed_verify_command_blocks_the_task",
        "The second failure in a row blocks where `failures_max` is 2.",
        blocked_by_verify,
    ),
    (
        "a_denied_verify_command_blocks_without_an_attempt",
        "A task that no attempt can pass is blocked before the first, and starves nobody.",
        denied,
    ),
    (
        "a_rate_limit_pauses_and_the_next_run_resumes",
        "Nothing is counted, the run keeps its name, and the attempt after it is the second.",
        limited,
    ),
    (
        "a_signal_ends_the_run_and_the_next_one_finishes",
        "`interrupted` by a signal ends the run; its attempt is rolled back and does not count.",
        interrupted,
    ),
    (
        "a_crash_while_an_agent_works",
        "The next process notes `interrupted` by a crash, rolls back and resumes the run.",
        killed_at_work,
    ),
    (
        "a_crash_before_the_branch_moved",
        "A prepared commit that no branch points at is looked for, not found, and made again.",
        killed_before_the_move,
    ),
    (
        "a_crash_after_the_branch_moved",
        "A commit that the log does not know as finished is found and never made twice.",
        killed_after_the_move,
    ),
    (
        "a_proposal_waits_for_a_person",
        "SCOPE_EXPAND is recorded and blocks; the person widens the scope and unblocks by hand.",
        proposal,
    ),
    (
        "a_person_ticks_and_unticks_by_hand",
        "Marks that a person changes between two runs win and are recorded as the person's.",
        by_hand,
    ),
    (
        "what_passes_is_not_committed",
        "With `commit_on_pass = false` the judged tree is carried over to the next attempt and \
         to the next run.",
        uncommitted,
    ),
    (
        "an_agent_ticks_its_own_task",
        "A change in the state directory is put back, named, and fails the attempt at once.",
        state_touched,
    ),
    (
        "a_path_that_is_not_utf8",
        "Such a path is written in base64 and judged like any other.",
        not_utf8,
    ),
    (
        "a_planner_that_fails_and_a_plan_that_is_refused",
        "Planning that breaks and planning that is refused are undone for different reasons.",
        refused_plans,
    ),
    (
        "a_stage_is_taken_again_and_then_by_somebody_else",
        "Without capacity the implementer is called again after a pause; limited, it hands over, in \
         the same attempt; once its limit is lifted, the next attempt is its own.",
        handed_over,
    ),
];

/// Name, why it is kept, the harm, the recorded run it is done to, and at which line.
const DAMAGES: [(&str, &str, Harm, usize); 4] = [
    ("a_byte_is_changed", "The proof of a line covers every byte of it.", changed_byte, 14),
    (
        "a_line_is_removed",
        "The numbers have no gap and the chain no missing link.",
        removed_line,
        13,
    ),
    ("two_lines_are_swapped", "The order is part of the chain.", swapped_lines, 9),
    (
        "a_line_is_cut_in_the_middle",
        "Half a line is forgiven at the end of a log and nowhere else.",
        truncated_middle,
        11,
    ),
];

/// Writes what is missing; what is there stays as it is, for ever.
#[test]
#[ignore = "writes into the source"]
fn record() {
    for (name, why, make) in RECORDINGS {
        let folder = home("v1").join(name);
        if !folder.exists() {
            let project = make();
            keep(&folder, &project.read(".looper/events.jsonl"), why);
        }
    }
    let source = text(
        &home("v1").join("a_critic_sends_it_back_and_the_next_attempt_passes"),
        "events.jsonl",
    );
    let lines: Vec<String> = source.split_inclusive('\n').map(str::to_owned).collect();
    for (name, why, harm, at) in DAMAGES {
        let (log, _) = harm(&lines, at).expect("the recorded run is long enough");
        keep_refused(name, &log, why);
    }
    let forged = forgeries(&events(&source), passed_after_all);
    let (forged, _) = forged.first().expect("one attempt did not pass");
    let why = "The chain was computed anew and holds; only deciding again shows that the gates \
               never let this pass.";
    keep_refused("a_decision_is_forged_and_the_chain_made_anew", &rechained(forged), why);
}

fn keep(folder: &Path, log: &str, why: &str) {
    let state = replayed(log).expect("a real run replays");
    let expect = Expect::of(&events(log), &state);
    write_folder(folder, log, &serde_json::to_string_pretty(&expect).unwrap(), why);
}

fn keep_refused(name: &str, log: &str, why: &str) {
    let folder = home("refused").join(name);
    if folder.exists() {
        return;
    }
    let line = replayed(log).expect_err("it was changed");
    write_folder(&folder, log, &format!("{{ \"line\": {line} }}"), why);
}

fn write_folder(folder: &Path, log: &str, expect: &str, why: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("events.jsonl"), log).unwrap();
    fs::write(folder.join("expect.json"), format!("{expect}\n")).unwrap();
    fs::write(folder.join("why.md"), format!("{why}\n")).unwrap();
}

fn any_file() -> Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt"), print("done")])
}

fn a_task_passes() -> Project {
    let project = Project::with(&[task("1")], &[any_file()]);
    project.run(&[]).exits(0);
    project
}

fn sent_back() -> Project {
    let rules = [any_file(), critic("## Notes\nwrite more\nVERDICT: FAIL").attempt(1)];
    let project = Project::with(&[task("1")], &rules);
    project.run(&[]).exits(0);
    project
}

fn blocked_by_scope() -> Project {
    let stray = implementer([write("elsewhere.txt", "x")]).task("1");
    let mut project = Project::with(&[task("1"), task("2")], &[stray, any_file()]);
    project.env("LOOPER_RUN_FAILURES_MAX", "1");
    project.run(&[]).exits(1);
    project
}

fn blocked_by_verify() -> Project {
    let mut project = Project::with(&[task("1").verify(&["true", "exit 3"])], &[any_file()]);
    project.env("LOOPER_RUN_FAILURES_MAX", "2");
    project.run(&[]).exits(1);
    project
}

fn denied() -> Project {
    let tasks = [task("1").verify(&["sudo make install"]), task("2"), task("3").depends("1")];
    let project = Project::with(&tasks, &[any_file()]);
    project.run(&[]).exits(1);
    project
}

fn limited() -> Project {
    let limit = [print_stderr("Error: 429 Too Many Requests"), exit(1)];
    let project = Project::with(&[task("1")], &[on("implement").once().does(limit), any_file()]);
    project.run(&[]).exits(2);
    project.run(&[]).exits(0);
    project
}

/// A run whose implementer works until somebody ends it, once.
fn at_work() -> (Project, Running) {
    let hang =
        on("implement").once().does([write("ignored/up", "x"), write("mess", "x"), Step::Hang]);
    let project = Project::with(&[task("1")], &[hang, any_file()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    (project, running)
}

fn interrupted() -> Project {
    let (project, running) = at_work();
    running.signal("INT");
    running.wait().exits(130);
    project.run(&[]).exits(0);
    project
}

fn killed_at_work() -> Project {
    let (project, running) = at_work();
    running.kill();
    project.run(&[]).exits(0);
    project
}

/// Kills a run as soon as something holds, until the log of the next one says what is wanted.
fn killed(holds: fn(&Project) -> bool, wanted: fn(&Log) -> bool) -> Project {
    loop {
        let project = Project::with(&[task("1")], &[any_file()]);
        let mut running = project.start(&["run"]);
        while !holds(&project) && running.is_running() {}
        running.kill();
        project.run(&[]).exits(0);
        if wanted(&project.log()) {
            return project;
        }
    }
}

fn killed_before_the_move() -> Project {
    killed(
        |project| project.seen("commit_prepared") > 0,
        |log| log.count("reconciled") == 1 && log.last("reconciled")["commit"].is_null(),
    )
}

fn killed_after_the_move() -> Project {
    killed(
        |project| {
            let log = fs::read(project.path(".git/logs/HEAD")).unwrap_or_default();
            log.iter().filter(|byte| **byte == b'\n').count() > 1
        },
        |log| log.count("reconciled") == 1 && log.last("reconciled")["commit"].is_string(),
    )
}

fn proposal() -> Project {
    let rules = [
        implementer([write("src/1.txt", "x"), write("src/more.txt", "x")]),
        critic("## Requested files\n- src/more.txt\n\nVERDICT: SCOPE_EXPAND").attempt(1),
    ];
    let project = Project::with(&[task("1")], &rules);
    project.run(&[]).exits(1);
    project.edit_backlog("Files: src/1.txt", "Files: src/1.txt, src/more.txt");
    project.edit_backlog("- [!]", "- [ ]");
    project.run(&[]).exits(0);
    project
}

fn by_hand() -> Project {
    let project = Project::with(&[task("1"), task("2"), task("3")], &[any_file()]);
    project.run(&["-i", "1"]).exits(0);
    project.edit_backlog("- [x] Task 1", "- [ ] Task 1");
    project.edit_backlog("- [ ] Task 2", "- [x] Task 2");
    project.edit_backlog("- [ ] Task 3", "- [!] Task 3");
    project.script(&[implementer([append("src/1.txt", "again\n")]).task("1"), any_file()]);
    project.run(&[]).exits(1);
    project.edit_backlog("- [!] Task 3", "- [ ] Task 3");
    project.edit_backlog("Write 3", "Write the third");
    project.run(&[]).exits(0);
    project
}

fn uncommitted() -> Project {
    let mut project = Project::with(&[task("1"), task("2"), task("3")], &[any_file()]);
    project.env("LOOPER_RUN_COMMIT_ON_PASS", "false");
    project.run(&["-i", "2"]).exits(0);
    project.run(&[]).exits(0);
    project
}

fn state_touched() -> Project {
    let tick = [write("src/1.txt", "x"), sh("sed -i 's/- .. Task/- [x] Task/' .looper/backlog.md")];
    let project = Project::with(&[task("1")], &[implementer(tick).attempt(1), any_file()]);
    project.run(&[]).exits(0);
    project
}

fn not_utf8() -> Project {
    let write = implementer([sh("printf x > \"$(printf 'src/\\377')\"; echo x > src/1.txt")]);
    let tasks = [task("1"), task("2").files("src/*").verify(&["true"])];
    let mut project = Project::with(&tasks, &[write]);
    project.env("LOOPER_RUN_FAILURES_MAX", "1");
    project.run(&[]).exits(1);
    project
}

fn refused_plans() -> Project {
    let rules = [
        on("plan").attempt(1).does([exit(3)]),
        on("plan_critique").attempt(2).does([print("## Notes\ntoo vague\nVERDICT: FAIL")]),
        on("plan_critique").attempt(3).does([print("fine")]),
        any_file(),
    ];
    let project = Project::with(&[task("1")], &rules);
    project.run(&[]).exits(0);
    project
}

fn handed_over() -> Project {
    let limit = "echo '{\"type\":\"rate_limit_event\",\"rate_limit_info\":\
                 {\"status\":\"rejected\",\"resetsAt\":'$(($(date +%s) + 1))'}}'";
    let work = [sh("echo x > src/$LOOPER_TASK.txt"), frame(false, "Done.")];
    let rules = [
        on("plan").does([frame(false, "Do it.")]),
        on("plan_critique").does([frame(false, "VERDICT: PASS")]),
        on("impl_critique").does([frame(false, "VERDICT: PASS")]),
        on("implement").once().does([frame(true, "API Error: 529 Overloaded"), exit(1)]),
        on("implement").once().does([sh(limit), frame(true, "No."), exit(1)]),
        // Longer than a limit counts after its end.
        on("implement").task("1").does([&[sleep(13_000)], &work[..]].concat()),
        implementer(work),
    ];
    let mut project = Project::with(&[task("1"), task("2")], &rules);
    let agents = ["one", "two", "three"]
        .map(|name| format!("[agents.{name}]\ncommand = [\"fake-agent\"]\noutput = \"claude\"\n"));
    let makers = "[roles]\nplan = [\"one\", \"two\"]\nimplement = [\"one\", \"two\"]\n";
    let critics =
        ["plan_critique", "impl_critique", "review"].map(|it| format!("{it} = \"three\"\n"));
    let text = format!("{}{makers}{}independent = \"agent\"\n", agents.concat(), critics.concat());
    project.write(".looper/config.toml", text);
    project.env("LOOPER_RETRY_PAUSE_S", "1");
    project.run(&[]).exits(0);
    project
}

/// The names are sentences of lower-case words, so that a list of them can be read.
#[test]
fn every_recorded_run_is_in_the_table() {
    for folder in super::folders("v1") {
        let name = super::name(&folder);
        assert!(RECORDINGS.iter().any(|(known, ..)| *known == name), "{name} cannot be recorded");
    }
    assert!(Command::new("git").arg("--version").output().is_ok());
}
