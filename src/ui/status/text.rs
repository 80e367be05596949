//! A status for people.

use super::report::{Condition, Now, Status, Totals};
use crate::engine::at::At;
use crate::engine::event::PauseCause;
use crate::ui::accounts::{Quota, Used};
use crate::ui::sanitize::clean_line;
use crate::ui::story::{Tone, duration};

/// How many cells the progress bar has.
const BAR: u64 = 20;

/// How many blocked tasks are shown; `looper ls blocked` shows the others.
const BLOCKED_SHOWN_MAX: usize = 20;

/// How many agents are shown, and how many allowances; the JSON form has all of them.
const AGENTS_SHOWN_MAX: usize = 10;
const QUOTAS_SHOWN_MAX: usize = 20;

/// Where the first column ends.
const INDENT: &str = "          ";

/// How a status is shown.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The time now.
    pub now: At,
    /// Whether it is coloured.
    pub color: bool,
    /// How a moment is shown.
    pub clock: &'a dyn Fn(At) -> String,
    /// Where evidence lies, seen from where people are.
    pub evidence: &'a str,
}

impl Look<'_> {
    fn since(self, at: At) -> String {
        let millis = self.now.millis().saturating_sub(at.millis());
        duration(u64::try_from(millis).unwrap_or(0))
    }

    fn paint(self, tone: Tone, text: &str) -> String {
        let style = if self.color { tone.style() } else { anstyle::Style::new() };
        format!("{style}{}{style:#}", clean_line(text))
    }
}

impl Status {
    /// As people read it, with a line end behind each line.
    pub fn text(&self, look: Look<'_>) -> String {
        let mut out = String::new();
        let mut row = |label: &str, text: &str| {
            let label = if label.is_empty() { String::new() } else { format!("{label}:") };
            out.push_str(&format!("{label:<10}{text}\n"));
        };
        row("Progress", &bar(self.progress));
        row("Run", &self.run_row(look));
        if let Some(holder) = &self.holder {
            row("Lock", &look.paint(Tone::Plain, &format!("held by {holder}")));
        }
        if let Some(now) = &self.now {
            row("Now", &now_row(now, look));
        }
        if let Some(next) = &self.next {
            let text = format!("Task {}: {}", next.task, next.title);
            row("Next", &look.paint(Tone::Plain, &text));
        }
        if let Some(last) = &self.last_decision {
            let task = last.task.as_ref().map_or_else(String::new, |task| format!("Task {task}: "));
            let text = format!("{task}{} (event {}, {})", last.text, last.seq, last.event);
            row("Decided", &look.paint(Tone::Plain, &text));
        }
        if self.used_in_all != Used::default() {
            row("Used", &self.used.text());
            for group in self.used_by_agent.iter().take(AGENTS_SHOWN_MAX) {
                let text = format!("{}: {}", group.name, group.used.text());
                row("", &look.paint(Tone::Plain, &text));
            }
            if self.used_in_all != self.used {
                row("", &format!("{} in all runs", self.used_in_all.text()));
            }
        }
        for (number, line) in self.budget.lines().iter().enumerate() {
            row(if number == 0 { "Budget" } else { "" }, line);
        }
        for (number, quota) in self.quotas.iter().take(QUOTAS_SHOWN_MAX).enumerate() {
            let label = if number == 0 { "Quota" } else { "" };
            row(label, &look.paint(Tone::Plain, &quota_row(quota, look)));
        }
        if !self.blocked.is_empty() {
            out.push_str(&self.blocked_rows(look));
        }
        out
    }

    fn run_row(&self, look: Look<'_>) -> String {
        let run = self.run.as_ref().map_or("", |run| run.as_str());
        let (tone, text) = match &self.condition {
            Condition::New => (Tone::Plain, "none yet: `looper run` starts one".to_owned()),
            Condition::Running => {
                let since = self.started_at.map_or_else(String::new, |at| look.since(at));
                (Tone::Good, format!("{run} running for {since}"))
            }
            Condition::Paused { cause, agent, until } => {
                let cause = match cause {
                    PauseCause::RateLimit => "rate limit",
                    PauseCause::Overloaded => "no capacity",
                    PauseCause::Quota => "allowance limit",
                };
                let until = match until {
                    Some(until) => format!("until {}", (look.clock)(*until)),
                    None => "nobody knows until when".to_owned(),
                };
                (
                    Tone::Warn,
                    format!("{run} paused, {cause} of {agent}, {until}: `looper run` goes on"),
                )
            }
            Condition::Interrupted => (
                Tone::Bad,
                format!("{run} interrupted, its process is gone: `looper run` settles it"),
            ),
            Condition::Ended { reason, exit_code, at } => {
                let tone = if *exit_code == 0 { Tone::Good } else { Tone::Warn };
                let reason = serde_json::to_value(reason).unwrap_or_default();
                let reason = reason.as_str().unwrap_or_default().replace('_', " ");
                (tone, format!("{run} ended at {}: {reason} (exit {exit_code})", (look.clock)(*at)))
            }
        };
        look.paint(tone, &text)
    }

