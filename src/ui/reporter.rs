//! Tells people what a run is doing, as it happens.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::story;
use crate::engine::event::{Event, EventKind};
use crate::engine::reason;

/// How often the elapsed time is drawn anew.
const TICK: Duration = Duration::from_millis(250);

/// One line per stage on standard error, and a progress bar below them where there is a terminal.
#[derive(Debug)]
pub struct Reporter {
    color: bool,
    quiet: bool,
    has_bar: bool,
    bar: Option<ProgressBar>,
}

impl Reporter {
    /// `is_terminal`: whether standard error can show a bar.
    pub fn new(is_terminal: bool, color: bool, quiet: bool) -> Self {
        Self { color, quiet, has_bar: is_terminal && !quiet, bar: None }
    }

    /// Something happened; so many of the tasks are done now.
    pub fn saw(&mut self, event: &Event, done: u64, total: u64) {
        if self.has_bar {
            let bar = self.bar.get_or_insert_with(new_bar);
            bar.set_length(total);
            bar.set_position(done);
            if let Some(doing) = doing(&event.kind) {
                bar.set_message(reason::line(&doing));
                bar.reset_elapsed();
            }
        }
        if self.quiet {
            return;
        }
        if let Some(line) = story::tell(event) {
            self.say(&line.render(self.color));
        }
    }

    /// Prints a line above the bar. A closed standard error is no reason to stop a run.
    pub fn say(&self, line: &str) {
        let print = || drop(writeln!(std::io::stderr(), "{line}"));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away until something happens again.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let style = "{spinner} {bar:20} {pos}/{len} tasks  {wide_msg} {elapsed}";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

/// What is being done from now on.
fn doing(kind: &EventKind) -> Option<String> {
    let call = |stage: &str, data: &crate::engine::event::StageStarted| {
        Some(format!("Task {} · {stage} ({})", data.task, data.agent))
    };
    match kind {
        EventKind::PlanStarted(data) => call("plan", data),
        EventKind::PlanCritiqueStarted(data) => call("plan critique", data),
        EventKind::ImplementStarted(data) => call("implement", data),
        EventKind::ImplCritiqueStarted(data) => call("impl critique", data),
        EventKind::VerifyStarted(data) => {
            Some(format!("Task {} · verify ({} commands)", data.task, data.commands.len()))
        }
        EventKind::StageRetried(data) if data.wait_s > 0 => {
            Some(format!("Task {} · waiting {} s for {}", data.task, data.wait_s, data.agent))
        }
        EventKind::RollbackStarted(data) => Some(format!("Task {} · rollback", data.task)),
        _ => None,
    }
}
