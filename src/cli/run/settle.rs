//! What an earlier process left open is settled before anything else is looked at.

use super::HostDriver;
use crate::cli::failure::Failure;
use crate::cli::say;
use crate::cli::site::Site;
use crate::engine::attempt::Step;
use crate::engine::state::State;
use crate::host::process::{Limits, sweep_run};

/// Ends what the dead run left running, then brings the attempt to its end.
pub(super) async fn settle(driver: &mut HostDriver, site: &Site) -> Result<(), Failure> {
    if driver.state().is_settled() {
        driver.world.recovered();
        return Ok(());
    }
    let found = describe(driver.state());
    let branch = driver.state().charter().and_then(|charter| charter.base.branch.clone());
    let ended = match driver.state().run_id() {
        Some(run) => {
            let ended = sweep_run(run, Limits::GRACE).await.ended;
            driver.world.sweep_scratch(run);
            ended
        }
        None => 0,
    };
    let branch = branch.map(|name| format!("refs/heads/{name}"));
    driver.world.git().clear_stale_locks(branch.as_deref())?;
    if !driver.world.git().index_is_readable()? {
        driver.world.git().sync_index_to_head()?;
    }
    // What has begun is finished: a signal has to wait until the work tree is whole.
    driver.world.hold_requests(true);
    let settled = driver.settle().await;
    driver.world.hold_requests(false);
    settled?;
    driver.world.recovered();
    if !site.global.quiet {
        let orphans = match ended {
            0 => String::new(),
            1 => " One process it had left running was ended.".to_owned(),
            count => format!(" {count} processes it had left running were ended."),
        };
        say(&format!(
            "Recovered: {found}{orphans} The work tree is settled; nothing counts as a failure.\n"
        ));
    }
    Ok(())
}

fn describe(state: &State) -> String {
    let Some(attempt) = state.attempt() else { return String::new() };
    let doing = match &attempt.step {
        Step::Plan => "was planning",
        Step::PlanCritique { .. } => "was having its plan criticised",
        Step::Implement(_) => "was being implemented",
        Step::Verify(..) => "was being verified",
        Step::ImplCritique(..) => "was having its change criticised",
        Step::Judge(..) => "was being judged",
        Step::Commit { .. } | Step::Reconcile { .. } => "was being committed",
        Step::Undo { .. } => "was being rolled back",
        Step::Propose { .. } | Step::Close(_) => "was being marked",
    };
    let (task, number) = (&attempt.task.id, attempt.number);
    format!("an earlier process ended while task {task}, attempt {number}, {doing}.")
}
