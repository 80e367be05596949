//! Opens everything a run works with, and finds out what an earlier one left.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::settings;
use super::settle::Settled;
use super::{HostDriver, Told};
use crate::backlog::{Backlog, diff, news};
use crate::cli::audit::{self, Known};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::site::{Site, anchor, excluded, fold_proved};
use crate::driver::Driver;
use crate::engine::event::EventKind;
use crate::engine::id::{CommitId, Digest, ObjectId, RunId, Seq};
use crate::engine::state::{BacklogDigest, State, Transaction};
use crate::engine::task::Mark;
use crate::host::audit::Ledger;
use crate::host::clock;
use crate::host::files::{self, FileError};
use crate::host::git::Git;
use crate::host::lock::Lock;
use crate::host::log::{Reader, Writer};
use crate::host::objects::Objects;
use crate::host::paths::Layout;
use crate::host::process::{Cancel, Limits, left_running, sweep_run};
use crate::host::prompts::Prompts;
use crate::host::reserve::Reserve;
use crate::host::tx::{Memory, Opened as OpenedTx, Tx};
use crate::host::world::{BacklogFile, HostLog, HostWorld, Parts, SystemClock};
use crate::ui::accounts::Accounts;
use crate::ui::report::Chronicle;
use crate::ui::reporter::Reporter;

/// Everything a run works with.
pub(super) struct Opened {
    /// The run that is open, or the new one.
    pub(super) run: RunId,
    /// What a person should hear.
    pub(super) notes: Vec<String>,
    /// How many processes the dead run had left running.
    pub(super) ended: u32,
    /// Why nothing may be begun once what is open is settled.
    refusal: Option<Failure>,
    state: State,
    chronicle: Chronicle,
    writer: Writer,
    tx: Tx<Transaction>,
    git: Git,
    backlog: BacklogFile,
    prompts: Prompts,
    shell: &'static str,
    cancel: Cancel,
}

pub(super) async fn open(
    site: &Site,
    layout: &Layout,
    run: RunId,
    cancel: Cancel,
) -> Result<Opened, Failure> {
    let mut notes = vec![];
    sweep(layout)?;
    Reserve::new(layout.reserve()).release_if_short()?;
    let OpenedTx { tx, memory, note, .. } = Tx::<Transaction>::open(&layout.tx())?;
    notes.extend(note);
    let mut reader = Reader::open(&layout.events())?;
    let mut known = Known::default();
    if let Some(Memory { anchor, .. }) = &memory {
        (known.witnessed, known.remembered) = (anchor.seq, Some(anchor.seq));
        reader = reader.expecting("the transaction", anchor.seq, anchor.proof);
    }
    // The repository may be in a state that is refused: what it remembers of the log is asked for
    // before anything else is asked of it.
    let place = open_backlog_path(site, layout);
    let open_git = |backlog: &Path| Git::open(layout.project(), &excluded(layout, backlog));
    let named = place.as_deref().map_or_else(|_| layout.backlog(), Path::to_owned);
    let mut git = open_git(&named)?;
    if let Some((seq, proof)) = anchor(&git)? {
        known.witnessed = known.witnessed.max(seq);
        reader = reader.expecting("refs/looper/log", seq, proof);
    }
    let Past { state, ledger, pinned, chronicle } = read_past(&mut reader, known.remembered)?;
    // Whatever the log says of its end, what the transaction has open was not closed by a run.
    let record = memory.and_then(|memory| memory.record);
    let ended = end_what_is_left([state.run_id(), record.as_ref().map(|open| &open.run)]).await?;
    let is_open = !state.is_settled() || record.is_some();
    known.tip = record.and_then(|open| unmade(&state, open));
    audit::refuse_lost(&git, &ledger, &layout.events(), &known)?;
    let opened = Writer::take_over(reader)?;
    if let Some(repair) = opened.repair {
        notes.push(format!("{}; it is kept as {}", repair.torn, repair.kept.display()));
    }
    let (path, is_other) = match open_attempt_backlog(&state, layout) {
        Some(path) => {
            let is_other = place.is_ok_and(|place| place != path);
            (path, is_other)
        }
        None => (place?, false),
    };
    // What belongs to the attempt's backlog is no part of what its rollback touches.
    if path != named {
        git = open_git(&path)?;
    }
    let backlog = open_backlog(&path, layout, &state, is_open, &mut notes)?;
    let mut refusal = match pinned.filter(|_| is_open) {
        Some(pinned) => settings::put_back(site, layout, &pinned, &mut notes)?,
        None => None,
    };
    refusal = refusal.or_else(|| is_other.then(|| other_backlog(&path)));
    let prompts = or_refuse(Prompts::load(&layout.prompts()), &mut refusal).unwrap_or_default();
    let shell = or_refuse(find_shell(site, layout), &mut refusal).unwrap_or("sh");
    if state.is_settled()
        && let Some(refusal) = refusal
    {
        return Err(refusal);
    }
    let run = state.run_id().cloned().unwrap_or(run);
    Ok(Opened {
        run,
        notes,
        ended,
        refusal,
        state,
        chronicle,
        writer: opened.writer,
        tx,
        git,
        backlog,
        prompts,
        shell,
        cancel,
    })
}

