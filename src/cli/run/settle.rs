//! What an earlier process left open is settled before anything else is looked at.

use std::collections::BTreeSet;

use super::HostDriver;
use crate::cli::failure::Failure;
use crate::cli::site::{Site, fold_log};
use crate::cli::tell;
use crate::engine::attempt::{Attempt, Step};
use crate::engine::event::{Event, EventKind, RollbackFinished};
use crate::engine::id::RepoPath;
use crate::engine::reason;
use crate::host::lock::LockError;
use crate::host::log::Reader;
use crate::host::paths::Layout;

/// How many paths are named; the event has all of them.
const NAMED_MAX: usize = 5;

/// Brings the attempt to its end that a dead run left open. So many of its processes were ended.
pub(super) async fn settle(
    driver: &mut HostDriver,
    site: &Site,
    layout: &Layout,
    ended: u32,
) -> Result<(), Failure> {
    driver.world.flush_what_is_there()?;
    let Some(attempt) = driver.state().attempt().cloned() else {
        driver.world.recovered();
        return Ok(());
    };
    let branch = driver.state().charter().and_then(|charter| charter.base.branch.clone());
    if let Some(run) = driver.state().run_id() {
        driver.world.sweep_scratch(run, attempt.loop_number);
    }
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
    let evidence = layout.evidence_of(attempt.loop_number.into());
    let evidence = evidence.strip_prefix(layout.project()).unwrap_or(&evidence);
    let said = driver.watch.outcome.tell(&attempt, ended, &evidence.display().to_string());
    tell(site, &said);
    Ok(())
}

/// Why the lock cannot be had, and what its holder is at, as far as the log says.
pub(super) fn refused(error: LockError, layout: &Layout) -> Failure {
    let is_held = matches!(error, LockError::Held { .. });
    let failure = Failure::from(error);
    if !is_held {
        return failure;
    }
    let state = Reader::open(&layout.events()).ok().map(|mut log| fold_log(&mut log, |_, _| {}));
    let Some(Ok(state)) = state else { return failure };
    match (state.attempt(), state.paused()) {
        (Some(attempt), _) => failure.because(format!("{} is {}", name(attempt), doing(attempt))),
        (None, Some(paused)) => failure.because(format!("it waits for {}", paused.agent)),
        (None, None) => failure,
    }
}

/// What became of an attempt.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    undone: Option<RollbackFinished>,
    commit: Option<String>,
    /// How it counts, where it does.
    counted: Option<String>,
}

impl Settled {
    /// Something happened.
    pub(super) fn saw(&mut self, event: &Event) {
        match &event.kind {
            EventKind::TaskSelected(_) => *self = Self::default(),
            EventKind::RollbackFinished(data) => self.undone = Some(data.clone()),
            EventKind::Reconciled(data) => {
                self.commit = data.commit.as_ref().map(ToString::to_string);
            }
            EventKind::TaskFailed(data) => self.counted = Some(data.reason.clone()),
            EventKind::TaskBlocked(data) => self.counted = Some(data.reason.clone()),
            _ => {}
        }
    }

    /// What was found and what was done, in one paragraph.
    fn tell(&self, attempt: &Attempt, ended: u32, evidence: &str) -> String {
        let mut said = format!("Recovered: an earlier process ended while {} was ", name(attempt));
        said.push_str(&format!("{}.", doing(attempt)));
        match ended {
            0 => {}
            1 => said.push_str(" One process it had left running was ended."),
            count => said.push_str(&format!(" {count} processes it had left running were ended.")),
        }
        if let Some(commit) = &self.commit {
            said.push_str(&format!(" Its commit {commit} is there, so the task is done."));
        }
        if let Some(undone) = &self.undone {
            said.push_str(&rolled_back(undone));
        }
        said.push_str(" The work tree is settled;");
        match &self.counted {
            None => said.push_str(" nothing counts as a failure."),
            Some(reason) => said.push_str(&format!(" that the attempt failed stands: {reason}.")),
        }
        said.push_str(&format!(" What the attempt left to read is in {evidence}."));
        said
    }
}

fn rolled_back(undone: &RollbackFinished) -> String {
    let mut said = String::new();
    for (paths, done) in [(&undone.restored, "restored"), (&undone.removed, "removed")] {
        if !paths.is_empty() {
            said.push_str(&format!(" {}: {}.", capital(done), named(paths)));
        }
    }
    if undone.left_out > 0 {
        said.push_str(&format!(" The same for {} paths more.", undone.left_out));
    }
    if said.is_empty() && undone.rescued.is_empty() {
        said.push_str(" It had changed nothing.");
    }
    if !undone.rescued.is_empty() {
        said.push_str(&format!(" Put back under .git: {}.", reason::list(&undone.rescued)));
    }
    let refs = undone.rescued.iter().filter_map(|text| Some(text.split_once("kept as ")?.1));
    // Files have a ref of their own, with no history that could be merged.
    let commits: BTreeSet<&str> = refs.filter(|name| !name.ends_with("/changed-files")).collect();
    if let Some(name) = commits.first() {
        said.push_str(&format!(
            " If commits among it are yours, nothing of them is lost: \
             `git log {name}` shows them, `git merge {name}` brings them back."
        ));
    }
    said
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn named(paths: &[RepoPath]) -> String {
    let shown: Vec<String> = paths.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let more = paths.len() - shown.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", shown.join(", "))
}

fn name(attempt: &Attempt) -> String {
    format!("task {}, attempt {},", attempt.task.id, attempt.number)
}

fn doing(attempt: &Attempt) -> &'static str {
    match &attempt.step {
        Step::Plan => "being planned",
        Step::PlanCritique { .. } => "having its plan criticised",
        Step::Implement(_) => "being implemented",
        Step::Verify(..) => "being verified",
        Step::ImplCritique(..) => "having its change criticised",
        Step::Judge(..) => "being judged",
        Step::Commit { .. } | Step::Reconcile { .. } => "being committed",
        Step::Retry { .. } => "about to go on",
        Step::Undo { .. } => "being rolled back",
        Step::Propose { .. } | Step::Close(_) => "being marked",
    }
}
