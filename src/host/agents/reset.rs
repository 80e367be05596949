//! When a limit lifts, as far as its message says so.
//!
//! A moment that is not there is not guessed, a day's quota that lifts at midnight somewhere
//! included: it may be any hour, and whoever waits without a moment asks again from time to time.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::{Captures, Regex};
use serde_json::Value;

use self::clock::clock;
use crate::engine::at::At;

mod clock;
#[cfg(test)]
mod tests;

/// No limit is longer than a month; what claims to be is misread.
const LIMIT_MS_MAX: i64 = 40 * 24 * 60 * 60 * 1000;

/// A moment so little in the past is now: clocks differ.
const JUST_NOW_MS: i64 = 10 * 60 * 1000;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that the tests have compiled")
}

/// The moment in a failure's text: what a machine wrote, then a clock time, then a span of time.
pub(super) fn until(text: &str, now: At) -> Option<At> {
    let sane = |found| sane(found, now);
    // Some programs part a time from its half of the day by a space that is none.
    let text = &text.replace(['\u{a0}', '\u{202f}'], " ");
    let found = field(text, now).and_then(sane);
    found.or_else(|| clock(text, now).and_then(sane)).or_else(|| delay(text, now).and_then(sane))
}

/// A field that holds seconds or milliseconds since 1970.
pub(super) fn epoch(value: &Value) -> Option<At> {
    value.as_i64().filter(|number| *number > 0).map(from_epoch)
}

/// So many seconds from now.
pub(super) fn after_seconds(now: At, seconds: f64) -> Option<At> {
    let delay_ms = (seconds * 1000.0).ceil();
    let is_sane = (0.0..=LIMIT_MS_MAX as f64).contains(&delay_ms);
    is_sane.then(|| At::from_millis(now.millis().saturating_add(delay_ms as i64)))
}

/// The HTTP header `retry-after`: seconds, or a date.
pub(super) fn retry_after(header: &str, now: At) -> Option<At> {
    let header = header.trim();
    match header.parse() {
        Ok(seconds) => after_seconds(now, seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(header).ok()?;
            Some(At::from_millis(date.timestamp().as_millisecond()))
        }
    }
}

/// Only moments that a limit can have.
pub(super) fn sane(until: At, now: At) -> Option<At> {
    let wait_ms = until.millis().saturating_sub(now.millis());
    (-JUST_NOW_MS..=LIMIT_MS_MAX).contains(&wait_ms).then_some(until)
}

fn from_epoch(number: i64) -> At {
    let is_seconds = number < 100_000_000_000;
    At::from_millis(if is_seconds { number * 1000 } else { number })
}

/// `reached|1795200000`, and the fields of an answer whose body is in the text:
/// `"resets_at":1795200000`, `"resetsAt":"2026-11-20T18:40:00Z"`, `"resets_in_seconds":7200`,
/// `retry-after: 120`, `retry-after: Fri, 20 Nov 2026 18:40:00 GMT`, `"retryDelay":"34s"`.
fn field(text: &str, now: At) -> Option<At> {
    static FIELD: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r#"(?i)\|(?<epoch>\d{10,13})\b"#,
            r#"|resets?_?at\\?["']?\s*[:=]\s*(?:(?<at>\d{10,13})\b|\\?["'](?<text>[0-9TZ:.+-]{16,35})\\?["'])"#,
            r#"|resets?_?in_?seconds\\?["']?\s*[:=]\s*(?<seconds>\d{1,9}(?:\.\d{1,9})?)"#,
            r#"|retry-after\\?["']?\s*[:=]\s*\\?["']?(?<after>\d{1,9}\b|[a-z]{3}, \d\d? [a-z]{3} \d{4} [0-9:]{8} GMT)"#,
            r#"|retryDelay\\?["']?\s*[:=]\s*\\?["'](?<delay>\d{1,9}(?:\.\d{1,9})?)s"#,
        ))
    });
    let read = |found: Captures<'_>| {
        let get = |name: &str| found.name(name).map(|part| part.as_str());
        let number = |name: &str| get(name)?.parse::<f64>().ok();
        let epoch = || get("epoch").or_else(|| get("at"))?.parse().ok().map(from_epoch);
        let stamp = || get("text")?.parse().ok().map(|at: Timestamp| at.as_millisecond());
        epoch()
            .or_else(|| stamp().map(At::from_millis))
            .or_else(|| after_seconds(now, number("seconds").or_else(|| number("delay"))?))
            .or_else(|| retry_after(get("after")?, now))
    };
    FIELD.captures_iter(text).find_map(read)
}

/// `retry in 34.07s`, `reset after 19h14m47s`, `try again in 2 days, 3 hours and 5 minutes`.
fn delay(text: &str, now: At) -> Option<At> {
    static DELAY: LazyLock<Regex> = LazyLock::new(|| {
        let unit = concat!(
            r"(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?",
            r"|w|weeks?)",
        );
        let part =
            format!(r"(?:\d{{1,12}}(?:\.\d{{1,9}})? ?{unit}\b|\d{{1,12}}(?:\.\d{{1,9}})?[dhms])");
        regex(&format!(
            r"(?i)\b(?:retry|retrying|try again|resets?|wait) (?:in|after|for) ({part}(?:(?:,? and |,? ?){part})*)"
        ))
    });
    static PART: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)(\d+(?:\.\d+)?) ?([a-z]+)"));
    let mut seconds = 0.0;
    for part in PART.captures_iter(&DELAY.captures(text)?[1]) {
        let number: f64 = part[1].parse().ok()?;
        seconds += number * unit_seconds(&part[2].to_ascii_lowercase())?;
    }
    after_seconds(now, seconds)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match (unit, unit.as_bytes().first()?) {
        ("ms" | "millisecond" | "milliseconds", _) => 0.001,
        (_, b's') => 1.0,
        (_, b'm') => 60.0,
        (_, b'h') => 3600.0,
        (_, b'd') => 86_400.0,
        _ => 7.0 * 86_400.0,
    })
}
