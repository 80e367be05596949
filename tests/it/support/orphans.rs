//! Processes that belong to one project of one test, wherever they hang.

use std::fs;
use std::process::Command;

/// The variable that every process of a project carries; its value is the project's place.
pub(super) const VARIABLE: &str = "LOOPER_KIT";

/// Processes whose environment carries the mark, with their command lines.
pub(super) fn of(mark: &str) -> Vec<(i32, String)> {
    let wanted = format!("{VARIABLE}={mark}");
    let Ok(entries) = fs::read_dir("/proc") else { return vec![] };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_its = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    let named = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        (pid, String::from_utf8_lossy(&line).replace('\0', " "))
    };
    pids.filter(is_its).map(named).collect()
}

/// Ends them all by force.
pub(super) fn kill(mark: &str) {
    for (pid, _) in of(mark) {
        // It may have ended in the meantime.
        drop(Command::new("kill").args(["-9", &pid.to_string()]).output());
    }
}
