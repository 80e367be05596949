//! Stops before an allowance is used up.

use looper::driver::Outcome;
use looper::engine::event::{EndReason, PauseCause};
use looper::engine::recovery::Recovery;
use looper::engine::replay::replay;
use rstest::rstest;

use super::{calls, count, failures, names, played_by, roles, terms, two};
use crate::machine::{ended, live};
use crate::scripted_world::{Answer, Script};

const OK: Answer = Answer::Ok;

fn wary() -> Recovery {
    Recovery { quota_percent: 90, ..terms() }
}

/// The attempt in hand is finished; the next one is not begun.
#[rstest]
#[case::for_a_single_agent("a", wary())]
#[case::without_failover("a b", Recovery { failover: false, ..wary() })]
fn a_run_pauses_before_the_wall(#[case] makers: &str, #[case] recovery: Recovery) {
    let charter = played_by(roles(makers, "c"), recovery, two());
    let mut answers = vec![Answer::Used(95, Some(7_000_000))];
    answers.extend(vec![OK; 9]);
    let life = live(Script::new(answers), vec![], 1000, &charter);
    let Some(Outcome::Paused(paused)) = &life.outcome else { panic!("{:?}", life.outcome) };
    assert_eq!((paused.cause, paused.agent.as_str()), (PauseCause::Quota, "a"));
    assert_eq!(paused.until.unwrap().millis(), 7_000_000);
    assert_eq!((life.world.history.len(), failures(&life.state)), (1, vec![0, 0]));
    // No attempt was cut short, so each of them counts.
    assert_eq!((life.state.iterations(), count(&life.log.events, "rollback_started")), (1, 0));
    assert_eq!(replay(&life.log.events).unwrap(), life.state);
}

/// Or every run would use some of what is left, one attempt after the other.
#[test]
fn a_new_run_does_not_use_the_rest() {
    let whole = played_by(roles("a", "c"), wary(), two());
    let mut first = whole.clone();
    first.tasks.truncate(1);
    let mut answers = vec![Answer::Used(95, Some(7_000_000))];
    answers.extend(vec![OK; 9]);
    let life = live(Script::new(answers), vec![], 1000, &first);
    assert_eq!(life.outcome, ended(EndReason::Done));
    let before = calls(&life.log.events);
    let life = live(life.world, life.log.events, 1000, &whole);
    let Some(Outcome::Paused(paused)) = &life.outcome else { panic!("{:?}", life.outcome) };
    assert_eq!((paused.cause, paused.until.unwrap().millis()), (PauseCause::Quota, 7_000_000));
    assert_eq!(calls(&life.log.events), before);
    let life = live(life.world, life.log.events, 1000, &whole);
    assert_eq!((life.outcome, life.world.history.len()), (ended(EndReason::Done), 2));
    assert_eq!(replay(&life.log.events).unwrap(), life.state);
}

#[test]
fn the_next_attempt_is_somebody_elses() {
    let charter = played_by(roles("a b", "c"), wary(), two());
    let mut answers = vec![Answer::Used(95, None)];
    answers.extend(vec![OK; 9]);
    let life = live(Script::new(answers), vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::Done));
    let made: Vec<String> =
        calls(&life.log.events).into_iter().filter(|call| !call.ends_with(" c")).collect();
    assert_eq!(made, ["plan a", "implement a", "plan b", "implement b"]);
}

#[rstest]
#[case::off(Recovery { quota_percent: 0, ..terms() }, 100)]
#[case::below(wary(), 89)]
fn what_is_no_matter_stops_nobody(#[case] recovery: Recovery, #[case] used: u32) {
    let charter = played_by(roles("a", "c"), recovery, two());
    let answers = vec![Answer::Used(used, None); 10];
    let life = live(Script::new(answers), vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::Done));
}

/// Over all runs, whatever the terms are.
#[test]
fn what_providers_say_about_their_allowances_is_kept() {
    let mut charter = played_by(roles("a", "c"), terms(), two());
    charter.policy.recovery = None;
    let answers = [Answer::Used(10, None), Answer::Used(20, Some(5)), OK, OK, OK];
    let life = live(Script::new(answers), vec![], 1000, &charter);
    let [a, c] = &names("a c")[..] else { panic!("there are two") };
    let used = |name| life.state.quotas()[name][0].used_percent;
    assert_eq!((used(a), used(c)), (10, 20));
}
