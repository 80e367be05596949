//! The same agent for the same stage again.

use looper::driver::{Outcome, Request};
use looper::engine::event::{EndReason, EventKind, PauseCause};
use looper::engine::recovery::Recovery;
use looper::engine::replay::replay;
use looper::engine::report::Class;
use rstest::rstest;

use super::{calls, count, failures, one, played_by, roles, terms};
use crate::machine::{Life, ended, live};
use crate::scripted_world::{Answer, Script};

const FULL: Answer = Answer::Class(Class::Overloaded);
const EMPTY: Answer = Answer::Class(Class::Empty);
const OK: Answer = Answer::Ok;

fn lived(answers: impl IntoIterator<Item = Answer>, recovery: Recovery) -> Life {
    let charter = played_by(roles("a", "a"), recovery, one());
    let life = live(Script::new(answers), vec![], 1000, &charter);
    assert_eq!(replay(&life.log.events).unwrap(), life.state);
    assert!(!life.world.is_dirty);
    life
}

/// Proves I20.
#[rstest]
#[case::the_planner([FULL, FULL, OK, OK, OK, OK, OK], "plan a")]
#[case::the_plan_critic([OK, FULL, FULL, OK, OK, OK, OK], "plan_critique a")]
#[case::the_implementer([OK, OK, FULL, FULL, OK, OK, OK], "implement a")]
#[case::the_impl_critic([OK, OK, OK, OK, FULL, FULL, OK], "impl_critique a")]
fn a_stage_without_capacity_is_taken_again_and_nothing_else(
    #[case] answers: [Answer; 7],
    #[case] again: &str,
) {
    let life = lived(answers, terms());
    assert_eq!(life.outcome, ended(EndReason::Done));
    assert_eq!((life.world.history.len(), life.world.waited), (1, vec![5, 10]));
    for call in ["plan a", "plan_critique a", "implement a", "impl_critique a"] {
        let times = calls(&life.log.events).iter().filter(|made| *made == call).count();
        assert_eq!(times, if call == again { 3 } else { 1 }, "{call}");
    }
    let events = &life.log.events;
    assert_eq!((count(events, "task_selected"), count(events, "verify_started")), (1, 1));
    assert_eq!((count(events, "task_failed"), failures(&life.state)), (0, vec![0]));
}

#[test]
fn a_provider_without_capacity_for_long_is_waited_for_between_two_runs() {
    let life = lived([OK, OK, FULL, FULL, FULL, FULL], terms());
    let Some(Outcome::Paused(paused)) = &life.outcome else { panic!("{:?}", life.outcome) };
    assert_eq!((paused.cause, paused.until), (PauseCause::Overloaded, None));
    assert_eq!((life.world.waited, failures(&life.state)), (vec![5, 10, 20], vec![0]));
    assert_eq!((life.state.iterations(), life.state.attempts()), (0, 1));
}

#[rstest]
#[case::by_no_terms(None)]
#[case::by_the_terms(Some(Recovery { overloaded: 0, empty: 0, failover: false, ..terms() }))]
fn where_nothing_is_tried_again_the_first_end_counts(#[case] recovery: Option<Recovery>) {
    let mut charter = played_by(roles("a", "a"), terms(), one());
    charter.policy.recovery = recovery;
    for (class, want) in [(Class::Overloaded, "run_paused"), (Class::Empty, "task_failed")] {
        let life = live(Script::new([Answer::Class(class)]), vec![], 1000, &charter);
        let names: Vec<&str> = life.log.events.iter().map(|event| event.kind.name()).collect();
        let at = names.iter().position(|name| *name == "rollback_finished").unwrap();
        assert_eq!((names[at + 1], count(&life.log.events, "stage_retried")), (want, 0));
    }
}

#[rstest]
#[case::a_planner(vec![EMPTY, OK, OK, OK, OK, OK], 0)]
#[case::a_plan_critic(vec![OK, EMPTY, OK, OK, OK, OK], 0)]
#[case::an_impl_critic(vec![OK, OK, OK, OK, EMPTY, OK], 0)]
#[case::a_planner_twice(vec![EMPTY, EMPTY, OK, OK, OK, OK, OK], 1)]
#[case::an_impl_critic_twice(vec![OK, OK, OK, OK, EMPTY, EMPTY, OK, OK, OK, OK, OK], 1)]
#[case::each_once(vec![EMPTY, OK, EMPTY, OK, OK, OK, EMPTY, OK], 0)]
fn an_empty_answer_is_asked_for_once_more(#[case] answers: Vec<Answer>, #[case] failed: usize) {
    let life = lived(answers, terms());
    assert_eq!(life.outcome, ended(EndReason::Done));
    assert_eq!((count(&life.log.events, "task_failed"), life.world.waited), (failed, vec![]));
    assert_eq!(count(&life.log.events, "task_selected"), failed + 1);
}

