//! The system's table of processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal, waitpid,
};

/// The kernel takes environments up to a quarter of the stack limit; nobody needs more than this.
const ENVIRONMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One process for all time: numbers are used again, but not with the same start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) pid: i32,
    start: u64,
}

impl Id {
    /// When it started, in the kernel's ticks.
    pub(super) fn start(self) -> u64 {
        self.start
    }

    /// Sends the signal, if the process is still this one. Whether it arrived is seen later.
    pub(super) fn signal(self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let handle = pidfd_open(pid, PidfdFlags::empty());
        if Stat::read(self.pid).is_none_or(|stat| stat.id != self) {
            return;
        }
        let sent = match handle {
            Ok(handle) => pidfd_send_signal(handle, signal),
            Err(Errno::NOSYS) => kill_process(pid, signal),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::debug!(pid = self.pid, %error, "signal not sent");
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) id: Id,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// Nothing of it runs any more; it waits to be reaped.
    pub(super) is_dead: bool,
}

impl Stat {
    pub(super) fn read(pid: i32) -> Option<Self> {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&text))
    }

    /// The name of the program is in parentheses and may hold any character, these included.
    fn parse(pid: i32, text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let threads: u32 = fields.get(17)?.parse().ok()?;
        Some(Self {
            id: Id { pid, start: fields.get(19)?.parse().ok()? },
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            // A main thread that is gone looks the same while other threads go on.
            is_dead: matches!(*fields.first()?, "Z" | "X") && threads <= 1,
        })
    }
}

/// Every process at one moment, more or less.
#[derive(Debug, Default)]
pub(super) struct Table {
    stats: BTreeMap<i32, Stat>,
    children: BTreeMap<i32, Vec<i32>>,
}

impl Table {
    pub(super) fn read() -> Self {
        let Ok(entries) = fs::read_dir("/proc") else { return Self::default() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self::of(pids.filter_map(Stat::read))
    }

    fn of(stats: impl Iterator<Item = Stat>) -> Self {
        let mut table = Self::default();
        for stat in stats {
            table.children.entry(stat.parent).or_default().push(stat.id.pid);
            table.stats.insert(stat.id.pid, stat);
        }
        table
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Stat> {
        self.stats.values().copied()
    }

    pub(super) fn children(&self, pid: i32) -> impl Iterator<Item = Stat> {
        let pids = self.children.get(&pid).map_or(&[][..], Vec::as_slice);
        pids.iter().filter_map(|pid| self.stats.get(pid).copied())
    }

    pub(super) fn holds(&self, id: Id) -> bool {
        self.stats.get(&id.pid).is_some_and(|stat| stat.id == id)
    }

    /// The process and all its descendants, but nothing below one that `leaves_out` names.
    pub(super) fn tree(&self, root: i32, leaves_out: &dyn Fn(Stat) -> bool) -> Vec<Stat> {
        let mut found: BTreeMap<i32, Stat> = BTreeMap::new();
        let mut open = vec![root];
        while let Some(pid) = open.pop() {
            let Some(stat) = self.stats.get(&pid).copied() else { continue };
            if leaves_out(stat) || found.insert(pid, stat).is_some() {
                continue;
            }
            open.extend(self.children(pid).map(|child| child.id.pid));
        }
        found.into_values().collect()
    }
}

/// Processes that have to end.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) ids: BTreeSet<Id>,
    /// Process groups that hold nothing else: one signal reaches all of it at the same time, even
    /// what is being born. Anybody in a session can join any of its groups, so this has to be
    /// looked at.
    pub(super) groups: BTreeSet<i32>,
}

impl Left {
    pub(super) fn of(ids: BTreeSet<Id>, table: &Table) -> Self {
        let others = table.all().filter(|stat| !stat.is_dead && !ids.contains(&stat.id));
        let others: BTreeSet<i32> = others.map(|stat| stat.group).collect();
        let groups = ids.iter().filter_map(|id| table.stats.get(&id.pid).map(|stat| stat.group));
        let groups = groups.filter(|group| *group > 1 && !others.contains(group)).collect();
        Self { ids, groups }
    }
}

/// A variable in the environment a process was started with. `None`: it has none of that name, or
/// it does not belong to us.
pub(super) fn variable(pid: i32, name: &str) -> Option<Vec<u8>> {
    let file = fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    let mut bytes = Vec::new();
    file.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let mut entries = bytes.split(|byte| *byte == 0);
    let value =
        entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(value.to_vec())
}

/// Takes a dead child off the table. Whether it was one does not matter.
pub(super) fn reap(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid)
        && let Err(error) = waitpid(Some(pid), rustix::process::WaitOptions::NOHANG)
    {
        tracing::debug!(%error, "not reaped");
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn line(name: &str, state: &str, threads: u32) -> String {
        format!("7 ({name}) {state} 3 5 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 999 0")
    }

    #[rstest]
    #[case::plain("sh", "S", 1, false)]
    #[case::hostile_name(") Z 1 1 (", "R", 1, false)]
    #[case::dead("sh", "Z", 1, true)]
    #[case::only_the_main_thread_is_dead("sh", "Z", 2, false)]
    fn a_line_is_read(
        #[case] name: &str,
        #[case] state: &str,
        #[case] threads: u32,
        #[case] is_dead: bool,
    ) {
        let stat = Stat::parse(7, &line(name, state, threads)).unwrap();
        assert_eq!(stat, Stat { id: Id { pid: 7, start: 999 }, parent: 3, group: 5, is_dead });
    }

    #[test]
    fn a_torn_line_is_no_process() {
        assert_eq!(Stat::parse(7, "7 (sh) S 3"), None);
    }

    #[test]
    fn a_group_is_only_left_when_all_of_it_is() {
        let stat =
            |pid, group, is_dead| Stat { id: Id { pid, start: 0 }, parent: 1, group, is_dead };
        let stats = [
            stat(2, 2, false),
            stat(3, 2, true),
            stat(4, 4, false),
            stat(5, 4, false),
            stat(6, 0, false),
        ];
        let table = Table::of(stats.into_iter());
        let left = Left::of([2, 4, 6].map(|pid| Id { pid, start: 0 }).into(), &table);
        assert_eq!(left.groups, BTreeSet::from([2]));
    }

    #[test]
    fn a_tree_stops_where_it_is_told_and_at_circles() {
        let stat =
            |pid, parent| Stat { id: Id { pid, start: 0 }, parent, group: 0, is_dead: false };
        let table =
            Table::of([stat(1, 4), stat(2, 1), stat(3, 2), stat(4, 1), stat(9, 8)].into_iter());
        let pids = |leave_out: i32| -> Vec<i32> {
            let tree = table.tree(1, &|stat| stat.id.pid == leave_out);
            tree.into_iter().map(|stat| stat.id.pid).collect()
        };
        assert_eq!(pids(0), [1, 2, 3, 4]);
        assert_eq!(pids(2), [1, 4]);
    }
}
