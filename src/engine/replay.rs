//! Folding a recorded log and checking that the engine would have decided the same.

use super::charter::RULES;
use super::decide::{Decision, decide};
use super::effect::Effect;
use super::event::{Event, EventKind};
use super::fold::{FoldError, fold};
use super::id::Seq;
use super::state::State;

/// Why a log does not replay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The log is not a history this engine could have.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The engine decides something else.
    #[error("at event {seq} the log says {recorded}, the engine decides {decided}")]
    Diverged {
        /// The position of the recorded decision.
        seq: Seq,
        /// What was decided then.
        recorded: String,
        /// What is decided now.
        decided: String,
    },
    /// The run was decided by rules this build does not know.
    #[error("event {seq} was decided by rules {rules}, this looper knows rules 1 to {RULES}")]
    UnknownRules {
        /// The position of the charter.
        seq: Seq,
        /// Its rules.
        rules: u32,
    },
}

impl ReplayError {
    /// The first bad position.
    pub fn seq(&self) -> Seq {
        match self {
            Self::Fold(FoldError::Gap { want, .. }) => *want,
            Self::Fold(FoldError::Misfit { seq, .. })
            | Self::Diverged { seq, .. }
            | Self::UnknownRules { seq, .. } => *seq,
        }
    }
}

/// Replays one event: the decision it carries is made again, then it is folded.
///
/// # Errors
/// The engine decides otherwise, or the event cannot happen here.
pub fn replay_one(state: State, event: &Event) -> Result<State, ReplayError> {
    check(&state, event)?;
    Ok(fold(state, event)?)
}

/// Replays a whole log.
///
/// # Errors
/// As [`replay_one`], for the first event that does not replay.
pub fn replay<'event>(
    events: impl IntoIterator<Item = &'event Event>,
) -> Result<State, ReplayError> {
    events.into_iter().try_fold(State::default(), replay_one)
}

fn check(state: &State, event: &Event) -> Result<(), ReplayError> {
    if let EventKind::RunStarted(charter) | EventKind::RunResumed(charter) = &event.kind
        && !(1..=RULES).contains(&charter.rules)
    {
        return Err(ReplayError::UnknownRules { seq: event.seq, rules: charter.rules });
    }
    let Some(recorded) = Effect::carried_by(&event.kind) else { return Ok(()) };
    let decided = decide(state);
    if decided == Decision::Act(Box::new(recorded.clone())) {
        return Ok(());
    }
    Err(ReplayError::Diverged {
        seq: event.seq,
        recorded: recorded.to_string(),
        decided: decided.to_string(),
    })
}
