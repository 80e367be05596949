//! What is known about agent programs besides how they are called: what they say about themselves,
//! where they keep a login, which versions are trouble. No network is asked.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::host::files;

/// How much of a settings file is read, in bytes.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// A program with a name that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// OpenAI's.
    Codex,
    /// Anthropic's.
    Claude,
    /// Google's.
    Gemini,
    /// The open one.
    Opencode,
    /// Alibaba's.
    Qwen,
}

/// What is known about a login without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Whether there is one; nothing where that cannot be told.
    pub is_there: Option<bool>,
    /// How to get one.
    pub hint: Option<&'static str>,
}

impl Login {
    const UNKNOWN: Self = Self { is_there: None, hint: None };
    const THERE: Self = Self { is_there: Some(true), hint: None };

    fn missing(hint: &'static str) -> Self {
        Self { is_there: Some(false), hint: Some(hint) }
    }
}

/// Where a login can be seen.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The user's environment.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// The project, which may have settings of its own.
    pub project: &'a Path,
}

impl Surroundings<'_> {
    fn is_set(&self, names: &[&str]) -> bool {
        let is_set = |name: &&str| {
            self.environment.get(OsStr::new(name)).is_some_and(|value| !value.is_empty())
        };
        names.iter().any(is_set)
    }

    /// Below the directory that this variable names, or else below this one of the user.
    fn place(&self, variable: &str, otherwise: &str) -> Option<PathBuf> {
        let named = |name: &str| {
            let path = self.environment.get(OsStr::new(name)).map(PathBuf::from);
            path.filter(|path| path.is_absolute())
        };
        named(variable).or_else(|| Some(named("HOME")?.join(otherwise)))
    }

    fn has(&self, variable: &str, otherwise: &str, file: &str) -> bool {
        self.place(variable, otherwise).is_some_and(|place| place.join(file).is_file())
    }

    fn text(&self, variable: &str, otherwise: &str, file: &str) -> Option<String> {
        let path = self.place(variable, otherwise)?.join(file);
        let bytes = files::read_bounded(&path, SETTINGS_BYTES_MAX).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Known {
    /// The program of this path or name, if it is known by it. Nobody else's is asked anything:
    /// a script of one's own may take any argument for a wish.
    pub fn by_program(program: &str) -> Option<Self> {
        match program.rsplit('/').next()? {
            "codex" => Some(Self::Codex),
            "claude" => Some(Self::Claude),
            "gemini" => Some(Self::Gemini),
            "opencode" => Some(Self::Opencode),
            "qwen" => Some(Self::Qwen),
            _ => None,
        }
    }

    /// What asks it whether it is logged in, where it answers that by its exit code.
    pub fn login_question(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Codex => Some(&["login", "status"]),
            Self::Claude | Self::Gemini | Self::Opencode | Self::Qwen => None,
        }
    }

    /// The oldest major version of node that it runs on, where it needs one.
    pub fn node_min(self, version: Option<&str>) -> Option<u64> {
        match self {
            Self::Codex => Some(16),
            Self::Gemini => Some(20),
            Self::Qwen if version.is_some_and(|version| !is_before(version, [0, 24])) => Some(22),
            Self::Qwen => Some(20),
            Self::Claude | Self::Opencode => None,
        }
    }

    /// What is wrong with a version, where something is.
    pub fn trouble(self, version: &str) -> Option<&'static str> {
        match self {
            Self::Qwen if is_before(version, [0, 24]) => Some(
                "it ends well where its provider refused, which is read from its words only: \
                 0.24 or newer says so (and needs node 22)",
            ),
            Self::Codex | Self::Claude | Self::Gemini | Self::Opencode | Self::Qwen => None,
        }
    }

    /// What to do about a program that does not tell its version, by what it says instead.
    pub fn unanswered(self, said: &str) -> &'static str {
        // Without its scripts, what is installed is a text that no system starts.
        let is_text = self == Self::Opencode && said.contains("cannot start");
        if is_text || said.contains("postinstall script was not run") {
            return "install it with its scripts, or name the binary of its platform package in \
                    agents.opencode.command";
        }
        "run it with --version by hand: a run would most likely fail with it"
    }

    /// Whether there is a login. `answer`: whether the program itself said so.
    pub fn login(self, around: &Surroundings<'_>, answer: Option<bool>) -> Login {
        match self {
            Self::Codex => codex(around, answer),
            Self::Claude => claude(around),
            Self::Gemini => gemini(around),
            Self::Opencode => {
                let text = around.text("XDG_DATA_HOME", ".local/share", "opencode/auth.json");
                let login = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
                // Without one, keys in the environment or a provider of one's own may do.
                let is_there =
                    login.is_some_and(|it| it.as_object().is_some_and(|it| !it.is_empty()));
                if is_there { Login::THERE } else { Login::UNKNOWN }
            }
            Self::Qwen => {
                let is_there = around.is_set(&["OPENAI_API_KEY"])
                    || around.has("HOME", "", ".qwen/oauth_creds.json");
                if is_there { Login::THERE } else { Login::UNKNOWN }
            }
        }
    }
}

