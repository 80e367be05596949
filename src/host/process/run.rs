//! From the start of a program to the end of everything it started.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::process::{self, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::cancel::Cancel;
use super::capture::{Activity, Stream};
use super::command::{Cause, Command, Ended, Exit, Limits, ProcessError, Stdin};
use super::patience::{Look, Patience, after};
use super::procfs::Id;
use super::program::find_program;
use super::registry::{Leader, PROCESS_VARIABLE, reap_orphans};
use super::sweep::{Swept, ask_to_end, sweep};

/// How long the end of a killed process may take.
const KILL_MAX: Duration = Duration::from_secs(10);

/// How long the rest of the output may take when everything that writes is gone.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Starts a program and waits until it and everything it started are gone, by themselves or by
/// force. When the returned future is dropped the program is killed at once, without a full sweep.
///
/// # Errors
/// The program cannot be started, what it prints cannot be kept, or it cannot be ended.
pub async fn run(command: Command, mut cancel: Cancel) -> Result<Ended, ProcessError> {
    let mut running = Running::start(command)?;
    let cause = running.watch(&mut cancel).await?;
    let patience = match cause {
        Some(Cause::Exited) => Instant::now() + running.limits.grace,
        _ => running.stop().await?,
    };
    let swept = running.sweep(patience).await;
    running.drain().await;
    match running.activity.failure() {
        Some(failure) => Err(failure),
        None => Ok(running.ended(cause.unwrap_or(Cause::Exited), swept)),
    }
}

struct Running {
    leader: Leader,
    child: Child,
    exit: Option<Exit>,
    limits: Limits,
    is_wrapper: bool,
    started: Instant,
    activity: Arc<Activity>,
    streams: JoinSet<()>,
    /// Descendants that were asked to end, which may have cut every other tie to us.
    remembered: BTreeSet<Id>,
    stdout: Count,
    stderr: Count,
}

struct Count {
    total_bytes: Arc<AtomicU64>,
    keep_bytes: u64,
}

impl Count {
    fn total(&self) -> u64 {
        self.total_bytes.load(Ordering::Relaxed)
    }

    fn is_truncated(&self) -> bool {
        self.total() > self.keep_bytes
    }
}

impl Running {
    fn start(command: Command) -> Result<Self, ProcessError> {
        let Command { argv, cwd, environment, stdin, stdout, stderr, limits, is_wrapper } = command;
        let name = argv.first().cloned().unwrap_or_default();
        let Some(program) = find_program(&name, &environment, &cwd) else {
            return Err(ProcessError::NotFound { program: name });
        };
        let (out, err) = (Stream::create(&stdout)?, Stream::create(&stderr)?);
        let stdout = Count { total_bytes: out.total_bytes(), keep_bytes: stdout.keep_bytes };
        let stderr = Count { total_bytes: err.total_bytes(), keep_bytes: stderr.keep_bytes };

        // An absolute path keeps the standard library on `posix_spawn`, whatever PATH says.
        let mut spawning = process::Command::new(&program);
        spawning.arg0(&name).args(argv.iter().skip(1)).current_dir(&cwd);
        spawning.env_clear().envs(&environment).process_group(0);
        spawning.stdout(process::Stdio::piped()).stderr(process::Stdio::piped());
        spawning.stdin(match stdin {
            Stdin::Null => process::Stdio::null(),
            Stdin::Bytes(_) => process::Stdio::piped(),
        });
        let spawned = Leader::start(|mark| {
            let child = tokio::process::Command::from({
                spawning.env(PROCESS_VARIABLE, mark);
                spawning
            })
            .spawn()?;
            let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
            Ok((pid.expect("a child that was not waited for has a number"), child))
        });
        let (leader, mut child) = match spawned {
            Ok(spawned) => spawned,
            Err(source) => return Err(ProcessError::Start { program, cwd, source }),
        };

        let started = Instant::now();
        let activity = Arc::new(Activity::new(started));
        let mut streams = JoinSet::new();
        if let Some(pipe) = child.stdout.take() {
            streams.spawn(out.pump(pipe, Arc::clone(&activity)));
        }
        if let Some(pipe) = child.stderr.take() {
            streams.spawn(err.pump(pipe, Arc::clone(&activity)));
        }
        if let (Some(pipe), Stdin::Bytes(bytes)) = (child.stdin.take(), stdin) {
            streams.spawn(feed(pipe, bytes));
        }
        Ok(Self {
            leader,
            child,
            exit: None,
            limits,
            is_wrapper,
            started,
            activity,
            streams,
            remembered: BTreeSet::new(),
            stdout,
            stderr,
        })
    }

