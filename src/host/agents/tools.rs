//! Which tools an agent used, each counted once.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::engine::report::Activity;

/// So many are told apart; what comes after them is not counted.
const TOOLS_MAX: usize = 1 << 16;

/// What one use of a tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A command in a shell.
    Command,
    /// Anything else.
    Other,
}

/// The uses so far.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// Of each only a number that its id leads to: ids are as long as a program likes.
    seen: BTreeSet<u64>,
    commands: u64,
}

impl Tools {
    /// A use was begun or has ended. Without an id it cannot be told from another one.
    pub(super) fn used(&mut self, id: Option<&str>, what: Use) {
        if self.seen.len() == TOOLS_MAX {
            return;
        }
        let mut hasher = DefaultHasher::new();
        match id {
            Some(id) => id.hash(&mut hasher),
            None => self.seen.len().hash(&mut hasher),
        }
        if self.seen.insert(hasher.finish()) {
            self.commands += u64::from(what == Use::Command);
        }
    }

    pub(super) fn activity(&self) -> Activity {
        Activity { tools: self.seen.len() as u64, commands: self.commands }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_counts_once() {
        let mut tools = Tools::default();
        tools.used(Some("a"), Use::Command);
        tools.used(Some("a"), Use::Command);
        tools.used(Some("b"), Use::Other);
        tools.used(None, Use::Other);
        tools.used(None, Use::Command);
        assert_eq!(tools.activity(), Activity { tools: 4, commands: 2 });
    }

    #[test]
    fn uses_without_end_take_no_memory_without_end() {
        let mut tools = Tools::default();
        for number in 0..TOOLS_MAX + 10 {
            tools.used(Some(&number.to_string()), Use::Other);
        }
        assert_eq!(tools.activity().tools, TOOLS_MAX as u64);
    }
}
