//! Every form in which a limit says when it lifts, and forms that say nothing.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// 2026-11-20T17:00:00Z, a Friday.
const NOW: i64 = 1_795_194_000_000;

fn at(text: &str) -> At {
    At::from_millis(text.parse::<Timestamp>().unwrap().as_millisecond())
}

#[rstest]
#[case::old_claude("Claude AI usage limit reached|1795200000", "2026-11-20T18:40:00Z")]
#[case::milliseconds("limit|1795200000000", "2026-11-20T18:40:00Z")]
#[case::field(r#"{"error":{"resets_at": 1795200000}}"#, "2026-11-20T18:40:00Z")]
#[case::field_ms(r#"{"resetsAt":1795200000000}"#, "2026-11-20T18:40:00Z")]
#[case::field_in_a_string(r#"{\"resets_at\":1795200000}"#, "2026-11-20T18:40:00Z")]
#[case::stamp(r#"{"resets_at":"2026-11-20T19:40:00+01:00"}"#, "2026-11-20T18:40:00Z")]
#[case::in_seconds(r#"{"resets_in_seconds":7200}"#, "2026-11-20T19:00:00Z")]
#[case::exact_before_relative(
    r#"{"resets_at":1795200000,"resets_in_seconds":9999}"#,
    "2026-11-20T18:40:00Z"
)]
#[case::header("HTTP 429, retry-after: 120", "2026-11-20T17:02:00Z")]
#[case::header_quoted(r#"{"retry-after":"120"}"#, "2026-11-20T17:02:00Z")]
#[case::header_date("Retry-After: Fri, 20 Nov 2026 18:40:00 GMT", "2026-11-20T18:40:00Z")]
#[case::google(r#""retryDelay": "34.5s""#, "2026-11-20T17:00:34.500Z")]
#[case::same_day("hit your usage limit. Try again at 5:59 PM.", "2026-11-20T18:00:00Z")]
#[case::just_passed("try again at 4:55 PM", "2026-11-20T16:56:00Z")]
#[case::tomorrow("try again at 4:09 AM", "2026-11-21T04:10:00Z")]
#[case::said_tomorrow("try again tomorrow at 8pm", "2026-11-21T20:01:00Z")]
#[case::narrow_space("try again at 5:59\u{202f}PM", "2026-11-20T18:00:00Z")]
#[case::other_day("or try again at Nov 24th, 2026 3:33 AM.", "2026-11-24T03:34:00Z")]
#[case::midnight("resets 12am", "2026-11-21T00:01:00Z")]
#[case::noon("resets 12pm", "2026-11-21T12:01:00Z")]
#[case::zone("hit your limit · resets 2:10pm (Asia/Tokyo)", "2026-11-21T05:11:00Z")]
#[case::half_an_hour("resets 11pm (Asia/Kolkata)", "2026-11-20T17:31:00Z")]
#[case::date("resets Nov 21, 10am (Europe/Paris)", "2026-11-21T09:01:00Z")]
#[case::date_next_year("resets Jan 1, 2:30am", "")]
#[case::at("Your limit will reset at 7pm (UTC).", "2026-11-20T19:01:00Z")]
#[case::session("5-hour limit reached ∙ resets 7PM", "2026-11-20T19:01:00Z")]
#[case::points("resets at 7 p.m.", "2026-11-20T19:01:00Z")]
#[case::weekly(
    "Weekly limit reached · resets 10am (Asia/Seoul) · /upgrade to Max",
    "2026-11-21T01:01:00Z"
)]
#[case::weekday("Weekly limit reached · resets Mon 10am", "2026-11-23T10:01:00Z")]
#[case::weekday_today("resets Fri 7pm", "2026-11-20T19:01:00Z")]
#[case::weekday_passed("resets Friday at 7am (UTC)", "2026-11-27T07:01:00Z")]
#[case::day_and_date("resets on Tuesday, Nov 24 at 9:30am", "2026-11-24T09:31:00Z")]
#[case::whole_day("resets at 19:15 (UTC)", "2026-11-20T19:16:00Z")]
#[case::short_zone("resets 9pm CET", "2026-11-20T20:01:00Z")]
#[case::short_zone_in_brackets("resets 9pm (CET)", "2026-11-20T20:01:00Z")]
#[case::no_zone_at_all("resets 9pm THEN go on", "2026-11-20T21:01:00Z")]
#[case::seconds("Please retry in 34.07s", "2026-11-20T17:00:34.070Z")]
#[case::both("Please retry in 400s.\nSuggested retry after 400s.]", "2026-11-20T17:06:40Z")]
#[case::milliseconds_from_now("Retrying after 6173ms...", "2026-11-20T17:00:06.173Z")]
#[case::duration("will reset after 19h14m47s.", "2026-11-21T12:14:47Z")]
#[case::at_once("will reset after 0s.", "2026-11-20T17:00:00Z")]
#[case::words("try again in 2 days 3 hours 5 minutes", "2026-11-22T20:05:00Z")]
#[case::more_words("try again in 1 week, 2 days and 5 minutes.", "2026-11-29T17:05:00Z")]
#[case::openai("Please try again in 1.2s.", "2026-11-20T17:00:01.200Z")]
#[case::wait("wait for 90 seconds", "2026-11-20T17:01:30Z")]
fn a_moment_is_found(#[case] text: &str, #[case] want: &str) {
    let want = (!want.is_empty()).then(|| at(want));
    assert_eq!(until(text, At::from_millis(NOW)), want);
}

