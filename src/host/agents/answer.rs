//! The end of an agent process, read.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::adapter::Format;
use super::claude::{Claude, Failures};
use super::codex::Codex;
use super::copilot::Copilot;
use super::failure::{class_of, limit_on_stderr, waits_on_stderr};
use super::frames::{Dialect, Reading, Trouble};
use super::gemini::{self, Gemini};
use super::message::{MESSAGE_BYTES_MAX, Message};
use super::opencode::Opencode;
use super::pi::Pi;
use super::reset::{sane, until};
use crate::engine::at::At;
use crate::engine::report::{Activity, Class, QuotaWindow, Usage};
use crate::host::process::{Cause, Ended};

/// How much of standard error is looked at.
const STDERR_BYTES_MAX: u64 = 4096;

/// What one agent process left.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The file with its standard output.
    pub stdout: &'a Path,
    /// The file with its standard error.
    pub stderr: &'a Path,
    /// How it ended.
    pub ended: Ended,
    /// When it ended; moments like "in five minutes" are seen from here.
    pub now: At,
}

/// What it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What became of the process.
    pub class: Class,
    /// Its final message, of a mebibyte at most. Only a good end has one.
    pub message: Option<String>,
    /// When a limit lifts.
    pub until: Option<At>,
    /// What it says it used.
    pub usage: Usage,
    /// The model it says it used.
    pub model: Option<String>,
    /// What it says about its failure.
    pub error: Option<String>,
    /// What it calls its session or thread.
    pub session: Option<String>,
    /// What it says it did.
    pub activity: Option<Activity>,
    /// How much of its provider's allowances is used, as last reported.
    pub quota: Vec<QuotaWindow>,
    /// Types of frames that nobody here knows, and lines that are no frames, each named once.
    pub unknown_frames: Vec<String>,
}

impl Answer {
    /// For a program that was not found, or did not start.
    pub fn missing() -> Self {
        Reading::default().ends(Class::Missing)
    }
}

/// What an agent printed cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", .path.display())]
pub struct ReadError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Reads what an agent process left, in the language it speaks.
///
/// # Errors
/// One of the two files cannot be read.
pub fn read(format: Format, evidence: &Evidence<'_>) -> Result<Answer, ReadError> {
    let mut reading = frames(format, evidence).map_err(failed(evidence.stdout))?;
    for window in &mut reading.quota {
        window.resets_at = window.resets_at.and_then(|moment| sane(moment, evidence.now));
    }
    if let Some(class) = forced(evidence.ended.cause) {
        // What these say on standard error is never a tool's.
        let is_own = matches!(format, Format::Gemini | Format::Opencode | Format::Qwen);
        if is_own && reading.trouble.is_none() {
            let tail = tail(evidence.stderr).map_err(failed(evidence.stderr))?;
            reading.trouble = waits_on_stderr(&tail);
        }
        return Ok(match &reading.trouble {
            // It was told to wait, and waited until its time was up.
            Some(trouble) if class != Class::Crashed && class_of(trouble).is_some() => {
                reading.troubled(class, evidence.now)
            }
            _ => reading.ends(class),
        });
    }
    if reading.frames > 0 {
        Ok(with_frames(format, reading, evidence))
    } else {
        without_frames(format, reading, evidence)
    }
}

fn forced(cause: Cause) -> Option<Class> {
    match cause {
        Cause::Exited => None,
        Cause::DeadlinePassed => Some(Class::TimedOut),
        Cause::Idle => Some(Class::Idle),
        Cause::Cancelled | Cause::TooMuchOutput => Some(Class::Crashed),
    }
}

fn frames(format: Format, evidence: &Evidence<'_>) -> io::Result<Reading> {
    match dialect(format, evidence.now) {
        Some(mut dialect) => Reading::of(File::open(evidence.stdout)?, dialect.as_mut()),
        None => Ok(Reading::default()),
    }
}

fn dialect(format: Format, now: At) -> Option<Box<dyn Dialect>> {
    Some(match format {
        Format::Codex => Box::new(Codex),
        Format::Claude => Box::new(Claude::new(Failures::Told)),
        Format::Qwen => Box::new(Claude::new(Failures::Mumbled)),
        Format::Gemini => Box::new(Gemini),
        Format::Opencode => Box::new(Opencode { now }),
        Format::Pi => Box::new(Pi::default()),
        Format::Copilot => Box::new(Copilot::default()),
        Format::Text => return None,
    })
}

