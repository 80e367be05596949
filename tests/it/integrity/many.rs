//! Thousands of commits are compared in the time that git takes to read them.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Instant;

use looper::engine::event::EventKind;
use looper::engine::id::{CommitId, Seq, TreeId};
use looper::engine::line::Proof;
use looper::host::audit::{Ledger, Standing, check_all, check_head};
use looper::host::git::Git;

use super::*;

const COMMITS: u64 = 5000;

fn message(run: &str, seq: u64, proof: Proof) -> String {
    format!(
        "Task 1: Write 1\n\nLooper-Run: {run}\nLooper-Task: 1\nLooper-Seq: {seq}\n\
         Looper-Log: {proof}\n"
    )
}

fn proof(seq: u64) -> Proof {
    Proof::parse(&format!("{seq:064x}")).unwrap()
}

/// Commits on top of HEAD, each with the same tree.
fn make_commits(project: &Project, run: &str) -> Vec<String> {
    let mut stream = String::new();
    for number in 1..=COMMITS {
        let text = message(run, number * 4, proof(number * 4));
        let from = match number {
            1 => "refs/heads/main^0".to_owned(),
            _ => format!(":{}", number - 1),
        };
        stream.push_str(&format!(
            "commit refs/heads/main\nmark :{number}\ncommitter Ada <ada@example.org> {} +0000\n\
             data {}\n{text}from {from}\n\n",
            1_795_166_102 + number,
            text.len(),
        ));
    }
    let marks = project.place().join("marks");
    let mut git = project.command("git");
    git.args(["fast-import", "--quiet", &format!("--export-marks={}", marks.display())]);
    let mut git = git.stdin(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success());
    let marks = fs::read_to_string(marks).unwrap();
    let mut commits = vec![String::new(); COMMITS as usize];
    for line in marks.lines() {
        let (mark, commit) = line[1..].split_once(' ').unwrap();
        commits[mark.parse::<usize>().unwrap() - 1] = commit.to_owned();
    }
    commits
}

#[test]
fn thousands_of_commits_are_compared() {
    let project = after_two_runs();
    let log = project.log();
    let find = |name: &str| log.events.iter().find(|it| it.kind.name() == name).unwrap().clone();
    let (mut judged, mut prepared) = (find("gates_judged"), find("commit_prepared"));
    let mut finished = find("commit_finished");
    let run = judged.run.as_str().to_owned();
    let tree = TreeId::new(project.git(&["rev-parse", "HEAD^{tree}"]));
    let mut parent = CommitId::new(project.git(&["rev-parse", "HEAD"]));
    let commits = make_commits(&project, &run);
    // The two commits of the real runs are not in this ledger, so they lie below it.
    let mut ledger = Ledger::default();
    ledger.note(&find("run_started"), Proof::GENESIS);
    for (number, commit) in (1..).zip(&commits) {
        let commit = CommitId::new(commit.clone());
        judged.seq = Seq(number * 4);
        prepared.seq = Seq(number * 4 + 1);
        finished.seq = Seq(number * 4 + 2);
        if let EventKind::GatesJudged(data) = &mut judged.kind {
            data.tree = tree.clone();
        }
        if let EventKind::CommitPrepared(data) = &mut prepared.kind {
            (data.commit, data.tree, data.parent) = (commit.clone(), tree.clone(), parent);
            data.message = message(&run, number * 4, proof(number * 4));
        }
        for event in [&judged, &prepared, &finished] {
            ledger.note(event, proof(event.seq.0));
        }
        parent = commit;
    }
    let git = Git::open(project.root(), &[]).unwrap();
    let start = Instant::now();
    let report = check_all(&git, &git.tips().unwrap(), &ledger, None).unwrap();
    let all = start.elapsed();
    let start = Instant::now();
    assert_eq!(check_head(&git, &ledger, None).unwrap(), None);
    eprintln!("{COMMITS} commits in {all:?}, the newest alone in {:?}", start.elapsed());
    assert_eq!(report.of(Standing::Recorded), COMMITS);
    assert!(report.bad.iter().all(|it| it.standing == Standing::Missing), "{:?}", report.bad);
    assert_eq!(report.bad.len(), 2, "those of the real runs");
}
