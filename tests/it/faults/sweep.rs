//! One run after the other, cut short at one point after the other.

use std::any::Any;
use std::fmt;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::calls::{Call, Kind};
use super::checks;
use super::device::Device;
use super::tracer::{self, Fault, Order, Traced};
use crate::support::*;
use crate::trial::{End, Way, project_with, tasks};

/// After a fault, a run comes to its end in the next one, unless that is cut short too.
const STARTS_MAX: u32 = 3;

/// What else goes wrong when the program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    Nothing,
    /// What was not flushed is lost, and every process dies.
    Power,
    /// The crash transaction is deleted.
    NoTransaction,
    /// Both.
    PowerAndNoTransaction,
    /// The next run is killed too, before one of its first so many calls.
    KilledAgain(u64),
}

/// A way to go through all points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    pub(super) way: Way,
    pub(super) fault: Fault,
    pub(super) damage: Damage,
}

/// What is the same for all points.
pub(super) struct Bench {
    sweep: Sweep,
    pub(super) template: Project,
    wanted: End,
}

/// How a sweep went.
#[derive(Debug)]
pub(super) struct Tally {
    points: u64,
    pub(super) tried: u64,
    pub(super) violations: Vec<String>,
    seconds: f64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { points, tried, violations, seconds } = self;
        let count = violations.len();
        write!(f, "{points} points, {tried} tried, {count} violations, {seconds:.0} s")
    }
}

/// Which points are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    All,
    Only(u64),
    /// So many, spread evenly; the number in front moves them.
    Some(u64, u64),
}

impl Sweep {
    /// Goes through the points.
    pub(super) fn run(self, choice: Choice) -> Tally {
        let started = Instant::now();
        let bench = Bench::of(self);
        let points = bench.calls().len() as u64;
        let chosen: Vec<u64> = match choice {
            // Runs are not alike to the last call: the end is where nothing comes any more.
            Choice::All => (1..=points + points / 10).collect(),
            Choice::Only(point) => vec![point],
            Choice::Some(seed, count) => {
                let step = (points / count).max(1);
                (1 + seed % step..=points).step_by(usize::try_from(step).unwrap()).collect()
            }
        };
        let workers = match choice {
            Choice::All => thread::available_parallelism().map_or(1, usize::from),
            Choice::Only(_) | Choice::Some(..) => 1,
        };
        let (next, tried) = (AtomicU64::new(0), AtomicU64::new(0));
        let is_over = AtomicBool::new(false);
        let violations = Mutex::new(vec![]);
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(at) = chosen.get(usize::try_from(index).unwrap()) else { break };
                        match bench.try_point(*at) {
                            Ok(true) => {
                                let count = tried.fetch_add(1, Ordering::Relaxed) + 1;
                                if count % 200 == 0 {
                                    println!("{count} of about {points}");
                                }
                            }
                            Ok(false) => {
                                is_over.store(choice == Choice::All, Ordering::Relaxed);
                            }
                            Err(violation) => {
                                tried.fetch_add(1, Ordering::Relaxed);
                                eprintln!("{self:?}: {violation}");
                                violations.lock().unwrap().push(violation);
                            }
                        }
                    }
                });
            }
        });
        Tally {
            points,
            tried: tried.into_inner(),
            violations: violations.into_inner().unwrap(),
            seconds: started.elapsed().as_secs_f64(),
        }
    }
}

impl Bench {
    pub(super) fn of(sweep: Sweep) -> Self {
        let template = project_with(sweep.way, &tasks()[..3]);
        let undisturbed = template.copy();
        undisturbed.looper(sweep.way.args()).exits(1);
        undisturbed.check();
        let wanted = End::of(&undisturbed);
        Self { sweep, template, wanted }
    }

    /// The calls of an undisturbed run that the fault can befall.
    pub(super) fn calls(&self) -> Vec<Call> {
        let project = self.template.copy();
        let (traced, _) = self.traced(&project, self.sweep.fault, u64::MAX);
        assert!(traced.hit.is_none() && traced.status.code() == Some(1), "{traced:?}");
        traced.calls
    }