/// What the log tells.
struct Past {
    state: State,
    /// All of it, for the report.
    chronicle: Chronicle,
    ledger: Ledger,
    /// What the settings were under the last charter that the transaction vouches for, where there
    /// is one: behind that, a charter may be an agent's.
    pinned: Option<BTreeMap<String, Digest>>,
}

fn read_past(reader: &mut Reader, remembered: Option<Seq>) -> Result<Past, Failure> {
    let (mut ledger, mut pinned) = (Ledger::default(), None);
    let mut chronicle = Chronicle::default();
    let state = fold_proved(State::default(), reader, |event, state, proof| {
        ledger.note(event, proof);
        chronicle.saw(event, state);
        if let EventKind::RunStarted(charter) | EventKind::RunResumed(charter) = &event.kind
            && remembered.is_none_or(|last| event.seq <= last)
        {
            pinned.clone_from(&charter.settings);
        }
    })?;
    Ok(Past { state, chronicle, ledger, pinned })
}

/// Whoever is still at work would change again what is about to be looked at and put back.
async fn end_what_is_left(runs: [Option<&RunId>; 2]) -> Result<u32, Failure> {
    let mut ended = 0;
    for run in runs.into_iter().flatten().collect::<BTreeSet<_>>() {
        let swept = sweep_run(run, Limits::GRACE).await;
        ended += swept.ended;
        if swept.survivors > 0 {
            let left: Vec<String> = left_running(run).iter().map(ToString::to_string).collect();
            let what = format!("processes of the run that died do not end: {}", left.join(", "));
            return Err(Failure::new(Exit::Refused, what).help(
                "they hang in the system or belong to another user: end them, then run again",
            ));
        }
    }
    Ok(ended)
}

/// What is wrong is said once everything is settled.
fn or_refuse<T, E: Into<Failure>>(
    result: Result<T, E>,
    refusal: &mut Option<Failure>,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            refusal.get_or_insert_with(|| error.into());
            None
        }
    }
}

fn other_backlog(path: &Path) -> Failure {
    let what = format!("the attempt that was open belongs to {}; it is settled", path.display());
    Failure::new(Exit::Refused, what)
        .help("run the same command again, or name that backlog with --backlog")
}

fn find_shell(site: &Site, layout: &Layout) -> Result<&'static str, Failure> {
    site.shell(layout.project()).ok_or_else(|| {
        Failure::new(Exit::Refused, "neither bash nor sh is on the PATH")
            .help("verify commands need a shell")
    })
}

/// Where the open attempt began, if the transaction vouches that it has not come to a commit: what
/// is above that is an agent's, whatever it claims, and recovery puts it back.
fn unmade(state: &State, open: Transaction) -> Option<CommitId> {
    let is_same = state.transaction().as_ref() == Some(&open);
    (is_same && open.prepared.is_none()).then_some(open.base)
}

/// A write that was cut off leaves its temporary file.
fn sweep(layout: &Layout) -> Result<(), Failure> {
    for dir in [layout.state().to_owned(), layout.objects(), layout.project().join(".loop-agent")] {
        if dir.is_dir() {
            files::sweep_leftovers(&dir)?;
        }
    }
    Ok(())
}

fn open_backlog_path(site: &Site, layout: &Layout) -> Result<PathBuf, Failure> {
    site.backlog(layout)
}

/// An attempt that was cut short is settled with the backlog it was begun with.
fn open_attempt_backlog(state: &State, layout: &Layout) -> Option<PathBuf> {
    state.attempt()?;
    let path = layout.project().join(&state.charter()?.backlog.path);
    Some(path)
}

