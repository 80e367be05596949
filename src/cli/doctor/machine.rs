//! What is looked at on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::findings::{Health, Visit};
use crate::cli::run::charter::{agent_terms, role_names};
use crate::cli::run::without_price;
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
        let hint = "give the model and its price under [prices], or bound the run by tokens or wall_clock_s";
        self.warn("budget", detail, hint);
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
