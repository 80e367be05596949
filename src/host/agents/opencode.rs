//! `opencode run --format json`.

use serde_json::Value;

use super::adapter::{Call, words};
use super::frames::{Dialect, Reading, Trouble, tokens};
use super::reset::{after_seconds, epoch};
use crate::engine::at::At;
use crate::engine::charter::Risk;
use crate::engine::report::{Class, Usage, Usd};

/// Switches off what opencode fetches on its own.
pub(super) const ENVIRONMENT: [(&str, &str); 3] = [
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
];

/// Settings that have no variable of their own; a user's content of this variable stays.
pub(super) const CONFIG: (&str, &str) =
    ("OPENCODE_CONFIG_CONTENT", r#"{"autoupdate":false,"share":"disabled"}"#);

/// A title saves the model call that would find one.
/// What it writes outside the project: settings, login, sessions.
pub(super) const WRITABLE: &[&str] = &[
    "~/.config/opencode",
    "~/.local/share/opencode",
    "~/.local/state/opencode",
    "~/.cache/opencode",
];

pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["opencode", "run", "--format", "json", "--title", "looper"]);
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
    fn take(&mut self, kind: &str, frame: &Value, reading: &mut Reading) -> bool {
        let part = &frame["part"];
        match kind {
            "step_start" => {
                reading.is_complete = false;
                reading.message.clear();
                // A step that follows is the vain attempt to make room.
                let is_context = |trouble: &Trouble| trouble.class == Some(Class::Context);
                reading.trouble = reading.trouble.take().filter(is_context);
            }
            "text" => {
                if part["synthetic"].as_bool() != Some(true) {
                    reading.message.push(part["text"].as_str().unwrap_or_default());
                }
            }
            "reasoning" | "tool_use" => {}
            "step_finish" => {
                add(&mut reading.usage, part);
                reading.is_complete = part["reason"].as_str() == Some("stop");
            }
            "error" => reading.fail(self.trouble(&frame["error"])),
            _ => return false,
        }
        true
    }
}

impl Opencode {
    fn trouble(&self, error: &Value) -> Trouble {
        let data = &error["data"];
        let body = data["responseBody"].as_str().unwrap_or_default();
        let said = data["message"].as_str().unwrap_or_default();
        let mut trouble = Trouble::new(format!("{said}\n{body}"));
        trouble.status = data["statusCode"].as_u64();
        if error["name"].as_str() == Some("ContextOverflowError") {
            trouble.class = Some(Class::Context);
        }
        trouble.until = self.until(&data["responseHeaders"], body);
        trouble
    }

    fn until(&self, headers: &Value, body: &str) -> Option<At> {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let error = &body["error"];
        let retry_after = headers["retry-after"].as_str().and_then(|text| text.parse().ok());
        epoch(&error["resets_at"])
            .or_else(|| after_seconds(self.now, error["resets_in_seconds"].as_f64()?))
            .or_else(|| after_seconds(self.now, retry_after?))
    }
}

/// Every step counts for itself; what it cost comes from opencode's own table.
fn add(usage: &mut Usage, part: &Value) {
    let step = &part["tokens"];
    let read = tokens(&step["input"]).saturating_add(tokens(&step["cache"]["write"]));
    let written = tokens(&step["output"]).saturating_add(tokens(&step["reasoning"]));
    usage.input = usage.input.saturating_add(read);
    usage.cached = usage.cached.saturating_add(tokens(&step["cache"]["read"]));
    usage.output = usage.output.saturating_add(written);
    if let Some(dollars) = part["cost"].as_f64() {
        let before = usage.cost_usd.unwrap_or_default().micros();
        let cost = Usd::from_dollars(dollars).micros();
        usage.cost_usd = Some(Usd::from_micros(before.saturating_add(cost)));
    }
}
