//! Each way in which a provider fails, and what a run makes of it.

use looper::engine::charter::Stage;
use rstest::rstest;

use crate::night::{Night, stages};
use crate::program::Program;
use crate::server::{Fault, on};
use crate::support::task;

#[rstest]
#[case::codex(Program::Codex)]
#[case::gemini(Program::Gemini)]
#[case::opencode(Program::Opencode)]
#[case::qwen(Program::Qwen)]
fn a_key_that_is_refused_ends_the_run(#[case] program: Program) {
    let Some(night) = Night::with(program, &[task("1.1")]) else { return };
    night.server.rule(on(Stage::Implement).fails(Fault::KeyRefused));
    night.run(&[], 6);
    let log = night.log();
    let (_, last) = stages(&log).pop().unwrap();
    assert_eq!(last["class"], "auth", "{last}");
    assert_eq!(log.count("task_failed"), 0);
}
