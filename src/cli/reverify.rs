//! `looper replay --reverify`: every PASS of a log once more.

use std::io::IsTerminal as _;

use super::exit::Exit;
use super::failure::Failure;
use super::recheck;
use super::signals::Signals;
use super::site::Site;
use super::tell;
use crate::bench::accepted::Accepted;
use crate::bench::reverify::{Agreement, Reverified, reverify};
use crate::host::paths::Layout;
use crate::ui::sanitize::clean_line;
use crate::ui::story::short;

/// Checks each PASS again, one after the other.
///
/// # Errors
/// They cannot be checked, or somebody wants it to end.
pub(super) fn all(
    site: &Site,
    layout: &Layout,
    accepted: &[Accepted],
) -> Result<Vec<Reverified>, Failure> {
    let signals = Signals::listen()?;
    signals.block_on(async |cancel| {
        let recheck = recheck::open(site, layout, cancel).await?;
        let mut found = vec![];
        for (index, pass) in accepted.iter().enumerate() {
            if std::io::stderr().is_terminal() {
                let (number, of) = (index + 1, accepted.len());
                tell(site, &format!("PASS {number} of {of}: task {}", pass.task));
            }
            let next = reverify(&recheck, pass).await.map_err(|error| recheck::broken(&error))?;
            found.push(next.ok_or_else(recheck::interrupted)?);
        }
        Ok(found)
    })
}

/// What came of it, for people.
pub(super) fn text(found: &[Reverified]) -> String {
    let mut text = String::new();
    for one in found {
        let commit = one.commit.as_ref().map_or("uncommitted", |commit| short(commit.as_str()));
        let line = format!(
            "event {}, task {}, attempt {}, {commit}: {}",
            one.seq, one.task, one.attempt, one.reason
        );
        text.push_str(&format!("{:<13} {}\n", one.outcome.words(), clean_line(&line)));
        for line in &one.output {
            text.push_str(&format!("              | {}\n", clean_line(line)));
        }
    }
    let count = |wanted: Agreement| found.iter().filter(|one| one.outcome == wanted).count();
    let counts = [Agreement::Agree, Agreement::Disagree, Agreement::CannotTell]
        .map(|outcome| format!("{} {}", count(outcome), outcome.words()));
    text.push_str(&format!("PASSes: {}\n", counts.join(", ")));
    text
}

/// Whether one of them would not pass again.
pub(super) fn disagreement(found: &[Reverified]) -> Option<Failure> {
    let bad: Vec<&Reverified> =
        found.iter().filter(|one| one.outcome == Agreement::Disagree).collect();
    let first = bad.first()?;
    let what = format!("{} of {} PASSes would not pass again", bad.len(), found.len());
    Some(
        Failure::new(Exit::BadLog, what)
            .because(format!("event {}, task {}: {}", first.seq, first.task, first.reason))
            .help(
                "the log itself is sound. The commands depend on what the tree does not hold \
                 (ignored files, installed dependencies, the network, luck), or the PASS was wrong",
            ),
    )
}
