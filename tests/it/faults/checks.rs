//! What must hold when a run that was cut short has been started again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::support::*;
use crate::trial::End;

/// Exit codes of a run whose disk fails: refused before an agent was called, or broken off.
const REFUSED: i32 = 3;
const MACHINE: i32 = 74;

/// Whether the crash transaction can have been damaged, so that it is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    Whole,
    MayBeBroken,
}

/// Everything that does not depend on where the run was cut.
pub(super) fn settled(project: &Project, wanted: &End, transaction: Transaction) {
    project.check();
    let end = End::of(project);
    assert!(end == *wanted, "{end:#?}\nwanted {wanted:#?}");
    commits(project);
    nothing_is_left(project, transaction);
}

/// Each commit of ours is in the log, with the tree that was judged, and each that the log speaks
/// of is in the history, once.
fn commits(project: &Project) {
    let log = project.log();
    let mut judged = BTreeMap::new();
    let mut prepared = BTreeMap::new();
    let mut finished = vec![];
    for line in &log.lines {
        let data = &line["data"];
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        match line["event"].as_str().unwrap() {
            "gates_judged" if data["outcome"] == "PASS" => {
                judged.insert(line["seq"].to_string(), text("tree"));
            }
            "commit_prepared" => {
                prepared.insert(text("commit"), text("tree"));
            }
            "commit_finished" => finished.push(text("commit")),
            "reconciled" if data["commit"].is_string() => finished.push(text("commit")),
            _ => {}
        }
    }
    let format = "--format=%H %T %(trailers:key=Looper-Seq,valueonly,separator=%x2C)";
    let history = project.git(&["log", "--reverse", format]);
    let mut made = vec![];
    for line in history.lines() {
        let [commit, tree, seq] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        if seq.is_empty() {
            continue;
        }
        assert_eq!(judged.get(seq).map(String::as_str), Some(tree), "{line} was not judged so");
        assert_eq!(prepared.get(commit).map(String::as_str), Some(tree), "{line} is not logged");
        made.push(commit.to_owned());
    }
    assert_eq!(made, finished, "history and log differ");
}

/// No lock, no temporary file.
fn nothing_is_left(project: &Project, transaction: Transaction) {
    let mut left = vec![];
    let mut open = vec![project.root().to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_left = name.ends_with(".lock")
                || name.starts_with(".looper-tmp-")
                || (transaction == Transaction::Whole && name.contains(".broken-"));
            if is_left {
                left.push(path);
            } else if path.is_dir() && !path.is_symlink() {
                open.push(path);
            }
        }
    }
    assert_eq!(left, Vec::<PathBuf>::new(), "files are left");
}

/// The commits that the run had made by the time it was killed.
pub(super) fn commits_by_now(project: &Project) -> BTreeSet<String> {
    let format = "--format=%H %(trailers:key=Looper-Seq,valueonly,separator=%x2C)";
    let history = project.git(&["log", format]);
    let ours = history.lines().filter_map(|line| line.split_once(' '));
    ours.filter(|(_, seq)| !seq.is_empty()).map(|(commit, _)| commit.to_owned()).collect()
}

/// A run that came to its end, and whose disk failed when it left its report, says so.
pub(super) fn lacks_a_report(project: &Project, ran: &Ran) {
    let log = fs::read_to_string(project.path(".looper/events.jsonl")).unwrap_or_default();
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains("\"event\":\"run_ended\""), "{last}\n{ran}");
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("report.md"), "{ran}");
}

/// A run whose disk fails says what, where and what to do, and exits with the code for it.
pub(super) fn failed_in_words(project: &Project, ran: &Ran, errno: Errno) {
    let code = ran.status.code();
    assert!([Some(REFUSED), Some(MACHINE)].contains(&code), "{ran}");
    let log = fs::read_to_string(project.path(".looper/events.jsonl")).unwrap_or_default();
    let first = log.lines().position(|line| line.contains("\"event\":\"plan_started\""));
    match code {
        // The line that says that it will be called may be there when it could not be flushed.
        Some(REFUSED) => assert!(
            first.is_none_or(|at| at + 1 == log.lines().count()),
            "an agent was called: {ran}"
        ),
        _ => assert!(first.is_some(), "no agent was called: {ran}"),
    }
    let place = project.place().display().to_string();
    let cause = std::io::Error::from(errno).to_string();
    let cause = cause.split(" (os").next().unwrap();
    for word in ["error: ", "help: ", place.as_str(), cause] {
        assert!(ran.stderr.contains(word), "{word:?} was not said: {ran}");
    }
}
