//! One call of an agent: prompt in, answer out, and everything it should not have touched put back.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::contained::{Worker, temporary_in};
use super::error::WorldError;
use super::host_world::HostWorld;
use super::tape::{Made, Went, as_recorded, play_command};
use crate::driver::{Ask, Reply};
use crate::engine::at::At;
use crate::engine::charter::{AgentTerms, PromptBy, SandboxLevel, Stage};
use crate::engine::event::StageStarted;
use crate::engine::id::ObjectId;
use crate::engine::price::priced;
use crate::engine::report::{Activity, Class, QuotaWindow, Usage};
use crate::engine::secret::{Redactor, redact};
use crate::engine::verdict::{Verdict, verdict};
use crate::host::agents::{self, Answer, Evidence, Format, PlaceError, Turn, sessions_home};
use crate::host::clock;
use crate::host::process::{Capture, Cause, Command, Ended, Limits, ProcessError};

/// How much of an agent's standard output is kept, in bytes. A night of frames fits.
const STDOUT_BYTES_MAX: u64 = 64 << 20;

/// How much of an agent's standard error is kept, in bytes.
const STDERR_BYTES_MAX: u64 = 4 << 20;

/// An agent that prints more than this has lost its way: it is ended.
const OUTPUT_BYTES_END: u64 = 1 << 30;

/// How much of one line is redacted at a time, in bytes; a longer line is cut into pieces.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// How much is redacted at a time, in bytes, before the line that is begun is completed.
const LINES_BYTES: u64 = 64 << 10;

/// What one call left.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) model: String,
    pub(super) exit_code: Option<i32>,
    pub(super) class: Class,
    pub(super) until: Option<At>,
    pub(super) duration_ms: u64,
    pub(super) usage: Usage,
    pub(super) prompt: ObjectId,
    pub(super) transcript: Option<ObjectId>,
    pub(super) message: Option<Message>,
    pub(super) state_changes: Vec<String>,
    pub(super) rescued: Vec<String>,
    pub(super) sandbox: SandboxLevel,
    pub(super) session: Option<String>,
    pub(super) activity: Option<Activity>,
    pub(super) quota: Vec<QuotaWindow>,
}

/// A final message, and where it is kept.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: ObjectId,
    /// Without what looks secret.
    pub(super) text: String,
    /// What it rules, read as it was said: a key that seems to go on takes a ruling out of the text.
    pub(super) verdict: Option<Verdict>,
}

impl HostWorld {
    /// Calls an agent with a prompt. Whatever it started is gone when this returns.
    pub(super) async fn call(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
        stage: Stage,
        prompt: &str,
    ) -> Result<Reply<Called>, WorldError> {
        self.make_room()?;
        match self.call_agent(ask, call, stage, prompt).await {
            Err(error) if self.was_filled(&error) => {
                self.filled(ask, call, stage, prompt).map(Reply::Got)
            }
            called => called,
        }
    }

