//! One scenario, as its folder has it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::engine::event::ScenarioKind;
use crate::engine::id::TaskId;

/// What a scenario says about itself, in `scenario.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Whether its work must be committed.
    pub kind: ScenarioKind,
    /// What it has in common with others, in one word.
    pub family: String,
    /// One sentence about what it tries.
    pub tries: String,
    /// The task in question.
    #[serde(default = "first")]
    pub task: TaskId,
    /// How many attempts each run may make.
    #[serde(default = "two")]
    pub iterations: u32,
    /// How often the loop is started, one run after the other.
    #[serde(default = "one")]
    pub runs: u32,
    /// Whether it is about what a run refuses to begin with. Any other one that is refused says
    /// nothing about gates.
    #[serde(default)]
    pub refused: bool,
    /// Settings that differ from the defaults, as in `config.toml`.
    #[serde(default)]
    pub settings: toml::Table,
}

fn first() -> TaskId {
    TaskId::new("1")
}

fn one() -> u32 {
    1
}

fn two() -> u32 {
    2
}

/// A scenario: its manifest, and its files over those that every scenario has.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its folder's name.
    pub name: String,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its files by path; `project/` holds the project.
    pub files: Files,
}

/// Files by their path in a folder.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;
