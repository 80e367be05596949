//! The same tasks inside a sandbox: each program can write what is its own, and reaches its provider.

use rstest::rstest;
use serde_json::{Value, json};

use crate::night::{Night, skip, stages};
use crate::program::Program::{self, Codex, Gemini, Opencode, Qwen};
use crate::support::task;

/// Codex brings a sandbox of its own where it is to be safe: it has to work inside ours.
#[rstest]
#[case::codex(Codex, "unattended")]
#[case::codex_in_its_own(Codex, "safe")]
#[case::gemini(Gemini, "unattended")]
#[case::gemini_with_edits_only(Gemini, "safe")]
#[case::opencode(Opencode, "unattended")]
#[case::opencode_unasked(Opencode, "safe")]
#[case::qwen(Qwen, "unattended")]
#[case::qwen_with_edits_only(Qwen, "safe")]
fn a_task_is_done_in_a_full_sandbox(#[case] program: Program, #[case] risk: &str) {
    let Some(mut night) = Night::for_some(&[Codex, Gemini], program, &[task("1.1")]) else {
        return;
    };
    night.settings(&format!("[run]\nrisk = \"{risk}\"\n"));
    program.was_used_before(&night.project);
    night.project.env("LOOPER_RUN_SANDBOX", "required");
    let is_temporary = night.place().starts_with("/tmp") || night.place().starts_with("/var/tmp");
    if let Err(why) = is_full(&night) {
        return skip(program, &why).unwrap_or_default();
    }
    if program == Codex && risk == "safe" && is_temporary {
        let why = "its settings lie among temporary files, where it makes no helpers for itself";
        return skip(program, why).unwrap_or_default();
    }
    night.run(&[], 0);
    let log = night.log();
    assert_eq!(night.subjects(), ["Task 1.1: Write 1.1"]);
    for (name, data) in stages(&log) {
        assert_eq!(data["class"], "ok", "{name} {data}");
        assert_eq!(data["sandbox"], "full", "{name}");
        // What the sandbox holds does not have to be put back.
        assert_eq!(data["state_changes"], json!([]), "{name}");
        assert_eq!(data["rescued"], json!([]), "{name}");
    }
}

/// Whether the machine has a full sandbox, or what it says about the one it has.
fn is_full(night: &Night) -> Result<(), String> {
    let said = night.looper(&["doctor", "--format", "json"]).stdout;
    let said: Value = serde_json::from_str(&said).expect("doctor was asked for JSON");
    let checks = said["checks"].as_array().expect("it looks at something");
    let sandbox = checks.iter().find(|check| check["name"] == "sandbox");
    let detail = sandbox.and_then(|check| check["detail"].as_str()).unwrap_or("no word on it");
    if detail.starts_with("full") { Ok(()) } else { Err(detail.to_owned()) }
}
