//! The demo does what it says, wherever it is called.

use std::fs;
use std::path::Path;

use looper::host::log::Reader;

use super::child::{command, end, looper, start};

/// What git itself says about a repository.
fn git(project: &Path, arguments: &[&str]) -> String {
    let mut git = command("git", project);
    git.args(arguments);
    end(git).exits(0).stdout
}

/// An environment that belongs to somebody else's project.
const HOSTILE: [(&str, &str); 9] = [
    ("LOOPER_RUN_FAILURES_MAX", "9"),
    ("LOOPER_RUN_NONSENSE", "1"),
    ("LOOPER_STATE_DIR", "elsewhere"),
    ("GIT_DIR", "/nowhere"),
    ("GIT_AUTHOR_NAME", ""),
    ("GIT_COMMITTER_EMAIL", "someone@example.org"),
    ("GIT_CONFIG_GLOBAL", "/nowhere"),
    ("BASH_ENV", "/nowhere"),
    ("POSIXLY_CORRECT", "1"),
];

#[test]
fn the_demo_goes_as_written_in_a_hostile_environment() {
    let cwd = tempfile::tempdir().unwrap();
    let mut demo = looper(cwd.path());
    demo.args(["demo", "--keep", "kept", "--format", "json"]).envs(HOSTILE);
    let told: serde_json::Value = serde_json::from_str(&end(demo).exits(0).stdout).unwrap();

    let project = cwd.path().join("kept");
    let status = |task: usize| told["tasks"][task]["status"].as_str().unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(status), ["done", "done", "blocked", "blocked", "blocked"]);
    let log = fs::read_to_string(project.join(".looper/events.jsonl")).unwrap();
    assert_eq!(told["events_replayed"], log.lines().count());
    assert_eq!(
        Reader::open(&project.join(".looper/events.jsonl")).unwrap().count(),
        log.lines().count()
    );

    let subjects = git(&project, &["log", "--format=%H %s"]);
    let commits = told["commits"].as_array().unwrap().iter();
    let line = |commit: &serde_json::Value| {
        format!("{} {}\n", commit["commit"].as_str().unwrap(), commit["subject"].as_str().unwrap())
    };
    assert_eq!(commits.map(line).collect::<String>(), subjects);
    let authors = git(&project, &["log", "--format=%an <%ae> %cn <%ce>"]);
    let author = "Looper Demo <demo@looper.invalid> Looper Demo <demo@looper.invalid>";
    assert!(authors.lines().all(|line| line == author), "{authors}");
    assert_eq!(git(&project, &["status", "--porcelain"]), "?? .looper/\n");
    git(&project, &["fsck", "--strict"]);
}

/// The page of events tells people how to check a log without `looper`.
#[test]
fn a_log_is_checked_as_the_page_of_events_says() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md"));
    let page = page.unwrap();
    let (_, rest) = page.split_once("```sh\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();

    let cwd = tempfile::tempdir().unwrap();
    let mut demo = looper(cwd.path());
    demo.args(["demo", "--keep", "kept"]);
    end(demo).exits(0);
    let project = cwd.path().join("kept");
    let said = |shell: &str| {
        let mut check = command(shell, &project);
        check.args(["-c", script]);
        end(check).exits(0).stdout
    };
    assert_eq!((said("sh"), said("bash")), (String::new(), String::new()));
    let log = project.join(".looper/events.jsonl");
    let forged = fs::read_to_string(&log).unwrap().replacen("Greet by name", "Greet by game", 1);
    fs::write(&log, forged).unwrap();
    assert!(said("sh").starts_with("not as written: {\"v\":1,\"seq\":1,"), "{}", said("sh"));
}

#[test]
fn the_demo_tells_people_what_happened_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = looper(Path::new("/"));
    demo.arg("demo").env("TMPDIR", temporary.path()).env("LOOPER_STATE_DIR", "");
    let told = end(demo).exits(0);
    for line in ["1.1 Greet by name", "scope: outside the task's files: greet.sh"] {
        assert!(told.stdout.contains(line), "{}", told.stdout);
    }
    assert!(told.stdout.contains("every decision would be made again"), "{}", told.stdout);
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = looper(temporary.path());
    demo.arg("demo").env("TMPDIR", temporary.path());
    let mut demo = start(demo);
    demo.until("Task 1.1");
    rustix::process::kill_process(demo.pid(), rustix::process::Signal::INT).unwrap();
    demo.end().exits(130);
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn the_demo_never_touches_what_is_there() {
    let cwd = tempfile::tempdir().unwrap();
    fs::write(cwd.path().join("mine"), "mine").unwrap();
    for arguments in [["--keep", "mine"], ["--keep", "no/parent"], ["--project", "."]] {
        let mut demo = looper(cwd.path());
        demo.arg("demo").args(arguments);
        end(demo).exits(64);
    }
    assert_eq!(fs::read_dir(cwd.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(cwd.path().join("mine")).unwrap(), "mine");
}
