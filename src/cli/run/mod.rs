//! `looper run`: settles what is open, checks everything, works through the backlog.

mod again;
mod banner;
pub(super) mod charter;
pub(super) mod contain;
mod ending;
mod independence;
mod news;
mod open;
mod settings;
mod settle;
mod spending;
mod tape;
mod wait;

pub(super) use spending::without_price;

pub(super) use news::write_pending;

use std::path::PathBuf;
use std::time::Duration;

use super::args::RunArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::signals::Signals;
use super::site::{Site, task_id};
use super::{debug_log, report, say, tell};
use crate::backlog::{Backlog, Parsed};
use crate::driver::{Driver, Outcome, Watch};
use crate::engine::charter::Charter;
use crate::engine::event::{Event, EventKind, RunPaused};
use crate::engine::id::AgentName;
use crate::engine::state::State;
use crate::engine::task::Status;
use crate::host::clock;
use crate::host::config::{Config, Overrides};
use crate::host::git::{Beginning, Git, When};
use crate::host::lock::{Lock, Owner};
use crate::host::log;
use crate::host::paths::{self, Layout, PathError};
use crate::host::process::{self, Cancel};
use crate::host::prompts::Prompts;
use crate::host::reserve::Reserve;
use crate::host::world::{HostLog, HostWorld, SystemClock};
use crate::ui::accounts::Accounts;
use crate::ui::diagnostics;
use crate::ui::report::Chronicle;
use crate::ui::reporter::Reporter;
use contain::{Chosen, Ground};
use ending::{end, tell_pause};
use settle::Settled;
use tape::Tapes;
use wait::{Used, Waits};

type HostDriver = Driver<HostLog, HostWorld, SystemClock, Told>;

/// Tells people what the loop has made durable.
pub(crate) struct Told {
    reporter: Reporter,
    outcome: Settled,
    /// How many attempts came to their end.
    achieved: u64,
    /// What this command has used.
    accounts: Accounts,
    /// The whole log, for the report.
    chronicle: Chronicle,
}

impl Watch for Told {
    fn saw(&mut self, event: &Event, state: &State) {
        let tasks = state.charter().map_or(0, |charter| charter.tasks.len());
        let is_done = |status: Status| status == Status::Done;
        let done = state.progress().values().filter(|known| is_done(known.status)).count();
        self.outcome.saw(event);
        self.achieved += u64::from(wait::is_achieved(&event.kind));
        self.accounts.saw(event);
        self.chronicle.saw(event, state);
        self.reporter.saw(event, done.min(tasks) as u64, tasks as u64);
    }
}

/// Runs the loop.
///
/// # Errors
/// Something was refused before an agent was called, the log is bad, or the machine failed.
pub(crate) fn run(site: &Site, args: &RunArgs) -> Result<Exit, Failure> {
    run_under(Signals::listen()?, site, args)
}

/// As [`run`], where somebody listens for signals already.
pub(super) fn run_under(signals: Signals, site: &Site, args: &RunArgs) -> Result<Exit, Failure> {
    let project = find_or_make_project(site, args)?;
    let layout = Layout::new(&project, Some(&site.global.state_dir))?;
    let flags = overrides(args)?;
    let tapes = Tapes::of(site, args, &layout)?;
    let terms = Terms { args, flags: &flags };
    if args.dry_run {
        return charter::dry_run(site, args, &layout, &read_config(site, &layout, &flags, &tapes)?);
    }
    // Where something may be open, that is settled first.
    if !layout.events().exists() {
        read_config(site, &layout, &flags, &tapes)?;
    }
    layout.ensure()?;
    debug_log::start(&layout, site.global.verbose);
    process::become_subreaper().map_err(|error| Failure::of(Exit::Refused, &error))?;
    let done = signals.block_on(async |cancel| work(site, &terms, &layout, tapes, cancel).await);
    if done.as_ref().is_err_and(Failure::is_out_of_room) {
        // The next process settles what is open in it.
        drop(Reserve::new(layout.reserve()).release());
    }
    done
}

/// What a command line asks for.
struct Terms<'a> {
    args: &'a RunArgs,
    flags: &'a Overrides,
}

fn read_config(
    site: &Site,
    layout: &Layout,
    flags: &Overrides,
    tapes: &Tapes,
) -> Result<Config, Failure> {
    let mut config = site.config(layout, flags)?;
    tapes.cast(&mut config);
    charter::check(&config)?;
    Ok(config)
}

