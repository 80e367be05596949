//! `claude --output-format stream-json`, and the programs that speak the same language.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::adapter::{Call, words};
use super::fields::{Loose, Object, Text, dollars, fields, nothing_in, sound_fields};
use super::frames::{Dialect, Reading, Trouble};
use super::parts::Content;
use super::reset::epoch;
use super::tools::Use;
use crate::engine::at::At;
use crate::engine::charter::Risk;
use crate::engine::report::{Class, QuotaWindow, Usage};

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
    /// Also by a result that is or ends with `[API Error: …]`, in runs that call themselves good.
    Mumbled,
}

impl Failures {
    /// What such a program calls its shell.
    fn shell(self) -> &'static str {
        match self {
            Self::Told => "Bash",
            Self::Mumbled => "run_shell_command",
        }
    }
}

/// The frames of one run. It ends with `result`; only `is_error` says how, `subtype` can call a
/// failure a success.
pub(super) struct Claude {
    failures: Failures,
    /// A limit that was announced, and is one if the run then fails.
    limit: Option<Trouble>,
    /// Whether no model wrote what was said last, as far as the count of its tokens tells.
    is_unwritten: bool,
}

impl Claude {
    pub(super) fn new(failures: Failures) -> Self {
        Self { failures, limit: None, is_unwritten: false }
    }

    fn system(frame: &System<'_>, reading: &mut Reading) {
        reading.name_session(frame.session_id.text());
        match frame.subtype.as_deref() {
            Some("init") => reading.model = frame.model.text().map(Into::into),
            Some("api_retry") => {
                let error = frame.error.text();
                let mut trouble = Trouble::new(error.unwrap_or_default());
                trouble.status = frame.error_status.0;
                trouble.class = error.and_then(named);
                reading.trouble = Some(trouble);
            }
            _ => {}
        }
    }

    fn assistant(&mut self, frame: Assistant<'_>, reading: &mut Reading) {
        self.is_unwritten = frame.message.0.usage.0.output_tokens.0 == 0;
        let Content { said, tools } = frame.message.0.content;
        for tool in tools {
            let is_command = tool.name.text() == Some(self.failures.shell());
            let what = if is_command { Use::Command } else { Use::Other };
            reading.tools.used(tool.id.text(), what);
        }
        if let Some(class) = frame.error.text().and_then(named) {
            let mut trouble = Trouble::new(said);
            trouble.class = Some(class);
            return reading.fail(trouble);
        }
        reading.is_complete = false;
        reading.trouble = None;
        if frame.parent_tool_use_id.is_none() && !said.is_empty() {
            reading.message.set(&said);
        }
    }

    /// Sent on good runs too: only a rejection is a limit.
    fn limit(&mut self, info: &Info<'_>, reading: &mut Reading) {
        let until = info.resets_at.0.and_then(|seconds| epoch(&seconds.into()));
        let is_rejected = info.status.text() == Some("rejected");
        if let Some(quota) = info.quota(is_rejected, until) {
            reading.tell_quota(quota);
        }
        if is_rejected {
            let mut trouble = Trouble::new("usage limit reached");
            trouble.class = Some(Class::RateLimited);
            trouble.until = until;
            reading.trouble = Some(trouble.clone());
            self.limit = Some(trouble);
        } else {
            self.limit = None;
        }
    }

    fn result(&mut self, frame: &Outcome<'_>, reading: &mut Reading) {
        reading.name_session(frame.session_id.text());
        reading.usage = frame.usage(self.failures);
        let said = frame.result.text();
        let mumbled = said.filter(|_| self.failures == Failures::Mumbled);
        let mumbled = mumbled.and_then(|said| mumbled_error(said, self.is_unwritten));
        let subtype = frame.subtype.as_deref();
        if frame.is_error == Some(false) && subtype == Some("success") && mumbled.is_none() {
            if let Some(said) = said {
                reading.message.set(said);
            }
            return reading.complete();
        }
        let words: Vec<&str> = mumbled
            .or(said)
            .into_iter()
            .chain(frame.error.0.message.text())
            .chain(frame.errors.0.iter().filter_map(Loose::text))
            .chain(subtype.filter(|subtype| *subtype != "success"))
            .collect();
        let mut trouble = Trouble::new(words.join("\n"));
        trouble.status = frame.api_error_status.0;
        let earlier = self.limit.take().or_else(|| reading.trouble.take());
        if let Some(earlier) = earlier.filter(|earlier| earlier.class.is_some()) {
            trouble.class = earlier.class;
            trouble.until = earlier.until;
        }
        reading.fail(trouble);
    }
}

