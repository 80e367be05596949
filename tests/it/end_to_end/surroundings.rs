//! Odd places, closed pipes, full disks, and what people do after a crash.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use looper::scripted::Step;
use rstest::rstest;

use crate::support::*;

fn any_file() -> looper::scripted::Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt")])
}

#[rstest]
#[case::a_space(b"a b")]
#[case::a_newline(b"a\nb")]
#[case::a_quote(b"a'\"b$(touch owned)")]
#[case::a_dash(b"-rf")]
#[case::an_umlaut("Ärger".as_bytes())]
#[case::not_utf8(b"a\xffb")]
fn a_project_may_lie_anywhere(#[case] name: &[u8]) {
    let mut project = Project::with(&[task("1"), task("2").files("nothing")], &[any_file()]);
    let root = project.place().join(OsStr::from_bytes(name));
    fs::rename(project.root(), &root).unwrap();
    project.move_to(root);
    project.run(&["-i", "1"]).exits(0);
    project.run_in_vain(&["-i", "1"], 0);
    assert_eq!((project.marks().as_str(), project.has("../owned")), ("x ", false));
}

/// Nobody has to listen: a closed pipe ends no run.
#[rstest]
#[case::standard_error(false)]
#[case::both(true)]
fn a_run_whose_words_nobody_reads_goes_on(#[case] both: bool) {
    let project = Project::with(&[task("1"), task("2")], &[any_file()]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut looper = project.command(env!("CARGO_BIN_EXE_looper"));
    looper.arg("run").stdin(Stdio::null()).stderr(writer.try_clone().unwrap());
    looper.stdout(if both { Stdio::from(writer) } else { Stdio::null() });
    let status = looper.status().unwrap();
    assert_eq!((status.code(), project.marks().as_str()), (Some(0), "xx"));
    project.check();
}

/// Variables that point git elsewhere are for somebody else's git.
#[test]
fn variables_of_git_do_not_lead_astray() {
    let check = sh("test -z \"$GIT_DIR$GIT_INDEX_FILE$GIT_WORK_TREE\" && git status >/dev/null");
    let project = Project::with(&[task("1")], &[implementer([check, write("src/1.txt", "x")])]);
    let mut looper = project.command(env!("CARGO_BIN_EXE_looper"));
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"] {
        looper.env(name, "/nowhere");
    }
    let output = looper.arg("run").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    project.check();
    assert_eq!(project.subjects().len(), 1);
}

/// A backlog that lies among the files is no agent's either.
#[test]
fn a_backlog_outside_the_state_directory_is_guarded() {
    let steps = [write("src/1.txt", "x"), sh("sed -i 's/- ... Task 2/- [x] Task 2/' plan.md")];
    let project = Project::with(&[task("1").files("**"), task("2")], &[implementer(steps)]);
    fs::rename(project.path(".looper/backlog.md"), project.path("plan.md")).unwrap();
    project.commit("the plan");
    project.run(&["--backlog", "plan.md", "-i", "1"]).exits(0);
    let log = project.log();
    let touched = log.last("implement_finished")["state_changes"].as_array().unwrap();
    assert!(touched.len() == 1 && touched[0].as_str().unwrap().starts_with("plan.md (kept as "));
    assert!(log.objection("state").is_some());
    assert!(project.read("plan.md").contains("- [ ] Task 2"));
}

