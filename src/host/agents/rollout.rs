//! The file in which codex itself keeps a session: `sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`
//! below its home.
//!
//! It holds what the frames leave out: how much of each allowance is used, and the second at which a
//! limit lifts. An agent can write it as well as codex can. So it is only asked about a session that
//! the frames have named, and what it says never makes a limit of another failure: a limit is not
//! counted against the task, and codex alone decides that there is one. It can move a limit that
//! codex has reported, by a day at most from what codex says and never beyond [`LIMIT_MS_MAX`], and
//! it can name the cause of a failure that is counted anyway.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::adapter::Format;
use super::answer::Answer;
use super::reset::sane;
use crate::engine::at::At;
use crate::engine::report::{Class, QuotaWindow};

/// How much of the end of a file is read, in bytes.
const TAIL_BYTES: u64 = 1 << 20;

/// Longer lines hold what was said, not what is looked for.
const LINE_BYTES_MAX: usize = 64 << 10;

/// How many files of one day are looked at.
const FILES_MAX: usize = 1 << 16;

/// The longest allowance of codex is a week's.
const LIMIT_MS_MAX: i64 = 8 * DAY_MS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Where a program keeps its sessions, if that is known and they are worth a look.
pub fn sessions_home(
    format: Format,
    environment: &BTreeMap<OsString, OsString>,
) -> Option<PathBuf> {
    let get =
        |name: &str| environment.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty());
    match format {
        Format::Codex => {
            let below_home = || Some(Path::new(get("HOME")?).join(".codex"));
            get("CODEX_HOME").map(PathBuf::from).or_else(below_home)
        }
        _ => None,
    }
}

impl Answer {
    /// With what its program wrote about this session. `None`: nothing that could be found.
    #[must_use]
    pub fn refined(mut self, turn: Option<&Turn>, now: At) -> Self {
        let Some(turn) = turn else { return self };
        match self.class {
            Class::RateLimited => {
                let exact = turn.lifts().filter(|exact| is_near(*exact, self.until, now));
                self.until = exact.or(self.until);
            }
            Class::Crashed if turn.ran_out_of_context => self.class = Class::Context,
            _ => {}
        }
        if !turn.quota.is_empty() {
            self.quota.clone_from(&turn.quota);
        }
        self
    }
}

/// Only what can be part of no other name.
fn is_thread(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

/// Whether a moment can be the one that codex gave in words, whatever its zone is.
fn is_near(exact: At, told: Option<At>, now: At) -> bool {
    let apart = |from: At| exact.millis().saturating_sub(from.millis());
    let is_sane = sane(exact, now).is_some() && apart(now) <= LIMIT_MS_MAX;
    is_sane && told.is_none_or(|told| apart(told).abs() <= DAY_MS)
}

/// What a program wrote about the last turn of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// How much of its provider's allowances is used.
    quota: Vec<QuotaWindow>,
    /// Whether it names the context as what it ran out of.
    ran_out_of_context: bool,
}

impl Turn {
    /// What is written below `home` about the session that an answer names. `None`: nothing that
    /// could be found and read.
    pub fn of_session(home: &Path, answer: &Answer, now: At) -> Option<Self> {
        let thread = answer.session.as_deref().filter(|thread| is_thread(thread))?;
        let mut file = find(home, thread, now)?;
        Some(Self::of(&tail(&mut file).ok()?))
    }

    fn of(tail: &[u8]) -> Self {
        let lines = tail.split(|byte| *byte == b'\n').filter(|line| line.len() <= LINE_BYTES_MAX);
        let mut turn = Self::default();
        for line in lines {
            match serde_json::from_slice(line) {
                Ok(Line::EventMsg { payload: Event::TaskStarted {} }) => turn = Self::default(),
                Ok(Line::EventMsg { payload: Event::TokenCount { rate_limits: Some(limits) } }) => {
                    let quota = limits.windows();
                    if !quota.is_empty() {
                        turn.quota = quota;
                    }
                }
                Ok(Line::EventMsg { payload: Event::TaskComplete { error } }) => {
                    let info = error.map(|error| error.codex_error_info).unwrap_or_default();
                    turn.ran_out_of_context = info.as_str() == Some("context_window_exceeded");
                }
                _ => {}
            }
        }
        turn
    }

    /// When the last of the allowances that are used up begins anew.
    fn lifts(&self) -> Option<At> {
        let used_up = self.quota.iter().filter(|window| window.used_percent >= 100);
        used_up.filter_map(|window| window.resets_at).max()
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    EventMsg {
        payload: Event,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    TaskStarted {},
    TokenCount {
        rate_limits: Option<Limits>,
    },
    TaskComplete {
        error: Option<TaskError>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct TaskError {
    /// A name, or an object that holds a status.
    #[serde(default)]
    codex_error_info: Value,
}

#[derive(Deserialize)]
struct Limits {
    limit_id: Option<String>,
    primary: Option<Window>,
    secondary: Option<Window>,
}

#[derive(Deserialize)]
struct Window {
    used_percent: f64,
    resets_at: Option<i64>,
}

impl Limits {
    fn windows(&self) -> Vec<QuotaWindow> {
        let both = [("primary", &self.primary), ("secondary", &self.secondary)];
        let named = both.into_iter().filter_map(|(name, window)| Some((name, window.as_ref()?)));
        named.map(|(name, window)| window.named(self.name_of(name))).collect()
    }

    /// A limit of its own, such as that of one model, is not the plan's.
    fn name_of(&self, window: &str) -> String {
        let is_name = |id: &&str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            *id != "codex" && id.len() <= 40 && id.bytes().all(is_plain)
        };
        match self.limit_id.as_deref().filter(is_name) {
            Some(id) => format!("{id}_{window}"),
            None => window.into(),
        }
    }
}

impl Window {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn named(&self, window: String) -> QuotaWindow {
        let used_percent = self.used_percent.ceil().clamp(0.0, 1000.0) as u32;
        let seconds = self.resets_at.filter(|seconds| *seconds > 0);
        let resets_at = seconds.map(|seconds| At::from_millis(seconds.saturating_mul(1000)));
        QuotaWindow { window, used_percent, resets_at }
    }
}

/// The file of a session that is at most a day old. Folders are named by the day in codex's own
/// zone, which is a day off at most. No link is followed, and nothing but a regular file is read.
fn find(home: &Path, thread: &str, now: At) -> Option<File> {
    let today = now.timestamp().to_zoned(TimeZone::UTC).date();
    let sessions = openat(CWD, home, DIRECTORY, Mode::empty()).ok()?;
    let sessions = open(&sessions, "sessions", DIRECTORY).ok()?;
    let end = format!("-{thread}.jsonl");
    [0, -1, 1, -2].into_iter().find_map(|days| {
        let day = today.checked_add(days.days()).ok()?;
        let parts = [
            format!("{:04}", day.year()),
            format!("{:02}", day.month()),
            format!("{:02}", day.day()),
        ];
        let mut folder: OwnedFd = sessions.try_clone().ok()?;
        for part in &parts {
            folder = open(&folder, part, DIRECTORY).ok()?;
        }
        let entries = Dir::read_from(&folder).ok()?.take(FILES_MAX).filter_map(Result::ok);
        let mut names =
            entries.filter_map(|entry| entry.file_name().to_str().ok().map(String::from));
        let name = names.find(|name| name.starts_with("rollout-") && name.ends_with(&end))?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(open(&folder, &name, flags).ok()?);
        file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
    })
}

fn open(at: impl AsFd, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty())
}

fn tail(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