    fn blocked_rows(&self, look: Look<'_>) -> String {
        let mut out = String::new();
        for (number, blocked) in self.blocked.iter().take(BLOCKED_SHOWN_MAX).enumerate() {
            let label = if number == 0 { "Blocked:" } else { "" };
            let title = blocked.title.as_deref().unwrap_or_default();
            let head = look.paint(Tone::Bad, &format!("Task {}: {title}", blocked.task));
            out.push_str(&format!("{label:<10}{head}\n"));
            let reason = blocked.reason.as_deref().unwrap_or("no reason is recorded");
            out.push_str(&format!("{INDENT}  because: {}\n", clean_line(reason)));
            if blocked.latest_loop > 0 {
                let (evidence, number) = (look.evidence, blocked.latest_loop);
                let place = format!("{evidence}/loop-{number}");
                out.push_str(&format!("{INDENT}  evidence: {}\n", clean_line(&place)));
            }
            let remedy = clean_line(&blocked.remedy);
            out.push_str(&format!("{INDENT}  to let it run again: {remedy}\n"));
        }
        if let Some(more @ 1..) = self.blocked.len().checked_sub(BLOCKED_SHOWN_MAX) {
            out.push_str(&format!("{INDENT}and {more} more: looper ls blocked\n"));
        }
        out
    }
}

fn now_row(now: &Now, look: Look<'_>) -> String {
    let stage = now.stage.as_deref().unwrap_or("between two stages").replace('_', " ");
    let agent = now.agent.as_ref().map_or_else(String::new, |agent| format!(" by {agent}"));
    let since = now.since.map_or_else(String::new, |at| format!(", for {}", look.since(at)));
    let (task, title, attempt) = (&now.task, &now.title, now.attempt);
    let text = format!("Task {task}: {title} (attempt {attempt}) · {stage}{agent}{since}");
    look.paint(Tone::Plain, &text)
}

/// `████████░░░░ 2/3 tasks (66%)`, rounded down: 100% means all.
fn bar(totals: Totals) -> String {
    let Totals { done, total, .. } = totals;
    if total == 0 {
        return "no tasks are known".to_owned();
    }
    let full = usize::try_from(done * BAR / total).unwrap_or(0);
    let empty = usize::try_from(BAR).unwrap_or(0) - full;
    let (full, empty) = ("█".repeat(full), "░".repeat(empty));
    format!("{full}{empty} {done}/{total} tasks ({}%)", done * 100 / total)
}

/// `codex primary 63 % until 18:00, seen 5 min 0 s ago`
fn quota_row(quota: &Quota, look: Look<'_>) -> String {
    let Quota { agent, window, used_percent, resets_at, seen_at } = quota;
    let until = match resets_at {
        None => String::new(),
        Some(at) if *at <= look.now => format!(" until {}, anew since", (look.clock)(*at)),
        Some(at) => format!(" until {}", (look.clock)(*at)),
    };
    format!("{agent} {window} {used_percent} %{until}, seen {} ago", look.since(*seen_at))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(0, 0, "no tasks are known")]
    #[case::none(0, 3, "░░░░░░░░░░░░░░░░░░░░ 0/3 tasks (0%)")]
    #[case::some(2, 3, "█████████████░░░░░░░ 2/3 tasks (66%)")]
    #[case::almost(999, 1000, "███████████████████░ 999/1000 tasks (99%)")]
    #[case::all(3, 3, "████████████████████ 3/3 tasks (100%)")]
    fn the_bar_is_full_only_when_all_is_done(
        #[case] done: u64,
        #[case] total: u64,
        #[case] want: &str,
    ) {
        assert_eq!(bar(Totals { done, total, ..Totals::default() }), want);
    }
}
