//! What a disk holds, and what it would hold after a power cut.

use crate::dice::Dice;

/// One thing on disk: as processes see it, and as it is after a power cut.
#[derive(Clone, Debug)]
pub(crate) struct Slot<T> {
    now: T,
    safe: T,
    /// Written in place: a cut may leave half of it.
    may_tear: bool,
}

impl<T: Clone + PartialEq> Slot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { now: value.clone(), safe: value, may_tear: false }
    }

    pub(crate) fn get(&self) -> &T {
        &self.now
    }

    /// Written in place.
    pub(crate) fn write(&mut self, value: T) {
        self.now = value;
        self.may_tear = true;
    }

    /// Put in place by a rename of something flushed.
    pub(crate) fn put(&mut self, value: T) {
        self.now = value;
        self.may_tear = false;
    }

    pub(crate) fn flush(&mut self) {
        self.safe = self.now.clone();
        self.may_tear = false;
    }

    pub(crate) fn is_safe(&self) -> bool {
        self.now == self.safe
    }

    /// The power goes: what was not flushed is there, or is not, or is half there.
    pub(crate) fn cut(&mut self, dice: &mut Dice, torn: impl FnOnce(&T) -> T) {
        if self.now != self.safe {
            match dice.below(3) {
                0 if self.may_tear => self.now = torn(&self.now),
                0 | 1 => self.now = self.safe.clone(),
                _ => {}
            }
        }
        self.flush();
    }
}