fn overrides(args: &RunArgs) -> Result<Overrides, Failure> {
    let profile = args.profile.as_deref().map(str::parse).transpose().map_err(|error| {
        Failure::new(Exit::Usage, format!("--profile: {error}")).help("use full or solo")
    })?;
    let named = args.agent.as_deref().filter(|_| tape::played(args).is_none());
    let agent = named.map(AgentName::new);
    Ok(Overrides { profile, iterations: args.iterations, agent })
}

fn find_or_make_project(site: &Site, args: &RunArgs) -> Result<PathBuf, Failure> {
    let named = site.global.project.as_deref();
    let project = match paths::find_project(named, &site.cwd) {
        Err(PathError::NoRepository { from }) if args.git_init => from,
        found => found?,
    };
    let is_in_none = || paths::find_project(None, &project).is_err();
    if args.git_init && is_in_none() {
        let layout = Layout::new(&project, Some(&site.global.state_dir))?;
        let backlog = layout.backlog();
        let excluded = super::site::excluded(&layout, &backlog);
        let (seconds, offset_minutes) = clock::seconds_and_offset(clock::now());
        let when = When { seconds, offset_minutes };
        let message = "Before the first task";
        Git::init_repo(&project, &excluded, &Beginning { message, when, settings: &[] })?;
    }
    // Nothing is made in a directory that is not the top of a repository.
    Git::open(&project, &[])?;
    Ok(project)
}

async fn work(
    site: &Site,
    terms: &Terms<'_>,
    layout: &Layout,
    tapes: Tapes,
    cancel: Cancel,
) -> Result<Exit, Failure> {
    let run = clock::new_run_id(clock::now());
    let owner = Owner::this_process("looper run", Some(&run));
    let lock = Lock::take(&layout.lock(), &owner);
    let mut lock = lock.map_err(|error| settle::refused(error, layout))?;
    let aside = log::set_aside_foreign_log(&layout.events());
    if let Some(aside) = aside.map_err(|error| Failure::from(error).before_agents())? {
        warn(site, &format!("a log of LoopDex was set aside as {}", aside.display()));
    }
    let opened = open::open(site, layout, run, cancel.clone()).await;
    let opened = opened.map_err(Failure::before_agents)?;
    lock.describe(&Owner::this_process("looper run", Some(&opened.run)))?;
    for note in &opened.notes {
        warn(site, note);
    }
    let ended = opened.ended;
    let (mut driver, refusal) = opened.driver(site, layout, lock);
    let is_open = driver.state().attempt().is_some();
    let settled = settle::settle(&mut driver, site, layout, ended).await;
    settled.map_err(|failure| if is_open { failure } else { failure.before_agents() })?;
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    // A stop that was asked of an earlier run is none of this one's business.
    drop(std::fs::remove_file(layout.stop_request()));
    drive(site, terms, layout, tapes, &mut driver).await
}

fn warn(site: &Site, text: &str) {
    tell(site, &format!("warning: {text}"));
}

/// Reads and lints the backlog as it is now.
fn read_backlog(site: &Site, driver: &mut HostDriver) -> Result<Parsed, Failure> {
    let backlog = driver.world.backlog();
    let parsed = Backlog::parse(backlog.text());
    if parsed.is_refused() {
        let path = backlog.path().display().to_string();
        let color = site.is_colored();
        say(&diagnostics::render(&path, backlog.text(), &parsed.complaints, color));
        return Err(Failure::new(Exit::Refused, format!("{path} is not a backlog to work with"))
            .help("mend what is underlined; `looper lint` shows it again"));
    }
    Ok(parsed)
}