/// Reads all frames of a stream, for whoever wants to know how long that takes.
///
/// # Errors
/// The stream cannot be read.
pub fn count_frames(format: Format, input: impl io::Read) -> io::Result<u64> {
    let reading = dialect(format, At::default())
        .map(|mut dialect| Reading::of(input, dialect.as_mut()))
        .transpose()?;
    Ok(reading.map_or(0, |reading| reading.frames))
}

fn with_frames(format: Format, mut reading: Reading, evidence: &Evidence<'_>) -> Answer {
    let exit = evidence.ended.exit;
    if exit.is_success() && reading.is_complete && !evidence.ended.stdout_truncated {
        let message = std::mem::take(&mut reading.message).finish();
        let class = if message.is_some() { Class::Ok } else { Class::Empty };
        return Answer { message, ..reading.ends(class) };
    }
    let class = exit.code().and_then(|code| of_exit(format, code));
    reading.troubled(class.unwrap_or(Class::Crashed), evidence.now)
}

fn without_frames(
    format: Format,
    mut reading: Reading,
    evidence: &Evidence<'_>,
) -> Result<Answer, ReadError> {
    let exit = evidence.ended.exit;
    if exit.is_success() {
        let message = whole_stdout(evidence.stdout).map_err(failed(evidence.stdout))?;
        let is_whole = !evidence.ended.stdout_truncated;
        match message.finish() {
            Some(message) if is_whole => {
                // Lines of plain text are not frames that went wrong.
                reading.unknown.clear();
                return Ok(Answer { message: Some(message), ..reading.ends(Class::Ok) });
            }
            Some(_) => return Ok(reading.ends(Class::Crashed)),
            None => {}
        }
    }
    let tail = tail(evidence.stderr).map_err(failed(evidence.stderr))?;
    if let Some((class, line)) = limit_on_stderr(&tail) {
        reading.trouble = Some(Trouble { class: Some(class), ..Trouble::new(line) });
        return Ok(reading.troubled(class, evidence.now));
    }
    let class = match exit.code() {
        Some(0) => Class::Empty,
        Some(code) => of_exit(format, code).unwrap_or(Class::Crashed),
        None => Class::Crashed,
    };
    Ok(reading.ends(class))
}

fn of_exit(format: Format, code: i32) -> Option<Class> {
    match format {
        Format::Gemini => gemini::class_of_exit(code),
        Format::Codex
        | Format::Claude
        | Format::Opencode
        | Format::Qwen
        | Format::Pi
        | Format::Copilot
        | Format::Text => None,
    }
}

impl Reading {
    /// Ends with what the program reports about itself, or with `otherwise`.
    fn troubled(mut self, otherwise: Class, now: At) -> Answer {
        let trouble = self.trouble.take().unwrap_or_default();
        let class = class_of(&trouble).unwrap_or(otherwise);
        let told = trouble.until.and_then(|moment| sane(moment, now));
        let lifts = match class {
            Class::RateLimited | Class::Overloaded => told.or_else(|| until(&trouble.text, now)),
            _ => None,
        };
        let error = Some(trouble.text).filter(|text| !text.trim().is_empty());
        Answer { until: lifts, error, ..self.ends(class) }
    }

    fn ends(self, class: Class) -> Answer {
        let activity = (self.frames > 0).then(|| self.tools.activity());
        Answer {
            class,
            message: None,
            until: None,
            usage: self.usage,
            model: self.model,
            error: None,
            session: self.session,
            activity,
            quota: self.quota,
            unknown_frames: self.unknown.into_iter().collect(),
        }
    }
}

