//! What recorded agents printed, and what it means.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

use rstest::rstest;

use super::{Answer, Evidence, Format, read};
use crate::engine::at::At;
use crate::engine::report::Class;
use crate::host::process::{Cause, Ended};

/// The evening of the day on which they were recorded.
const NOW: &str = "2026-11-20T17:00:00Z";

fn at(text: &str) -> At {
    At::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn answer(format: Format, case: &str, cause: Cause) -> Answer {
    let name = if format == Format::Text { "" } else { format.name() };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    let folder = root.join(name).join(case);
    let code: i32 = fs::read_to_string(folder.join("exit_code")).unwrap().trim().parse().unwrap();
    // The recorder's shell writes signals like this; gemini has such codes of its own.
    let is_signal = matches!(code, 129 | 130 | 137 | 143);
    let status = ExitStatus::from_raw(if is_signal { code - 128 } else { code << 8 });
    let ended = Ended {
        exit: status.into(),
        cause,
        duration_ms: 1,
        stdout_bytes: 0,
        stderr_bytes: 0,
        stdout_truncated: false,
        stderr_truncated: false,
        swept: 0,
        survivors: 0,
    };
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let evidence = Evidence { stdout: &stdout, stderr: &stderr, ended, now: at(NOW) };
    read(format, &evidence).unwrap()
}

#[rstest]
#[case::codex(Format::Codex, "plain", "Hello from the mock model.")]
#[case::codex_tool(
    Format::Codex,
    "tool_shell",
    "Done: tool_shell finished (tool results seen: 1)."
)]
#[case::codex_warning(Format::Codex, "drop_mid_once", "Hello from the mock model.")]
#[case::codex_human(Format::Codex, "plain_human", "Hello from the mock model.\n")]
#[case::claude(Format::Claude, "plain", "Hello from the model.")]
#[case::claude_talk(
    Format::Claude,
    "talks_about_limits",
    "You've hit your usage limit is what the test expects."
)]
#[case::claude_overage(Format::Claude, "overage_after_limit", "Done.")]
#[case::claude_new(Format::Claude, "newer_frames", "Done.")]
#[case::gemini(Format::Gemini, "plain", "Hello from the mock model.")]
#[case::gemini_tool(
    Format::Gemini,
    "tool_shell",
    "Done: tool_shell finished (tool results seen: 1)."
)]
#[case::gemini_retry(Format::Gemini, "rate_limit_delay2_once", "Hello from the mock model.")]
#[case::gemini_text(Format::Gemini, "plain_text", "Hello from the mock model.\n")]
#[case::opencode(Format::Opencode, "plain", "Hello from the mock model.")]
#[case::opencode_tool(
    Format::Opencode,
    "tool_fail",
    "Done: tool_fail finished (tool results seen: 1)."
)]
#[case::qwen(Format::Qwen, "plain", "Hello from the mock model.")]
#[case::qwen_tool(Format::Qwen, "tool_shell", "Done: tool_shell finished (tool results seen: 1).")]
fn a_good_run_has_an_answer(#[case] format: Format, #[case] case: &str, #[case] message: &str) {
    let answer = answer(format, case, Cause::Exited);
    assert_eq!((answer.class, answer.message.as_deref()), (Class::Ok, Some(message)));
    assert_eq!((answer.until, answer.error), (None, None));
}

#[rstest]
#[case::codex("codex", "rate_limit", Class::RateLimited)]
#[case::codex("codex", "usage_limit_credits", Class::NoCredit)]
#[case::codex("codex", "quota", Class::NoCredit)]
#[case::codex("codex", "auth", Class::Auth)]
#[case::codex("codex", "auth_no_key", Class::Auth)]
#[case::codex("codex", "model_not_found", Class::Auth)]
#[case::codex("codex", "context", Class::Context)]
#[case::codex("codex", "err500", Class::Overloaded)]
#[case::codex("codex", "overloaded503", Class::Overloaded)]
#[case::codex("codex", "drop_mid", Class::Overloaded)]
#[case::codex("codex", "incomplete", Class::Crashed)]
#[case::codex("codex", "kill_term", Class::Crashed)]
#[case::codex("codex", "bad_flag", Class::Crashed)]
#[case::codex("codex", "empty", Class::Empty)]
#[case::claude("claude", "session_limit", Class::RateLimited)]
#[case::claude("claude", "session_limit_exit_0", Class::RateLimited)]
#[case::claude("claude", "overloaded", Class::Overloaded)]
#[case::claude("claude", "auth", Class::Auth)]
#[case::claude("claude", "credit", Class::NoCredit)]
#[case::claude("claude", "context", Class::Context)]
#[case::claude("claude", "max_turns", Class::Crashed)]
#[case::claude("claude", "cut_off", Class::Crashed)]
#[case::gemini("gemini", "quota_day", Class::RateLimited)]
#[case::gemini("gemini", "auth", Class::Auth)]
#[case::gemini("gemini", "auth_none", Class::Auth)]
#[case::gemini("gemini", "forbidden", Class::Auth)]
#[case::gemini("gemini", "model_not_found", Class::Auth)]
#[case::gemini("gemini", "context", Class::Context)]
#[case::gemini("gemini", "overloaded", Class::Overloaded)]
#[case::gemini("gemini", "max_turns", Class::Crashed)]
#[case::gemini("gemini", "kill_term_group", Class::Crashed)]
#[case::gemini("gemini", "empty", Class::Crashed)]
#[case::opencode("opencode", "auth", Class::Auth)]
#[case::opencode("opencode", "sse_quota", Class::NoCredit)]
#[case::opencode("opencode", "overloaded", Class::Overloaded)]
#[case::opencode("opencode", "drop", Class::Overloaded)]
#[case::opencode("opencode", "perm_ask_bash", Class::Crashed)]
#[case::opencode("opencode", "incomplete", Class::Crashed)]
#[case::opencode("opencode", "kill_term", Class::Crashed)]
#[case::opencode("opencode", "empty", Class::Empty)]
#[case::qwen("qwen", "auth", Class::Auth)]
#[case::qwen("qwen", "v24_auth", Class::Auth)]
#[case::qwen("qwen", "max_turns", Class::Crashed)]
fn a_bad_run_has_a_class_and_no_answer(
    #[case] format: &str,
    #[case] case: &str,
    #[case] class: Class,
) {
    let answer = answer(format.parse().unwrap(), case, Cause::Exited);
    assert_eq!((answer.class, answer.message), (class, None));
}

