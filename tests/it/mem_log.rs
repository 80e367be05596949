//! A log, a clock and a watcher in memory.

use looper::driver::{Clock, Log, Watch};
use looper::engine::at::At;
use looper::engine::event::{Event, EventKind};
use looper::engine::line::{self, Proof};
use looper::engine::state::State;

use crate::scripted_world::PowerCut;

/// A log in memory: what is not synced may be lost.
#[derive(Debug, Default)]
pub(crate) struct MemLog {
    pub(crate) events: Vec<Event>,
    pub(crate) lines: Vec<String>,
    pub(crate) synced: usize,
    pub(crate) proof: Option<Proof>,
    /// How many more events fit on the disk.
    pub(crate) room: usize,
}

impl MemLog {
    /// What a new process finds: everything synced, and some of the rest.
    pub(crate) fn after_a_cut(mut self, kept: usize) -> Vec<Event> {
        let left = (self.synced + kept).min(self.events.len());
        self.events.truncate(left);
        self.events
    }

    pub(crate) fn holding(events: Vec<Event>, room: usize) -> Self {
        let mut log = Self { room: usize::MAX, ..Self::default() };
        for event in &events {
            log.append(event).expect("there is room");
        }
        log.synced = log.events.len();
        log.room = room;
        log
    }
}

impl Log for MemLog {
    type Error = PowerCut;

    fn append(&mut self, event: &Event) -> Result<Proof, PowerCut> {
        self.room = self.room.checked_sub(1).ok_or(PowerCut)?;
        let before = self.proof.unwrap_or(Proof::GENESIS);
        let (line, proof) = line::write(event, before);
        self.events.push(event.clone());
        self.lines.push(line);
        self.proof = Some(proof);
        Ok(proof)
    }

    fn sync(&mut self) -> Result<(), PowerCut> {
        self.synced = self.events.len();
        Ok(())
    }
}

/// A clock that ticks once per look.
#[derive(Debug, Default)]
pub(crate) struct Tick(std::cell::Cell<i64>);

impl Tick {
    /// A clock for whoever goes on after these events: past the time until which a run waits.
    pub(crate) fn after(events: &[Event]) -> Self {
        let until = |event: &Event| match &event.kind {
            EventKind::RunPaused(paused) => paused.until.map(At::millis),
            _ => None,
        };
        let latest = events.iter().filter_map(until).max().unwrap_or(0);
        Self(std::cell::Cell::new(latest.saturating_add(60_000)))
    }
}

impl Clock for Tick {
    fn now(&self) -> At {
        self.0.set(self.0.get() + 1);
        At::from_millis(self.0.get())
    }
}

/// Nobody watches.
#[derive(Debug, Default)]
pub(crate) struct Nobody;

impl Watch for Nobody {
    fn saw(&mut self, _: &Event, _: &State) {}
}
