//! Any number of seeds, each with faults of its own.
//!
//! `LOOPER_SIM_RUNS` sets how many, `LOOPER_SIM_HOURS` for how long, `LOOPER_SIM_THREADS` on how
//! many threads. A failure names its seed; `LOOPER_SIM_SEED` runs that one alone and tells its
//! story.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::coverage::Coverage;
use crate::plan::Plan;
use crate::run::Run;

/// How many seeds every change has to stand.
const RUNS: u64 = 100;

/// How many violations are enough to stop.
const VIOLATIONS_MAX: usize = 20;

/// Between two lines that say how it goes.
const NEWS: Duration = Duration::from_secs(60);

/// What all threads share.
#[derive(Debug, Default)]
struct Total {
    next: AtomicU64,
    lives: AtomicU64,
    violations: Mutex<Vec<String>>,
    coverage: Mutex<Coverage>,
}

/// One seed from its beginning to its end. Where only the machine breaks, the end is the one of an
/// undisturbed run.
fn one(seed: u64, tells: bool) -> (Coverage, u64) {
    let plan = Rc::new(Plan::drawn(seed));
    let mut run = Run::new(&plan, tells);
    let result = catch_unwind(AssertUnwindSafe(|| run.run_to_the_end()));
    let story = run.shared.try_borrow_mut().ok().and_then(|mut machine| machine.story.take());
    for line in story.unwrap_or_default() {
        println!("{line}");
    }
    let (_, end) = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    if plan.people_one_in == 0 {
        let (_, want) = Run::new(&Rc::new(plan.undisturbed()), false).run_to_the_end();
        assert_eq!(end, want, "the end is not the one of an undisturbed run");
    }
    let machine = Rc::into_inner(run.shared).expect("every life is over").into_inner();
    (machine.coverage, run.lives)
}

fn number(name: &str) -> Option<f64> {
    std::env::var(name).ok().map(|text| text.parse().expect("it is a number"))
}

fn work(total: &Total, first: u64, is_over: impl Fn(u64) -> bool) {
    let mut seen = Coverage::default();
    loop {
        let done = total.next.fetch_add(1, Ordering::Relaxed);
        if is_over(done) || total.violations.lock().unwrap().len() >= VIOLATIONS_MAX {
            break;
        }
        let seed = first.wrapping_add(done);
        match catch_unwind(|| one(seed, false)) {
            Ok((coverage, lives)) => {
                seen.merge(coverage);
                total.lives.fetch_add(lives, Ordering::Relaxed);
            }
            Err(_) => total.violations.lock().unwrap().push(format!("LOOPER_SIM_SEED={seed}")),
        }
    }
    total.coverage.lock().unwrap().merge(seen);
}

/// Whatever agents, people, signals, disks and power supplies do: the run ends, as an undisturbed
/// one would; the log replays to the state the loop held; each task is committed at most once;
/// nothing that did not pass is ever in history; what people have is as they left it.
///
/// Proves I1, I2, I3, I5.
#[test]
fn nothing_is_lost_whatever_breaks() {
    if let Some(seed) = std::env::var("LOOPER_SIM_SEED").ok().map(|text| text.parse().unwrap()) {
        println!("{:#?}", Plan::drawn(seed));
        one(seed, true);
        return;
    }
    let hours = number("LOOPER_SIM_HOURS").map(|hours| Duration::from_secs_f64(hours * 3600.0));
    let runs = std::env::var("LOOPER_SIM_RUNS").ok().map(|text| text.parse::<u64>().unwrap());
    let threads = number("LOOPER_SIM_THREADS").map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        |threads| threads as usize,
    );
    let first = std::env::var("LOOPER_SIM_FIRST").map_or(0, |text| text.parse().unwrap());
    let (total, start) = (Total::default(), Instant::now());
    let is_over = |done: u64| match (hours, runs) {
        (Some(limit), None) => start.elapsed() >= limit,
        (limit, runs) => {
            done >= runs.unwrap_or(RUNS) || limit.is_some_and(|limit| start.elapsed() >= limit)
        }
    };
    let report = |done: u64| {
        let seconds = start.elapsed().as_secs_f64();
        let lives = total.lives.load(Ordering::Relaxed);
        let bad = total.violations.lock().unwrap().len();
        println!(
            "{done} seeds, {lives} lives, {:.0} s, {:.0} seeds/s, {bad} violations",
            seconds,
            done as f64 / seconds
        );
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| work(&total, first, is_over))).collect();
        let mut next = NEWS;
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            if start.elapsed() >= next {
                next += NEWS;
                report(total.next.load(Ordering::Relaxed));
            }
        }
    });
    report(total.next.load(Ordering::Relaxed).saturating_sub(threads as u64));
    let coverage = total.coverage.lock().unwrap();
    println!("{}", coverage.summary());
    for pair in coverage.missing() {
        println!("not seen: {pair}");
    }
    let violations = total.violations.lock().unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
