//! One line for people per event.

use anstyle::{AnsiColor, Style};

use crate::engine::charter::GateId;
use crate::engine::event::{
    CommandResult, Event, EventKind, GateResult, GatesJudged, Interruption, JudgedAs, PauseCause,
    StageRetried,
};
use crate::engine::reason;
use crate::engine::report::Class;

/// What a line is about, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to worry about.
    Plain,
    /// Something was achieved.
    Good,
    /// Something went wrong and was put right.
    Warn,
    /// Something needs a person.
    Bad,
}

impl Tone {
    /// Its colour.
    pub fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub tone: Tone,
    /// Whether it belongs to the line above.
    pub is_detail: bool,
    /// The first column.
    pub label: String,
    /// The rest, in one line, free of control characters.
    pub text: String,
}

impl Line {
    fn new(tone: Tone, label: impl Into<String>, words: impl AsRef<str>) -> Self {
        let text = reason::line(words.as_ref());
        Self { tone, is_detail: false, label: label.into(), text }
    }

    fn detail(tone: Tone, label: &str, words: impl AsRef<str>) -> Self {
        Self { is_detail: true, ..Self::new(tone, label, words) }
    }
}

/// The line: aligned, and coloured where asked.
impl Line {
    /// As it is printed.
    pub fn render(&self, color: bool) -> String {
        let indent = if self.is_detail { "  " } else { "" };
        let style = if color { self.tone.style() } else { Style::new() };
        let label = format!("{:<16}", self.label);
        let line = format!("{indent}{style}{label}{style:#}{}", self.text);
        line.trim_end().to_owned()
    }
}

