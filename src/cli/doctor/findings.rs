//! What was found, and how it is shown.

use schemars::JsonSchema;
use serde::Serialize;

use super::agents::AgentFound;
use crate::cli::failure::Failure;
use crate::cli::site::Site;
use crate::host::config::{Config, Setting};
use crate::ui::sanitize::clean_line;
use crate::ui::story::Tone;

/// What `looper doctor --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Findings<'a> {
    /// Everything that was looked at.
    pub(super) checks: &'a [Check],
    /// Every agent that is known or configured.
    pub(super) agents: &'a [AgentFound],
    /// Every setting with where it comes from.
    pub(super) settings: &'a [Setting],
}

/// One finding.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// What was looked at.
    name: String,
    /// How bad it is.
    pub(super) status: Health,
    /// What was found.
    detail: String,
    /// What to do about it.
    hint: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    /// As it should be.
    Ok,
    /// A run can start all the same.
    Warn,
    /// A run is refused.
    Fail,
}

/// Goes from check to check.
pub(super) struct Visit<'site> {
    pub(super) site: &'site Site,
    pub(super) checks: Vec<Check>,
    pub(super) agents: Vec<AgentFound>,
}

impl Visit<'_> {
    pub(super) fn note(
        &mut self,
        name: &str,
        status: Health,
        detail: impl Into<String>,
        hint: Option<&str>,
    ) {
        let (name, detail) = (name.to_owned(), detail.into());
        self.checks.push(Check { name, status, detail, hint: hint.map(str::to_owned) });
    }

    pub(super) fn ok(&mut self, name: &str, detail: impl Into<String>) {
        self.note(name, Health::Ok, detail, None);
    }

    pub(super) fn warn(&mut self, name: &str, detail: impl Into<String>, hint: &str) {
        self.note(name, Health::Warn, detail, Some(hint));
    }

    pub(super) fn fail(&mut self, name: &str, failure: &Failure) {
        self.note(name, Health::Fail, failure.summary(), failure.way_out());
    }
}

/// As people read it.
pub(super) fn text(site: &Site, checks: &[Check], config: Option<&Config>) -> String {
    let color = site.is_output_colored();
    let mut text = String::new();
    for check in checks {
        let (word, tone) = match check.status {
            Health::Ok if site.global.quiet => continue,
            Health::Ok => ("ok", Tone::Good),
            Health::Warn => ("warn", Tone::Warn),
            Health::Fail => ("fail", Tone::Bad),
        };
        let style = if color { tone.style() } else { anstyle::Style::new() };
        let detail = clean_line(&check.detail);
        text.push_str(&format!("{style}{word:<5}{style:#}{:<14}{detail}\n", check.name));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("{:<19}hint: {}\n", "", clean_line(hint)));
        }
    }
    if site.global.verbose > 0 {
        for setting in config.map(Config::settings).unwrap_or_default() {
            let line = format!("{} = {} ({})", setting.key, setting.value, setting.origin);
            text.push_str(&format!("set  {}\n", clean_line(&line)));
        }
    }
    text
}
