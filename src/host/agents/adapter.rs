//! What is known about each agent program before it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use super::{claude, codex, copilot, gemini, opencode, pi, qwen};
use crate::engine::charter::{PromptBy, Risk};

/// How an agent program is called when nobody says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Program and arguments.
    pub command: Vec<String>,
    /// How the prompt reaches it.
    pub prompt: PromptBy,
    /// What it prints.
    pub output: Format,
}

/// The preset of this name. An empty `model` or `effort` leaves the choice to the program.
pub fn preset(name: &str, risk: Risk, model: &str, effort: &str) -> Option<Preset> {
    let call = Call { risk, model, effort };
    let (output, command) = match name {
        "codex" => (Format::Codex, codex::command(&call)),
        "claude" => (Format::Claude, claude::command(&call)),
        "gemini" => (Format::Gemini, gemini::command(&call)),
        "opencode" => (Format::Opencode, opencode::command(&call)),
        "qwen" => (Format::Qwen, qwen::command(&call)),
        "pi" => (Format::Pi, pi::command(&call)),
        "copilot" => (Format::Copilot, copilot::command(&call)),
        _ => return None,
    };
    Some(Preset { command, prompt: PromptBy::Stdin, output })
}

/// What programs that have no preset write outside the project.
const OTHERS: [(&str, &[&str]); 1] = [("cursor-agent", &["~/.cursor", "~/.config/cursor"])];

/// What an agent has to be able to write outside the project, as far as its program or what it
/// prints tells: a script of one's own that prints the frames of codex most likely calls codex.
pub fn writable(program: &str, output: &str) -> BTreeSet<&'static str> {
    let program = program.rsplit('/').next().unwrap_or(program);
    let known = [
        ("codex", codex::WRITABLE),
        ("claude", claude::WRITABLE),
        ("gemini", gemini::WRITABLE),
        ("opencode", opencode::WRITABLE),
        ("qwen", qwen::WRITABLE),
        ("pi", pi::WRITABLE),
        ("copilot", copilot::WRITABLE),
    ];
    let named = known.into_iter().chain(OTHERS);
    let own = named.filter(|(name, _)| *name == program || *name == output);
    own.flat_map(|(_, places)| places.iter().copied()).collect()
}

/// What a command line depends on.
pub(super) struct Call<'a> {
    pub(super) risk: Risk,
    model: &'a str,
    effort: &'a str,
}

impl Call<'_> {
    /// The words that ask for the model, if one is asked for.
    pub(super) fn model(&self, flag: &str) -> Vec<String> {
        if self.model.is_empty() { Vec::new() } else { words([flag, self.model]) }
    }

    /// The words that ask for the effort, if one is asked for.
    pub(super) fn effort(&self, flag: &str, prefix: &str) -> Vec<String> {
        if self.effort.is_empty() {
            return Vec::new();
        }
        words([flag, &format!("{prefix}{}", self.effort)])
    }
}

pub(super) fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(Into::into).into()
}

/// The language of what an agent prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The frames of `codex exec --json`.
    Codex,
    /// The frames of `claude --output-format stream-json`.
    Claude,
    /// The frames of `gemini --output-format stream-json`.
    Gemini,
    /// The frames of `opencode run --format json`.
    Opencode,
    /// The frames of `qwen --output-format stream-json`.
    Qwen,
    /// The frames of `pi --mode json`.
    Pi,
    /// The frames of `copilot --output-format json`.
    Copilot,
    /// Any text.
    Text,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::Codex,
        Self::Claude,
        Self::Gemini,
        Self::Opencode,
        Self::Qwen,
        Self::Pi,
        Self::Copilot,
        Self::Text,
    ];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Claude => "claude",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Qwen => "qwen",
            Self::Pi => "pi",
            Self::Copilot => "copilot",
            Self::Text => "text",
        }
    }

    /// Prepares the environment of a program that prints this: no telemetry, no updates, no second
    /// process of its own where that can be switched off, and times in UTC.
    pub fn prepare(self, environment: &mut BTreeMap<OsString, OsString>) {
        environment.insert("TZ".into(), "UTC".into());
        let variables: &[(&str, &str)] = match self {
            Self::Codex | Self::Text => &[],
            Self::Qwen => &qwen::ENVIRONMENT,
            Self::Claude => {
                // A claude that was called by another one refuses to start.
                environment.remove(std::ffi::OsStr::new("CLAUDECODE"));
                &claude::ENVIRONMENT
            }
            Self::Gemini => &gemini::ENVIRONMENT,
            Self::Pi => &pi::ENVIRONMENT,
            Self::Copilot => &copilot::ENVIRONMENT,
            Self::Opencode => {
                let (name, value) = opencode::CONFIG;
                environment.entry(name.into()).or_insert_with(|| value.into());
                &opencode::ENVIRONMENT
            }
        };
        for (name, value) in variables {
            environment.insert(name.into(), value.into());
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let mut all = Self::ALL.into_iter();
        all.find(|format| format.name() == text).ok_or_else(|| UnknownFormat { text: text.into() })
    }
}

