//! Tapes of a run: where one is written, and what one that is played says about agents and roles.

use std::path::{Path, PathBuf};

use super::HostDriver;
use super::charter::{agent_terms, role_names};
use crate::cli::args::RunArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::site::Site;
use crate::cli::tell;
use crate::engine::charter::Charter;
use crate::host::config::{AgentConfig, Config, Seconds, Timeout};
use crate::host::git::Git;
use crate::host::paths::Layout;
use crate::host::tape::{Player, Recorder, Tape, TapeError, TapeRoles, VERSION};

/// What stands before the directory of a tape that takes the place of all agents.
const REPLAY: &str = "replay:";

/// What the command line says about tapes.
#[derive(Debug, Default)]
pub(super) struct Tapes {
    record: Option<PathBuf>,
    player: Option<Player>,
    /// What the tape that is played says, still known when its player is at work.
    played: Option<Tape>,
}

/// The directory of the tape that is played, if one is.
pub(super) fn played(args: &RunArgs) -> Option<&Path> {
    args.agent.as_deref()?.strip_prefix(REPLAY).map(Path::new)
}

impl Tapes {
    /// Looks at the tapes that a command line names, and writes nothing yet.
    ///
    /// # Errors
    /// One that is to be played is damaged, or one that is to be recorded is at a wrong place.
    pub(super) fn of(site: &Site, args: &RunArgs, layout: &Layout) -> Result<Self, Failure> {
        let mut tapes = Self::default();
        if let Some(dir) = played(args) {
            if dir.as_os_str().is_empty() {
                return Err(Failure::new(Exit::Usage, "--agent replay: names no directory")
                    .help("use --agent replay:DIR with the DIR of an earlier --record"));
            }
            if args.record.is_some() {
                return Err(Failure::new(
                    Exit::Usage,
                    "a tape that is played is not recorded again",
                )
                .help("leave one of --record and --agent replay: out"));
            }
            let player = Player::open(&site.cwd.join(dir))?;
            tapes.played = Some(player.tape().clone());
            tapes.player = Some(player);
        }
        if let Some(dir) = &args.record {
            let dir = site.cwd.join(dir);
            refuse_inside(&dir, layout)?;
            tapes.record = Some(dir);
        }
        Ok(tapes)
    }

    /// Puts those who were recorded into the roles they had.
    pub(super) fn cast(&self, config: &mut Config) {
        let Some(tape) = &self.played else { return };
        let TapeRoles { plan, plan_critique, implement, impl_critique } = tape.roles.clone();
        config.roles.plan = plan;
        config.roles.plan_critique = plan_critique;
        config.roles.implement = implement;
        config.roles.impl_critique = impl_critique;
        config.agents.extend(tape.agents.clone());
    }

    /// Hands the tapes over to whoever calls agents.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub(super) fn insert(&mut self, site: &Site, driver: &mut HostDriver) -> Result<(), Failure> {
        if let Some(player) = self.player.take() {
            let dir = player.dir().display();
            tell(site, &format!("told from the tape {dir}: no agent is called"));
            driver.world.play(player);
        }
        if let Some(dir) = &self.record {
            let recorder = Recorder::open(dir)?;
            let dir = recorder.dir().display();
            tell(site, &format!("recorded on the tape {dir}: raw, secrets included"));
            driver.world.record(recorder);
        }
        Ok(())
    }
}

/// Says on a tape that is recorded what its calls have in common, and looks whether one that is
/// played belongs here.
///
/// # Errors
/// It does not, or cannot be written.
pub(super) fn begin(
    config: &Config,
    driver: &mut HostDriver,
    charter: &Charter,
) -> Result<(), Failure> {
    let agent = |name| {
        let said = config.agents.get(&name).cloned().unwrap_or_default();
        let resolved = resolved(config, &name, said);
        (name, resolved)
    };
    let roles = &config.roles;
    let tape = Tape {
        v: VERSION,
        engine: charter.engine.clone(),
        base: charter.base.commit.clone(),
        roles: TapeRoles {
            plan: roles.plan.clone(),
            plan_critique: roles.plan_critique.clone(),
            implement: roles.implement.clone(),
            impl_critique: roles.impl_critique.clone(),
        },
        agents: role_names(config).into_iter().map(agent).collect(),
    };
    let is_first = driver.state().attempts() == 0;
    Ok(driver.world.begin_tape(tape, is_first)?)
}

/// What is said about an agent, with nothing left to a preset: those of another version differ.
fn resolved(
    config: &Config,
    name: &crate::engine::id::AgentName,
    said: AgentConfig,
) -> AgentConfig {
    let terms = agent_terms(config, name);
    AgentConfig {
        command: Some(terms.command),
        prompt: Some(terms.prompt),
        output: serde_json::from_value(terms.output.into()).ok(),
        model: Some(terms.model),
        timeout_s: Timeout::try_from(terms.timeout_s).ok(),
        idle_s: Seconds::try_from(terms.idle_s).ok(),
        ..said
    }
}

/// In the project an agent would find what others have said before it, and could commit it.
fn refuse_inside(dir: &Path, layout: &Layout) -> Result<(), Failure> {
    let there = dir.ancestors().find_map(|place| Some((place, place.canonicalize().ok()?)));
    let Some((place, real)) = there else { return Ok(()) };
    let real = real.join(dir.strip_prefix(place).unwrap_or(Path::new("")));
    let git = Git::open(layout.project(), &[])?;
    let state = layout.state().canonicalize();
    let mut ours = vec![layout.project().to_owned(), layout.state().to_owned()];
    ours.extend(state.ok());
    ours.extend(git.dirs().iter().filter_map(|dir| dir.canonicalize().ok()));
    let is_inside = ours.iter().any(|place| real.starts_with(place));
    let has_dots = real.components().any(|part| part == std::path::Component::ParentDir);
    if is_inside || has_dots {
        return Err(TapeError::InProject { path: real }.into());
    }
    Ok(())
}

impl From<TapeError> for Failure {
    fn from(error: TapeError) -> Self {
        Self::of(Exit::Refused, &error).help(error.help())
    }
}
