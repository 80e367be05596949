//! Homes of codex, true and forged, and what is made of them.

use std::fs;
use std::os::unix::fs::symlink;

use rstest::rstest;
use rustix::fs::{FileType, mknodat};

use super::*;
use crate::engine::report::Usage;

const THREAD: &str = "01a1f9bc-429f-79b0-b523-b32440935565";
/// 2026-11-20T17:00:00Z.
const NOW: i64 = 1_795_194_000_000;

fn now() -> At {
    At::from_millis(NOW)
}

fn answer(class: Class, until: Option<At>) -> Answer {
    let session = Some(THREAD.into());
    Answer { class, until, session, usage: Usage::default(), ..Answer::missing() }
}

fn in_seconds(seconds: i64) -> At {
    At::from_millis(NOW + seconds * 1000)
}

fn count(used: f64, resets_in_s: i64) -> String {
    let resets_at = NOW / 1000 + resets_in_s;
    format!(
        r#"{{"type":"event_msg","payload":{{"type":"token_count","rate_limits":{{"limit_id":"codex","primary":{{"used_percent":{used:?},"window_minutes":300,"resets_at":{resets_at}}}}}}}}}"#
    )
}

/// A home with a session of one day that ends with these lines.
fn home(day: &str, lines: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sessions").join(day);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("rollout-2026-11-20T16-13-47-{THREAD}.jsonl")), lines).unwrap();
    home
}

fn with_session(answer: Answer, home: &tempfile::TempDir) -> Answer {
    let turn = Turn::of_session(home.path(), &answer, now());
    answer.refined(turn.as_ref(), now())
}

#[rstest]
#[case::exact(Some(3540), 3599, Some(3599))]
#[case::the_only_one(None, 3599, Some(3599))]
#[case::of_another_zone(Some(3600 - 5 * 3600), 3599, Some(3599))]
#[case::not_a_day_later(Some(3540), 3600 + 86_400, Some(3540))]
#[case::not_a_month_later(None, 30 * 86_400, None)]
#[case::not_in_the_past(None, -30 * 86_400, None)]
fn a_limit_lifts_when_the_session_says_so(
    #[case] told: Option<i64>,
    #[case] exact: i64,
    #[case] want: Option<i64>,
) {
    let home = home("2026/11/20", &count(100.0, exact));
    let told = answer(Class::RateLimited, told.map(in_seconds));
    let refined = with_session(told, &home);
    assert_eq!((refined.class, refined.until), (Class::RateLimited, want.map(in_seconds)));
}

/// Whoever can write the file cannot make a failure one that is not counted.
#[rstest]
fn a_session_makes_no_limit(
    #[values(Class::Ok, Class::Crashed, Class::Idle, Class::TimedOut, Class::Empty)] class: Class,
    #[values("usage_limit_exceeded", "rate_limit_exceeded", "server_overloaded")] info: &str,
) {
    let error = format!(
        r#"{{"type":"event_msg","payload":{{"type":"task_complete","error":{{"message":"You've hit your usage limit.","codex_error_info":"{info}"}}}}}}"#
    );
    let home = home("2026/11/20", &format!("{}\n{error}\n", count(100.0, 60)));
    let refined = with_session(answer(class, None), &home);
    assert_eq!((refined.class, refined.until), (class, None));
    assert_eq!(refined.quota[0].used_percent, 100);
}

#[rstest]
#[case::crash(Class::Crashed, Class::Context)]
#[case::limit(Class::RateLimited, Class::RateLimited)]
#[case::answer(Class::Ok, Class::Ok)]
fn a_crash_for_want_of_room_is_named(#[case] class: Class, #[case] want: Class) {
    let error = r#"{"type":"event_msg","payload":{"type":"task_complete","error":{"codex_error_info":"context_window_exceeded"}}}"#;
    let home = home("2026/11/20", error);
    assert_eq!(with_session(answer(class, None), &home).class, want);
}

