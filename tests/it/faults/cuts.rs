//! The log cut at any byte after a kill: what nobody had relied on is repaired, and what somebody
//! had relied on is missed.

use std::fs;
use std::path::Path;

use looper::engine::state::Transaction;
use looper::host::tx::Tx;

use super::calls::Call;
use super::device::overwrite;
use super::sweep::{Bench, Choice, Damage, Sweep};
use super::tracer::Fault;
use crate::support::*;
use crate::trial::Way;

const LOG: &str = ".looper/events.jsonl";

/// The exit code for a log that lost something.
const BAD_LOG: i32 = 4;

/// How many cuts of each sort are tried.
#[derive(Clone, Copy, Debug)]
struct Cuts {
    repaired: usize,
    missed: usize,
}

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) kills: u64,
    pub(super) repaired: u64,
    pub(super) missed: u64,
}

impl Cuts {
    const EVERY: Self = Self { repaired: usize::MAX, missed: usize::MAX };
    const MANY: Self = Self { repaired: 6, missed: 40 };
    const FEW: Self = Self { repaired: 1, missed: 6 };
}

impl Count {
    /// Kills runs at the chosen points and cuts their logs; where everything is chosen, the second
    /// flush of the log meets a cut at every byte.
    pub(super) fn of(choice: Choice) -> Self {
        let sweep = Sweep { way: Way::BesideWork, fault: Fault::Before, damage: Damage::Nothing };
        let bench = Bench::of(sweep);
        let calls = bench.calls();
        let is_flush = |call: &Call| call.is_barrier() && call.path.ends_with(LOG);
        let all: Vec<u64> = (1..).zip(&calls).map(|(at, _)| at).collect();
        let flushes = (1..).zip(&calls).filter(|(_, call)| is_flush(call));
        let flushes: Vec<u64> = flushes.map(|(at, _)| at).collect();
        // Between a write and its flush, and anywhere.
        let chosen = match choice {
            Choice::All => [flushes.clone(), pick(&all, 0, 40)].concat(),
            Choice::Only(point) => vec![point],
            Choice::Some(seed, count) => {
                [pick(&flushes, seed, count / 2), pick(&all, seed, count / 2)].concat()
            }
        };
        let mut count = Self::default();
        for at in chosen {
            let project = bench.template.copy();
            let (traced, device) = bench.traced(&project, Fault::Before, at);
            project.end_processes();
            if traced.hit.is_none() || !project.has(LOG) {
                continue;
            }
            count.kills += 1;
            let cuts = match choice {
                Choice::All if flushes.get(1) == Some(&at) => Cuts::EVERY,
                Choice::All => Cuts::MANY,
                Choice::Only(_) | Choice::Some(..) => Cuts::FEW,
            };
            let bytes = fs::read(project.path(LOG)).unwrap();
            let flushed = device.content(&project.path(LOG)).len();
            let relied_on = relied_on(&project);
            let call = traced.hit.as_ref().expect("it was hit").to_string();
            assert!(relied_on <= flushed, "point {at}, {call}: what is relied on is not flushed");
            // Whatever the run does outside, it does when the transaction knows where the log ends.
            // An object that nothing refers to is no such thing.
            let inside = [LOG, ".looper/tx", ".git/objects/"];
            let is_inside = inside.iter().any(|name| call.contains(name));
            assert!(
                is_inside || relied_on == flushed,
                "point {at}, {call}: {relied_on}, {flushed}"
            );
            println!("point {at}: {} bytes, {flushed} flushed, {relied_on} relied on", bytes.len());
            for cut in spread(0, relied_on, cuts.missed) {
                missed(&project, &bytes, cut, at);
                count.missed += 1;
            }
            for cut in spread(flushed.max(relied_on), bytes.len() + 1, cuts.repaired) {
                let copy = project.copy();
                overwrite(&copy.path(LOG), &bytes[..cut]);
                bench.settles(&copy, &format!("point {at}, cut to {cut} bytes"));
                count.repaired += 1;
            }
        }
        count
    }
}

/// So many of them, spread evenly; the seed moves them.
fn pick(all: &[u64], seed: u64, count: u64) -> Vec<u64> {
    let step = (all.len() as u64 / count.max(1)).max(1);
    let first = usize::try_from(seed % step).unwrap();
    all.iter().copied().skip(first).step_by(usize::try_from(step).unwrap()).collect()
}

/// At most so many numbers from a range, the first and the last among them.
fn spread(from: usize, to: usize, count: usize) -> Vec<usize> {
    let step = (to.saturating_sub(from) / count).max(1);
    let mut all: Vec<usize> = (from..to).step_by(step).collect();
    all.extend(to.checked_sub(1).filter(|last| *last > from && !all.contains(last)));
    all
}

/// Where the log ended when the run last acted on it: the transaction knows.
fn relied_on(project: &Project) -> usize {
    let copy = tempfile::tempdir().unwrap();
    let tx = project.path(".looper/tx");
    if !tx.is_dir() {
        return 0;
    }
    copy_files(&tx, copy.path());
    let opened = Tx::<Transaction>::open(copy.path()).unwrap();
    opened.memory.map_or(0, |memory| usize::try_from(memory.anchor.offset).unwrap())
}

fn copy_files(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
    assert!(status.expect("cp is a program").success());
}

/// A log that lacks what somebody relied on stops the run, which touches nothing.
fn missed(project: &Project, bytes: &[u8], cut: usize, at: u64) {
    overwrite(&project.path(LOG), &bytes[..cut]);
    let before = (project.manifest(), project.git(&["rev-parse", "HEAD"]));
    let ran = project.looper(Way::BesideWork.args());
    assert_eq!(ran.status.code(), Some(BAD_LOG), "point {at}, cut to {cut} bytes: {ran}");
    assert_eq!(fs::read(project.path(LOG)).unwrap(), &bytes[..cut], "the log was touched");
    assert_eq!((project.manifest(), project.git(&["rev-parse", "HEAD"])), before);
    overwrite(&project.path(LOG), bytes);
}
