//! What the process exits with.

use std::process::{ExitCode, Termination};

/// Every exit code there is. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or the iterations are used up.
    Ok = 0,
    /// Nothing is runnable and not all is done: a person is needed.
    PersonNeeded = 1,
    /// A provider wants us to wait; run the same command again later.
    RateLimited = 2,
    /// Refused before any agent was called.
    Refused = 3,
    /// The log is damaged, was tampered with, is too new, or does not replay.
    BadLog = 4,
    /// Stopped by a safety rule.
    SafetyRule = 5,
    /// An agent cannot work at all: no login, no credit, no such model.
    AgentUnusable = 6,
    /// The command line is wrong.
    Usage = 64,
    /// A bug of ours.
    Bug = 70,
    /// The machine failed during a run; nothing is lost.
    Machine = 74,
    /// Interrupted; everything is restored.
    Interrupted = 130,
}

impl Exit {
    /// Every one of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::PersonNeeded,
        Self::RateLimited,
        Self::Refused,
        Self::BadLog,
        Self::SafetyRule,
        Self::AgentUnusable,
        Self::Usage,
        Self::Bug,
        Self::Machine,
        Self::Interrupted,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The one with this number. Codes that events carry are always among them.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Bug)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::EndReason;

    #[test]
    fn every_end_of_a_run_has_an_exit_code() {
        for (reason, want) in [
            (EndReason::Done, Exit::Ok),
            (EndReason::Iterations, Exit::Ok),
            (EndReason::Stopped, Exit::Ok),
            (EndReason::NothingRunnable, Exit::PersonNeeded),
            (EndReason::Budget, Exit::SafetyRule),
            (EndReason::AgentUnusable, Exit::AgentUnusable),
            (EndReason::Interrupted, Exit::Interrupted),
        ] {
            assert_eq!(Exit::from_code(reason.exit_code()), want);
        }
    }
}
