//! Each PASS of a log once more: its tree in a clean checkout, its verify commands run for real.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::accepted::Accepted;
use crate::engine::id::{CommitId, Seq, TaskId};
use crate::host::process::Exit;
use crate::host::recheck::{Failed, Order, Outcome, Recheck, RecheckError};

/// What became of a PASS when it was checked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reverified {
    /// The judgement.
    pub seq: Seq,
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit, where there is one.
    pub commit: Option<CommitId>,
    /// Whether it would pass again.
    pub outcome: Agreement,
    /// Why, in one line.
    pub reason: String,
    /// The last lines of what a command printed that failed.
    pub output: Vec<String>,
}

/// Whether a PASS would pass again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Every command passes.
    Agree,
    /// One fails.
    Disagree,
    /// What was judged cannot be brought back, or was never verified.
    CannotTell,
}

impl Agreement {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
            Self::CannotTell => "cannot tell",
        }
    }
}

/// Checks one PASS again. `None`: somebody wanted it to end.
///
/// # Errors
/// The machine fails, or the sandbox.
pub async fn reverify(
    recheck: &Recheck,
    accepted: &Accepted,
) -> Result<Option<Reverified>, RecheckError> {
    let say = |outcome, reason: String, output| Reverified {
        seq: accepted.seq,
        task: accepted.task.clone(),
        attempt: accepted.attempt,
        commit: accepted.commit.clone(),
        outcome,
        reason,
        output,
    };
    if let Some(why) = was_not_verified(accepted) {
        return Ok(Some(say(Agreement::CannotTell, why.to_owned(), vec![])));
    }
    let outcome = recheck.run(&order(accepted)).await?;
    Ok(match outcome {
        Outcome::Interrupted => None,
        Outcome::Unknown(why) => Some(say(Agreement::CannotTell, why, vec![])),
        Outcome::Failed(failed) => Some(say(Agreement::Disagree, sentence(&failed), failed.tail)),
        Outcome::Passed => {
            let count = accepted.commands.len();
            let noun = if count == 1 { "command passes" } else { "commands pass" };
            Some(say(Agreement::Agree, format!("{count} {noun}"), vec![]))
        }
    })
}

/// Why the log says nothing about commands that passed.
pub(super) fn was_not_verified(accepted: &Accepted) -> Option<&'static str> {
    if accepted.commands.is_empty() {
        return Some("no verify command was run then");
    }
    (!accepted.verified).then_some("the commands failed then too, and the gate was off")
}

/// The commands of a PASS on its tree, as they ran then.
pub(super) fn order(accepted: &Accepted) -> Order<'_> {
    Order {
        tree: &accepted.tree,
        edit: None,
        commands: &accepted.commands,
        timeout: Duration::from_secs(accepted.terms.timeout_s),
        repeat: accepted.terms.repeat,
        checkout: accepted.terms.checkout,
        about: (&accepted.task, accepted.attempt),
    }
}

/// How a command failed.
pub(super) fn sentence(failed: &Failed) -> String {
    let how = match (failed.timed_out, failed.exit) {
        (true, _) => "time is over".to_owned(),
        (false, Exit::Code(code)) => format!("exit code {code}"),
        (false, Exit::Signal(signal)) => format!("ended by signal {signal}"),
    };
    format!("{how}: {}", failed.command)
}
