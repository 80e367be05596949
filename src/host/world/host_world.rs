//! One repository, its state directory, its agents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::backlog_file::BacklogFile;
use super::error::WorldError;
use super::guard::Guard;
use super::host_log::{SharedTip, SharedWriter};
use super::record::{Current, Past};
use super::tape::Deck;
use super::user_file::UserFile;
use crate::driver::Ask;
use crate::engine::charter::Stage;
use crate::engine::id::{CommitId, RepoPath, RunId, TreeId};
use crate::engine::state::{Kept, Transaction};
use crate::host::files;
use crate::host::git::{self, Frozen, Git, GitError, Refusal, Rescue, Snapshot};
use crate::host::lock::Lock;
use crate::host::objects::Objects;
use crate::host::paths::Layout;
use crate::host::process::{Cancel, RUN_VARIABLE};
use crate::host::prompts::Prompts;
use crate::host::reserve::{Reserve, Room};
use crate::host::sandbox::Sandbox;
use crate::host::tx::Tx;

/// How many paths an event names. A change of more cannot be judged, and is not read by anybody.
pub(super) const PATHS_MAX: usize = 5_000;

/// How many bytes the paths of one list have together. Each can take six in JSON, an event has
/// several lists, and all of it has to fit into a line of the log.
const PATH_BYTES_MAX: usize = 256 << 10;

/// How many things under `.git` an event names.
const RESCUED_MAX: usize = 500;

/// As many paths as an event names.
pub(super) fn bounded(paths: impl IntoIterator<Item = RepoPath>) -> Vec<RepoPath> {
    let mut room = PATH_BYTES_MAX;
    let fits = |path: &RepoPath| match room.checked_sub(path.as_bytes().len()) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    paths.into_iter().take(PATHS_MAX).take_while(fits).collect()
}

/// What the world is made of.
pub struct Parts {
    /// Where everything lies.
    pub layout: Layout,
    /// The repository.
    pub git: Git,
    /// The lock of the state directory.
    pub lock: Lock,
    /// The crash-recovery transaction.
    pub tx: Tx<Transaction>,
    /// Where the log ends.
    pub tip: SharedTip,
    /// The log's writer.
    pub log: SharedWriter,
    /// The backlog.
    pub backlog: BacklogFile,
    /// The prompts.
    pub prompts: Prompts,
    /// The user's own settings.
    pub user_file: Option<PathBuf>,
    /// What agents and verify commands inherit.
    pub environment: BTreeMap<OsString, OsString>,
    /// The shell of verify commands.
    pub shell: &'static str,
    /// Ends what is running.
    pub cancel: Cancel,
    /// Whether an earlier process died in an attempt: whoever moved HEAD since may be a person.
    pub is_recovering: bool,
}

/// One repository, its state directory, its agents.
pub struct HostWorld {
    pub(super) layout: Layout,
    pub(super) git: Git,
    pub(super) objects: Objects,
    pub(super) backlog: BacklogFile,
    pub(super) prompts: Prompts,
    pub(super) shell: &'static str,
    pub(super) cancel: Cancel,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) frozen: Option<Frozen>,
    pub(super) loop_number: u32,
    /// The implementer's words, until nobody can read them early any more.
    pub(super) summary: Option<String>,
    pub(super) current: Option<Current>,
    pub(super) past: VecDeque<Past>,
    pub(super) lock: Lock,
    pub(super) log: SharedWriter,
    pub(super) tx: Tx<Transaction>,
    pub(super) tip: SharedTip,
    pub(super) environment: BTreeMap<OsString, OsString>,
    pub(super) sandbox: Sandbox,
    pub(super) deck: Deck,
    pub(super) guard: Guard,
    pub(super) user_file: UserFile,
    /// Whether the repository remembers that this log was continued.
    pub(super) is_anchored: bool,
    is_recovering: bool,
    pub(super) holds_requests: bool,
    pub(super) reserve: Reserve,
    pub(super) room: Room,
    /// What the stage in hand was found to have changed in the state directory.
    pub(super) state_changes: Option<Vec<String>>,
}

impl HostWorld {
    /// Puts it together.
    pub fn new(parts: Parts) -> Self {
        Self {
            objects: Objects::new(parts.layout.objects()),
            guard: Guard::new(parts.layout.state()),
            user_file: UserFile::new(parts.user_file),
            reserve: Reserve::new(parts.layout.reserve()),
            room: Room::default(),
            state_changes: None,
            layout: parts.layout,
            git: parts.git,
            backlog: parts.backlog,
            prompts: parts.prompts,
            shell: parts.shell,
            cancel: parts.cancel,
            snapshot: None,
            frozen: None,
            loop_number: 0,
            summary: None,
            current: None,
            past: VecDeque::new(),
            lock: parts.lock,
            log: parts.log,
            is_anchored: false,
            tx: parts.tx,
            tip: parts.tip,
            environment: parts.environment,
            sandbox: Sandbox::none(),
            deck: Deck::default(),
            is_recovering: parts.is_recovering,
            holds_requests: false,
        }
    }

    /// Keeps in the repository how far the log has come, so that a log that is deleted later is
    /// missed.
    ///
    /// # Errors
    /// The repository cannot be written.
    pub fn anchor(&mut self) -> Result<(), WorldError> {
        let tip = self.tip.get();
        Ok(self.git.anchor(format!("{} {}\n", tip.seq, tip.proof).as_bytes())?)
    }

    /// The repository, between two runs of the loop.
    pub fn git(&mut self) -> &mut Git {
        &mut self.git
    }

    /// The backlog, between two runs of the loop.
    pub fn backlog(&mut self) -> &mut BacklogFile {
        &mut self.backlog
    }

