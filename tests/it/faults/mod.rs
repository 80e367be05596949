//! The real program on a real project, cut short before and after everything that it does to the
//! disk, and started again.
//!
//! As a part of the tests some points of each sweep are tried, others every time; a failure names
//! its seed and its point. `LOOPER_SWEEP=all` tries them all, `LOOPER_SWEEP=40` so many, and
//! `LOOPER_POINT=17` that one alone. `docs/recovery.md` has the figures. The tracer knows the
//! registers of one machine only.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod calls;
mod checks;
mod cuts;
mod device;
mod sweep;
mod tracer;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use nix::errno::Errno;
use rstest::rstest;

use crate::trial::Way;
use sweep::{Choice, Damage, Sweep};
use tracer::Fault;

/// How many points of a sweep are tried unless somebody asks for more.
const SAMPLE: u64 = 4;

/// How many points are tried where every one of them would be tried in several ways.
const MANY: u64 = 150;

/// Calls of a recovery before which it is killed.
const AGAIN: [u64; 10] = [1, 3, 6, 10, 15, 21, 28, 36, 45, 60];

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// What is tried this time, if not everything.
fn seed() -> u64 {
    let random = || RandomState::new().build_hasher().finish();
    variable("LOOPER_SEED").map_or_else(random, |text| number(&text))
}

fn choice(seed: u64) -> Choice {
    if let Some(point) = variable("LOOPER_POINT") {
        return Choice::Only(number(&point));
    }
    match variable("LOOPER_SWEEP").as_deref() {
        Some("all") => Choice::All,
        Some(count) => Choice::Some(seed, number(count)),
        None => Choice::Some(seed, SAMPLE),
    }
}

fn any<T: Copy>(of: &[T], seed: u64) -> T {
    of[usize::try_from(seed % of.len() as u64).expect("small")]
}

#[track_caller]
fn holds(sweep: Sweep, seed: u64, choice: Choice) {
    println!("LOOPER_SEED={seed}");
    let tally = sweep.run(choice);
    println!("{sweep:?}: {tally}");
    assert!(tally.tried > 0, "nothing was tried");
    assert!(tally.violations.is_empty(), "{sweep:?}: {}", tally.violations.join("\n"));
}

/// Proves I1, I2, I3 with the real program, git and disk.
#[rstest]
#[case::killed_before(Fault::Before, Damage::Nothing, Way::BesideWork)]
#[case::killed_after(Fault::After, Damage::Nothing, Way::Plain)]
#[case::killed_in_a_write(Fault::Torn, Damage::Nothing, Way::Uncommitted)]
#[case::power_cut(Fault::Before, Damage::Power, Way::BesideWork)]
#[case::transaction_lost(Fault::Before, Damage::NoTransaction, Way::Plain)]
#[case::in_a_hand_over(Fault::Before, Damage::Power, Way::HandedOver)]
#[case::both(Fault::Before, Damage::PowerAndNoTransaction, Way::Uncommitted)]
fn a_run_that_is_cut_short_at_any_call_ends_as_if_undisturbed(
    #[case] fault: Fault,
    #[case] damage: Damage,
    #[case] way: Way,
) {
    let seed = seed();
    let choice = choice(seed);
    let way = if matches!(choice, Choice::Some(..)) { any(&Way::ALL, seed) } else { way };
    holds(Sweep { way, fault, damage }, seed, choice);
}

#[test]
fn a_recovery_that_is_cut_short_is_done_again() {
    let seed = seed();
    let (again, choice) = match choice(seed) {
        Choice::All => (AGAIN.to_vec(), Choice::Some(seed, MANY)),
        choice => (vec![any(&AGAIN, seed / 3)], choice),
    };
    for at in again {
        let (fault, damage) = (Fault::Before, Damage::KilledAgain(at));
        holds(Sweep { way: any(&Way::ALL, seed), fault, damage }, seed, choice);
    }
}

#[rstest]
fn a_disk_that_fails_is_told_and_costs_nothing(
    #[values(Errno::ENOSPC, Errno::EIO, Errno::EROFS, Errno::EACCES, Errno::EDQUOT)] errno: Errno,
) {
    let seed = seed();
    let faults = [Fault::Once(errno), Fault::FromHereOn(errno)];
    let choice = choice(seed);
    let faults = if choice == Choice::All { &faults[..] } else { &[any(&faults, seed / 3)] };
    for fault in faults {
        let sweep = Sweep { way: Way::Plain, fault: *fault, damage: Damage::Nothing };
        holds(sweep, seed, choice);
    }
}

/// Proves I7 with the real program.
#[test]
fn a_log_that_lacks_what_was_relied_on_stops_the_run_and_any_other_cut_is_repaired() {
    let choice = choice(seed());
    let count = cuts::Count::of(choice);
    println!("the log cut: {count:?}");
    assert!(count.repaired > 0 && count.missed > 0, "{count:?}");
}
