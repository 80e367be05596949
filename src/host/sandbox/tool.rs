//! Which sandbox this machine has: each is tried before it is relied on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cell::Cell;
use super::{bubblewrap, confine};
use crate::engine::charter::SandboxLevel;
use crate::host::files;
use crate::host::process::{
    self, Cancel, Capture, Command, Exit, Limits, ProcessError, Stdin, find_program,
};

/// This process's own program, even where its file was replaced since.
const SELF: &str = "/proc/self/exe";

/// How long a sandbox may take to start a program that does nothing.
const TRY_MAX: Duration = Duration::from_secs(20);

/// How much of what a sandbox says about its failure is kept, in bytes.
const REASON_BYTES_MAX: u64 = 4096;

/// Why a sandbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Its program is not there.
    #[error("the program {program} is not found")]
    Missing {
        /// Its name.
        program: &'static str,
    },
    /// It was tried and did not start a program that does nothing.
    #[error("{program} does not work here: {reason}")]
    Broken {
        /// Its name.
        program: &'static str,
        /// What it said.
        reason: String,
    },
    /// It cannot be tried.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// There is no place for temporary files.
    #[error("cannot make {}", .path.display())]
    Temporary {
        /// The place.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A way to hold a process to its cell.
#[derive(Clone, Debug)]
pub struct Sandbox {
    tool: Tool,
}

#[derive(Clone, Debug)]
enum Tool {
    /// `bwrap`, and where it is.
    Bubblewrap(PathBuf),
    /// Landlock, through a program that is `looper`.
    Landlock(PathBuf),
    Nothing,
}

/// What a machine has.
#[derive(Debug)]
pub struct Tried {
    /// Bubblewrap.
    pub full: Result<Sandbox, SandboxError>,
    /// Landlock.
    pub partial: Result<Sandbox, SandboxError>,
}

/// Tries each sandbox in a cell like the ones that will be needed.
pub async fn try_all(cell: &Cell, environment: &BTreeMap<OsString, OsString>) -> Tried {
    Tried {
        full: Sandbox::full(cell, environment).await,
        partial: Sandbox::partial(cell, environment).await,
    }
}

impl Sandbox {
    /// None at all.
    pub fn none() -> Self {
        Self { tool: Tool::Nothing }
    }

    /// Bubblewrap, where it works.
    ///
    /// # Errors
    /// It is missing, or does not work here.
    pub async fn full(
        cell: &Cell,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Self, SandboxError> {
        let found = find_program(OsStr::new("bwrap"), environment, &cell.work_dir);
        let path = found.ok_or(SandboxError::Missing { program: "bwrap" })?;
        if cell.work_dir.join(".git").is_symlink() {
            let reason = ".git is a symbolic link, which cannot be held where it is".to_owned();
            return Err(SandboxError::Broken { program: "bwrap", reason });
        }
        Self { tool: Tool::Bubblewrap(path) }.tried(cell, environment).await
    }

    /// Landlock, where it works.
    ///
    /// # Errors
    /// The kernel has none, or too old a one.
    pub async fn partial(
        cell: &Cell,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Self, SandboxError> {
        Self { tool: Tool::Landlock(SELF.into()) }.tried(cell, environment).await
    }

    /// How well it holds.
    pub fn level(&self) -> SandboxLevel {
        match self.tool {
            Tool::Bubblewrap(_) => SandboxLevel::Full,
            Tool::Landlock(_) => SandboxLevel::Partial,
            Tool::Nothing => SandboxLevel::None,
        }
    }

    fn name(&self) -> &'static str {
        match self.tool {
            Tool::Bubblewrap(_) => "bwrap",
            Tool::Landlock(_) => "Landlock",
            Tool::Nothing => "no sandbox",
        }
    }

    async fn tried(
        self,
        cell: &Cell,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Self, SandboxError> {
        self.check(cell, environment).await.map(|()| self)
    }

    /// The same command, held to its cell. A program is looked up before the cell closes.
    ///
    /// # Errors
    /// There is no such program.
    pub fn contain(&self, command: Command, cell: &Cell) -> Result<Command, ProcessError> {
        let Command { argv, mut environment, .. } = command;
        let name = argv.first().cloned().unwrap_or_default();
        let found = || find_program(&name, &environment, &command.cwd);
        let (tool, before) = match &self.tool {
            Tool::Nothing => return Ok(Command { argv, environment, ..command }),
            Tool::Bubblewrap(bwrap) => {
                let program = found().ok_or(ProcessError::NotFound { program: name })?;
                let mut before = bubblewrap::arguments(cell, &program, &environment);
                before.push(program.into());
                (bwrap, before)
            }
            Tool::Landlock(looper) => {
                let program = found().ok_or(ProcessError::NotFound { program: name })?;
                let mut before = confine::arguments(cell);
                before.push(program.into());
                (looper, before)
            }
        };
        let is_wrapper = matches!(self.tool, Tool::Bubblewrap(_));
        let temporary = match self.tool {
            Tool::Bubblewrap(_) => bubblewrap::TEMPORARY.into(),
            Tool::Landlock(_) | Tool::Nothing => cell.temporary.clone().into_os_string(),
        };
        environment.insert("TMPDIR".into(), temporary);
        let rest = argv.into_iter().skip(1);
        let argv = [tool.clone().into()].into_iter().chain(before).chain(rest).collect();
        Ok(Command { argv, environment, is_wrapper, ..command })
    }

    /// Starts a program that does nothing in this cell. What fails there would have failed for any
    /// other program too.
    ///
    /// # Errors
    /// The sandbox does not start it.
    pub async fn check(
        &self,
        cell: &Cell,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<(), SandboxError> {
        if self.level() == SandboxLevel::None {
            return Ok(());
        }
        let dir = tempfile::tempdir();
        let temporary = |path: &Path, source| SandboxError::Temporary { path: path.into(), source };
        let dir = dir.map_err(|source| temporary(&std::env::temp_dir(), source))?;
        let capture = |name: &str| Capture {
            path: dir.path().join(name),
            keep_bytes: REASON_BYTES_MAX,
            kill_bytes: None,
        };
        let cell = Cell { temporary: dir.path().join("tmp"), ..cell.clone() };
        make_temporary(&cell.temporary).map_err(|source| temporary(&cell.temporary, source))?;
        let nothing = Command {
            argv: vec!["true".into()],
            cwd: cell.work_dir.clone(),
            environment: environment.clone(),
            stdin: Stdin::Null,
            stdout: capture("stdout"),
            stderr: capture("stderr"),
            limits: Limits { deadline: TRY_MAX, idle: None, grace: Duration::ZERO },
            is_wrapper: false,
        };
        let program = self.name();
        let ended = match process::run(self.contain(nothing, &cell)?, Cancel::never()).await {
            Ok(ended) => ended,
            Err(ProcessError::NotFound { .. }) => return Err(SandboxError::Missing { program }),
            Err(error) => return Err(error.into()),
        };
        if ended.exit.is_success() {
            return Ok(());
        }
        let said = files::read_bounded(&dir.path().join("stderr"), REASON_BYTES_MAX);
        let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
        let reason = match (said.lines().find(|line| !line.trim().is_empty()), ended.exit) {
            (Some(line), _) => line.trim().to_owned(),
            (None, Exit::Code(code)) => format!("it exits with {code}"),
            (None, Exit::Signal(signal)) => format!("signal {signal} ended it"),
        };
        Err(SandboxError::Broken { program, reason })
    }
}

/// Makes a directory for temporary files of whoever works in a cell, root's other users included;
/// what lies around it keeps everybody else out.
pub(crate) fn make_temporary(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o1777))
}
