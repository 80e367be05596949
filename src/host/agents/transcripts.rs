//! What agents printed, one folder per case, and what it means: claude by hand, pi and copilot as
//! they were recorded.

use std::fs;
use std::path::Path;

use rstest::rstest;

use super::recordings::{Recording, ended};
use super::{Answer, Evidence, Format, read};
use crate::engine::at::At;
use crate::engine::report::Class;
use crate::host::process::Cause;

/// The evening of the day on which it was written.
const NOW: &str = "2026-11-20T17:00:00Z";

pub(super) fn at(text: &str) -> At {
    At::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// What a run in a folder of its own, or a recorded one, means.
pub(super) fn recorded(format: &str, case: &str) -> Answer {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    let (folder, format) = (root.join(format).join(case), format.parse::<Format>().unwrap());
    if !folder.exists() {
        return Recording::of(format.name(), case).read(format, Cause::Exited);
    }
    let code = fs::read_to_string(folder.join("exit_code")).unwrap().trim().parse().unwrap();
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let ended = ended(code, Cause::Exited);
    read(format, &Evidence { stdout: &stdout, stderr: &stderr, ended, now: at(NOW) }).unwrap()
}

/// What a run that exits with zero means if it prints these lines.
pub(super) fn said(format: &str, printed: impl AsRef<[u8]>) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    fs::write(&stdout, printed).unwrap();
    fs::write(&stderr, "").unwrap();
    let (ended, now) = (ended(0, Cause::Exited), at(NOW));
    read(format.parse().unwrap(), &Evidence { stdout: &stdout, stderr: &stderr, ended, now })
        .unwrap()
}

#[rstest]
#[case::answer("plain", "Hello from the model.")]
#[case::talk("talks_about_limits", "You've hit your usage limit is what the test expects.")]
#[case::overage("overage_after_limit", "Done.")]
#[case::new("newer_frames", "Done.")]
fn a_good_run_has_an_answer(#[case] case: &str, #[case] message: &str) {
    let answer = recorded("claude", case);
    assert_eq!((answer.class, answer.message.as_deref()), (Class::Ok, Some(message)));
    assert_eq!((answer.until, answer.error), (None, None));
}

#[rstest]
#[case("session_limit", Class::RateLimited)]
#[case("session_limit_exit_0", Class::RateLimited)]
#[case("overloaded", Class::Overloaded)]
#[case("auth", Class::Auth)]
#[case("credit", Class::NoCredit)]
#[case("context", Class::Context)]
#[case("max_turns", Class::Crashed)]
#[case("cut_off", Class::Crashed)]
fn a_bad_run_has_a_class_and_no_answer(#[case] case: &str, #[case] class: Class) {
    let answer = recorded("claude", case);
    assert_eq!((answer.class, answer.message), (class, None));
}

#[rstest]
#[case::field("session_limit", "2026-11-20T19:00:00Z")]
#[case::text("session_limit_exit_0", "2026-11-21T16:01:00Z")]
#[case::old("old_limit", "2026-11-20T18:40:00Z")]
fn a_limit_says_when_it_lifts(#[case] case: &str, #[case] until: &str) {
    let answer = recorded("claude", case);
    assert_eq!((answer.class, answer.until), (Class::RateLimited, Some(at(until))));
    assert!(answer.error.is_some());
}

#[test]
fn a_run_says_what_it_used() {
    let usage = recorded("claude", "plain").usage;
    assert_eq!([usage.input, usage.cached, usage.output], [3012, 20000, 420]);
    assert_eq!(usage.cost_usd.map(|cost| cost.micros()), Some(42_134));
}

#[test]
fn a_run_names_its_model_and_what_nobody_knows() {
    let answer = recorded("claude", "newer_frames");
    assert_eq!(answer.model.as_deref(), Some("claude-sonnet-4-5"));
    assert_eq!(answer.unknown_frames, ["auth_status", "tool_progress"]);
}

#[rstest]
#[case::gemini(Format::Gemini, Some("gemini-2.5-pro"))]
#[case::qwen(Format::Qwen, Some("qwen3-coder-plus"))]
#[case::codex_does_not_say(Format::Codex, None)]
fn a_recorded_run_names_its_model(#[case] format: Format, #[case] model: Option<&str>) {
    let answer = Recording::of(format.name(), "plain").read(format, Cause::Exited);
    assert_eq!(answer.model.as_deref(), model);
    assert_eq!(answer.unknown_frames, <[&str; 0]>::default());
}

#[rstest]
#[case::silent("codex", "kill_term", Cause::DeadlinePassed, Class::TimedOut)]
#[case::idle("gemini", "kill_term_group", Cause::Idle, Class::Idle)]
#[case::cancelled("codex", "kill_term", Cause::Cancelled, Class::Crashed)]
#[case::even_a_good_one("codex", "plain", Cause::TooMuchOutput, Class::Crashed)]
fn a_run_that_was_ended_has_a_class(
    #[case] program: &str,
    #[case] case: &str,
    #[case] cause: Cause,
    #[case] class: Class,
) {
    let answer = Recording::of(program, case).read(program.parse().unwrap(), cause);
    assert_eq!((answer.class, answer.message), (class, None));
}

