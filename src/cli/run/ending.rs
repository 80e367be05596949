//! The end of a run, and what people are told of it.

use super::{HostDriver, again, spending, wait};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::site::Site;
use crate::cli::{report, say};
use crate::engine::charter::Charter;
use crate::engine::event::{EndReason, PauseCause, RunEnded, RunPaused};
use crate::engine::task::Status;
use crate::host::paths::Layout;
use crate::ui::sanitize::clean_line;

/// Leaves everything as people should find it after a run.
pub(super) fn end(
    site: &Site,
    layout: &Layout,
    driver: &mut HostDriver,
    charter: &Charter,
    ended: &RunEnded,
) -> Result<Exit, Failure> {
    // A disk that is full must not lack what is remembered of the log.
    driver.world.release_room()?;
    driver.world.anchor()?;
    report::leave(site, layout, &driver.watch.chronicle, driver.state());
    tell_end(site, driver, charter, ended.reason);
    Ok(Exit::from_code(ended.exit_code))
}

/// Says until when nothing can be done, and what to do then.
pub(super) fn tell_pause(paused: &RunPaused) {
    let when = match paused.until {
        None => "its provider does not say until when".to_owned(),
        Some(until) => format!("until {}", wait::local(until)),
    };
    let agent = clean_line(paused.agent.as_str());
    let what = match paused.cause {
        PauseCause::RateLimit | PauseCause::Overloaded => format!(
            "{agent} is limited, {when}.\n\
             Everything is rolled back and nothing counts as a failure."
        ),
        PauseCause::Quota => format!(
            "{agent} has nearly used up an allowance, {when}.\n\
             budget.quota_percent stops here, and no attempt was begun."
        ),
    };
    let again = again::command_line(std::env::args_os().skip(1));
    say(&format!(
        "{what}\nRun the same again then:\n  {again}\nor this now, and it waits:\n  {again} --wait\n"
    ));
}

fn tell_end(site: &Site, driver: &HostDriver, charter: &Charter, reason: EndReason) {
    if site.global.quiet {
        return;
    }
    let state = driver.state();
    let count = |wanted: Status| {
        let of = |task: &crate::engine::task::Task| {
            state.progress().get(&task.id).map(|known| known.status).unwrap_or_default()
        };
        charter.tasks.iter().filter(|task| of(task) == wanted).count()
    };
    let (done, blocked, todo) = (count(Status::Done), count(Status::Blocked), count(Status::Todo));
    say(&format!("{done} done, {blocked} blocked, {todo} to do.\n"));
    say(&spending::told(&driver.watch.accounts, charter.limits, reason));
    let next = match reason {
        EndReason::Done => return,
        EndReason::Iterations => "The iterations are used up; the same command goes on.",
        EndReason::Stopped => "Stopped as asked; `looper run` goes on.",
        EndReason::NothingRunnable => {
            "A person is needed: `looper status` shows why, `looper unblock T` lets a task run again."
        }
        EndReason::Budget => {
            "Raise the budget under [budget] to go on; each `looper run` has all of it."
        }
        EndReason::AgentUnusable => {
            "An agent cannot work: log in, check credit and model, then run again. \
             Nothing was counted."
        }
        EndReason::Interrupted => "Interrupted; everything is restored. `looper run` goes on.",
    };
    say(&format!("{next}\n"));
}
