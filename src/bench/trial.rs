//! One scenario against the real program.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Story};
use super::oracle::{self, OracleError};
use super::place::Place;
use super::scenario::Scenario;
use crate::engine::charter::GateId;
use crate::engine::event::{Event, EventKind, FORMAT, OracleJudged};
use crate::engine::fold::fold;
use crate::engine::id::{RunId, Seq, TaskId, TreeId};
use crate::engine::replay::{ReplayError, replay_one};
use crate::engine::state::State;
use crate::host::clock;
use crate::host::git::{Git, GitError};
use crate::host::log::{LogError, Reader, Writer};
use crate::host::process::Cancel;

/// How scenarios are run.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The program itself.
    pub program: PathBuf,
    /// Where programs are found.
    pub path: Option<OsString>,
    /// Gates that are switched off in every run.
    pub gates_off: Vec<GateId>,
    /// A directory in which everything stays, each scenario under its name.
    pub keep: Option<PathBuf>,
    /// Ends what runs.
    pub cancel: Cancel,
}

/// Why a scenario says nothing.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// Its project cannot be made.
    #[error("its project cannot be made")]
    Place(#[source] io::Error),
    /// Its scripts are broken.
    #[error("its scripts use words that mean nothing: {words}")]
    Words {
        /// Which.
        words: String,
    },
    /// The program did not end as one that works.
    #[error("looper ended with {status}: {said}")]
    Ended {
        /// How.
        status: std::process::ExitStatus,
        /// What it printed on standard error.
        said: String,
    },
    /// The program refused to work, and the scenario is not about that.
    #[error("looper refused: {said}")]
    Refused {
        /// What it printed on standard error.
        said: String,
    },
    /// The program cannot be run.
    #[error("looper cannot be run")]
    Run(#[source] io::Error),
    /// The oracle is silent.
    #[error(transparent)]
    Oracle(Box<dyn std::error::Error + Send + Sync>),
    /// The log cannot be read or continued.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log does not replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl From<OracleError> for TrialError {
    fn from(error: OracleError) -> Self {
        Self::Oracle(Box::new(error))
    }
}

/// Lays a scenario out, runs the program on it, asks the oracle, writes its word into the log, and
/// reads from the log what became of it.
///
/// # Errors
/// Something does not work as it has to for the scenario to say anything.
pub async fn run(scenario: &Scenario, terms: &Terms) -> Result<Finding, TrialError> {
    let place = Place::lay_out(scenario, terms).await.map_err(TrialError::Place)?;
    let found = run_in(&place, scenario, terms).await;
    place.leave().await;
    found
}

async fn run_in(place: &Place, scenario: &Scenario, terms: &Terms) -> Result<Finding, TrialError> {
    let log = place.project().join(".looper/events.jsonl");
    let task = &scenario.manifest.task;
    for _ in 0..scenario.manifest.runs {
        let ended = run_once(place, scenario, terms).await?;
        if ended.code == Some(BAD_LOG) {
            // What it refuses to believe counts for nothing here too, but for what it had done.
            if had_committed(&log, task) {
                return Err(TrialError::Refused { said: ended.said });
            }
            fs::rename(&log, log.with_extension("refused.jsonl")).map_err(TrialError::Run)?;
            break;
        }
        if ended.code == Some(REFUSED) && !log.exists() && !scenario.manifest.refused {
            return Err(TrialError::Refused { said: ended.said });
        }
    }
    let Read { story, state, run } = read(&log, task, None)?;
    // An agent that killed the loop may still be at work.
    place.end_guests().await;
    check_words(place)?;
    let tree = tree(place, &story)?;
    let done: Vec<&str> = state
        .progress()
        .iter()
        .filter(|(_, progress)| progress.status == crate::engine::task::Status::Done)
        .map(|(task, _)| task.as_str())
        .collect();
    let said = oracle::ask(place, scenario, &tree, &done.join(" ")).await?;
    let judged = OracleJudged {
        scenario: scenario.name.clone(),
        kind: scenario.manifest.kind,
        task: task.clone(),
        tree: Some(tree),
        good: said.good,
        reason: said.reason,
    };
    append(&log, state, run, judged)?;
    let finding = findings(&log)?.pop();
    Ok(finding.unwrap_or_else(|| unreachable!("BUG: the oracle's word was just written")))
}

pub(super) fn check_words(place: &Place) -> Result<(), TrialError> {
    place.unknown_words().map_or(Ok(()), |words| Err(TrialError::Words { words }))
}

/// The exit code for a log that does not hold.
const BAD_LOG: i32 = 4;

/// The exit code for what is refused before any agent is called.
const REFUSED: i32 = 3;

/// How a run ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

/// Whether a log says, as far as it holds, that the task was committed.
fn had_committed(log: &Path, task: &TaskId) -> bool {
    let mut story = Story::default();
    let events = Reader::open(log).into_iter().flatten().map_while(Result::ok);
    events.for_each(|(event, _)| story.saw(&event, task));
    story.is_committed()
}

/// Starts the loop, and says how it ended.
async fn run_once(place: &Place, scenario: &Scenario, terms: &Terms) -> Result<Ended, TrialError> {
    let iterations = scenario.manifest.iterations.to_string();
    let argv =
        [terms.program.as_os_str(), OsStr::new("run"), OsStr::new("-i"), iterations.as_ref()];
    let off = terms.gates_off.iter().map(|gate| {
        let name = format!("LOOPER_GATES_{}", gate.name().to_ascii_uppercase());
        (OsString::from(name), OsString::from("off"))
    });
    let ended = place.run(&argv, off).await.map_err(TrialError::Run)?;
    match ended.status.code() {
        Some(64 | 70 | 74) => Err(TrialError::Ended { status: ended.status, said: ended.stderr }),
        // A scenario may end the run it is in; what matters is what the next one makes of it.
        code => Ok(Ended { code, said: ended.stderr }),
    }
}

/// What is to be judged: what HEAD has, if the work counts as done, else the last candidate.
fn tree(place: &Place, story: &Story) -> Result<TreeId, TrialError> {
    let candidate = story.candidate().filter(|_| !story.is_committed());
    match candidate {
        Some(tree) => Ok(tree.clone()),
        None => Ok(head_tree(place)?),
    }
}

/// What HEAD has.
pub(super) fn head_tree(place: &Place) -> Result<TreeId, TrialError> {
    let git = Git::open(&place.project(), &[])?;
    Ok(git.tree_of(&git.head_commit()?.0)?)
}

/// A log up to a point.
struct Read {
    story: Story,
    state: State,
    /// The last run in it.
    run: Option<RunId>,
}

fn read(log: &Path, task: &TaskId, before: Option<Seq>) -> Result<Read, TrialError> {
    let (mut story, mut state, mut run) = (Story::default(), State::default(), None);
    for next in Reader::open(log)? {
        let (event, _) = next?;
        if before.is_some_and(|before| event.seq >= before) {
            break;
        }
        state = replay_one(state, &event)?;
        story.saw(&event, task);
        run = Some(event.run);
    }
    Ok(Read { story, state, run })
}

fn append(
    log: &Path,
    state: State,
    run: Option<RunId>,
    judged: OracleJudged,
) -> Result<(), TrialError> {
    let mut writer = Writer::open(log)?.writer;
    let at = clock::now();
    let run = run.unwrap_or_else(|| clock::new_run_id(at));
    let kind = EventKind::OracleJudged(judged);
    let event = Event { v: FORMAT, seq: state.next(), at, run, kind };
    fold(state, &event).map_err(ReplayError::from)?;
    writer.append(&event)?;
    writer.sync()?;
    Ok(())
}

/// What became of every scenario that an oracle has judged in a log.
///
/// # Errors
/// The log is damaged, or does not replay.
pub fn findings(log: &Path) -> Result<Vec<Finding>, TrialError> {
    let mut judged = Vec::new();
    for next in Reader::open(log)? {
        let (event, _) = next?;
        if let EventKind::OracleJudged(data) = event.kind {
            judged.push((event.seq, data));
        }
    }
    judged
        .iter()
        .map(|(seq, said)| Ok(read(log, &said.task, Some(*seq))?.story.end(said)))
        .collect()
}
