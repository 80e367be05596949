//! Calls of agents on a tape: recorded beside being made, or played instead.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::contained::temporary_in;
use super::error::WorldError;
use super::host_world::HostWorld;
use super::stage::captured;
use crate::driver::Ask;
use crate::engine::at::At;
use crate::engine::charter::{AgentTerms, Stage};
use crate::engine::effect::Effect;
use crate::engine::event::StageStarted;
use crate::engine::id::{Digest, ObjectId};
use crate::engine::report::Class;
use crate::host::agents::Turn;
use crate::host::files;
use crate::host::git::{Sighting, Snapshot};
use crate::host::process::{Cause, Command, Ended, Limits, ProcessError, Stdin};
use crate::host::tape::{About, End, Player, Recorder, Recording, Take, Tape, TapeError, Wanted};

/// How long playing a call may take: it copies a few files.
const PLAY_MAX: Duration = Duration::from_secs(600);

/// How much of what the playing process says about its failure is read, in bytes.
const REASON_BYTES_MAX: u64 = 4 << 20;

/// What becomes of calls.
#[derive(Debug, Default)]
pub(super) enum Deck {
    /// They are made.
    #[default]
    Off,
    /// They are made, and recorded.
    Records(Recorder),
    /// What was recorded takes their place.
    Plays(Box<Player>),
}

impl Deck {
    /// Where the tape is: no agent may write there, and the process that plays has to see it.
    pub(super) fn dir(&self) -> Option<&Path> {
        match self {
            Self::Off => None,
            Self::Records(recorder) => Some(recorder.dir()),
            Self::Plays(player) => Some(player.dir()),
        }
    }
}

/// A call that is being recorded.
pub(super) struct Taping {
    take: Take,
    snapshot: Snapshot,
    before: Sighting,
}

/// How a recorded call went.
pub(super) enum Went<'a> {
    NotStarted(Class),
    /// With the directory that holds its streams, and what its program wrote elsewhere.
    Ended(&'a Ended, &'a Path, Option<&'a Turn>),
}

/// What a call was.
#[derive(Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) call: &'a StageStarted,
    pub(super) stage: Stage,
    pub(super) terms: &'a AgentTerms,
    pub(super) prompt: &'a ObjectId,
}

impl HostWorld {
    /// From here on every call of an agent is recorded.
    pub fn record(&mut self, recorder: Recorder) {
        self.deck = Deck::Records(recorder);
    }

    /// From here on no agent is called: what was recorded takes its place.
    pub fn play(&mut self, player: Player) {
        self.deck = Deck::Plays(Box::new(player));
    }

    /// Says on a tape that is recorded what its calls have in common. Before the first attempt of a
    /// log, looks whether a tape that is played belongs here.
    ///
    /// # Errors
    /// It does not, or cannot be written.
    pub fn begin_tape(&mut self, tape: Tape, is_first: bool) -> Result<(), WorldError> {
        match &self.deck {
            Deck::Records(recorder) => Ok(recorder.begin(tape)?),
            Deck::Plays(player) if is_first => {
                Ok(player.check_tree(&self.git.tree_of(&tape.base)?)?)
            }
            Deck::Plays(_) | Deck::Off => Ok(()),
        }
    }

    /// Where a tape that is played is in time.
    pub(super) fn told_moment(&self, next: &Effect) -> Option<At> {
        let Deck::Plays(player) = &self.deck else { return None };
        match next {
            Effect::Select { task, attempt } => player.moment(Some((task, *attempt))),
            _ => player.moment(None),
        }
    }

    /// The recording that takes the place of a call, where a tape is played.
    pub(super) fn cue(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
        stage: Stage,
    ) -> Result<Option<Recording>, WorldError> {
        if !matches!(self.deck, Deck::Plays(_)) {
            return Ok(None);
        }
        let snapshot = self.snapshot(&ask.attempt.snapshot)?;
        let Deck::Plays(player) = &mut self.deck else { return Ok(None) };
        let wanted = Wanted {
            stage,
            task: &call.task,
            attempt: call.attempt,
            agent: &call.agent,
            tree: &snapshot.base_tree,
        };
        Ok(Some(player.next(&wanted)?))
    }

