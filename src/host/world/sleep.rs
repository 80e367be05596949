//! Waits that end where somebody asks for something.

use std::time::{Duration, Instant};

use super::host_world::HostWorld;
use crate::driver::{Request, World as _};
use crate::host::clock;

/// How often whoever waits looks at the clock and for a request to stop.
const LOOK: Duration = Duration::from_millis(500);

impl HostWorld {
    /// Sleeps until the time has passed, by whichever clock says so first: one stands still while
    /// the machine sleeps, the other can be set. Earlier only when somebody asks for something.
    /// `shows` is told how much is left.
    pub async fn sleep(
        &mut self,
        wait: Duration,
        mut shows: impl FnMut(Duration),
    ) -> Option<Request> {
        let began = Instant::now();
        let due = clock::later(wait).millis();
        let mut cancel = self.cancel.clone();
        loop {
            if let Some(request) = self.request() {
                return Some(request);
            }
            let left = u64::try_from(due - clock::now().millis()).unwrap_or(0);
            let left = wait.saturating_sub(began.elapsed()).min(Duration::from_millis(left));
            if left.is_zero() {
                return None;
            }
            shows(left);
            tokio::select! {
                () = tokio::time::sleep(left.min(LOOK)) => {}
                () = cancel.cancelled() => {}
            }
        }
    }
}
