//! How long a wait still takes, where there is a terminal.

use std::time::Duration;

use indicatif::{FormattedDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sanitize::clean_line;

/// A line on standard error that counts down, and is gone afterwards.
#[derive(Debug)]
pub struct Countdown {
    bar: Option<ProgressBar>,
}

impl Countdown {
    /// `is_shown`: whether standard error is a terminal, and people want to see anything.
    pub fn new(is_shown: bool, whom: &str) -> Self {
        let bar = is_shown.then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(clean_line(whom).into_owned());
            bar
        });
        Self { bar }
    }

    /// So much is left.
    pub fn shows(&self, left: Duration) {
        if let Some(bar) = &self.bar {
            let left = FormattedDuration(left);
            bar.set_message(format!("waiting for {}: {left}", bar.prefix()));
            bar.tick();
        }
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
