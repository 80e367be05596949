//! Each way in which a provider fails, and what a run makes of it.

use looper::engine::charter::Stage;
use rstest::rstest;

use crate::night::{Night, figures, stages};
use crate::program::Program::{self, Codex, Gemini, Opencode, Qwen};
use crate::server::{Fault, on};
use crate::support::task;

/// Seconds of silence that end a program here. Starting one takes half of that on a busy machine.
const IDLE_S: u64 = 60;

/// A run whose implementer meets a fault at every call, or so often. One attempt is made.
fn met(night: &Night, fault: Fault, times: usize, code: i32) -> String {
    night.server.rule(on(Stage::Implement).times(times).fails(fault));
    let began = std::time::Instant::now();
    night.run(&["-i", "1"], code);
    let log = night.log();
    let is_its = |(name, _): &(&str, &serde_json::Value)| *name == "implement_finished";
    let (_, ended) = stages(&log).into_iter().rfind(is_its).expect("it was called");
    figures(&format!(
        "{}, {fault:?}: {} after {:.1?}",
        night.name,
        ended["class"],
        began.elapsed()
    ));
    ended["class"].as_str().expect("the schema holds").to_owned()
}

#[rstest]
#[case::codex(Codex)]
#[case::gemini(Gemini)]
#[case::opencode(Opencode)]
#[case::qwen(Qwen)]
fn a_key_that_is_refused_ends_the_run(#[case] program: Program) {
    let Some(night) = Night::with(program, &[task("1.1")]) else { return };
    assert_eq!(met(&night, Fault::KeyRefused, usize::MAX, 6), "auth");
    assert_eq!(night.log().count("task_failed"), 0);
}

#[rstest]
#[case::codex(Codex)]
#[case::gemini(Gemini)]
#[case::qwen(Qwen)]
fn a_context_that_is_too_long_fails_the_task(#[case] program: Program) {
    let Some(night) = Night::for_some(&[Codex], program, &[task("1.1")]) else { return };
    assert_eq!(met(&night, Fault::TooLong, usize::MAX, 0), "context");
    assert_eq!(night.log().count("task_failed"), 1);
}

/// Opencode makes room and tries again for ever: only its time limit ends it.
#[rstest]
#[case::opencode(Opencode)]
fn a_loop_that_does_not_end_is_ended(#[case] program: Program) {
    let Some(night) = Night::long_with(program, &[task("1.1")]) else { return };
    night.settings("[agents.opencode]\ntimeout_s = 45\n");
    assert_eq!(met(&night, Fault::TooLong, usize::MAX, 0), "context");
    assert_eq!(night.log().count("task_failed"), 1);
}

#[rstest]
#[case::codex(Codex)]
#[case::gemini(Gemini)]
#[case::opencode(Opencode)]
#[case::qwen(Qwen)]
fn silence_is_ended(#[case] program: Program) {
    let Some(night) = Night::long_with(program, &[task("1.1")]) else { return };
    let name = program.known().name;
    night.settings(&format!("[agents.{name}]\nidle_s = {IDLE_S}\n"));
    assert_eq!(met(&night, Fault::Silence, usize::MAX, 0), "idle");
    assert_eq!(night.log().count("task_failed"), 1);
}

/// What a program tries again by itself is no fault of the task.
#[rstest]
#[case::codex_broken(Codex, Fault::Broken)]
#[case::codex_cut(Codex, Fault::Cut)]
#[case::codex_busy(Codex, Fault::Busy { retry_after_s: Some(2) })]
#[case::gemini_broken(Gemini, Fault::Broken)]
#[case::gemini_busy(Gemini, Fault::Busy { retry_after_s: Some(2) })]
#[case::opencode_broken(Opencode, Fault::Broken)]
#[case::opencode_cut(Opencode, Fault::Cut)]
#[case::opencode_busy(Opencode, Fault::Busy { retry_after_s: Some(2) })]
#[case::qwen_broken(Qwen, Fault::Broken)]
#[case::qwen_busy(Qwen, Fault::Busy { retry_after_s: Some(2) })]
fn a_fault_that_passes_is_survived(#[case] program: Program, #[case] fault: Fault) {
    let Some(night) = Night::long_with(program, &[task("1.1")]) else { return };
    assert_eq!(met(&night, fault, 1, 0), "ok");
    assert_eq!(night.subjects(), ["Task 1.1: Write 1.1"]);
}

/// A fault that stays, until the program gives up.
#[rstest]
#[case::codex_broken(Codex, Fault::Broken, "overloaded")]
#[case::codex_cut(Codex, Fault::Cut, "overloaded")]
#[case::codex_busy(Codex, Fault::Busy { retry_after_s: None }, "rate_limited")]
#[case::codex_busy_2_s(Codex, Fault::Busy { retry_after_s: Some(2) }, "rate_limited")]
#[case::codex_day(Codex, Fault::Day, "no_credit")]
#[case::gemini_broken(Gemini, Fault::Broken, "overloaded")]
#[case::gemini_cut(Gemini, Fault::Cut, "overloaded")]
#[case::gemini_busy(Gemini, Fault::Busy { retry_after_s: None }, "rate_limited")]
#[case::opencode_broken(Opencode, Fault::Broken, "overloaded")]
#[case::opencode_cut(Opencode, Fault::Cut, "overloaded")]
#[case::opencode_busy(Opencode, Fault::Busy { retry_after_s: None }, "rate_limited")]
#[case::qwen_broken(Qwen, Fault::Broken, "overloaded")]
#[case::qwen_cut(Qwen, Fault::Cut, "overloaded")]
fn a_fault_that_stays_has_its_class(
    #[case] program: Program,
    #[case] fault: Fault,
    #[case] class: &str,
) {
    let Some(night) = Night::long_with(program, &[task("1.1")]) else { return };
    let code = match class {
        "rate_limited" | "overloaded" => 2,
        "no_credit" => 6,
        _ => 0,
    };
    assert_eq!(met(&night, fault, usize::MAX, code), class);
}
