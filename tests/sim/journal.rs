//! The log as bytes of real lines, written and read by the rules of `host/log`.

use std::rc::Rc;

use looper::driver::{Clock, Log, Watch};
use looper::engine::at::At;
use looper::engine::event::{Event, EventKind, JudgedAs};
use looper::engine::id::{CommitId, Seq, TaskId, TreeId};
use looper::engine::line::{self, Proof};
use looper::engine::replay::replay_one;
use looper::engine::state::State;
use looper::host::log::Tip;

use crate::computer::{Computer, KnownLine, Shared};
use crate::fault::{Broken, Doing, Fault, Phase};
use crate::oracle::Debt;

/// The only writer of a log.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Shared,
    pending: Vec<u8>,
    appended: Tip,
    synced: Tip,
    is_poisoned: bool,
}

impl Journal {
    /// Continues where a pass over the log ended: cuts an unfinished line off, and makes durable
    /// what it builds on.
    pub(crate) fn take_over(shared: &Shared, tip: Tip) -> Result<Self, Broken> {
        let journal = Self {
            shared: Rc::clone(shared),
            pending: vec![],
            appended: tip,
            synced: tip,
            is_poisoned: false,
        };
        let mut machine = shared.borrow_mut();
        let whole = usize::try_from(tip.offset).expect("a length fits");
        if machine.log.now.len() > whole {
            machine.step("copy the unfinished line")?;
            machine.step("cut the unfinished line off")?;
            machine.log.now.truncate(whole);
        }
        machine.step("flush what is there of the log")?;
        machine.log.flush();
        machine.log.synced = tip.seq;
        machine.log.appended = tip.seq;
        drop(machine);
        Ok(journal)
    }

    /// Where the durable part ends.
    pub(crate) fn tip(&self) -> Tip {
        self.synced
    }

    fn write_and_flush(&mut self) -> Result<(), Broken> {
        let mut machine = self.shared.borrow_mut();
        let machine = &mut *machine;
        if !self.pending.is_empty() {
            let written = machine.step("write to the log");
            let whole = self.pending.len() as u64;
            let bytes = match &written {
                Ok(()) => whole,
                Err(_) => machine.dice.below(whole + 1),
            };
            let bytes = usize::try_from(bytes).expect("a length fits");
            machine.log.now.extend_from_slice(&self.pending[..bytes]);
            self.pending.clear();
            written?;
        }
        machine.step("flush the log")?;
        machine.log.flush();
        machine.log.synced = self.appended.seq;
        machine.unsettled.clear();
        Ok(())
    }
}

impl Log for Journal {
    type Error = Broken;

    fn append(&mut self, event: &Event) -> Result<Proof, Broken> {
        if self.is_poisoned {
            return Err(Broken::Machine("the log is closed"));
        }
        let mut machine = self.shared.borrow_mut();
        if let Some(doing) = Doing::begun_by(&event.kind) {
            machine.begins(doing, Phase::Before);
        } else if let EventKind::CommitFinished(_) = &event.kind {
            machine.enters(Phase::After);
        }
        let (text, proof) = line::write(event, self.appended.proof);
        machine.log.proofs.insert(event.seq, proof);
        machine.log.appended = event.seq;
        machine.tell(|| format!("  {} {}", event.seq, event.kind.name()));
        let offset = self.appended.offset + text.len() as u64;
        self.pending.extend_from_slice(text.as_bytes());
        self.appended = Tip { seq: event.seq, proof, offset };
        Ok(proof)
    }

    fn sync(&mut self) -> Result<(), Broken> {
        if self.is_poisoned {
            return Err(Broken::Machine("the log is closed"));
        }
        let done = self.write_and_flush();
        self.is_poisoned = done.is_err();
        done?;
        self.synced = self.appended;
        self.shared.borrow_mut().oracle.tip = self.synced;
        Ok(())
    }
}

