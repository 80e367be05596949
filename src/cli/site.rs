//! Where a command works, and what surrounds it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use super::args::{Color, Global};
use super::exit::Exit;
use super::failure::Failure;
use crate::engine::event::Event;
use crate::engine::id::RepoPath;
use crate::engine::replay::replay_one;
use crate::engine::state::State;
use crate::host::config::{self, Config, Overrides, Sources};
use crate::host::log::Reader;
use crate::host::paths::{self, Layout};

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

    /// The configuration in all its layers.
    pub(crate) fn config(&self, layout: &Layout, flags: &Overrides) -> Result<Config, Failure> {
        let text = |(name, value): (&OsString, &OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        let env: BTreeMap<String, String> = self.environment.iter().filter_map(text).collect();
        let (user_file, project_file) = (config::user_file(&env), layout.config());
        Ok(Config::load(&Sources { user_file, project_file, env: &env, flags })?)
    }

    /// Whether standard error takes colours.
    pub(crate) fn is_colored(&self) -> bool {
        self.wants_color(std::io::stderr().is_terminal())
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
pub(crate) fn excluded(layout: &Layout, backlog: &std::path::Path) -> Vec<RepoPath> {
    use std::os::unix::ffi::OsStrExt as _;
    let inside = |path: &std::path::Path| {
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
    mut visit: impl FnMut(&Event, &State),
) -> Result<State, Failure> {
    let mut state = State::default();
    while let Some(next) = reader.next() {
        let (event, position) = next?;
        state = replay_one(state, &event)
            .map_err(|error| Failure::replay(reader.path().to_owned(), position.line, &error))?;
        visit(&event, &state);
    }
    Ok(state)
}

/// A task's id as people write it: `1.2` or `Task 1.2`.
pub(crate) fn task_id(text: &str) -> crate::engine::id::TaskId {
    crate::engine::id::TaskId::new(text.strip_prefix("Task ").unwrap_or(text).trim())
}
