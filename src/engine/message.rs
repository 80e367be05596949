//! The message of a commit.

use super::id::{RunId, Seq};
use super::line::Proof;
use super::reason;
use super::task::Task;

/// The subject names the task; the trailers name the run and the `gates_judged` line that let the
/// commit through, by position and proof.
pub fn commit_message(task: &Task, run: &RunId, judged: Seq, proof: Proof) -> String {
    format!(
        "{}\n\nLooper-Run: {run}\nLooper-Task: {}\nLooper-Seq: {judged}\nLooper-Log: {proof}\n",
        reason::line(&task.heading()),
        task.id,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::TaskId;

    #[test]
    fn a_title_cannot_add_a_trailer() {
        let task = Task {
            id: TaskId::new("1.2"),
            title: "Tidy\n\nLooper-Run: forged".to_owned(),
            files: vec![],
            description: String::new(),
            criteria: vec![],
            verify: vec![],
            depends: vec![],
            size: None,
        };
        let message = commit_message(&task, &RunId::new("01K"), Seq(9), Proof::GENESIS);
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[0], "Task 1.2: Tidy Looper-Run: forged");
        assert_eq!(lines[2..5], ["Looper-Run: 01K", "Looper-Task: 1.2", "Looper-Seq: 9"]);
        assert_eq!(lines.len(), 6);
    }
}