    /// Whether the fault came at all, or what it led to.
    fn try_point(&self, at: u64) -> Result<bool, String> {
        let mut hit = None;
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let project = self.template.copy();
            let (traced, device) = self.traced(&project, self.sweep.fault, at);
            let ran = words(&project, &traced);
            hit = traced.hit;
            if let Some(call) = &hit {
                self.recover(&project, &ran, &device, call);
            } else {
                checks::settled(&project, &self.wanted, self.transaction());
            }
        }));
        match (tried, hit) {
            (Ok(()), hit) => Ok(hit.is_some()),
            (Err(panic), hit) => {
                let call = hit.map_or("the end".to_owned(), |call| call.to_string());
                Err(format!("point {at}, {call}: {}", message(&*panic)))
            }
        }
    }

    /// A kill between two calls damages nothing.
    fn transaction(&self) -> checks::Transaction {
        let Sweep { fault, damage, .. } = self.sweep;
        let is_power = matches!(damage, Damage::Power | Damage::PowerAndNoTransaction);
        match fault {
            Fault::Before | Fault::After if !is_power => checks::Transaction::Whole,
            _ => checks::Transaction::MayBeBroken,
        }
    }

    fn recover(&self, project: &Project, ran: &Ran, device: &Device, call: &Call) {
        let Sweep { way, fault, damage } = self.sweep;
        match fault {
            Fault::Before | Fault::After | Fault::Torn => {
                assert_eq!(ran.status.code(), None, "{ran}");
            }
            // What the program does not need it may do without.
            Fault::Once(_) if ran.status.code() == Some(1) => {
                if call.kind == Kind::Remove {
                    project.empty_temporary_directory();
                }
            }
            // All is over but the report, which can be made at any time.
            Fault::FromHereOn(_) if ran.status.code() == Some(1) => {
                checks::lacks_a_report(project, ran);
            }
            Fault::Once(errno) | Fault::FromHereOn(errno) => {
                checks::failed_in_words(project, ran, errno);
            }
        }
        if matches!(damage, Damage::Power | Damage::PowerAndNoTransaction) {
            project.end_processes();
            device.lose_power();
        }
        if matches!(damage, Damage::NoTransaction | Damage::PowerAndNoTransaction) {
            project.remove_transaction();
        }
        let made = checks::commits_by_now(project);
        if let Damage::KilledAgain(at) = damage {
            self.traced(project, Fault::Before, at);
        }
        let mut last = project.looper(way.args());
        for _ in 1..STARTS_MAX {
            if last.status.code() != Some(1)
                && matches!(fault, Fault::Once(_) | Fault::FromHereOn(_))
            {
                last = project.looper(way.args());
            }
        }
        assert_eq!(last.status.code(), Some(1), "{last}\nbefore: {ran}");
        let settled = catch_unwind(AssertUnwindSafe(|| {
            checks::settled(project, &self.wanted, self.transaction());
        }));
        if let Err(panic) = settled {
            panic!("{}\n{last}\nbefore: {ran}", message(&*panic));
        }
        let kept = checks::commits_by_now(project);
        assert!(made.is_subset(&kept), "a commit was thrown away: {made:?}\n{last}");
    }

    /// Demands that a run that was cut short comes to its end.
    pub(super) fn settles(&self, project: &Project, what: &str) {
        let last = project.looper(self.sweep.way.args());
        assert_eq!(last.status.code(), Some(1), "{what}: {last}");
        checks::settled(project, &self.wanted, checks::Transaction::Whole);
    }

    pub(super) fn traced(&self, project: &Project, fault: Fault, at: u64) -> (Traced, Device) {
        let mut command = project.command(env!("CARGO_BIN_EXE_looper"));
        command.args(self.sweep.way.args());
        let output = project.place().join("output");
        fs::create_dir_all(&output).unwrap();
        let open = |name: &str| File::create(output.join(name)).unwrap();
        command.stdin(Stdio::null()).stdout(open("traced.stdout")).stderr(open("traced.stderr"));
        let mut device = Device::holding(project.place());
        let order = Order { fault, at };
        let traced = tracer::run(command, project.place(), order, &mut device);
        (traced, device)
    }
}

fn words(project: &Project, traced: &Traced) -> Ran {
    let read = |name: &str| {
        let path = project.place().join("output").join(name);
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    };
    Ran::new("run", traced.status, read("traced.stdout"), read("traced.stderr"))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
