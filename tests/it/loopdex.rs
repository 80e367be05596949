//! A project that LoopDex began is finished by `looper` in the same state directory.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use looper::scripted::Step;

use crate::support::*;

const STATE: [&str; 2] = ["--state-dir", ".loop-agent"];

/// As LoopDex keeps it: phases, an index of what is done, lifecycle lines, evidence of its own.
const BACKLOG: &str = "\
# Backlog

## Completed Task IDs

- Task 0.1

## Phase 1: Reading

Some prose that nobody parses.

- [x] Task 1.1: Read the file
  - Size: Small
  - Files: `src/read.sh`
  - Description: Reads the file.
  - Completion criteria:
    - [x] verify: `test -e README.md`
  - Depends: Task 0.1
  - Fail count: 1

- [ ] Task 1.2: Count the lines
  - Size: Medium
  - Files: `src/count.sh`, `src/count.txt`
  - Description: Counts lines.
    An empty file has none.
  - Completion criteria:
    - [ ] It counts.
    - [ ] verify: `sh -n src/count.sh`, `test -s src/count.txt`
  - Depends: Task 1.1, Task 0.1
  - Fail count: 2
  - Last failure summary: Verify failed: exit 1
  - Evidence path: .loop-agent/evidence/loop-7

### Notes

## Phase 2: Writing

- [ ] Task 2.1: Print the count
  - Size: Small
  - Files: `src/print.sh`
  - Description: Prints it.
  - Completion criteria:
    - [ ] verify: `sh src/print.sh`
  - Depends: Task 1.2
  - Fail count: 0
";

/// What LoopDex wrote about itself.
const LOG: &str = r#"{"timestamp": "2026-01-02T03:04:05Z", "event": "loop_start", "loop": 7}
{"timestamp": "2026-01-02T03:05:06Z", "event": "loop_end", "loop": 7, "result": "FAIL"}
"#;

/// Files that were there and are none of ours.
const OTHERS: [(&str, &str); 5] = [
    (".loop-agent/config.env", "LOOP_CLI=codex\n"),
    (".loop-agent/progress.txt", "# Progress\n\n## Loop 7: FAIL\n"),
    (".loop-agent/current_task.md", "Task 1.2\n"),
    (".loop-agent/backlog_archive.md", "# Backlog Archive\n"),
    (".loop-agent/evidence/loop-7/plan.md", "# Plan - Loop 7\n"),
];

/// An agent that prints plain text, under the name that LoopDex calls.
const CODEX: &str = "#!/bin/sh\nexec fake-agent \"$@\"\n";

fn project() -> Project {
    let project = Project::bare();
    project.git(&["init", "-q"]);
    project.write("README.md", "A project.\n");
    project.write(".gitignore", ".loop-agent/\n");
    project.commit("loop-agent: initial commit before loop 1");
    project.write(".loop-agent/backlog.md", BACKLOG);
    project.write(".loop-agent/events.jsonl", LOG);
    for (name, text) in OTHERS {
        project.write(name, text);
    }
    let codex = project.place().join("bin/codex");
    fs::write(&codex, CODEX).expect("the place is writable");
    fs::set_permissions(&codex, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    project.script(&[
        implementer([write("src/count.sh", "wc -l"), print("Half of it.")]).task("1.2").attempt(1),
        implementer([
            Step::ExpectPrompt("src/count.txt".to_owned()),
            write("src/count.sh", "wc -l\n"),
            write("src/count.txt", "3\n"),
            print("All of it."),
        ])
        .task("1.2"),
        implementer([write("src/print.sh", "cat src/count.txt\n")]).task("2.1"),
    ]);
    project
}

#[test]
fn a_loopdex_project_is_finished() {
    let project = project();
    let ran = project.looper(&[&["run"], &STATE[..]].concat()).exits(0);
    project.check();
    let ran = ran.says("events.loopdex.jsonl");

    assert_eq!(project.read(".loop-agent/events.loopdex.jsonl"), LOG);
    let log = Log::read(&project.path(".loop-agent/events.jsonl"));
    assert_eq!(log.names()[0], "run_started");
    let charter = &log.lines[0]["data"];
    assert_eq!(charter["archived"], serde_json::json!(["0.1"]));
    assert_eq!(charter["agents"]["codex"]["command"][0], "codex");
    assert!(!project.has(".looper"), "{ran}");

    // The count goes on from where LoopDex was, and ends with the success.
    assert_eq!(log.last("task_failed")["fail_count"], 3);
    // Only marks have changed; a task that was done before keeps its own.
    let marked = BACKLOG
        .replace("- [ ] Task 1.2", "- [x] Task 1.2")
        .replace("- [ ] Task 2.1", "- [x] Task 2.1")
        .replace("  - Fail count: 2\n", "  - Fail count: 0\n")
        .replace("  - Last failure summary: Verify failed: exit 1\n", "");
    assert_eq!(project.read(".loop-agent/backlog.md"), marked);

    assert_eq!(project.subjects(), ["Task 1.2: Count the lines", "Task 2.1: Print the count"]);
    assert_eq!(project.changed_by("HEAD~1"), ["src/count.sh", "src/count.txt"]);
    for (commit, task) in [("HEAD~1", "1.2"), ("HEAD", "2.1")] {
        let judged = log
            .lines
            .iter()
            .rfind(|line| line["event"] == "gates_judged" && line["data"]["task"] == task);
        let judged = judged.expect("every commit was judged");
        let trailer = |name: &str| {
            let format = format!("--format=%(trailers:key={name},valueonly,separator=)");
            project.git(&["show", "-s", &format, commit])
        };
        assert_eq!(trailer("Looper-Task"), task);
        assert_eq!(trailer("Looper-Run"), judged["run"].as_str().unwrap());
        assert_eq!(trailer("Looper-Seq"), judged["seq"].to_string());
        assert_eq!(trailer("Looper-Log"), judged["h"].as_str().unwrap());
    }
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    assert_eq!(log.last("plan_finished")["class"], "ok");
}

#[test]
fn evidence_lies_where_loopdex_users_look_for_it() {
    let project = project();
    project.looper(&[&["run"], &STATE[..]].concat()).exits(0);
    for (number, passed) in [(1, false), (2, true), (3, true)] {
        let read = |name: &str| project.read(&format!(".loop-agent/evidence/loop-{number}/{name}"));
        assert!(!read("plan.md").is_empty() && !read("plan_critique.md").is_empty());
        assert!(read("impl_critique.md").contains("VERDICT: PASS"));
        assert!(read("changed_files.txt").contains("src/"), "{number}");
        assert_eq!(!read("verify_exit_codes.txt").contains("=FAIL"), passed, "{number}");
    }
    assert!(project.read(".loop-agent/evidence/loop-2/impl_summary.md").contains("All of it."));
}

#[test]
fn nothing_of_loopdex_is_lost() {
    let project = project();
    project.write(".loop-agent/evidence/loop-1/plan.md", "# Plan - Loop 1\n");
    project.looper(&[&["run"], &STATE[..]].concat()).exits(0);
    for (name, text) in OTHERS.into_iter().filter(|(name, _)| !name.contains("evidence")) {
        assert_eq!(project.read(name), text, "{name}");
    }
    let old = |number: u32| format!(".loop-agent/evidence.loopdex/loop-{number}/plan.md");
    assert_eq!(project.read(&old(7)), "# Plan - Loop 7\n");
    assert_eq!(project.read(&old(1)), "# Plan - Loop 1\n");
    project.looper(&[&["run"], &STATE[..]].concat()).exits(0);
    assert_eq!(project.read(&old(1)), "# Plan - Loop 1\n");
}
