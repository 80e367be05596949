//! Which sandbox a run uses: the best that works here, or what the configuration insists on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::charter::{agent_terms, role_names};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::site::Site;
use crate::engine::charter::{Containment, Network, SandboxLevel};
use crate::engine::id::AgentName;
use crate::host::agents;
use crate::host::config::{self, Config, Writable};
use crate::host::paths::Layout;
use crate::host::sandbox::{
    Access, CACHES, Cell, Sandbox, SandboxError, make_missing, ours, resolve,
};

/// A sandbox that works, and why it is no better one.
pub(crate) struct Chosen {
    /// What holds agents and verify commands.
    pub(crate) sandbox: Sandbox,
    /// The same for the charter.
    pub(crate) containment: Containment,
    /// What a better one lacks.
    pub(crate) why: Option<String>,
}

/// Where a sandbox has to hold.
pub(crate) struct Ground<'a> {
    /// The project and its state.
    pub(crate) layout: &'a Layout,
    /// What git keeps for it.
    pub(crate) git_dirs: [PathBuf; 2],
    /// The backlog.
    pub(crate) backlog: &'a Path,
}

/// Tries what there is, the best first, and nothing that is not needed.
///
/// # Errors
/// The configuration insists on what this machine does not have.
pub(crate) async fn choose(
    site: &Site,
    config: &Config,
    ground: &Ground<'_>,
) -> Result<Chosen, Failure> {
    let chosen = |sandbox: Sandbox, why: Vec<String>| {
        let containment = containment(config, sandbox.level());
        let why = (!why.is_empty()).then(|| why.join("; "));
        Chosen { sandbox, containment, why }
    };
    if config.run.sandbox == config::Sandbox::Off {
        let off = "run.sandbox is \"off\"".to_owned();
        return match network(config) {
            Network::Open => Ok(chosen(Sandbox::none(), vec![off])),
            Network::Closed => Err(no_network(&off)),
        };
    }
    for name in role_names(config) {
        make_missing(known_places(config, &name), &site.environment);
    }
    let cell = trial_cell(site, config, ground);
    let mut why = vec![];
    match Sandbox::full(&cell, &site.environment).await {
        Ok(sandbox) => return Ok(chosen(sandbox, why)),
        Err(error) => why.push(in_one_line(&error)),
    }
    if config.run.sandbox == config::Sandbox::Required {
        let what = format!("run.sandbox = \"required\", and no full one works: {}", why.join("; "));
        return Err(Failure::new(Exit::Refused, what).help(HELP));
    }
    match Sandbox::partial(&cell, &site.environment).await {
        Ok(sandbox) => return Ok(chosen(sandbox, why)),
        Err(error) => why.push(in_one_line(&error)),
    }
    match network(config) {
        Network::Open => Ok(chosen(Sandbox::none(), why)),
        Network::Closed => Err(no_network(&why.join("; "))),
    }
}

/// How to get a better sandbox.
pub(crate) const HELP: &str = "install bubblewrap and let users make namespaces; \
     docs/containment.md says how, and what each level holds";

fn no_network(why: &str) -> Failure {
    let what = format!("verify.network = false, and nothing here can keep it out: {why}");
    Failure::new(Exit::Refused, what).help(HELP)
}

/// An error with its causes.
pub(crate) fn in_one_line(error: &SandboxError) -> String {
    Failure::of(Exit::Refused, error).summary()
}

fn network(config: &Config) -> Network {
    if config.verify.network { Network::Open } else { Network::Closed }
}

fn containment(config: &Config, level: SandboxLevel) -> Containment {
    let writable = config.run.writable.iter().flat_map(paths).collect();
    let agents = own_places(config);
    Containment { level, verify_network: network(config), writable, agents }
}

fn paths(place: &Writable) -> Vec<String> {
    match place.path() {
        Some(path) => vec![path.to_owned()],
        None => CACHES.map(str::to_owned).into(),
    }
}

/// What each agent that has a role writes outside the project.
pub(crate) fn own_places(config: &Config) -> BTreeMap<AgentName, Vec<String>> {
    let places = |name: AgentName| {
        let known = known_places(config, &name).into_iter().map(str::to_owned);
        let said = config.agents.get(&name).and_then(|agent| agent.writable.clone());
        let said = said.unwrap_or_default();
        let places = known.chain(said.iter().flat_map(paths)).collect();
        (name, places)
    };
    role_names(config).into_iter().map(places).collect()
}

/// What is known of the program of an agent.
fn known_places(config: &Config, name: &AgentName) -> BTreeSet<&'static str> {
    let terms = agent_terms(config, name);
    let program = terms.command.first().map_or("", String::as_str);
    agents::writable(program, &terms.output)
}

/// A cell with everything that any stage may write.
pub(crate) fn trial_cell(site: &Site, config: &Config, ground: &Ground<'_>) -> Cell {
    let Ground { layout, git_dirs: [own, common], backlog } = ground;
    let terms = containment(config, SandboxLevel::None);
    let places = terms.writable.iter().chain(terms.agents.values().flatten());
    Cell {
        work_dir: layout.project().to_owned(),
        access: Access::Write,
        protected: ours(layout, [own, common], backlog, &site.environment),
        writable: resolve(places.map(String::as_str), &site.environment),
        readable: vec![],
        temporary: PathBuf::new(),
        network: terms.verify_network,
        nests: false,
    }
}
