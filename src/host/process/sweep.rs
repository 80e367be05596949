//! Ends what is left.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process_group};
use tokio::time::{Instant, sleep};

use super::procfs::{Id, Left, Stat, Table, variable};
use crate::engine::id::RunId;

/// The variable that says for which run a process works.
pub const RUN_VARIABLE: &str = "LOOPER_RUN";

/// Pauses between looks: short first, because most processes end at once.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(25);

/// Looks after the grace period. What is there after five seconds of SIGKILL hangs in the kernel or
/// belongs to somebody else.
const KILL_ROUNDS_MAX: u32 = 200;

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Processes that were there and are gone.
    pub ended: u32,
    /// Processes that are still there.
    pub survivors: u32,
}

/// Ends every process that works for this run, wherever it is: those whose environment says so and
/// what they started, except what says that it works for another run. Never this process, nor what
/// it started. For the time after a kill of `looper`, when agents are still at work.
pub async fn sweep_run(run: &RunId, grace: Duration) -> Swept {
    sweep_marked(RUN_VARIABLE, run.as_str().as_bytes(), grace).await
}

/// The same for processes whose environment has this variable with this value.
pub async fn sweep_marked(name: &str, value: &[u8], grace: Duration) -> Swept {
    sweep(Instant::now() + grace, &BTreeSet::new(), || left_of(name, value)).await
}

/// The processes that still work for a run whose `looper` is gone.
pub fn left_running(run: &RunId) -> Vec<i32> {
    let left = left_of(RUN_VARIABLE, run.as_str().as_bytes());
    left.ids.into_iter().map(|id| id.pid).collect()
}

fn left_of(name: &str, value: &[u8]) -> Left {
    let table = Table::read();
    let own = getpid().as_raw_nonzero().get();
    let mark_of = |pid: i32| variable(pid, name);
    let is_its = |stat: &Stat| mark_of(stat.id.pid).is_some_and(|mark| mark == value);
    let not_its =
        |stat: Stat| stat.id.pid == own || mark_of(stat.id.pid).is_some_and(|mark| mark != value);
    let started_here = table.tree(own, &|_| false);
    let is_ours = |stat: &Stat| started_here.iter().any(|ours| ours.id == stat.id);
    let mut left = BTreeSet::new();
    for root in table.all().filter(|stat| is_its(stat) && !is_ours(stat)) {
        let tree = table.tree(root.id.pid, &not_its);
        left.extend(tree.into_iter().filter(|stat| !stat.is_dead).map(|stat| stat.id));
    }
    Left::of(left, &table)
}

/// Asks everything that `look` finds to end, unless it was `asked` before, waits for it until
/// `patience` is over, and then ends it, again and again until nothing is found.
pub(super) async fn sweep(
    patience: Instant,
    asked: &BTreeSet<Id>,
    look: impl Fn() -> Left,
) -> Swept {
    let mut seen = BTreeSet::new();
    let mut pause = PAUSE_MIN;
    let mut kill_rounds = 0;
    loop {
        let left = look();
        let ended = count(seen.difference(&left.ids).count());
        if left.ids.is_empty() || kill_rounds == KILL_ROUNDS_MAX {
            return Swept { ended, survivors: count(left.ids.len()) };
        }
        let before = seen.len();
        if Instant::now() < patience {
            let new = left.ids.difference(&seen).filter(|id| !asked.contains(id));
            new.copied().for_each(ask_to_end);
        } else {
            kill(&left);
            kill_rounds += 1;
        }
        seen.extend(left.ids);
        // What multiplies must not gain time.
        pause = if seen.len() > before { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        sleep(pause).await;
    }
}

fn kill(left: &Left) {
    for group in left.groups.iter().filter_map(|group| Pid::from_raw(*group)) {
        if let Err(error) = kill_process_group(group, Signal::KILL) {
            tracing::debug!(group = group.as_raw_nonzero().get(), %error, "signal not sent");
        }
    }
    for id in &left.ids {
        id.signal(Signal::KILL);
    }
}

/// A stopped process takes the request only when it goes on.
pub(super) fn ask_to_end(id: Id) {
    id.signal(Signal::TERM);
    id.signal(Signal::CONT);
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
