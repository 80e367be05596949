//! `looper doctor`: whether everything a run needs is there. Writes nothing itself, and asks
//! agents no more than who they are.

mod agents;
mod evidence;
mod findings;
mod machine;
mod project;
mod remains;
mod sandbox;

use super::args::Format;
use super::exit::Exit;
use super::failure::Failure;
use super::print;
use super::site::Site;
use crate::host::config::Config;
use crate::host::paths::Layout;
pub(crate) use findings::Findings;
use findings::{Health, Visit, text};

/// Prints one line per check.
///
/// # Errors
/// Only standard output can fail: everything else is a finding.
pub(super) fn doctor(site: &Site) -> Result<Exit, Failure> {
    let mut visit = Visit { site, checks: vec![], agents: vec![] };
    let layout = visit.project();
    let config = layout.as_ref().and_then(|layout| visit.config(layout));
    if let Some(layout) = &layout {
        let mut git = visit.open_git(layout);
        visit.state_directory(layout);
        let state = visit.log(layout, git.as_ref());
        if let Some(git) = &mut git {
            let is_cut_short = visit.is_cut_short(layout, state.as_ref());
            visit.git(git, is_cut_short);
            visit.work_tree(git, state.as_ref());
            visit.branch(git, config.as_ref());
        }
        visit.backlog(layout);
        visit.transaction(layout, state.as_ref());
        visit.processes(layout, state.as_ref());
        visit.lock(layout);
        visit.prompts(layout);
        visit.space(layout);
        if let Some(config) = &config {
            visit.sandbox(layout, git.as_ref(), config);
        }
    }
    let from = layout.as_ref().map_or(site.cwd.as_path(), Layout::project);
    visit.agents(config.as_ref(), from);
    if let Some(config) = &config {
        visit.budget(config);
    }
    visit.shell(from);
    let Visit { checks, agents, .. } = visit;
    match site.global.format {
        Format::Json => {
            let settings = config.as_ref().map(Config::settings).unwrap_or_default();
            let findings = Findings { checks: &checks, agents: &agents, settings: &settings };
            let text = serde_json::to_string(&findings).expect("findings are JSON");
            print(&format!("{text}\n"))?;
        }
        Format::Text | Format::Html => {
            print(&text(site, &checks, config.as_ref()))?;
        }
    }
    let fails = checks.iter().any(|check| check.status == Health::Fail);
    Ok(if fails { Exit::Refused } else { Exit::Ok })
}
