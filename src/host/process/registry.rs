//! Which children this process started itself, so that all others are known to be left over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};

use super::procfs::{Id, Left, Stat, Table, reap, variable};

/// The variable that tells apart what different calls of `run` started.
pub const PROCESS_VARIABLE: &str = "LOOPER_PROCESS";

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { leaders: BTreeMap::new(), owns_children: false, started: 0 });

#[derive(Debug)]
struct Registry {
    /// Children that were started here and are not reaped, with their marks.
    leaders: BTreeMap<i32, String>,
    /// Whether every other child is left over by one of them.
    owns_children: bool,
    started: u64,
}

/// Makes every descendant that loses its parent a child of this process, for its whole life.
/// From here on each child that was not started by [`run`](super::run()) is taken for left over and
/// ended, so a process that starts others in other ways must not call this.
///
/// # Errors
/// The system does not know subreapers.
pub fn become_subreaper() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    registry().owns_children = true;
    Ok(())
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn own_pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// A child that was started here and is not reaped yet.
#[derive(Debug)]
pub(super) struct Leader {
    pub(super) pid: i32,
    mark: String,
}

impl Leader {
    /// Starts a child. Nobody can look at the children between its birth and its entry.
    pub(super) fn start<C>(
        spawn: impl FnOnce(&str) -> io::Result<(i32, C)>,
    ) -> io::Result<(Self, C)> {
        let mut registry = registry();
        registry.started += 1;
        let own = own_pid();
        let birth = Stat::read(own).map_or(0, |stat| stat.id.start());
        let mark = format!("{own}.{birth}.{}", registry.started);
        let (pid, child) = spawn(&mark)?;
        registry.leaders.insert(pid, mark.clone());
        Ok((Self { pid, mark }, child))
    }

    /// It is reaped: its number may now belong to somebody else.
    pub(super) fn forget(&self) {
        registry().leaders.remove(&self.pid);
    }

    /// What it has started and what still hangs on it, while it is not reaped.
    pub(super) fn descendants(&self) -> Vec<Stat> {
        let mut tree = Table::read().tree(self.pid, &|stat| stat.is_dead);
        tree.retain(|stat| stat.id.pid != self.pid);
        tree
    }

    /// What is left of it after it is reaped; dead children among it are reaped on the way.
    /// `remembered` are processes known to be its own.
    pub(super) fn leftovers(&self, remembered: &BTreeSet<Id>) -> Left {
        if registry().owns_children && has_no_children() {
            return Left::default();
        }
        let table = Table::read();
        let registry = registry();
        let own = own_pid();
        let mut roots: BTreeSet<i32> = if registry.owns_children {
            let is_mine = |stat: &Stat| registry.is_left_by(self, stat.id.pid);
            table.children(own).filter(is_mine).map(|stat| stat.id.pid).collect()
        } else {
            let is_mine = |stat: &Stat| stat.group == self.pid || self.marked(stat.id.pid);
            table.all().filter(is_mine).map(|stat| stat.id.pid).collect()
        };
        roots.extend(remembered.iter().filter(|id| table.holds(**id)).map(|id| id.pid));
        let not_its =
            |stat: Stat| stat.id.pid == own || registry.leaders.contains_key(&stat.id.pid);
        let mut left = BTreeSet::new();
        for stat in roots.into_iter().flat_map(|root| table.tree(root, &not_its)) {
            if !stat.is_dead {
                left.insert(stat.id);
            } else if stat.parent == own {
                reap(stat.id.pid);
            }
        }
        Left::of(left, &table)
    }

    fn marked(&self, pid: i32) -> bool {
        variable(pid, PROCESS_VARIABLE).is_some_and(|mark| mark == self.mark.as_bytes())
    }
}

impl Registry {
    /// Whose child without an entry is this? The mark tells, as long as nobody removed it. Where it
    /// does not, the child goes to the last run that is still there to end it.
    fn is_left_by(&self, leader: &Leader, pid: i32) -> bool {
        if self.leaders.contains_key(&pid) {
            return false;
        }
        match variable(pid, PROCESS_VARIABLE) {
            Some(mark) if mark == leader.mark.as_bytes() => true,
            Some(mark) if self.leaders.values().any(|other| mark == other.as_bytes()) => false,
            _ => self.leaders.is_empty(),
        }
    }
}

/// Reaps what died without a parent of its own while something else goes on running.
pub(super) fn reap_orphans() {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if !registry().owns_children || !matches!(waitid(WaitId::All, look), Ok(Some(_))) {
        return;
    }
    let table = Table::read();
    let registry = registry();
    for stat in table.children(own_pid()) {
        if stat.is_dead && !registry.leaders.contains_key(&stat.id.pid) {
            reap(stat.id.pid);
        }
    }
}

/// One call instead of the whole table: the answer for nearly every program that ends.
fn has_no_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}
