//! The one place that asks what time it is, and the one that draws lots.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ulid::Ulid;

use crate::engine::at::At;
use crate::engine::id::RunId;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
pub fn now() -> At {
    at(SystemTime::now())
}

/// The time so long from now.
pub fn later(wait: Duration) -> At {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    At::from_millis(now().millis().saturating_add_unsigned(millis))
}

/// The same moment as a commit names it: seconds since 1970, and the minutes east of UTC that hold
/// here.
pub fn seconds_and_offset(at: At) -> (i64, i32) {
    let offset = jiff::tz::TimeZone::system().to_offset(at.timestamp());
    (at.millis().div_euclid(1000), offset.seconds() / 60)
}

/// A name for a run that no other run has: a ULID, so names sort by time.
pub fn new_run_id(now: At) -> RunId {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let random = Ulid::generate().random();
    RunId::new(Ulid::from_parts(millis, random).to_string())
}

/// A point in time as the log writes it; file times come this way too.
pub fn at(time: SystemTime) -> At {
    let millis = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
        }
    };
    At::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::epoch(UNIX_EPOCH, 0)]
    #[case::after(UNIX_EPOCH + Duration::from_micros(1_500_900), 1500)]
    #[case::before(UNIX_EPOCH - Duration::from_secs(2), -2000)]
    fn a_system_time_is_kept_to_the_millisecond(#[case] time: SystemTime, #[case] want: i64) {
        assert_eq!(at(time).millis(), want);
    }

    #[test]
    fn run_ids_differ_and_sort_by_time() {
        let (early, late) =
            (At::from_millis(1_795_166_102_481), At::from_millis(1_795_166_102_482));
        let (first, second) = (new_run_id(early), new_run_id(late));
        assert!(first < second && first != new_run_id(early));
        assert_eq!(first.as_str().len(), 26);
        assert_eq!(first.as_str()[..10], new_run_id(early).as_str()[..10]);
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(now() > At::from_millis(1_763_000_000_000));
    }
}
