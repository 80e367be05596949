//! The latest objects are watched, and kept in memory as far as they are small.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::{MODE, ObjectError, Objects};
use crate::engine::id::ObjectId;
use crate::host::files::{self, FileError};

/// So many of the latest objects are watched: an attempt has a dozen.
const RECENT_MAX: usize = 64;

/// How much of one of them is kept in memory, and of all together, in compressed bytes.
const PACKED_MAX: (u64, usize) = (256 << 10, 2 << 20);

/// One of the latest objects, and its file's content unless that is too large.
pub(super) struct Recent {
    id: ObjectId,
    packed: Vec<u8>,
}

impl Objects {
    /// Looks at the latest objects, and writes again what somebody removed or changed, as far as
    /// it is still known. Returns what was touched.
    ///
    /// # Errors
    /// The system refuses.
    pub fn mend(&mut self) -> Result<Vec<ObjectId>, ObjectError> {
        let mut touched = vec![];
        for recent in std::mem::take(&mut self.recent) {
            if !self.has_whole(&recent.id)? {
                touched.push(recent.id.clone());
                self.write_again(&recent)?;
                // What is lost is said once.
                if recent.packed.is_empty() {
                    continue;
                }
            }
            self.recent.push_back(recent);
        }
        Ok(touched)
    }

    fn write_again(&mut self, recent: &Recent) -> Result<(), ObjectError> {
        let path = self.path(&recent.id)?;
        files::clear(&path)?;
        if recent.packed.is_empty() {
            return Ok(());
        }
        files::create_dir(&self.dir)?;
        let mut temp = files::temp_in(&self.dir, MODE)?;
        temp.write_all(&recent.packed).map_err(|e| FileError::io("write", &path, e))?;
        temp.persist(&path).map_err(|error| FileError::io("create", &path, error.error))?;
        self.remember(recent.id.clone(), &path)
    }

    /// Watches an object that was there already.
    pub(super) fn watch_again(&mut self, id: &ObjectId) -> Result<(), ObjectError> {
        if self.recent.iter().any(|recent| recent.id == *id) {
            return Ok(());
        }
        let path = self.path(id)?;
        let packed = read_packed(&files::open_read(&path)?, &path)?;
        self.watch(id, packed);
        Ok(())
    }

    /// Watches an object from now on, and forgets about earlier ones.
    pub(super) fn watch(&mut self, id: &ObjectId, packed: Vec<u8>) {
        self.recent.retain(|recent| recent.id != *id);
        self.recent.push_back(Recent { id: id.clone(), packed });
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        let mut room = PACKED_MAX.1;
        for recent in self.recent.iter_mut().rev() {
            match room.checked_sub(recent.packed.len()) {
                Some(left) => room = left,
                None => recent.packed = Vec::new(),
            }
        }
    }
}

/// What a file holds; nothing where that is more than is kept in memory.
pub(super) fn read_packed(file: &File, path: &Path) -> Result<Vec<u8>, FileError> {
    let fails = |source| FileError::io("read", path, source);
    let bytes = file.metadata().map_err(fails)?.len();
    if bytes > PACKED_MAX.0 {
        return Ok(Vec::new());
    }
    let mut packed = vec![0; usize::try_from(bytes).unwrap_or_default()];
    file.read_exact_at(&mut packed, 0).map_err(fails)?;
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::removed(|path: &Path| fs::remove_file(path).unwrap())]
    #[case::all_removed(|path: &Path| fs::remove_dir_all(path.parent().unwrap()).unwrap())]
    #[case::emptied(|path: &Path| overwrite(path, b""))]
    #[case::overwritten(|path: &Path| overwrite(path, b"PASS"))]
    #[case::a_forged_object(|path: &Path| overwrite(path, &zstd::encode_all(&b"PASS"[..], 3).unwrap()))]
    #[case::a_link(|path: &Path| {
        fs::rename(path, path.with_extension("x")).unwrap();
        std::os::unix::fs::symlink(path.with_extension("x"), path).unwrap();
    })]
    #[case::a_directory(|path: &Path| {
        fs::remove_file(path).unwrap();
        fs::create_dir_all(path.join("full")).unwrap();
    })]
    fn a_recent_object_that_is_touched_is_written_again(#[case] harm: fn(&Path)) {
        let dir = tempfile::tempdir().unwrap();
        let mut objects = Objects::new(dir.path().join("objects"));
        let id = objects.put(b"the plan").unwrap();
        assert_eq!(objects.mend().unwrap(), []);
        harm(&objects.path(&id).unwrap());
        assert_eq!(objects.mend().unwrap(), std::slice::from_ref(&id));
        assert_eq!(objects.get(&id, 100).unwrap(), b"the plan");
        assert_eq!(objects.mend().unwrap(), []);
        harm(&objects.path(&id).unwrap());
        assert_eq!(objects.put(b"the plan").unwrap(), id, "it is not believed to be there");
        assert_eq!(objects.get(&id, 100).unwrap(), b"the plan");
    }

    #[test]
    fn what_is_too_large_to_be_kept_is_said_to_be_lost_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut objects = Objects::new(dir.path().join("objects"));
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..1 << 20).map(|_| next()).collect();
        let id = objects.put(&noise).unwrap();
        let path = objects.path(&id).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > PACKED_MAX.0);
        overwrite(&path, b"x");
        assert_eq!(objects.mend().unwrap(), std::slice::from_ref(&id));
        assert_eq!(objects.mend().unwrap(), []);
        assert!(matches!(objects.get(&id, 10), Err(ObjectError::Missing { .. })));
    }

    fn overwrite(path: &Path, bytes: &[u8]) {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "the test's own file")]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