    /// Reads the backlog again: between two runs people may have changed it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn reload_backlog(&mut self) -> Result<(), WorldError> {
        self.backlog = BacklogFile::open(self.backlog.path())?;
        Ok(())
    }

    /// Takes other prompts from here on.
    pub fn set_prompts(&mut self, prompts: Prompts) {
        self.prompts = prompts;
    }

    /// Evidence.
    pub fn objects(&mut self) -> &mut Objects {
        &mut self.objects
    }

    /// Makes durable what an earlier process may have written and not flushed: in the repository,
    /// in the work tree, in the state directory. What is built on it must not fall back later.
    ///
    /// # Errors
    /// The system refuses.
    pub fn flush_what_is_there(&self) -> Result<(), WorldError> {
        let mut flushed = BTreeSet::new();
        for dir in [self.layout.project(), self.layout.state(), self.git.common_dir()] {
            let found = fs::metadata(dir).map_err(WorldError::io("look at", dir))?;
            if flushed.insert(found.dev()) {
                files::flush_file_system(dir)?;
            }
        }
        Ok(())
    }

    /// From here on nobody but agents has moved HEAD.
    pub fn recovered(&mut self) {
        self.is_recovering = false;
    }

    /// While it holds, requests wait: what is being settled is not cut short.
    pub fn hold_requests(&mut self, hold: bool) {
        self.holds_requests = hold;
    }

    pub(super) fn project(&self) -> &Path {
        self.layout.project()
    }

    /// A private place for one stage, gone when it is dropped.
    pub(super) fn scratch(&self, run: &RunId) -> Result<tempfile::TempDir, WorldError> {
        let made = tempfile::Builder::new().prefix(&scratch_prefix(run)).tempdir();
        made.map_err(WorldError::io("create a directory in", std::env::temp_dir()))
    }

    pub(super) fn stage_environment(
        &self,
        ask: Ask<'_>,
        stage: Stage,
    ) -> BTreeMap<OsString, OsString> {
        let mut environment = self.environment.clone();
        for (name, value) in [
            (RUN_VARIABLE, ask.run.as_str()),
            ("LOOPER_STAGE", stage.name()),
            ("LOOPER_TASK", ask.attempt.task.id.as_str()),
            ("LOOPER_ATTEMPT", &ask.attempt.number.to_string()),
        ] {
            environment.insert(name.into(), value.into());
        }
        environment
    }

    pub(super) fn put_back_git(&mut self) -> Result<Vec<String>, WorldError> {
        let Some(snapshot) = self.snapshot.clone() else { return Ok(vec![]) };
        Ok(names(&self.git.guard(&snapshot)?))
    }

    /// The snapshot of the attempt in hand, taken by this process or an earlier one.
    pub(super) fn snapshot(&mut self, id: &CommitId) -> Result<Snapshot, WorldError> {
        match &self.snapshot {
            Some(snapshot) if snapshot.id == *id => Ok(snapshot.clone()),
            _ => {
                let snapshot = self.git.load_snapshot(id)?;
                self.snapshot = Some(snapshot.clone());
                Ok(snapshot)
            }
        }
    }

    /// After the last stage that can write, the work tree is the candidate again.
    pub(super) fn tidy_up(&mut self, ask: Ask<'_>) -> Result<(), WorldError> {
        if let (Some(snapshot), Some(frozen)) = (self.snapshot.clone(), self.frozen.clone()) {
            self.git.clean_to(&snapshot, &frozen)?;
            if !ask.charter.policy.commit_on_pass {
                self.git.keep(&snapshot, &frozen)?;
            }
        }
        Ok(())
    }

    /// The tree that changes are counted from, where an earlier pass was left uncommitted and HEAD
    /// is where it was then. Whoever threw all of it away since does not want it committed.
    pub fn carried<'kept>(
        &mut self,
        kept: Option<&'kept Kept>,
    ) -> Result<Option<&'kept TreeId>, WorldError> {
        let (head, _) = self.git.head_commit()?;
        let Some(kept) = kept.filter(|kept| kept.base == head) else { return Ok(None) };
        let is_discarded = self.git.dirty()?.is_empty();
        Ok((!is_discarded).then_some(&kept.tree))
    }

    /// After a crash, only what an agent can have done to HEAD is undone.
    pub(super) fn check_head(&self, ask: Ask<'_>, snapshot: &Snapshot) -> Result<(), WorldError> {
        if !self.is_recovering {
            return Ok(());
        }
        match self.locate(snapshot.branch.as_deref(), &ask.attempt.base, None)? {
            git::At::Base | git::At::AgentCommits(_) | git::At::Prepared | git::At::Beyond => {
                Ok(())
            }
            git::At::Foreign(found) => Err(WorldError::ForeignHead { found: found.to_string() }),
        }
    }

    /// Where HEAD is. A branch without a commit is nowhere that we put it.
    pub(super) fn locate(
        &self,
        branch: Option<&str>,
        base: &CommitId,
        prepared: Option<&CommitId>,
    ) -> Result<git::At, WorldError> {
        match self.git.locate(branch, base, prepared) {
            Err(GitError::Refused(Refusal::Unborn { branch })) => {
                Err(WorldError::ForeignHead { found: format!("{branch}, which has no commit") })
            }
            located => Ok(located?),
        }
    }
}

pub(super) fn scratch_prefix(run: &RunId) -> String {
    format!("looper-{run}-")
}

pub(super) fn names(rescued: &[Rescue]) -> Vec<String> {
    let mut names: Vec<String> = rescued.iter().take(RESCUED_MAX).map(Rescue::to_string).collect();
    if let Some(more) = rescued.len().checked_sub(RESCUED_MAX).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    names
}
