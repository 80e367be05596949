//! A moment as people name it: a time, or how long ago.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use super::exit::Exit;
use super::failure::Failure;
use crate::engine::at::At;

/// Reads `2026-11-20T09:15:02Z`, `2026-11-20 10:00`, `2026-11-20`, `10:00` (today), or a span back
/// from now such as `2h` and `1d 12h`.
///
/// # Errors
/// It is none of these.
pub(super) fn since(text: &str, now: At) -> Result<At, Failure> {
    let now = now.timestamp().to_zoned(TimeZone::system());
    moment(text.trim(), &now).map(|moment| At::from_millis(moment.as_millisecond())).ok_or_else(
        || {
            Failure::new(Exit::Usage, format!("{text:?} is no time and no span"))
                .help("write 2026-11-20T10:00Z, \"2026-11-20 10:00\", 2026-11-20, 10:00, 2h or 1d")
        },
    )
}

fn moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    let here = |time: DateTime| Some(time.to_zoned(now.time_zone().clone()).ok()?.timestamp());
    // A time with an offset also reads as one without, and would then mean another moment.
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return here(time);
    }
    if let Ok(date) = text.parse::<Date>() {
        return here(date.at(0, 0, 0, 0));
    }
    if let Ok(time) = text.parse::<Time>() {
        return here(now.date().to_datetime(time));
    }
    let span = text.parse::<Span>().ok()?.abs();
    Some(now.checked_sub(span).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::utc("2026-11-20T09:15:02Z", Some("2026-11-20T09:15:02Z"))]
    #[case::short_utc("2026-11-20T10:00Z", Some("2026-11-20T10:00:00Z"))]
    #[case::offset("2026-11-20T10:00:00+02:00", Some("2026-11-20T08:00:00Z"))]
    #[case::here("2026-11-20 10:00", Some("2026-11-20T09:00:00Z"))]
    #[case::day("2026-11-20", Some("2026-11-19T23:00:00Z"))]
    #[case::today("10:00", Some("2026-11-21T09:00:00Z"))]
    #[case::hours("2h", Some("2026-11-21T10:00:00Z"))]
    #[case::minutes("30m", Some("2026-11-21T11:30:00Z"))]
    #[case::days("1d", Some("2026-11-20T12:00:00Z"))]
    #[case::both("1d 12h", Some("2026-11-20T00:00:00Z"))]
    #[case::ago("2h ago", Some("2026-11-21T10:00:00Z"))]
    #[case::words("yesterday", None)]
    #[case::bare_number("5", None)]
    #[case::nothing("", None)]
    #[case::no_such_day("2026-02-30", None)]
    #[case::before_time("99999999y", None)]
    fn a_moment_is_read(#[case] text: &str, #[case] want: Option<&str>) {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now = "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap().to_zoned(zone);
        let want = want.map(|want| want.parse::<Timestamp>().unwrap());
        assert_eq!(moment(text, &now), want);
    }
}
