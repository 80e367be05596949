//! How an attempt leaves the state: after a rollback, and with a mark.

use super::attempt::{After, Ending, Step};
use super::effect::{Closing, Effect};
use super::event::EventKind;
use super::id::{CommitId, Digest, TaskId};
use super::reason;
use super::state::{BacklogDigest, Mode, State, Stop};
use super::task::Status;

/// The work tree equals the snapshot: what was waiting for that comes now.
pub(super) fn rolled_back(mut state: State, to: &CommitId) -> Option<State> {
    let Mode::Running(run) = &mut state.mode else { return None };
    let mut attempt = run.attempt.take()?;
    let Step::Undo { after, .. } = attempt.step else { return None };
    if attempt.snapshot != *to {
        return None;
    }
    attempt.step = match after {
        After::Fail { reason } => Step::Close(Ending::Failed { reason }),
        After::Block { reason } => Step::Close(Ending::Blocked { reason }),
        After::Propose { verdict, critique, reason } => Step::Propose { verdict, critique, reason },
        After::Again { stage, retried } => Step::Retry { stage, retried },
        After::Nothing => return Some(state),
        After::Pause(paused) => {
            run.has_cut_short = true;
            run.stop.get_or_insert(Stop::Pause(paused));
            return Some(state);
        }
        After::End(reason) => {
            run.stop.get_or_insert(Stop::End(reason));
            return Some(state);
        }
    };
    run.attempt = Some(attempt);
    Some(state)
}

/// A mark ends the attempt, except the failure that uses up the last chance: it blocks as well.
pub(super) fn close(
    mut state: State,
    kind: &EventKind,
    task: &TaskId,
    before: &Digest,
    after: &Digest,
) -> Option<State> {
    let Some(Effect::Close(close)) = Effect::carried_by(kind) else { return None };
    let Mode::Running(run) = &mut state.mode else { return None };
    let attempt = run.attempt.take();
    let progress = state.progress.entry(task.clone()).or_default();
    match (close.mark, attempt) {
        (Closing::Done { commit }, Some(attempt)) => {
            let ending = Ending::Done { commit: commit.clone() };
            (attempt.step == Step::Close(ending)).then_some(())?;
            progress.status = Status::Done;
            progress.fail_count = 0;
            progress.reason = None;
            progress.commit = commit;
        }
        (Closing::Failed { reason, fail_count }, Some(mut attempt)) => {
            let ending = Ending::Failed { reason: reason.clone() };
            let counted = progress.fail_count.checked_add(1)? == fail_count;
            (attempt.step == Step::Close(ending) && counted).then_some(())?;
            progress.fail_count = fail_count;
            progress.failed_loop = progress.latest_loop;
            if fail_count >= run.charter.policy.failures_max {
                let reason = format!("{fail_count} failures in a row, the last: {reason}");
                attempt.step = Step::Close(Ending::Blocked { reason: reason::line(&reason) });
                run.attempt = Some(attempt);
            }
            progress.reason = Some(reason);
        }
        (Closing::Blocked { reason, .. }, attempt) => {
            let ending = Ending::Blocked { reason: reason.clone() };
            let fits = attempt.is_none_or(|attempt| attempt.step == Step::Close(ending));
            (fits && progress.status == Status::Todo).then_some(())?;
            progress.status = Status::Blocked;
            progress.reason = Some(reason);
        }
        (Closing::Done { .. } | Closing::Failed { .. }, None) => return None,
    }
    state.backlog = Some(BacklogDigest {
        before: before.clone(),
        after: after.clone(),
        task: Some(task.clone()),
    });
    Some(state)
}
