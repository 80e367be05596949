//! The next agent of a role takes over.

use looper::driver::Outcome;
use looper::engine::event::{EndReason, PauseCause};
use looper::engine::recovery::Recovery;
use looper::engine::replay::replay;
use looper::engine::report::Class;
use rstest::rstest;

use super::{calls, count, failures, one, played_by, roles, terms, two};
use crate::machine::{Life, ended, live};
use crate::scripted_world::{Answer, Script};

const OK: Answer = Answer::Ok;
const LIMIT: Answer = Answer::Limited(None);

fn apart() -> Recovery {
    Recovery { apart: Some([].into()), ..terms() }
}

fn lived(answers: Vec<Answer>, makers: &str, critics: &str, recovery: Recovery) -> Life {
    let charter = played_by(roles(makers, critics), recovery, one());
    let life = live(Script::new(answers), vec![], 1000, &charter);
    assert_eq!(replay(&life.log.events).unwrap(), life.state);
    assert!(!life.world.is_dirty);
    assert_eq!(failures(&life.state), [0]);
    life
}

#[rstest]
#[case::the_planner(vec![LIMIT, OK, OK, OK, OK, OK], "a b", "c",
    &["plan a", "plan b", "plan_critique c", "implement b", "impl_critique c"])]
#[case::the_plan_critic(vec![OK, LIMIT, OK, OK, OK, OK], "a", "b c",
    &["plan a", "plan_critique b", "plan_critique c", "implement a", "impl_critique c"])]
#[case::the_implementer(vec![OK, OK, LIMIT, OK, OK, OK], "a b", "c",
    &["plan a", "plan_critique c", "implement a", "implement b", "impl_critique c"])]
#[case::the_impl_critic(vec![OK, OK, OK, OK, LIMIT, OK], "a", "b c",
    &["plan a", "plan_critique b", "implement a", "impl_critique b", "impl_critique c"])]
#[case::one_after_the_other(vec![LIMIT, LIMIT, OK, OK, OK, OK, OK], "a b c", "d",
    &["plan a", "plan b", "plan c", "plan_critique d", "implement c", "impl_critique d"])]
fn whoever_is_limited_hands_over_at_once(
    #[case] answers: Vec<Answer>,
    #[case] makers: &str,
    #[case] critics: &str,
    #[case] want: &[&str],
) {
    let life = lived(answers, makers, critics, apart());
    assert_eq!(life.outcome, ended(EndReason::Done));
    assert_eq!(calls(&life.log.events), want);
    assert_eq!(life.world.waited, [0; 0]);
    assert_eq!(count(&life.log.events, "task_selected"), 1);
}

/// Proves I19.
#[rstest]
#[case::the_implementer_becomes_the_critics_maker(
    vec![OK, OK, LIMIT, OK, OK, OK], "a b", "b c",
    &["plan a", "plan_critique b", "implement a", "implement b", "impl_critique c"])]
#[case::the_planner_becomes_the_critics_maker(
    vec![LIMIT, OK, OK, OK, OK, OK], "a b", "b c",
    &["plan a", "plan b", "plan_critique c", "implement b", "impl_critique c"])]
#[case::a_maker_nobody_could_judge_is_passed_over(
    vec![LIMIT, OK, OK, OK, OK, OK], "a b c", "b",
    &["plan a", "plan c", "plan_critique b", "implement c", "impl_critique b"])]
fn who_made_it_never_judges_it_after_a_hand_over_either(
    #[case] answers: Vec<Answer>,
    #[case] makers: &str,
    #[case] critics: &str,
    #[case] want: &[&str],
) {
    let life = lived(answers, makers, critics, apart());
    assert_eq!(life.outcome, ended(EndReason::Done));
    assert_eq!(calls(&life.log.events), want);
}

/// What comes after the stage that is handed over counts too.
#[test]
fn a_plan_that_nobody_could_implement_is_not_handed_over() {
    let mut charter = played_by(roles("a b", "c"), terms(), one());
    charter.roles.implement = super::names("a");
    let life = live(Script::new([LIMIT, OK, OK, OK, OK, OK]), vec![], 1000, &charter);
    assert!(matches!(life.outcome, Some(Outcome::Paused(_))), "{:?}", life.outcome);
    assert_eq!(calls(&life.log.events), ["plan a"]);
}

