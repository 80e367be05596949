//! Whether a run may start here at all.

use std::path::{Path, PathBuf};

use super::error::{GitError, Refusal};
use super::mirror::repo_path;
use super::object::Attr;
use super::repo::Repo;
use super::worktree::Git;
use crate::host::paths::find_project;

impl Git {
    /// Refuses repositories in which a run could lose something, or would commit something else
    /// than git itself.
    ///
    /// # Errors
    /// A [`Refusal`] that says why, or something cannot be read.
    pub fn preflight(&mut self) -> Result<(), GitError> {
        self.check_alive()?;
        let (_, commit) = self.head()?;
        if let Some(operation) = self.repo.operation() {
            return Err(Refusal::InProgress { operation }.into());
        }
        self.check_unlocked()?;
        if let Some(feature) = unsupported(|key| self.repo.value(key))? {
            return Err(Refusal::Unsupported { feature }.into());
        }
        if let Some(path) = self.read_index()?.unmerged() {
            return Err(Refusal::Unmerged { path: repo_path(path) }.into());
        }
        if self.repo.flag("commit.gpgsign")? == Some(true) {
            return Err(Refusal::Signed.into());
        }
        self.identities = Some(self.repo.identities().ok_or(Refusal::NoIdentity)?);
        let head_tree = self.repo.tree_of(commit)?;
        let tracked = self.tracked(head_tree)?;
        self.filters(&tracked.attribute_files)
    }

    pub(super) fn check_unlocked(&self) -> Result<(), GitError> {
        let branch = self.repo.head()?.branch.map(|name| format!("{name}.lock"));
        let own = ["index.lock", "HEAD.lock"].map(|name| self.repo.git_dir().join(name));
        let branch = branch.map(|name| self.repo.common_dir().join(name));
        // A link that leads nowhere keeps git out too.
        match own.into_iter().chain(branch).find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(Refusal::IndexLocked { path }.into()),
            None => Ok(()),
        }
    }

    /// Looks for tracked files that a filter program or a re-encoding applies to.
    fn filters(&mut self, attribute_files: &[Vec<u8>]) -> Result<(), GitError> {
        let drivers = filter_drivers(self)?;
        let filtered =
            !drivers.is_empty() && self.attributes_name(attribute_files, &[b"filter"])?;
        let encoded = self.attributes_name(attribute_files, &[b"working-tree-encoding"])?;
        if !filtered && !encoded {
            return Ok(());
        }
        for entry in &self.read_index()?.entries {
            if let Attr::Value(name) = self.repo.attr(&entry.path, "filter")?
                && let Some(driver) = drivers.iter().find(|driver| driver.as_bytes() == name)
            {
                let path = repo_path(&entry.path);
                return Err(Refusal::Filtered { path, driver: driver.clone() }.into());
            }
            match self.repo.attr(&entry.path, "working-tree-encoding")? {
                Attr::Unspecified | Attr::Unset => {}
                Attr::Set | Attr::Value(_) => {
                    return Err(Refusal::Encoded { path: repo_path(&entry.path) }.into());
                }
            }
        }
        Ok(())
    }
}

/// The filter drivers that would run a program.
pub(super) fn filter_drivers(git: &Git) -> Result<Vec<String>, GitError> {
    let keys = git.repo.keys(r"^filter\..*\.(clean|smudge|process)$")?;
    let mut drivers: Vec<String> = keys
        .iter()
        .filter_map(|key| Some(key.strip_prefix("filter.")?.rsplit_once('.')?.0.to_owned()))
        .collect();
    drivers.sort();
    drivers.dedup();
    Ok(drivers)
}

/// The first setting that changes the format of the repository.
fn unsupported(
    value: impl Fn(&str) -> Result<Option<String>, GitError>,
) -> Result<Option<String>, GitError> {
    const OFF: &[&str] = &["false", "no", "off", "0", ""];
    const FEATURES: [(&str, &[&str], &str); 5] = [
        ("extensions.objectformat", &["sha1"], "SHA-256 object names"),
        ("extensions.refstorage", &["files"], "reftable"),
        ("extensions.partialclone", &[], "a partial clone"),
        ("extensions.compatobjectformat", &[], "two kinds of object names"),
        ("core.sparsecheckout", OFF, "a sparse checkout"),
    ];
    for (key, harmless, feature) in FEATURES {
        let found = value(key)?.map(|found| found.to_ascii_lowercase());
        if found.is_some_and(|found| !harmless.contains(&found.as_str())) {
            return Ok(Some(feature.to_owned()));
        }
    }
    Ok(None)
}

/// Says why a repository could not be opened, where its configuration or a repository around it
/// tells.
pub(super) fn explain(root: &Path, error: GitError) -> GitError {
    if matches!(&error, GitError::Refused(Refusal::NotARepository { .. }))
        && let Ok(top) = find_project(None, root)
    {
        return Refusal::NotTheTop { path: root.to_owned(), top }.into();
    }
    let told = |file: PathBuf| unsupported(|key| Ok(Repo::value_in_file(&file, key)));
    match (config_file(root).map(told), error) {
        (Some(Ok(Some(feature))), GitError::Store { .. }) => {
            Refusal::Unsupported { feature }.into()
        }
        (_, error) => error,
    }
}

/// The configuration of a repository that cannot be opened.
fn config_file(root: &Path) -> Option<PathBuf> {
    let dot_git = root.join(".git");
    if dot_git.is_dir() {
        return Some(dot_git.join("config"));
    }
    let text = std::fs::read_to_string(dot_git).ok()?;
    let dir = root.join(text.strip_prefix("gitdir: ")?.trim_end());
    let common = std::fs::read_to_string(dir.join("commondir")).unwrap_or_default();
    Some(dir.join(common.trim_end()).join("config"))
}
