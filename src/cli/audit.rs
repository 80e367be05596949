//! The log against the repository and the objects, in words for people.

use std::path::Path;

use super::exit::Exit;
use super::failure::Failure;
use crate::engine::event::Event;
use crate::engine::id::{CommitId, Seq};
use crate::engine::line::Proof;
use crate::host::audit::{
    self, Finding, Ledger, ObjectFault, ObjectsReport, Report, Standing, Wanted,
};
use crate::host::git::{Git, Tips};
use crate::host::log::LogError;
use crate::host::objects::Objects;
use crate::host::paths::Layout;
use crate::ui::sanitize::clean_line;
use crate::ui::story::short;

/// What is asked beside the log itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Questions {
    pub(super) commits: bool,
    pub(super) objects: bool,
    pub(super) reverify: bool,
}

/// What is gathered while a log is read, to be compared afterwards.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) ledger: Ledger,
    pub(super) wanted: Wanted,
}

impl Gathered {
    pub(super) fn note(&mut self, event: &Event, proof: Proof) {
        self.ledger.note(event, proof);
        self.wanted.note(event);
    }
}

/// A repository as it was before the log was read.
pub(super) struct Before<'git> {
    git: &'git Git,
    tips: Tips,
    anchor: Option<Seq>,
}

impl<'git> Before<'git> {
    pub(super) fn new(git: &'git Git, anchor: Option<Seq>) -> Result<Self, Failure> {
        Ok(Self { git, tips: git.tips()?, anchor })
    }

    pub(super) fn compare(&self, ledger: &Ledger) -> Result<Report, Failure> {
        Ok(audit::check_all(self.git, &self.tips, ledger, self.anchor)?)
    }
}

/// Reads every object that the log names.
pub(super) fn objects(layout: &Layout, wanted: &Wanted) -> Result<ObjectsReport, Failure> {
    Ok(audit::check_objects(&Objects::new(layout.objects()), wanted)?)
}

/// What is known about the end of a log beside the log.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The last event that the transaction or `refs/looper/log` remembers.
    pub(super) witnessed: Seq,
    /// The last event that the transaction remembers, where there is one.
    pub(super) remembered: Option<Seq>,
    /// The commit that is known to be the last one that can be ours; else it is HEAD.
    pub(super) tip: Option<CommitId>,
}

/// Refuses to go on with a log that lacks what a commit of this work tree rests on, or that tells
/// of a commit at its end that nobody else has heard of.
pub(super) fn refuse_lost(
    git: &Git,
    ledger: &Ledger,
    log: &Path,
    known: &Known,
) -> Result<(), Failure> {
    if let Some(loss) = audit::check_head(git, ledger, known.tip.as_ref())? {
        let lost = LogError::Lost { path: log.to_owned(), loss: Box::new(loss) };
        return Err(Failure::from(lost).help(
            "restore the log from a backup and keep this file; without one, go on in a fresh \
             clone. If another clone made that commit, fetch the branch it comes from, so that \
             git knows. `looper replay --check-git` tells more",
        ));
    }
    if let Some(remembered) = known.remembered
        && let Some((seq, commit)) = audit::find_unheard_of(git, ledger, remembered)?
    {
        let what = format!("{} and the transaction contradict each other", log.display());
        let cause = format!(
            "event {seq}: the branch moved to commit {} although the transaction has heard of no \
             event behind {remembered}",
            short(commit.as_str())
        );
        return Err(Failure::new(Exit::BadLog, what).because(cause).help(
            "find out who wrote these lines and made that commit: no run moves a branch before \
             the transaction knows. Compare both with a backup, and keep them as they are",
        ));
    }
    if !audit::is_end_doubtful(git, ledger, known.witnessed)? {
        return Ok(());
    }
    let before = Before::new(git, Some(known.witnessed))?;
    contradiction(log, &before.compare(ledger)?).map_or(Ok(()), Err)
}

/// Whether log and repository contradict each other.
pub(super) fn contradiction(log: &Path, report: &Report) -> Option<Failure> {
    let first = report.bad.first()?;
    let what = format!("{} and the repository contradict each other", log.display());
    let help = match first.standing {
        Standing::Missing => {
            "restore the log from a backup and keep this file; without one, go on in a fresh \
             clone. If another clone made that commit, fetch the branch it comes from, so that \
             git knows"
        }
        _ => "find out who wrote it: compare both with a backup, and keep them as they are",
    };
    Some(Failure::new(Exit::BadLog, what).because(sentence(first)).help(help))
}

/// Whether evidence was changed. What is missing may have been thrown away on purpose.
pub(super) fn damage(report: &ObjectsReport) -> Option<Failure> {
    let first = report.faults.iter().find(|fault| fault.damage.is_some())?;
    let what = format!("{} objects are not what their names say", report.damaged);
    Some(
        Failure::new(Exit::BadLog, what)
            .because(fault_sentence(first))
            .help("bring them back from a backup; the log itself is whole"),
    )
}

/// One finding as a sentence.
pub(super) fn sentence(finding: &Finding) -> String {
    let seq = finding.seq.map(|seq| format!("event {seq}"));
    let commit = finding.commit.as_ref().map(|commit| format!("commit {}", short(commit.as_str())));
    let place: Vec<String> = seq.into_iter().chain(commit).collect();
    let mut text = format!("{}: {}", place.join(", "), finding.found);
    if let Some(expected) = &finding.expected {
        text.push_str(&format!("; expected: {expected}"));
    }
    text
}

pub(super) fn fault_sentence(fault: &ObjectFault) -> String {
    let ObjectFault { object, seq, damage } = fault;
    let damage = damage.as_deref().unwrap_or("it is missing");
    format!("event {seq}, object {}: {damage}", short(object.as_str()))
}

/// The comparison with the repository, for people.
pub(super) fn report_text(report: &Report) -> String {
    let tell = |finding: &Finding| {
        format!("{:<13} {}\n", finding.standing.word(), clean_line(&sentence(finding)))
    };
    let mut text: String = report.bad.iter().chain(&report.notes).map(tell).collect();
    let counts: Vec<String> =
        report.counts.iter().map(|(kind, count)| format!("{count} {}", kind.word())).collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    let verdict = if report.agrees() { "agrees" } else { "contradicts the log" };
    text.push_str(&format!("commits: {}: the repository {verdict}\n", counts.replace('_', " ")));
    text
}

/// The check of the objects, for people.
pub(super) fn objects_text(report: &ObjectsReport) -> String {
    let tell = |fault: &ObjectFault| {
        let word = if fault.damage.is_some() { "damaged" } else { "lost" };
        format!("{word:<13} {}\n", clean_line(&fault_sentence(fault)))
    };
    let mut text: String = report.faults.iter().map(tell).collect();
    let ObjectsReport { named, missing, damaged, .. } = report;
    text.push_str(&format!("objects: {named} named, {missing} missing, {damaged} damaged\n"));
    text
}
