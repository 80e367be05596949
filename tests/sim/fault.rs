//! How a process dies, and where.

use std::collections::BTreeSet;

use looper::engine::charter::Stage;
use looper::engine::event::{EventKind, RollbackCause};
use looper::engine::verdict::Verdict;

/// How a process comes to its end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL: what was handed to the system stays; agents go on.
    Kill,
    /// The power goes: what was not flushed is gone, or half there.
    PowerCut,
    /// A call fails, the disk being full or broken; the process ends by itself.
    Disk,
}

impl Fault {
    pub(crate) const ALL: [Self; 3] = [Self::Kill, Self::PowerCut, Self::Disk];
}

/// Why a call does not come back with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the process died: {0:?}")]
    Died(Fault),
    #[error("the disk failed")]
    Disk,
    #[error("{0}")]
    Machine(&'static str),
    #[error("refused: {0}")]
    Refused(&'static str),
    #[error("the log is bad: {0}")]
    BadLog(String),
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// Reading what an earlier process left, and beginning a run.
    Open,
    /// The same, where an attempt is open.
    Recover,
    Select,
    Call(Stage),
    Prepare,
    Publish,
    Reconcile,
    Rollback(Cause),
    Propose(Verdict),
    /// Waiting for a provider, and then going on.
    Retry,
    CloseDone,
    CloseFailed,
    CloseBlocked,
    Pause,
    End,
}

/// [`RollbackCause`], in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    PlanRejected,
    AgentFailed,
    StateTouched,
    Gates,
    Interrupted,
}

impl From<RollbackCause> for Cause {
    fn from(cause: RollbackCause) -> Self {
        match cause {
            RollbackCause::PlanRejected => Self::PlanRejected,
            RollbackCause::AgentFailed => Self::AgentFailed,
            RollbackCause::StateTouched => Self::StateTouched,
            RollbackCause::Gates => Self::Gates,
            RollbackCause::Interrupted => Self::Interrupted,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Decided, and not yet durable.
    Before,
    /// The world is at work.
    During,
    /// The world is done, and the log does not say so durably.
    After,
}

/// A point at which a process can die.
pub(crate) type Point = (Doing, Phase);

const STAGES: [Stage; 5] =
    [Stage::Plan, Stage::PlanCritique, Stage::Implement, Stage::Verify, Stage::ImplCritique];

impl Doing {
    /// Everything that can be cut short.
    pub(crate) fn all() -> BTreeSet<Self> {
        let causes = [
            Cause::PlanRejected,
            Cause::AgentFailed,
            Cause::StateTouched,
            Cause::Gates,
            Cause::Interrupted,
        ];
        let proposals = [Verdict::ScopeExpand, Verdict::SplitTask, Verdict::DependencyInsert]
            .map(Self::Propose);
        let single = [
            Self::Open,
            Self::Recover,
            Self::Select,
            Self::Prepare,
            Self::Publish,
            Self::Reconcile,
            Self::Retry,
            Self::CloseDone,
            Self::CloseFailed,
            Self::CloseBlocked,
            Self::Pause,
            Self::End,
        ];
        let calls = STAGES.map(Self::Call);
        let rollbacks = causes.map(Self::Rollback);
        single.into_iter().chain(calls).chain(rollbacks).chain(proposals).collect()
    }

    /// The phases in which it does anything that could be cut short.
    pub(crate) fn phases(self) -> &'static [Phase] {
        use Phase::{After, Before, During};
        match self {
            // Nothing is durable before, nothing is told after.
            Self::Open | Self::Recover => &[During],
            // What is announced is durable first; what comes of it is durable before the next.
            Self::Call(_) | Self::Rollback(_) => &[Before, During, After],
            // Not announced, or together with what was decided before.
            Self::Select | Self::Prepare | Self::Publish | Self::Reconcile | Self::Propose(_) => {
                &[During, After]
            }
            // The mark is weighed and recorded, then written.
            Self::CloseDone | Self::CloseFailed | Self::CloseBlocked => &[Before, During],
            Self::Retry => &[Before, During],
            Self::Pause => &[Before],
            // The head of the log is kept in the repository afterwards.
            Self::End => &[Before, After],
        }
    }

    /// What an event announces or settles.
    pub(crate) fn begun_by(kind: &EventKind) -> Option<Self> {
        Some(match kind {
            EventKind::PlanStarted(_) => Self::Call(Stage::Plan),
            EventKind::PlanCritiqueStarted(_) => Self::Call(Stage::PlanCritique),
            EventKind::ImplementStarted(_) => Self::Call(Stage::Implement),
            EventKind::VerifyStarted(_) => Self::Call(Stage::Verify),
            EventKind::ImplCritiqueStarted(_) => Self::Call(Stage::ImplCritique),
            EventKind::RollbackStarted(data) => Self::Rollback(data.cause.into()),
            EventKind::StageRetried(_) => Self::Retry,
            EventKind::TaskDone(_) => Self::CloseDone,
            EventKind::TaskFailed(_) => Self::CloseFailed,
            EventKind::TaskBlocked(_) => Self::CloseBlocked,
            EventKind::RunPaused(_) => Self::Pause,
            EventKind::RunEnded(_) => Self::End,
            _ => return None,
        })
    }
}

/// Every pair of something that is being done and a death in the midst of it.
pub(crate) fn crash_pairs() -> BTreeSet<(Point, Fault)> {
    let points = Doing::all()
        .into_iter()
        .flat_map(|doing| doing.phases().iter().map(move |phase| (doing, *phase)));
    points.flat_map(|point| Fault::ALL.map(|fault| (point, fault))).collect()
}
