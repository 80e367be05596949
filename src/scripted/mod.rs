//! An agent that follows a script: it works in the demo and stands in for real agents in tests.
//!
//! It is a program of its own on the far side of a process boundary. `docs/fake_agent.md` tells
//! people how to write a script.

mod call;
mod child;
mod script;
mod steps;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use child::Child;
pub use script::{Rule, Script, Step};

/// Names the script when no argument does.
pub const SCRIPT_VARIABLE: &str = "LOOPER_SCRIPT";

/// The program: reads prompt and script, follows the first rule that fits, and answers. Arguments
/// that it does not know are ignored, so that it can stand in for any other agent.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let ended = match child::pending() {
        Some(child) => child.and_then(|child| child.live()),
        None => answer(arguments),
    };
    ended.unwrap_or_else(|error| {
        // There is nobody else to tell when even standard error is gone.
        drop(writeln!(std::io::stderr(), "scripted agent: {}", chain(&error)));
        ExitCode::from(error.code())
    })
}

fn answer(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode, ScriptedError> {
    let given = call::Given::read(arguments)?;
    let call = given.call()?;
    let (folder, steps) = match &given.script {
        Some(path) => {
            let script = Script::read(path)?;
            let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
            (folder, script.steps_for(&call, path)?)
        }
        None => (PathBuf::new(), None),
    };
    let steps = match steps {
        Some(steps) => steps,
        None => script::default_steps(&call)?,
    };
    steps::follow(&steps, &call, &folder)
}

/// Why the script cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ScriptedError {
    /// A file or a stream cannot be read or written.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The script is no script.
    #[error("{} is not a script: {reason}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A value in the script means nothing.
    #[error("{text:?} is not {wanted}")]
    Value {
        /// As written.
        text: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// The prompt lacks what the script expects.
    #[error("the prompt does not contain {text:?}")]
    Unexpected {
        /// What is missing.
        text: String,
    },
    /// No rule fits and nothing is known about the stage.
    #[error("no rule fits, and neither LOOPER_STAGE nor the prompt's first line names a stage")]
    Stageless,
}

impl ScriptedError {
    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Syntax { .. } | Self::Value { .. } | Self::Stageless => 64,
            Self::Unexpected { .. } => 65,
            Self::Io { .. } => 74,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
