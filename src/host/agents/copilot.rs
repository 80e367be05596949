//! `copilot --output-format json`.
//!
//! It reports neither tokens nor money, only how many requests of its plan it took.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::adapter::{Call, words};
use super::fields::{Loose, Object, Text, fields, nothing_in, sound_fields};
use super::frames::{Dialect, Reading, Trouble};
use super::tools::Use;
use crate::engine::charter::Risk;

/// Switches off updates.
pub(super) const ENVIRONMENT: [(&str, &str); 1] = [("COPILOT_AUTO_UPDATE", "false")];

/// What it writes outside the project: settings, login, sessions, the program it unpacks.
pub(super) const WRITABLE: &[&str] =
    &["~/.copilot", "~/.config/github-copilot", "~/.cache/copilot"];

/// It reads the prompt from standard input. Who is not asked is not there to answer: in the safe
/// mode everything but writing files is refused.
pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["copilot", "--output-format", "json"]);
    command.extend(words(["--no-ask-user", "--disable-client-telemetry"]));
    command.extend(match call.risk {
        Risk::Unattended => words(["--allow-all-tools"]),
        Risk::Safe => words(["--allow-tool=write"]),
    });
    command.extend(call.model("--model"));
    command.extend(call.effort("--reasoning-effort", ""));
    command
}

/// The frames of one run. It ends with `result`, which says the exit code.
#[derive(Default)]
pub(super) struct Copilot {
    /// What the provider answered to the last call, which the report leaves out.
    refusal: String,
}

impl Dialect for Copilot {
    fn kinds(&self) -> &'static [&'static str] {
        &[
            "session.skills_loaded",
            "session.mcp_servers_loaded",
            "session.tools_updated",
            "session.background_tasks_changed",
            "session.info",
            "session.error",
            "user.message",
            "assistant.turn_start",
            "assistant.turn_retry",
            "assistant.turn_end",
            "assistant.message_start",
            "assistant.message_delta",
            "assistant.tool_call_delta",
            "assistant.message",
            "assistant.idle",
            "model.call_start",
            "model.call_failure",
            "model.call_finished",
            "model.call_final_result",
            "tool.execution_start",
            "tool.execution_partial_result",
            "tool.execution_complete",
            "tool.shell_output",
            "result",
        ]
    }

    fn take(&mut self, kind: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()> {
        match kind {
            "assistant.message" => Self::message(&fields::<Frame<Said<'_>>>(line)?.data.0, reading),
            "tool.execution_start" => {
                let tool = fields::<Frame<Tool<'_>>>(line)?.data.0;
                let is_command = tool.name.text() == Some("bash");
                let what = if is_command { Use::Command } else { Use::Other };
                reading.tools.used(tool.id.text(), what);
            }
            "model.call_failure" => {
                let failure = fields::<Frame<Failure<'_>>>(line)?.data.0;
                let trouble = failure.trouble("");
                self.refusal.clone_from(&trouble.text);
                reading.trouble = Some(trouble);
            }
            "session.error" => {
                reading.fail(fields::<Frame<Failure<'_>>>(line)?.data.0.trouble(&self.refusal));
            }
            "result" => {
                let outcome: Outcome<'_> = sound_fields(line)?;
                reading.name_session(outcome.session.text());
                reading.is_complete = outcome.exit_code == Some(0) && reading.trouble.is_none();
            }
            _ => nothing_in(line)?,
        }
        Ok(())
    }

    /// Only what it says is the answer.
    fn lose(&mut self, kind: &str, _: &[u8], reading: &mut Reading) {
        reading.is_complete = false;
        if matches!(kind, "assistant.message" | "session.error" | "result") {
            reading.message.tear();
        }
    }
}

impl Copilot {
    fn message(said: &Said<'_>, reading: &mut Reading) {
        if let Some(model) = said.model.text() {
            reading.model = Some(model.into());
        }
        reading.is_complete = false;
        reading.trouble = None;
        if said.parent.is_none() {
            reading.message.set(&said.content);
        }
    }
}

#[derive(Deserialize)]
struct Frame<T> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    data: Object<T>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    content: Text<'a>,
    #[serde(borrow, default)]
    model: Loose<Option<Text<'a>>>,
    /// Whose subagent speaks.
    #[serde(rename = "parentToolCallId")]
    parent: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(rename = "toolCallId", borrow, default)]
    id: Loose<Option<Text<'a>>>,
    #[serde(rename = "toolName", borrow, default)]
    name: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(rename = "errorType", borrow, default)]
    kind: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    message: Loose<Option<Text<'a>>>,
    #[serde(rename = "errorMessage", borrow, default)]
    answer: Loose<Option<Text<'a>>>,
    #[serde(rename = "statusCode", default)]
    status: Loose<Option<u64>>,
}

impl Failure<'_> {
    fn trouble(&self, refusal: &str) -> Trouble {
        let texts = [self.message.text(), self.answer.text(), Some(refusal)];
        let texts: Vec<&str> =
            texts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        let named = match self.kind.text() {
            Some("authentication" | "authorization") => Some(401),
            Some("quota") => Some(402),
            Some("rate_limit") => Some(429),
            _ => None,
        };
        Trouble { status: self.status.0.or(named), ..Trouble::new(texts.join("\n")) }
    }
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(rename = "sessionId", borrow, default)]
    session: Loose<Option<Text<'a>>>,
    #[serde(rename = "exitCode", default)]
    exit_code: Option<i64>,
}
