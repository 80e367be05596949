//! A person's decision about one task, recorded outside a run.

use super::audit::{self, Known};
use super::exit::Exit;
use super::failure::Failure;
use super::run::write_pending;
use super::site::{Site, anchor, fold_proved, task_id};
use super::tell;
use crate::backlog::{Backlog, Entry};
use crate::engine::event::{Event, EventKind, FORMAT};
use crate::engine::fold::fold;
use crate::engine::id::{Digest, TaskId};
use crate::engine::state::State;
use crate::engine::task::Mark;
use crate::host::audit::Ledger;
use crate::host::clock;
use crate::host::git::Git;
use crate::host::lock::{Lock, Owner};
use crate::host::log::{Reader, Writer};
use crate::host::paths::Layout;
use crate::host::world::BacklogFile;

/// A task as a person finds it.
pub(super) struct Found<'a> {
    /// Which one.
    pub(super) task: TaskId,
    /// Attempts so far.
    pub(super) attempts: u32,
    /// What the backlog says about its progress.
    pub(super) mark: &'a Mark,
}

/// What a person decided.
pub(super) struct Ruling {
    /// What the backlog says from now on.
    pub(super) mark: Mark,
    /// The event, given the backlog's digests without and with the mark.
    pub(super) event: Box<dyn FnOnce(Digest, Digest) -> EventKind>,
}

/// Records a decision under the lock: in the log first, then in the backlog. What else a person
/// changed in the backlog stays for the next run to find.
///
/// # Errors
/// A run is going on or was cut short, the task is unknown, or `rule` refuses.
pub(super) fn decide(
    site: &Site,
    command: &str,
    task: &str,
    rule: impl FnOnce(&Found<'_>) -> Result<Ruling, Failure>,
) -> Result<Exit, Failure> {
    let layout = site.layout()?;
    let path = site.backlog(&layout)?;
    layout.ensure()?;
    let run = clock::new_run_id(clock::now());
    let _lock = Lock::take(&layout.lock(), &Owner::this_process(command, Some(&run)))?;
    let (state, reader) = read_log(&layout)?;
    if let Some(attempt) = state.attempt() {
        let (task, number) = (&attempt.task.id, attempt.number);
        let what = format!("attempt {number} at task {task} was cut short and is still open");
        return Err(Failure::new(Exit::Refused, what)
            .help("`looper run` settles it; then decide about the task"));
    }
    let mut file = BacklogFile::open(&path)?;
    let found = Backlog::parse(file.text()).backlog;
    write_pending(&state, &mut file, &found)?;
    let backlog = Backlog::parse(file.text()).backlog;
    let entry = find(&backlog, task)?;
    let attempts = state.progress().get(&entry.task.id).map_or(0, |known| known.attempts);
    let found = Found { task: entry.task.id.clone(), attempts, mark: &entry.mark };
    let Ruling { mark, event } = rule(&found)?;
    let (before, after) = file.weigh(&mark)?;
    let (seq, at) = (state.next(), clock::now());
    let event = Event { v: FORMAT, seq, at, run, kind: event(before, after) };
    fold(state, &event).map_err(|error| Failure::of(Exit::Bug, &error))?;
    record(site, reader, &event)?;
    file.write(&mark)?;
    tell(site, &format!("{} is recorded as event {seq}.", event.kind.name()));
    Ok(Exit::Ok)
}

fn find<'a>(backlog: &'a Backlog, text: &str) -> Result<&'a Entry, Failure> {
    let id = task_id(text);
    backlog.entry(&id).ok_or_else(|| {
        let what = if backlog.completed.contains(&id) {
            format!("task {id} is done and no longer described in the backlog")
        } else {
            format!("the backlog has no task {id}")
        };
        Failure::new(Exit::Usage, what).help("`looper ls` lists the tasks")
    })
}

/// Reads the log, and compares it with what the repository remembers of it.
fn read_log(layout: &Layout) -> Result<(State, Reader), Failure> {
    let mut reader = Reader::open(&layout.events())?;
    // A project that is no repository any more can still be decided about.
    let git = Git::open(layout.project(), &[]).ok();
    let mut known = Known::default();
    if let Some((seq, proof)) = git.as_ref().map(anchor).transpose()?.flatten() {
        known.witnessed = seq;
        reader = reader.expecting("refs/looper/log", seq, proof);
    }
    let mut ledger = Ledger::default();
    let state = fold_proved(State::default(), &mut reader, |event, _, proof| {
        ledger.note(event, proof);
    })?;
    if let Some(git) = git {
        audit::refuse_lost(&git, &ledger, reader.path(), &known)?;
    }
    Ok((state, reader))
}

/// Adds one event, durably.
fn record(site: &Site, reader: Reader, event: &Event) -> Result<(), Failure> {
    let mut opened = Writer::take_over(reader)?;
    if let Some(repair) = opened.repair {
        let kept = repair.kept.display();
        tell(site, &format!("warning: the log ended in {}; it is kept as {kept}", repair.torn));
    }
    opened.writer.append(event)?;
    opened.writer.sync()?;
    Ok(())
}
