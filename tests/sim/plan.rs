//! What one run of the simulation is made of, drawn from its seed.

use std::collections::BTreeMap;

use looper::engine::charter::Stage;
use looper::engine::recovery::Recovery;

use crate::agents::{Key, Turn, Turns};
use crate::dice::Dice;
use crate::fault::Fault;

/// All stages.
pub(crate) const FULL: [Stage; 5] =
    [Stage::Plan, Stage::PlanCritique, Stage::Implement, Stage::Verify, Stage::ImplCritique];

/// When processes die.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// Each at such a step, one after the other; then no more.
    Listed(Vec<(u64, Fault)>),
    /// So many, each within so many steps, of these kinds.
    Drawn { lives: u64, steps: u64, kinds: Vec<Fault> },
}

/// Everything that is fixed before a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) stages: Vec<Stage>,
    pub(crate) commit_on_pass: bool,
    pub(crate) allow_dirty: bool,
    pub(crate) iterations: u32,
    pub(crate) tokens: u64,
    /// How many agents each role has.
    pub(crate) agents: usize,
    /// What follows where one of them cannot be had.
    pub(crate) recovery: Option<Recovery>,
    /// Whether implementers report an allowance that is nearly used up.
    pub(crate) is_near_the_wall: bool,
    pub(crate) backlog: String,
    pub(crate) turns: Turns,
    pub(crate) faults: Faults,
    /// A signal or a wish to stop, in one of so many moments; 0: never.
    pub(crate) requests_one_in: u64,
    /// The transaction is lost, old or unreadable before one of so many starts; 0: never.
    pub(crate) transaction_lost_one_in: u64,
    /// People do something between one of so many lives; 0: never.
    pub(crate) people_one_in: u64,
    /// Whether somebody wants to know where each life was.
    pub(crate) is_traced: bool,
}

/// One task as a backlog has it.
pub(crate) fn task_text(id: &str, verify: &str, depends: &str) -> String {
    format!(
        "- [ ] Task {id}: Do {id}\n  - Size: Small\n  - Files: src/*.rs\n  - Description: It is \
         done.\n  - Completion criteria:\n    - [ ] It is.\n    - [ ] verify: `{verify}`\n  - \
         Depends: {depends}\n  - Fail count: 0\n\n"
    )
}

fn backlog(tasks: &[String]) -> String {
    format!("# Backlog\n\n{}", tasks.concat())
}

/// Terms as somebody may set them.
fn recovery(agents: usize, dice: &mut Dice) -> Recovery {
    Recovery {
        overloaded: *dice.pick(&[0, 1, 2, 3]),
        empty: *dice.pick(&[0, 1]),
        pause_s: *dice.pick(&[0, 5]),
        failover: dice.one_in(2),
        quota_percent: *dice.pick(&[0, 90]),
        apart: (agents > 1 && dice.one_in(2)).then(BTreeMap::new),
    }
}

impl Plan {
    /// One task, all stages, no faults, and agents that do well.
    pub(crate) fn calm() -> Self {
        Self {
            seed: 0,
            stages: FULL.to_vec(),
            commit_on_pass: true,
            allow_dirty: false,
            iterations: 0,
            tokens: 0,
            agents: 1,
            recovery: None,
            is_near_the_wall: false,
            backlog: backlog(&[task_text("1.1", "test -f src/kept.rs", "none")]),
            turns: Turns::Listed(BTreeMap::new()),
            faults: Faults::Listed(vec![]),
            requests_one_in: 0,
            transaction_lost_one_in: 0,
            people_one_in: 0,
            is_traced: true,
        }
    }

    /// The same with these turns.
    pub(crate) fn with(turns: impl IntoIterator<Item = (Key, Turn)>) -> Self {
        Self { turns: Turns::Listed(turns.into_iter().collect()), ..Self::calm() }
    }

    /// Whatever a seed gives: each has its own rates.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let stages = match dice.below(5) {
            0 => vec![Stage::Implement, Stage::Verify],
            1 => vec![Stage::Implement, Stage::Verify, Stage::ImplCritique],
            _ => FULL.to_vec(),
        };
        let hopeless = if dice.one_in(4) { "sudo true" } else { "true" };
        let tasks = [
            task_text("1.1", "test -f src/kept.rs", "none"),
            task_text("1.2", hopeless, "none"),
            task_text("1.3", "true", "1.1"),
        ];
        let count = usize::try_from(dice.below(3)).expect("small") + 1;
        let kinds = match dice.below(5) {
            0 => vec![Fault::Kill],
            1 => vec![Fault::PowerCut],
            2 => vec![Fault::Disk],
            _ => Fault::ALL.to_vec(),
        };
        let steps = *dice.pick(&[30, 80, 200, 400]);
        let agents = *dice.pick(&[1, 2, 3]);
        Self {
            seed,
            stages,
            commit_on_pass: !dice.one_in(4),
            allow_dirty: dice.one_in(3),
            iterations: *dice.pick(&[0, 0, 0, 1, 2]),
            tokens: *dice.pick(&[0, 0, 0, 25]),
            agents,
            recovery: (!dice.one_in(4)).then(|| recovery(agents, &mut dice)),
            is_near_the_wall: dice.one_in(4),
            backlog: backlog(&tasks[..count]),
            turns: Turns::Drawn { seed: dice.next(), one_in: *dice.pick(&[3, 6, 12, 40]) },
            faults: Faults::Drawn { lives: dice.below(7), steps, kinds },
            requests_one_in: *dice.pick(&[0, 0, 0, 20, 60]),
            transaction_lost_one_in: *dice.pick(&[0, 0, 2, 5]),
            people_one_in: *dice.pick(&[0, 0, 0, 2]),
            is_traced: false,
        }
    }

    /// The same without anything from outside: the end must not differ.
    pub(crate) fn undisturbed(&self) -> Self {
        Self {
            faults: Faults::Listed(vec![]),
            requests_one_in: 0,
            transaction_lost_one_in: 0,
            people_one_in: 0,
            ..self.clone()
        }
    }
}
