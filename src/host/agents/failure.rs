//! What an agent program's own words about its failure mean.

use super::frames::Trouble;
use crate::engine::report::Class;

/// Phrases for text that can only come from the program itself, in the order in which they count:
/// what names one cause before what many causes share.
const PHRASES: [(Class, &[&str]); 5] = [
    (
        Class::Context,
        &[
            "context window",
            "context_length_exceeded",
            "maximum context length",
            "input token count",
            "prompt is too long",
            "api error: 413",
            "request_too_large",
        ],
    ),
    (
        Class::NoCredit,
        &[
            "insufficient_quota",
            "insufficient_g1_credits_balance",
            "quota exceeded. check your plan and billing details",
            "out of credits",
            "credit balance is too low",
            "spend cap",
            "spend limit",
            "monthly usage limit",
            "usage allocation has been disabled",
            "to use codex with your chatgpt plan, upgrade",
        ],
    ),
    (
        Class::Auth,
        &[
            "401 unauthorized",
            "403 forbidden",
            "api error: 401",
            "api error: 403",
            "api key not valid",
            "api_key_invalid",
            "invalid_api_key",
            "incorrect api key",
            "invalid api key",
            "missing environment variable",
            "missing api key",
            "not logged in",
            "please run /login",
            "log out and sign in again",
            "token expired",
            "token has expired",
            "auth failed for provider",
            "permission_denied",
            "invalid auth method",
            "set an auth method",
            "does not exist or you do not have access to it",
            "is not found for api version",
            "model_not_found",
        ],
    ),
    (
        Class::RateLimited,
        &[
            "hit your usage limit",
            "hit your limit",
            "hit your session limit",
            "hit your weekly limit",
            "usage limit reached",
            "usage limit has been reached",
            "usage_limit_reached",
            "-hour limit reached",
            "session limit reached",
            "weekly limit reached",
            "out of extra usage",
            "last status: 429",
            "too many requests",
            "api error: 429",
            "failed with status 429",
            "request rejected (429)",
            "rate limit exceeded",
            "rate limit reached",
            "rate_limit_exceeded",
            "rate_limit_error",
            "resource_exhausted",
            "exhausted your daily quota",
            "exhausted your capacity",
            "quota_exhausted",
            "exceeded your current quota",
            "quota exceeded for",
        ],
    ),
    (
        Class::Overloaded,
        &[
            "at capacity",
            "no capacity available",
            "capacity_exhausted",
            "high demand",
            "overloaded",
            "stream disconnected before completion",
            "stream ended without a finish reason",
            "connection failed",
            "connection reset",
            "connection error",
            "econnreset",
            "econnrefused",
            "etimedout",
            "socket hang up",
            "request timed out",
            "error while processing your request",
            "cannot connect to api",
            "fetch failed",
            "api error: terminated",
            "incomplete json segment",
            "operation timed out",
            "last status: 5",
            "unexpected status 5",
            "api error: 5",
            "failed with status 5",
            "http 500",
            "http 502",
            "http 503",
            "http 504",
            "http 529",
            "internal error has occurred",
        ],
    ),
];

/// How a line begins that a program of unknown make prints when it is at a limit. Such a line can
/// also be a tool's, so nothing looser will do.
const BEGINNINGS: [(Class, &[&str]); 3] = [
    (
        Class::RateLimited,
        &[
            "you've hit your usage limit",
            "you've hit your limit",
            "you've hit your session limit",
            "you've hit your weekly limit",
            "claude ai usage limit reached",
            "claude usage limit reached",
            "5-hour limit reached",
            "session limit reached",
            "weekly limit reached",
            "exceeded retry limit, last status: 429",
            "you have exhausted your daily quota on this model",
            "you have exhausted your capacity on this model",
            "rate limit exceeded",
            "rate limit reached",
            "429 too many requests",
        ],
    ),
    (
        Class::NoCredit,
        &[
            "your workspace is out of credits",
            "credit balance is too low",
            "quota exceeded. check your plan and billing details",
        ],
    ),
    (Class::Auth, &["not logged in", "invalid api key", "invalid auth method selected"]),
];

