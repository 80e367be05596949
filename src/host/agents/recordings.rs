//! Every recorded run of a real agent program, and the table of what each of them means.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rstest::rstest;
use serde::Deserialize;

use super::{Answer, Evidence, Format, Turn, read};
use crate::engine::at::At;
use crate::engine::report::QuotaWindow;
use crate::host::process::{Cause, Ended};

/// One line of `fixtures/transcripts/<program>.jsonl.zst`.
#[derive(Debug, Deserialize)]
pub(super) struct Recording {
    pub(super) case: String,
    /// As a shell reports it.
    exit: i32,
    ended: jiff::Timestamp,
    stdout: String,
    stderr: String,
    /// What codex wrote about the session into a file of its own.
    rollout: Option<String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts")
}

pub(super) fn recordings(program: &str) -> Vec<Recording> {
    let file = File::open(fixtures().join(format!("{program}.jsonl.zst"))).unwrap();
    let lines = BufReader::new(zstd::Decoder::new(file).unwrap()).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

impl Recording {
    pub(super) fn of(program: &str, case: &str) -> Self {
        let mut all = recordings(program).into_iter();
        all.find(|recording| recording.case == case).unwrap()
    }

    /// What it means to somebody who reads this format.
    pub(super) fn read(&self, format: Format, cause: Cause) -> Answer {
        let folder = tempfile::tempdir().unwrap();
        let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
        fs::write(&stdout, &self.stdout).unwrap();
        fs::write(&stderr, &self.stderr).unwrap();
        let now = At::from_millis(self.ended.as_millisecond());
        let ended = ended(self.exit, cause);
        let evidence = Evidence { stdout: &stdout, stderr: &stderr, ended, now };
        let answer = read(format, &evidence).unwrap();
        match (&self.rollout, &answer.session) {
            (Some(rollout), Some(thread)) => {
                let day = folder.path().join(self.ended.strftime("sessions/%Y/%m/%d").to_string());
                fs::create_dir_all(&day).unwrap();
                fs::write(day.join(format!("rollout-2026-{thread}.jsonl")), rollout).unwrap();
                let turn = Turn::of_session(folder.path(), &answer, now);
                answer.refined(turn.as_ref(), now)
            }
            _ => answer,
        }
    }
}

/// An end as a shell reports it; gemini has codes of its own for signals.
pub(super) fn ended(code: i32, cause: Cause) -> Ended {
    let is_signal = matches!(code, 129 | 130 | 137 | 143);
    let status = ExitStatus::from_raw(if is_signal { code - 128 } else { code << 8 });
    Ended {
        exit: status.into(),
        cause,
        duration_ms: 1,
        stdout_bytes: 0,
        stderr_bytes: 0,
        stdout_truncated: false,
        stderr_truncated: false,
        swept: 0,
        survivors: 0,
    }
}

/// The columns of `recordings.tsv` behind the name of the case, without the last one.
fn columns(end: &str, answer: &Answer) -> String {
    let class = serde_json::to_value(answer.class).unwrap();
    let until = answer.until.map_or("-".into(), |until| until.to_string());
    let usage = answer.usage;
    let cost = usage.cost_usd.map_or("-".into(), |cost| cost.micros().to_string());
    let message = answer.message.as_deref().map_or("-".into(), shown);
    let window = |window: &QuotaWindow| {
        let resets = window.resets_at.map_or("-".into(), |at| at.to_string());
        format!("{} {}% {resets}", window.window, window.used_percent)
    };
    let quota: Vec<String> = answer.quota.iter().map(window).collect();
    let quota = if quota.is_empty() { "-".into() } else { quota.join(", ") };
    format!(
        "{end}\t{}\t{until}\t{quota}\t{}+{}>{}\t{cost}\t{message}",
        class.as_str().unwrap(),
        usage.input,
        usage.cached,
        usage.output
    )
}

/// A message in one cell. A long one is its beginning and its length.
fn shown(message: &str) -> String {
    let escaped = message.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    match escaped.char_indices().nth(80) {
        Some((end, _)) => format!("{}… {} bytes", &escaped[..end], message.len()),
        None => escaped,
    }
}

#[rstest]
#[case::codex("codex", 127)]
#[case::gemini("gemini", 88)]
#[case::opencode("opencode", 74)]
#[case::qwen("qwen", 52)]
fn every_recording_means_what_the_table_says(#[case] program: &str, #[case] count: usize) {
    let table = fs::read_to_string(fixtures().join("recordings.tsv")).unwrap();
    let rows = table.lines().filter_map(|row| row.strip_prefix(&format!("{program}\t")));
    let recordings = recordings(program);
    let (mut seen, mut wrong) = (0, String::new());
    for (row, recording) in rows.zip(&recordings) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [case, end, .., why] = cells[..] else { panic!("{row}") };
        assert_eq!(case, recording.case, "the table and the recordings have one order");
        let cause = match end {
            "idle" => Cause::Idle,
            "deadline" => Cause::DeadlinePassed,
            _ => Cause::Exited,
        };
        let is_as_recorded = cause != Cause::Exited || end == recording.exit.to_string();
        assert!(is_as_recorded, "{case} ended with {}", recording.exit);
        let answer = recording.read(program.parse().unwrap(), cause);
        let is = format!("{case}\t{}\t{why}", columns(end, &answer));
        if is != row {
            let said = answer.error;
            writeln!(wrong, "{program}\ntable:  {row}\nreader: {is}\n   {said:?}").unwrap();
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!((seen, recordings.len()), (count, count));
}

/// A failure that has no name is a crash: safe, but nobody learns anything from it.
#[test]
fn a_failure_without_a_cause_has_a_reason() {
    let table = fs::read_to_string(fixtures().join("recordings.tsv")).unwrap();
    for row in table.lines() {
        let cells: Vec<&str> = row.split('\t').collect();
        assert_eq!(cells.len(), 10, "{row}");
        let is_unexplained = matches!(cells[3], "crashed" | "idle" | "timed_out" | "empty");
        assert!(!is_unexplained || cells[9] != "-", "{row}");
    }
}