    async fn call_agent(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
        stage: Stage,
        prompt: &str,
    ) -> Result<Reply<Called>, WorldError> {
        let terms = terms_of(ask, call)?;
        let prompt_id = self.objects.put(prompt.as_bytes())?;
        let scratch = self.scratch(ask.run)?;
        let scratch = scratch.path();
        let level = self.sandbox.level();
        let played = self.cue(ask, call, stage)?;
        let mut taping = self.begin_take(ask, stage)?;
        let made = Made { call, stage, terms: &terms, prompt: &prompt_id };
        let environment = self.stage_environment(ask, stage);
        let home = terms.output.parse().ok().and_then(|format| sessions_home(format, &environment));
        let command = match &played {
            Some(recording) => play_command(recording, environment, scratch, self.project()),
            None => command(&terms, environment, prompt, scratch, self.project()),
        };
        let unstarted = missing(prompt_id.clone(), &terms, level);
        let command = match command? {
            Ok(command) => command,
            Err(class) => {
                self.finish_take(taping, made, clock::now(), &[], &Went::NotStarted(class))?;
                return Ok(Reply::Got(Called { class, ..unstarted }));
            }
        };
        let (agent, work_dir) = (Some(&call.agent), self.project());
        let cell = self.cell(&Worker { ask, stage, agent, work_dir, scratch });
        self.capture_state()?;
        let ended = self.run_in(command, &cell).await;
        self.git.touched();
        let state_changes = self.put_back_state()?;
        self.take_change(taping.as_mut())?;
        // What an implementer committed or staged is part of its change: the freeze looks first.
        let rescued = match stage {
            Stage::Implement => vec![],
            _ => self.put_back_git()?,
        };
        let ended = match &played {
            Some(recording) => Ok(as_recorded(recording, ended?, scratch)?),
            None => ended?,
        };
        let now = played.as_ref().map_or_else(clock::now, |recording| recording.call.at);
        let answer = answer(&terms, scratch, &ended, now)?;
        let found = || Turn::of_session(&home?, answer.as_ref()?, now);
        let turn = match &played {
            Some(recording) => recording.call.end.turn().cloned(),
            None => found(),
        };
        let went = match &ended {
            Ok(ended) => Some(Went::Ended(ended, scratch, turn.as_ref())),
            Err(error) => never_started(error).map(Went::NotStarted),
        };
        if let Some(went) = went {
            self.finish_take(taping, made, now, &state_changes, &went)?;
        }
        let called = Called { state_changes, rescued, ..unstarted };
        match (ended, answer) {
            (Ok(ended), Some(answer)) => {
                let mut answer = answer.refined(turn.as_ref(), now);
                answer.usage = usage(&answer, ask, &terms);
                tell_debug_log(call, stage, &ended, &answer);
                self.answered(called, scratch, ended, answer).map(Reply::Got)
            }
            (Ok(_), None) => {
                self.keep_cut_short(scratch);
                Ok(Reply::Interrupted)
            }
            (Err(error), _) => {
                let class = never_started(&error).ok_or(error)?;
                Ok(Reply::Got(Called { class, ..called }))
            }
        }
    }

    /// Keeps what an agent printed and said.
    fn answered(
        &mut self,
        called: Called,
        scratch: &Path,
        ended: Ended,
        answer: Answer,
    ) -> Result<Called, WorldError> {
        let transcript = self.keep_transcript(scratch)?;
        let message = self.keep_message(answer.message)?;
        Ok(Called {
            model: answer.model.unwrap_or(called.model),
            exit_code: ended.exit.code(),
            class: answer.class,
            until: answer.until,
            duration_ms: ended.duration_ms,
            usage: answer.usage,
            transcript: Some(transcript),
            message,
            session: answer.session,
            activity: answer.activity,
            quota: answer.quota,
            ..called
        })
    }

    fn keep_message(&mut self, message: Option<String>) -> Result<Option<Message>, WorldError> {
        let Some(said) = message else { return Ok(None) };
        let text = String::from_utf8_lossy(&redact(said.as_bytes())).into_owned();
        let id = self.objects.put(text.as_bytes())?;
        Ok(Some(Message { id, text, verdict: verdict(&said) }))
    }

    /// Both streams in one object, without what looks secret.
    fn keep_transcript(&mut self, scratch: &Path) -> Result<ObjectId, WorldError> {
        let whole = scratch.join("transcript");
        let join = || -> io::Result<()> {
            let mut out = BufWriter::new(File::create_new(&whole)?);
            redact_into(&scratch.join("stdout"), &mut out)?;
            if fs::metadata(scratch.join("stderr"))?.len() > 0 {
                out.write_all(b"\n--- standard error ---\n")?;
                redact_into(&scratch.join("stderr"), &mut out)?;
            }
            out.flush()
        };
        join().map_err(WorldError::io("copy a transcript to", &whole))?;
        Ok(self.objects.put_file(&whole)?)
    }
}

/// Copies a stream without what looks secret: as many whole lines at a time as fit, because every
/// rule is tried on each piece anew. Nothing longer is held.
pub(super) fn redact_into(from: &Path, out: &mut impl io::Write) -> io::Result<()> {
    let mut input = BufReader::new(File::open(from)?);
    let mut redactor = Redactor::default();
    let mut lines = Vec::new();
    loop {
        lines.clear();
        (&mut input).take(LINES_BYTES).read_to_end(&mut lines)?;
        let rest = LINE_BYTES_MAX - LINES_BYTES;
        (&mut input).take(rest).read_until(b'\n', &mut lines)?;
        if lines.is_empty() {
            return Ok(());
        }
        out.write_all(&redactor.lines(&lines))?;
    }
}