/// Milliseconds as people read them.
pub fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Tells what happened. `None`: nothing a person would want to read.
#[expect(clippy::too_many_lines, reason = "one match over all variants")]
pub fn tell(event: &Event) -> Option<Line> {
    use Tone::{Bad, Good, Plain, Warn};
    Some(match &event.kind {
        EventKind::RunStarted(charter) => {
            let tasks = charter.tasks.len();
            let base = short(charter.base.commit.as_str());
            let branch = charter.base.branch.as_deref().unwrap_or("detached HEAD");
            Line::new(Plain, "run", format!("{} · {tasks} tasks · {base} on {branch}", event.run))
        }
        EventKind::RunResumed(charter) => {
            let base = short(charter.base.commit.as_str());
            Line::new(Plain, "run resumed", format!("{} · from {base}", event.run))
        }
        EventKind::RunPaused(data) => {
            let cause = match data.cause {
                PauseCause::RateLimit => "rate limit",
                PauseCause::Overloaded => "no capacity",
                PauseCause::Quota => "allowance limit",
            };
            let until = data.until.map_or_else(String::new, |until| format!(" until {until}"));
            Line::new(Warn, "run paused", format!("{cause} of {}{until}", data.agent))
        }
        EventKind::RunEnded(data) => {
            let tone = if data.exit_code == 0 { Good } else { Bad };
            let reason = format!("{:?}", data.reason);
            Line::new(tone, "run ended", words(&reason))
        }
        EventKind::BacklogLoaded(_) => return None,
        EventKind::BacklogChanged(data) => {
            let count = data.changes.len();
            Line::new(Warn, "backlog", format!("changed by {}: {count} fields", who(data.by)))
        }
        EventKind::TaskSelected(data) => {
            let attempt = format!("{} (attempt {})", data.title, data.attempt);
            Line::new(Plain, format!("Task {}", data.task), attempt)
        }
        EventKind::PlanStarted(_)
        | EventKind::PlanCritiqueStarted(_)
        | EventKind::ImplementStarted(_)
        | EventKind::ImplCritiqueStarted(_)
        | EventKind::VerifyStarted(_)
        | EventKind::CommitStarted(_)
        | EventKind::CommitPrepared(_)
        | EventKind::RollbackStarted(_) => return None,
        EventKind::PlanFinished(data) => {
            stage("plan", data.agent.as_str(), data.class, data.duration_ms, None)
        }
        EventKind::PlanCritiqueFinished(data) => {
            let verdict = data.verdict.map_or("no verdict", |verdict| verdict.word());
            let agent = data.agent.as_str();
            stage("plan critique", agent, data.class, data.duration_ms, Some(verdict))
        }
        EventKind::ImplementFinished(data) => {
            let files = match data.paths.len() {
                1 => "1 file".to_owned(),
                count => format!("{count} files"),
            };
            stage("implement", data.agent.as_str(), data.class, data.duration_ms, Some(&files))
        }
        EventKind::VerifyFinished(data) => {
            let (failed, count) = failures(&data.commands);
            let (tone, result) = if data.passed {
                (Good, format!("{count} passed"))
            } else {
                (Warn, format!("{failed} of {count} failed"))
            };
            let without = data.base.as_ref().map(|base| failures(&base.commands));
            let without =
                without.map(|(failed, _)| format!(" · {failed} failed without the change"));
            let total = duration(data.duration_ms());
            let text = format!("{result}{} · {total}", without.unwrap_or_default());
            Line::detail(tone, "verify", text)
        }
        EventKind::ImplCritiqueFinished(data) => {
            let verdict = data.verdict.map_or("no verdict", |verdict| verdict.word());
            let agent = data.agent.as_str();
            stage("impl critique", agent, data.class, data.duration_ms, Some(verdict))
        }
        EventKind::StageRetried(data) => retried(data),
        EventKind::LimitLifted(data) => {
            Line::new(Plain, "limit", format!("of {} is over", data.agent))
        }
        EventKind::GatesJudged(data) => gates(data),
        EventKind::CommitFinished(data) => {
            Line::detail(Good, "commit", short(data.commit.as_str()))
        }
        EventKind::RollbackFinished(data) => {
            let (back, gone) = (data.restored.len(), data.removed.len());
            let mut text = format!("{back} restored, {gone} removed");
            if !data.rescued.is_empty() {
                text.push_str(&format!(" · under .git: {}", reason::list(&data.rescued)));
            }
            Line::detail(Warn, "rollback", text)
        }
        EventKind::Reconciled(data) => {
            let found = match &data.commit {
                Some(commit) => format!("the commit {} was made", short(commit.as_str())),
                None => "no commit was made".to_owned(),
            };
            Line::detail(Warn, "reconciled", found)
        }
        EventKind::ProposalRecorded(data) => Line::detail(Warn, "proposal", data.verdict.word()),
        EventKind::TaskDone(data) => {
            Line::new(Good, format!("Task {}", data.task), format!("done by {}", who(data.by)))
        }
        EventKind::TaskFailed(data) => {
            let words = format!("failed, {} in a row: {}", data.fail_count, data.reason);
            Line::new(Warn, format!("Task {}", data.task), words)
        }
        EventKind::TaskBlocked(data) => {
            let words = format!("blocked by {}: {}", who(data.by), data.reason);
            Line::new(Bad, format!("Task {}", data.task), words)
        }
        EventKind::TaskUnblocked(data) => Line::new(
            Plain,
            format!("Task {}", data.task),
            format!("unblocked by {}", who(data.by)),
        ),
        EventKind::TaskReopened(data) => {
            Line::new(Plain, format!("Task {}", data.task), format!("reopened by {}", who(data.by)))
        }
        EventKind::StopRequested(_) => Line::new(Warn, "stop", "requested by a person"),
        EventKind::OracleJudged(data) => {
            let (tone, word) = if data.good { (Good, "good") } else { (Bad, "bad") };
            Line::new(tone, "oracle", format!("{word}: {}", data.reason))
        }
        EventKind::Interrupted(data) => {
            let cause = match data.cause {
                Interruption::Crash => "an earlier process died here",
                Interruption::Signal => "by a signal",
            };
            Line::new(Warn, "interrupted", cause)
        }
    })
}

