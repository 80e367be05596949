//! The latest of many, in bounded memory.

use std::collections::VecDeque;

use super::shape::Latest;

/// How many of each kind are kept.
pub(super) const KEPT_MAX: usize = 500;

/// Keeps the latest ones, and counts the others.
#[derive(Clone, Debug)]
pub(super) struct Recent<T> {
    kept: VecDeque<T>,
    left_out: u64,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), left_out: 0 }
    }
}

impl<T: Clone> Recent<T> {
    pub(super) fn push(&mut self, item: T) {
        if self.kept.len() >= KEPT_MAX {
            self.kept.pop_front();
            self.left_out += 1;
        }
        self.kept.push_back(item);
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut T> {
        self.kept.back_mut()
    }

    pub(super) fn find_mut(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.kept.iter_mut().rev().find(|item| is_meant(item))
    }

    pub(super) fn latest(&self) -> Latest<T> {
        Latest { latest: self.kept.iter().cloned().collect(), left_out: self.left_out }
    }
}