/// Nobody begins what nobody could judge.
#[rstest]
#[case::two_agents_and_one_is_limited(vec![OK, OK, LIMIT], "a b", "b a", apart())]
#[case::of_one_vendor(vec![OK, OK, LIMIT], "a b", "c",
    Recovery { apart: Some([("b".into_name(), "v".into()), ("c".into_name(), "v".into())].into()), ..terms() })]
#[case::one_agent(vec![OK, OK, LIMIT], "a", "c", terms())]
#[case::all_of_them(vec![OK, OK, LIMIT, LIMIT], "a b", "c", terms())]
#[case::not_wanted(vec![OK, OK, LIMIT], "a b", "c", Recovery { failover: false, ..terms() })]
fn where_nobody_can_take_over_the_run_pauses(
    #[case] answers: Vec<Answer>,
    #[case] makers: &str,
    #[case] critics: &str,
    #[case] recovery: Recovery,
) {
    let calls_due = answers.len();
    let life = lived(answers, makers, critics, recovery);
    assert!(matches!(life.outcome, Some(Outcome::Paused(_))), "{:?}", life.outcome);
    assert_eq!((calls(&life.log.events).len(), life.state.iterations()), (calls_due, 0));
}

trait IntoName {
    fn into_name(self) -> looper::engine::id::AgentName;
}

impl IntoName for &str {
    fn into_name(self) -> looper::engine::id::AgentName {
        looper::engine::id::AgentName::new(self)
    }
}

#[test]
fn without_capacity_the_next_takes_over_after_the_last_try() {
    let full = || Answer::Class(Class::Overloaded);
    let answers = vec![OK, OK, full(), full(), full(), full(), full(), OK, OK, OK];
    let life = lived(answers, "a b", "c", terms());
    assert_eq!(life.outcome, ended(EndReason::Done));
    // The second one is given its own time.
    assert_eq!(life.world.waited, [5, 10, 20, 5]);
    let implementers: Vec<String> =
        calls(&life.log.events).into_iter().filter(|call| call.starts_with("implement ")).collect();
    let want = ["a", "a", "a", "a", "b", "b"].map(|name| format!("implement {name}"));
    assert_eq!(implementers, want);
}

/// The end of the first limit is what a run waits for.
#[test]
fn a_pause_lasts_until_the_first_limit_ends() {
    let limits = vec![Answer::Limited(Some(5_000_000)), Answer::Limited(Some(9_000_000))];
    let life = lived(limits, "a b", "c", terms());
    let Some(Outcome::Paused(paused)) = life.outcome else { panic!("{:?}", life.outcome) };
    assert_eq!((paused.agent.as_str(), paused.cause), ("a", PauseCause::RateLimit));
    assert_eq!(paused.until.unwrap().millis(), 5_000_000);
}

fn next_planner(until: Option<i64>) -> (Vec<String>, usize) {
    let charter = played_by(roles("a", "c"), terms(), two());
    let mut charter = charter;
    charter.roles = roles("a b", "c");
    charter.roles.implement = super::names("c");
    // The first attempt at each task is the turn of the first planner.
    let mut answers = vec![Answer::Limited(until)];
    answers.extend(vec![OK; 12]);
    charter.agents = played_by(roles("a b", "c"), terms(), one()).agents;
    let life = live(Script::new(answers), vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::Done));
    assert_eq!(replay(&life.log.events).unwrap(), life.state);
    let planners = calls(&life.log.events).into_iter().filter(|call| call.starts_with("plan "));
    (planners.collect(), count(&life.log.events, "limit_lifted"))
}

#[test]
fn whoever_is_limited_is_passed_over_until_the_limit_is_lifted() {
    let (planners, lifted) = next_planner(None);
    assert_eq!((planners.join(", "), lifted), ("plan a, plan b, plan b".to_owned(), 0));
    let (planners, lifted) = next_planner(Some(-20_000));
    assert_eq!((planners.join(", "), lifted), ("plan a, plan b, plan a".to_owned(), 1));
}

/// Who is limited is forgotten with the run that met it: a probe is allowed.
#[test]
fn a_run_that_goes_on_asks_everybody_again() {
    let charter = played_by(roles("a b", "c"), terms(), one());
    let life = live(Script::new([LIMIT, LIMIT]), vec![], 1000, &charter);
    assert_eq!(life.state.limits().count(), 2);
    let world = Script { answers: vec![OK; 5].into(), ..life.world };
    let resumed = live(world, life.log.events, 1000, &charter);
    assert_eq!(resumed.outcome, ended(EndReason::Done));
    assert_eq!(count(&resumed.log.events, "run_resumed"), 1);
}
