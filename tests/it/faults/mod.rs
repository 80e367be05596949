//! The real program on a real project, cut short before and after everything that it does to the
//! disk, and started again.
//!
//! As a part of the tests some points of each sweep are tried, others every time; a failure names
//! its point. `LOOPER_SWEEP=all` tries them all, `LOOPER_SWEEP=40` so many, and `LOOPER_POINT=17`
//! that one alone.
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
const SAMPLE: u64 = 6;

fn choice() -> Choice {
    let variable = |name: &str| std::env::var(name).ok();
    let number = |text: String| text.parse().expect("a number");
    if let Some(point) = variable("LOOPER_POINT") {
        return Choice::Only(number(point));
    }
    let seed =
        variable("LOOPER_SEED").map_or_else(|| RandomState::new().build_hasher().finish(), number);
    match variable("LOOPER_SWEEP").as_deref() {
        Some("all") => Choice::All,
        Some(count) => Choice::Some(seed, number(count.to_owned())),
        None => Choice::Some(seed, SAMPLE),
    }
}

#[track_caller]
fn holds(name: &str, sweep: Sweep) {
    let tally = sweep.run(choice());
    println!("{name} ({:?}): {tally}", sweep.way);
    assert!(tally.tried > 0, "nothing was tried");
    assert!(tally.violations.is_empty(), "{name}: {}", tally.violations.join("\n"));
}

/// Proves I1, I2, I3 with the real program, git and disk.
#[rstest]
#[case::before("killed before", Fault::Before, Damage::Nothing)]
#[case::after("killed after", Fault::After, Damage::Nothing)]
#[case::torn("a write torn", Fault::Torn, Damage::Nothing)]
#[case::power("a power cut", Fault::Before, Damage::Power)]
#[case::transaction("killed, the transaction lost", Fault::Before, Damage::NoTransaction)]
#[case::power_and_transaction(
    "a power cut, the transaction lost",
    Fault::Before,
    Damage::PowerAndNoTransaction
)]
fn a_run_that_is_cut_short_at_any_call_ends_as_if_undisturbed(
    #[case] name: &str,
    #[case] fault: Fault,
    #[case] damage: Damage,
    #[values(Way::Plain, Way::BesideWork, Way::Uncommitted)] way: Way,
) {
    holds(name, Sweep { way, fault, damage });
}

#[rstest]
fn a_recovery_that_is_cut_short_is_done_again(
    #[values(1, 3, 6, 10, 15, 21, 28, 36, 45, 60)] again: u64,
) {
    let damage = Damage::KilledAgain(again);
    let sweep = Sweep { way: Way::BesideWork, fault: Fault::Before, damage };
    holds(&format!("killed, and again before call {again}"), sweep);
}

#[rstest]
fn a_disk_that_fails_is_told_and_costs_nothing(
    #[values(Errno::ENOSPC, Errno::EIO, Errno::EROFS, Errno::EACCES, Errno::EDQUOT)] errno: Errno,
    #[values(Fault::Once, Fault::FromHereOn)] fault: fn(Errno) -> Fault,
) {
    let fault = fault(errno);
    holds(&format!("{fault:?}"), Sweep { way: Way::Plain, fault, damage: Damage::Nothing });
}

/// Proves I7 with the real program.
#[test]
fn a_log_that_lacks_what_was_relied_on_stops_the_run_and_any_other_cut_is_repaired() {
    let choice = choice();
    let count = cuts::Cuts::of(choice).run(choice);
    println!("the log cut: {count:?}");
    assert!(count.repaired > 0 && count.missed > 0, "{count:?}");
}
