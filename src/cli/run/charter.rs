//! The terms of a run, drawn up from configuration, command line, backlog and repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{HostDriver, independence, known_task, tape};
use crate::backlog::Backlog;
use crate::cli::args::RunArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::site::{Site, fold_log};
use crate::cli::{print, say};
use crate::engine::charter::{AgentTerms, BacklogPin, Base, Charter, PromptBy, RULES, Stage};
use crate::engine::decide::{Decision, decide};
use crate::engine::effect::Effect;
use crate::engine::event::{BacklogLoaded, Event, EventKind, FORMAT};
use crate::engine::fold::fold;
use crate::engine::id::{AgentName, CommitId, Digest, TreeId};
use crate::engine::policy;
use crate::engine::state::State;
use crate::engine::task::{Pattern, Status, Task};
use crate::host::agents::{self, Format};
use crate::host::clock;
use crate::host::config::{Ask, Config};
use crate::host::git::{Dirt, Git};
use crate::host::log::Reader;
use crate::host::paths::Layout;
use crate::host::process::find_program;
use crate::host::prompts::{Brief, Implementer, Prompt, Prompts, Retry};
use crate::host::world::BacklogFile;

/// Agents that need no configuration.
pub(crate) const PRESETS: [&str; 7] =
    ["codex", "claude", "gemini", "opencode", "qwen", "pi", "copilot"];

/// Seconds an agent may take where nobody says otherwise.
const TIMEOUT_S: u64 = 1800;

/// Seconds of silence that end an agent where nobody says otherwise. Some are silent for a minute
/// while their provider makes them wait.
const IDLE_S: u64 = 900;

/// How many dirty paths a refusal names.
const DIRTY_LISTED_MAX: usize = 10;

/// What the configuration asks for has to be possible.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    config.check_agents(&PRESETS)?;
    independence::check(config)
}

/// Draws the charter up, and refuses what must not be begun.
pub(super) fn draw_up(
    site: &Site,
    args: &RunArgs,
    config: &Config,
    layout: &Layout,
    driver: &mut HostDriver,
    backlog: &Backlog,
) -> Result<Charter, Failure> {
    let kept = driver.state().kept().cloned();
    driver.world.git().preflight()?;
    let carried = driver.world.carried(kept.as_ref())?.cloned();
    let git = driver.world.git();
    let (commit, branch) = git.head_commit()?;
    let branch = branch.map(|name| name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned());
    check_branch(&config.run.require_branch_prefix, branch.as_deref())?;
    if !args.allow_dirty && !carries_only(git, carried.as_ref())? {
        refuse_dirt(&git.dirty()?)?;
    }
    let only = args.task.as_deref().map(|text| known_task(backlog, text)).transpose()?;
    let pin = pin(layout, driver.world.backlog(), backlog);
    let agents = agents_of(site, args, config, layout.project())?;
    let base = Base { commit, branch };
    let ask = Ask { only, allow_dirty: args.allow_dirty };
    Ok(charter(config, base, pin, agents, backlog, ask))
}

fn charter(
    config: &Config,
    base: Base,
    backlog_pin: BacklogPin,
    agents: BTreeMap<AgentName, AgentTerms>,
    backlog: &Backlog,
    ask: Ask,
) -> Charter {
    let mut policy = config.policy(ask);
    policy.recovery = Some(config.recovery(independence::apart(config, &agents)));
    let tasks = backlog.tasks();
    let marks = backlog.marks();
    let is_done =
        |task: &&Task| marks.iter().any(|mark| mark.task == task.id && mark.status == Status::Done);
    policy.protected.extend(steering(tasks.iter().filter(|task| !is_done(task))));
    Charter {
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        rules: RULES,
        base,
        backlog: backlog_pin,
        policy,
        roles: config.charter_roles(),
        agents,
        limits: config.limits(),
        tasks,
        archived: backlog.completed.iter().cloned().collect(),
        containment: None,
        settings: None,
        prices: config.charter_prices(),
        spent_before: None,
    }
}

/// Who could change what `make test` means, or leave nothing of `tests/*.sh`, would be judged by
/// nothing. Pinned in the charter, so that runs of other versions replay as they did.
fn steering<'a>(tasks: impl Iterator<Item = &'a Task>) -> impl Iterator<Item = Pattern> {
    let commands = tasks.flat_map(|task| &task.verify);
    let named =
        |command: &String| [policy::files_steering(command), policy::tests_named_by(command)];
    let files: BTreeSet<String> = commands.flat_map(named).flatten().collect();
    files.into_iter().map(Pattern::new)
}

