//! The verify commands: from the charter, one after the other, all of them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::contained::{Worker, temporary_in};
use super::error::WorldError;
use super::host_world::{HostWorld, PATHS_MAX};
use super::stage::redact_into;
use crate::driver::{Ask, Reply};
use crate::engine::charter::{Checkout, Stage};
use crate::engine::event::{CommandResult, VerifyFinished, VerifyStarted};
use crate::engine::id::TreeId;
use crate::host::process::{Capture, Cause, Command, Ended, Limits, Stdin};

/// How much of each stream of a command is kept, in bytes.
const OUTPUT_BYTES_MAX: u64 = 4 << 20;

/// What is asked of the commands.
struct Terms<'a> {
    ask: Ask<'a>,
    /// Where they run.
    dir: PathBuf,
    /// What all commands of the stage share.
    scratch: &'a Path,
    timeout: Duration,
}

impl HostWorld {
    pub(super) async fn run_verify(
        &mut self,
        ask: Ask<'_>,
        call: &VerifyStarted,
        candidate: &TreeId,
        must_be_clean: bool,
    ) -> Result<Reply<VerifyFinished>, WorldError> {
        let policy = ask.charter.policy.verify;
        let scratch = self.scratch(ask.run)?;
        let is_clean = policy.checkout == Checkout::Clean || must_be_clean;
        let timeout = Duration::from_secs(policy.timeout_s);
        self.capture_state()?;
        let (mut runs, mut altered) = (vec![], vec![]);
        for round in 0..policy.repeat.max(1) {
            for (index, command) in call.commands.iter().enumerate() {
                let place = scratch.path().join(format!("{round}-{index}"));
                fs::create_dir(&place).map_err(WorldError::io("create", &place))?;
                let dir = if is_clean {
                    let dir = place.join("checkout");
                    fs::create_dir(&dir).map_err(WorldError::io("create", &dir))?;
                    self.git.checkout_to(candidate, &dir)?;
                    dir
                } else {
                    if !runs.is_empty() {
                        altered.extend(self.mend()?);
                    }
                    self.project().to_owned()
                };
                let scratch = scratch.path();
                let terms = Terms { ask, dir, scratch, timeout };
                match self.run_command(&terms, command, &place).await? {
                    Reply::Got(run) => runs.push((command, run, place)),
                    Reply::Interrupted => {
                        self.put_back_state()?;
                        self.put_back_git()?;
                        self.keep_cut_short(scratch);
                        return Ok(Reply::Interrupted);
                    }
                }
            }
        }
        let state_changes = self.put_back_state()?;
        let mut rescued = self.put_back_git()?;
        rescued.extend(altered);
        // Evidence is kept only now: as long as commands run, nothing of ours changes.
        let mut commands = vec![];
        for (command, ended, place) in runs {
            commands.push(self.keep_run(command, ended, &place)?);
        }
        let passed = |run: &CommandResult| run.exit_code == Some(0) && !run.timed_out;
        Ok(Reply::Got(VerifyFinished {
            task: call.task.clone(),
            attempt: call.attempt,
            passed: !commands.is_empty() && commands.iter().all(passed),
            commands,
            state_changes,
            rescued,
            sandbox: Some(self.sandbox.level()),
        }))
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

    async fn run_command(
        &mut self,
        terms: &Terms<'_>,
        command: &str,
        place: &Path,
    ) -> Result<Reply<Ended>, WorldError> {
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
            work_dir: &terms.dir,
            scratch: terms.scratch,
        });
        let ended = self
            .run_in(
                Command {
                    argv: vec![self.shell.into(), "-c".into(), command.into()],
                    cwd: terms.dir.clone(),
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
        Ok(if ended.cause == Cause::Cancelled { Reply::Interrupted } else { Reply::Got(ended) })
    }

    fn keep_run(
        &mut self,
        command: &str,
        ended: Ended,
        place: &Path,
    ) -> Result<CommandResult, WorldError> {
        let whole = place.join("output");
        join(place, &whole, ended.truncated()).map_err(WorldError::io("write", &whole))?;
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
