//! The commands, one after the other, up to the first that fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::edit::Edit;
use super::place::{self, PlaceError, Scratch};
use crate::engine::charter::{Checkout, Network, Stage};
use crate::engine::id::{TaskId, TreeId};
use crate::engine::policy::denied;
use crate::engine::reason;
use crate::engine::secret::redact;
use crate::host::git::{Absent, Git, GitError};
use crate::host::process::{
    self, Cancel, Capture, Cause, Command, Ended, Exit, Limits, ProcessError, Stdin,
};
use crate::host::sandbox::{Access, Cell, Sandbox, SandboxError};

/// How much of each stream of a command is kept until it is over, in bytes.
const OUTPUT_BYTES_MAX: u64 = 4 << 20;

/// How many of the last lines of each stream are kept for people.
const TAIL_LINES_MAX: usize = 10;

/// What is to be run on what.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The tree.
    pub tree: &'a TreeId,
    /// One line of it that is to be different.
    pub edit: Option<&'a Edit>,
    /// The commands.
    pub commands: &'a [String],
    /// How long each may take.
    pub timeout: Duration,
    /// How often each runs.
    pub repeat: u32,
    /// Whether each command has a checkout of its own, or all of them share one.
    pub checkout: Checkout,
    /// The task whose commands these are, and which attempt at it.
    pub about: (&'a TaskId, u32),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every command passed, every time.
    Passed,
    /// One did not.
    Failed(Failed),
    /// The tree cannot be checked out as it was: why.
    Unknown(String),
    /// Somebody wanted it to end.
    Interrupted,
}

/// A command that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The command.
    pub command: String,
    /// How it ended.
    pub exit: Exit,
    /// Whether its time was over.
    pub timed_out: bool,
    /// The last lines of what it printed, without what looks secret or acts on a terminal.
    pub tail: Vec<String>,
}

/// Why the commands could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RecheckError {
    /// There is no checkout.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A command cannot be run to its end.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The sandbox does not work any more.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// A project whose verify commands can be run again.
pub struct Recheck {
    /// Its work tree.
    pub project: PathBuf,
    /// Its repository.
    pub git: Git,
    /// What the commands inherit.
    pub environment: BTreeMap<OsString, OsString>,
    /// Their shell; nothing where there is none.
    pub shell: Option<&'static str>,
    /// What holds them.
    pub sandbox: Sandbox,
    /// What they never write.
    pub protected: Vec<PathBuf>,
    /// What they may write besides their checkout.
    pub writable: Vec<PathBuf>,
    /// Whether they reach the network.
    pub network: Network,
    /// Ends what is running.
    pub cancel: Cancel,
}

impl Recheck {
    /// Runs the commands on the tree, up to the first that fails. Nothing is left of it afterwards.
    ///
    /// # Errors
    /// The machine fails, or the sandbox.
    pub async fn run(&self, order: &Order<'_>) -> Result<Outcome, RecheckError> {
        let Some(shell) = self.shell else {
            return Ok(Outcome::Unknown("neither bash nor sh is on the PATH".to_owned()));
        };
        if let Some(absent) = self.git.absent_from_checkout(order.tree)? {
            return Ok(Outcome::Unknown(lacks(&absent)));
        }
        if let Some(denial) = order.commands.iter().find_map(|command| denied(command)) {
            return Ok(Outcome::Unknown(format!(
                "no run would start its commands: {}",
                denial.why
            )));
        }
        let scratch = Scratch::new(&self.project)?;
        let dir = scratch.dir("checkout")?;
        let mut count = 0;
        for _ in 0..order.repeat.max(1) {
            for command in order.commands {
                if self.cancel.is_cancelled() {
                    return Ok(Outcome::Interrupted);
                }
                self.prepare(order, &scratch, &dir, count)?;
                let place = scratch.dir(&format!("run-{count}"))?;
                count += 1;
                let ended = self.one(order, [shell, command], &dir, &scratch, &place).await?;
                if ended.cause == Cause::Cancelled {
                    return Ok(Outcome::Interrupted);
                }
                let timed_out = ended.cause == Cause::DeadlinePassed;
                if timed_out || !ended.exit.is_success() {
                    let tail = tail(&place)?;
                    let (command, exit) = (command.clone(), ended.exit);
                    return Ok(Outcome::Failed(Failed { command, exit, timed_out, tail }));
                }
                remove(&place)?;
            }
        }
        Ok(Outcome::Passed)
    }

