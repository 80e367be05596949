//! Whatever agents answer: what holds about retries and hand-overs.

use std::collections::{BTreeMap, BTreeSet};

use looper::driver::Outcome;
use looper::engine::charter::{Charter, Roles, Stage};
use looper::engine::event::{EndReason, Event, EventKind, RunEnded};
use looper::engine::id::AgentName;
use looper::engine::recovery::Recovery;
use looper::engine::replay::replay;
use looper::engine::report::Class;
use looper::engine::verdict::Verdict;
use proptest::prelude::*;

use super::{played_by, roles, two};
use crate::machine::{LIVES_MAX, any_request, live};
use crate::scripted_world::{Answer, Script};

/// Makers and critics between whom nobody ever judges its own work in turn.
const APART: [(&str, &str); 6] =
    [("a", "b"), ("a b", "b a"), ("a b c", "b c a"), ("a b", "c"), ("a b", "c a"), ("a", "b c d")];

const TOGETHER: [(&str, &str); 3] = [("a", "a"), ("a b", "a b"), ("a b c", "a")];

fn any_charter() -> impl Strategy<Value = Charter> {
    let sides = proptest::sample::select([&APART[..], &TOGETHER[..]].concat());
    let others = sides.clone();
    let numbers = (0u32..3, 0u32..2, proptest::sample::select(vec![0u32, 90]));
    (sides, others, numbers, any::<bool>(), any::<bool>()).prop_map(
        |(plan, implement, (overloaded, empty, quota_percent), failover, is_apart)| {
            let is_apart = is_apart && [plan, implement].iter().all(|it| APART.contains(it));
            let apart = is_apart.then(BTreeMap::new);
            let terms = Recovery { overloaded, empty, pause_s: 1, failover, quota_percent, apart };
            let made = roles(implement.0, implement.1);
            let planned = roles(plan.0, plan.1);
            let (implement, impl_critique) = (made.implement, made.impl_critique);
            played_by(Roles { implement, impl_critique, ..planned }, terms, two())
        },
    )
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let classes = vec![
        Class::Overloaded,
        Class::Overloaded,
        Class::Empty,
        Class::Crashed,
        Class::NoCredit,
        Class::Context,
    ];
    let until = prop_oneof![Just(None), Just(Some(-20_000)), Just(Some(60_000_000)),];
    prop_oneof![
        12 => Just(Answer::Ok),
        4 => proptest::sample::select(classes).prop_map(Answer::Class),
        3 => until.clone().prop_map(Answer::Limited),
        2 => (0u32..120, until).prop_map(|(used, until)| Answer::Used(used, until)),
        1 => Just(Answer::Verdict(Some(Verdict::Fail))),
        1 => Just(Answer::Paths(vec!["x"])),
        1 => Just(Answer::TouchesState),
        1 => Just(Answer::Interrupted),
    ]
}

/// Follows a log, and says what is wrong with it.
#[derive(Default)]
struct Follow {
    limited: BTreeSet<AgentName>,
    judged: u32,
    is_planned: bool,
    is_cut_short: bool,
    maker: Option<AgentName>,
    starts: BTreeMap<Stage, u32>,
    last: Option<Class>,
}

