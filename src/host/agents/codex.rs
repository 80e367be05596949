//! `codex exec --json`.

use serde_json::Value;

use super::adapter::{Call, words};
use super::frames::{Dialect, Reading, Trouble, text, tokens};
use crate::engine::charter::Risk;
use crate::engine::report::Usage;

/// What it writes outside the project: settings, login, sessions.
pub(super) const WRITABLE: &[&str] = &["~/.codex"];

/// The settings bound the start (no look for plugins on the net) and the end (no waiting for ever
/// for a network that is not there, no waiting for telemetry).
pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["codex", "exec", "--json", "--skip-git-repo-check"]);
    command.extend(match call.risk {
        Risk::Unattended => words(["--dangerously-bypass-approvals-and-sandbox"]),
        Risk::Safe => words(["--sandbox", "workspace-write"]),
    });
    for setting in [
        "analytics.enabled=false",
        "features.plugins=false",
        "features.unbounded_connection_retries=false",
    ] {
        command.extend(words(["-c", setting]));
    }
    command.extend(call.model("-m"));
    command.extend(call.effort("-c", "model_reasoning_effort="));
    command.extend(words(["-"]));
    command
}

/// The frames of one turn. A run ends with `turn.completed` or `turn.failed`; `error` is only a
/// report, after which codex often goes on.
pub(super) struct Codex;

impl Dialect for Codex {
    fn take(&mut self, kind: &str, frame: &Value, reading: &mut Reading) -> bool {
        match kind {
            "thread.started" => {}
            "turn.started" => {
                reading.is_complete = false;
                reading.trouble = None;
            }
            "item.started" | "item.updated" => reading.trouble = None,
            "item.completed" => {
                reading.trouble = None;
                let item = &frame["item"];
                if let ("agent_message", Some(said)) =
                    (item["type"].as_str().unwrap_or_default(), item["text"].as_str())
                {
                    reading.message.set(said);
                }
            }
            "error" => {
                reading.trouble = Some(Trouble::new(text(&frame["message"]).unwrap_or_default()));
            }
            "turn.completed" => {
                reading.usage = usage(&frame["usage"]);
                reading.complete();
            }
            "turn.failed" => {
                let said = text(&frame["error"]["message"]).unwrap_or_default();
                reading.fail(Trouble::new(said));
            }
            _ => return false,
        }
        true
    }
}

/// What codex counts as input includes what came from the cache.
fn usage(usage: &Value) -> Usage {
    let cached = tokens(&usage["cached_input_tokens"]);
    Usage {
        input: tokens(&usage["input_tokens"]).saturating_sub(cached),
        cached,
        output: tokens(&usage["output_tokens"]),
        ..Usage::default()
    }
}
