//! A process that outlives the agent that started it.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::ScriptedError;

/// Turns the program into such a process: holds its description.
const CHILD_VARIABLE: &str = "LOOPER_SCRIPTED_CHILD";

/// What the process does with its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Child {
    /// How long it lives, in milliseconds.
    pub ms: u64,
    /// In a session of its own, where no signal to the agent's group reaches it.
    #[serde(default)]
    pub in_own_session: bool,
    /// Started by a process that ends at once.
    #[serde(default)]
    pub as_daemon: bool,
    /// Without any variable that says where it comes from.
    #[serde(default)]
    pub without_environment: bool,
    /// Deaf to SIGTERM.
    #[serde(default)]
    pub ignore_term: bool,
    /// With the agent's output closed; else it keeps it open.
    #[serde(default)]
    pub quiet: bool,
    /// A file to which it adds a line at the end of its life.
    #[serde(default)]
    pub then_append: Option<PathBuf>,
}

impl Child {
    /// Starts it; nobody waits for it.
    pub(super) fn start(&self) -> Result<(), ScriptedError> {
        let program = env::current_exe().map_err(ScriptedError::io("find", "this program"))?;
        let words = serde_json::to_string(self).expect("plain data is always JSON");
        let mut command = Command::new(&program);
        if self.without_environment {
            command.env_clear();
        }
        command.args(env::args_os().skip(1)).env(CHILD_VARIABLE, words).stdin(Stdio::null());
        if self.quiet {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        command.spawn().map(drop).map_err(ScriptedError::io("start", program))
    }

    /// Lives.
    pub(super) fn live(self) -> Result<ExitCode, ScriptedError> {
        if self.in_own_session {
            rustix::process::setsid()
                .map_err(|error| ScriptedError::io("leave", "the session")(error.into()))?;
        }
        if self.as_daemon {
            let child = Self { as_daemon: false, in_own_session: false, ..self };
            return child.start().map(|()| ExitCode::SUCCESS);
        }
        if self.ignore_term {
            ignore_term()?;
        }
        thread::sleep(Duration::from_millis(self.ms));
        if let Some(path) = self.then_append {
            let file = OpenOptions::new().append(true).create(true).open(&path);
            file.and_then(|mut file| file.write_all(b"still here\n"))
                .map_err(ScriptedError::io("write", path))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The process that this one is meant to be, if it is.
pub(super) fn pending() -> Option<Result<Child, ScriptedError>> {
    let words = env::var(CHILD_VARIABLE).ok()?;
    Some(serde_json::from_str(&words).map_err(|error| ScriptedError::Syntax {
        path: CHILD_VARIABLE.into(),
        reason: error.to_string(),
    }))
}

/// From here on SIGTERM does nothing: a handler takes it and nobody asks the handler.
pub(super) fn ignore_term() -> Result<(), ScriptedError> {
    let failed = || ScriptedError::io("ignore", "SIGTERM");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed())?;
    let _inside = runtime.enter();
    signal(SignalKind::terminate()).map(drop).map_err(failed())
}
