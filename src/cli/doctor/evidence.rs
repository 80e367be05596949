//! Whether what was recorded is whole: the log, its witnesses, and the objects that it names.

use super::findings::{Health, Visit};
use crate::cli::audit::{self, Before, Gathered};
use crate::cli::failure::Failure;
use crate::cli::site::{anchor, fold_proved};
use crate::cli::status::holder;
use crate::engine::state::{State, Transaction};
use crate::host::audit::Standing;
use crate::host::git::Git;
use crate::host::log::{LogError, Reader};
use crate::host::paths::Layout;
use crate::host::tx::copy::{self, Seen};

/// What a pass over the log brought.
struct Pass<'git> {
    state: State,
    reader: Reader,
    gathered: Gathered,
    before: Option<Before<'git>>,
}

impl Visit<'_> {
    pub(super) fn log(&mut self, layout: &Layout, git: Option<&Git>) -> Option<State> {
        let Pass { state, reader, gathered, before } = match self.read_log(layout, git) {
            Ok(read) => read,
            Err(failure) => {
                self.log_failure(layout, &failure);
                return None;
            }
        };
        let events = reader.tip().seq;
        match reader.torn() {
            Some(torn) if !matches!(holder(layout), Ok(Some(_))) => {
                let hint = "`looper run` keeps it aside and goes on";
                self.warn("log", format!("{events} events, then {torn}"), hint);
            }
            Some(_) | None => self.ok("log", format!("{events} events, all of them replay")),
        }
        self.commits(layout, before, &gathered);
        self.objects(layout, &gathered);
        Some(state)
    }

    fn read_log<'git>(
        &self,
        layout: &Layout,
        git: Option<&'git Git>,
    ) -> Result<Pass<'git>, Failure> {
        let mut reader = Reader::open(&layout.events())?;
        if let Ok(Seen::Memory(memory)) = self.seen(layout) {
            reader = reader.expecting("the transaction", memory.anchor.seq, memory.anchor.proof);
        }
        let remembered = git.map(anchor).transpose()?.flatten();
        if let Some((seq, proof)) = remembered {
            reader = reader.expecting("refs/looper/log", seq, proof);
        }
        let seq = remembered.map(|(seq, _)| seq);
        let before = git.map(|git| Before::new(git, seq)).transpose()?;
        let mut gathered = Gathered::default();
        let state = fold_proved(State::default(), &mut reader, |event, _, proof| {
            gathered.note(event, proof);
        })?;
        Ok(Pass { state, reader, gathered, before })
    }

    /// A log of LoopDex is no damage: a run sets it aside.
    fn log_failure(&mut self, layout: &Layout, failure: &Failure) {
        let first = Reader::open(&layout.events()).ok().and_then(|mut reader| reader.next());
        if let Some(Err(LogError::Foreign { .. })) = first {
            let hint = failure.way_out().unwrap_or_default().to_owned();
            self.warn("log", failure.summary(), &hint);
        } else {
            self.fail("log", failure);
        }
    }

    /// What the transaction remembers. A run at work has it for itself.
    fn seen(&self, layout: &Layout) -> Result<Seen<Transaction>, Failure> {
        match holder(layout) {
            Ok(None) => Ok(copy::look(&layout.tx())?),
            Ok(Some(_)) | Err(_) => Ok(Seen::Nothing),
        }
    }

    fn commits(&mut self, layout: &Layout, before: Option<Before<'_>>, gathered: &Gathered) {
        let Some(before) = before else { return };
        let report = match before.compare(&gathered.ledger) {
            Ok(report) => report,
            Err(failure) => return self.fail("commits", &failure),
        };
        if let Some(failure) = audit::contradiction(&layout.events(), &report) {
            return self.fail("commits", &failure);
        }
        let recorded = report.of(Standing::Recorded);
        let detail =
            format!("{recorded} of {} are where they were made", gathered.ledger.commits());
        self.ok("commits", detail);
    }

    fn objects(&mut self, layout: &Layout, gathered: &Gathered) {
        let report = match audit::objects(layout, &gathered.wanted) {
            Ok(report) => report,
            Err(failure) => return self.fail("objects", &failure),
        };
        if let Some(failure) = audit::damage(&report) {
            return self.fail("objects", &failure);
        }
        let detail = format!("{} of {} are there", report.named - report.missing, report.named);
        match report.faults.first() {
            None => self.ok("objects", detail),
            Some(first) => {
                let detail = format!("{detail}; {}", audit::fault_sentence(first));
                let hint = "the evidence of those events is lost, the log is whole: bring \
                            objects/ back from a backup; `looper replay --objects` lists them";
                self.warn("objects", detail, hint);
            }
        }
    }

    pub(super) fn transaction(&mut self, layout: &Layout, state: Option<&State>) {
        let seen = self.seen(layout);
        let is_running = matches!(holder(layout), Ok(Some(_)));
        if !is_running && let Some(attempt) = state.and_then(State::attempt) {
            let (task, number) = (&attempt.task.id, attempt.number);
            let detail = format!("attempt {number} at task {task} was cut short");
            self.warn("transaction", detail, "`looper run` settles it first");
            if !matches!(seen, Ok(Seen::Broken(_)) | Err(_)) {
                return;
            }
        }
        match seen {
            Ok(Seen::Broken(why)) => {
                let detail = format!("{} cannot be used: {why}", layout.tx().display());
                let hint = "`looper run` keeps it aside and goes on: the log is the truth";
                self.warn("transaction", detail, hint);
            }
            Ok(_) if layout.tx().is_dir() => self.ok("transaction", "it can be read"),
            Ok(_) => self.ok("transaction", "there is none yet"),
            Err(failure) => {
                self.note("transaction", Health::Fail, failure.summary(), failure.way_out());
            }
        }
    }
}
