//! The verify commands: from the charter, one after the other, all of them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::contained::{Worker, forget_temporary_in, temporary_in};
use super::error::WorldError;
use super::host_world::{HostWorld, PATHS_MAX};
use super::stage::redact_into;
use crate::driver::{Ask, Reply};
use crate::engine::charter::{Checkout, Stage};
use crate::engine::event::{BaseRun, CommandResult, VerifyFinished, VerifyStarted};
use crate::engine::id::TreeId;
use crate::host::git::Snapshot;
use crate::host::process::{Capture, Cause, Command, Ended, Limits, Stdin};

/// How much of each stream of a command is kept, in bytes.
const OUTPUT_BYTES_MAX: u64 = 4 << 20;

/// What is asked of the commands.
struct Terms<'a> {
    ask: Ask<'a>,
    /// The commands.
    commands: &'a [String],
    /// How often each runs.
    rounds: u32,
    timeout: Duration,
    /// What all commands of the stage share.
    scratch: &'a Path,
}

/// Where one command runs.
struct Spot {
    /// Its own part of the scratch place.
    place: PathBuf,
    /// Its working directory.
    dir: PathBuf,
}

/// A command that has run. What it printed lies in its place.
struct Run<'a> {
    command: &'a str,
    ended: Ended,
    place: PathBuf,
}

impl Run<'_> {
    fn passed(&self) -> bool {
        self.ended.exit.code() == Some(0) && self.ended.cause != Cause::DeadlinePassed
    }
}

/// What the commands did on one tree, and what of it they altered for each other.
type Runs<'a> = (Vec<Run<'a>>, Vec<String>);

impl HostWorld {
    pub(super) async fn run_verify(
        &mut self,
        ask: Ask<'_>,
        call: &VerifyStarted,
        candidate: &TreeId,
        snapshot: &Snapshot,
    ) -> Result<Reply<VerifyFinished>, WorldError> {
        let policy = &ask.charter.policy;
        let scratch = self.scratch(ask.run)?;
        let terms = Terms {
            ask,
            commands: &call.commands,
            rounds: policy.verify.repeat.max(1),
            timeout: Duration::from_secs(policy.verify.timeout_s),
            scratch: scratch.path(),
        };
        self.capture_state()?;
        // The base comes first: nothing that the candidate does can be felt there.
        let on_base = if policy.fail_to_pass.is_off() {
            Reply::Got(None)
        } else {
            match self.run_without_the_change(&terms, &snapshot.base_tree).await? {
                Reply::Got(runs) => {
                    forget_temporary_in(scratch.path())?;
                    Reply::Got(Some(runs))
                }
                Reply::Interrupted => Reply::Interrupted,
            }
        };
        let is_clean = policy.verify.checkout == Checkout::Clean || snapshot.dirty;
        let done = match on_base {
            Reply::Got(base) => match self.run_all(&terms, is_clean.then_some(candidate)).await? {
                Reply::Got(runs) => Some((base, runs)),
                Reply::Interrupted => None,
            },
            Reply::Interrupted => None,
        };
        let state_changes = self.put_back_state()?;
        let mut rescued = self.put_back_git()?;
        let Some((base, (runs, altered))) = done else {
            self.keep_cut_short(scratch.path());
            return Ok(Reply::Interrupted);
        };
        rescued.extend(altered);
        // Evidence is kept only now: as long as commands run, nothing of ours changes.
        let commands = self.keep_runs(runs)?;
        let base = match base {
            None => None,
            Some(runs) => {
                let (tree, commands) = (snapshot.base_tree.clone(), self.keep_runs(runs)?);
                Some(BaseRun { tree, commands })
            }
        };
        Ok(Reply::Got(VerifyFinished {
            task: call.task.clone(),
            attempt: call.attempt,
            passed: !commands.is_empty() && commands.iter().all(CommandResult::passed),
            commands,
            state_changes,
            rescued,
            sandbox: Some(self.sandbox.level()),
            base,
        }))
    }