    /// Until the program ends, or has to. `None`: what it prints cannot be kept.
    async fn watch(&mut self, cancel: &mut Cancel) -> Result<Option<Cause>, ProcessError> {
        let mut patience = Patience::new(self.started, &self.limits);
        loop {
            let wake = patience.wake(Instant::now(), self.activity.last());
            tokio::select! {
                biased;
                status = self.child.wait() => {
                    self.reaped(status)?;
                    return Ok(Some(Cause::Exited));
                }
                () = cancel.cancelled() => return Ok(Some(Cause::Cancelled)),
                () = self.activity.alarm.notified() => {
                    return Ok(self.activity.too_much().then_some(Cause::TooMuchOutput));
                }
                () = sleep_until(wake) => {}
            }
            match patience.look(wake, Instant::now(), self.activity.last()) {
                Look::GoOn => {}
                Look::Stalled => self.activity.touch(),
                Look::End(cause) => return Ok(Some(cause)),
            }
            reap_orphans();
        }
    }

    /// Ends the program: a request, patience, force. Says until when what it started may take.
    async fn stop(&mut self) -> Result<Instant, ProcessError> {
        let patience = after(Instant::now(), self.limits.grace);
        self.ask_to_end();
        if let Ok(status) = timeout_at(patience, self.child.wait()).await {
            self.reaped(status)?;
            return Ok(patience);
        }
        self.kill();
        match timeout(KILL_MAX, self.child.wait()).await {
            Ok(status) => self.reaped(status).map(|()| patience),
            Err(_) => Err(ProcessError::Stuck { pid: self.leader.pid }),
        }
    }

    /// The program itself comes first, or it could answer to the end of its tools with more work.
    /// Nobody is asked twice: programs take a second request for impatience.
    fn ask_to_end(&mut self) {
        let descendants = self.leader.descendants();
        if !self.is_wrapper {
            self.signal_group(Signal::TERM);
            self.signal_group(Signal::CONT);
        }
        let elsewhere = descendants.iter().filter(|stat| stat.group != self.leader.pid);
        elsewhere.map(|stat| stat.id).for_each(ask_to_end);
        self.remembered.extend(descendants.iter().map(|stat| stat.id));
    }

    fn kill(&mut self) {
        self.remembered.extend(self.leader.descendants().iter().map(|stat| stat.id));
        self.signal_group(Signal::KILL);
        for id in &self.remembered {
            id.signal(Signal::KILL);
        }
    }

    /// The number of a process that is not reaped cannot belong to another group.
    fn signal_group(&self, signal: Signal) {
        let Some(group) = Pid::from_raw(self.leader.pid).filter(|_| self.exit.is_none()) else {
            return;
        };
        if let Err(error) = kill_process_group(group, signal) {
            tracing::debug!(pid = self.leader.pid, %error, "signal not sent to the group");
        }
    }

    fn reaped(&mut self, status: std::io::Result<ExitStatus>) -> Result<(), ProcessError> {
        match status {
            Ok(status) => {
                self.exit = Some(status.into());
                self.leader.forget();
                Ok(())
            }
            Err(source) => Err(ProcessError::Wait { pid: self.leader.pid, source }),
        }
    }

    async fn sweep(&self, patience: Instant) -> Swept {
        sweep(patience, &self.remembered, || self.leader.leftovers(&self.remembered)).await
    }

    /// The streams end by themselves when nothing holds them; a process that got one of them from
    /// hand to hand and is not ours must not make us wait.
    async fn drain(&mut self) {
        let all = async { while self.streams.join_next().await.is_some() {} };
        if timeout(DRAIN_MAX, all).await.is_err() {
            tracing::warn!(pid = self.leader.pid, "somebody else keeps the output open");
            self.streams.abort_all();
        }
    }

    fn ended(&self, cause: Cause, swept: Swept) -> Ended {
        Ended {
            exit: self.exit.expect("only a program that has ended is reported"),
            cause,
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            stdout_bytes: self.stdout.total(),
            stderr_bytes: self.stderr.total(),
            stdout_truncated: self.stdout.is_truncated(),
            stderr_truncated: self.stderr.is_truncated(),
            swept: swept.ended,
            survivors: swept.survivors,
        }
    }
}

/// Whoever loses interest must not leave an agent at work.
impl Drop for Running {
    fn drop(&mut self) {
        if self.exit.is_none() {
            self.kill();
            self.leader.forget();
        }
    }
}

/// A program that does not read, or stops reading, is within its rights.
async fn feed(mut pipe: ChildStdin, bytes: Vec<u8>) {
    if let Err(error) = pipe.write_all(&bytes).await {
        tracing::debug!(%error, "the input was not read to its end");
    }
}
