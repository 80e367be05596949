//! `pi --mode json`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::adapter::{Call, words};
use super::fields::{Loose, Object, Text, dollars, fields, nothing_in, sound_fields};
use super::frames::{Dialect, Reading, Trouble};
use super::lines::LINE_BYTES_MAX;
use super::parts::Content;
use super::tools::Use;
use crate::engine::charter::Risk;
use crate::engine::report::{Class, Usage, Usd};

/// Switches off what pi fetches and reports on its own.
pub(super) const ENVIRONMENT: [(&str, &str); 2] = [("PI_OFFLINE", "1"), ("PI_TELEMETRY", "0")];

/// What it writes outside the project: settings, login, sessions.
pub(super) const WRITABLE: &[&str] = &["~/.pi"];

/// Pi asks nobody before it does something; without its shell it can at least do less.
pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["pi", "--mode", "json"]);
    command.extend(match call.risk {
        Risk::Unattended => vec![],
        Risk::Safe => words(["--tools", "read,edit,write,grep,find,ls"]),
    });
    command.extend(call.model("--model"));
    command.extend(call.effort("--thinking", ""));
    command
}

/// The frames of one run. Its exit code is zero whatever happened: it was good if its last message
/// stopped because all was said, and the agent then came to its end. That last frame holds the
/// whole conversation and is often too long to be read; that it began is enough.
#[derive(Default)]
pub(super) struct Pi {
    has_stopped: bool,
}

impl Dialect for Pi {
    fn kinds(&self) -> &'static [&'static str] {
        &[
            "session",
            "agent_start",
            "turn_start",
            "message_start",
            "message_update",
            "message_end",
            "tool_execution_start",
            "tool_execution_update",
            "tool_execution_end",
            "turn_end",
            "agent_end",
            "auto_retry_start",
            "auto_retry_end",
            "compaction_start",
            "compaction_end",
            "queue_update",
        ]
    }

    fn take(&mut self, kind: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()> {
        match kind {
            "session" => reading.name_session(fields::<Session<'_>>(line)?.id.text()),
            "agent_start" => {
                nothing_in(line)?;
                self.has_stopped = false;
                reading.is_complete = false;
            }
            "message_end" => {
                let message = sound_fields::<MessageEnd<'_>>(line)?.message.0;
                if message.role.as_deref() == Some("assistant") {
                    self.message(&message, reading);
                }
            }
            "tool_execution_start" => {
                let tool: Tool<'_> = fields(line)?;
                let is_command = tool.name.text() == Some("bash");
                let what = if is_command { Use::Command } else { Use::Other };
                reading.tools.used(tool.id.text(), what);
            }
            "agent_end" => {
                nothing_in(line)?;
                self.end(reading);
            }
            "auto_retry_end" => {
                let retry: Retry<'_> = fields(line)?;
                if let (false, Some(said)) = (retry.success, retry.error.text()) {
                    reading.fail(trouble(said));
                }
            }
            "compaction_end" => {
                let compaction: Compaction<'_> = fields(line)?;
                let is_overflow = compaction.reason.text() == Some("overflow");
                // Room for a next turn, which there is none of, is not missed behind an answer.
                let matters = is_overflow || !self.has_stopped;
                if let Some(said) = compaction.error.text().filter(|_| matters) {
                    let class = is_overflow.then_some(Class::Context);
                    reading.fail(Trouble { class, ..trouble(said) });
                }
            }
            _ => nothing_in(line)?,
        }
        Ok(())
    }

    fn lose(&mut self, kind: &str, start: &[u8], reading: &mut Reading) {
        const OF_A_TOOL: &[u8] = br#"{"type":"message_end","message":{"role":"toolResult""#;
        match kind {
            "agent_end" if start.len() >= LINE_BYTES_MAX => self.end(reading),
            "message_end" if !start.starts_with(OF_A_TOOL) => {
                self.has_stopped = false;
                reading.is_complete = false;
                reading.message.tear();
            }
            "agent_start" | "agent_end" | "auto_retry_end" | "compaction_end" => {
                self.has_stopped = false;
                reading.is_complete = false;
            }
            _ => {}
        }
    }
}

impl Pi {
    fn message(&mut self, message: &Message<'_>, reading: &mut Reading) {
        message.usage.0.add_to(&mut reading.usage);
        if let Some(model) = message.model.text() {
            reading.model = Some(model.into());
        }
        self.has_stopped = message.stop_reason.as_deref() == Some("stop");
        reading.is_complete = false;
        match message.stop_reason.as_deref() {
            Some("error" | "aborted") => {
                reading.trouble = Some(trouble(message.error.text().unwrap_or_default()));
            }
            _ => {
                reading.trouble = None;
                reading.message.set(&message.content.said);
            }
        }
    }

    fn end(&self, reading: &mut Reading) {
        if self.has_stopped {
            reading.complete();
        }
    }
}

/// Reports begin with the HTTP status, where there was one.
fn trouble(said: &str) -> Trouble {
    let status = said.split(' ').next().and_then(|word| word.parse().ok());
    let status = status.filter(|status| (400..600).contains(status));
    Trouble { status, ..Trouble::new(said) }
}

#[derive(Deserialize)]
struct Session<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    id: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct MessageEnd<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow)]
    message: Object<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Option<Text<'a>>,
    #[serde(borrow, default)]
    content: Content<'a>,
    #[serde(borrow, default)]
    model: Loose<Option<Text<'a>>>,
    #[serde(rename = "stopReason", borrow, default)]
    stop_reason: Option<Text<'a>>,
    #[serde(rename = "errorMessage", borrow, default)]
    error: Loose<Option<Text<'a>>>,
    #[serde(default)]
    usage: Loose<Tokens>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(rename = "toolCallId", borrow, default)]
    id: Loose<Option<Text<'a>>>,
    #[serde(rename = "toolName", borrow, default)]
    name: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Retry<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(default)]
    success: bool,
    #[serde(rename = "finalError", borrow, default)]
    error: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Compaction<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    reason: Loose<Option<Text<'a>>>,
    #[serde(rename = "errorMessage", borrow, default)]
    error: Loose<Option<Text<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input: Loose<u64>,
    output: Loose<u64>,
    #[serde(rename = "cacheRead")]
    cache_read: Loose<u64>,
    #[serde(rename = "cacheWrite")]
    cache_write: Loose<u64>,
    cost: Loose<Cost>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cost {
    total: Loose<Option<f64>>,
}

impl Tokens {
    /// Every message counts for itself; what it cost comes from pi's own table.
    fn add_to(&self, usage: &mut Usage) {
        let read = self.input.0.saturating_add(self.cache_write.0);
        usage.input = usage.input.saturating_add(read);
        usage.cached = usage.cached.saturating_add(self.cache_read.0);
        usage.output = usage.output.saturating_add(self.output.0);
        if let Some(cost) = self.cost.0.total.0.and_then(dollars) {
            let before = usage.cost_usd.unwrap_or_default().micros();
            usage.cost_usd = Some(Usd::from_micros(before.saturating_add(cost.micros())));
        }
    }
}