    /// All of them, in every round, even after a failure: in a fresh checkout each, or in the work
    /// tree.
    async fn run_all<'a>(
        &mut self,
        terms: &Terms<'a>,
        checkout: Option<&TreeId>,
    ) -> Result<Reply<Runs<'a>>, WorldError> {
        let (mut runs, mut altered) = (vec![], vec![]);
        for round in 0..terms.rounds {
            for (index, command) in terms.commands.iter().enumerate() {
                let name = format!("{round}-{index}");
                if checkout.is_none() && !runs.is_empty() {
                    altered.extend(self.mend()?);
                }
                let spot = self.spot(terms, &name, checkout)?;
                match self.run_command(terms, command, spot).await? {
                    Reply::Got(run) => runs.push(run),
                    Reply::Interrupted => return Ok(Reply::Interrupted),
                }
            }
        }
        Ok(Reply::Got((runs, altered)))
    }

    /// Each of them until it passes, and no further than the first that fails every time: nothing
    /// more is to be known.
    async fn run_without_the_change<'a>(
        &mut self,
        terms: &Terms<'a>,
        base: &TreeId,
    ) -> Result<Reply<Vec<Run<'a>>>, WorldError> {
        let mut runs = vec![];
        for (index, command) in terms.commands.iter().enumerate() {
            let mut passed = false;
            for round in 0..terms.rounds {
                let spot = self.spot(terms, &format!("base-{round}-{index}"), Some(base))?;
                match self.run_command(terms, command, spot).await? {
                    Reply::Got(run) => {
                        passed = run.passed();
                        runs.push(run);
                    }
                    Reply::Interrupted => return Ok(Reply::Interrupted),
                }
                if passed {
                    break;
                }
            }
            if !passed {
                break;
            }
        }
        Ok(Reply::Got(runs))
    }

    fn spot(
        &self,
        terms: &Terms<'_>,
        name: &str,
        checkout: Option<&TreeId>,
    ) -> Result<Spot, WorldError> {
        let place = terms.scratch.join(name);
        fs::create_dir(&place).map_err(WorldError::io("create", &place))?;
        let Some(tree) = checkout else {
            return Ok(Spot { place, dir: self.project().to_owned() });
        };
        let dir = place.join("checkout");
        fs::create_dir(&dir).map_err(WorldError::io("create", &dir))?;
        self.git.checkout_to(tree, &dir)?;
        Ok(Spot { place, dir })
    }

    /// One command must not decide what the next one sees of the candidate.
    fn mend(&mut self) -> Result<Vec<String>, WorldError> {
        let (Some(snapshot), Some(frozen)) = (self.snapshot.clone(), self.frozen.clone()) else {
            return Ok(vec![]);
        };
        let mended = self.git.mend(&snapshot, &frozen)?;
        let paths = mended.restored.iter().take(PATHS_MAX);
        Ok(paths.map(|path| format!("{path}: altered by a verify command, put back")).collect())
    }

    async fn run_command<'a>(
        &mut self,
        terms: &Terms<'a>,
        command: &'a str,
        Spot { place, dir }: Spot,
    ) -> Result<Reply<Run<'a>>, WorldError> {
        let capture = |name: &str| Capture {
            path: place.join(name),
            keep_bytes: OUTPUT_BYTES_MAX,
            kill_bytes: None,
        };
        temporary_in(terms.scratch)?;
        let cell = self.cell(&Worker {
            ask: terms.ask,
            stage: Stage::Verify,
            agent: None,
            work_dir: &dir,
            scratch: terms.scratch,
        });
        let ended = self
            .run_in(
                Command {
                    argv: vec![self.shell.into(), "-c".into(), command.into()],
                    cwd: dir.clone(),
                    environment: self.stage_environment(terms.ask, Stage::Verify),
                    stdin: Stdin::Null,
                    stdout: capture("stdout"),
                    stderr: capture("stderr"),
                    limits: Limits { deadline: terms.timeout, idle: None, grace: Limits::GRACE },
                    is_wrapper: false,
                },
                &cell,
            )
            .await;
        self.git.touched();
        let ended = ended??;
        tracing::info!(command, ?ended, "verify command ended");
        if ended.cause == Cause::Cancelled {
            return Ok(Reply::Interrupted);
        }
        Ok(Reply::Got(Run { command, ended, place }))
    }

    fn keep_runs(&mut self, runs: Vec<Run<'_>>) -> Result<Vec<CommandResult>, WorldError> {
        runs.into_iter().map(|run| self.keep_run(run)).collect()
    }

    fn keep_run(
        &mut self,
        Run { command, ended, place }: Run<'_>,
    ) -> Result<CommandResult, WorldError> {
        let whole = place.join("output");
        join(&place, &whole, ended.truncated()).map_err(WorldError::io("write", &whole))?;
        Ok(CommandResult {
            command: command.to_owned(),
            exit_code: ended.exit.code(),
            timed_out: ended.cause == Cause::DeadlinePassed,
            duration_ms: ended.duration_ms,
            output: self.objects.put_file(&whole)?,
        })
    }
}

/// Both streams in one file, without what looks secret.
fn join(place: &Path, whole: &Path, truncated: bool) -> io::Result<()> {
    let mut out = io::BufWriter::new(fs::File::create_new(whole)?);
    redact_into(&place.join("stdout"), &mut out)?;
    redact_into(&place.join("stderr"), &mut out)?;
    if truncated {
        writeln!(out, "\n[output cut after {OUTPUT_BYTES_MAX} bytes of each stream]")?;
    }
    out.flush()
}