#[rstest]
#[case::nothing("You've hit your usage limit. Try again later.")]
#[case::a_days_quota("You have exhausted your daily quota on this model.")]
#[case::no_hour("try again at 13:00 PM")]
#[case::no_minute("resets at 25:00")]
#[case::no_date("try again at Foo 3rd, 2026 1:00 PM")]
#[case::no_leap_year("resets Feb 29, 10am")]
#[case::no_zone("resets 1pm (Middle/Earth)")]
#[case::pacific_or_philippine("resets 7pm PST")]
#[case::india_israel_or_ireland("resets 7pm (IST)")]
#[case::bare_number("resets at 7")]
#[case::beyond_all_limits("retry in 999999999999s")]
#[case::far("limit|9999999999")]
#[case::past("limit|1795190000")]
#[case::long_past_date("try again at Nov 19th, 2026 3:33 AM.")]
#[case::not_a_unit("retry in 3 parsecs")]
fn what_is_no_moment_is_not_guessed(#[case] text: &str) {
    assert_eq!(until(text, At::from_millis(NOW)), None);
}

/// Clocks are set, years end, and February is long.
#[rstest]
#[case::left_out("2026-03-29T00:00:00Z", "resets 2:30am (Europe/Berlin)", "2026-03-29T01:31:00Z")]
#[case::struck_twice(
    "2026-10-24T20:00:00Z",
    "resets 2:30am (Europe/Berlin)",
    "2026-10-25T00:31:00Z"
)]
#[case::the_second_stroke(
    "2026-10-25T01:00:00Z",
    "resets 2:30am (Europe/Berlin)",
    "2026-10-25T01:31:00Z"
)]
#[case::american_gap(
    "2026-03-08T05:00:00Z",
    "resets 2:30am (America/New_York)",
    "2026-03-08T07:31:00Z"
)]
#[case::american_fold(
    "2026-11-01T04:00:00Z",
    "resets 1:30am (America/New_York)",
    "2026-11-01T05:31:00Z"
)]
#[case::half_an_hour_of_summer(
    "2026-04-04T12:00:00Z",
    "resets 3am (Australia/Lord_Howe)",
    "2026-04-04T16:31:00Z"
)]
#[case::tomorrow_after_the_gap(
    "2026-03-28T12:00:00Z",
    "resets 9am (Europe/Berlin)",
    "2026-03-29T07:01:00Z"
)]
#[case::end_of_year("2026-12-31T23:30:00Z", "resets 12:15am", "2027-01-01T00:16:00Z")]
#[case::date_of_next_year("2026-12-30T12:00:00Z", "resets Jan 2, 10am", "2027-01-02T10:01:00Z")]
#[case::leap_day("2028-02-28T12:00:00Z", "resets Feb 29, 10am", "2028-02-29T10:01:00Z")]
#[case::day_after_leap_day("2028-02-29T12:00:00Z", "resets 10am", "2028-03-01T10:01:00Z")]
#[case::day_before("2026-11-20T23:30:00Z", "resets 3am (Asia/Tokyo)", "2026-11-21T18:01:00Z")]
fn a_clock_is_read_where_it_hangs(#[case] now: &str, #[case] text: &str, #[case] want: &str) {
    assert_eq!(until(text, at(now)), Some(at(want)));
}

#[rstest]
#[case::seconds("7200", Some("2026-11-20T19:00:00Z"))]
#[case::part_of_a_second(" 0.5 ", Some("2026-11-20T17:00:00.500Z"))]
#[case::date("Fri, 20 Nov 2026 18:40:00 GMT", Some("2026-11-20T18:40:00Z"))]
#[case::negative("-5", None)]
#[case::infinite("inf", None)]
#[case::words("soon", None)]
fn a_header_is_seconds_or_a_date(#[case] header: &str, #[case] want: Option<&str>) {
    assert_eq!(retry_after(header, At::from_millis(NOW)), want.map(at));
}

/// What limits are made of, and what they are not made of.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "resets ",
        "reset at ",
        "try again at ",
        "try again in ",
        "retry after ",
        "retry-after: ",
        "\"resets_at\":",
        "resets_in_seconds=",
        "retryDelay\":\"",
        "|",
        "Mon ",
        "Feb 29, ",
        "Nov ",
        "tomorrow at ",
        "2026 ",
        "9999, ",
        "am",
        "PM",
        ":30",
        "s",
        "ms",
        " days ",
        "h",
        " (UTC)",
        " (America/St_Johns)",
        " (Pacific/Apia)",
        " (Africa/Casablanca)",
        " PST",
        " CET",
        "\"",
        "12",
        "0",
        "1795200000",
        "99999999999999999999",
        "1e308",
        "-",
        ".",
        " ",
        "\u{2019}",
        "é",
    ]);
    let number = any::<u64>().prop_map(|number| number.to_string());
    let piece = prop_oneof![6 => pieces.prop_map(String::from), 1 => number, 1 => any::<String>()];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_moves_a_limit_out_of_reach(text in texts(), now_s in -10_000_000_000_i64..10_000_000_000) {
        let now = At::from_millis(now_s * 1000);
        if let Some(found) = until(&text, now) {
            let wait_ms = found.millis() - now.millis();
            prop_assert!((-JUST_NOW_MS..=LIMIT_MS_MAX).contains(&wait_ms), "{text:?}: {wait_ms}");
        }
    }
}