/// What an implementer says decides nothing.
#[test]
fn an_implementer_may_be_silent() {
    let life = lived([OK, OK, EMPTY, OK, OK], terms());
    assert_eq!(count(&life.log.events, "stage_retried"), 0);
}

#[rstest]
#[case(Class::NoCredit)]
#[case(Class::Auth)]
fn who_cannot_work_at_all_is_not_asked_again(#[case] class: Class) {
    let charter = played_by(roles("a b", "a b"), terms(), one());
    let life = live(Script::new([OK, OK, Answer::Class(class)]), vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::AgentUnusable));
    assert_eq!((count(&life.log.events, "stage_retried"), life.world.waited), (0, vec![]));
}

/// The last wish is heard while nothing runs.
#[test]
fn a_signal_ends_a_wait_and_settles_the_attempt() {
    let mut world = Script::new([OK, OK, FULL, OK, OK, OK]);
    // One look before each effect that can be put off, then the one during the wait.
    world.requests = [None, None, None, None, None, Some(Request::Interrupt)].into();
    let charter = played_by(roles("a", "a"), terms(), one());
    let life = live(world, vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::Interrupted));
    let names: Vec<&str> = life.log.events.iter().map(|event| event.kind.name()).collect();
    let want = ["stage_retried", "interrupted", "rollback_started", "rollback_finished"];
    assert!(names.windows(4).any(|four| four == want), "{names:?}");
    assert_eq!((failures(&life.state), life.world.is_dirty), (vec![0], false));
}

/// What was paid for is not thrown away, and nobody waits any longer.
#[test]
fn a_wish_to_stop_ends_a_wait_and_the_attempt_is_finished() {
    let mut world = Script::new([OK, OK, FULL, OK, OK, OK]);
    world.requests = [None, None, None, None, None, Some(Request::Stop)].into();
    let charter = played_by(roles("a", "a"), terms(), super::two());
    let life = live(world, vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::Stopped));
    let events = &life.log.events;
    assert_eq!((life.world.history.len(), count(events, "task_selected")), (1, 1));
    assert_eq!(count(events, "plan_started"), 1);
}

#[test]
fn whoever_asked_to_stop_waits_for_nobody() {
    let mut world = Script::new([OK, OK, FULL, OK, OK, OK]);
    world.requests = [None, Some(Request::Stop)].into();
    let charter = played_by(roles("a", "a"), terms(), one());
    let life = live(world, vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::Stopped));
    assert_eq!((life.world.waited, failures(&life.state)), (vec![], vec![0]));
}

/// Whoever touched what is ours is not asked for anything a second time.
#[rstest]
#[case(Class::Overloaded, "run_paused")]
#[case(Class::RateLimited, "run_paused")]
#[case(Class::Empty, "task_failed")]
fn whoever_touched_the_state_directory_gets_no_second_call(
    #[case] class: Class,
    #[case] want: &str,
) {
    let charter = played_by(roles("a b", "a b"), terms(), one());
    let world = Script::new([Answer::TouchesStateAnd(class), OK, OK, OK, OK, OK]);
    let life = live(world, vec![], 1000, &charter);
    let names: Vec<&str> = life.log.events.iter().map(|event| event.kind.name()).collect();
    let at = names.iter().position(|name| *name == "rollback_finished").unwrap();
    assert_eq!((names[at + 1], count(&life.log.events, "stage_retried")), (want, 0));
}

#[test]
fn what_is_tried_again_names_who_and_why() {
    let life = lived([FULL, OK, OK, OK, OK, OK], terms());
    let retried = life.log.events.iter().find_map(|event| match &event.kind {
        EventKind::StageRetried(data) => Some(data.clone()),
        _ => None,
    });
    let data = retried.unwrap();
    assert_eq!((data.agent.as_str(), data.instead_of.as_str()), ("a", "a"));
    assert_eq!((data.cause, data.wait_s, data.count), (Class::Overloaded, 5, 1));
}
