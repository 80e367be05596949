//! Where a command works, and what surrounds it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::args::{Color, Global};
use super::exit::Exit;
use super::failure::Failure;
use crate::engine::at::At;
use crate::engine::decide::decide;
use crate::engine::event::Event;
use crate::engine::fold::fold;
use crate::engine::id::{RepoPath, Seq};
use crate::engine::line::Proof;
use crate::engine::replay::replay_one;
use crate::engine::state::State;
use crate::host::config::{self, Config, Overrides, Sources};
use crate::host::git::Git;
use crate::host::log::Reader;
use crate::host::paths::{self, Layout};
use crate::host::process::find_program;

/// Variables that would point git, ours or an agent's, at another repository.
const GIT_VARIABLES: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// Where a command works.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The current directory.
    pub cwd: PathBuf,
    /// The environment without what belongs to another repository.
    pub environment: BTreeMap<OsString, OsString>,
    /// What was asked for everywhere.
    pub global: Global,
}

impl Site {
    /// Looks around.
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        let cwd = std::env::current_dir().map_err(|error| {
            Failure::of(Exit::Refused, &error).help("change to a directory that exists")
        })?;
        let is_ours =
            |name: &OsString| !GIT_VARIABLES.iter().any(|variable| name.as_os_str() == *variable);
        let environment = std::env::vars_os().filter(|(name, _)| is_ours(name)).collect();
        Ok(Self { cwd, environment, global })
    }

    /// The state directory of the project.
    pub(crate) fn layout(&self) -> Result<Layout, Failure> {
        let project = paths::find_project(self.global.project.as_deref(), &self.cwd)?;
        Ok(Layout::new(&project, Some(&self.global.state_dir))?)
    }

    /// The backlog that a command is about.
    pub(crate) fn backlog(&self, layout: &Layout) -> Result<PathBuf, Failure> {
        Ok(layout.find_backlog(self.global.backlog.as_deref(), &self.cwd)?)
    }

    /// The shell of verify commands; nothing where there is none.
    pub(crate) fn shell(&self, project: &Path) -> Option<&'static str> {
        let is_there =
            |shell: &&str| find_program(shell.as_ref(), &self.environment, project).is_some();
        ["bash", "sh"].into_iter().find(is_there)
    }

    /// The user's own settings, whether or not the file is there.
    pub(crate) fn user_file(&self) -> Option<PathBuf> {
        config::user_file(&self.variables())
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let text = |(name, value): (&OsString, &OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        self.environment.iter().filter_map(text).collect()
    }

    /// The configuration in all its layers.
    pub(crate) fn config(&self, layout: &Layout, flags: &Overrides) -> Result<Config, Failure> {
        let env = self.variables();
        let (user_file, project_file) = (config::user_file(&env), layout.config());
        Ok(Config::load(&Sources { user_file, project_file, env: &env, flags })?)
    }

    /// Whether standard error is a terminal.
    pub(crate) fn has_terminal(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Whether standard error takes colours.
    pub(crate) fn is_colored(&self) -> bool {
        self.wants_color(self.has_terminal())
    }

    /// Whether standard output takes colours.
    pub(crate) fn is_output_colored(&self) -> bool {
        self.wants_color(std::io::stdout().is_terminal())
    }

    fn wants_color(&self, is_terminal: bool) -> bool {
        let is_set = |name: &str| {
            let name = OsString::from(name);
            self.environment.get(&name).is_some_and(|value| !value.is_empty())
        };
        match self.global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !is_set("NO_COLOR") && (is_terminal || is_set("CLICOLOR_FORCE")),
        }
    }
}

/// Paths that belong to us and are never part of a candidate: the state directory and the backlog.
pub(crate) fn excluded(layout: &Layout, backlog: &Path) -> Vec<RepoPath> {
    use std::os::unix::ffi::OsStrExt as _;
    let inside = |path: &Path| {
        let relative = path.strip_prefix(layout.project()).ok()?;
        RepoPath::new(relative.as_os_str().as_bytes()).ok()
    };
    [layout.state(), backlog].into_iter().filter_map(inside).collect()
}

/// Folds a log to its end, making every decision again, and shows each event to `visit`.
///
/// # Errors
/// The log is damaged, or does not replay.
pub(crate) fn fold_log(
    reader: &mut Reader,
    visit: impl FnMut(&Event, &State),
) -> Result<State, Failure> {
    fold_on(State::default(), reader, visit)
}

/// Goes on folding where an earlier pass over the same log ended.
///
/// # Errors
/// The log is damaged, or does not replay.
pub(crate) fn fold_on(
    state: State,
    reader: &mut Reader,
    mut visit: impl FnMut(&Event, &State),
) -> Result<State, Failure> {
    fold_proved(state, reader, |event, state, _| visit(event, state))
}

/// As [`fold_on`], and shows the proof of each event too.
///
/// # Errors
/// The log is damaged, or does not replay.
pub(crate) fn fold_proved(
    mut state: State,
    reader: &mut Reader,
    mut visit: impl FnMut(&Event, &State, Proof),
) -> Result<State, Failure> {
    while let Some(next) = reader.next() {
        let (event, position) = next?;
        state = replay_one(state, &event).map_err(|error| {
            let due = due(reader.path(), error.seq());
            Failure::replay(reader.path(), position.line, &error, due.as_deref())
        })?;
        visit(&event, &state, position.proof);
    }
    Ok(state)
}

/// What the engine would have decided before an event that does not fit, from a pass of its own:
/// what replays need not be kept for what does not.
fn due(path: &Path, bad: Seq) -> Option<String> {
    let reader = Reader::open(path).ok()?;
    let mut state = State::default();
    for next in reader {
        let (event, _) = next.ok()?;
        if event.seq >= bad {
            break;
        }
        state = fold(state, &event).ok()?;
    }
    Some(decide(&state).to_string())
}

/// The position and proof that the repository remembers of the log.
///
/// # Errors
/// The repository cannot be read, or what it remembers is no place in a log.
pub(crate) fn anchor(git: &Git) -> Result<Option<(Seq, Proof)>, Failure> {
    let Some(bytes) = git.read_anchor()? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let parsed = text
        .trim_end()
        .split_once(' ')
        .and_then(|(seq, proof)| Some((Seq(seq.parse().ok()?), Proof::parse(proof)?)));
    match parsed {
        Some(anchor) => Ok(Some(anchor)),
        None => Err(Failure::new(Exit::BadLog, "refs/looper/log does not name a line of the log")
            .help("somebody changed it; compare `git cat-file -p refs/looper/log` with the log")),
    }
}

/// A moment as people here read it.
pub(crate) fn local(at: At, format: &str) -> String {
    at.timestamp().to_zoned(TimeZone::system()).strftime(format).to_string()
}

/// A task's id as people write it: `1.2` or `Task 1.2`.
pub(crate) fn task_id(text: &str) -> crate::engine::id::TaskId {
    crate::engine::id::TaskId::new(text.strip_prefix("Task ").unwrap_or(text).trim())
}
