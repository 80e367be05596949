//! `looper bench --from-log`: what oracles and later facts say about runs that are over.

use std::path::{Path, PathBuf};

use super::{table, tell_report};
use crate::bench::accepted::{Accepted, Accounts};
use crate::bench::later::{Contradiction, Followed, Standing, follow};
use crate::bench::report::{Report, Row};
use crate::bench::reverify::Reverified;
use crate::bench::trial;
use crate::cli::args::BenchArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::site::{Site, fold_log};
use crate::cli::{reverify, tell};
use crate::host::git::Git;
use crate::host::log::Reader;
use crate::host::paths::{self, Layout};
use crate::ui::sanitize::clean_line;
use crate::ui::story::short;

/// Reads the logs. A log that an oracle has judged is a scenario's, and its oracle is all that
/// counts; any other one is a real run's.
pub(super) fn from_logs(site: &Site, args: &BenchArgs) -> Result<Exit, Failure> {
    let (mut rows, mut commits) = (vec![], vec![]);
    for log in &args.from_log {
        let path = site.cwd.join(log);
        let found = trial::findings(&existing(&path)?).map_err(|error| {
            Failure::of(Exit::BadLog, &error)
                .because(format!("{} says nothing", path.display()))
                .help("`looper replay` shows where it goes wrong")
        })?;
        if found.is_empty() {
            commits.extend(followed(site, &path, args.reverify)?);
        }
        rows.extend(found.into_iter().map(|finding| Row { finding, duration_ms: None }));
    }
    rows.sort_by(|one, other| one.finding.name.cmp(&other.finding.name));
    tell_report(site, &Report::new(rows).with_commits(commits))
}

/// A log that is named has to be there.
pub(super) fn existing(path: &Path) -> Result<PathBuf, Failure> {
    if path.exists() {
        return Ok(path.to_owned());
    }
    Err(Failure::new(Exit::Usage, format!("{} does not exist", path.display()))
        .help("name the events.jsonl of a run"))
}

/// Everything that a log accepted, if it replays.
pub(super) fn accounts(path: &Path) -> Result<Accounts, Failure> {
    let mut accounts = Accounts::default();
    fold_log(&mut Reader::open(path)?, |event, _| accounts.note(event))?;
    Ok(accounts)
}

/// The project that a log belongs to: the one that is named, or the one whose own log it is.
pub(super) fn project_of(site: &Site, path: &Path) -> Result<Option<Layout>, Failure> {
    if site.global.project.is_some() {
        return Ok(Some(site.layout()?));
    }
    let real = |path: &Path| path.canonicalize().ok();
    let around = path.parent().and_then(|dir| paths::find_project(None, dir).ok());
    let layout = around.and_then(|dir| Layout::new(&dir, Some(&site.global.state_dir)).ok());
    Ok(layout.filter(|layout| real(&layout.events()) == real(path)))
}

fn followed(site: &Site, path: &Path, again: bool) -> Result<Vec<Followed>, Failure> {
    let accounts = accounts(path)?;
    let layout = project_of(site, path)?;
    if layout.is_none() {
        let name = path.display();
        tell(
            site,
            &format!(
                "warning: {name} is not the log of a project; its repository is not \
             asked, --project names it"
            ),
        );
    }
    let git = layout.as_ref().map(|layout| Git::open(layout.project(), &[])).transpose()?;
    let committed = || accounts.accepted.iter().filter(|it| it.commit.is_some());
    let reverified: Vec<Reverified> = match &layout {
        Some(layout) if again => {
            let committed: Vec<Accepted> = committed().cloned().collect();
            reverify::all(site, layout, &committed)?
        }
        _ => vec![],
    };
    let log = path.display().to_string();
    Ok(follow(&log, &accounts, git.as_ref(), &reverified)?)
}

/// What became of commits, for people.
pub(super) fn text(report: &Report) -> String {
    let Some(later) = &report.later else { return String::new() };
    let mut commits = table::plain(&["commit", "event", "task", "attempt", "what is known since"]);
    for one in &report.commits {
        let (seq, attempt) = (one.seq.to_string(), one.attempt.to_string());
        let (task, known) = (clean_line(one.task.as_str()), known(one));
        commits.add_row([short(one.commit.as_str()), &seq, &task, &attempt, &clean_line(&known)]);
    }
    format!(
        "{commits}\n\n{} commits\ncontradicted      {}\nof those examined {}\nno later evidence {}\n",
        later.commits, later.contradicted, later.contradicted_of_examined, later.without_evidence
    )
}

fn known(one: &Followed) -> String {
    let said = match one.standing {
        Standing::Contradicted => {
            let reason = |it: &Contradiction| it.reason.clone();
            let reasons: Vec<String> = one.contradictions.iter().map(reason).collect();
            format!("contradicted by later facts: {}", reasons.join("; "))
        }
        Standing::NothingAgainst => "asked again, and nothing against it".to_owned(),
        Standing::NoLaterEvidence => "no later evidence".to_owned(),
    };
    let remarks = one.remarks.iter().map(|remark| format!(" ({remark})"));
    remarks.fold(said, |text, remark| text + &remark)
}