/// Runs, and with `--wait` runs again after each limit: under terms that are read anew, because
/// waiting is when people change things.
async fn drive(
    site: &Site,
    terms: &Terms<'_>,
    layout: &Layout,
    mut tapes: Tapes,
    driver: &mut HostDriver,
) -> Result<Exit, Failure> {
    let Terms { args, flags } = *terms;
    tapes.insert(site, driver).map_err(Failure::before_agents)?;
    let mut waits = Waits::default();
    let mut used = Used::default();
    let waiting = driver.state().paused().cloned();
    if let Some(paused) = waiting.filter(|_| args.wait)
        && let Some(exit) = go_on_waiting(site, flags, layout, &tapes, driver, &paused).await?
    {
        return Ok(exit);
    }
    loop {
        let config = &read_config(site, layout, flags, &tapes)?;
        let chosen = contained(site, config, layout, driver).await;
        let chosen = chosen.map_err(Failure::before_agents)?;
        let (mut charter, news) =
            begin(site, args, config, layout, driver, chosen).map_err(Failure::before_agents)?;
        used.apply(&mut charter);
        let outcome = driver.run(charter.clone(), news).await;
        driver.watch.reporter.finish();
        let has_called = driver.has_called();
        let outcome = outcome.map_err(Failure::from).map_err(|failure| match has_called {
            true => failure,
            false => failure.before_agents(),
        });
        let paused = match outcome? {
            Outcome::Ended(ended) => return end(site, layout, driver, &charter, &ended),
            Outcome::Paused(paused) => paused,
        };
        if !args.wait {
            driver.world.release_room()?;
            report::leave(site, layout, &driver.watch.chronicle, driver.state());
            tell_pause(&paused);
            return Ok(Exit::RateLimited);
        }
        used.add(driver.state());
        if used.reaches(charter.limits) {
            driver.world.reload_backlog()?;
            continue;
        }
        let time = waits.next(&paused, clock::now(), driver.watch.achieved);
        if let Some(exit) = wait_out(site, layout, driver, &paused, time).await? {
            return Ok(exit);
        }
    }
}

/// Waits on where an earlier process did, whatever ended it. Only for an agent that is still to be
/// called, and no longer than its provider wants.
async fn go_on_waiting(
    site: &Site,
    flags: &Overrides,
    layout: &Layout,
    tapes: &Tapes,
    driver: &mut HostDriver,
    paused: &RunPaused,
) -> Result<Option<Exit>, Failure> {
    let now = clock::now();
    let Some(until) = paused.until.filter(|until| *until > now) else { return Ok(None) };
    let config = read_config(site, layout, flags, tapes)?;
    if !charter::role_names(&config).contains(&paused.agent) {
        return Ok(None);
    }
    wait_out(site, layout, driver, paused, wait::left(until, now)).await
}

/// Waits, and reads anew what people may have changed meanwhile; unless somebody wants the run to
/// end: then it does.
async fn wait_out(
    site: &Site,
    layout: &Layout,
    driver: &mut HostDriver,
    paused: &RunPaused,
    time: Duration,
) -> Result<Option<Exit>, Failure> {
    let request = wait::wait(site, paused, time, driver).await;
    let Some(request) = request else {
        driver.world.reload_backlog()?;
        driver.world.set_prompts(Prompts::load(&layout.prompts())?);
        return Ok(None);
    };
    let charter = driver.state().charter().cloned();
    match (driver.end_wait(request).await?, charter) {
        (Outcome::Ended(ended), Some(charter)) => {
            end(site, layout, driver, &charter, &ended).map(Some)
        }
        (Outcome::Ended(_) | Outcome::Paused(_), _) => Ok(Some(Exit::RateLimited)),
    }
}

/// Finds a sandbox for the run.
async fn contained(
    site: &Site,
    config: &Config,
    layout: &Layout,
    driver: &mut HostDriver,
) -> Result<Chosen, Failure> {
    let git_dirs = driver.world.git().dirs().map(PathBuf::from);
    let backlog = driver.world.backlog().path().to_owned();
    contain::choose(site, config, &Ground { layout, git_dirs, backlog: &backlog }).await
}

/// Checks everything that has to hold before an agent is called.
fn begin(
    site: &Site,
    args: &RunArgs,
    config: &Config,
    layout: &Layout,
    driver: &mut HostDriver,
    chosen: Chosen,
) -> Result<(Charter, News), Failure> {
    let parsed = read_backlog(site, driver)?;
    driver.world.try_out()?;
    let mut charter = charter::draw_up(site, args, config, layout, driver, &parsed.backlog)?;
    charter.containment = Some(chosen.containment);
    charter.settings = Some(settings::pin(driver, site, layout)?);
    tape::begin(config, driver, &charter)?;
    driver.world.contain(chosen.sandbox);
    let news = news::news(driver, &charter, &parsed.backlog)?;
    if let Some(warning) = spending::warning(&charter) {
        warn(site, &warning);
    }
    if !site.global.quiet {
        say(&banner::banner(layout, &charter, config, chosen.why.as_deref()));
    }
    Ok((charter, news))
}

/// The task a command line names, as the backlog knows it.
fn known_task(backlog: &Backlog, text: &str) -> Result<crate::engine::id::TaskId, Failure> {
    let id = task_id(text);
    if backlog.entry(&id).is_some() {
        return Ok(id);
    }
    Err(Failure::new(Exit::Usage, format!("the backlog has no task {id}"))
        .help("`looper ls` lists the tasks"))
}

/// Events that say what the backlog says.
type News = Vec<EventKind>;