    /// Looks at the work tree before a call that is recorded.
    pub(super) fn begin_take(
        &mut self,
        ask: Ask<'_>,
        stage: Stage,
    ) -> Result<Option<Taping>, WorldError> {
        if !matches!(self.deck, Deck::Records(_)) {
            return Ok(None);
        }
        let snapshot = self.snapshot(&ask.attempt.snapshot)?;
        let before = self.git.sight(&snapshot)?;
        let Deck::Records(recorder) = &mut self.deck else { return Ok(None) };
        let take = recorder.take(stage, &ask.attempt.task.id)?;
        Ok(Some(Taping { take, snapshot, before }))
    }

    /// What the call has changed in the work tree, before anything of it is put back.
    pub(super) fn take_change(&mut self, taping: Option<&mut Taping>) -> Result<(), WorldError> {
        let Some(Taping { take, snapshot, before }) = taping else { return Ok(()) };
        let mut keep = |path: &_, became| take.changed(path, became);
        self.git.altered_since::<TapeError>(snapshot, before, &mut keep)?;
        Ok(())
    }

    /// The call is on the tape when this returns.
    pub(super) fn finish_take(
        &self,
        taping: Option<Taping>,
        made: Made<'_>,
        at: At,
        state_changes: &[String],
        went: &Went<'_>,
    ) -> Result<(), WorldError> {
        let Some(Taping { mut take, snapshot, .. }) = taping else { return Ok(()) };
        for name in state_changes {
            take.leave_out(&format!("it changed {name} in the state directory"));
        }
        let about = About {
            stage: made.stage,
            task: &made.call.task,
            attempt: made.call.attempt,
            agent: &made.call.agent,
            terms: made.terms,
            sandbox: self.sandbox.level(),
            tree: &snapshot.base_tree,
            prompt: Digest::new(made.prompt.as_str()),
        };
        match went {
            Went::NotStarted(class) => take.not_started(about, at, *class)?,
            Went::Ended(ended, scratch, turn) => {
                let streams = [&*scratch.join("stdout"), &*scratch.join("stderr")];
                take.ended(about, at, ended, *turn, streams)?;
            }
        }
        Ok(())
    }
}

/// How a recording is played where an agent would be called, or what it meant that no process was
/// started.
pub(super) fn play_command(
    recording: &Recording,
    environment: BTreeMap<OsString, OsString>,
    scratch: &Path,
    project: &Path,
) -> Result<Result<Command, Class>, WorldError> {
    if let End::NotStarted { class } = recording.call.end {
        return Ok(Err(class));
    }
    let argv = recording.argv().map_err(WorldError::io("find", "looper"))?;
    let mut environment = environment;
    environment.insert("TMPDIR".into(), temporary_in(scratch)?.into());
    let [stdout, stderr] = captured(scratch);
    let limits = Limits { deadline: PLAY_MAX, idle: None, grace: Limits::GRACE };
    Ok(Ok(Command {
        argv,
        cwd: project.to_owned(),
        environment,
        stdin: Stdin::Null,
        stdout,
        stderr,
        limits,
        is_wrapper: false,
    }))
}

/// The end as it was then, once the process that plays has done its part: an hour that somebody
/// waited for is not waited for again.
pub(super) fn as_recorded(
    recording: &Recording,
    ended: Result<Ended, ProcessError>,
    scratch: &Path,
) -> Result<Ended, WorldError> {
    let ended = ended?;
    if ended.cause == Cause::Cancelled {
        return Ok(ended);
    }
    let then = recording.call.end.ended().filter(|_| ended.exit.is_success());
    then.ok_or_else(|| {
        let said = files::read_bounded(&scratch.join("stderr"), REASON_BYTES_MAX);
        let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
        let line = said.lines().rfind(|line| !line.trim().is_empty());
        let reason = line.map_or_else(|| format!("{:?}", ended.exit), str::to_owned);
        TapeError::Play { path: recording.folder().to_owned(), reason }.into()
    })
}