#[rstest]
#[case::local_day_before("2026/11/19", true)]
#[case::local_day_after("2026/11/21", true)]
#[case::began_long_ago("2026/11/18", true)]
#[case::of_last_month("2026/10/20", false)]
fn a_session_is_found_by_its_day(#[case] day: &str, #[case] is_found: bool) {
    let home = home(day, &count(40.5, 60));
    let quota = with_session(answer(Class::Ok, None), &home).quota;
    let want =
        QuotaWindow { window: "primary".into(), used_percent: 41, resets_at: Some(in_seconds(60)) };
    assert_eq!(quota, if is_found { vec![want] } else { vec![] });
}

#[rstest]
#[case::none(None)]
#[case::a_path(Some("../../../../../../../../etc/passwd-as-long"))]
#[case::too_long(Some("01a1f9bc-429f-79b0-b523-b3244093556500"))]
#[case::part(Some("b32440935565"))]
fn a_session_without_a_sound_name_is_not_looked_for(#[case] session: Option<&str>) {
    let home = home("2026/11/20", &count(100.0, 60));
    let told = answer(Class::RateLimited, None);
    let refined = with_session(Answer { session: session.map(Into::into), ..told }, &home);
    assert_eq!((refined.until, refined.quota), (None, vec![]));
}

#[test]
fn nothing_is_read_but_a_regular_file_below_the_home() {
    let elsewhere = home("2026/11/20", &count(100.0, 60));
    let file = format!("rollout-x-{THREAD}.jsonl");
    let found = fs::read_dir(elsewhere.path().join("sessions/2026/11/20")).unwrap();
    let target = found.map(|entry| entry.unwrap().path()).next().unwrap();
    let linked = tempfile::tempdir().unwrap();
    symlink(elsewhere.path().join("sessions"), linked.path().join("sessions")).unwrap();
    let linked_file = tempfile::tempdir().unwrap();
    let pipe = tempfile::tempdir().unwrap();
    for home in [&linked_file, &pipe] {
        fs::create_dir_all(home.path().join("sessions/2026/11/20")).unwrap();
    }
    symlink(target, linked_file.path().join("sessions/2026/11/20").join(&file)).unwrap();
    let name = pipe.path().join("sessions/2026/11/20").join(&file);
    mknodat(CWD, &name, FileType::Fifo, Mode::RWXU, 0).unwrap();
    for home in [linked, linked_file, pipe] {
        let refined = with_session(answer(Class::RateLimited, None), &home);
        assert_eq!((refined.until, refined.quota), (None, vec![]));
    }
}

#[test]
fn only_the_last_turn_counts_and_only_the_end_is_read() {
    let started = r#"{"type":"event_msg","payload":{"type":"task_started"}}"#;
    let filler = "x".repeat(TAIL_BYTES as usize);
    let early = format!("{}\n{filler}\n{}\n", count(100.0, 60), count(7.0, 60));
    let early = home("2026/11/20", &early);
    let refined = with_session(answer(Class::RateLimited, None), &early);
    assert_eq!((refined.until, refined.quota.len()), (None, 1));
    let stale = home("2026/11/20", &format!("{}\n{started}\n", count(100.0, 60)));
    let refined = with_session(answer(Class::RateLimited, None), &stale);
    assert_eq!((refined.until, refined.quota), (None, vec![]));
}

#[rstest]
#[case::of_its_own(&[("CODEX_HOME", "/c"), ("HOME", "/h")], Format::Codex, Some("/c"))]
#[case::below_home(&[("CODEX_HOME", ""), ("HOME", "/h")], Format::Codex, Some("/h/.codex"))]
#[case::none(&[], Format::Codex, None)]
#[case::somebody_else(&[("HOME", "/h")], Format::Claude, None)]
fn sessions_are_where_the_agent_keeps_them(
    #[case] environment: &[(&str, &str)],
    #[case] format: Format,
    #[case] want: Option<&str>,
) {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    assert_eq!(sessions_home(format, &environment), want.map(PathBuf::from));
}
