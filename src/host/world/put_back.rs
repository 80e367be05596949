//! What a stage did to the state directory is undone, whatever it was.

use super::error::WorldError;
use super::guard::is_of_tx;
use super::host_world::HostWorld;
use crate::engine::charter::SandboxLevel;
use crate::host::files;
use crate::host::lock::LockError;

impl HostWorld {
    pub(super) fn capture_state(&mut self) -> Result<(), WorldError> {
        self.state_changes = None;
        // In a sandbox no stage can write it: whoever does is its owner.
        self.user_file.capture(self.sandbox.level() == SandboxLevel::None);
        let evidence = self.layout.evidence_of(self.loop_number.into());
        self.guard.capture(&evidence)
    }

    /// What a stage changed in the state directory or the backlog is put back, and named. A changed
    /// backlog is kept as evidence.
    ///
    /// # Errors
    /// Something cannot be put back. The work tree is: the next process may not get that far.
    pub(super) fn put_back_state(&mut self) -> Result<Vec<String>, WorldError> {
        let put_back = self.put_back();
        self.state_changes = put_back.as_ref().ok().cloned();
        if let Err(error) = &put_back
            && !matches!(error, WorldError::Lock(LockError::Held { .. }))
            && let Some(snapshot) = self.snapshot.clone()
        {
            if let Err(error) = self.git.rollback(&snapshot) {
                tracing::warn!(%error, "the work tree is left as it is");
            }
            // What is missing from the log is missed by the next process too.
            if matches!(error, WorldError::Log(_))
                && let Err(error) = self.anchor()
            {
                tracing::warn!(%error, "nobody but this process knows how long the log was");
            }
        }
        put_back
    }

    fn put_back(&mut self) -> Result<Vec<String>, WorldError> {
        let mut changed = vec![];
        let difference = self.backlog.difference()?;
        let evidence = self.layout.evidence_of(self.loop_number.into());
        let backlog = self.backlog.path().to_owned();
        let others = self.guard.restore(&evidence)?;
        let is_lost = self.put_back_lock()?;
        // What is kept changes the state directory, so that comes after it was looked at.
        if let Some(intrusion) = self.log.borrow_mut().reclaim()? {
            let name = self.layout.events().file_name().unwrap_or_default().to_owned();
            let kept = intrusion.kept.as_deref().and_then(|path| path.file_name());
            let kept = kept.map(|kept| format!(" (kept as {})", kept.display()));
            let kept = kept.unwrap_or_default();
            changed.push(format!("{} {}{kept}", name.display(), intrusion.what));
        }
        if others.iter().any(|name| is_of_tx(name)) {
            self.tx.renew()?;
        }
        for id in self.objects.mend()? {
            changed.push(format!("objects/{id}"));
        }
        if let Some(found) = difference {
            let kept = self.objects.put(&found)?;
            let name = self.backlog.path().file_name().unwrap_or_default();
            changed.push(format!("{} (kept as {kept})", name.display()));
            self.backlog.restore()?;
        }
        if let Some(said) = self.user_file.restore()? {
            tracing::warn!(said, "settings of the user are put back");
            changed.push(said);
        }
        let is_backlog = |name: &String| self.layout.state().join(name) == backlog;
        changed.extend(others.into_iter().filter(|name| !is_backlog(name)));
        if is_lost {
            changed.push("lock".to_owned());
        }
        Ok(changed)
    }

    /// Whether the lock had to be taken again.
    fn put_back_lock(&mut self) -> Result<bool, WorldError> {
        if self.lock.verify().is_ok() {
            return Ok(false);
        }
        let path = self.layout.lock();
        if !std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
            files::clear(&path)?;
        }
        self.lock.retake()?;
        Ok(true)
    }
}