/// The same bytes, read by somebody who knows no frames.
#[rstest]
#[case::answer("codex", "plain_human", Class::Ok)]
#[case::limit("codex", "usage_limit_human", Class::RateLimited)]
#[case::login("gemini", "auth_none", Class::Auth)]
#[case::usage("codex", "bad_flag", Class::Crashed)]
#[case::nothing("opencode", "kill_term", Class::Crashed)]
fn text_is_read_without_frames(#[case] program: &str, #[case] case: &str, #[case] class: Class) {
    let answer = Recording::of(program, case).read(Format::Text, Cause::Exited);
    assert_eq!(answer.class, class);
    assert_eq!(answer.message.is_some(), class == Class::Ok);
}

const HELLO: &str = "Hello from the mock model.";
const SHELL: &str = "Done: tool_shell finished (tool results seen: 1).";
const FAIL: &str = "Done: tool_fail finished (tool results seen: 1).";

#[rstest]
#[case::pi("pi", "plain", HELLO, [800, 200, 50], Some(920))]
#[case::pi_tool("pi", "tool_shell", SHELL, [1700, 400, 105], Some(1950))]
#[case::pi_tool_that_fails("pi", "tool_fail", FAIL, [1700, 400, 105], Some(1950))]
#[case::pi_tries_again("pi", "rate_limit_once", HELLO, [800, 200, 50], Some(920))]
#[case::copilot("copilot", "plain", HELLO, [0, 0, 0], None)]
#[case::copilot_tool("copilot", "tool_shell", SHELL, [0, 0, 0], None)]
#[case::copilot_tool_that_fails("copilot", "tool_fail", FAIL, [0, 0, 0], None)]
#[case::copilot_tries_again("copilot", "rate_limit_once", HELLO, [0, 0, 0], None)]
fn a_good_run_has_an_answer_and_a_bill(
    #[case] format: &str,
    #[case] case: &str,
    #[case] message: &str,
    #[case] tokens: [u64; 3],
    #[case] micros: Option<i64>,
) {
    let answer = recorded(format, case);
    assert_eq!((answer.class, answer.message.as_deref()), (Class::Ok, Some(message)));
    assert_eq!((answer.until, answer.error), (None, None));
    let usage = answer.usage;
    assert_eq!([usage.input, usage.cached, usage.output], tokens);
    assert_eq!(usage.cost_usd.map(|cost| cost.micros()), micros);
    assert_eq!(answer.model.as_deref(), Some("mock-model"));
    assert_eq!(answer.unknown_frames, [""; 0]);
}

/// Copilot calls an answer that was cut, and asked for again in vain, a good one.
#[rstest]
#[case::pi("pi", "auth", Class::Auth)]
#[case::pi("pi", "model_not_found", Class::Auth)]
#[case::pi("pi", "rate_limit", Class::RateLimited)]
#[case::pi("pi", "usage_limit", Class::RateLimited)]
#[case::pi("pi", "quota", Class::RateLimited)]
#[case::pi("pi", "context", Class::Context)]
#[case::pi("pi", "err500", Class::Overloaded)]
#[case::pi("pi", "overloaded", Class::Overloaded)]
#[case::pi("pi", "drop", Class::Overloaded)]
#[case::pi("pi", "drop_mid", Class::Crashed)]
#[case::pi("pi", "incomplete", Class::Crashed)]
#[case::pi("pi", "empty", Class::Empty)]
#[case::copilot("copilot", "auth", Class::Auth)]
#[case::copilot("copilot", "model_not_found", Class::Auth)]
#[case::copilot("copilot", "rate_limit", Class::RateLimited)]
#[case::copilot("copilot", "quota", Class::NoCredit)]
#[case::copilot("copilot", "context", Class::Context)]
#[case::copilot("copilot", "err500", Class::Overloaded)]
#[case::copilot("copilot", "overloaded", Class::Overloaded)]
#[case::copilot("copilot", "drop", Class::Overloaded)]
#[case::copilot("copilot", "drop_mid", Class::Overloaded)]
#[case::copilot("copilot", "empty", Class::Crashed)]
fn a_recorded_bad_run_has_a_class_and_no_answer(
    #[case] format: &str,
    #[case] case: &str,
    #[case] class: Class,
) {
    let answer = recorded(format, case);
    assert_eq!((answer.class, answer.message.as_deref()), (class, None));
    assert_eq!(answer.unknown_frames, [""; 0]);
}

#[rstest]
#[case("pi", "rate_limit", Some("2026-11-20T17:00:20Z"))]
#[case("pi", "usage_limit", None)]
#[case("copilot", "rate_limit", Some("2026-11-20T17:00:20Z"))]
fn a_recorded_limit_says_when_it_lifts(
    #[case] format: &str,
    #[case] case: &str,
    #[case] until: Option<&str>,
) {
    let answer = recorded(format, case);
    assert_eq!((answer.class, answer.until), (Class::RateLimited, until.map(at)));
}
