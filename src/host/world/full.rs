//! A stage that fills the disk fails its attempt: what undoes it has room that was set aside.

use rustix::fs::Access;

use super::error::WorldError;
use super::host_world::HostWorld;
use super::stage::{Called, missing};
use crate::driver::Ask;
use crate::engine::charter::Stage;
use crate::engine::event::{CommandResult, StageStarted, VerifyFinished, VerifyStarted};
use crate::engine::report::Class;
use crate::host::reserve::{Room, is_out_of_room};

/// What stands for the output of a verify command that could not be kept.
const NO_OUTPUT: &[u8] = b"[the disk was full: what the command printed is not kept]\n";

impl HostWorld {
    /// Sets room aside for the end of what is about to begin, and looks how much there is.
    ///
    /// # Errors
    /// There is too little of it.
    pub(super) fn make_room(&mut self) -> Result<(), WorldError> {
        match self.reserve.hold() {
            Err(error) if is_out_of_room(&error) => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "no room is set aside"),
            Ok(()) => {}
        }
        let temporary = std::env::temp_dir();
        self.room = Room::look([self.layout.state(), self.layout.project(), &*temporary])?;
        Ok(())
    }

    /// Looks whether a stage could begin at all: there is room, a place for what it prints, and
    /// the right to write.
    ///
    /// # Errors
    /// There is not.
    pub fn try_out(&mut self) -> Result<(), WorldError> {
        self.make_room()?;
        let state = self.layout.state();
        rustix::fs::access(state, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| WorldError::io("write into", state)(error.into()))?;
        self.git.check_writable()?;
        // It has no name, so that a kill right here leaves nothing.
        let made = tempfile::tempfile().map(drop);
        made.map_err(WorldError::io("create a file in", std::env::temp_dir()))
    }

    /// Gives back the room that was set aside: no attempt is open any more.
    ///
    /// # Errors
    /// The system refuses.
    pub fn release_room(&mut self) -> Result<(), WorldError> {
        Ok(self.reserve.release()?)
    }

    /// Whether something failed because the stage in hand used the room up. Where it was somebody
    /// else, or the disk only says so, the machine has failed and not the stage.
    pub(super) fn was_filled(&self, error: &WorldError) -> bool {
        is_out_of_room(error) && self.room.was_filled()
    }

    /// Where they were put back already, what was written since is our own.
    fn changes_in_state(&mut self) -> Result<Vec<String>, WorldError> {
        match self.state_changes.take() {
            Some(changes) => Ok(changes),
            None => self.put_back_state(),
        }
    }

    /// What an agent is reported to have done that filled the disk.
    pub(super) fn filled(
        &mut self,
        ask: Ask<'_>,
        call: &StageStarted,
        stage: Stage,
        prompt: &str,
    ) -> Result<Called, WorldError> {
        self.reserve.release()?;
        let state_changes = self.changes_in_state()?;
        let rescued = match stage {
            Stage::Implement => vec![],
            _ => self.put_back_git()?,
        };
        let terms = ask.charter.agents.get(&call.agent);
        let terms =
            terms.ok_or_else(|| WorldError::UnknownAgent { name: call.agent.to_string() })?;
        let prompt = self.objects.put(prompt.as_bytes())?;
        let class = Class::DiskFull;
        Ok(Called { class, state_changes, rescued, ..missing(prompt, terms, self.sandbox.level()) })
    }

    /// What verify commands are reported to have done that filled the disk. What they left goes at
    /// once: whoever judges the attempt next needs the room.
    pub(super) fn verify_filled(
        &mut self,
        ask: Ask<'_>,
        call: &VerifyStarted,
    ) -> Result<VerifyFinished, WorldError> {
        self.reserve.release()?;
        let state_changes = self.changes_in_state()?;
        let rescued = self.put_back_git()?;
        self.tidy_up(ask)?;
        let output = self.objects.put(NO_OUTPUT)?;
        let failed = |command: &String| CommandResult {
            command: command.clone(),
            exit_code: None,
            timed_out: false,
            duration_ms: 0,
            output: output.clone(),
        };
        Ok(VerifyFinished {
            task: call.task.clone(),
            attempt: call.attempt,
            passed: false,
            commands: call.commands.iter().map(failed).collect(),
            state_changes,
            rescued,
            sandbox: Some(self.sandbox.level()),
            base: None,
        })
    }
}