impl Dialect for Claude {
    fn kinds(&self) -> &'static [&'static str] {
        &["system", "assistant", "user", "stream_event", "rate_limit_event", "result"]
    }

    fn take(&mut self, kind: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()> {
        match kind {
            "system" => Self::system(&fields(line)?, reading),
            "assistant" => self.assistant(fields(line)?, reading),
            "rate_limit_event" => {
                self.limit(&fields::<RateLimit<'_>>(line)?.rate_limit_info.0, reading);
            }
            "result" => self.result(&sound_fields(line)?, reading),
            _ => nothing_in(line)?,
        }
        Ok(())
    }

    /// No message is lost with a tool's.
    fn lose(&mut self, kind: &str, _: &[u8], reading: &mut Reading) {
        reading.is_complete = false;
        if matches!(kind, "assistant" | "result") {
            reading.message.tear();
        }
    }
}

/// The program's words about its failure in what it calls the answer: the whole of it, or the end of
/// an answer whose stream was cut, for which no tokens are counted. A model can say the same, but
/// not without tokens.
fn mumbled_error(said: &str, is_unwritten: bool) -> Option<&str> {
    let said = said.trim();
    let start = said.rfind("[API Error:")?;
    let is_whole = start == 0 && (is_unwritten || said.ends_with(']'));
    let is_end = is_unwritten && said.ends_with(']');
    (is_whole || is_end).then(|| &said[start..])
}

/// The error names that claude itself gives.
fn named(error: &str) -> Option<Class> {
    match error {
        "authentication_failed" => Some(Class::Auth),
        "billing_error" => Some(Class::NoCredit),
        "rate_limit" => Some(Class::RateLimited),
        "server_error" | "overloaded" => Some(Class::Overloaded),
        _ => None,
    }
}

#[derive(Deserialize)]
struct System<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    subtype: Option<Text<'a>>,
    #[serde(borrow, default)]
    session_id: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    model: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    error: Loose<Option<Text<'a>>>,
    #[serde(default)]
    error_status: Loose<Option<u64>>,
}

#[derive(Deserialize)]
struct Assistant<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow)]
    message: Object<Said<'a>>,
    /// Whose subagent speaks.
    parent_tool_use_id: Option<IgnoredAny>,
    #[serde(borrow, default)]
    error: Loose<Option<Text<'a>>>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    content: Content<'a>,
    #[serde(default)]
    usage: Loose<Tokens>,
}

#[derive(Deserialize)]
struct RateLimit<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    rate_limit_info: Loose<Info<'a>>,
}

#[derive(Default, Deserialize)]
struct Info<'a> {
    #[serde(borrow, default)]
    status: Loose<Option<Text<'a>>>,
    #[serde(rename = "resetsAt", default)]
    resets_at: Loose<Option<i64>>,
    #[serde(rename = "rateLimitType", borrow, default)]
    window: Loose<Option<Text<'a>>>,
    #[serde(default)]
    utilization: Loose<Option<f64>>,
}

impl Info<'_> {
    /// How full the allowance is, where that is said; one that rejects is full.
    fn quota(&self, is_rejected: bool, resets_at: Option<At>) -> Option<QuotaWindow> {
        let said = self.utilization.0.map(percent);
        let used_percent = if is_rejected { said.unwrap_or(0).max(100) } else { said? };
        Some(QuotaWindow { window: self.window.text()?.into(), used_percent, resets_at })
    }
}

/// Per cent, rounded up but for what a fraction of two is off. Absurd values saturate.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn percent(share: f64) -> u32 {
    ((share * 1e6).round() / 1e4).ceil().clamp(0.0, 1000.0) as u32
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(borrow, default)]
    subtype: Option<Text<'a>>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(borrow, default)]
    result: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    error: Loose<Report<'a>>,
    #[serde(borrow, default)]
    errors: Loose<Vec<Loose<Option<Text<'a>>>>>,
    #[serde(default)]
    api_error_status: Loose<Option<u64>>,
    #[serde(borrow, default)]
    session_id: Loose<Option<Text<'a>>>,
    #[serde(default)]
    total_cost_usd: Loose<Option<f64>>,
    #[serde(default)]
    usage: Loose<Tokens>,
}

#[derive(Default, Deserialize)]
struct Report<'a> {
    #[serde(borrow, default)]
    message: Loose<Option<Text<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: Loose<u64>,
    cache_creation_input_tokens: Loose<u64>,
    cache_read_input_tokens: Loose<u64>,
    output_tokens: Loose<u64>,
}

impl Outcome<'_> {
    /// Claude counts apart what came from the cache; the others count it twice.
    fn usage(&self, failures: Failures) -> Usage {
        let tokens = &self.usage.0;
        let (read, cached) = (tokens.input_tokens.0, tokens.cache_read_input_tokens.0);
        let input = match failures {
            Failures::Told => read.saturating_add(tokens.cache_creation_input_tokens.0),
            Failures::Mumbled => read.saturating_sub(cached),
        };
        let cost_usd = self.total_cost_usd.0.and_then(dollars);
        Usage { input, cached, output: tokens.output_tokens.0, cost_usd, ..Usage::default() }
    }
}
