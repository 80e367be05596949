//! When a limit lifts, as far as its message says so.

use std::sync::LazyLock;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use regex::{Captures, Regex};
use serde_json::Value;

use crate::engine::at::At;

/// No limit is longer than a month; what claims to be is misread.
const LIMIT_MS_MAX: i64 = 40 * 24 * 60 * 60 * 1000;

/// Texts give minutes, and cut the seconds.
const MINUTE_MS: i64 = 60 * 1000;

/// A clock time so little in the past is now, not tomorrow.
const JUST_NOW_MS: i64 = 10 * MINUTE_MS;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that the tests have compiled")
}

/// The moment in a failure's text. Clock times without a zone are UTC, which is where agents run.
pub(super) fn until(text: &str, now: At) -> Option<At> {
    static EPOCH: LazyLock<Regex> = LazyLock::new(|| regex(r"\|(\d{10,13})\b"));
    let epoch = || {
        let digits = EPOCH.captures(text)?[1].parse().ok()?;
        Some(from_epoch(digits))
    };
    let found = epoch().or_else(|| clock(text, now)).or_else(|| delay(text, now))?;
    sane(found, now)
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

/// Only moments that a limit can have.
pub(super) fn sane(until: At, now: At) -> Option<At> {
    let wait_ms = until.millis().saturating_sub(now.millis());
    (-JUST_NOW_MS..=LIMIT_MS_MAX).contains(&wait_ms).then_some(until)
}

fn from_epoch(number: i64) -> At {
    let is_seconds = number < 100_000_000_000;
    At::from_millis(if is_seconds { number * 1000 } else { number })
}

/// `try again at 3:05 PM`, `try again at Nov 21st, 2026 9:00 AM`, `resets 2:10pm (Europe/Paris)`.
fn clock(text: &str, now: At) -> Option<At> {
    static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"(?i)(?:try again at|resets?(?: at)?) ",
            r"(?:([a-z]{3})[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (?:(\d{4}),? )?(?:at )?)?",
            r"(\d{1,2})(?::(\d{2}))? ?([ap]m)(?: \(([A-Za-z0-9_/+-]+)\))?",
        ))
    });
    let found = CLOCK.captures(text)?;
    let zone = match found.get(7) {
        Some(name) => TimeZone::get(name.as_str()).ok()?,
        None => TimeZone::UTC,
    };
    let today = now.timestamp().to_zoned(zone.clone()).date();
    let time = time(&found)?;
    let moment = |date: Date| Some(date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp());
    let soonest = now.timestamp().as_millisecond() - JUST_NOW_MS;
    let is_to_come = |moment: &Timestamp| moment.as_millisecond() >= soonest;
    let moment = match date(&found, today) {
        Some(date) => moment(date?)?,
        None => {
            moment(today).filter(is_to_come).or_else(|| moment(today.checked_add(1.day()).ok()?))?
        }
    };
    Some(At::from_millis(moment.as_millisecond() + MINUTE_MS))
}

fn time(found: &Captures<'_>) -> Option<Time> {
    let hour: i8 = found[4].parse().ok().filter(|hour| (1..=12).contains(hour))?;
    let minute: i8 = found.get(5).map_or(Ok(0), |text| text.as_str().parse()).ok()?;
    let half = if found[6].eq_ignore_ascii_case("pm") { 12 } else { 0 };
    Time::new(hour % 12 + half, minute, 0, 0).ok()
}

/// `None`: no date is given. `Some(None)`: it is no date.
fn date(found: &Captures<'_>, today: Date) -> Option<Option<Date>> {
    let month = found.get(1)?.as_str().to_ascii_lowercase();
    let read = || {
        let month = MONTHS.iter().position(|name| *name == month)?;
        let year = found.get(3).map_or(Ok(today.year()), |text| text.as_str().parse()).ok()?;
        Date::new(year, i8::try_from(month + 1).ok()?, found[2].parse().ok()?).ok()
    };
    Some(read())
}

/// `retry in 34.07s`, `reset after 19h14m47s`, `try again in 2 days 3 hours 5 minutes`.
fn delay(text: &str, now: At) -> Option<At> {
    static DELAY: LazyLock<Regex> = LazyLock::new(|| {
        let unit = r"(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)";
        regex(&format!(
            r"(?i)(?:retry|retrying|try again|resets?) (?:in|after) ((?:\d+(?:\.\d+)? ?{unit}\b,? ?|\d+(?:\.\d+)?[hms])+)"
        ))
    });
    static PART: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)(\d+(?:\.\d+)?) ?([a-z]+)"));
    let mut seconds = 0.0;
    for part in PART.captures_iter(&DELAY.captures(text)?[1]) {
        let number: f64 = part[1].parse().ok()?;
        seconds += number
            * match part[2].to_ascii_lowercase().as_str() {
                "ms" | "millisecond" | "milliseconds" => 0.001,
                unit => match unit.as_bytes().first()? {
                    b's' => 1.0,
                    b'm' => 60.0,
                    b'h' => 3600.0,
                    _ => 86400.0,
                },
            };
    }
    after_seconds(now, seconds)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::old_claude("Claude AI usage limit reached|1795200000", "2026-11-20T18:40:00Z")]
    #[case::milliseconds("limit|1795200000000", "2026-11-20T18:40:00Z")]
    #[case::same_day("hit your usage limit. Try again at 5:59 PM.", "2026-11-20T18:00:00Z")]
    #[case::just_passed("try again at 4:55 PM", "2026-11-20T16:56:00Z")]
    #[case::tomorrow("try again at 4:09 AM", "2026-11-21T04:10:00Z")]
    #[case::other_day("or try again at Nov 24th, 2026 3:33 AM.", "2026-11-24T03:34:00Z")]
    #[case::midnight("resets 12am", "2026-11-21T00:01:00Z")]
    #[case::zone("hit your limit · resets 2:10pm (Asia/Tokyo)", "2026-11-21T05:11:00Z")]
    #[case::date("resets Nov 21, 10am (Europe/Paris)", "2026-11-21T09:01:00Z")]
    #[case::at("Your limit will reset at 7pm (UTC).", "2026-11-20T19:01:00Z")]
    #[case::seconds("Please retry in 34.07s", "2026-11-20T17:00:34.070Z")]
    #[case::both("Please retry in 400s.\nSuggested retry after 400s.]", "2026-11-20T17:06:40Z")]
    #[case::milliseconds_from_now("Retrying after 6173ms...", "2026-11-20T17:00:06.173Z")]
    #[case::duration("will reset after 19h14m47s.", "2026-11-21T12:14:47Z")]
    #[case::words("try again in 2 days 3 hours 5 minutes", "2026-11-22T20:05:00Z")]
    #[case::openai("Please try again in 1.2s.", "2026-11-20T17:00:01.200Z")]
    fn a_moment_is_found(#[case] text: &str, #[case] want: Timestamp) {
        let now = At::from_millis(1_795_194_000_000);
        assert_eq!(until(text, now).map(At::timestamp), Some(want));
    }

    #[rstest]
    #[case::nothing("You've hit your usage limit. Try again later.")]
    #[case::no_hour("try again at 13:00 PM")]
    #[case::no_date("try again at Foo 3rd, 2026 1:00 PM")]
    #[case::no_zone("resets 1pm (Middle/Earth)")]
    #[case::beyond_all_limits("retry in 999999999999999s")]
    #[case::far("limit|9999999999")]
    fn what_is_no_moment_is_not_guessed(#[case] text: &str) {
        assert_eq!(until(text, At::from_millis(1_795_194_000_000)), None);
    }
}
