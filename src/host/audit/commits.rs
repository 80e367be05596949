//! Compares the commits of the repository with the log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::ledger::{Claim, Ledger};
use super::report::{Finding, Report, Standing};
use crate::engine::id::{CommitId, Seq};
use crate::host::git::{Git, GitError, Origin, Tips, Trace};
use crate::host::log::Loss;

/// How many commits are read at the start of a run until one is found that the log tells of.
const HEAD_COMMITS_MAX: usize = 1000;

/// Looks for the newest commit of ours that leads to `tip`, or else to HEAD, and says what it
/// remembers of a log that lost its end. Reads a bounded number of commits.
///
/// # Errors
/// The history cannot be read.
pub fn check_head(
    git: &Git,
    ledger: &Ledger,
    tip: Option<&CommitId>,
) -> Result<Option<Loss>, GitError> {
    let mut left = HEAD_COMMITS_MAX;
    let mut strangers: Vec<(CommitId, Loss)> = vec![];
    let mut contradicted = None;
    git.traces_of(tip, |trace| {
        left -= 1;
        for block in &trace.trailers {
            match ledger.judge(&trace, block) {
                Claim::Recorded(_) => return ControlFlow::Break(()),
                Claim::Copied(_) => {}
                Claim::Stranger(loss) => strangers.push((trace.commit.clone(), loss)),
                Claim::Contradicted(loss) => {
                    contradicted = Some(loss);
                    return ControlFlow::Break(());
                }
            }
        }
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if contradicted.is_some() || strangers.is_empty() {
        return Ok(contradicted);
    }
    let origins = git.origins(&strangers.iter().map(|(commit, _)| commit.clone()).collect())?;
    let is_ours = |commit: &CommitId| origins.get(commit) != Some(&Origin::Elsewhere);
    Ok(strangers.into_iter().find(|(commit, _)| is_ours(commit)).map(|(_, loss)| loss))
}

/// Whether the log tells of a commit at its end that is not there, and that nobody but the log
/// vouches for: `witnessed` is the last event that somebody else remembers. Reads a bounded number
/// of commits; [`check_all`] tells what is the matter.
///
/// # Errors
/// The repository cannot be read.
pub fn is_end_doubtful(git: &Git, ledger: &Ledger, witnessed: Seq) -> Result<bool, GitError> {
    for (seq, pass) in ledger.passes.iter().rev().take(HEAD_COMMITS_MAX) {
        let Some(made) = &pass.made else { continue };
        let Some(published) = made.published else { continue };
        if published <= witnessed {
            break;
        }
        match git.look_up(&made.commit)? {
            Some(trace) => return Ok(made.difference(pass, *seq, &trace).is_some()),
            None => return Ok(true),
        }
    }
    Ok(false)
}

/// The commit, and the event that made it ready, of which the log says that the branch moved to it,
/// or to which HEAD leads, although the transaction, which remembers no event behind `remembered`,
/// has not heard of it: it hears of each before the branch moves. Reads a bounded number of commits.
///
/// # Errors
/// The history cannot be read.
pub fn find_unheard_of(
    git: &Git,
    ledger: &Ledger,
    remembered: Seq,
) -> Result<Option<(Seq, CommitId)>, GitError> {
    let made = ledger.passes.values().rev().filter_map(|pass| pass.made.as_ref());
    let unheard: Vec<_> = made.take_while(|made| made.prepared > remembered).collect();
    let mut found = unheard.iter().find(|made| made.published.is_some()).copied();
    if found.is_none() && !unheard.is_empty() {
        let mut left = HEAD_COMMITS_MAX;
        git.traces_of(None, |trace| {
            left -= 1;
            found = unheard.iter().find(|made| made.commit == trace.commit).copied();
            let is_over = found.is_some() || left == 0;
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    Ok(found.map(|made| (made.prepared, made.commit.clone())))
}

/// Compares every commit of ours that a branch leads to with the log, and every commit that the
/// log tells of with the repository.
///
/// `tips` is from before the log was read, so that a run at work is not taken for a forger.
/// `anchor` is the event that the repository was asked to remember, where the log has it.
///
/// # Errors
/// The repository cannot be read.
pub fn check_all(
    git: &Git,
    tips: &Tips,
    ledger: &Ledger,
    anchor: Option<Seq>,
) -> Result<Report, GitError> {
    let mut audit = Audit {
        ledger,
        report: Report::default(),
        reached: BTreeSet::new(),
        copied: BTreeMap::new(),
        strangers: vec![],
        witnessed: anchor.unwrap_or_default(),
        failed: None,
    };
    git.traces(tips, &Tips::default(), |trace| audit.see(git, &trace))?;
    if let Some(error) = audit.failed.take() {
        return Err(error);
    }
    git.rescued_traces(tips, |trace| audit.see_rescued(&trace))?;
    audit.place_strangers(git)?;
    audit.look_for_the_rest(git, tips)?;
    if ledger.last_ended > anchor {
        let found = match anchor {
            Some(seq) => format!("refs/looper/log remembers event {seq}"),
            None => "refs/looper/log is missing".to_owned(),
        };
        let ended = ledger.last_ended.unwrap_or_default();
        audit.report.add(Finding {
            standing: Standing::AnchorBehind,
            seq: Some(ended),
            commit: None,
            found,
            expected: Some(format!("event {ended}, the end of the last run")),
        });
    }
    Ok(audit.report)
}

struct Audit<'a> {
    ledger: &'a Ledger,
    report: Report,
    /// Judgements whose commits a branch leads to.
    reached: BTreeSet<Seq>,
    /// Judgements of which a person has made copies, with one of them.
    copied: BTreeMap<Seq, CommitId>,
    strangers: Vec<(CommitId, Loss)>,
    /// Up to here somebody else than the log itself knows what it says.
    witnessed: Seq,
    failed: Option<GitError>,
}

impl Audit<'_> {
    fn see(&mut self, git: &Git, trace: &Trace) -> ControlFlow<()> {
        for block in &trace.trailers {
            match self.ledger.judge(trace, block) {
                Claim::Recorded(seq) => match self.compare(git, seq, trace) {
                    Ok(()) => drop(self.reached.insert(seq)),
                    Err(error) => {
                        self.failed = Some(error);
                        return ControlFlow::Break(());
                    }
                },
                Claim::Copied(seq) => {
                    self.witnessed = self.witnessed.max(seq);
                    self.copied.insert(seq, trace.commit.clone());
                    self.note(Standing::Copied, seq, trace, "a person's copy of a commit of ours");
                }
                Claim::Stranger(loss) => self.strangers.push((trace.commit.clone(), loss)),
                Claim::Contradicted(loss) => {
                    self.report.add(Finding::missing(trace.commit.clone(), &loss));
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What was put back when it was found is in no history.
    fn see_rescued(&mut self, trace: &Trace) -> ControlFlow<()> {
        for block in &trace.trailers {
            if let Claim::Stranger(loss) | Claim::Contradicted(loss) =
                self.ledger.judge(trace, block)
            {
                let what = "an agent's commit that was put back";
                self.note(Standing::PutBack, loss.seq, trace, what);
            }
        }
        ControlFlow::Continue(())
    }

    fn note(&mut self, standing: Standing, seq: Seq, trace: &Trace, found: &str) {
        let (commit, found) = (Some(trace.commit.clone()), found.to_owned());
        self.report.add(Finding { standing, seq: Some(seq), commit, found, expected: None });
    }

    /// A commit that is there has to be what the log says.
    fn compare(&mut self, git: &Git, seq: Seq, trace: &Trace) -> Result<(), GitError> {
        let Some(pass) = self.ledger.passes.get(&seq) else { return Ok(()) };
        let Some(made) = &pass.made else { return Ok(()) };
        let mut difference = made.difference(pass, seq, trace);
        if difference.is_none() && !git.has_tree(&made.tree)? {
            let want = format!("the judged tree {}", made.tree);
            difference = Some(["the tree of the commit is not in the repository".into(), want]);
        }
        match difference {
            None => self.witnessed = self.witnessed.max(seq),
            Some([found, expected]) => self.report.add(Finding {
                standing: Standing::Forged,
                seq: Some(seq),
                commit: Some(trace.commit.clone()),
                found,
                expected: Some(expected),
            }),
        }
        Ok(())
    }

    fn place_strangers(&mut self, git: &Git) -> Result<(), GitError> {
        if self.strangers.is_empty() {
            return Ok(());
        }
        let commits = self.strangers.iter().map(|(commit, _)| commit.clone()).collect();
        let origins = git.origins(&commits)?;
        for (commit, loss) in std::mem::take(&mut self.strangers) {
            match origins.get(&commit) {
                Some(Origin::Elsewhere) => self.report.count(Standing::Foreign),
                Some(Origin::Here | Origin::Unknown) | None => {
                    self.report.add(Finding::missing(commit, &loss));
                }
            }
        }
        Ok(())
    }

    /// Commits that the log tells of and no branch leads to.
    fn look_for_the_rest(&mut self, git: &Git, tips: &Tips) -> Result<(), GitError> {
        // A run at work may have moved the branch since.
        git.traces(&git.tips()?, tips, |trace| {
            for block in &trace.trailers {
                if let Claim::Recorded(seq) = self.ledger.judge(&trace, block) {
                    self.reached.insert(seq);
                }
            }
            ControlFlow::Continue(())
        })?;
        let ledger = self.ledger;
        let mut gone: Vec<(Seq, Seq, CommitId)> = vec![];
        for (seq, pass) in &ledger.passes {
            let Some(made) = &pass.made else { continue };
            if self.reached.contains(seq) {
                self.report.count(Standing::Recorded);
                continue;
            }
            let Some(published) = made.published else { continue };
            match git.look_up(&made.commit)? {
                Some(trace) => {
                    let bad = self.report.of(Standing::Forged);
                    self.compare(git, *seq, &trace)?;
                    if bad == self.report.of(Standing::Forged) {
                        self.note(Standing::Rewritten, *seq, &trace, "no branch leads to it");
                    }
                }
                None => gone.push((*seq, published, made.commit.clone())),
            }
        }
        for (seq, published, commit) in gone {
            let (standing, found) = match self.copied.get(&seq) {
                Some(copy) => (Standing::Rewritten, format!("it is now {copy}")),
                None if git.is_shallow() => {
                    (Standing::Unknown, "the clone is shallow and may not reach it".to_owned())
                }
                None if published <= self.witnessed => {
                    (Standing::Rewritten, "it was thrown away and collected".to_owned())
                }
                None => (
                    Standing::Unproved,
                    "neither the commit nor anything that remembers it is there".to_owned(),
                ),
            };
            let expected = standing.is_bad().then(|| format!("the commit {commit}"));
            let (seq, commit) = (Some(seq), Some(commit));
            self.report.add(Finding { standing, seq, commit, found, expected });
        }
        Ok(())
    }
}
