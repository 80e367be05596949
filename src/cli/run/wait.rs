//! Waiting for a provider, and what is left of the command's bounds afterwards.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::HostDriver;
use crate::cli::site::Site;
use crate::cli::tell;
use crate::driver::Request;
use crate::engine::at::At;
use crate::engine::charter::{Charter, Limits};
use crate::engine::event::{EventKind, RunPaused};
use crate::engine::state::{Spent, State};
use crate::host::clock;
use crate::ui::countdown::Countdown;

/// How long a limit is waited out whose provider names no time, at first.
const PROBE: Duration = Duration::from_secs(60);

/// How much longer than its provider says a limit is waited out that outlived its time, at first.
const LATE: Duration = Duration::from_secs(5);

/// Both are doubled while nothing is achieved, up to this.
const PROBE_MAX: Duration = Duration::from_secs(30 * 60);

/// What earlier parts of one command have used, between which it waited: the bounds of the command
/// hold for all of them together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    iterations: u32,
    spent: Option<Spent>,
}

impl Used {
    pub(super) fn add(&mut self, state: &State) {
        self.iterations = self.iterations.saturating_add(state.iterations());
        // What was used before is in it.
        self.spent = Some(state.spent());
    }

    /// Whether there is no use in waiting: a command whose budget is spent calls nobody any more.
    pub(super) fn reaches(self, limits: Limits) -> bool {
        self.spent.is_some_and(|spent| limits.are_reached(spent))
    }

    /// Leaves what is left. Zero stands for "no bound", so iterations that are used up become the
    /// fewest there are; the attempt that was paused was not counted, so one remains.
    pub(super) fn apply(self, charter: &mut Charter) {
        let iterations = &mut charter.policy.iterations;
        if *iterations > 0 {
            *iterations = iterations.saturating_sub(self.iterations).max(1);
        }
        charter.spent_before = self.spent;
    }
}

/// Whether an attempt came to an end that counts. A plan alone is nothing: where the next agent is
/// limited, it is made anew each time.
pub(super) fn is_achieved(kind: &EventKind) -> bool {
    matches!(kind, EventKind::TaskDone(_) | EventKind::TaskFailed(_) | EventKind::TaskBlocked(_))
}

/// How long to wait, one time after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    /// Waits since an attempt last came to its end.
    in_vain: u32,
    achieved: u64,
}

impl Waits {
    /// How long it is now, if so many attempts have come to their end: until the provider's time at
    /// first. Clocks differ and limits outlive their time, so whoever is told the same again asks
    /// more and more rarely.
    pub(super) fn next(&mut self, paused: &RunPaused, now: At, achieved: u64) -> Duration {
        if achieved != self.achieved {
            *self = Self { in_vain: 0, achieved };
        }
        let doubled =
            |first: Duration, times: u32| first.saturating_mul(1 << times.min(16)).min(PROBE_MAX);
        let wait = match (paused.until, self.in_vain.checked_sub(1)) {
            (None, _) => doubled(PROBE, self.in_vain),
            (Some(until), None) => left(until, now),
            (Some(until), Some(times)) => left(until, now).max(doubled(LATE, times)),
        };
        self.in_vain += 1;
        wait
    }
}

/// How long it is until then; never nothing at all.
pub(super) fn left(until: At, now: At) -> Duration {
    let millis = until.millis().saturating_sub(now.millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).max(Duration::from_secs(1))
}

/// Waits, and shows how long it still takes. `None`: the time is over.
pub(super) async fn wait(
    site: &Site,
    paused: &RunPaused,
    wait: Duration,
    driver: &mut HostDriver,
) -> Option<Request> {
    let until = clock::later(wait);
    let whom = &paused.agent;
    tell(site, &format!("waiting {} s for {whom}, until {}", wait.as_secs(), local(until)));
    let countdown = Countdown::new(site.has_terminal() && !site.global.quiet, whom.as_str());
    driver.world.sleep(wait, |left| countdown.shows(left)).await
}

/// A moment as the person's clock shows it.
pub(super) fn local(at: At) -> String {
    let zoned = at.timestamp().to_zoned(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::PauseCause;
    use crate::engine::id::AgentName;

    /// The seconds of each wait: a time that lies so many seconds ahead, or none, and the attempts
    /// that came to their end so far.
    fn waits<const N: usize>(limits: [(Option<i64>, u64); N]) -> [u64; N] {
        let now = At::from_millis(1_795_194_000_000);
        let mut waits = Waits::default();
        limits.map(|(ahead_s, achieved)| {
            let until = ahead_s.map(|ahead| At::from_millis(now.millis() + 1000 * ahead));
            let agent = AgentName::new("a");
            let paused = RunPaused { cause: PauseCause::RateLimit, agent, until };
            waits.next(&paused, now, achieved).as_secs()
        })
    }

    #[test]
    fn a_limit_is_waited_out_until_its_time() {
        assert_eq!(waits([(Some(7200), 1), (Some(3), 2), (Some(0), 3)]), [7200, 3, 1]);
    }

    #[test]
    fn a_limit_that_outlives_its_time_is_asked_about_more_and_more_rarely() {
        let limits = [-3600; 11].map(|ahead_s| (Some(ahead_s), 4));
        assert_eq!(waits(limits), [1, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800]);
        assert_eq!(waits([(Some(0), 1), (Some(0), 1), (Some(90), 1)]), [1, 5, 90]);
    }

    #[test]
    fn a_limit_without_a_time_is_asked_about_more_and_more_rarely() {
        let limits = [(None, 1); 7];
        assert_eq!(waits(limits), [60, 120, 240, 480, 960, 1800, 1800]);
        assert_eq!(waits([(None, 1), (None, 1), (None, 2)]), [60, 120, 60]);
    }
}
