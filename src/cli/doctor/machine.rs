//! What is looked at on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::findings::{Health, Visit};
use crate::cli::run::charter::{PRESETS, agent_terms, role_names};
use crate::cli::run::without_price;
use crate::engine::charter::Risk;
use crate::engine::id::AgentName;
use crate::host::agents;
use crate::host::config::Config;
use crate::host::paths::Layout;
use crate::host::process::find_program;

/// Less free space than this ends a run soon, in bytes.
const SPACE_MIN: u64 = 100 << 20;

/// Less free space than this is worth a word, in bytes.
const SPACE_SCANT: u64 = 1 << 30;

impl Visit<'_> {
    /// Each file system that a run writes to.
    pub(super) fn space(&mut self, layout: &Layout) {
        let mut seen = BTreeSet::new();
        for place in [layout.project(), layout.state()] {
            if fs::metadata(place).is_ok_and(|found| seen.insert(found.dev())) {
                self.space_at(place);
            }
        }
    }

    fn space_at(&mut self, place: &Path) {
        let free = match rustix::fs::statvfs(place) {
            Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
            Err(errno) => {
                let detail =
                    format!("nobody says how much is free at {}: {errno}", place.display());
                return self.warn("disk space", detail, "look with df");
            }
        };
        let detail = format!("{} MiB free at {}", free >> 20, place.display());
        let health = if free < SPACE_MIN {
            Health::Fail
        } else if free < SPACE_SCANT {
            Health::Warn
        } else {
            return self.ok("disk space", detail);
        };
        self.note("disk space", health, detail, Some("make room before a run needs it"));
    }

    pub(super) fn agents(&mut self, config: Option<&Config>, project: &Path) {
        let names = config.map(role_names).unwrap_or_default();
        if let Some(Err(error)) = config.map(|config| config.check_agents(&PRESETS)) {
            self.fail("agents", &error.into());
        }
        for name in &names {
            let terms = config.map(|config| agent_terms(config, name));
            let program = terms.and_then(|terms| terms.command.into_iter().next());
            let program = program.unwrap_or_default();
            let label = format!("agent {name}");
            match find_program(program.as_ref(), &self.site.environment, project) {
                Some(path) => self.ok(&label, path.display().to_string()),
                None => {
                    let detail = format!("the program {program:?} is not found");
                    let hint = "install it, put it on the PATH, or name another one with --agent";
                    self.note(&label, Health::Fail, detail, Some(hint));
                }
            }
        }
        let others = PRESETS.into_iter().filter(|name| !names.contains(&AgentName::new(*name)));
        let (there, missing): (Vec<&str>, Vec<&str>) =
            others.partition(|name| self.is_preset_there(name, project));
        let list = |names: &[&str]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let detail = format!("on the PATH: {}; not there: {}", list(&there), list(&missing));
        self.ok("other agents", detail);
    }

    /// A budget in dollars is held against what is known to be spent.
    pub(super) fn budget(&mut self, config: &Config) {
        let terms = role_names(config).into_iter().map(|name| {
            let terms = agent_terms(config, &name);
            (name, terms)
        });
        let without = without_price(&terms.collect(), config.charter_prices().as_ref());
        if without.is_empty() || config.limits().cost_usd.micros() == 0 {
            return;
        }
        let detail = format!("cost_usd does not count what nobody says: {}", without.join(", "));
        let hint = "give the model and its price under [prices], or set budget.tokens";
        self.warn("budget", detail, hint);
    }

    fn is_preset_there(&self, name: &str, project: &Path) -> bool {
        let preset = agents::preset(name, Risk::Safe, "", "");
        preset.and_then(|preset| preset.command.into_iter().next()).is_some_and(|program| {
            find_program(program.as_ref(), &self.site.environment, project).is_some()
        })
    }

    pub(super) fn shell(&mut self, project: &Path) {
        let found = ["bash", "sh"]
            .into_iter()
            .find_map(|shell| find_program(shell.as_ref(), &self.site.environment, project));
        match found {
            Some(path) => self.ok("shell", path.display().to_string()),
            None => {
                let hint = "verify commands need a shell";
                let detail = "neither bash nor sh is on the PATH";
                self.note("shell", Health::Fail, detail, Some(hint));
            }
        }
    }
}
