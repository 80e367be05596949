//! The log and the clock, as the loop sees them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::driver::{Clock, Log};
use crate::engine::at::At;
use crate::engine::event::Event;
use crate::engine::line::Proof;
use crate::host::clock;
use crate::host::log::{LogError, Tip, Writer};
use crate::host::objects::Unflushed;

/// Where the durable part of the log ends. The transaction anchors itself there.
pub type SharedTip = Rc<Cell<Tip>>;

/// The log's writer, which the world asks to take back what agents did to its file.
pub type SharedWriter = Rc<RefCell<Writer>>;

/// The log on disk.
pub struct HostLog {
    writer: SharedWriter,
    tip: SharedTip,
    evidence: Option<Unflushed>,
}

impl HostLog {
    /// Takes over an open log.
    pub fn new(writer: Writer) -> Self {
        let tip = Rc::new(Cell::new(writer.synced()));
        Self { writer: Rc::new(RefCell::new(writer)), tip, evidence: None }
    }

    /// From now on the evidence becomes durable before the lines that name it do: after a power
    /// cut no line speaks of what is not there.
    pub fn wait_for(&mut self, evidence: Unflushed) {
        self.evidence = Some(evidence);
    }

    /// Where its durable part ends, from now on.
    pub fn tip(&self) -> SharedTip {
        Rc::clone(&self.tip)
    }

    /// Its writer.
    pub fn writer(&self) -> SharedWriter {
        Rc::clone(&self.writer)
    }
}

impl Log for HostLog {
    type Error = LogError;

    fn append(&mut self, event: &Event) -> Result<Proof, LogError> {
        self.writer.borrow_mut().append(event)
    }

    fn sync(&mut self) -> Result<(), LogError> {
        if let Some(evidence) = &self.evidence {
            evidence.flush()?;
        }
        let tip = self.writer.borrow_mut().sync()?;
        self.tip.set(tip);
        Ok(())
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> At {
        clock::now()
    }
}