fn whole_stdout(path: &Path) -> io::Result<Message> {
    let mut bytes = Vec::new();
    // One byte more than a message holds, so that a cut is seen.
    File::open(path)?.take(MESSAGE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    let mut message = Message::default();
    message.push(&String::from_utf8_lossy(&bytes));
    Ok(message)
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(STDERR_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(STDERR_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
    let path = path.to_path_buf();
    move |source| ReadError { path, source }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::host::agents::message::CUT_MARK;
    use crate::host::process::Exit;

    fn answer(format: Format, stdout: &[u8], stderr: &str, exit: Exit, is_cut: bool) -> Answer {
        let folder = tempfile::tempdir().unwrap();
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        std::fs::write(&out, stdout).unwrap();
        std::fs::write(&err, stderr).unwrap();
        let ended = Ended {
            exit,
            cause: Cause::Exited,
            duration_ms: 1,
            stdout_bytes: stdout.len() as u64,
            stderr_bytes: stderr.len() as u64,
            stdout_truncated: is_cut,
            stderr_truncated: false,
            swept: 0,
            survivors: 0,
        };
        let evidence = Evidence { stdout: &out, stderr: &err, ended, now: At::default() };
        read(format, &evidence).unwrap()
    }

    #[rstest]
    #[case::text("Fine.\nVERDICT: PASS\n", "", 0, Class::Ok)]
    #[case::limits_in_the_answer("rate limit exceeded\n", "", 0, Class::Ok)]
    #[case::a_limit_beside_an_answer("Fine.", "Error: rate limit exceeded", 0, Class::Ok)]
    #[case::silence(" \n", "", 0, Class::Empty)]
    #[case::silence_about_a_limit("", "Error: rate limit exceeded", 0, Class::RateLimited)]
    #[case::failure("VERDICT: PASS\n", "", 1, Class::Crashed)]
    #[case::limits_in_a_failure("rate limit exceeded\n", "", 1, Class::Crashed)]
    #[case::limit("half", "Error: rate limit exceeded", 1, Class::RateLimited)]
    fn without_frames_all_of_stdout_is_the_answer(
        #[case] stdout: &str,
        #[case] stderr: &str,
        #[case] code: i32,
        #[case] class: Class,
        #[values(Format::Text, Format::Codex, Format::Claude)] format: Format,
    ) {
        let answer = answer(format, stdout.as_bytes(), stderr, Exit::Code(code), false);
        assert_eq!(answer.class, class);
        assert_eq!(answer.message.as_deref(), (class == Class::Ok).then_some(stdout));
    }

    #[test]
    fn an_answer_that_was_not_kept_whole_is_none() {
        let stdout = b"VERDICT: PASS\n";
        let cut = answer(Format::Text, stdout, "", Exit::Code(0), true);
        assert_eq!((cut.class, cut.message), (Class::Crashed, None));
        let long =
            [&vec![b'x'; MESSAGE_BYTES_MAX - 14][..], b"\nVERDICT: PASS\nnot so fast"].concat();
        let framed = concat!(
            r#"{"type":"message","role":"assistant","content":"VERDICT: PASS"}"#,
            "\n",
            r#"{"type":"result","status":"success"}"#,
        );
        let [whole, cut] = [false, true]
            .map(|is_cut| answer(Format::Gemini, framed.as_bytes(), "", Exit::Code(0), is_cut));
        assert_eq!((whole.class, cut.class, cut.message), (Class::Ok, Class::Crashed, None));
        let long = answer(Format::Text, &long, "", Exit::Code(0), false);
        assert!(long.message.unwrap().ends_with(&format!("VERDICT: PASS{CUT_MARK}")));
    }

    #[test]
    fn an_answer_of_other_bytes_is_still_text() {
        let answer = answer(Format::Text, b"VERDICT: P\xffASS", "", Exit::Code(0), false);
        assert_eq!(answer.message.as_deref(), Some("VERDICT: P\u{fffd}ASS"));
    }

    #[rstest]
    #[case::codex(Format::Codex, r#"{"type":"turn.started"}"#)]
    #[case::claude(Format::Claude, r#"{"type":"system","subtype":"init"}"#)]
    #[case::gemini(Format::Gemini, r#"{"type":"init"}"#)]
    #[case::opencode(Format::Opencode, r#"{"type":"step_start","part":{}}"#)]
    #[case::qwen(Format::Qwen, r#"{"type":"user"}"#)]
    #[case::pi(Format::Pi, r#"{"type":"agent_start"}"#)]
    #[case::copilot(Format::Copilot, r#"{"type":"assistant.idle","data":{}}"#)]
    fn once_there_is_a_frame_words_count_no_more(#[case] format: Format, #[case] frame: &str) {
        let stdout = format!("{frame}\nVERDICT: PASS\n");
        let answer = answer(format, stdout.as_bytes(), "", Exit::Code(0), false);
        assert_eq!((answer.class, answer.message), (Class::Crashed, None));
        assert_eq!(answer.unknown_frames, ["a line that is not JSON"]);
    }

    #[test]
    fn a_good_frame_does_not_make_a_bad_exit_good() {
        let stdout = concat!(
            r#"{"type":"item.completed","item":{"type":"agent_message","text":"VERDICT: PASS"}}"#,
            "\n",
            r#"{"type":"turn.completed","usage":{}}"#,
        );
        let exits = [Exit::Code(0), Exit::Code(1), Exit::Signal(9)];
        let classes =
            exits.map(|exit| answer(Format::Codex, stdout.as_bytes(), "", exit, false).class);
        assert_eq!(classes, [Class::Ok, Class::Crashed, Class::Crashed]);
    }
}
