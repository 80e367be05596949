//! What the README says is so.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use looper::backlog::Backlog;
use looper::cli::args::Cli;
use looper::cli::exit::Exit;
use looper::engine::charter::GateId;
use looper::host::config::{Config, Origin, Overrides, Sources};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    fs::read_to_string(path).expect("there is a README")
}

/// The first block in this language.
fn block(language: &str) -> String {
    let page = readme();
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("there is such a block");
    rest.split_once("```").expect("a block ends").0.to_owned()
}

#[test]
fn the_backlog_of_the_readme_is_without_complaint() {
    let parsed = Backlog::parse(&block("markdown"));
    assert!(parsed.complaints.is_empty(), "{:?}", parsed.complaints);
    assert_eq!(parsed.backlog.entries.len(), 1);
}

#[test]
fn the_configuration_of_the_readme_is_read_and_complete() {
    let dir = tempfile::tempdir().unwrap();
    let project_file = dir.path().join("config.toml");
    fs::write(&project_file, block("toml")).unwrap();
    let (env, flags) = (BTreeMap::new(), Overrides::default());
    let sources = Sources { user_file: None, project_file, env: &env, flags: &flags };
    let config = Config::load(&sources).unwrap();
    let defaults = Config::default();
    for setting in config.settings() {
        let is_gate = setting.key.starts_with("gates.");
        let is_said = matches!(setting.origin, Origin::Project { .. });
        // No command of this version asks for a review.
        assert!(is_said || is_gate || setting.key == "roles.review", "{}", setting.key);
        let default = defaults.settings().into_iter().find(|known| known.key == setting.key);
        let is_example =
            ["agents.", "prices.", "roles."].iter().any(|section| setting.key.starts_with(section));
        assert!(
            is_example || default.is_some_and(|known| known.value == setting.value),
            "{}",
            setting.key
        );
    }
}

#[test]
fn the_readme_names_every_command_exit_code_and_gate() {
    let page = readme();
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(page.contains(&format!("looper {name}")) || name == "demo", "{name}");
    }
    for exit in Exit::ALL {
        assert!(page.contains(&format!("\n| {} | ", exit.code())), "{exit:?}");
    }
    for gate in GateId::ALL {
        assert!(page.contains(&format!("\n| `{}` | ", gate.name())), "{gate:?}");
    }
}
