//! What a run that died can have left behind.

use rustix::fs::{Access, access};

use super::findings::{Health, Visit};
use crate::cli::status::holder;
use crate::engine::state::State;
use crate::host::paths::Layout;
use crate::host::process::left_running;

/// How many processes are named.
const NAMED_MAX: usize = 10;

impl Visit<'_> {
    /// Whether an attempt is open and no run is at work at it.
    pub(super) fn is_cut_short(&self, layout: &Layout, state: Option<&State>) -> bool {
        let is_open = state.is_some_and(|state| !state.is_settled());
        is_open && matches!(holder(layout), Ok(None))
    }

    /// A run has to write here before it does anything else.
    pub(super) fn state_directory(&mut self, layout: &Layout) {
        let place = layout.state();
        if !place.is_dir() {
            return self.ok("state", "the state directory is made by the first run");
        }
        let rights = Access::WRITE_OK | Access::EXEC_OK;
        let refused = [place.to_owned(), layout.events(), layout.objects()]
            .into_iter()
            .filter(|path| path.exists())
            .find_map(|path| Some((access(&path, rights_of(&path, rights)).err()?, path)));
        match refused {
            None => self.ok("state", format!("{} can be written", place.display())),
            Some((error, path)) => {
                let detail = format!("{} cannot be written: {error}", path.display());
                let hint = "give its owner the right to write, or name another state directory \
                            with --state-dir";
                self.note("state", Health::Fail, detail, Some(hint));
            }
        }
    }

    /// Agents outlive a `looper` that was killed.
    pub(super) fn processes(&mut self, layout: &Layout, state: Option<&State>) {
        if !matches!(holder(layout), Ok(None)) {
            return;
        }
        let Some(run) = state.and_then(State::run_id) else { return };
        let left = left_running(run);
        if left.is_empty() {
            return self.ok("processes", "nothing of an earlier run is at work");
        }
        let named: Vec<String> = left.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        let detail = format!("{} of run {run} are still at work: {}", left.len(), named.join(", "));
        self.warn("processes", detail, "`looper run` ends them before it touches a file");
    }
}

/// A file is not entered.
fn rights_of(path: &std::path::Path, rights: Access) -> Access {
    if path.is_dir() { rights } else { Access::WRITE_OK }
}