impl Follow {
    fn saw(&mut self, event: &Event, charter: &Charter) -> Result<(), String> {
        let terms = charter.policy.recovery.as_ref().expect("the charter has terms");
        match &event.kind {
            EventKind::RunStarted(_) | EventKind::RunResumed(_) => self.limited.clear(),
            EventKind::LimitLifted(data) => {
                self.limited.remove(&data.agent);
            }
            EventKind::TaskSelected(_) => {
                let limited = std::mem::take(&mut self.limited);
                *self = Self { limited, ..Self::default() };
            }
            EventKind::Interrupted(_) => self.is_cut_short = true,
            EventKind::PlanStarted(data) => {
                if self.is_planned {
                    return Err("what was planned is planned again".to_owned());
                }
                self.starts(Stage::Plan, &data.agent, terms)?;
            }
            EventKind::PlanCritiqueStarted(data) => {
                self.starts(Stage::PlanCritique, &data.agent, terms)?;
            }
            EventKind::ImplementStarted(data) => {
                self.starts(Stage::Implement, &data.agent, terms)?;
            }
            EventKind::ImplCritiqueStarted(data) => {
                self.starts(Stage::ImplCritique, &data.agent, terms)?;
            }
            EventKind::GatesJudged(_) => {
                self.judged += 1;
                if self.judged > 1 {
                    return Err("one attempt is judged twice".to_owned());
                }
            }
            EventKind::StageRetried(data) => {
                let has_reason =
                    matches!(data.cause, Class::Overloaded | Class::RateLimited | Class::Empty);
                if !has_reason || (data.wait_s > 0 && data.cause != Class::Overloaded) {
                    return Err(format!("nothing to try again: {data:?}"));
                }
            }
            EventKind::TaskFailed(_) => {
                let limits = [Class::RateLimited, Class::Overloaded, Class::NoCredit, Class::Auth];
                if self.last.is_some_and(|class| limits.contains(&class)) {
                    return Err(format!("{:?} counts as a failure", self.last));
                }
            }
            _ => {}
        }
        if let Some(end) = event.kind.agent_end() {
            self.last = Some(end.class);
            if end.class == Class::RateLimited {
                self.limited.insert(end.agent.clone());
            }
            if matches!(end.stage, Stage::Plan | Stage::Implement) {
                self.maker = Some(end.agent.clone());
                self.is_planned |= end.class == Class::Ok;
            }
        }
        Ok(())
    }

    fn starts(&mut self, stage: Stage, agent: &AgentName, terms: &Recovery) -> Result<(), String> {
        let is_critic = matches!(stage, Stage::PlanCritique | Stage::ImplCritique);
        if is_critic && terms.apart.is_some() && self.maker.as_ref() == Some(agent) {
            return Err(format!("{agent} judges its own work"));
        }
        if self.is_cut_short {
            return Err("an attempt goes on that was cut short".to_owned());
        }
        if self.limited.contains(agent) {
            return Err(format!("{agent} is called though it is limited"));
        }
        let count = self.starts.entry(stage).or_default();
        *count += 1;
        // Four agents at most, each with its own tries.
        let most = 4 * (1 + terms.overloaded) + terms.empty;
        if *count > most {
            return Err(format!("{stage:?} is called {count} times"));
        }
        Ok(())
    }
}

proptest! {
    /// Whatever is answered and asked for, and whenever the power is cut: nobody judges its own
    /// work where that is not wanted; a limit never counts; nobody is called who is limited; a
    /// plan that was paid for is not made again in the same attempt; no attempt is judged twice;
    /// calls are bounded; the log replays; the run ends.
    ///
    /// Proves I18, I19, I20.
    #[test]
    fn a_limit_costs_nothing_but_time(
        answers in proptest::collection::vec(any_answer(), 0..60),
        requests in proptest::collection::vec(any_request(), 0..40),
        cuts in proptest::collection::vec((0usize..60, 0usize..4), 0..4),
        charter in any_charter(),
    ) {
        let mut world = Script::new(answers);
        world.requests = requests.into();
        let mut events = vec![];
        let calm = (100_000, 0);
        let mut cuts = cuts.into_iter().chain(std::iter::repeat_n(calm, LIVES_MAX));
        loop {
            let Some((power, kept)) = cuts.next() else {
                prop_assert!(false, "the run does not end");
                break;
            };
            world.power = power;
            let life = live(world, events, 100_000, &charter);
            world = life.world;
            let Some(outcome) = life.outcome else {
                events = life.log.after_a_cut(kept);
                continue;
            };
            events = life.log.events;
            prop_assert_eq!(&replay(&events).unwrap(), &life.state);
            let is_over = |reason| matches!(reason, EndReason::Done | EndReason::NothingRunnable);
            if let Outcome::Ended(RunEnded { reason, .. }) = outcome && is_over(reason) {
                break;
            }
        }
        prop_assert!(!world.is_dirty);
        let mut follow = Follow::default();
        for event in &events {
            if let Err(wrong) = follow.saw(event, &charter) {
                prop_assert!(false, "event {}: {}", event.seq, wrong);
            }
        }
    }
}
