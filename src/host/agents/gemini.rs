//! `gemini --output-format stream-json`.

use serde_json::Value;

use super::adapter::{Call, words};
use super::frames::{Dialect, Reading, Trouble, text, tokens};
use crate::engine::charter::Risk;
use crate::engine::report::{Class, Usage};

/// Without them gemini starts itself a second time and then does not hear signals, and refuses to
/// work in a folder nobody has confirmed.
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
    fn take(&mut self, kind: &str, frame: &Value, reading: &mut Reading) -> bool {
        match kind {
            "init" => reading.model = text(&frame["model"]),
            "message" => {
                if frame["role"].as_str() == Some("assistant") {
                    reading.message.push(frame["content"].as_str().unwrap_or_default());
                    reading.trouble = None;
                }
            }
            "tool_use" => reading.trouble = None,
            // What was said before a tool was used is not the answer.
            "tool_result" => reading.message.clear(),
            "error" => {
                if frame["severity"].as_str() != Some("warning") {
                    let said = text(&frame["message"]).unwrap_or_default();
                    reading.trouble = Some(Trouble::new(said));
                }
            }
            "result" => {
                reading.usage = usage(&frame["stats"]);
                if frame["status"].as_str() == Some("success") {
                    reading.complete();
                } else {
                    let said = text(&frame["error"]["message"]).map(Trouble::new);
                    let earlier = reading.trouble.take();
                    reading.fail(said.or(earlier).unwrap_or_default());
                }
            }
            _ => return false,
        }
        true
    }
}

fn usage(stats: &Value) -> Usage {
    let read = tokens(&stats["input_tokens"]);
    let cached = tokens(&stats["cached"]);
    // Thoughts are in the total only.
    let written = tokens(&stats["total_tokens"]).saturating_sub(read);
    Usage {
        input: read.saturating_sub(cached),
        cached,
        output: written.max(tokens(&stats["output_tokens"])),
        ..Usage::default()
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
