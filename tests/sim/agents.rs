//! What agents do and say, for any number of attempts, fixed before the first.

use std::collections::BTreeMap;

use looper::engine::charter::Stage;
use looper::engine::id::TaskId;
use looper::engine::report::Class;
use looper::engine::verdict::Verdict;

use crate::dice::Dice;

/// One thing an agent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Writes a file.
    Write(&'static str, String),
    /// Adds to a file: done twice, it shows.
    Append(&'static str, String),
    Delete(&'static str),
    /// Commits everything by itself.
    Commit,
    /// Checks out a branch of its own.
    Branch,
    /// Stages everything.
    Stage,
    /// Lays a hook.
    Hook,
    /// Leaves a lock of git's behind.
    Lock,
    /// Forges the backlog.
    Backlog,
    /// Makes what git cannot hold.
    Pipe(&'static str),
}

/// How a stage ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Well, and with a verdict of PASS where one is asked for.
    Ok,
    Class(Class),
    Verdict(Option<Verdict>),
    /// A verify command ends with this exit code, or by a signal.
    Exit(Option<i32>),
    /// A verify command does not end in time.
    Slow,
    /// A person interrupts it.
    Signal,
}

impl Says {
    /// How often it happens, where nothing of it counts: a limit ends, a person logs in.
    pub(crate) fn times(&self) -> Option<u32> {
        match self {
            Self::Class(Class::Overloaded) => Some(2),
            Self::Class(Class::RateLimited | Class::NoCredit | Class::Auth) | Self::Signal => {
                Some(1)
            }
            Self::Class(_) | Self::Ok | Self::Verdict(_) | Self::Exit(_) | Self::Slow => None,
        }
    }
}

/// One call of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) acts: Vec<Act>,
    pub(crate) says: Says,
}

/// Which call: interruptions do not count, so that a crash changes nothing of what agents do.
pub(crate) type Key = (TaskId, Stage, u32);

/// What all agents do.
#[derive(Clone, Debug)]
pub(crate) enum Turns {
    /// As listed, and otherwise well.
    Listed(BTreeMap<Key, Turn>),
    /// Drawn: trouble in one of so many stages.
    Drawn { seed: u64, one_in: u64 },
}

impl Turns {
    pub(crate) fn of(&self, key: &Key) -> Turn {
        match self {
            Self::Listed(turns) => turns.get(key).cloned().unwrap_or_else(|| good(key)),
            Self::Drawn { seed, one_in } => {
                let mut dice = Dice::new(*seed);
                for byte in key.0.as_str().bytes() {
                    dice = Dice::new(dice.next() ^ u64::from(byte));
                }
                let mut dice = Dice::new(dice.next() ^ (key.1 as u64) << 32 ^ u64::from(key.2));
                drawn(key, &mut dice, *one_in)
            }
        }
    }
}

/// A turn in which everything goes well. What is written shows who wrote it, and how often.
pub(crate) fn good(key: &Key) -> Turn {
    let (task, stage, chance) = key;
    let acts = match stage {
        Stage::Implement => vec![
            Act::Write("src/new.rs", format!("{task} {chance}\n")),
            Act::Append("src/a.rs", format!("{task}\n")),
            Act::Write("ignored/cache", format!("{task}\n")),
        ],
        Stage::Plan | Stage::PlanCritique | Stage::Verify | Stage::ImplCritique => vec![],
    };
    Turn { acts, says: Says::Ok }
}

fn drawn(key: &Key, dice: &mut Dice, one_in: u64) -> Turn {
    let mut turn = good(key);
    if dice.one_in(one_in) {
        turn.says = trouble(key.1, dice);
    }
    let says = format!("{} {} {:?}\n", key.0, key.2, key.1);
    while dice.one_in(one_in) {
        turn.acts.push(match dice.below(if key.1 == Stage::Implement { 12 } else { 8 }) {
            0 => Act::Commit,
            1 => Act::Branch,
            2 => Act::Stage,
            3 => Act::Hook,
            4 => Act::Lock,
            5 => Act::Backlog,
            6 => Act::Append("src/a.rs", says.clone()),
            7 => Act::Write("out.bin", says.clone()),
            8 => Act::Write(".env", says.clone()),
            9 => Act::Write("src/b.rs", "SECRET\n".to_owned()),
            10 => Act::Delete("src/b.rs"),
            _ => Act::Pipe("src/pipe"),
        });
    }
    turn
}

/// Every way in which an agent can fail.
pub(crate) const FAILURES: [Class; 11] = [
    Class::RateLimited,
    Class::Overloaded,
    Class::NoCredit,
    Class::Auth,
    Class::Context,
    Class::TimedOut,
    Class::Idle,
    Class::Crashed,
    Class::Empty,
    Class::Missing,
    Class::DiskFull,
];

/// Every ruling but a pass.
pub(crate) const REFUSALS: [Option<Verdict>; 6] = [
    None,
    Some(Verdict::Fail),
    Some(Verdict::Blocked),
    Some(Verdict::ScopeExpand),
    Some(Verdict::SplitTask),
    Some(Verdict::DependencyInsert),
];

/// How a stage can go wrong.
pub(crate) fn troubles(stage: Stage) -> Vec<Says> {
    let mut all = vec![Says::Signal];
    match stage {
        Stage::Verify => all.extend([Says::Exit(Some(1)), Says::Exit(None), Says::Slow]),
        Stage::Plan | Stage::PlanCritique | Stage::Implement | Stage::ImplCritique => {
            all.extend(FAILURES.map(Says::Class));
        }
    }
    if matches!(stage, Stage::PlanCritique | Stage::ImplCritique) {
        all.extend(REFUSALS.map(Says::Verdict));
    }
    all
}

fn trouble(stage: Stage, dice: &mut Dice) -> Says {
    dice.pick(&troubles(stage)).clone()
}
