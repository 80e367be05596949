//! Each transition and each death, one after the other.
//!
//! `LOOPER_SIM_DEEP=1` lets a process die at every single step of every scenario, and again at
//! every point of its recovery.

use std::collections::BTreeSet;
use std::rc::Rc;

use looper::engine::charter::Stage;
use looper::engine::id::TaskId;
use looper::engine::recovery::Recovery;
use looper::engine::report::Class;
use looper::engine::verdict::Verdict;

use crate::agents::{Act, Key, Says, Turn, good, troubles};
use crate::coverage::Coverage;
use crate::fault::{Doing, Fault, Phase, Point, crash_pairs};
use crate::oracle::End;
use crate::plan::{FULL, Faults, Plan, task_text};
use crate::run::Run;

/// How often a write of a few lines is cut in two.
const TORN_WRITES: u64 = 12;

pub(crate) fn key(stage: Stage, chance: u32) -> Key {
    (TaskId::new("1.1"), stage, chance)
}

/// The first call of a stage goes like this.
pub(crate) fn turn(stage: Stage, acts: Option<Vec<Act>>, says: Says) -> (Key, Turn) {
    let key = key(stage, 0);
    let acts = acts.unwrap_or_else(|| good(&key).acts);
    (key, Turn { acts, says })
}

fn implemented(acts: impl Into<Vec<Act>>) -> Plan {
    Plan::with([turn(Stage::Implement, Some(acts.into()), Says::Ok)])
}

pub(crate) fn says(stage: Stage, says: Says) -> Plan {
    Plan::with([turn(stage, None, says)])
}

/// Three agents for each role, and what follows where one cannot be had.
fn several(overloaded: u32, plan: Plan) -> Plan {
    let terms = Recovery {
        overloaded,
        empty: 1,
        pause_s: 5,
        failover: true,
        quota_percent: 90,
        apart: Some([].into()),
    };
    Plan { agents: 3, recovery: Some(terms), ..plan }
}

/// Scenarios in which a stage is taken again, or by somebody else.
fn taken_again() -> Vec<Plan> {
    let mut plans = vec![];
    for stage in FULL.into_iter().filter(|stage| *stage != Stage::Verify) {
        for class in [Class::Overloaded, Class::RateLimited, Class::Empty] {
            plans.push(several(3, says(stage, Says::Class(class))));
        }
        plans.push(several(0, says(stage, Says::Class(Class::Overloaded))));
        let mut acts = good(&key(stage, 0)).acts;
        acts.push(Act::Backlog);
        let touched = turn(stage, Some(acts), Says::Class(Class::Overloaded));
        plans.push(several(3, Plan::with([touched])));
    }
    let alone = || {
        let plan = several(3, Plan::calm());
        let terms = plan.recovery.map(|terms| Recovery { apart: None, ..terms });
        Plan { agents: 1, recovery: terms, ..plan }
    };
    let two = [task_text("1.1", "true", "none"), task_text("1.2", "true", "1.1")].concat();
    let two = format!("# Backlog\n\n{two}");
    let limited = || says(Stage::PlanCritique, Says::Class(Class::RateLimited));
    plans.push(Plan { backlog: two.clone(), ..several(3, limited()) });
    plans.push(Plan { backlog: two, is_near_the_wall: true, ..alone() });
    let waits = || several(3, says(Stage::Plan, Says::Class(Class::Overloaded)));
    plans.extend((0..12).map(|seed| Plan { seed, requests_one_in: 3, ..waits() }));
    plans
}

/// Scenarios in which everything that can come of a stage comes of it.
fn outcomes() -> Vec<Plan> {
    let write = |path, text: &str| Act::Write(path, text.to_owned());
    let mut plans = vec![
        Plan::calm(),
        implemented([]),
        implemented([write("out.bin", "x")]),
        implemented([write(".env", "x")]),
        implemented([write("src/b.rs", "SECRET\n")]),
        implemented([write("src/kept.rs", "changed\n")]),
        implemented([Act::Pipe("src/pipe")]),
        implemented([write("src/new.rs", "x"), Act::Commit, Act::Branch, Act::Hook, Act::Stage]),
        Plan { iterations: 1, ..implemented([]) },
        Plan { tokens: 5, ..implemented([]) },
    ];
    for stage in FULL {
        plans.extend(troubles(stage).into_iter().map(|trouble| says(stage, trouble)));
        let mut acts = good(&key(stage, 0)).acts;
        acts.push(Act::Backlog);
        plans.push(Plan::with([turn(stage, Some(acts), Says::Ok)]));
    }
    let two = [task_text("1.1", "true", "none"), task_text("1.2", "true", "1.1")].concat();
    plans.push(Plan {
        commit_on_pass: false,
        backlog: format!("# Backlog\n\n{two}"),
        ..Plan::calm()
    });
    plans.extend(taken_again());
    // People ask for an end, at moments that their seeds draw.
    plans.extend((0..12).map(|seed| Plan { seed, requests_one_in: 4, ..Plan::calm() }));
    plans
}

