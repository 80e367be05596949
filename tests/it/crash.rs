//! SIGKILL at any moment, again and again: in the end everything is as if nothing had happened.
//!
//! `LOOPER_KILLS` sets how often each test kills, 30 unless it says otherwise. A failure names its
//! seed; `LOOPER_SEED` runs that one alone.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use rstest::rstest;

use crate::support::*;
use crate::trial::{End, Way, project};

/// How many kills one project has to live through.
const KILLS_OF_A_PROJECT: u64 = 3;

/// A run that is killed more often than this without an end does not come to one.
const STARTS_MAX: u64 = 40;

/// How long a test looks away from the log.
const GLANCE: Duration = Duration::from_micros(100);

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64, by Sebastiano Vigna.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// When to kill: some time after the log has grown by so many lines.
struct Moment {
    lines: usize,
    then: Duration,
}

impl Moment {
    fn any(dice: &mut Dice) -> Self {
        let lines = usize::try_from(dice.below(60)).expect("small");
        // Most steps take a few milliseconds, some microseconds matter between two writes.
        let micros = [1_000, 30_000][usize::from(dice.below(2) == 1)];
        let then = Duration::from_micros(dice.below(micros));
        Self { lines, then }
    }

    /// Kills a run at this moment; a run that ends before is not killed.
    fn kill(&self, project: &Project, args: &[&str]) -> Ran {
        let length = || {
            let bytes = fs::read(project.path(".looper/events.jsonl")).unwrap_or_default();
            bytes.iter().filter(|byte| **byte == b'\n').count()
        };
        let wanted = length() + self.lines;
        let mut running = project.start(args);
        while length() < wanted && running.is_running() {
            thread::sleep(GLANCE);
        }
        let due = Instant::now() + self.then;
        while Instant::now() < due && running.is_running() {
            thread::yield_now();
        }
        running.kill()
    }
}

fn kill_again_and_again(seed: u64, loses_transaction: bool) {
    let mut dice = Dice(seed);
    let way = Way::ALL[usize::try_from(dice.below(Way::ALL.len() as u64)).expect("small")];
    let project = project(way);
    for _ in 0..KILLS_OF_A_PROJECT {
        Moment::any(&mut dice).kill(&project, way.args());
        if loses_transaction {
            project.remove_transaction();
        }
    }
    let ran = project.looper(way.args()).exits(1);
    project.check();
    let end = End::of(&project);
    let wanted = End::undisturbed(way);
    assert!(end == *wanted, "{end:#?}\nwanted {wanted:#?}\n{ran}");
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect(name));
    if let Some(seed) = number("LOOPER_SEED") {
        return vec![seed];
    }
    let first = RandomState::new().build_hasher().finish();
    let kills = number("LOOPER_KILLS").unwrap_or(30);
    (0..kills.div_ceil(KILLS_OF_A_PROJECT)).map(|n| first.wrapping_add(n)).collect()
}

/// Proves I1, I2, I3 with the real program, git and disk: LoopDex w06, w07.
#[rstest]
#[case::with_its_transaction(false)]
#[case::when_the_transaction_is_lost(true)]
fn a_run_that_is_killed_anywhere_ends_as_if_undisturbed(#[case] loses_transaction: bool) {
    for seed in seeds() {
        println!("LOOPER_SEED={seed}");
        kill_again_and_again(seed, loses_transaction);
    }
}

/// A lock that a run left when it was killed at its very end, with no attempt to settle.
#[rstest]
#[case("log")]
#[case("snapshot")]
#[case("candidate")]
fn a_lock_of_our_own_keeps_nobody_out(#[case] name: &str) {
    let project = project(Way::Plain);
    project.run(&["-i", "1"]).exits(0);
    project.write(&format!(".git/refs/looper/{name}.lock"), "");
    project.run(&[]).exits(1);
}

/// A kill right after each kind of event, while its effect is going on or just over.
#[rstest]
fn a_run_that_is_killed_after_an_event_ends_as_if_undisturbed(
    #[values(
        "run_started",
        "backlog_loaded",
        "task_selected",
        "plan_started",
        "plan_critique_finished",
        "implement_started",
        "implement_finished",
        "verify_started",
        "verify_finished",
        "impl_critique_started",
        "gates_judged",
        "commit_started",
        "commit_prepared",
        "commit_finished",
        "task_done",
        "rollback_started",
        "rollback_finished",
        "task_failed",
        "task_blocked",
        "run_ended"
    )]
    event: &str,
) {
    let way = Way::BesideWork;
    let project = project(way);
    let name = format!("\"event\":\"{event}\"");
    let seen = || {
        let text = fs::read_to_string(project.path(".looper/events.jsonl")).unwrap_or_default();
        text.matches(&name).count()
    };
    // Every second time, as if the transaction had never been flushed.
    let mut kills = 0;
    let code = loop {
        let before = seen();
        let mut running = project.start(way.args());
        while seen() == before && running.is_running() {
            thread::sleep(GLANCE);
        }
        let ran = running.kill();
        if let Some(code) = ran.status.code() {
            break code;
        }
        kills += 1;
        assert!(kills < STARTS_MAX, "it does not end: {ran}");
        if kills % 2 == 0 {
            project.remove_transaction();
        }
        // Something that is done on every start would be killed for ever.
        if kills >= 3 {
            break project.looper(way.args()).status.code().expect("nobody kills it");
        }
    };
    assert_eq!(code, 1);
    assert!(kills > 0 || event == "run_ended", "it was never killed");
    project.check();
    assert_eq!(End::of(&project), *End::undisturbed(way));
}
