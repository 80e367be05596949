//! Moments that are told by a clock on the wall: `resets Mon 10am (Europe/Paris)`.

use std::sync::LazyLock;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Offset, TimeZone};
use regex::{Captures, Regex};

use super::{JUST_NOW_MS, regex};
use crate::engine::at::At;

/// Texts give minutes, and cut the seconds.
const MINUTE_MS: i64 = 60 * 1000;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Short names of zones that mean one thing everywhere, in hours from UTC.
const HOURS: [(&str, i8); 17] = [
    ("AEDT", 11),
    ("AEST", 10),
    ("CEST", 2),
    ("CET", 1),
    ("EEST", 3),
    ("EET", 2),
    ("GMT", 0),
    ("HST", -10),
    ("JST", 9),
    ("KST", 9),
    ("NZDT", 13),
    ("NZST", 12),
    ("PDT", -7),
    ("UTC", 0),
    ("WEST", 1),
    ("WET", 0),
    ("Z", 0),
];

/// Short names that mean one thing here and another there.
const AMBIGUOUS: [&str; 14] = [
    "ADT", "AST", "BST", "CDT", "CST", "ECT", "EDT", "EST", "GST", "IST", "MDT", "MST", "PST",
    "SST",
];

/// `try again at 3:05 PM`, `try again at Nov 21st, 2026 9:00 AM`, `resets 2:10pm (Europe/Paris)`,
/// `resets Mon 10am`. A time without a zone is UTC, which is where agents run.
pub(super) fn clock(text: &str, now: At) -> Option<At> {
    static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"(?i)\b(?:try again|resets?|available again|retry)(?: (?:at|on|by))? ",
            r"(?:(?<tomorrow>tomorrow)(?: at)?,? ",
            r"|(?:(?<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?",
            r"(?:(?<month>[a-z]{3})[a-z]*\.? (?<day>\d{1,2})(?:st|nd|rd|th)?,? (?:(?<year>\d{4}),? )?)?",
            r"(?:at )?)?",
            r"(?<hour>\d{1,2})(?::(?<minute>\d{2}))?(?: ?(?<half>[ap])\.?m\b\.?)?",
            r"(?: \((?<zone>[A-Za-z0-9_/+-]{1,40})\)| (?-i:(?<short>[A-Z]{3,4}))\b)?",
        ))
    });
    CLOCK.captures_iter(text).find_map(|found| moment(&found, now))
}

fn moment(found: &Captures<'_>, now: At) -> Option<At> {
    let zone = zone(found)?;
    let today = now.timestamp().to_zoned(zone.clone()).date();
    let time = time(found)?;
    let soonest_ms = now.millis().saturating_sub(JUST_NOW_MS);
    let to_come = |date: Date| {
        // A time that the clocks leave out is an hour later, and one that they strike twice is the
        // first of the two that is to come.
        let both = zone.to_ambiguous_zoned(date.to_datetime(time));
        let both = [both.clone().compatible(), both.later()].into_iter().filter_map(Result::ok);
        let mut both = both.map(|moment| moment.timestamp().as_millisecond());
        both.find(|moment_ms| *moment_ms >= soonest_ms)
    };
    let moment_ms = dates(found, today)?.into_iter().find_map(to_come)?;
    Some(At::from_millis(moment_ms.saturating_add(MINUTE_MS)))
}

/// The days that can be meant, in the order in which they are tried.
fn dates(found: &Captures<'_>, today: Date) -> Option<Vec<Date>> {
    let after = |days: i64| today.checked_add(days.days()).ok();
    if let Some(month) = found.name("month") {
        let month = month.as_str().to_ascii_lowercase();
        let month = MONTHS.iter().position(|name| *name == month)?;
        let month = i8::try_from(month + 1).ok()?;
        let day: i8 = found["day"].parse().ok()?;
        let years = match found.name("year") {
            Some(year) => vec![year.as_str().parse().ok()?],
            None => vec![today.year(), today.year() + 1],
        };
        return Some(
            years.into_iter().filter_map(|year| Date::new(year, month, day).ok()).collect(),
        );
    }
    if let Some(name) = found.name("weekday") {
        let name = name.as_str().to_ascii_lowercase();
        let number = WEEKDAYS.iter().position(|weekday| *weekday == name)?;
        let weekday = Weekday::from_monday_zero_offset(i8::try_from(number).ok()?).ok()?;
        let next = i64::from(weekday.since(today.weekday()));
        return Some([after(next), after(next + 7)].into_iter().flatten().collect());
    }
    let days =
        if found.name("tomorrow").is_some() { [after(1), None] } else { [after(0), after(1)] };
    Some(days.into_iter().flatten().collect())
}

fn time(found: &Captures<'_>) -> Option<Time> {
    let hour: i8 = found["hour"].parse().ok()?;
    let minute: Option<i8> = match found.name("minute") {
        Some(minute) => Some(minute.as_str().parse().ok()?),
        None => None,
    };
    match found.name("half") {
        Some(half) => {
            let noon = if half.as_str().eq_ignore_ascii_case("p") { 12 } else { 0 };
            let is_hour = (1..=12).contains(&hour);
            is_hour.then(|| Time::new(hour % 12 + noon, minute.unwrap_or(0), 0, 0).ok())?
        }
        // A bare number is any number.
        None => Time::new(hour, minute?, 0, 0).ok(),
    }
}

fn zone(found: &Captures<'_>) -> Option<TimeZone> {
    let short = |name: &str| {
        let (_, hours) = HOURS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name))?;
        Some(TimeZone::fixed(Offset::from_hours(*hours).ok()?))
    };
    if let Some(name) = found.name("zone") {
        let name = name.as_str();
        return short(name).or_else(|| TimeZone::get(name).ok().filter(|_| name.contains('/')));
    }
    match found.name("short").map(|name| name.as_str()) {
        Some(name) if AMBIGUOUS.contains(&name) => None,
        // Any other word in capitals is not about the time.
        Some(name) => Some(short(name).unwrap_or(TimeZone::UTC)),
        None => Some(TimeZone::UTC),
    }
}
