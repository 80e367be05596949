//! What an agent has started, found without any help from what is tested.

use std::fs;
use std::path::Path;

/// Processes of the first implementer of this project, and whatever else has this word among its
/// arguments. A process that has ended and was not waited for yet has neither.
pub(crate) fn of_implementer(place: &Path, word: &str) -> Vec<String> {
    let project = format!("LOOPER_KIT={}", place.display());
    let marks = [&project, "LOOPER_STAGE=implement", "LOOPER_ATTEMPT=1"];
    let works = |process: &Process| {
        marks.iter().all(|mark| process.environment.iter().any(|entry| entry == mark))
    };
    let found = all().into_iter().filter(|process| works(process) || process.has(word));
    found.map(|process| format!("{} {}", process.pid, process.arguments.join(" "))).collect()
}

/// Whether a command with this word among its arguments runs by itself, not as the text of a shell.
pub(crate) fn runs(word: &str) -> bool {
    all().iter().any(|process| process.arguments.iter().any(|argument| argument == word))
}

/// The processes that this one has started.
pub(crate) fn children_of(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

struct Process {
    pid: i32,
    arguments: Vec<String>,
    environment: Vec<String>,
}

impl Process {
    fn has(&self, word: &str) -> bool {
        self.arguments.iter().any(|argument| argument.contains(word))
    }
}

fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("there is one");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let list = |pid: i32, name: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let entries = bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
    };
    pids.map(|pid| Process {
        pid,
        arguments: list(pid, "cmdline"),
        environment: list(pid, "environ"),
    })
    .collect()
}