fn stage(label: &str, agent: &str, class: Class, duration_ms: u64, result: Option<&str>) -> Line {
    let duration = duration(duration_ms);
    if class == Class::Ok {
        let result = result.map_or_else(String::new, |result| format!("{result} · "));
        return Line::detail(Tone::Plain, label, format!("{result}{agent} · {duration}"));
    }
    let class = words(&format!("{class:?}"));
    Line::detail(Tone::Warn, label, format!("{class} · {agent} · {duration}"))
}

fn retried(data: &StageRetried) -> Line {
    let (stage, agent, cause) =
        (data.stage.name(), &data.agent, words(&format!("{:?}", data.cause)));
    let stage = stage.replace('_', " ");
    if data.agent != data.instead_of {
        let text = format!("{agent} takes {stage} over from {} ({cause})", data.instead_of);
        return Line::detail(Tone::Warn, "hand-over", text);
    }
    let wait = match data.wait_s {
        0 => "at once".to_owned(),
        seconds => format!("in {}", duration(u64::from(seconds) * 1000)),
    };
    Line::detail(Tone::Warn, "retry", format!("{stage} by {agent} again {wait} ({cause})"))
}

/// How many runs failed, and how many there were.
fn failures(runs: &[CommandResult]) -> (usize, usize) {
    (runs.iter().filter(|run| !run.passed()).count(), runs.len())
}

fn gates(data: &GatesJudged) -> Line {
    let warning = data.gates.iter().find(|it| it.gate == GateId::FailToPass && is_warning(it));
    let is_good = data.outcome == JudgedAs::Pass && warning.is_none();
    let tone = if is_good { Tone::Good } else { Tone::Warn };
    let failed: Vec<String> = data
        .gates
        .iter()
        .filter(|result| !result.passed)
        .map(|result| format!("{}: {}", result.gate.name(), result.reason))
        .collect();
    let outcome = format!("{:?}", data.outcome).to_uppercase();
    let separator = if failed.is_empty() { "" } else { " · " };
    let warning = warning.map(|it| format!(" · warning: {}", it.reason)).unwrap_or_default();
    Line::detail(tone, "gates", format!("{outcome}{separator}{}{warning}", failed.join("; ")))
}

/// Whether it lets the change through and has something to say all the same.
fn is_warning(result: &GateResult) -> bool {
    result.passed && !matches!(result.reason.as_str(), "ok" | "switched off")
}

fn who(by: crate::engine::event::By) -> &'static str {
    match by {
        crate::engine::event::By::Run => "the run",
        crate::engine::event::By::Person => "a person",
        crate::engine::event::By::Agent => "an agent",
    }
}

/// The first digits of an id, enough for people.
pub fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// `NothingRunnable` as `nothing runnable`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for char in name.chars() {
        if char.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(char.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0.0 s")]
    #[case(1_250, "1.2 s")]
    #[case(61_000, "1 min 1 s")]
    #[case(7_260_000, "2 h 1 min")]
    fn a_duration_is_readable(#[case] millis: u64, #[case] want: &str) {
        assert_eq!(duration(millis), want);
    }

    #[test]
    fn hostile_text_cannot_move_the_cursor() {
        let line = Line::detail(Tone::Warn, "rollback", "\x1b[2J\rgone\n\x07");
        assert!(!line.render(false).contains(char::is_control));
    }
    #[rstest]
    #[case::at_once("a", 0, "retry           impl critique by a again at once (overloaded)")]
    #[case::later("a", 40, "retry           impl critique by a again in 40.0 s (overloaded)")]
    #[case::by_another("b", 0, "hand-over       b takes impl critique over from a (overloaded)")]
    fn what_is_taken_again_says_by_whom_and_when(
        #[case] agent: &str,
        #[case] wait_s: u32,
        #[case] want: &str,
    ) {
        use crate::engine::charter::Stage;
        use crate::engine::id::{AgentName, TaskId};
        let line = retried(&StageRetried {
            task: TaskId::new("1"),
            attempt: 1,
            stage: Stage::ImplCritique,
            agent: AgentName::new(agent),
            instead_of: AgentName::new("a"),
            cause: Class::Overloaded,
            wait_s,
            count: 1,
        });
        assert_eq!(line.render(false).trim_start(), want);
    }
}
