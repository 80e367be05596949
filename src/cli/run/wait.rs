//! Waiting for a provider, and what is left of the command's bounds afterwards.

use std::time::{Duration, Instant};

use super::HostDriver;
use crate::driver::{Request, World as _};
use crate::engine::charter::Charter;
use crate::engine::event::RunPaused;
use crate::engine::report::Usd;
use crate::engine::state::{Spent, State};
use crate::host::clock;
use crate::host::process::Cancel;

/// How long a limit without a reset time is waited out with `--wait`, at first and at most.
pub(super) const PROBE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// How often a waiting run looks at the clock and for a request to stop.
const LOOK: Duration = Duration::from_millis(500);

/// What earlier parts of one command have used, between which it waited: the bounds of the command
/// hold for all of them together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    iterations: u32,
    spent: Spent,
}

impl Used {
    pub(super) fn add(&mut self, state: &State) {
        let spent = state.spent();
        self.iterations = self.iterations.saturating_add(state.iterations());
        self.spent.tokens = self.spent.tokens.saturating_add(spent.tokens);
        self.spent.cost_micros = self.spent.cost_micros.saturating_add(spent.cost_micros);
        self.spent.duration_ms = self.spent.duration_ms.saturating_add(spent.duration_ms);
    }

    /// Leaves what is left. Zero stands for "no bound", so a bound that is used up becomes the
    /// smallest there is; the attempt that was paused was not counted, so one iteration remains.
    pub(super) fn apply(self, charter: &mut Charter) {
        let iterations = &mut charter.policy.iterations;
        if *iterations > 0 {
            *iterations = iterations.saturating_sub(self.iterations).max(1);
        }
        let limits = &mut charter.limits;
        if limits.tokens > 0 {
            limits.tokens = limits.tokens.saturating_sub(self.spent.tokens).max(1);
        }
        if limits.wall_clock_s > 0 {
            let used = self.spent.duration_ms / 1000;
            limits.wall_clock_s = limits.wall_clock_s.saturating_sub(used).max(1);
        }
        if limits.cost_usd.micros() > 0 {
            let left = limits.cost_usd.micros().saturating_sub(self.spent.cost_micros);
            limits.cost_usd = Usd::from_micros(left.max(1));
        }
    }
}

/// How long to wait: until the provider's time, or for `pause` where it names none.
pub(super) fn wait_for(paused: &RunPaused, pause: Duration) -> Duration {
    let Some(until) = paused.until else { return pause };
    let millis = until.millis().saturating_sub(clock::now().millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).max(Duration::from_secs(1))
}

/// Sleeps until the time has passed, by whichever clock says so first: one stands still while the
/// machine sleeps, the other can be set. Earlier only when somebody asks for something.
pub(super) async fn sleep(
    wait: Duration,
    driver: &mut HostDriver,
    cancel: &mut Cancel,
) -> Option<Request> {
    let began = Instant::now();
    let due = clock::now().millis().saturating_add_unsigned(millis(wait));
    loop {
        if let Some(request) = driver.world.request() {
            return Some(request);
        }
        let left = u64::try_from(due - clock::now().millis()).unwrap_or(0);
        let left = wait.saturating_sub(began.elapsed()).min(Duration::from_millis(left));
        if left.is_zero() {
            return None;
        }
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK)) => {}
            () = cancel.cancelled() => {}
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
