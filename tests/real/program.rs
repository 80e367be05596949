//! What is special about each program: where it comes from, and where it looks for its provider.

use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::Project;

/// A real program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Codex,
    Gemini,
    Opencode,
    Qwen,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
}

impl Program {
    pub(crate) fn known(self) -> Known {
        let (name, package, version) = match self {
            Self::Codex => ("codex", "@openai/codex", "0.169.0"),
            Self::Gemini => ("gemini", "@google/gemini-cli", "0.61.0"),
            Self::Opencode => ("opencode", "opencode-ai", "1.18.33"),
            // The last that runs with node 20.
            Self::Qwen => ("qwen", "@qwen-code/qwen-code", "0.15.10"),
        };
        Known { name, package, version }
    }

    /// The file that is started: where there is a program without a launcher, that one.
    pub(crate) fn entry(self, dir: &Path) -> PathBuf {
        let short = if ARCH == "x86_64" { "x64" } else { "arm64" };
        dir.join("node_modules").join(match self {
            Self::Codex => {
                format!("@openai/codex-linux-{short}/vendor/{ARCH}-unknown-linux-musl/bin/codex")
            }
            Self::Gemini => "@google/gemini-cli/bundle/gemini.js".to_owned(),
            Self::Opencode => format!("opencode-linux-{short}/bin/opencode"),
            Self::Qwen => "@qwen-code/qwen-code/cli.js".to_owned(),
        })
    }

    /// Its settings leave it one try, and `looper` the rest.
    pub(crate) fn tries_once(self, project: &Project) {
        assert_eq!(self, Self::Qwen, "nobody else has a setting that helps");
        let mut settings = settings("openai");
        settings["model"] = json!({"generationConfig": {"maxRetries": 0}});
        put(project, ".qwen/settings.json", &settings.to_string());
    }

    /// Its places are there, as after its first use: a sandbox makes none.
    pub(crate) fn was_used_before(self, project: &Project) {
        let places: &[&str] = match self {
            Self::Codex | Self::Gemini | Self::Qwen => &[],
            Self::Opencode => &[".local/share", ".local/state", ".cache", ".config"],
        };
        for place in places {
            let path = project.place().join("home").join(place).join("opencode");
            fs::create_dir_all(path).expect("it is ours");
        }
    }

    /// From here on it is started as npm does it, with a process between, whatever its preset says.
    pub(crate) fn through_launcher(self, project: &Project, dir: &Path) {
        let file = match self {
            Self::Codex => dir.join("node_modules/@openai/codex/bin/codex.js"),
            Self::Gemini | Self::Opencode | Self::Qwen => self.entry(dir),
        };
        let name = self.known().name;
        fs::remove_file(project.place().join("bin").join(name)).expect("it was put there");
        let again = "unset GEMINI_CLI_NO_RELAUNCH QWEN_CODE_NO_RELAUNCH";
        project.program(name, &format!("{again}\nexec node {} \"$@\"", file.display()));
    }

    /// Puts the program on the project's path under its own name, and makes the server its provider.
    pub(crate) fn furnish(self, project: &mut Project, dir: &Path, server: &Server) {
        let bin = project.place().join("bin").join(self.known().name);
        symlink(self.entry(dir), bin).expect("the name is free");
        match self {
            Self::Codex => {
                let settings = format!(
                    "model = \"gpt-5.5\"\nmodel_provider = \"here\"\n\
                     [model_providers.here]\nname = \"here\"\nbase_url = \"{}\"\n\
                     env_key = \"HERE_KEY\"\nwire_api = \"responses\"\n",
                    server.url("/v1")
                );
                put(project, ".codex/config.toml", &settings);
                project.env("HERE_KEY", "dummy");
            }
            Self::Gemini => {
                put(project, ".gemini/settings.json", &settings("gemini-api-key").to_string());
                project.env("GEMINI_API_KEY", "dummy");
                project.env("GOOGLE_GEMINI_BASE_URL", server.url(""));
                project.env("GEMINI_MODEL", "gemini-2.5-pro");
            }
            Self::Opencode => {
                let model = json!({
                    "name": "Here",
                    "tool_call": true,
                    "limit": {"context": 128_000, "output": 8192},
                    "cost": {"input": 1, "output": 2, "cache_read": 0.1},
                });
                let settings = json!({
                    "model": "here/model",
                    "small_model": "here/model",
                    "provider": {"here": {
                        "npm": "@ai-sdk/openai-compatible",
                        "options": {"baseURL": server.url("/v1"), "apiKey": "dummy"},
                        "models": {"model": model},
                    }},
                });
                put(project, ".config/opencode/opencode.json", &settings.to_string());
            }
            Self::Qwen => {
                put(project, ".qwen/settings.json", &settings("openai").to_string());
                project.env("OPENAI_API_KEY", "dummy");
                project.env("OPENAI_BASE_URL", server.url("/v1"));
                project.env("OPENAI_MODEL", "qwen3-coder-plus");
            }
        }
    }
}

fn settings(login: &str) -> Value {
    json!({
        "security": {"auth": {"selectedType": login}},
        "privacy": {"usageStatisticsEnabled": false},
        "telemetry": {"enabled": false},
        "general": {"enableAutoUpdate": false, "disableAutoUpdate": true},
    })
}

fn put(project: &Project, name: &str, text: &str) {
    let path = project.place().join("home").join(name);
    fs::create_dir_all(path.parent().expect("it lies in the home directory")).expect("it is ours");
    fs::write(path, text).expect("it is ours");
}