/// What can stand before the words.
const PREFIXES: [&str; 4] = ["error:", "fatal:", "[api error:", "api error:"];

/// The class of what a program reports about itself.
pub(super) fn class_of(trouble: &Trouble) -> Option<Class> {
    let text = plain(&without_colour(&trouble.text));
    let said = || {
        let has = |phrases: &&[&str]| phrases.iter().any(|phrase| text.contains(phrase));
        PHRASES.iter().find(|(_, phrases)| has(phrases)).map(|(class, _)| *class)
    };
    trouble.class.or_else(said).or_else(|| of_status(trouble.status?))
}

fn of_status(status: u64) -> Option<Class> {
    match status {
        401 | 403 => Some(Class::Auth),
        402 => Some(Class::NoCredit),
        429 => Some(Class::RateLimited),
        500..=599 => Some(Class::Overloaded),
        _ => None,
    }
}

/// The last line on a program's standard error that tells of a limit, and its class.
pub(super) fn limit_on_stderr(tail: &str) -> Option<(Class, String)> {
    tail.lines().rev().find_map(|line| {
        let line = plain(&without_colour(line));
        let mut words = line.trim();
        while let Some(rest) = PREFIXES.iter().find_map(|prefix| words.strip_prefix(prefix)) {
            words = rest.trim_start();
        }
        let begins = |(_, beginnings): &&(Class, &[&str])| {
            beginnings.iter().any(|beginning| words.starts_with(beginning))
        };
        BEGINNINGS.iter().find(begins).map(|(class, _)| (*class, words.into()))
    })
}

/// What a program that tries again without end says on standard error about the reason, if that is
/// the last thing it said there. Only for programs that keep what their tools print to themselves.
pub(super) fn waits_on_stderr(tail: &str) -> Option<Trouble> {
    let line = tail.lines().rev().map(without_colour).find(|line| {
        // A stack follows what gemini says.
        !line.trim().is_empty() && !line.starts_with("    at ")
    })?;
    if let Some((before, reason)) = line.split_once(" error.error=") {
        let is_log = before.starts_with("timestamp=")
            && before.contains(" level=ERROR ")
            && before.contains(" message=\"stream error\" ");
        return Some(Trouble::new(reason)).filter(|trouble| is_log && class_of(trouble).is_some());
    }
    let (before, reason) = match line.split_once("): ") {
        Some((before, reason)) if before.starts_with("Retrying in ") => (before, reason),
        _ => (line.strip_prefix("Attempt ")?.split_once(" failed")?.0, &*line),
    };
    let trouble = Trouble::new(reason);
    (before.len() < 40 && class_of(&trouble).is_some()).then_some(trouble)
}

/// Lower case, and one form of each sign that programs write in several.
fn plain(text: &str) -> String {
    let text =
        text.replace(['\u{2019}', '\u{2018}'], "'").replace(['\u{2219}', '\u{2022}'], "\u{b7}");
    text.replace(['\u{a0}', '\u{202f}'], " ").to_lowercase()
}

