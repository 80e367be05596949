//! The log and the clock, as the loop sees them.

use std::cell::Cell;
use std::rc::Rc;

use crate::driver::{Clock, Log};
use crate::engine::at::At;
use crate::engine::event::Event;
use crate::engine::line::Proof;
use crate::host::clock;
use crate::host::log::{LogError, Tip, Writer};

/// Where the durable part of the log ends. The transaction anchors itself there.
pub type SharedTip = Rc<Cell<Tip>>;

/// The log on disk.
pub struct HostLog {
    writer: Writer,
    tip: SharedTip,
}

impl HostLog {
    /// Takes over an open log.
    pub fn new(writer: Writer) -> Self {
        let tip = Rc::new(Cell::new(writer.synced()));
        Self { writer, tip }
    }

    /// Where its durable part ends, from now on.
    pub fn tip(&self) -> SharedTip {
        Rc::clone(&self.tip)
    }
}

impl Log for HostLog {
    type Error = LogError;

    fn append(&mut self, event: &Event) -> Result<Proof, LogError> {
        self.writer.append(event)
    }

    fn sync(&mut self) -> Result<(), LogError> {
        let tip = self.writer.sync()?;
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
