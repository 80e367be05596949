//! Power cuts around retries and hand-overs.

use looper::driver::Outcome;
use looper::engine::event::{EndReason, Event};
use looper::engine::replay::replay;
use looper::engine::report::Class;
use rstest::rstest;

use super::{count, one, played_by, roles, terms};
use crate::machine::{ended, live};
use crate::scripted_world::{Answer, Script};

const OK: Answer = Answer::Ok;
const FULL: Answer = Answer::Class(Class::Overloaded);
const LIMIT: Answer = Answer::Limited(None);

/// Whether an attempt goes on that was cut short.
fn goes_on(events: &[Event]) -> bool {
    let from = events.iter().skip_while(|event| event.kind.name() != "interrupted");
    let until = from.take_while(|event| event.kind.name() != "task_selected");
    until.into_iter().any(|event| {
        event.kind.name().ends_with("_started")
            && !matches!(event.kind.name(), "rollback_started" | "run_started")
    })
}

/// Wherever the power goes, with whatever of the unsynced lines on the disk: the next process
/// settles the attempt, counts nothing and finishes the task.
#[rstest]
#[case::a_retry_of_the_planner(vec![FULL, OK, OK, OK, OK, OK])]
#[case::a_retry_of_the_implementer(vec![OK, OK, FULL, OK, OK, OK])]
#[case::a_retry_of_the_impl_critic(vec![OK, OK, OK, OK, FULL, OK])]
#[case::a_hand_over_of_the_planner(vec![LIMIT, OK, OK, OK, OK, OK])]
#[case::a_hand_over_of_the_implementer(vec![OK, OK, LIMIT, OK, OK, OK])]
#[case::a_hand_over_of_the_impl_critic(vec![OK, OK, OK, OK, LIMIT, OK])]
#[case::both(vec![OK, OK, FULL, LIMIT, OK, OK, OK])]
fn a_power_cut_counts_nothing_and_loses_nothing(#[case] answers: Vec<Answer>) {
    let charter = played_by(roles("a b", "c d"), terms(), one());
    let calm = live(Script::new(answers.clone()), vec![], 1000, &charter);
    assert_eq!(calm.outcome, ended(EndReason::Done));
    let mut waits_cut = 0;
    for (power, kept) in (0..80).flat_map(|power| (0..4).map(move |kept| (power, kept))) {
        let mut world = Script::new(answers.clone());
        world.power = power;
        let life = live(world, vec![], 1000, &charter);
        if life.outcome.is_some() {
            continue;
        }
        let events = life.log.after_a_cut(kept);
        let last = events.last().map(|event| event.kind.name());
        waits_cut += usize::from(last == Some("stage_retried"));
        let mut world = life.world;
        world.power = 10_000;
        world.answers = vec![OK; 20].into();
        let next = live(world, events, 1000, &charter);
        assert_eq!(next.outcome, ended(EndReason::Done), "cut at {power}, {kept} kept");
        assert_eq!((next.world.history.len(), next.world.is_dirty), (1, false));
        assert_eq!(count(&next.log.events, "task_failed"), 0);
        assert!(!goes_on(&next.log.events), "cut at {power}, {kept} kept");
        assert_eq!(replay(&next.log.events).unwrap(), next.state);
        assert!(!matches!(next.outcome, Some(Outcome::Paused(_))));
    }
    assert!(waits_cut > 0, "no cut fell behind a retry");
}
