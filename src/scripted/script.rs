//! The script: rules that say what to do when.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ScriptedError;
use super::call::Call;
use super::child::Child;

/// What an agent does, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The first one that fits is followed.
    #[serde(default, rename = "rule", alias = "rules")]
    pub rules: Vec<Rule>,
}

/// Steps, and the calls they are for. What is not said fits every call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The stage, as in `LOOPER_STAGE`.
    #[serde(default)]
    pub stage: Option<String>,
    /// The task's id.
    #[serde(default)]
    pub task: Option<String>,
    /// The attempt at that task, from one.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// How often the rule can be followed, over all processes.
    #[serde(default)]
    pub times: Option<u32>,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

/// One thing an agent does. Paths are seen from its working directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Prints the text and a line end.
    Print(String),
    /// The same on standard error.
    PrintStderr(String),
    /// Prints a file, seen from the script's folder.
    PrintFile(PathBuf),
    /// Prints so many bytes without a line end.
    PrintBytes(u64),
    /// Writes a file, and the folders it needs.
    #[expect(missing_docs, reason = "the names say it")]
    Write { path: PathBuf, text: String },
    /// Adds to a file, and makes it where it is missing.
    #[expect(missing_docs, reason = "the names say it")]
    Append { path: PathBuf, text: String },
    /// Removes a file, or a folder with everything in it.
    Delete(PathBuf),
    /// Makes a folder, and the folders it needs.
    Mkdir(PathBuf),
    /// Makes a symbolic link.
    #[expect(missing_docs, reason = "the names say it")]
    Symlink { path: PathBuf, target: PathBuf },
    /// Changes permissions; the mode is octal, like `"755"`.
    #[expect(missing_docs, reason = "the names say it")]
    Chmod { path: PathBuf, mode: String },
    /// Renames a file or a folder.
    #[expect(missing_docs, reason = "the names say it")]
    Rename { from: PathBuf, to: PathBuf },
    /// Waits.
    SleepMs(u64),
    /// Runs a program and waits for it; ends with its exit code where that is not zero.
    Run(Vec<String>),
    /// Ends with this code.
    Exit(u8),
    /// Ends by SIGKILL.
    Crash,
    /// Is deaf to SIGTERM from here on.
    IgnoreTerm,
    /// Starts a process that stays behind.
    LeaveChild(Child),
    /// Ends with code 65 unless the prompt contains the text.
    ExpectPrompt(String),
    /// Waits for ever.
    Hang,
}

impl Script {
    pub(super) fn read(path: &Path) -> Result<Self, ScriptedError> {
        let text = fs::read_to_string(path).map_err(ScriptedError::io("read", path))?;
        Self::parse(&text)
            .map_err(|reason| ScriptedError::Syntax { path: path.to_path_buf(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| error.to_string())
        } else {
            toml::from_str(text).map_err(|error| error.to_string())
        }
    }

    /// The steps of the first rule that fits. Rules with `times` keep their tally in a file beside
    /// the script, because every call is another process.
    pub(super) fn steps_for(
        self,
        call: &Call,
        path: &Path,
    ) -> Result<Option<Vec<Step>>, ScriptedError> {
        let mut tally = path.as_os_str().to_owned();
        tally.push(".times");
        let tally = PathBuf::from(tally);
        let used = match fs::read_to_string(&tally) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(ScriptedError::io("read", tally)(error)),
        };
        let used = |index: usize| used.lines().filter(|line| *line == index.to_string()).count();
        let mut rules = self.rules.into_iter().enumerate();
        let Some((index, rule)) = rules.find(|(index, rule)| {
            rule.fits(call) && rule.times.is_none_or(|times| used(*index) < times as usize)
        }) else {
            return Ok(None);
        };
        if rule.times.is_some() {
            let file = OpenOptions::new().append(true).create(true).open(&tally);
            file.and_then(|mut file| writeln!(file, "{index}"))
                .map_err(ScriptedError::io("write", tally))?;
        }
        Ok(Some(rule.steps))
    }
}

