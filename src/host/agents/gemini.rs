//! `gemini --output-format stream-json`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::adapter::{Call, words};
use super::fields::{Loose, Text, fields, nothing_in, sound_fields};
use super::frames::{Dialect, Reading, Trouble};
use super::tools::Use;
use crate::engine::charter::Risk;
use crate::engine::report::{Class, Usage};

/// Without them gemini starts itself a second time and then does not hear signals, and refuses to
/// work in a folder nobody has confirmed. A key in `GEMINI_API_KEY` is enough to be logged in, but
/// beside `GOOGLE_GEMINI_BASE_URL` gemini ends with 41 unless its settings say
/// `security.auth.selectedType`; there is no variable for that.
pub(super) const ENVIRONMENT: [(&str, &str); 3] = [
    ("GEMINI_CLI_NO_RELAUNCH", "true"),
    ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
    ("GEMINI_TELEMETRY_ENABLED", "false"),
];

/// What it writes outside the project: settings, login, sessions.
pub(super) const WRITABLE: &[&str] = &["~/.gemini"];

pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["gemini", "--output-format", "stream-json", "--approval-mode"]);
    command.extend(match call.risk {
        Risk::Unattended => words(["yolo"]),
        Risk::Safe => words(["auto_edit"]),
    });
    command.extend(call.model("-m"));
    command
}

/// The frames of one run. It ends with `result`; a run that is ended by a signal has none, and exit
/// code zero.
pub(super) struct Gemini;

impl Dialect for Gemini {
    fn kinds(&self) -> &'static [&'static str] {
        &["init", "message", "tool_use", "tool_result", "error", "result"]
    }

    fn take(&mut self, kind: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()> {
        match kind {
            "init" => {
                let init: Init<'_> = fields(line)?;
                reading.model = init.model.text().map(Into::into);
                reading.name_session(init.session_id.text());
            }
            "message" => {
                let part: Part<'_> = fields(line)?;
                if part.role.as_deref() == Some("assistant") {
                    match part.content.text() {
                        Some(said) => reading.message.push(said),
                        None => reading.message.tear(),
                    }
                    // An end that came before does not speak for it.
                    reading.is_complete = false;
                    reading.trouble = None;
                }
            }
            "tool_use" => {
                let tool: Tool<'_> = fields(line)?;
                let is_command = tool.tool_name.text() == Some("run_shell_command");
                let what = if is_command { Use::Command } else { Use::Other };
                reading.tools.used(tool.tool_id.text(), what);
                reading.trouble = None;
            }
            "error" => {
                let report: Report<'_> = fields(line)?;
                if report.severity.text() != Some("warning") {
                    reading.trouble = Some(Trouble::new(report.message.text().unwrap_or_default()));
                }
            }
            "result" => sound_fields::<Outcome<'_>>(line)?.end(reading),
            _ => {
                nothing_in(line)?;
                // What was said before a tool was used is not the answer.
                reading.message.clear();
            }
        }
        Ok(())
    }

    /// No message is lost with a tool's.
    fn lose(&mut self, kind: &str, _: &[u8], reading: &mut Reading) {
        reading.is_complete = false;
        match kind {
            "tool_use" => {}
            "tool_result" => reading.message.clear(),
            _ => reading.message.tear(),
        }
    }
}

#[derive(Deserialize)]
struct Init<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    model: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    session_id: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    role: Option<Text<'a>>,
    #[serde(borrow, default)]
    content: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    tool_name: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    tool_id: Loose<Option<Text<'a>>>,
}

#[derive(Default, Deserialize)]
struct Report<'a> {
    #[serde(rename = "type")]
    _kind: Option<IgnoredAny>,
    #[serde(borrow, default)]
    severity: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    message: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    error: Loose<Report<'a>>,
    #[serde(default)]
    stats: Loose<Stats>,
}

impl Outcome<'_> {
    fn end(&self, reading: &mut Reading) {
        reading.usage = self.stats.0.usage();
        if self.status.as_deref() == Some("success") {
            return reading.complete();
        }
        let said = self.error.0.message.text().map(Trouble::new);
        let earlier = reading.trouble.take();
        reading.fail(said.or(earlier).unwrap_or_default());
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stats {
    total_tokens: Loose<u64>,
    input_tokens: Loose<u64>,
    output_tokens: Loose<u64>,
    cached: Loose<u64>,
}

impl Stats {
    fn usage(&self) -> Usage {
        let (read, cached) = (self.input_tokens.0, self.cached.0);
        // Thoughts are in the total only.
        let written = self.total_tokens.0.saturating_sub(read);
        Usage {
            input: read.saturating_sub(cached),
            cached,
            output: written.max(self.output_tokens.0),
            ..Usage::default()
        }
    }
}

/// Gemini's exit code is its own below 64, and the low byte of an HTTP status above.
pub(super) fn class_of_exit(code: i32) -> Option<Class> {
    match code {
        41 => Some(Class::Auth),
        145 | 147 => Some(Class::Auth),
        173 => Some(Class::RateLimited),
        244 | 246 | 247 | 248 => Some(Class::Overloaded),
        _ => None,
    }
}
