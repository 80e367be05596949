//! How long a running program is waited for.

use std::time::Duration;

use tokio::time::Instant;

use super::command::{Cause, Limits};

/// How often a running program is looked at.
const TICK: Duration = Duration::from_secs(1);

/// A look that comes later than this by itself means that we were stopped or frozen, not that the
/// program was silent. A busy machine comes late by less; where it does not, the time given back
/// is the time that the program did not get either.
const STALL: Duration = Duration::from_secs(2);

/// Far enough for a limit that does not fit into the clock.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The limits of one program on the monotonic clock, which stands still while the machine sleeps.
#[derive(Debug)]
pub(super) struct Patience {
    deadline: Instant,
    idle: Option<Duration>,
}

/// What a look at the clock says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// There is time left.
    GoOn,
    /// Nobody could look for a while. What the program printed in the meantime is still unread, so
    /// its silence starts anew, and it gets back the time, in which it may have stood still too.
    Stalled,
    /// It has to end.
    End(Cause),
}

impl Patience {
    pub(super) fn new(started: Instant, limits: &Limits) -> Self {
        Self { deadline: after(started, limits.deadline), idle: limits.idle }
    }

    /// When to look next at a program that was started before `now` and printed last at `last`.
    pub(super) fn wake(&self, now: Instant, last: Instant) -> Instant {
        (now + TICK).min(self.deadline).min(self.silent_at(last))
    }

    /// Looks at `now`, which was meant to be at `wake`.
    pub(super) fn look(&mut self, wake: Instant, now: Instant, last: Instant) -> Look {
        let late = now.saturating_duration_since(wake);
        if late > STALL {
            self.deadline = after(self.deadline, late);
            return Look::Stalled;
        }
        if now >= self.deadline {
            return Look::End(Cause::DeadlinePassed);
        }
        if now >= self.silent_at(last) { Look::End(Cause::Idle) } else { Look::GoOn }
    }

    fn silent_at(&self, last: Instant) -> Instant {
        after(last, self.idle.unwrap_or(FAR))
    }
}

/// Later, but never beyond what the clock can hold.
pub(super) fn after(start: Instant, duration: Duration) -> Instant {
    start.checked_add(duration).unwrap_or(start + FAR)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Seconds after the start: when the look was due, when it came, when something was printed.
    #[rstest]
    #[case::young([1, 1, 0], Look::GoOn)]
    #[case::old([100, 100, 99], Look::End(Cause::DeadlinePassed))]
    #[case::silent([30, 30, 10], Look::End(Cause::Idle))]
    #[case::a_little_late([30, 32, 10], Look::End(Cause::Idle))]
    #[case::noisy([30, 30, 11], Look::GoOn)]
    #[case::frozen_in_its_silence([30, 300, 10], Look::Stalled)]
    #[case::frozen_beyond_its_end([100, 300, 90], Look::Stalled)]
    fn a_look_at_the_clock(#[case] seconds: [u64; 3], #[case] want: Look) {
        let started = Instant::now();
        let [wake, now, last] = seconds.map(|second| started + Duration::from_secs(second));
        assert_eq!(patience(started).look(wake, now, last), want);
    }

    #[test]
    fn time_in_which_nobody_looked_is_given_back() {
        let started = Instant::now();
        let at = |second| started + Duration::from_secs(second);
        let mut patience = patience(started);
        assert_eq!(patience.look(at(50), at(250), at(49)), Look::Stalled);
        assert_eq!(patience.look(at(299), at(299), at(290)), Look::GoOn);
        assert_eq!(patience.look(at(300), at(300), at(290)), Look::End(Cause::DeadlinePassed));
    }

    #[test]
    fn the_next_look_is_at_the_nearest_limit_and_soon() {
        let started = Instant::now();
        let at = |ms| started + Duration::from_millis(ms);
        let patience = patience(started);
        assert_eq!(patience.wake(at(0), at(0)), at(1000));
        assert_eq!(patience.wake(at(19_700), at(0)), at(20_000));
        assert_eq!(patience.wake(at(99_900), at(99_000)), at(100_000));
    }

    #[test]
    fn a_limit_beyond_the_clock_is_no_limit() {
        let started = Instant::now();
        let limits = Limits { deadline: Duration::MAX, idle: None, grace: Limits::GRACE };
        let mut patience = Patience::new(started, &limits);
        let later = started + Duration::from_secs(3600);
        assert_eq!(patience.look(later, later, started), Look::GoOn);
    }

    fn patience(started: Instant) -> Patience {
        let limits = Limits {
            deadline: Duration::from_secs(100),
            idle: Some(Duration::from_secs(20)),
            grace: Limits::GRACE,
        };
        Patience::new(started, &limits)
    }
}
