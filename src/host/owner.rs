//! Who holds a lock, as the lock file tells it.

use std::fmt::Write as _;
use std::path::Path;

use super::{clock, files};
use crate::engine::id::RunId;

/// What is believed of one value, in characters.
const VALUE_MAX: usize = 256;

/// What is read of a file of the system, in bytes.
const PROC_MAX: u64 = 4096;

/// Who holds a lock, in its own words. For people: nothing is decided on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Process number.
    pub pid: Option<u32>,
    /// Name of its machine.
    pub host: String,
    /// When the process started, in clock ticks since its machine did; tells a process from a
    /// later one of the same number.
    pub started: Option<u64>,
    /// Since when it has held the lock.
    pub since: String,
    /// Its command line.
    pub command: String,
    /// Its run.
    pub run: String,
}

impl Owner {
    /// This process.
    pub fn this_process(command: &str, run: Option<&RunId>) -> Self {
        Self {
            pid: Some(std::process::id()),
            host: host(),
            started: started_at(std::process::id()),
            since: clock::now().to_string(),
            command: command.to_owned(),
            run: run.map_or_else(String::new, |run| run.as_str().to_owned()),
        }
    }

    /// Whether a process of this machine is the one described: a number alone may have gone to
    /// another.
    pub fn is_running_here(&self) -> bool {
        let Some(pid) = self.pid else { return false };
        self.host == host() && self.started.is_some() && started_at(pid) == self.started
    }

    pub(super) fn write(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: &str| {
            writeln!(text, "{key}: {}", plain(value)).expect("a string takes what it is given");
        };
        line("pid", &self.pid.map(|pid| pid.to_string()).unwrap_or_default());
        line("host", &self.host);
        line("started", &self.started.map(|ticks| ticks.to_string()).unwrap_or_default());
        line("since", &self.since);
        line("command", &self.command);
        line("run", &self.run);
        text
    }

    pub(super) fn read(text: &str) -> Self {
        let value = |wanted: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once(": "));
            plain(pairs.find(|(key, _)| *key == wanted).map_or("", |(_, value)| value))
        };
        Self {
            pid: value("pid").parse().ok(),
            host: value("host"),
            started: value("started").parse().ok(),
            since: value("since"),
            command: value("command"),
            run: value("run"),
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => write!(f, "an unknown process")?,
        }
        for (word, value) in [
            ("on", &self.host),
            ("since", &self.since),
            ("running", &self.command),
            ("run", &self.run),
        ] {
            if !value.is_empty() {
                write!(f, " {word} {value}")?;
            }
        }
        Ok(())
    }
}

/// The text on one line, without what could move a cursor or change the order of letters.
fn plain(text: &str) -> String {
    let is_bidi = |char| matches!(char, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let safe = |char: char| if char.is_control() || is_bidi(char) { ' ' } else { char };
    text.trim().chars().take(VALUE_MAX).map(safe).collect()
}

/// The machine's name; empty where the system does not say.
fn host() -> String {
    let name = files::read_bounded(Path::new("/proc/sys/kernel/hostname"), PROC_MAX);
    plain(&String::from_utf8_lossy(&name.unwrap_or_default()))
}

/// Start time of a process: the 22nd field of its `stat`, counted behind the name, which may hold
/// anything.
fn started_at(pid: u32) -> Option<u64> {
    let bytes = files::read_bounded(Path::new(&format!("/proc/{pid}/stat")), PROC_MAX).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_forge_another_line() {
        let owner = Owner { command: "x\npid: 1".to_owned(), ..Owner::default() };
        assert_eq!(Owner::read(&owner.write()).pid, None);
    }

    #[test]
    fn a_number_that_went_to_another_process_is_not_the_owner() {
        let owner = Owner::this_process("x", None);
        assert!(owner.is_running_here());
        let earlier = Owner { started: owner.started.map(|ticks| ticks - 1), ..owner.clone() };
        assert!(!earlier.is_running_here());
        assert!(!Owner { host: "elsewhere".to_owned(), ..owner }.is_running_here());
    }
}
