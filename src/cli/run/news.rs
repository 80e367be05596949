//! What the backlog says that the log does not: marks and terms that people changed.

use super::{HostDriver, News};
use crate::backlog::{Backlog, news};
use crate::cli::failure::Failure;
use crate::engine::charter::Charter;
use crate::engine::state::State;
use crate::host::world::{BacklogFile, digest};

/// Compares the backlog with what the log says about it. Marks that were about to be written when
/// the last process died are written now; everything else that differs is a person's edit, which
/// wins.
pub(super) fn news(
    driver: &mut HostDriver,
    charter: &Charter,
    backlog: &Backlog,
) -> Result<News, Failure> {
    let found = driver.world.backlog().text().to_owned();
    driver.world.objects().put(found.as_bytes())?;
    let state = driver.state().clone();
    write_pending(&state, driver.world.backlog(), backlog)?;
    let text = driver.world.backlog().text().to_owned();
    let backlog = Backlog::parse(&text).backlog;
    // The bytes stay findable under their digest, should an agent touch the file.
    driver.world.objects().put(text.as_bytes())?;
    driver.world.objects().unflushed().flush()?;
    Ok(news::news(driver.state(), &charter.tasks, &backlog, &digest(text.as_bytes())))
}

/// Writes the mark that the log knows and that the last process did not come to write.
///
/// # Errors
/// The backlog cannot be written.
pub(crate) fn write_pending(
    state: &State,
    file: &mut BacklogFile,
    backlog: &Backlog,
) -> Result<(), Failure> {
    match news::pending(state, backlog) {
        Some(mark) => Ok(file.write(&mark)?),
        None => Ok(()),
    }
}