fn pin(layout: &Layout, file: &BacklogFile, backlog: &Backlog) -> BacklogPin {
    let path = file.path().strip_prefix(layout.project()).unwrap_or(file.path());
    BacklogPin {
        path: path.display().to_string(),
        format: backlog.format.name().to_owned(),
        digest: file.digest(),
    }
}

pub(crate) fn check_branch(prefix: &str, branch: Option<&str>) -> Result<(), Failure> {
    if prefix.is_empty() || branch.is_some_and(|branch| branch.starts_with(prefix)) {
        return Ok(());
    }
    let found = branch.unwrap_or("a detached HEAD");
    let what = format!("run.require_branch_prefix is {prefix:?}, and HEAD is at {found}");
    Err(Failure::new(Exit::Refused, what).help("check out a branch with that prefix"))
}

/// Whether the work tree differs from HEAD by exactly the candidate that an earlier run left.
fn carries_only(git: &mut Git, carried: Option<&TreeId>) -> Result<bool, Failure> {
    let Some(carried) = carried else { return Ok(false) };
    let snapshot = git.snapshot("looper: before a run", Some(carried))?;
    Ok(!snapshot.dirty)
}

pub(crate) fn refuse_dirt(dirt: &Dirt) -> Result<(), Failure> {
    if dirt.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = dirt
        .changed
        .iter()
        .map(|path| format!("changed {path}"))
        .chain(dirt.untracked.iter().map(|path| format!("untracked {path}")))
        .collect();
    let mut named = all.iter().take(DIRTY_LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > DIRTY_LISTED_MAX {
        named.push_str(&format!(" and {} more", all.len() - DIRTY_LISTED_MAX));
    }
    Err(Failure::new(Exit::Refused, format!("the work tree is not clean: {named}")).help(
        "commit or stash your changes, ignore what is not for git, \
         or keep them aside with --allow-dirty",
    ))
}

/// How each agent that has a role is called. Each has to be there.
fn agents_of(
    site: &Site,
    args: &RunArgs,
    config: &Config,
    project: &Path,
) -> Result<BTreeMap<AgentName, AgentTerms>, Failure> {
    let mut agents = BTreeMap::new();
    for name in role_names(config) {
        let terms = agent_terms(config, &name);
        let program = terms.command.first().cloned().unwrap_or_default();
        let is_called = tape::played(args).is_none();
        if is_called && find_program(program.as_ref(), &site.environment, project).is_none() {
            let what = format!("agent {name}: the program {program:?} is not found");
            return Err(Failure::new(Exit::Refused, what).help(
                "install it, put it on the PATH, or name another one with --agent; \
                 `looper doctor` shows which are there",
            ));
        }
        agents.insert(name, terms);
    }
    Ok(agents)
}

/// Every agent that the stages of the profile call.
pub(crate) fn role_names(config: &Config) -> Vec<AgentName> {
    let roles = config.charter_roles();
    let stages = config.run.profile.stages();
    let by_stage = [
        (Stage::Plan, roles.plan),
        (Stage::PlanCritique, roles.plan_critique),
        (Stage::Implement, roles.implement),
        (Stage::ImplCritique, roles.impl_critique),
    ];
    let wanted = by_stage.into_iter().filter(|(stage, _)| stages.contains(stage));
    let mut names: Vec<AgentName> = wanted.flat_map(|(_, names)| names).collect();
    names.sort();
    names.dedup();
    names
}

/// How an agent is called: what the configuration says, over what is known about the program.
pub(crate) fn agent_terms(config: &Config, name: &AgentName) -> AgentTerms {
    let said = config.agents.get(name).cloned().unwrap_or_default();
    let model = said.model.unwrap_or_default();
    let effort = said.effort.unwrap_or_default();
    let preset = agents::preset(name.as_str(), config.run.risk, &model, &effort);
    let (command, prompt, output) = match preset {
        Some(preset) => (preset.command, preset.prompt, preset.output),
        None => (vec![], PromptBy::Stdin, Format::Text),
    };
    let output = output.name().to_owned();
    AgentTerms {
        command: said.command.unwrap_or(command),
        prompt: said.prompt.unwrap_or(prompt),
        output: said.output.map_or(output, |output| output.name().to_owned()),
        model,
        timeout_s: said.timeout_s.map_or(TIMEOUT_S, |seconds| seconds.get()),
        idle_s: said.idle_s.map_or(IDLE_S, |seconds| seconds.get()),
    }
}

/// Prints the prompt of the next attempt's first agent, and touches nothing.
pub(super) fn dry_run(
    site: &Site,
    args: &RunArgs,
    layout: &Layout,
    config: &Config,
) -> Result<Exit, Failure> {
    let path = site.backlog(layout)?;
    let file = BacklogFile::open(&path)?;
    let parsed = Backlog::parse(file.text());
    if parsed.is_refused() {
        let color = site.is_colored();
        let name = path.display().to_string();
        say(&crate::ui::diagnostics::render(&name, file.text(), &parsed.complaints, color));
        return Err(Failure::new(Exit::Refused, format!("{name} is not a backlog to work with"))
            .help("mend what is underlined; `looper lint` shows it again"));
    }
    let backlog = parsed.backlog;
    let only = args.task.as_deref().map(|text| known_task(&backlog, text)).transpose()?;
    let state = fold_log(&mut Reader::open(&layout.events())?, |_, _| {})?;
    let agents = role_names(config).into_iter().map(|name| {
        let terms = agent_terms(config, &name);
        (name, terms)
    });
    let base = Base { commit: CommitId::new(""), branch: None };
    let ask = Ask { only, allow_dirty: args.allow_dirty };
    let pin = pin(layout, &file, &backlog);
    let charter = charter(config, base, pin, agents.collect(), &backlog, ask);
    let state = begun(state, &charter, &backlog, file.digest())?;
    let Decision::Act(effect) = decide(&state) else {
        return Err(Failure::new(Exit::Bug, "BUG: a run that was just begun does not decide"));
    };
    match *effect {
        Effect::Select { task, attempt } => {
            let task = charter.tasks.iter().find(|known| known.id == task);
            let task = task.expect("only a task of the charter is selected");
            print(&first_prompt(layout, &charter, &state, task, attempt)?)?;
            Ok(Exit::Ok)
        }
        other => {
            say(&format!("no agent would be called: the next decision is to {other}\n"));
            Ok(Exit::Ok)
        }
    }
}

/// The state once a run has begun, in memory only.
fn begun(
    state: State,
    charter: &Charter,
    backlog: &Backlog,
    digest: Digest,
) -> Result<State, Failure> {
    if !state.is_settled() {
        return Err(Failure::new(Exit::Refused, "an earlier run left an attempt open")
            .help("`looper run` settles it"));
    }
    let run = state.run_id().cloned().unwrap_or_else(|| clock::new_run_id(clock::now()));
    let opening = match state.run_id() {
        None => EventKind::RunStarted(charter.clone()),
        Some(_) => EventKind::RunResumed(charter.clone()),
    };
    let loaded = EventKind::BacklogLoaded(BacklogLoaded { digest, marks: backlog.marks() });
    [opening, loaded].into_iter().try_fold(state, |state, kind| {
        let (seq, at, run) = (state.next(), clock::now(), run.clone());
        fold(state, &Event { v: FORMAT, seq, at, run, kind })
            .map_err(|error| Failure::of(Exit::Bug, &error))
    })
}

fn first_prompt(
    layout: &Layout,
    charter: &Charter,
    state: &State,
    task: &crate::engine::task::Task,
    attempt: u32,
) -> Result<String, Failure> {
    let inside =
        |path: &Path| path.strip_prefix(layout.project()).unwrap_or(path).display().to_string();
    let progress = state.progress().get(&task.id).cloned().unwrap_or_default();
    let state_dir = inside(layout.state());
    let evidence = format!("{state_dir}/evidence/loop-{}", progress.failed_loop);
    let retry = progress.reason.as_deref().filter(|_| progress.fail_count > 0);
    let brief = Brief {
        task,
        attempt,
        policy: &charter.policy,
        retry: retry.map(|last_failure| Retry {
            fail_count: progress.fail_count,
            last_failure,
            evidence: &evidence,
        }),
        state_dir: &state_dir,
        backlog: &charter.backlog.path,
    };
    let prompts = Prompts::load(&layout.prompts())?;
    let implementer = Implementer { brief, plan: None, plan_critique: None };
    let prompt = if charter.policy.stages.contains(&Stage::Plan) {
        Prompt::Planner(&brief)
    } else {
        Prompt::Implementer(&implementer)
    };
    Ok(prompts.render(&prompt)?)
}