/// What a pass over the log finds.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) state: State,
    pub(crate) tip: Tip,
    /// The proof of each line.
    pub(crate) proofs: Vec<Proof>,
    pub(crate) commits: Vec<(TaskId, CommitId)>,
    pub(crate) passed: Vec<TreeId>,
    pub(crate) debt: Debt,
}

impl Found {
    fn note(&mut self, kind: &EventKind) {
        self.debt.note(kind);
        match kind {
            EventKind::CommitFinished(data) => {
                self.commits.push((data.task.clone(), data.commit.clone()));
            }
            EventKind::Reconciled(data) => {
                self.commits.extend(data.commit.clone().map(|id| (data.task.clone(), id)));
            }
            EventKind::GatesJudged(data) if data.outcome == JudgedAs::Pass => {
                self.passed.push(data.tree.clone());
            }
            _ => {}
        }
    }
}

/// What a line says, if it is the same as before, and those before it are: proofs are a chain, so
/// the line alone tells.
fn known(machine: &Computer, index: usize, line: &[u8]) -> Option<(Event, Proof)> {
    let known = machine.log.known.get(index).filter(|known| known.bytes == line)?;
    Some((known.event.clone(), known.proof))
}

/// Reads, proves and replays the log, and demands the lines that somebody remembers.
pub(crate) fn read(
    machine: &mut Computer,
    witnesses: &[Option<(Seq, Proof)>],
) -> Result<Found, Broken> {
    let (state, tip) = (State::default(), Tip::START);
    let debt = Debt::default();
    let mut found = Found { state, tip, proofs: vec![], commits: vec![], passed: vec![], debt };
    let bytes = machine.log.now.clone();
    let mut rest = &bytes[..];
    let expected = |seq: Seq| witnesses.iter().flatten().filter(move |(at, _)| *at == seq);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let Tip { seq, proof, offset } = found.tip;
        let bad = |what: String| Broken::BadLog(format!("line {}: {what}", seq.next()));
        let (event, proof) = match known(machine, found.proofs.len(), &rest[..end]) {
            Some(line) => line,
            None => {
                let text = std::str::from_utf8(&rest[..end]);
                let text = text.map_err(|error| bad(error.to_string()))?;
                let (event, proof) =
                    line::read(text, proof).map_err(|error| bad(error.to_string()))?;
                machine.log.known.truncate(found.proofs.len());
                let bytes = rest[..end].to_vec();
                machine.log.known.push(KnownLine { bytes, event: event.clone(), proof });
                (event, proof)
            }
        };
        if expected(event.seq).any(|(_, known)| *known != proof) {
            return Err(bad("another line is remembered".to_owned()));
        }
        let state = std::mem::take(&mut found.state);
        found.state = replay_one(state, &event).map_err(|error| bad(error.to_string()))?;
        found.tip = Tip { seq: event.seq, proof, offset: offset + end as u64 + 1 };
        found.proofs.push(proof);
        found.note(&event.kind);
        rest = &rest[end + 1..];
    }
    match witnesses.iter().flatten().find(|(seq, _)| *seq > found.tip.seq) {
        Some((seq, _)) => Err(Broken::BadLog(format!("event {seq} is lost"))),
        None => Ok(found),
    }
}

/// A clock that goes forwards, mostly.
#[derive(Debug)]
pub(crate) struct Wobbly(pub(crate) Shared);

impl Clock for Wobbly {
    fn now(&self) -> At {
        let mut machine = self.0.borrow_mut();
        let jump = match machine.dice.below(50) {
            0 => -86_400_000,
            1 => 86_400_000,
            _ => 7,
        };
        machine.millis += jump;
        At::from_millis(machine.millis)
    }
}

/// Checks everything that can be checked after each event.
#[derive(Debug)]
pub(crate) struct Checks(pub(crate) Shared);

impl Watch for Checks {
    fn saw(&mut self, event: &Event, state: &State) {
        let mut machine = self.0.borrow_mut();
        assert!(machine.down != Some(Fault::PowerCut), "told after the end");
        assert!(event.seq <= machine.log.synced, "told before it is durable");
        machine.saw(event, state);
    }
}