/// Scenarios that together do everything that a death can cut short.
fn to_be_cut_short() -> Vec<Plan> {
    let proposals = [Verdict::ScopeExpand, Verdict::SplitTask, Verdict::DependencyInsert];
    let critic = |verdict| says(Stage::ImplCritique, Says::Verdict(Some(verdict)));
    let mut plans = vec![
        Plan::calm(),
        Plan { commit_on_pass: false, allow_dirty: true, ..Plan::calm() },
        critic(Verdict::Fail),
        says(Stage::Plan, Says::Class(Class::Crashed)),
        says(Stage::PlanCritique, Says::Verdict(Some(Verdict::SplitTask))),
        Plan::with([turn(Stage::Plan, Some(vec![Act::Backlog, Act::Commit]), Says::Ok)]),
        says(Stage::Implement, Says::Class(Class::RateLimited)),
        Plan { allow_dirty: true, ..says(Stage::Implement, Says::Class(Class::Missing)) },
        says(Stage::Verify, Says::Signal),
    ];
    plans.extend(proposals.map(critic));
    let overloaded = |stage| several(3, says(stage, Says::Class(Class::Overloaded)));
    plans.extend([overloaded(Stage::Implement), overloaded(Stage::ImplCritique)]);
    plans.push(several(3, says(Stage::Implement, Says::Class(Class::RateLimited))));
    plans
}

/// Dies as listed, and comes to the end that an undisturbed run comes to.
pub(crate) fn dies(plan: &Plan, faults: &[(u64, Fault)], want: &End, seen: &mut Coverage) -> Run {
    let faults = Faults::Listed(faults.to_vec());
    println!("{faults:?}");
    let mut run = Run::new(&Rc::new(Plan { faults, ..plan.clone() }), false);
    let (_, end) = run.run_to_the_end();
    assert_eq!(end, *want);
    seen.merge(std::mem::take(&mut run.shared.borrow_mut().coverage));
    run
}

/// Where a life can be cut short: for each point the steps that are there.
fn points(trace: &[BTreeSet<Point>]) -> BTreeSet<Point> {
    trace.iter().flatten().copied().collect()
}

/// The steps to die at: one of each point, or all of them.
fn steps(trace: &[BTreeSet<Point>], point: Point, is_deep: bool) -> Vec<u64> {
    let is_here = |(_, here): &(u64, &BTreeSet<Point>)| here.contains(&point);
    let all: Vec<u64> = (1..).zip(trace).filter(is_here).map(|(at, _)| at).collect();
    match point.1 {
        _ if is_deep => all,
        Phase::Before | Phase::After => vec![all[0]],
        Phase::During => vec![all[all.len() / 2]],
    }
}

fn is_deep() -> bool {
    std::env::var_os("LOOPER_SIM_DEEP").is_some()
}

/// Lets one scenario die wherever nothing has died yet, and its recovery as well.
fn cut_short_everywhere(plan: &Plan, seen: &mut Coverage, runs: &mut u64) {
    let is_deep = is_deep();
    let mut calm = Run::new(&Rc::new(plan.clone()), false);
    let (_, want) = calm.run_to_the_end();
    let lives = calm.traces.len();
    let undisturbed: BTreeSet<Point> = calm.traces.iter().flat_map(|life| points(life)).collect();
    for life in 0..lives {
        // A step that is never reached: this life ends by itself.
        let before = vec![(u64::MAX, Fault::Kill); life];
        let trace = calm.traces[life].clone();
        let pairs = points(&trace).into_iter().flat_map(|at| Fault::ALL.map(|fault| (at, fault)));
        for (at, fault) in pairs {
            if !is_deep && seen.crashes.contains(&(at, fault)) {
                continue;
            }
            for step in steps(&trace, at, is_deep) {
                let first = [&before[..], &[(step, fault)]].concat();
                let run = dies(plan, &first, &want, seen);
                *runs += 1;
                let Some(trace) = run.traces.get(life + 1) else { continue };
                for (at, again) in
                    points(trace).into_iter().flat_map(|at| Fault::ALL.map(|fault| (at, fault)))
                {
                    let is_news = !undisturbed.contains(&at);
                    if is_news && (is_deep || !seen.crashes.contains(&(at, again))) {
                        let second = steps(trace, at, false)[0];
                        dies(plan, &[&first[..], &[(second, again)]].concat(), &want, seen);
                        *runs += 1;
                    }
                }
            }
        }
    }
}

/// Everything that can come of a stage, and every death at everything that a stage does, is tried
/// by name, not by chance; and none of it changes the end.
///
/// Proves I1, I2, I3, I5.
#[test]
fn every_pair_of_the_transition_table_is_seen() {
    let (mut seen, mut runs) = (Coverage::default(), 0);
    for plan in outcomes() {
        let mut run = Run::new(&Rc::new(plan), false);
        run.run_to_the_end();
        runs += 1;
        seen.merge(std::mem::take(&mut run.shared.borrow_mut().coverage));
    }
    for plan in to_be_cut_short() {
        cut_short_everywhere(&plan, &mut seen, &mut runs);
    }
    // Half of what is written at once: what was done is known, and what was due is not.
    let proposed = says(Stage::ImplCritique, Says::Verdict(Some(Verdict::SplitTask)));
    let retried = several(3, says(Stage::Implement, Says::Class(Class::Overloaded)));
    let torn = [
        (proposed, (Doing::Propose(Verdict::SplitTask), Phase::After)),
        (retried, (Doing::Retry, Phase::Before)),
    ];
    for (plan, point) in torn {
        for seed in 0..TORN_WRITES {
            let plan = Plan { seed, ..plan.clone() };
            let mut calm = Run::new(&Rc::new(plan.clone()), false);
            let (_, want) = calm.run_to_the_end();
            for step in steps(&calm.traces[0], point, true).into_iter().take(2) {
                dies(&plan, &[(step, Fault::PowerCut)], &want, &mut seen);
                runs += 1;
            }
        }
    }
    let missing = seen.missing();
    println!("{runs} runs: {}", seen.summary());
    assert!(missing.is_empty(), "not seen: {missing:#?}");
    let known = crash_pairs();
    let unknown: Vec<_> = seen.crashes.difference(&known).collect();
    assert!(unknown.is_empty(), "seen, and not in the table: {unknown:?}");
}