/// A repository inside the repository can be in no commit.
#[rstest]
#[case::new("git init -q src/sub && echo x > src/sub/a")]
#[case::with_commits(
    "git init -q src/sub && cd src/sub && echo x > a && git add a && git commit -qm sub"
)]
#[case::around_tracked_files("git init -q src")]
fn a_repository_that_an_agent_makes(#[case] command: &str) {
    let tasks = [task("1").files("src/**").verify(&["true"])];
    let project = Project::with(&tasks, &[implementer([write("src/1.txt", "x"), sh(command)])]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert!(log.objection("scope").is_some());
}

fn killed_at_work() -> Project {
    let hang = implementer([write("mess", "x"), write("ignored/up", "x"), Step::Hang]).once();
    let project = Project::with(&[task("1")], &[hang, any_file()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    running.kill();
    project
}

/// A person who went to another commit after a crash is not followed there.
#[rstest]
#[case::another_branch(
    &["-c", "alias.x=!git checkout -qb other && git commit -qm mine --allow-empty", "x"],
    &["checkout", "-q", "main"]
)]
#[case::detached(&["checkout", "-q", "--detach", "HEAD~1"], &["checkout", "-q", "main"])]
#[case::an_older_commit(&["reset", "-q", "--soft", "HEAD~1"], &["reset", "-q", "--soft", "ORIG_HEAD"])]
fn a_person_who_moved_head_after_a_crash_is_asked(#[case] away: &[&str], #[case] back: &[&str]) {
    let project = Project::new();
    project.write("second", "x");
    project.commit("second");
    project.backlog(&[task("1")]);
    let hang = implementer([write("mess", "x"), write("ignored/up", "x"), Step::Hang]).once();
    project.script(&[hang, any_file()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    running.kill();
    project.git(away);
    let facts = || (project.manifest(), project.git(&["log", "--all", "--format=%H %D"]));
    let before = facts();
    for _ in 0..2 {
        project.looper(&["run"]).exits(3).says("HEAD");
        assert_eq!(facts(), before);
    }
    project.git(back);
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.has("mess")), ("x", false));
}

/// A commit after a crash looks like an agent's: it is put back, but never lost, and a person is
/// told how to get it back.
#[test]
fn a_commit_after_a_crash_is_kept_and_named() {
    let project = killed_at_work();
    project.write("mine.txt", "my work\n");
    project.git(&["add", "mine.txt"]);
    project.git(&["commit", "-qm", "mine"]);
    let mine = project.git(&["rev-parse", "HEAD"]);
    let ran = project.run(&[]).exits(0);
    let (_, told) = ran.stderr.split_once("`git merge ").unwrap_or_else(|| panic!("{ran}"));
    let (kept, _) = told.split_once('`').unwrap();
    assert!(kept.starts_with("refs/looper/rescued/"), "{ran}");
    project.git(&["merge", "-q", "--no-edit", kept]);
    assert_eq!((project.read("mine.txt").as_str(), project.has("src/1.txt")), ("my work\n", true));
    project.git(&["merge-base", "--is-ancestor", &mine, "HEAD"]);
}

/// One paragraph: which attempt, how far it was, what was ended, restored and removed, and where
/// to read more. The attempt's own evidence stays under its own name.
#[test]
fn a_recovery_says_what_it_found_and_what_it_did() {
    let hang = implementer([
        write("mess", "x"),
        append("src/kept.txt", "more"),
        print("half a thought"),
        daemon(60_000, "src/late.txt"),
        write("ignored/up", "x"),
        Step::Hang,
    ]);
    let project = Project::with(&[task("1.1")], &[hang.once(), any_file()]);
    let mut running = project.start(&["run"]);
    running.until("the agent is at work", || project.has("ignored/up"));
    running.kill();
    let ran = project.run(&[]).exits(0);
    let told = ran.stderr.lines().find(|line| line.starts_with("Recovered:")).unwrap();
    for words in [
        "an earlier process ended while task 1.1, attempt 1, was being implemented.",
        "processes it had left running were ended.",
        "Restored: src/kept.txt.",
        "Removed: mess.",
        "nothing counts as a failure.",
        "What the attempt left to read is in .looper/evidence/loop-1.",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told:?}");
    }
    assert!(project.read(".looper/evidence/loop-1/cut_short.txt").contains("half a thought"));
    assert!(project.has(".looper/evidence/loop-1/plan.md"));
    assert!(project.has(".looper/evidence/loop-2/plan.md"));
    assert!(!project.has(".looper/evidence/loop-2/cut_short.txt"));
}

/// What comes first is to settle: before anything that a run may be refused for.
#[rstest]
#[case::a_dirty_tree(&["sh", "-c", "echo x > mine.txt"])]
#[case::no_backlog_to_work_with(&["sh", "-c", "echo '- [ ] Task 2: no fields' >> .looper/backlog.md"])]
#[case::no_agent(&["sh", "-c", "rm ../bin/fake-agent"])]
#[case::another_branch_wanted(&["sh", "-c", "echo 'require_branch_prefix = \"x/\"' > t; cat .looper/config.toml >> t; sed -i '1i [run]' t; mv t .looper/config.toml"])]
#[case::a_damaged_configuration(&["sh", "-c", "echo '[nonsense' >> .looper/config.toml"])]
#[case::a_missing_prompt(&["sh", "-c", "mkdir .looper/prompts; echo '{{nonsense' > .looper/prompts/planner.md"])]
fn recovery_comes_before_any_refusal(#[case] change: &[&str]) {
    let project = killed_at_work();
    assert!(project.has("mess"));
    let changed = project.command(change[0]).args(&change[1..]).status().unwrap();
    assert!(changed.success());
    let ran = project.looper(&["run"]);
    assert!(ran.stderr.contains("Recovered: "), "{ran}");
    assert!(!project.has("mess"), "{ran}");
    assert_eq!(project.log().count("rollback_finished"), 1);
}

/// A full disk in the middle of a run: it ends, nothing is lost, and the next run finishes.
#[rstest]
fn a_disk_that_is_full_ends_the_run_and_costs_nothing(
    #[values(1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14)] kib: u32,
) {
    let project = Project::with(&[task("1"), task("2").files("nothing")], &[any_file()]);
    let before = project.manifest();
    let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
    let mut looper = project.command("sh");
    looper.args(["-c", &limit, "sh", env!("CARGO_BIN_EXE_looper"), "run", "-i", "2"]);
    let output = looper.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 3 | 74)), "{code:?} {words}");
    assert!(!words.contains("panicked"), "{words}");
    if project.subjects().is_empty() {
        let marks = project.marks();
        assert_eq!(marks, "  ", "{words}");
    }
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    assert_eq!((log.count("task_done"), project.subjects().len()), (1, 1), "{words}");
    assert_eq!(project.manifest().len(), before.len() + 1);
}