fn codex(around: &Surroundings<'_>, answer: Option<bool>) -> Login {
    let is_named = |text: String| {
        let mut keys = text.lines().filter_map(|line| Some(line.split_once('=')?.0.trim()));
        keys.any(|key| key == "model_provider")
    };
    match answer {
        Some(true) => Login::THERE,
        // A provider of one's own takes its key from elsewhere.
        Some(false) if around.text("CODEX_HOME", ".codex", "config.toml").is_some_and(is_named) => {
            Login::UNKNOWN
        }
        Some(false) => Login::missing("log in with `codex login`"),
        None => Login::UNKNOWN,
    }
}

fn claude(around: &Surroundings<'_>) -> Login {
    const VARIABLES: [&str; 5] = [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
    ];
    if around.is_set(&VARIABLES) || around.has("CLAUDE_CONFIG_DIR", ".claude", ".credentials.json")
    {
        return Login::THERE;
    }
    let settings = around.text("CLAUDE_CONFIG_DIR", ".claude", "settings.json");
    let has_helper = settings.is_some_and(|text| text.contains("apiKeyHelper"));
    // Elsewhere the system keeps it.
    if has_helper || !cfg!(target_os = "linux") {
        return Login::UNKNOWN;
    }
    Login::missing("log in by starting `claude` once, or set ANTHROPIC_API_KEY")
}

fn gemini(around: &Surroundings<'_>) -> Login {
    let own = around.text("HOME", "", ".gemini/settings.json");
    let project = around.project.join(".gemini/settings.json");
    let project = files::read_bounded(&project, SETTINGS_BYTES_MAX).ok();
    let project = project.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut selected = None;
    for text in [project, own].into_iter().flatten() {
        // What has comments in it is read by others.
        let Ok(settings) = serde_json::from_str::<Value>(&text) else { return Login::UNKNOWN };
        let said = settings["security"]["auth"]["selectedType"].as_str().map(str::to_owned);
        selected = selected.or(said);
    }
    let has_key = around.is_set(&["GEMINI_API_KEY"]);
    match selected.as_deref() {
        Some("gemini-api-key") if has_key => Login::THERE,
        Some("oauth-personal") if around.has("HOME", "", ".gemini/oauth_creds.json") => {
            Login::THERE
        }
        Some(_) => Login::UNKNOWN,
        None if around.is_set(&["GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA"]) => {
            Login::UNKNOWN
        }
        None => Login::missing(if has_key {
            "a key alone is not enough: set security.auth.selectedType to \"gemini-api-key\" in \
             ~/.gemini/settings.json"
        } else {
            "log in by starting `gemini` once: no security.auth.selectedType is set in \
             ~/.gemini/settings.json"
        }),
    }
}

/// The version in what a program prints when it is asked for it: the first word of numbers.
pub fn version_in(text: &str) -> Option<String> {
    const CHARS_MAX: usize = 40;
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '+');
    let is_version = |word: &&str| {
        let (first, rest) = word.split_once('.').unwrap_or_default();
        let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
        is_number
            && rest.starts_with(|char: char| char.is_ascii_digit())
            && word.chars().all(fits)
            && word.len() <= CHARS_MAX
    };
    let words = text.split_whitespace().map(|word| word.strip_prefix('v').unwrap_or(word));
    words.into_iter().find(is_version).map(str::to_owned)
}

