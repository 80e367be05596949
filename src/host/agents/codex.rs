//! `codex exec --json`.

use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::adapter::{Call, words};
use super::fields::{Loose, Object, Text, fields, nothing_in, sound_fields};
use super::frames::{Dialect, Reading, Trouble};
use super::tools::Use;
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
    fn kinds(&self) -> &'static [&'static str] {
        &[
            "thread.started",
            "turn.started",
            "item.started",
            "item.updated",
            "item.completed",
            "error",
            "turn.completed",
            "turn.failed",
        ]
    }

    fn take(&mut self, kind: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()> {
        match kind {
            "thread.started" => {
                reading.name_session(fields::<Thread<'_>>(line)?.thread_id.text());
            }
            "item.started" | "item.updated" => {
                let frame: ItemFrame<'_> = fields(line)?;
                reading.trouble = None;
                count(&frame.item.0, reading);
            }
            "item.completed" => {
                let ItemFrame { item: Object(item), .. } = fields(line)?;
                reading.trouble = None;
                count(&item, reading);
                if item.kind.text() == Some("agent_message") {
                    // An end that came before does not speak for it.
                    reading.is_complete = false;
                    match item.text.text() {
                        Some(said) => reading.message.set(said),
                        None => reading.message.tear(),
                    }
                }
            }
            "error" => reading.trouble = Some(fields::<Report<'_>>(line)?.trouble()),
            "turn.completed" => {
                reading.usage = sound_fields::<Completed>(line)?.usage.0.usage();
                reading.complete();
            }
            "turn.failed" => {
                let failed: Failed<'_> = fields(line)?;
                reading.fail(failed.error.0.trouble());
            }
            _ => {
                nothing_in(line)?;
                reading.is_complete = false;
                reading.trouble = None;
            }
        }
        Ok(())
    }

    /// Quotes in a text are escaped: where a frame says that it is a tool's, it is one.
    fn lose(&mut self, kind: &str, start: &[u8], reading: &mut Reading) {
        reading.is_complete = false;
        let is_of =
            |tool: &&str| memmem::find(start, format!(r#""type":"{tool}""#).as_bytes()).is_some();
        if !(kind.starts_with("item.") && TOOLS.iter().any(is_of)) {
            reading.message.tear();
        }
    }
}

/// Items that are uses of tools.
const TOOLS: [&str; 5] =
    ["command_execution", "file_change", "mcp_tool_call", "collab_tool_call", "web_search"];

fn count(item: &Item<'_>, reading: &mut Reading) {
    let kind = item.kind.text().unwrap_or_default();
    if TOOLS.contains(&kind) {
        let what = if kind == "command_execution" { Use::Command } else { Use::Other };
        reading.tools.used(item.id.text(), what);
    }
}

#[derive(Deserialize)]
struct Thread<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    thread_id: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct ItemFrame<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow)]
    item: Object<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    id: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    text: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Failed<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    error: Loose<Report<'a>>,
}

#[derive(Default, Deserialize)]
struct Report<'a> {
    #[serde(rename = "type")]
    _kind: Option<IgnoredAny>,
    #[serde(borrow, default)]
    message: Loose<Option<Text<'a>>>,
}

impl Report<'_> {
    fn trouble(&self) -> Trouble {
        Trouble::new(self.message.text().unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Completed {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(default)]
    usage: Loose<Tokens>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: Loose<u64>,
    cached_input_tokens: Loose<u64>,
    output_tokens: Loose<u64>,
}

impl Tokens {
    /// What codex counts as input includes what came from the cache.
    fn usage(&self) -> Usage {
        let cached = self.cached_input_tokens.0;
        Usage {
            input: self.input_tokens.0.saturating_sub(cached),
            cached,
            output: self.output_tokens.0,
            ..Usage::default()
        }
    }
}
