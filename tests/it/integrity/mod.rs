//! The log against its witnesses, with the real program in a real repository: what somebody did to
//! the log or to the history is found, and what people may do is not mistaken for it.

mod attacks;
mod doctor;
mod history;
mod many;
mod objects;

use std::fs;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::*;

const LOG: &str = ".looper/events.jsonl";

/// Two tasks that pass in a run each, and one that never does.
fn tasks() -> [TaskText; 3] {
    let told = |id: &str| task(id).verify(&[&format!("echo {id}; test -e src/{id}.txt")]);
    [told("1"), told("2"), task("3").verify(&["exit 1"])]
}

/// A project after two runs that committed one task each.
fn after_two_runs() -> Project {
    let rules = [
        implementer([write("src/1.txt", "one\n")]).task("1"),
        implementer([write("src/2.txt", "two\n")]).task("2"),
        implementer([write("src/3.txt", "three\n")]).task("3"),
    ];
    let mut project = Project::with(&tasks(), &rules);
    project.env("LOOPER_RUN_PROFILE", "solo");
    project.env("LOOPER_RUN_FAILURES_MAX", "1");
    for _ in 0..2 {
        drop(project.run(&["-i", "1"]).exits(0));
    }
    project
}

fn lines(project: &Project) -> Vec<String> {
    project.read(LOG).lines().map(str::to_owned).collect()
}

fn put_lines(project: &Project, lines: &[String]) {
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    project.write(LOG, text);
}

/// Numbers and proves the whole chain anew, as somebody would who knows how.
fn reseal(lines: &mut [String]) {
    let mut proof = "0".repeat(64);
    for (line, seq) in lines.iter_mut().zip(1..) {
        let body = line.rsplit_once(r#","h":"#).unwrap().0;
        let (head, rest) = body.split_once(r#","at":"#).unwrap();
        let head = head.rsplit_once(r#""seq":"#).unwrap().0;
        let body = format!(r#"{head}"seq":{seq},"at":{rest}"#);
        let sha = Sha256::digest(format!("{proof}{body}"));
        proof = sha.iter().map(|byte| format!("{byte:02x}")).collect();
        *line = format!("{body},\"h\":\"{proof}\"}}");
    }
}

fn positions(lines: &[String], event: &str) -> Vec<usize> {
    let event = format!(r#""event":"{event}""#);
    (0..lines.len()).filter(|at| lines[*at].contains(&event)).collect()
}

/// Takes witnesses away, as somebody would who knows of them.
fn forget(project: &Project, witnesses: &[&str]) {
    for witness in witnesses {
        match *witness {
            "tx" => fs::remove_dir_all(project.path(".looper/tx")).unwrap(),
            "ref" => drop(project.git(&["update-ref", "-d", "refs/looper/log"])),
            "reflogs" => fs::remove_dir_all(project.path(".git/logs")).unwrap(),
            other => panic!("nobody is called {other}"),
        }
    }
}

/// Every command that may meet a bad log says so, and nothing is appended to it.
#[track_caller]
fn is_found(project: &Project, says: &str) {
    let before = project.read(LOG);
    for (args, code) in [
        (&["replay", "--check-git"][..], 4),
        (&["doctor"], 3),
        (&["run"], 4),
        (&["unblock", "3"], 4),
    ] {
        let ran = project.looper(args).exits(code);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(says), "{says:?} is not said: {ran}");
        is_safe(&told);
    }
    assert_eq!(project.read(LOG), before, "a bad log is left alone");
}

/// Nobody may lose anything by doing what is said.
#[track_caller]
fn is_safe(text: &str) {
    let words = ["rm ", "reset --hard", "clean -f", "update-ref -d", "checkout -f", "--force"];
    for word in words {
        assert!(!text.contains(word), "{word:?} is said: {text}");
    }
}

/// What `looper replay --check-git` counts, and demands that it agrees.
#[track_caller]
fn counts(project: &Project) -> String {
    let ran = project.looper(&["replay", "--check-git", "--format", "json"]).exits(0);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let counts = json["git"]["counts"].as_object().unwrap();
    counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}