/// Without the sequences that colour a terminal.
fn without_colour(line: &str) -> String {
    let mut rest = line;
    let mut text = String::new();
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = sequence.trim_start_matches(|char: char| char.is_ascii_digit() || char == ';');
        rest = rest.strip_prefix(|char: char| char.is_ascii_alphabetic()).unwrap_or(rest);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::codex("You’ve hit your usage limit. Upgrade to Pro", Some(Class::RateLimited))]
    #[case::codex_429("exceeded retry limit, last status: 429 Too", Some(Class::RateLimited))]
    #[case::codex_503("exceeded retry limit, last status: 503", Some(Class::Overloaded))]
    #[case::codex_credit("Your workspace is out of credits. Ask", Some(Class::NoCredit))]
    #[case::codex_quota(
        "Quota exceeded. Check your plan and billing details.",
        Some(Class::NoCredit)
    )]
    #[case::codex_login("unexpected status 401 Unauthorized: x", Some(Class::Auth))]
    #[case::codex_context(
        "Codex ran out of room in the model's context window.",
        Some(Class::Context)
    )]
    #[case::claude_session("You've hit your session limit · resets 12am", Some(Class::RateLimited))]
    #[case::claude_old("Claude AI usage limit reached|1795200000", Some(Class::RateLimited))]
    #[case::claude_org("You've hit your org's monthly usage limit", Some(Class::NoCredit))]
    #[case::claude_login("Invalid API key · Please run /login", Some(Class::Auth))]
    #[case::claude_overloaded(
        "API Error: 529 {\"type\":\"overloaded_error\"}",
        Some(Class::Overloaded)
    )]
    #[case::gemini_day("[API Error: You have exhausted your daily quota", Some(Class::RateLimited))]
    #[case::gemini_free("You exceeded your current quota, please check", Some(Class::RateLimited))]
    #[case::gemini_cut("Model stream ended without a finish reason.", Some(Class::Overloaded))]
    #[case::openai_free("exceeded your current quota insufficient_quota", Some(Class::NoCredit))]
    #[case::anything_else("I failed", None)]
    fn a_report_has_a_class(#[case] text: &str, #[case] want: Option<Class>) {
        assert_eq!(class_of(&Trouble::new(text)), want);
    }

    #[rstest]
    #[case(401, Some(Class::Auth))]
    #[case(429, Some(Class::RateLimited))]
    #[case(503, Some(Class::Overloaded))]
    #[case(400, None)]
    fn a_status_counts_where_words_do_not(#[case] status: u64, #[case] want: Option<Class>) {
        let trouble = Trouble { status: Some(status), ..Trouble::new("x") };
        assert_eq!(class_of(&trouble), want);
    }

    #[rstest]
    #[case::qwen(
        "Falling back.\nRetrying in 60s (attempt 1/10): [API Error: 429 Rate limit reached]\n",
        Some(Class::RateLimited)
    )]
    #[case::gemini(
        "Attempt 5 failed. Retrying with backoff... Error: fetch failed\n    at x (y.js:1:1)\n",
        Some(Class::Overloaded)
    )]
    #[case::gemini_limit("Attempt 1 failed with status 429. Retrying...", Some(Class::RateLimited))]
    #[case::opencode(
        "timestamp=2026-11-21T05:00:22.363Z level=ERROR run=8 message=\"stream error\" \
         small=false error.error=\"AI_APICallError: Rate limit reached for m. Try again in 60m.\"",
        Some(Class::RateLimited)
    )]
    #[case::opencode_of_a_tool(
        "timestamp=2026-11-21T05:00:22.363Z level=ERROR run=8 message=failed \
         error.error=\"rate limit exceeded\"",
        None
    )]
    #[case::went_on("Retrying in 60s (attempt 1/10): [API Error: 429 x]\nworking\n", None)]
    #[case::no_reason("Retrying in 60s (attempt 1/10): why not", None)]
    #[case::somebody_else("make: Retrying in 60s (attempt 1/10): 429 too many requests", None)]
    #[case::nothing("\n", None)]
    fn who_tries_again_without_end_says_why(#[case] tail: &str, #[case] want: Option<Class>) {
        assert_eq!(waits_on_stderr(tail).as_ref().and_then(class_of), want);
    }

    #[rstest]
    #[case::plain("5-hour limit reached ∙ resets 2am", Some(Class::RateLimited))]
    #[case::after_error("x\nERROR: You’ve hit your usage limit.\nbye", Some(Class::RateLimited))]
    #[case::in_colour("\u{1b}[31mError:\u{1b}[0m 429 Too Many Requests", Some(Class::RateLimited))]
    #[case::login("Invalid auth method selected.", Some(Class::Auth))]
    #[case::credit("Credit balance is too low", Some(Class::NoCredit))]
    #[case::talk_about_limits("The test says: rate limit exceeded", None)]
    #[case::a_number("used 14290 tokens", None)]
    #[case::a_test_name("test rate_limit_exceeded_is_handled ... FAILED", None)]
    fn only_a_line_that_begins_so_is_a_limit(#[case] tail: &str, #[case] want: Option<Class>) {
        assert_eq!(limit_on_stderr(tail).map(|(class, _)| class), want);
    }
}
