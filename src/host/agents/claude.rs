//! `claude --output-format stream-json`, and the programs that speak the same language.

use serde_json::Value;

use super::adapter::{Call, words};
use super::frames::{Dialect, Reading, Trouble, text, tokens};
use super::reset::epoch;
use crate::engine::charter::Risk;
use crate::engine::report::{Class, Usage, Usd};

/// Switches off updates, telemetry and everything else that is not the answer.
pub(super) const ENVIRONMENT: [(&str, &str); 2] =
    [("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"), ("DISABLE_AUTOUPDATER", "1")];

/// What it writes outside the project: settings, login, sessions.
pub(super) const WRITABLE: &[&str] = &[
    "~/.claude",
    "~/.claude.json",
    "~/.local/state/claude",
    "~/.cache/claude",
    "~/.cache/claude-cli-nodejs",
];

pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["claude", "-p", "--output-format", "stream-json", "--verbose"]);
    command.extend(match call.risk {
        Risk::Unattended => words(["--dangerously-skip-permissions"]),
        Risk::Safe => words(["--permission-mode", "acceptEdits"]),
    });
    command.extend(call.model("--model"));
    command.extend(call.effort("--effort", ""));
    command
}

/// Whether a program tells failures from answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failures {
    /// By the field `is_error`.
    Told,
    /// Also by a result that begins with `[API Error:`, in runs that call themselves good.
    Mumbled,
}

/// The frames of one run. It ends with `result`; only `is_error` says how, `subtype` can call a
/// failure a success.
pub(super) struct Claude {
    failures: Failures,
    /// A limit that was announced, and is one if the run then fails.
    limit: Option<Trouble>,
}

impl Claude {
    pub(super) fn new(failures: Failures) -> Self {
        Self { failures, limit: None }
    }

    fn system(frame: &Value, reading: &mut Reading) {
        match frame["subtype"].as_str() {
            Some("init") => reading.model = text(&frame["model"]),
            Some("api_retry") => {
                let mut trouble = Trouble::new(text(&frame["error"]).unwrap_or_default());
                trouble.status = frame["error_status"].as_u64();
                trouble.class = named(&frame["error"]);
                reading.trouble = Some(trouble);
            }
            _ => {}
        }
    }

    fn assistant(frame: &Value, reading: &mut Reading) {
        let parts = frame["message"]["content"].as_array().map_or(&[][..], Vec::as_slice);
        let said: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        if let Some(class) = named(&frame["error"]) {
            let mut trouble = Trouble::new(said);
            trouble.class = Some(class);
            return reading.fail(trouble);
        }
        reading.is_complete = false;
        reading.trouble = None;
        if frame["parent_tool_use_id"].is_null() && !said.is_empty() {
            reading.message.set(&said);
        }
    }

    /// Sent on good runs too: only a rejection is a limit.
    fn limit(&mut self, info: &Value, reading: &mut Reading) {
        if info["status"].as_str() == Some("rejected") {
            let mut trouble = Trouble::new("usage limit reached");
            trouble.class = Some(Class::RateLimited);
            trouble.until = epoch(&info["resetsAt"]);
            reading.trouble = Some(trouble.clone());
            self.limit = Some(trouble);
        } else {
            self.limit = None;
        }
    }

    fn result(&mut self, frame: &Value, reading: &mut Reading) {
        reading.usage = usage(frame, self.failures);
        let said = frame["result"].as_str();
        let mumbled = self.failures == Failures::Mumbled
            && said.is_some_and(|said| said.trim_start().starts_with("[API Error:"));
        let is_good = frame["is_error"].as_bool() == Some(false)
            && frame["subtype"].as_str() == Some("success")
            && !mumbled;
        if is_good {
            if let Some(said) = said {
                reading.message.set(said);
            }
            return reading.complete();
        }
        let errors = frame["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let error = frame["error"]["message"].as_str();
        let words: Vec<&str> = said
            .into_iter()
            .chain(error)
            .chain(errors.iter().filter_map(Value::as_str))
            .chain(frame["subtype"].as_str().filter(|subtype| *subtype != "success"))
            .collect();
        let mut trouble = Trouble::new(words.join("\n"));
        trouble.status = frame["api_error_status"].as_u64();
        let earlier = self.limit.take().or_else(|| reading.trouble.take());
        if let Some(earlier) = earlier.filter(|earlier| earlier.class.is_some()) {
            trouble.class = earlier.class;
            trouble.until = earlier.until;
        }
        reading.fail(trouble);
    }
}

impl Dialect for Claude {
    fn take(&mut self, kind: &str, frame: &Value, reading: &mut Reading) -> bool {
        match kind {
            "system" => Self::system(frame, reading),
            "assistant" => Self::assistant(frame, reading),
            "user" | "stream_event" => {}
            "rate_limit_event" => self.limit(&frame["rate_limit_info"], reading),
            "result" => self.result(frame, reading),
            _ => return false,
        }
        true
    }
}

/// The error names that claude itself gives.
fn named(error: &Value) -> Option<Class> {
    match error.as_str()? {
        "authentication_failed" => Some(Class::Auth),
        "billing_error" => Some(Class::NoCredit),
        "rate_limit" => Some(Class::RateLimited),
        "server_error" | "overloaded" => Some(Class::Overloaded),
        _ => None,
    }
}

/// Claude counts apart what came from the cache; the others count it twice.
fn usage(frame: &Value, failures: Failures) -> Usage {
    let usage = &frame["usage"];
    let cached = tokens(&usage["cache_read_input_tokens"]);
    let read = tokens(&usage["input_tokens"]);
    let input = match failures {
        Failures::Told => read.saturating_add(tokens(&usage["cache_creation_input_tokens"])),
        Failures::Mumbled => read.saturating_sub(cached),
    };
    let cost_usd = frame["total_cost_usd"].as_f64().map(Usd::from_dollars);
    let output = tokens(&usage["output_tokens"]);
    Usage { input, cached, output, cost_usd, ..Usage::default() }
}
