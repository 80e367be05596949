//! Opens a project so that verify commands of its log can be run again.

use std::path::Path;

use super::exit::Exit;
use super::failure::Failure;
use super::run::contain::{Ground, choose};
use super::site::{Site, excluded};
use crate::engine::charter::SandboxLevel;
use crate::host::config::Overrides;
use crate::host::git::Git;
use crate::host::paths::Layout;
use crate::host::process::{self, Cancel};
use crate::host::recheck::{Recheck, RecheckError};
use crate::host::sandbox::{ours, resolve};

/// Opens it. The commands are held as a run here and now would hold them.
///
/// # Errors
/// The configuration cannot be read, or insists on a sandbox that does not work.
pub(super) async fn open(site: &Site, layout: &Layout, cancel: Cancel) -> Result<Recheck, Failure> {
    let config = site.config(layout, &Overrides::default())?;
    // A project whose backlog is gone still has a past.
    let backlog = site.backlog(layout).unwrap_or_else(|_| layout.backlog());
    let git = Git::open(layout.project(), &excluded(layout, &backlog))?;
    let dirs = git.dirs().map(Path::to_owned);
    let ground = Ground { layout, git_dirs: dirs.clone(), backlog: &backlog };
    let chosen = choose(site, &config, &ground).await?;
    // What a command leaves running ends with it. Nothing else is started by this process.
    process::become_subreaper().map_err(|error| Failure::of(Exit::Refused, &error))?;
    let project = layout.project().to_owned();
    let mut protected = ours(layout, [&dirs[0], &dirs[1]], &backlog, &site.environment);
    if chosen.sandbox.level() != SandboxLevel::None {
        protected.push(project.clone());
    }
    let places = chosen.containment.writable.iter().map(String::as_str);
    Ok(Recheck {
        git,
        environment: site.environment.clone(),
        shell: site.shell(&project),
        writable: resolve(places, &site.environment),
        network: chosen.containment.verify_network,
        sandbox: chosen.sandbox,
        protected,
        project,
        cancel,
    })
}

/// Commands that could not be run at all.
pub(super) fn broken(error: &RecheckError) -> Failure {
    Failure::of(Exit::Machine, error)
        .because("the verify commands could not be run again")
        .help("nothing in the project was touched; run the same command again")
}

/// What is said when somebody wants it to end.
pub(super) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted; every checkout is removed")
}
