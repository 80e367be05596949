//! What became of that for which something was used.

use crate::engine::charter::GateId;
use crate::engine::report::Class;

/// What a call was good for: it failed itself, or else it shares the fate of its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The change was accepted.
    Accepted,
    /// This gate said no; the first of them, where there are several.
    Gate(GateId),
    /// The plan's critic did not say PASS.
    PlanRejected,
    /// A critic asked for another backlog.
    Proposal,
    /// An agent ended in a way that counts as a failure.
    Agent(Class),
    /// A provider's limit: rolled back, not counted.
    Limit(Class),
    /// An agent cannot work at all: rolled back, not counted.
    Unusable(Class),
    /// It was cut short.
    Interrupted,
    /// The attempt is not over.
    Open,
}

impl Cause {
    /// What an agent's end means, unless it ended well.
    pub(super) fn of(class: Class) -> Option<Self> {
        match class {
            // An implementer may say nothing; whether that was enough shows later.
            Class::Ok | Class::Empty => None,
            Class::RateLimited | Class::Overloaded => Some(Self::Limit(class)),
            Class::NoCredit | Class::Auth => Some(Self::Unusable(class)),
            Class::Context
            | Class::TimedOut
            | Class::Idle
            | Class::Crashed
            | Class::Missing
            | Class::DiskFull => Some(Self::Agent(class)),
        }
    }

    /// For people and programs: `accepted`, `gate verify`, `limit rate_limited`.
    pub fn name(self) -> String {
        match self {
            Self::Accepted => "accepted".to_owned(),
            Self::Gate(gate) => format!("gate {}", gate.name()),
            Self::PlanRejected => "plan rejected".to_owned(),
            Self::Proposal => "proposal".to_owned(),
            Self::Agent(class) => format!("agent {}", word(class)),
            Self::Limit(class) => format!("limit {}", word(class)),
            Self::Unusable(class) => format!("unusable {}", word(class)),
            Self::Interrupted => "interrupted".to_owned(),
            Self::Open => "not over".to_owned(),
        }
    }
}

/// The name of a class in the log.
fn word(class: Class) -> String {
    let json = serde_json::to_value(class).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}
