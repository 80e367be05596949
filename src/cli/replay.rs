//! `looper replay`: folds a log and checks that every decision would be made again.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::args::{Format, ReplayArgs};
use super::audit::{self, Before, Gathered, Questions};
use super::exit::Exit;
use super::failure::Failure;
use super::reverify;
use super::site::{Site, anchor, fold_proved, local};
use super::{print, tell};
use crate::bench::accepted::Accounts;
use crate::bench::reverify::Reverified;
use crate::engine::at::At;
use crate::engine::event::{By, EndReason, Event, EventKind};
use crate::engine::id::{RunId, Seq};
use crate::engine::state::State;
use crate::host::audit::{ObjectsReport, Report};
use crate::host::git::Git;
use crate::host::log::{Reader, Torn};
use crate::host::paths::Layout;
use crate::ui::sanitize::clean_line;

/// Reads the whole log, and prints one line per run.
///
/// # Errors
/// There is no such log, it is damaged, or it does not replay.
pub(super) fn replay(site: &Site, args: &ReplayArgs) -> Result<Exit, Failure> {
    let asked =
        Questions { commits: args.check_git, objects: args.objects, reverify: args.reverify };
    let (path, layout) = find(site, args, asked)?;
    let mut reader = Reader::open(&path)?;
    let mut opened = layout.as_ref().map(|layout| Git::open(layout.project(), &[]));
    if asked.commits
        && let Some(Err(_)) = &opened
    {
        opened.take().transpose()?;
    }
    let git = opened.as_ref().and_then(|opened| opened.as_ref().ok());
    let remembered = git.map(anchor).transpose()?.flatten();
    if let Some((seq, proof)) = remembered {
        reader = reader.expecting("refs/looper/log", seq, proof);
    }
    let before = match git.filter(|_| asked.commits) {
        Some(git) => Some(Before::new(git, remembered.map(|(seq, _)| seq))?),
        None => None,
    };
    let mut tally = Tally::default();
    let mut gathered = Gathered::default();
    let mut accounts = Accounts::default();
    let folded = fold_proved(State::default(), &mut reader, |event, _, proof| {
        tally.count(event);
        gathered.note(event, proof);
        accounts.note(event);
    });
    let mut end = End { failure: folded.err(), torn: reader.torn(), ..End::default() };
    if let Some(torn) = end.torn.filter(|_| end.failure.is_none()) {
        tell(site, &format!("warning: {} ends in {torn}; it counts for nothing", path.display()));
    }
    if let Some(Err(error)) = &opened {
        tell(site, &format!("warning: refs/looper/log is not compared: {error}"));
    }
    if end.failure.is_none() {
        end.git = before.map(|before| before.compare(&gathered.ledger)).transpose()?;
        let objects = layout.as_ref().filter(|_| asked.objects);
        end.objects = objects.map(|layout| audit::objects(layout, &gathered.wanted)).transpose()?;
        let again = layout.filter(|_| asked.reverify);
        let again = again.map(|layout| reverify::all(site, &layout, &accounts.accepted));
        end.reverified = again.transpose()?;
    }
    match site.global.format {
        Format::Json => print(&format!("{}\n", as_json(&path, &tally, &end)))?,
        Format::Text | Format::Html => print(&as_text(&tally, &end))?,
    };
    let contradiction = end.git.as_ref().and_then(|report| audit::contradiction(&path, report));
    let damage = end.objects.as_ref().and_then(audit::damage);
    let disagreement = end.reverified.as_deref().and_then(reverify::disagreement);
    match end.failure.or(contradiction).or(damage).or(disagreement) {
        Some(failure) => Err(failure),
        None => Ok(Exit::Ok),
    }
}

/// How the pass over the log ended, and what came of the comparisons that were asked for.
#[derive(Default)]
struct End {
    failure: Option<Failure>,
    torn: Option<Torn>,
    git: Option<Report>,
    objects: Option<ObjectsReport>,
    reverified: Option<Vec<Reverified>>,
}

/// The log, and the project it belongs to. Only the project's own log is compared with what the
/// repository remembers.
fn find(
    site: &Site,
    args: &ReplayArgs,
    asked: Questions,
) -> Result<(PathBuf, Option<Layout>), Failure> {
    let Some(named) = &args.log else {
        let layout = site.layout()?;
        let path = layout.events();
        if !path.exists() {
            tell(site, &format!("there is no log yet: {} is missing", path.display()));
        }
        return Ok((path, Some(layout)));
    };
    let path = site.cwd.join(named);
    if !path.exists() {
        return Err(Failure::new(Exit::Usage, format!("{} does not exist", path.display()))
            .help("name a log, or leave the name out inside a project"));
    }
    let is_own = |layout: &Layout| {
        let (own, named) = (layout.events().canonicalize(), path.canonicalize());
        matches!((own, named), (Ok(own), Ok(named)) if own == named)
    };
    // Asked to compare, any log is compared with the project around: a copy, or a backup.
    if asked.commits || asked.objects || asked.reverify {
        return Ok((path, Some(site.layout()?)));
    }
    let layout = site.layout().ok().filter(is_own);
    Ok((path, layout))
}

