//! Which sandbox works here, and why not a better one.

use std::path::PathBuf;

use super::findings::{Health, Visit};
use crate::cli::failure::Failure;
use crate::cli::run::contain::{Ground, HELP, choose, in_one_line, own_places, trial_cell};
use crate::engine::charter::SandboxLevel;
use crate::host::config::{Config, Sandbox};
use crate::host::git::Git;
use crate::host::paths::Layout;
use crate::host::sandbox::{Tried, try_all};

impl Visit<'_> {
    /// Tries each in turn, with what a run would ask of it.
    pub(super) fn sandbox(&mut self, layout: &Layout, git: Option<&Git>, config: &Config) {
        let backlog = self.site.backlog(layout).unwrap_or_else(|_| layout.backlog());
        let git_dirs = match git {
            Some(git) => git.dirs().map(PathBuf::from),
            None => [layout.project().join(".git"), layout.project().join(".git")],
        };
        let ground = Ground { layout, git_dirs, backlog: &backlog };
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let detail = format!("nothing can be tried: {error}");
                return self.warn("sandbox", detail, "check the limits of this user");
            }
        };
        let tried = runtime.block_on(async {
            let cell = trial_cell(self.site, config, &ground);
            try_all(&cell, &self.site.environment).await
        });
        match runtime.block_on(choose(self.site, config, &ground)) {
            Err(failure) => self.fail("sandbox", &failure),
            Ok(chosen) => self.chosen(config, chosen.sandbox.level(), &tried),
        }
        self.unknown_agents(config);
    }

    fn chosen(&mut self, config: &Config, level: SandboxLevel, tried: &Tried) {
        let found = match tried {
            Tried { full: Ok(_), .. } => "bwrap works".to_owned(),
            Tried { full: Err(full), partial: Ok(_) } => {
                format!("{}; Landlock works", in_one_line(full))
            }
            Tried { full: Err(full), partial: Err(partial) } => {
                format!("{}; {}", in_one_line(full), in_one_line(partial))
            }
        };
        let detail = match config.run.sandbox {
            Sandbox::Off => format!("none, because run.sandbox is \"off\"; {found}"),
            Sandbox::Auto | Sandbox::Required => format!("{}; {found}", level.name()),
        };
        if level == SandboxLevel::Full || config.run.sandbox == Sandbox::Off {
            self.ok("sandbox", detail);
        } else {
            self.note("sandbox", Health::Warn, detail, Some(HELP));
        }
    }

    /// A program that nobody here knows may want to write where a sandbox does not let it.
    fn unknown_agents(&mut self, config: &Config) {
        if config.run.sandbox == Sandbox::Off {
            return;
        }
        let own = own_places(config);
        let unknown: Vec<&str> = own
            .iter()
            .filter(|(name, places)| {
                let said = config.agents.get(name).and_then(|agent| agent.writable.as_ref());
                places.is_empty() && said.is_none()
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if let [first, ..] = unknown[..] {
            let detail = format!("{}: nothing outside the project is theirs", unknown.join(", "));
            let hint = format!(
                "if they keep settings or sessions, name the places in agents.{first}.writable, \
                 else set it to []"
            );
            self.note("agents write", Health::Ok, detail, Some(&hint));
        }
    }
}

impl From<crate::host::sandbox::SandboxError> for Failure {
    fn from(error: crate::host::sandbox::SandboxError) -> Self {
        Self::of(crate::cli::exit::Exit::Machine, &error).help(
            "the sandbox stopped working in the middle of the run, and no weaker one takes its \
             place: `looper doctor` tries it; nothing is lost, run again when it works",
        )
    }
}
