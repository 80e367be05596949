//! `opencode run --format json`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::adapter::{Call, words};
use super::fields::{Loose, Object, Text, dollars, fields, nothing_in, sound_fields};
use super::frames::{Dialect, Reading, Trouble};
use super::reset::{after_seconds, epoch, retry_after};
use super::tools::Use;
use crate::engine::at::At;
use crate::engine::charter::Risk;
use crate::engine::report::{Class, Usage, Usd};

/// Switches off what opencode fetches on its own. Its default plugins stay: they hold the logins of
/// those who work with a plan instead of a key.
pub(super) const ENVIRONMENT: [(&str, &str); 3] = [
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
];

/// Settings that have no variable of their own; a user's content of this variable stays.
pub(super) const CONFIG: (&str, &str) =
    ("OPENCODE_CONFIG_CONTENT", r#"{"autoupdate":false,"share":"disabled"}"#);

/// What it writes outside the project: settings, login, sessions.
pub(super) const WRITABLE: &[&str] = &[
    "~/.config/opencode",
    "~/.local/share/opencode",
    "~/.local/state/opencode",
    "~/.cache/opencode",
];

/// A title saves the model call that would find one.
pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["opencode", "run", "--format", "json", "--title", "looper"]);
    // While it waits for a limit to end it says so in its log, and nowhere else.
    command.extend(words(["--print-logs", "--log-level", "ERROR"]));
    command.extend(match call.risk {
        Risk::Unattended => words(["--auto"]),
        Risk::Safe => Vec::new(),
    });
    command.extend(call.model("-m"));
    command.extend(call.effort("--variant", ""));
    command
}

/// The frames of one run. No frame ends it: it was good if its last step stopped because nothing
/// was left to do.
pub(super) struct Opencode {
    pub(super) now: At,
}

impl Dialect for Opencode {
    fn kinds(&self) -> &'static [&'static str] {
        &["step_start", "text", "reasoning", "tool_use", "step_finish", "error"]
    }

    fn take(&mut self, kind: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()> {
        match kind {
            "step_start" => {
                reading.name_session(fields::<Start<'_>>(line)?.session.text());
                reading.is_complete = false;
                reading.message.clear();
                // A step that follows is the vain attempt to make room.
                let is_context = |trouble: &Trouble| trouble.class == Some(Class::Context);
                reading.trouble = reading.trouble.take().filter(is_context);
            }
            "text" => {
                let Framed { part: Object(part), .. } = fields::<Framed<Said<'_>>>(line)?;
                // An end that came before does not speak for it.
                reading.is_complete = false;
                if part.synthetic != Some(true) {
                    reading.message.push(part.text.as_deref().unwrap_or_default());
                }
            }
            "tool_use" => {
                let Framed { part: Object(part), .. } = fields::<Framed<Tool<'_>>>(line)?;
                let is_command = part.tool.text() == Some("bash");
                let what = if is_command { Use::Command } else { Use::Other };
                reading.tools.used(part.call_id.text(), what);
            }
            "step_finish" => {
                let Framed { part: Object(part), .. } = sound_fields::<Framed<Finish<'_>>>(line)?;
                part.add_to(&mut reading.usage);
                reading.is_complete = part.reason.as_deref() == Some("stop");
            }
            "error" => {
                let report: Report<'_> = fields(line)?;
                reading.name_session(report.session.text());
                reading.fail(self.trouble(&report.error.0));
            }
            _ => nothing_in(line)?,
        }
        Ok(())
    }

    /// No message is lost with a tool's.
    fn lose(&mut self, kind: &str, _: &[u8], reading: &mut Reading) {
        reading.is_complete = false;
        if !matches!(kind, "tool_use" | "reasoning") {
            reading.message.tear();
        }
    }
}

impl Opencode {
    fn trouble(&self, error: &Fault<'_>) -> Trouble {
        let data = &error.data.0;
        let body = data.body.text().unwrap_or_default();
        let said = data.message.text().unwrap_or_default();
        let mut trouble = Trouble::new(format!("{said}\n{body}"));
        trouble.status = data.status.0;
        if error.name.text() == Some("ContextOverflowError") {
            trouble.class = Some(Class::Context);
        }
        trouble.until = self.until(&data.headers.0, body);
        trouble
    }

    fn until(&self, headers: &Headers<'_>, body: &str) -> Option<At> {
        let body: Body = serde_json::from_str(body).unwrap_or_default();
        let Limit { resets_at, resets_in } = body.error.0;
        resets_at
            .0
            .and_then(|seconds| epoch(&seconds.into()))
            .or_else(|| after_seconds(self.now, resets_in.0?))
            .or_else(|| retry_after(headers.retry_after.text()?, self.now))
    }
}

#[derive(Deserialize)]
struct Start<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(rename = "sessionID", borrow, default)]
    session: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Framed<T> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    part: Object<T>,
}

#[derive(Deserialize)]
struct Said<'a> {
    synthetic: Option<bool>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, default)]
    tool: Loose<Option<Text<'a>>>,
    #[serde(rename = "callID", borrow, default)]
    call_id: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Finish<'a> {
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(default)]
    tokens: Loose<Tokens>,
    #[serde(default)]
    cost: Loose<Option<f64>>,
}

impl Finish<'_> {
    /// Every step counts for itself; what it cost comes from opencode's own table.
    fn add_to(&self, usage: &mut Usage) {
        let step = &self.tokens.0;
        let read = step.input.0.saturating_add(step.cache.0.write.0);
        let written = step.output.0.saturating_add(step.reasoning.0);
        usage.input = usage.input.saturating_add(read);
        usage.cached = usage.cached.saturating_add(step.cache.0.read.0);
        usage.output = usage.output.saturating_add(written);
        if let Some(cost) = self.cost.0.and_then(dollars) {
            let before = usage.cost_usd.unwrap_or_default().micros();
            usage.cost_usd = Some(Usd::from_micros(before.saturating_add(cost.micros())));
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input: Loose<u64>,
    output: Loose<u64>,
    reasoning: Loose<u64>,
    cache: Loose<Cache>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cache {
    read: Loose<u64>,
    write: Loose<u64>,
}

#[derive(Deserialize)]
struct Report<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(rename = "sessionID", borrow, default)]
    session: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    error: Loose<Fault<'a>>,
}

#[derive(Default, Deserialize)]
struct Fault<'a> {
    #[serde(borrow, default)]
    name: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    data: Loose<Data<'a>>,
}

#[derive(Default, Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    message: Loose<Option<Text<'a>>>,
    #[serde(rename = "statusCode", default)]
    status: Loose<Option<u64>>,
    #[serde(rename = "responseHeaders", borrow, default)]
    headers: Loose<Headers<'a>>,
    #[serde(rename = "responseBody", borrow, default)]
    body: Loose<Option<Text<'a>>>,
}

#[derive(Default, Deserialize)]
struct Headers<'a> {
    #[serde(rename = "retry-after", borrow, default)]
    retry_after: Loose<Option<Text<'a>>>,
}

/// What a provider answered, as opencode passes it on.
#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    error: Loose<Limit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Limit {
    resets_at: Loose<Option<i64>>,
    #[serde(rename = "resets_in_seconds")]
    resets_in: Loose<Option<f64>>,
}