/// Reads the backlog. While an attempt was open, a backlog that is neither as it was nor as it was
/// about to be is an agent's doing: a copy is kept, and the file is brought back.
fn open_backlog(
    path: &Path,
    layout: &Layout,
    state: &State,
    is_open: bool,
    notes: &mut Vec<String>,
) -> Result<BacklogFile, Failure> {
    let found = BacklogFile::open(path);
    let Some(wanted) = state.backlog().filter(|_| is_open) else { return Ok(found?) };
    if let Ok(file) = &found
        && [&wanted.before, &wanted.after].contains(&&file.digest())
    {
        return Ok(found?);
    }
    let mut objects = Objects::new(layout.objects());
    let get = |digest: &Digest| {
        objects.get(&ObjectId::new(digest.as_str()), crate::host::world::BACKLOG_BYTES_MAX).ok()
    };
    let Some(bytes) = news::as_it_was(state, wanted, get) else {
        // Nothing tells what it said but the log: a backlog that says the same is as good.
        return match found {
            Ok(file) if says_the_same(state, wanted, file.text()) => Ok(file),
            _ => Err(unknown_backlog(path, state)),
        };
    };
    let mode = mode_of(path);
    let kept = keep_found(path, layout, &mut objects)?;
    notes.push(format!(
        "{} was changed while an attempt was open: it is as it was before{kept}",
        path.display()
    ));
    files::write_atomic(path, &bytes, mode)?;
    Ok(BacklogFile::open(path)?)
}

/// Whether a backlog asks for what the log says, and shows nothing else as done. The mark that was
/// about to be written is written anyway.
fn says_the_same(state: &State, wanted: &BacklogDigest, text: &str) -> bool {
    let parsed = Backlog::parse(text);
    let is_known = |mark: &Mark| {
        let known = state.progress().get(&mark.task);
        let (status, fail_count) =
            known.map(|known| (known.status, known.fail_count)).unwrap_or_default();
        wanted.task.as_ref() == Some(&mark.task)
            || (status, fail_count) == (mark.status, mark.fail_count)
    };
    parsed.complaints.is_empty()
        && diff::tasks(state.tasks(), &parsed.backlog.tasks()).is_empty()
        && parsed.backlog.marks().iter().all(is_known)
}

fn unknown_backlog(path: &Path, state: &State) -> Failure {
    let what = format!(
        "{} was changed while an attempt was open, and what it said is not kept any more",
        path.display()
    );
    let object = state.charter().map(|charter| charter.backlog.digest.as_str());
    let object = object.unwrap_or("that run_started names");
    Failure::new(Exit::Refused, what).help(format!(
        "bring the backlog back, or object {object}, from a backup; a backlog with the tasks and \
         marks that `looper log --format json` shows does as well"
    ))
}

/// Keeps whatever lies where the backlog belongs, and says where.
fn keep_found(path: &Path, layout: &Layout, objects: &mut Objects) -> Result<String, Failure> {
    if let Ok(bytes) = files::read_bounded(path, crate::host::world::BACKLOG_BYTES_MAX) {
        return Ok(format!("; what it said is kept as object {}", objects.put(&bytes)?));
    }
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(String::new());
    }
    let aside = set_aside(layout, path, |id| format!("backlog-found-{id}"))?;
    Ok(format!("; what was there is kept as {}", aside.display()))
}

/// The permissions that a file has which is about to be written anew.
pub(super) fn mode_of(path: &Path) -> u32 {
    let found = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file);
    found.map_or(0o644, |found| found.mode() & 0o777)
}

/// Moves whatever is at this path into the state directory, under a name that nothing has.
pub(super) fn set_aside(
    layout: &Layout,
    path: &Path,
    name: impl FnOnce(RunId) -> String,
) -> Result<PathBuf, FileError> {
    let aside = layout.state().join(name(clock::new_run_id(clock::now())));
    std::fs::rename(path, &aside).map_err(|source| FileError::io("set aside", path, source))?;
    Ok(aside)
}

impl From<crate::host::objects::ObjectError> for Failure {
    fn from(error: crate::host::objects::ObjectError) -> Self {
        Self::of(Exit::Machine, &error).help("check the disk, then run again")
    }
}

impl Opened {
    pub(super) fn driver(
        self,
        site: &Site,
        layout: &Layout,
        lock: Lock,
    ) -> (HostDriver, Option<Failure>) {
        let mut log = HostLog::new(self.writer);
        let mut world = HostWorld::new(Parts {
            user_file: site.user_file(),
            layout: layout.clone(),
            git: self.git,
            lock,
            tx: self.tx,
            tip: log.tip(),
            log: log.writer(),
            backlog: self.backlog,
            prompts: self.prompts,
            environment: site.environment.clone(),
            shell: self.shell,
            cancel: self.cancel,
            is_recovering: !self.state.is_settled(),
        });
        log.wait_for(world.objects().unflushed());
        let reporter = Reporter::new(site.has_terminal(), site.is_colored(), site.global.quiet);
        let told = Told {
            reporter,
            outcome: Settled::default(),
            achieved: 0,
            accounts: Accounts::default(),
            chronicle: self.chronicle,
        };
        let driver = Driver::new(log, world, SystemClock, told, self.state, self.run);
        (driver, self.refusal)
    }
}
