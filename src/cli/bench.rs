//! `looper bench`: how much of what is committed is bad, by scenarios that try.

mod from_log;
mod mutate;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::args::{BenchArgs, Format};
use super::exit::Exit;
use super::failure::Failure;
use super::signals::Signals;
use super::site::Site;
use super::{anew, print, print_json, tell};
use crate::bench::believer::{self, Believed};
use crate::bench::report::{Report, Row};
use crate::bench::scenario::Scenario;
use crate::bench::trial::{self, Terms, TrialError};
use crate::bench::{embedded, read_dir};

/// Runs the scenarios, or reads what earlier runs left, and says what was committed.
///
/// # Errors
/// There is no such scenario, or one of them says nothing.
pub(super) fn bench(site: &Site, args: &BenchArgs) -> Result<Exit, Failure> {
    if !args.from_log.is_empty() {
        return from_log::from_logs(site, args);
    }
    if let Some(log) = &args.mutate {
        return mutate::mutate(site, args, log);
    }
    let program = std::env::current_exe().map_err(|error| Failure::of(Exit::Machine, &error))?;
    let environment = anew::environment(site, &program)?;
    let scenarios = chosen(site, args)?;
    if args.list {
        return match site.global.format {
            Format::Text | Format::Html => print(&table::list(&scenarios)),
            Format::Json => print(&table::list_json(&scenarios)),
        };
    }
    // What is made from here on is gone again whatever signal comes.
    let signals = Signals::listen()?;
    let keep = args.keep.as_ref().map(|keep| site.cwd.join(keep));
    if let Some(keep) = &keep {
        std::fs::create_dir(keep).map_err(|error| cannot_keep(keep, &error))?;
    }
    let gates_off = args.off.iter().map(|gate| gate.0).collect();
    let path = environment.get(OsStr::new("PATH")).cloned();
    let jobs = args.jobs.or(std::thread::available_parallelism().ok());
    let jobs = jobs.map_or(1, NonZero::get);
    let bar = bar(site);
    signals.block_on(async |cancel| {
        let terms = Arc::new(Terms { program, path, gates_off, keep, cancel });
        let all = All { scenarios, terms, jobs, bar };
        if args.believer {
            return believed_all(site, &all.run(believe).await?);
        }
        let rows = all.run(judge).await?.into_values().map(|(_, row)| row).collect();
        tell_report(site, &Report::new(rows))
    })
}

fn cannot_keep(keep: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("cannot make the directory {}: {error}", keep.display()))
        .help("--keep names a directory that is not there yet")
}

fn chosen(site: &Site, args: &BenchArgs) -> Result<Vec<Scenario>, Failure> {
    let all = match &args.scenarios {
        Some(dir) => read_dir(&site.cwd.join(dir)),
        None => embedded(),
    };
    let all = all.map_err(|error| Failure::of(Exit::Usage, &error))?;
    let unknown = args.names.iter().find(|name| !all.iter().any(|known| known.name == **name));
    if let Some(unknown) = unknown {
        return Err(Failure::new(Exit::Usage, format!("there is no scenario {unknown:?}"))
            .help("`looper bench --list` lists them"));
    }
    let is_chosen =
        |scenario: &Scenario| args.names.is_empty() || args.names.contains(&scenario.name);
    Ok(all.into_iter().filter(is_chosen).collect())
}

fn bar(site: &Site) -> Option<ProgressBar> {
    let is_shown = std::io::stderr().is_terminal() && !site.global.quiet;
    is_shown.then(|| {
        let style = "{bar:30} {pos}/{len} scenarios  {wide_msg} {elapsed}";
        let style =
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar
    })
}

/// Scenarios that are to be run.
struct All {
    scenarios: Vec<Scenario>,
    terms: Arc<Terms>,
    /// How many at a time.
    jobs: usize,
    bar: Option<ProgressBar>,
}

async fn judge(scenario: Arc<Scenario>, terms: Arc<Terms>) -> Result<Row, TrialError> {
    let begun = Instant::now();
    let finding = trial::run(&scenario, &terms).await?;
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).ok();
    Ok(Row { finding, duration_ms })
}

async fn believe(scenario: Arc<Scenario>, terms: Arc<Terms>) -> Result<Believed, TrialError> {
    believer::run(&scenario, &terms).await
}

impl All {
    /// Runs each scenario, and says what came of it by name.
    async fn run<T: Send + 'static, F>(
        self,
        one: impl Fn(Arc<Scenario>, Arc<Terms>) -> F,
    ) -> Result<BTreeMap<String, (Arc<Scenario>, T)>, Failure>
    where
        F: Future<Output = Result<T, TrialError>> + 'static,
    {
        let places = Arc::new(Semaphore::new(self.jobs));
        let mut working = JoinSet::new();
        if let Some(bar) = &self.bar {
            bar.set_length(self.scenarios.len() as u64);
        }
        let local = tokio::task::LocalSet::new();
        for scenario in self.scenarios {
            let scenario = Arc::new(scenario);
            let (places, trial) = (places.clone(), one(scenario.clone(), self.terms.clone()));
            let work = async move {
                let place = places.acquire_owned().await;
                let done = trial.await;
                drop(place);
                (scenario, done)
            };
            working.spawn_local_on(work, &local);
        }
        let done = local.run_until(async {
            let (mut found, mut failure) = (BTreeMap::new(), None);
            // Also after a failure: whoever is at work has to come to an end.
            while let Some(next) = working.join_next().await {
                let (scenario, done) = next.map_err(|error| Failure::of(Exit::Bug, &error))?;
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                    bar.set_message(scenario.name.clone());
                }
                match done {
                    Ok(done) => drop(found.insert(scenario.name.clone(), (scenario, done))),
                    Err(error) => {
                        failure.get_or_insert_with(|| silent(&scenario.name, &error));
                    }
                }
            }
            failure.map_or(Ok(found), Err)
        });
        let done = done.await;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        match self.terms.cancel.is_cancelled() {
            true => Err(Failure::new(Exit::Interrupted, "interrupted")),
            false => done,
        }
    }
}

fn silent(name: &str, error: &TrialError) -> Failure {
    Failure::of(Exit::Machine, error)
        .because(format!("scenario {name} says nothing"))
        .help("--keep DIR leaves its project there to be looked at")
}

fn tell_report(site: &Site, report: &Report) -> Result<Exit, Failure> {
    match site.global.format {
        Format::Json => {
            print_json(report)?;
        }
        Format::Text | Format::Html => {
            let is_bare = report.scenarios.is_empty() && !report.commits.is_empty();
            let scenarios = if is_bare { String::new() } else { table::report(report) };
            print(&format!("{scenarios}{}", from_log::text(report)))?;
        }
    }
    Ok(if report.is_clean() { Exit::Ok } else { Exit::PersonNeeded })
}

/// A scenario with bad work that does not fool the believer tries nothing.
fn believed_all(
    site: &Site,
    believed: &BTreeMap<String, (Arc<Scenario>, Believed)>,
) -> Result<Exit, Failure> {
    print(&table::believed(believed))?;
    let idle = table::idle(believed);
    if idle.is_empty() {
        return Ok(Exit::Ok);
    }
    tell(site, &format!("these scenarios try nothing: {}", idle.join(", ")));
    Ok(Exit::PersonNeeded)
}