    /// Before the first command there is a fresh checkout. Before each other one either another
    /// one, or what was altered is brought back: as it was when the commands were recorded.
    fn prepare(
        &self,
        order: &Order<'_>,
        scratch: &Scratch,
        dir: &Path,
        count: usize,
    ) -> Result<(), PlaceError> {
        if count == 0 {
            return place::check_out(&self.git, order.tree, order.edit, dir);
        }
        let fresh = scratch.dir(&format!("fresh-{count}"))?;
        place::check_out(&self.git, order.tree, order.edit, &fresh)?;
        match order.checkout {
            Checkout::Clean => {
                remove(dir)?;
                fs::rename(&fresh, dir).map_err(PlaceError::io("rename", &fresh))
            }
            Checkout::Worktree => {
                place::mend(&fresh, dir)?;
                remove(&fresh)
            }
        }
    }

    async fn one(
        &self,
        order: &Order<'_>,
        [shell, command]: [&str; 2],
        dir: &Path,
        scratch: &Scratch,
        place: &Path,
    ) -> Result<Ended, RecheckError> {
        let capture = |name: &str| Capture {
            path: place.join(name),
            keep_bytes: OUTPUT_BYTES_MAX,
            kill_bytes: None,
        };
        let environment = self.environment_of(order, scratch);
        let cell = self.cell(dir, scratch);
        let command = Command {
            argv: vec![shell.into(), "-c".into(), command.into()],
            cwd: dir.to_owned(),
            environment: environment.clone(),
            stdin: Stdin::Null,
            stdout: capture("stdout"),
            stderr: capture("stderr"),
            limits: Limits { deadline: order.timeout, idle: None, grace: Limits::GRACE },
            is_wrapper: false,
        };
        let command = self.sandbox.contain(command, &cell)?;
        let ended = process::run(command, self.cancel.clone()).await?;
        if !ended.exit.is_success() && !self.cancel.is_cancelled() {
            // A sandbox that fails is no failure of the command.
            self.sandbox.check(&cell, &environment).await?;
        }
        Ok(ended)
    }

    fn environment_of(&self, order: &Order<'_>, scratch: &Scratch) -> BTreeMap<OsString, OsString> {
        let mut environment = self.environment.clone();
        let (task, attempt) = order.about;
        for (name, value) in [
            ("LOOPER_STAGE", Stage::Verify.name().into()),
            ("LOOPER_TASK", task.as_str().into()),
            ("LOOPER_ATTEMPT", attempt.to_string().into()),
            // A checkout is no repository, and none around it is meant.
            ("GIT_CEILING_DIRECTORIES", scratch.path().as_os_str().to_owned()),
            // What a command leaves among temporary files goes with the checkout.
            ("TMPDIR", scratch.temporary().into_os_string()),
        ] {
            environment.insert(name.into(), value);
        }
        environment
    }

    fn cell(&self, dir: &Path, scratch: &Scratch) -> Cell {
        Cell {
            work_dir: dir.to_owned(),
            access: Access::Write,
            protected: self.protected.clone(),
            writable: self.writable.clone(),
            readable: vec![scratch.path().to_owned()],
            temporary: scratch.temporary(),
            network: self.network,
            nests: false,
        }
    }
}

fn remove(dir: &Path) -> Result<(), PlaceError> {
    place::clear(dir)
}

fn lacks(absent: &Absent) -> String {
    match absent {
        Absent::Tree => "the tree is no longer in the repository".to_owned(),
        Absent::Object(id) => format!("object {id} of the tree is no longer in the repository"),
        Absent::Submodule(path) => format!("{path} is a submodule, which a checkout leaves empty"),
        Absent::Large(path) => {
            format!("{path} is kept by Git LFS, and the tree has a pointer only")
        }
    }
}

/// The last lines of both streams.
fn tail(place: &Path) -> Result<Vec<String>, PlaceError> {
    let mut tail = vec![];
    for name in ["stdout", "stderr"] {
        let path = place.join(name);
        // All of it is looked through for secrets: one may begin before the last lines.
        let bytes = fs::read(&path).map_err(PlaceError::io("read", &path))?;
        let text = String::from_utf8_lossy(&redact(&bytes)).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let first = lines.len().saturating_sub(TAIL_LINES_MAX);
        tail.extend(lines[first..].iter().map(|line| reason::line(line)));
    }
    Ok(tail)
}