/// Whether a version is older than this one. What is no number is none.
fn is_before(version: &str, than: [u64; 2]) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    [parts.next().unwrap_or(0), parts.next().unwrap_or(0)] < than
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::codex("codex-cli 0.169.0\n", Some("0.169.0"))]
    #[case::after_a_warning(
        "WARNING: proceeding, even though\ncodex-cli 0.170.0-alpha.2\n",
        Some("0.170.0-alpha.2")
    )]
    #[case::bare("0.61.0\n", Some("0.61.0"))]
    #[case::claude("2.1.3 (Claude Code)\n", Some("2.1.3"))]
    #[case::node("v20.20.2", Some("20.20.2"))]
    #[case::none("Error: opencode-ai's postinstall script was not run.", None)]
    #[case::no_escape("1.2\x1b[2J", None)]
    #[case::no_number(".5 a.b", None)]
    fn a_version_is_found(#[case] text: &str, #[case] want: Option<&str>) {
        assert_eq!(version_in(text).as_deref(), want);
    }

    #[rstest]
    #[case(Known::Qwen, "0.15.10", true)]
    #[case(Known::Qwen, "0.24.4", false)]
    #[case(Known::Qwen, "1.0.0", false)]
    #[case(Known::Codex, "0.15.10", false)]
    fn a_version_that_is_trouble_is_known(
        #[case] known: Known,
        #[case] version: &str,
        #[case] want: bool,
    ) {
        assert_eq!(known.trouble(version).is_some(), want);
        assert_eq!(Known::Qwen.node_min(Some("0.24.0")), Some(22));
        assert_eq!(Known::Qwen.node_min(Some("0.23.9")), Some(20));
    }

    const SELECTED: &str = r#"{"security":{"auth":{"selectedType":"gemini-api-key"}}}"#;

    #[rstest]
    #[case::codex_says_yes(Known::Codex, &[], &[], Some(true), Some(true))]
    #[case::codex_says_no(Known::Codex, &[], &[], Some(false), Some(false))]
    #[case::codex_of_another_provider(Known::Codex, &[], &[(".codex/config.toml", "model_provider = \"mine\"")], Some(false), None)]
    #[case::codex_says_nothing(Known::Codex, &[], &[], None, None)]
    #[case::claude_by_file(Known::Claude, &[], &[(".claude/.credentials.json", "{}")], None, Some(true))]
    #[case::claude_by_key(Known::Claude, &["ANTHROPIC_API_KEY"], &[], None, Some(true))]
    #[case::claude_by_helper(Known::Claude, &[], &[(".claude/settings.json", "{\"apiKeyHelper\":\"x\"}")], None, None)]
    #[case::gemini_by_key_alone(Known::Gemini, &["GEMINI_API_KEY"], &[(".gemini/settings.json", "{}")], None, Some(false))]
    #[case::gemini_by_key(Known::Gemini, &["GEMINI_API_KEY"], &[(".gemini/settings.json", SELECTED)], None, Some(true))]
    #[case::gemini_with_a_key_elsewhere(Known::Gemini, &[], &[(".gemini/settings.json", SELECTED)], None, None)]
    #[case::gemini_never_started(Known::Gemini, &[], &[], None, Some(false))]
    #[case::gemini_in_a_cloud(Known::Gemini, &["GOOGLE_GENAI_USE_VERTEXAI"], &[], None, None)]
    #[case::gemini_with_comments(Known::Gemini, &[], &[(".gemini/settings.json", "// x\n{}")], None, None)]
    #[case::opencode_by_file(Known::Opencode, &[], &[(".local/share/opencode/auth.json", "{\"openai\":{}}")], None, Some(true))]
    #[case::opencode_without(Known::Opencode, &[], &[(".local/share/opencode/auth.json", "{}")], None, None)]
    #[case::qwen_by_key(Known::Qwen, &["OPENAI_API_KEY"], &[], None, Some(true))]
    #[case::qwen_without(Known::Qwen, &[], &[], None, None)]
    fn a_login_is_seen(
        #[case] known: Known,
        #[case] variables: &[&str],
        #[case] written: &[(&str, &str)],
        #[case] answer: Option<bool>,
        #[case] want: Option<bool>,
    ) {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in written {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut environment: BTreeMap<OsString, OsString> =
            variables.iter().map(|name| (name.into(), "x".into())).collect();
        environment.insert("HOME".into(), home.path().into());
        let project = &home.path().join("project");
        let login = known.login(&Surroundings { environment: &environment, project }, answer);
        assert_eq!(login.is_there, want);
        assert_eq!(login.hint.is_some(), want == Some(false), "what is missing can be had");
    }
}
