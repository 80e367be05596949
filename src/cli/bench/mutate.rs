//! `looper bench --mutate`: would the verify commands of accepted work have noticed a fault in it?

use std::io::IsTerminal as _;
use std::path::Path;

use super::from_log::{accounts, existing, project_of};
use crate::bench::mutation::{Mutation, MutationError, Survivor, Tried, try_task};
use crate::cli::args::{BenchArgs, Format};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::signals::Signals;
use crate::cli::site::Site;
use crate::cli::{print, print_json, recheck, tell};
use crate::ui::sanitize::clean_line;
use crate::ui::story::short;

/// How many faults are tried in each task, where nobody says otherwise.
const MUTANTS: usize = 10;

/// Tries faults in everything that a log has committed.
pub(super) fn mutate(site: &Site, args: &BenchArgs, log: &Path) -> Result<Exit, Failure> {
    let path = existing(&site.cwd.join(log))?;
    let accounts = accounts(&path)?;
    let Some(layout) = project_of(site, &path)? else {
        let what = format!("{} is not the log of a project", path.display());
        return Err(Failure::new(Exit::Usage, what).help("name its project with --project"));
    };
    let (seed, max) = (args.seed.unwrap_or_default(), args.mutants.map_or(MUTANTS, |it| it.get()));
    let signals = Signals::listen()?;
    let tasks = signals.block_on(async |cancel| {
        let recheck = recheck::open(site, &layout, cancel).await?;
        let mut tasks = vec![];
        for accepted in accounts.accepted.iter().filter(|it| it.commit.is_some()) {
            if std::io::stderr().is_terminal() {
                tell(site, &format!("task {}", accepted.task));
            }
            let tried = try_task(&recheck, accepted, max, seed).await;
            let tried = tried.map_err(|error| match error {
                MutationError::Recheck(error) => recheck::broken(&error),
                MutationError::Git(error) => Failure::from(error),
            })?;
            tasks.push(tried.ok_or_else(recheck::interrupted)?);
        }
        Ok::<_, Failure>(tasks)
    })?;
    let mutation = Mutation::new(seed, tasks);
    match site.global.format {
        Format::Json => print_json(&mutation)?,
        Format::Text | Format::Html => print(&text(&mutation))?,
    };
    Ok(if mutation.vacuous.is_empty() { Exit::Ok } else { Exit::PersonNeeded })
}

fn text(mutation: &Mutation) -> String {
    let mut text = String::new();
    for task in &mutation.tasks {
        let commit = task.commit.as_ref().map_or("", |commit| short(commit.as_str()));
        let head = format!("task {}, attempt {}, {commit}: {}", task.task, task.attempt, sum(task));
        text.push_str(&format!("{}\n", clean_line(&head)));
        for survivor in &task.survived {
            text.push_str(&format!("  survived  {}\n", clean_line(&line(survivor))));
        }
        if task.vacuous {
            let commands = task.commands.join("; ");
            let named = format!("  vacuous   these commands catch nothing: {commands}");
            text.push_str(&format!("{}\n", clean_line(&named)));
        }
    }
    let Mutation { seed, caught, vacuous, .. } = mutation;
    text.push_str(&format!("seed {seed}: caught {caught}; {} vacuous\n", vacuous.len()));
    text
}

fn sum(task: &Tried) -> String {
    if let Some(reason) = &task.reason {
        return format!("nothing tried: {reason}");
    }
    let mut text = format!("caught {} of {}", task.caught, task.told());
    if task.timed_out > 0 {
        text.push_str(&format!(", {} of them by running out of time", task.timed_out));
    }
    if task.broken > 0 {
        text.push_str(&format!(", {} could not be tried", task.broken));
    }
    text
}

fn line(survivor: &Survivor) -> String {
    let Survivor { path, line, kind, before, after } = survivor;
    let before = before.trim();
    let change = match after {
        Some(after) => format!("{before}  =>  {}", after.trim()),
        None => before.to_owned(),
    };
    format!("{path}:{line}  {}: {change}", kind.words())
}