/// How the agent is called, or what it says about it that it cannot be: the prompt is too long for
/// an argument, or has no place in the command line at all.
fn command(
    terms: &AgentTerms,
    mut environment: BTreeMap<OsString, OsString>,
    prompt: &str,
    scratch: &Path,
    project: &Path,
) -> Result<Result<Command, Class>, WorldError> {
    let file = scratch.join("prompt.md");
    if terms.prompt == PromptBy::File {
        fs::write(&file, prompt).map_err(WorldError::io("write", &file))?;
    }
    let placed = match agents::place(&terms.command, terms.prompt, prompt, &file) {
        Ok(placed) => placed,
        Err(PlaceError::TooLong { .. }) => return Ok(Err(Class::Context)),
        Err(_) => return Ok(Err(Class::Missing)),
    };
    environment.insert("TMPDIR".into(), temporary_in(scratch)?.into());
    if let Ok(format) = terms.output.parse::<Format>() {
        format.prepare(&mut environment);
    }
    let [stdout, stderr] = captured(scratch);
    let idle = (terms.idle_s > 0).then(|| Duration::from_secs(terms.idle_s));
    Ok(Ok(Command {
        argv: placed.argv,
        cwd: project.to_owned(),
        environment,
        stdin: placed.stdin,
        stdout,
        stderr,
        limits: Limits {
            deadline: Duration::from_secs(terms.timeout_s),
            idle,
            grace: Limits::GRACE,
        },
        is_wrapper: false,
    }))
}

/// Where the two streams of a stage go.
pub(super) fn captured(scratch: &Path) -> [Capture; 2] {
    [("stdout", STDOUT_BYTES_MAX), ("stderr", STDERR_BYTES_MAX)].map(|(name, keep_bytes)| {
        let path = scratch.join(name);
        Capture { path, keep_bytes, kill_bytes: Some(OUTPUT_BYTES_END) }
    })
}

fn tell_debug_log(call: &StageStarted, stage: Stage, ended: &Ended, answer: &Answer) {
    let agent = call.agent.as_str();
    tracing::info!(agent, stage = stage.name(), class = ?answer.class, ?ended, "agent ended");
    for frame in &answer.unknown_frames {
        tracing::warn!(agent, ?frame, "a frame that nobody here knows; the transcript has it");
    }
    if let Some(error) = &answer.error {
        tracing::info!(agent, ?error, "what it says about its failure");
    }
}

fn terms_of(ask: Ask<'_>, call: &StageStarted) -> Result<AgentTerms, WorldError> {
    let terms = ask.charter.agents.get(&call.agent).cloned();
    terms.ok_or_else(|| WorldError::UnknownAgent { name: call.agent.to_string() })
}

/// What an agent used, with a cost where it says one or the run has a price.
fn usage(answer: &Answer, ask: Ask<'_>, terms: &AgentTerms) -> Usage {
    let (prices, model) = (ask.charter.prices.as_ref(), answer.model.as_deref());
    priced(answer.usage, prices, model, &terms.model)
}

/// What a process that ended by itself, or had to, has to say.
fn answer(
    terms: &AgentTerms,
    scratch: &Path,
    ended: &Result<Ended, ProcessError>,
    now: At,
) -> Result<Option<Answer>, WorldError> {
    let Some(&ended) = ended.as_ref().ok().filter(|ended| ended.cause != Cause::Cancelled) else {
        return Ok(None);
    };
    let format = terms.output.parse().unwrap_or(Format::Text);
    let (stdout, stderr) = (scratch.join("stdout"), scratch.join("stderr"));
    let evidence = Evidence { stdout: &stdout, stderr: &stderr, ended, now };
    Ok(Some(agents::read(format, &evidence)?))
}

/// What it says about an agent that it could not be started; `None`: nothing, the machine failed.
fn never_started(error: &ProcessError) -> Option<Class> {
    match error {
        ProcessError::NotFound { .. } => Some(Class::Missing),
        ProcessError::Start { source, .. } => match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Some(Class::Missing),
            io::ErrorKind::ArgumentListTooLong => Some(Class::Context),
            _ if source.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
                Some(Class::Missing)
            }
            _ => None,
        },
        ProcessError::Capture { .. } | ProcessError::Wait { .. } | ProcessError::Stuck { .. } => {
            None
        }
    }
}

pub(super) fn missing(prompt: ObjectId, terms: &AgentTerms, sandbox: SandboxLevel) -> Called {
    Called {
        model: terms.model.clone(),
        exit_code: None,
        class: Class::Missing,
        until: None,
        duration_ms: 0,
        usage: Usage::default(),
        prompt,
        transcript: None,
        message: None,
        state_changes: vec![],
        rescued: vec![],
        sandbox,
        session: None,
        activity: None,
        quota: vec![],
    }
}
