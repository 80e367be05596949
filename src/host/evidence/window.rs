//! The latest of what happened, short enough for an agent to read.

use crate::engine::charter::Policy;
use crate::engine::id::{CommitId, TaskId};
use crate::engine::task::Task;
use crate::engine::text::one_line;
use crate::engine::verdict::Verdict;
use crate::host::prompts::fence::code;

/// How many attempts are told.
const ATTEMPTS_MAX: usize = 5;

/// How many paths and commands of the task are told. The prompt has them all.
const ITEMS_MAX: usize = 20;

/// Characters of a line's text.
const LINE_MAX: usize = 220;

/// What the window shows.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The task in hand.
    pub current: Option<CurrentTask<'a>>,
    /// What attempts are judged by.
    pub policy: &'a Policy,
    /// The state directory, as an agent would write it.
    pub state_dir: &'a str,
    /// Attempts that ended, oldest first; only the last few are shown.
    pub attempts: &'a [PastAttempt<'a>],
}

/// The task in hand.
#[derive(Clone, Copy, Debug)]
pub struct CurrentTask<'a> {
    /// The task.
    pub task: &'a Task,
    /// Which attempt at it.
    pub attempt: u32,
    /// Consecutive failures.
    pub fail_count: u32,
    /// The last ruling of a critic.
    pub last_verdict: Option<Verdict>,
    /// Why the last attempt failed.
    pub last_failure: Option<&'a str>,
    /// Where the last attempt's evidence lies.
    pub evidence: Option<&'a str>,
}

/// An attempt that ended.
#[derive(Clone, Copy, Debug)]
pub struct PastAttempt<'a> {
    /// Its number over the project's life.
    pub number: u64,
    /// Whose it was.
    pub task: &'a TaskId,
    /// The task's title.
    pub title: &'a str,
    /// Which attempt at the task.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome<'a>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// The change was kept, in this commit unless commits are off.
    Passed(Option<&'a CommitId>),
    /// It was undone, for this reason.
    Failed(&'a str),
    /// It was undone and the task waits for a person, for this reason.
    Blocked(&'a str),
    /// It was cut short and undone.
    Interrupted,
}

/// Writes the window. Its size is bounded, and no line of it can be taken for a ruling.
pub fn progress_window(window: &Window<'_>) -> String {
    let mut text = String::from("# Progress Window\n\n## Current Task\n\n");
    match &window.current {
        Some(current) => current_task(&mut text, current),
        None => text.push_str("none\n"),
    }
    constraints(&mut text, window);
    let first = window.attempts.len().saturating_sub(ATTEMPTS_MAX);
    let latest = &window.attempts[first..];
    text.push_str(&format!(
        "\n## Recent Attempts ({} of {})\n\n",
        latest.len(),
        window.attempts.len()
    ));
    for past in latest.iter().rev() {
        text.push_str(&format!(
            "- loop-{}: Task {}: {} (attempt {}): {}\n",
            past.number,
            one_line(past.task.as_str(), LINE_MAX),
            one_line(past.title, LINE_MAX),
            past.attempt,
            outcome(&past.outcome),
        ));
    }
    if latest.is_empty() {
        text.push_str("none\n");
    }
    text
}

fn current_task(text: &mut String, current: &CurrentTask<'_>) {
    let verdict = current.last_verdict.map_or("none", Verdict::word);
    text.push_str(&format!(
        "{}\n\n- Attempt: {}\n- Fail count: {}\n- Last verdict: {verdict}\n",
        one_line(&current.task.heading(), LINE_MAX),
        current.attempt,
        current.fail_count,
    ));
    if let Some(failure) = current.last_failure {
        text.push_str(&format!("- Last failure: {}\n", one_line(failure, 300)));
    }
    if let Some(evidence) = current.evidence {
        text.push_str(&format!("- Evidence path: {}\n", code(evidence, LINE_MAX)));
    }
}

fn constraints(text: &mut String, window: &Window<'_>) {
    text.push_str(&format!(
        "\n## Hard Constraints\n\n- Leave {} and `.git` alone; Looper commits what passes.\n\
         - A task is blocked after {} failures in a row.\n\
         - Each verify command may take {} s.\n",
        code(window.state_dir, LINE_MAX),
        window.policy.failures_max,
        window.policy.verify.timeout_s,
    ));
    let Some(current) = &window.current else { return };
    let files = current.task.files.iter().map(|pattern| pattern.as_str());
    items(text, "These paths may change", files);
    items(text, "These commands must exit 0", current.task.verify.iter().map(String::as_str));
}

fn items<'a>(text: &mut String, what: &str, all: impl ExactSizeIterator<Item = &'a str>) {
    let count = all.len();
    let shown: Vec<String> = all.take(ITEMS_MAX).map(|item| code(item, LINE_MAX)).collect();
    let rest = count - shown.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    text.push_str(&format!("- {what}: {}{more}\n", shown.join(", ")));
}

fn outcome(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Passed(Some(commit)) => format!("PASS, commit {}", one_line(commit.as_str(), 64)),
        Outcome::Passed(None) => "PASS, not committed".to_owned(),
        Outcome::Failed(reason) => format!("FAIL, {}", one_line(reason, LINE_MAX)),
        Outcome::Blocked(reason) => format!("BLOCKED, {}", one_line(reason, LINE_MAX)),
        Outcome::Interrupted => "interrupted, not counted".to_owned(),
    }
}
