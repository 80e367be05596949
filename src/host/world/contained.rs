//! Which process may write what.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::WorldError;
use super::host_world::HostWorld;
use crate::driver::Ask;
use crate::engine::charter::{Network, Risk, Stage};
use crate::engine::id::AgentName;
use crate::host::files;
use crate::host::process::{self, Command, Ended, ProcessError};
use crate::host::sandbox::{Access, Cell, Sandbox, make_temporary, ours, resolve};

/// Who is about to work, and where.
pub(super) struct Worker<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) stage: Stage,
    /// The agent, unless it is a verify command.
    pub(super) agent: Option<&'a AgentName>,
    pub(super) work_dir: &'a Path,
    /// A private place that outlives the work.
    pub(super) scratch: &'a Path,
}

impl HostWorld {
    /// From here on every agent and verify command is held by this.
    pub fn contain(&mut self, sandbox: Sandbox) {
        self.sandbox = sandbox;
    }

    fn protected(&self) -> Vec<PathBuf> {
        let mut held = ours(&self.layout, self.git.dirs(), self.backlog.path(), &self.environment);
        held.extend(self.deck.dir().map(Path::to_owned));
        held
    }

    pub(super) fn cell(&self, worker: &Worker<'_>) -> Cell {
        let Worker { ask, stage, agent, work_dir, scratch } = *worker;
        let terms = ask.charter.containment.as_ref();
        let own = terms.zip(agent).and_then(|(terms, agent)| terms.agents.get(agent));
        let mut writable: Vec<&String> = own.into_iter().flatten().collect();
        let access = match stage {
            Stage::Plan | Stage::PlanCritique | Stage::ImplCritique => Access::Read,
            Stage::Implement | Stage::Verify => Access::Write,
        };
        if access == Access::Write {
            writable.extend(terms.into_iter().flat_map(|terms| &terms.writable));
        }
        Cell {
            work_dir: work_dir.to_owned(),
            access,
            protected: self.protected(),
            writable: resolve(writable.into_iter().map(String::as_str), &self.environment),
            readable: vec![self.project().to_owned(), scratch.to_owned()],
            temporary: scratch.join("tmp"),
            // Programs that are not told to leave their own sandbox out.
            nests: agent.is_some() && ask.charter.policy.risk == Risk::Safe,
            network: match stage {
                Stage::Verify => terms.map_or(Network::Open, |terms| terms.verify_network),
                Stage::Plan | Stage::PlanCritique | Stage::Implement | Stage::ImplCritique => {
                    Network::Open
                }
            },
        }
    }

    /// Runs a command in its cell. A sandbox that fails is no failure of the program: it is never
    /// replaced by a weaker one in the middle of a run.
    pub(super) async fn run_in(
        &self,
        command: Command,
        cell: &Cell,
    ) -> Result<Result<Ended, ProcessError>, WorldError> {
        let environment: BTreeMap<OsString, OsString> = command.environment.clone();
        let command = match self.sandbox.contain(command, cell) {
            Ok(command) => command,
            Err(error) => return Ok(Err(error)),
        };
        let ended = process::run(command, self.cancel.clone()).await;
        let is_well = ended.as_ref().is_ok_and(|ended| ended.exit.is_success());
        if !is_well && !self.cancel.is_cancelled() {
            self.sandbox.check(cell, &environment).await?;
        }
        Ok(ended)
    }
}

/// Where temporary files of a stage are, in its own directory.
const TEMPORARY: &str = "tmp";

/// Forgets the temporary files so far: what comes next must not see what came before.
pub(super) fn forget_temporary_in(scratch: &Path) -> Result<(), WorldError> {
    Ok(files::clear(&scratch.join(TEMPORARY))?)
}

/// A place for temporary files in a stage's own directory.
pub(super) fn temporary_in(scratch: &Path) -> Result<PathBuf, WorldError> {
    let path = scratch.join(TEMPORARY);
    if !fs::exists(&path).unwrap_or_default() {
        make_temporary(&path).map_err(WorldError::io("create", &path))?;
    }
    Ok(path)
}
