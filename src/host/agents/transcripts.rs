//! What agents print that nobody has recorded, written by hand, and what it means.

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

fn at(text: &str) -> At {
    At::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn answer(format: Format, case: &str) -> Answer {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    let folder = root.join(format.name()).join(case);
    let code: i32 = fs::read_to_string(folder.join("exit_code")).unwrap().trim().parse().unwrap();
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let ended = ended(code, Cause::Exited);
    let evidence = Evidence { stdout: &stdout, stderr: &stderr, ended, now: at(NOW) };
    read(format, &evidence).unwrap()
}

#[rstest]
#[case::answer("plain", "Hello from the model.")]
#[case::talk("talks_about_limits", "You've hit your usage limit is what the test expects.")]
#[case::overage("overage_after_limit", "Done.")]
#[case::new("newer_frames", "Done.")]
fn a_good_run_has_an_answer(#[case] case: &str, #[case] message: &str) {
    let answer = answer(Format::Claude, case);
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
    let answer = answer(Format::Claude, case);
    assert_eq!((answer.class, answer.message), (class, None));
}

#[rstest]
#[case::field("session_limit", "2026-11-20T19:00:00Z")]
#[case::text("session_limit_exit_0", "2026-11-21T16:01:00Z")]
#[case::old("old_limit", "2026-11-20T18:40:00Z")]
fn a_limit_says_when_it_lifts(#[case] case: &str, #[case] until: &str) {
    let answer = answer(Format::Claude, case);
    assert_eq!((answer.class, answer.until), (Class::RateLimited, Some(at(until))));
    assert!(answer.error.is_some());
}

#[test]
fn a_run_says_what_it_used() {
    let usage = answer(Format::Claude, "plain").usage;
    assert_eq!([usage.input, usage.cached, usage.output], [3012, 20000, 420]);
    assert_eq!(usage.cost_usd.map(|cost| cost.micros()), Some(42_134));
}

#[test]
fn a_run_names_its_model_and_what_nobody_knows() {
    let answer = answer(Format::Claude, "newer_frames");
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