/// What the log holds.
#[derive(Debug, Default)]
struct Tally {
    events: u64,
    /// Decisions of people between runs.
    outside: u64,
    runs: Vec<RunTally>,
}

/// One run in numbers.
#[derive(Debug, Serialize)]
struct RunTally {
    run: RunId,
    started_at: At,
    events: u64,
    attempts: u64,
    done: u64,
    failed: u64,
    blocked: u64,
    state: RunState,
    reason: Option<EndReason>,
    exit_code: Option<u8>,
}

/// Whether a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum RunState {
    Open,
    Paused,
    Ended,
}

impl Tally {
    fn count(&mut self, event: &Event) {
        self.events += 1;
        if let EventKind::RunStarted(_) = &event.kind {
            self.runs.push(RunTally::new(event));
        }
        match self.runs.last_mut().filter(|run| run.run == event.run) {
            Some(run) => run.count(&event.kind),
            None => self.outside += 1,
        }
    }
}

impl RunTally {
    fn new(event: &Event) -> Self {
        Self {
            run: event.run.clone(),
            started_at: event.at,
            events: 0,
            attempts: 0,
            done: 0,
            failed: 0,
            blocked: 0,
            state: RunState::Open,
            reason: None,
            exit_code: None,
        }
    }

    fn count(&mut self, kind: &EventKind) {
        self.events += 1;
        match kind {
            EventKind::TaskSelected(_) => self.attempts += 1,
            EventKind::TaskDone(data) if data.by == By::Run => self.done += 1,
            EventKind::TaskFailed(_) => self.failed += 1,
            EventKind::TaskBlocked(data) if data.by == By::Run => self.blocked += 1,
            EventKind::RunPaused(_) => self.state = RunState::Paused,
            EventKind::RunResumed(_) => self.state = RunState::Open,
            EventKind::RunEnded(data) => {
                self.state = RunState::Ended;
                self.reason = Some(data.reason);
                self.exit_code = Some(data.exit_code);
            }
            _ => {}
        }
    }

    fn line(&self) -> String {
        let Self { events, attempts, done, failed, blocked, .. } = self;
        let end = match (self.state, self.reason) {
            (RunState::Ended, Some(reason)) => {
                let words = serde_json::to_value(reason).unwrap_or_default();
                format!("ended: {}", words.as_str().unwrap_or_default().replace('_', " "))
            }
            (RunState::Paused, _) => "paused".to_owned(),
            (RunState::Open | RunState::Ended, _) => "not ended".to_owned(),
        };
        let (run, started) = (clean_line(self.run.as_str()), local(self.started_at, "%F %T"));
        format!(
            "{run}  {started}  {events:>5} events  {attempts:>3} attempts  {done:>3} done  \
             {failed:>3} failed  {blocked:>3} blocked  {end}\n"
        )
    }
}

fn as_text(tally: &Tally, end: &End) -> String {
    let mut text: String = tally.runs.iter().map(RunTally::line).collect();
    if end.failure.is_none() {
        let (events, runs) = (tally.events, tally.runs.len());
        text.push_str(&format!("{events} events, {runs} runs: replays\n"));
    }
    text.extend(end.git.as_ref().map(audit::report_text));
    text.extend(end.objects.as_ref().map(audit::objects_text));
    text.extend(end.reverified.as_deref().map(reverify::text));
    text
}

fn as_json(path: &Path, tally: &Tally, end: &End) -> serde_json::Value {
    let torn = end.torn.map(|torn| json!({ "offset": torn.offset, "bytes": torn.bytes }));
    let bad = end.git.as_ref().and_then(|report| report.bad.first()?.seq);
    let bad = end.failure.as_ref().map(|_| Seq(tally.events + 1)).or(bad);
    json!({
        "log": path.display().to_string(),
        "events": tally.events,
        "outside": tally.outside,
        "runs": tally.runs,
        "torn": torn,
        "replays": end.failure.is_none(),
        "error": end.failure.as_ref().map(Failure::summary),
        "first_bad_seq": bad,
        "git": end.git,
        "objects": end.objects,
        "reverify": end.reverified,
    })
}
