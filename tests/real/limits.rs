//! A plan's limit in the middle of a backlog: nothing is lost, nothing counts, and it goes on.

use std::time::{Duration, Instant};

use looper::engine::at::At;
use looper::engine::charter::Stage;
use looper::host::clock;
use rstest::rstest;

use crate::night::{Night, figures, stages};
use crate::program::Program;
use crate::server::{Fault, on};
use crate::support::{Log, task};

/// Codex says minutes, and cuts the seconds off.
const MINUTES: Duration = Duration::from_secs(125);

/// Gemini says how long from now.
const SECONDS: Duration = Duration::from_secs(30);

fn in_seconds(seconds: i64) -> At {
    At::from_millis(clock::now().millis() + seconds * 1000)
}

/// A night whose second implementer meets this.
fn limited(night: &Night, fault: Fault) {
    night.server.rule(on(Stage::Implement).task("1.2").fails(fault));
}

#[rstest]
#[case::codex(Program::Codex, 600, MINUTES)]
#[case::gemini(Program::Gemini, 400, SECONDS)]
fn a_limit_ends_the_run_and_counts_nothing(
    #[case] program: Program,
    #[case] seconds: i64,
    #[case] late: Duration,
) {
    let Some(night) = Night::with(program, &[task("1.1"), task("1.2")]) else { return };
    let resets_at = in_seconds(seconds);
    limited(&night, Fault::Limit { resets_at });
    let ran = night.run(&[], 2);

    let log = night.log();
    assert_eq!(night.subjects(), ["Task 1.1: Write 1.1"]);
    let (name, last) = stages(&log).pop().unwrap();
    assert_eq!((name, &last["class"]), ("implement_finished", &"rate_limited".into()), "{ran}");
    let until = until(&log).unwrap_or_else(|| panic!("no time\n{ran}"));
    let off_ms = until.millis() - resets_at.millis();
    let late_ms = i64::try_from(late.as_millis()).unwrap();
    assert!((-1000..=late_ms).contains(&off_ms), "{off_ms} ms off\n{ran}");

    // Whoever comes too early is told so, and no harm is done.
    night.run(&[], 2);
    night.server.lift();
    night.run(&[], 0);
    assert_eq!(night.subjects(), ["Task 1.1: Write 1.1", "Task 1.2: Write 1.2"]);
    assert_eq!(night.log().count("task_failed"), 0);
}

#[rstest]
#[case::gemini(Program::Gemini, Fault::Day)]
fn a_limit_without_a_time_ends_the_run_and_counts_nothing(
    #[case] program: Program,
    #[case] fault: Fault,
) {
    let Some(night) = Night::with(program, &[task("1.1"), task("1.2")]) else { return };
    limited(&night, fault);
    night.run(&[], 2);
    assert_eq!(until(&night.log()), None);
    night.server.lift();
    night.run(&[], 0);
    assert_eq!(night.subjects().len(), 2);
    assert_eq!(night.log().count("task_failed"), 0);
}

/// Qwen tries again for longer than anybody waits, unless its own settings say otherwise.
#[rstest]
#[case::qwen(Program::Qwen)]
fn a_limit_behind_bounded_tries_is_found(#[case] program: Program) {
    let Some(night) = Night::long_with(program, &[task("1.1"), task("1.2")]) else { return };
    program.tries_once(&night.project);
    limited(&night, Fault::Limit { resets_at: in_seconds(3600) });
    let began = Instant::now();
    let ran = night.run(&[], 2);
    figures(&format!("{}, a limit: {:.0?} for the run", program.known().name, began.elapsed()));
    let log = night.log();
    let (_, last) = stages(&log).pop().unwrap();
    assert_eq!(last["class"], "rate_limited", "{ran}");
    assert_eq!(log.count("task_failed"), 0);
}

/// Programs that try again and again in silence say what they know when they have given up.
#[rstest]
#[case::opencode(Program::Opencode, 300)]
fn a_limit_behind_long_tries_is_found(#[case] program: Program, #[case] seconds: i64) {
    let Some(night) = Night::long_with(program, &[task("1.1"), task("1.2")]) else { return };
    let resets_at = in_seconds(seconds);
    limited(&night, Fault::Limit { resets_at });
    let ran = night.run(&[], 2);
    let off_ms = until(&night.log()).map(|until| until.millis() - resets_at.millis());
    assert!(off_ms.is_some_and(|ms| (-1000..=60_000).contains(&ms)), "{off_ms:?}\n{ran}");
    night.server.lift();
    night.run(&[], 0);
    assert_eq!(night.subjects().len(), 2);
    assert_eq!(night.log().count("task_failed"), 0);
}

/// Gemini waits by itself where it takes no longer than five minutes.
#[rstest]
#[case::codex(Program::Codex, 10)]
#[case::gemini(Program::Gemini, 350)]
#[case::opencode(Program::Opencode, 130)]
fn waiting_for_the_reset_finishes_the_backlog(#[case] program: Program, #[case] seconds: i64) {
    let Some(night) = Night::long_with(program, &[task("1.1"), task("1.2")]) else { return };
    let mut running = night.start(&["--wait"]);
    running.until("the end of the first task", || night.seen("task_done") > 0);
    limited(&night, Fault::Limit { resets_at: in_seconds(seconds) });
    night.ends(running, 0);
    assert_eq!(night.subjects().len(), 2);
    let log = night.log();
    assert!(log.count("run_paused") > 0);
    assert_eq!(log.count("task_failed"), 0);
}

fn until(log: &Log) -> Option<At> {
    let paused = log.last("run_paused");
    serde_json::from_value(paused["until"].clone()).expect("the schema holds")
}