impl Rule {
    fn fits(&self, call: &Call) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, given: Option<&T>) -> bool {
            wanted.is_none() || wanted == given
        }
        fits(self.stage.as_ref(), call.stage.as_ref())
            && fits(self.task.as_ref(), call.task.as_ref())
            && fits(self.attempt.as_ref(), call.attempt.as_ref())
    }
}

/// What an agent does that nobody told what to do: as little as lets the others go on.
pub(super) fn default_steps(call: &Call) -> Result<Vec<Step>, ScriptedError> {
    let task = call.task.as_deref().unwrap_or("the work");
    let text = match call.stage.as_deref() {
        Some("plan") => format!("1. Do what task {task} asks for.\n2. Run its verify commands."),
        Some("plan_critique" | "impl_critique" | "setup_critique") => "VERDICT: PASS".into(),
        Some("review") => "No findings.".into(),
        Some(_) => return Ok(Vec::new()),
        None => return Err(ScriptedError::Stageless),
    };
    Ok(vec![Step::Print(text)])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SCRIPT: &str = r#"
        [[rule]]
        stage = "implement"
        task = "1.1"
        attempt = 2
        steps = [{ print = "second" }, "crash"]

        [[rule]]
        stage = "implement"
        times = 1
        steps = [{ write = { path = "a", text = "b" } }, { leave_child = { ms = 5 } }]

        [[rule]]
        task = "1.1"
        steps = [{ exit = 3 }]
    "#;

    fn call(stage: &str, task: &str, attempt: u32) -> Call {
        Call {
            stage: Some(stage.into()),
            task: Some(task.into()),
            attempt: Some(attempt),
            prompt: String::new(),
        }
    }

    #[test]
    fn the_first_rule_that_fits_and_is_not_used_up_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script.toml");
        let steps = |stage: &str, task: &str, attempt: u32| {
            let script = Script::parse(SCRIPT).unwrap();
            script.steps_for(&call(stage, task, attempt), &path).unwrap()
        };
        assert_eq!(
            steps("implement", "1.1", 2),
            Some(vec![Step::Print("second".into()), Step::Crash])
        );
        assert!(matches!(
            steps("implement", "1.2", 2).as_deref(),
            Some([Step::Write { .. }, Step::LeaveChild(Child { ms: 5, .. })])
        ));
        assert_eq!(steps("implement", "1.2", 2), None, "the second rule is used up");
        assert_eq!(steps("implement", "1.1", 1), Some(vec![Step::Exit(3)]));
        assert_eq!(steps("plan", "1.2", 1), None);
    }

    #[test]
    fn a_script_reads_the_same_from_toml_and_json() {
        let script = Script::parse(SCRIPT).unwrap();
        let json = serde_json::to_string(&script).unwrap();
        assert_eq!(Script::parse(&json).unwrap(), script);
    }

    #[rstest]
    #[case::unknown_step("[[rule]]\nsteps = [{ dance = 1 }]")]
    #[case::unknown_key("[[rule]]\nstep = []\nsteps = []")]
    #[case::no_steps("[[rule]]\nstage = \"plan\"")]
    #[case::broken_json("{\"rule\": [}")]
    fn a_mistake_in_a_script_is_told(#[case] text: &str) {
        assert!(Script::parse(text).is_err());
    }

    #[rstest]
    #[case::planner("plan", "1. Do what task 7 asks for.\n2. Run its verify commands.")]
    #[case::plan_critic("plan_critique", "VERDICT: PASS")]
    #[case::impl_critic("impl_critique", "VERDICT: PASS")]
    fn without_a_rule_the_others_can_go_on(#[case] stage: &str, #[case] text: &str) {
        assert_eq!(default_steps(&call(stage, "7", 1)).unwrap(), [Step::Print(text.into())]);
    }

    #[test]
    fn without_a_rule_an_implementer_does_nothing() {
        assert_eq!(default_steps(&call("implement", "7", 1)).unwrap(), []);
    }
}
