//! What the agent is asked: by its arguments, its environment and its prompt.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

use super::{SCRIPT_VARIABLE, ScriptedError};

/// Longer prompts are cut; they hold the start, which is what rules look at.
const PROMPT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One request for work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) stage: Option<String>,
    pub(super) task: Option<String>,
    pub(super) attempt: Option<u32>,
    pub(super) prompt: String,
}

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) script: Option<PathBuf>,
    prompt_file: Option<PathBuf>,
}

impl Given {
    pub(super) fn read(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, ScriptedError> {
        let mut given = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let place = match argument.to_str() {
                Some("--script") => &mut given.script,
                Some("--prompt-file") => &mut given.prompt_file,
                _ => continue,
            };
            let text = argument.to_string_lossy().into_owned();
            let value = arguments.next();
            let wanted = "followed by a file";
            *place = Some(value.ok_or(ScriptedError::Value { text, wanted })?.into());
        }
        if given.script.is_none() {
            given.script = env::var_os(SCRIPT_VARIABLE).map(PathBuf::from);
        }
        Ok(given)
    }

    pub(super) fn call(&self) -> Result<Call, ScriptedError> {
        let mut bytes = Vec::new();
        let read = match &self.prompt_file {
            Some(path) => fs::File::open(path)
                .and_then(|file| file.take(PROMPT_BYTES_MAX).read_to_end(&mut bytes))
                .map_err(ScriptedError::io("read", path)),
            None if io::stdin().is_terminal() => Ok(0),
            None => io::stdin()
                .take(PROMPT_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map_err(ScriptedError::io("read", "standard input")),
        };
        read.map(|_| {
            let variable = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
            Call::of(String::from_utf8_lossy(&bytes).into_owned(), variable)
        })
    }
}

impl Call {
    /// The environment knows best; the prompt says the same where somebody else's name is worn.
    fn of(prompt: String, variable: impl Fn(&str) -> Option<String>) -> Self {
        let stage = variable("LOOPER_STAGE").or_else(|| {
            let heading = prompt.lines().next()?.trim_end().strip_prefix("# ")?;
            STAGES.iter().find(|(title, _)| *title == heading).map(|(_, stage)| (*stage).into())
        });
        let task = variable("LOOPER_TASK").or_else(|| prompt.lines().find_map(task_of));
        let attempt = variable("LOOPER_ATTEMPT").and_then(|text| text.parse().ok());
        Self { stage, task, attempt, prompt }
    }
}

/// What the first line of a prompt says, and the stage it means.
const STAGES: [(&str, &str); 7] = [
    ("Planner", "plan"),
    ("Plan Critic", "plan_critique"),
    ("Implementer", "implement"),
    ("Impl Critic", "impl_critique"),
    ("Reviewer", "review"),
    ("Setup Agent", "setup"),
    ("Setup Critic", "setup_critique"),
];

fn task_of(line: &str) -> Option<String> {
    let (id, _) = line.strip_prefix("Task ")?.split_once(':')?;
    (!id.is_empty() && !id.contains(char::is_whitespace)).then(|| id.into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::from_the_prompt(&[], Some("plan_critique"), Some("1.2"), None)]
    #[case::from_the_environment(
        &[("LOOPER_STAGE", "implement"), ("LOOPER_TASK", "9"), ("LOOPER_ATTEMPT", "3")],
        Some("implement"), Some("9"), Some(3)
    )]
    fn a_call_is_understood(
        #[case] environment: &[(&str, &str)],
        #[case] stage: Option<&str>,
        #[case] task: Option<&str>,
        #[case] attempt: Option<u32>,
    ) {
        let prompt = "# Plan Critic\n\nTask force meeting: no\nTask 1.2: Say hello\n";
        let call = Call::of(prompt.into(), |name| {
            let found = environment.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).into())
        });
        assert_eq!(call.stage.as_deref(), stage);
        assert_eq!(call.task.as_deref(), task);
        assert_eq!(call.attempt, attempt);
    }

    #[test]
    fn arguments_of_other_agents_are_ignored() {
        let arguments = ["exec", "--json", "--script", "a.toml", "-m", "gpt", "-"];
        let given = Given::read(arguments.map(OsString::from)).unwrap();
        assert_eq!(given, Given { script: Some("a.toml".into()), prompt_file: None });
        assert!(Given::read([OsString::from("--script")]).is_err());
    }
}