#[rstest]
#[case::codex("codex", "usage_limit_plus", Some("2026-11-20T18:14:00Z"))]
#[case::codex_days("codex", "usage_limit_plus_days", Some("2026-11-24T03:34:00Z"))]
#[case::codex_mid("codex", "usage_limit_mid", Some("2026-11-20T18:14:00Z"))]
#[case::codex_human("codex", "usage_limit_human", Some("2026-11-20T18:14:00Z"))]
#[case::codex_without("codex", "rate_limit", None)]
#[case::claude("claude", "session_limit", Some("2026-11-20T19:00:00Z"))]
#[case::claude_text("claude", "session_limit_exit_0", Some("2026-11-21T16:01:00Z"))]
#[case::claude_old("claude", "old_limit", Some("2026-11-20T18:40:00Z"))]
#[case::gemini("gemini", "rate_limit_delay400", Some("2026-11-20T17:06:40Z"))]
#[case::gemini_day("gemini", "quota_day", None)]
#[case::opencode("opencode", "usage_limit", Some("2026-11-20T18:22:15Z"))]
#[case::opencode_header("opencode", "rate_limit_retry_after2", Some("2026-11-20T17:00:02Z"))]
fn a_limit_says_when_it_lifts(
    #[case] format: &str,
    #[case] case: &str,
    #[case] until: Option<&str>,
) {
    let answer = answer(format.parse().unwrap(), case, Cause::Exited);
    assert_eq!((answer.class, answer.until), (Class::RateLimited, until.map(at)));
    assert!(answer.error.is_some());
}

#[rstest]
#[case::codex("codex", "plain", [800, 200, 50], None)]
#[case::claude("claude", "plain", [3012, 20000, 420], Some(42_134))]
#[case::gemini("gemini", "plain", [800, 200, 60], None)]
#[case::gemini_failed("gemini", "max_turns", [2700, 600, 195], None)]
#[case::opencode_sums_up("opencode", "tool_fail", [1700, 400, 105], Some(1950))]
#[case::qwen("qwen", "plain", [1600, 400, 100], None)]
fn a_run_says_what_it_used(
    #[case] format: &str,
    #[case] case: &str,
    #[case] tokens: [u64; 3],
    #[case] micros: Option<i64>,
) {
    let usage = answer(format.parse().unwrap(), case, Cause::Exited).usage;
    assert_eq!([usage.input, usage.cached, usage.output], tokens);
    assert_eq!(usage.cost_usd.map(|cost| cost.micros()), micros);
}

#[rstest]
#[case::claude("claude", "newer_frames", Some("claude-sonnet-4-5"), &["auth_status", "tool_progress"])]
#[case::gemini("gemini", "plain", Some("gemini-2.5-pro"), &[])]
#[case::qwen("qwen", "plain", Some("qwen3-coder-plus"), &[])]
#[case::codex_does_not_say("codex", "plain", None, &[])]
fn a_run_names_its_model_and_what_nobody_knows(
    #[case] format: &str,
    #[case] case: &str,
    #[case] model: Option<&str>,
    #[case] unknown: &[&str],
) {
    let answer = answer(format.parse().unwrap(), case, Cause::Exited);
    assert_eq!(answer.model.as_deref(), model);
    assert_eq!(answer.unknown_frames, unknown);
}

#[rstest]
#[case::silent("codex", "kill_term", Cause::DeadlinePassed, Class::TimedOut)]
#[case::idle("gemini", "kill_term_group", Cause::Idle, Class::Idle)]
#[case::cancelled("codex", "kill_term", Cause::Cancelled, Class::Crashed)]
#[case::even_a_good_one("codex", "plain", Cause::TooMuchOutput, Class::Crashed)]
#[case::waits_for_a_limit("codex", "rate_limit_retry_after_3600", Cause::Idle, Class::RateLimited)]
#[case::loops_without_room("opencode", "context", Cause::DeadlinePassed, Class::Context)]
fn a_run_that_was_ended_has_a_class(
    #[case] format: &str,
    #[case] case: &str,
    #[case] cause: Cause,
    #[case] class: Class,
) {
    let answer = answer(format.parse().unwrap(), case, cause);
    assert_eq!((answer.class, answer.message), (class, None));
}

/// The same bytes, read by somebody who knows no frames.
#[rstest]
#[case::answer("codex/plain_human", Class::Ok)]
#[case::limit("codex/usage_limit_human", Class::RateLimited)]
#[case::login("gemini/auth_none", Class::Auth)]
#[case::usage("codex/bad_flag", Class::Crashed)]
#[case::nothing("opencode/kill_term", Class::Crashed)]
fn text_is_read_without_frames(#[case] case: &str, #[case] class: Class) {
    let answer = answer(Format::Text, case, Cause::Exited);
    assert_eq!(answer.class, class);
    assert_eq!(answer.message.is_some(), class == Class::Ok);
}
