//! How many small faults in accepted work its verify commands would have noticed.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::accepted::Accepted;
use super::mutants::{Kind, Mutant, choose, is_beside_the_work, mutants};
use super::rate::Rate;
use super::reverify::{order, sentence, was_not_verified};
use crate::engine::id::{CommitId, RepoPath, Seq, TaskId, TreeId};
use crate::host::git::GitError;
use crate::host::recheck::{Order, Outcome, PlaceError, Recheck, RecheckError};

/// A larger file is not looked into.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Commands that catch none of at least so many faults catch nothing.
const VACUOUS_MIN: u64 = 3;

/// The output of `looper bench --mutate LOG --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Mutation {
    /// What the choice of faults depends on.
    pub seed: u64,
    /// Each task that was committed, in the order of the log.
    pub tasks: Vec<Tried>,
    /// Faults that were noticed, of all that were tried.
    pub caught: Rate,
    /// Tasks whose commands catch nothing.
    pub vacuous: Vec<TaskId>,
}

impl Mutation {
    /// Adds up.
    pub fn new(seed: u64, tasks: Vec<Tried>) -> Self {
        let sum = |count: fn(&Tried) -> u64| tasks.iter().map(count).sum();
        let caught = Rate::new(sum(|task| task.caught), sum(Tried::told));
        let vacuous = tasks.iter().filter(|task| task.vacuous).map(|task| task.task.clone());
        let vacuous = vacuous.collect::<BTreeSet<_>>().into_iter().collect();
        Self { seed, tasks, caught, vacuous }
    }
}

/// A committed task, and what became of faults in its change.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Tried {
    /// The judgement that let it through.
    pub seq: Seq,
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit.
    pub commit: Option<CommitId>,
    /// The commands.
    pub commands: Vec<String>,
    /// How many faults there are to choose from.
    pub possible: u64,
    /// Faults that a command noticed.
    pub caught: u64,
    /// Those of them that made a command run out of time.
    pub timed_out: u64,
    /// Faults that no command noticed.
    pub survived: Vec<Survivor>,
    /// Faults that could not be tried: the file in the checkout is not what the tree says.
    pub broken: u64,
    /// Whether the commands catch nothing.
    pub vacuous: bool,
    /// Why no fault was tried.
    pub reason: Option<String>,
}

impl Tried {
    /// Faults that say something.
    pub fn told(&self) -> u64 {
        self.caught + self.survived.len() as u64
    }
}

/// A fault that no command noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Survivor {
    /// The file.
    pub path: RepoPath,
    /// The line, from one.
    pub line: usize,
    /// What was done to it.
    pub kind: Kind,
    /// What it says.
    pub before: String,
    /// What it said then; nothing where it was dropped.
    pub after: Option<String>,
}

/// Why faults cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum MutationError {
    /// The commands cannot be run.
    #[error(transparent)]
    Recheck(#[from] RecheckError),
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Tries at most `max` faults in one accepted change. `None`: somebody wanted it to end.
///
/// # Errors
/// The machine fails, the sandbox, or the repository.
pub async fn try_task(
    recheck: &Recheck,
    accepted: &Accepted,
    max: usize,
    seed: u64,
) -> Result<Option<Tried>, MutationError> {
    let mut tried = Tried {
        seq: accepted.seq,
        task: accepted.task.clone(),
        attempt: accepted.attempt,
        commit: accepted.commit.clone(),
        commands: accepted.commands.clone(),
        possible: 0,
        caught: 0,
        timed_out: 0,
        survived: vec![],
        broken: 0,
        vacuous: false,
        reason: None,
    };
    if let Some(why) = was_not_verified(accepted) {
        tried.reason = Some(why.to_owned());
        return Ok(Some(tried));
    }
    let all = match candidates(recheck, accepted)? {
        Ok(all) => all,
        Err(why) => {
            tried.reason = Some(why.to_owned());
            return Ok(Some(tried));
        }
    };
    tried.possible = all.len() as u64;
    // What fails without a fault notices nothing by failing with one.
    let begun = std::time::Instant::now();
    let once = Order { repeat: 1, ..order(accepted) };
    match recheck.run(&once).await? {
        Outcome::Passed => {}
        Outcome::Interrupted => return Ok(None),
        Outcome::Unknown(why) => tried.reason = Some(why),
        Outcome::Failed(failed) => {
            let how = sentence(&failed);
            tried.reason = Some(format!("without any fault, in a clean checkout: {how}"));
        }
    }
    if tried.reason.is_some() {
        return Ok(Some(tried));
    }
    let timeout = once.timeout.min(begun.elapsed() * 10 + Duration::from_secs(30));
    // Each task has its own choice, whatever the others have to choose from.
    for mutant in choose(all, max, seed ^ accepted.seq.0.rotate_left(32)) {
        let order = Order { edit: Some(&mutant.edit), timeout, ..once };
        match recheck.run(&order).await {
            Ok(Outcome::Passed) => tried.survived.push(survivor(mutant)),
            Ok(Outcome::Failed(failed)) => {
                tried.caught += 1;
                tried.timed_out += u64::from(failed.timed_out);
            }
            Ok(Outcome::Interrupted) => return Ok(None),
            Ok(Outcome::Unknown(_)) | Err(RecheckError::Place(PlaceError::Stale { .. })) => {
                tried.broken += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    tried.vacuous = tried.caught == 0 && tried.told() >= VACUOUS_MIN;
    Ok(Some(tried))
}

fn survivor(mutant: Mutant) -> Survivor {
    let Mutant { kind, edit } = mutant;
    let (path, line, before, after) = (edit.path, edit.line, edit.before, edit.after);
    Survivor { path, line, kind, before, after }
}

/// Every fault of the lines that a change brought, or why there is none. Tests and prose count only
/// where a change has nothing else.
fn candidates(
    recheck: &Recheck,
    accepted: &Accepted,
) -> Result<Result<Vec<Mutant>, &'static str>, GitError> {
    let git = &recheck.git;
    let Some(base) = git.look_up(&accepted.base)? else {
        return Ok(Err("the commit that it began from is no longer in the repository"));
    };
    let is_there = |tree: &TreeId| git.has_tree(tree);
    if !is_there(&base.tree)? || !is_there(&accepted.tree)? {
        return Ok(Err("its trees are no longer in the repository"));
    }
    let mut gained = git.gained_lines(&base.tree, &accepted.tree)?;
    if gained.keys().any(|path| !is_beside_the_work(path)) {
        gained.retain(|path, _| !is_beside_the_work(path));
    }
    let mut found = vec![];
    for (path, lines) in &gained {
        let bytes = git.read_blob(&accepted.tree, path, FILE_BYTES_MAX + 1)?.unwrap_or_default();
        if bytes.len() > FILE_BYTES_MAX || bytes.contains(&0) {
            continue;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            found.extend(mutants(path, &text, lines));
        }
    }
    Ok(if found.is_empty() { Err("no line of the change can be made worse") } else { Ok(found) })
}