/// Nobody prints that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no output format")]
pub struct UnknownFormat {
    text: String,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "codex",
        "codex exec --json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox \
         -c analytics.enabled=false -c features.plugins=false \
         -c features.unbounded_connection_retries=false -m m1 -c model_reasoning_effort=high -",
        "codex exec --json --skip-git-repo-check --sandbox workspace-write \
         -c analytics.enabled=false -c features.plugins=false \
         -c features.unbounded_connection_retries=false -"
    )]
    #[case(
        "claude",
        "claude -p --output-format stream-json --verbose --dangerously-skip-permissions \
         --model m1 --effort high",
        "claude -p --output-format stream-json --verbose --permission-mode acceptEdits"
    )]
    #[case(
        "gemini",
        "gemini --output-format stream-json --approval-mode yolo -m m1",
        "gemini --output-format stream-json --approval-mode auto_edit"
    )]
    #[case(
        "opencode",
        "opencode run --format json --title looper --print-logs --log-level ERROR \
         --auto -m m1 --variant high",
        "opencode run --format json --title looper --print-logs --log-level ERROR"
    )]
    #[case(
        "qwen",
        "qwen --output-format stream-json --approval-mode yolo -m m1",
        "qwen --output-format stream-json --approval-mode auto-edit"
    )]
    #[case(
        "pi",
        "pi --mode json --model m1 --thinking high",
        "pi --mode json --tools read,edit,write,grep,find,ls"
    )]
    #[case(
        "copilot",
        "copilot --output-format json --no-ask-user --disable-client-telemetry --allow-all-tools \
         --model m1 --reasoning-effort high",
        "copilot --output-format json --no-ask-user --disable-client-telemetry --allow-tool=write"
    )]
    fn a_preset_says_how_a_program_is_called(
        #[case] name: &str,
        #[case] unattended: &str,
        #[case] safe: &str,
    ) {
        let given = preset(name, Risk::Unattended, "m1", "high").unwrap();
        assert_eq!(given.command.join(" "), unattended);
        assert_eq!(given.output.name(), name);
        assert_eq!(preset(name, Risk::Safe, "", "").unwrap().command.join(" "), safe);
    }

    #[rstest]
    #[case::by_its_name("codex", "text", &["~/.codex"])]
    #[case::by_its_path("/opt/bin/pi", "text", &["~/.pi"])]
    #[case::by_what_it_prints("night-shift.sh", "gemini", &["~/.gemini"])]
    #[case::unknown("night-shift.sh", "text", &[])]
    fn the_places_of_a_program_are_known(
        #[case] program: &str,
        #[case] output: &str,
        #[case] want: &[&str],
    ) {
        assert_eq!(writable(program, output).into_iter().collect::<Vec<_>>(), want);
    }

    #[test]
    fn an_environment_is_prepared() {
        let mut environment = BTreeMap::from([
            ("CLAUDECODE".into(), "1".into()),
            ("OPENCODE_CONFIG_CONTENT".into(), "{}".into()),
        ]);
        Format::Claude.prepare(&mut environment);
        Format::Opencode.prepare(&mut environment);
        let get = |name: &str| environment.get(std::ffi::OsStr::new(name)).and_then(|v| v.to_str());
        assert_eq!(get("TZ"), Some("UTC"));
        assert_eq!(get("CLAUDECODE"), None);
        assert_eq!(get("OPENCODE_CONFIG_CONTENT"), Some("{}"), "the user's own settings win");
        assert_eq!(get("OPENCODE_DISABLE_AUTOUPDATE"), Some("1"));
        Format::Pi.prepare(&mut environment);
        Format::Qwen.prepare(&mut environment);
        Format::Copilot.prepare(&mut environment);
        let get = |name: &str| environment.get(std::ffi::OsStr::new(name)).and_then(|v| v.to_str());
        assert_eq!((get("PI_TELEMETRY"), get("COPILOT_AUTO_UPDATE")), (Some("0"), Some("false")));
        assert_eq!(get("QWEN_CODE_NO_RELAUNCH"), Some("true"));
        let plugins = get("OPENCODE_DISABLE_DEFAULT_PLUGINS");
        assert_eq!(plugins, None, "they are how people are logged in with a plan");
    }

    #[test]
    fn a_format_has_one_name() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert_eq!(
            "Codex".parse::<Format>().unwrap_err().to_string(),
            r#""Codex" is no output format"#
        );
    }
}
