//! The refs that keep what an attempt needs.

use std::path::Path;

/// What all of them begin with.
const ROOT: &str = "refs/looper/";

/// What those of linked work trees begin with.
const LINKED: &str = "refs/looper/worktrees/";

/// Their names. The work trees of a repository share its refs, so each linked one has a folder of
/// its own: two runs side by side do not see each other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnRefs {
    prefix: String,
}

impl OwnRefs {
    /// Of the work tree with this git directory.
    pub(super) fn new(git_dir: &Path, common_dir: &Path) -> Self {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (own, common) = (real(git_dir), real(common_dir));
        let prefix = match own.file_name().filter(|_| own != common) {
            // Git makes these names itself, and from letters that a ref may have.
            Some(name) => format!("{LINKED}{}/", name.to_string_lossy()),
            None => ROOT.to_owned(),
        };
        Self { prefix }
    }

    pub(super) fn snapshot(&self) -> String {
        format!("{}snapshot", self.prefix)
    }

    pub(super) fn candidate(&self) -> String {
        format!("{}candidate", self.prefix)
    }

    pub(super) fn log(&self) -> String {
        format!("{}log", self.prefix)
    }

    /// What the names of rescued values begin with.
    pub(super) fn rescued(&self) -> String {
        format!("{}rescued/", self.prefix)
    }

    /// Whether it belongs to a run in another work tree.
    pub(super) fn is_foreign(&self, name: &str) -> bool {
        let is_linked = name.starts_with(LINKED);
        let is_own = name.starts_with(&self.prefix) && (is_linked == (self.prefix != ROOT));
        name.starts_with(ROOT) && !is_own
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::own("/r/.git", "refs/looper/log", false)]
    #[case::of_a_linked_one("/r/.git", "refs/looper/worktrees/w/log", true)]
    #[case::not_ours_at_all("/r/.git", "refs/heads/main", false)]
    #[case::own_of_a_linked_one("/r/.git/worktrees/w", "refs/looper/worktrees/w/log", false)]
    #[case::of_its_neighbour("/r/.git/worktrees/w", "refs/looper/worktrees/v/log", true)]
    #[case::of_the_main_one("/r/.git/worktrees/w", "refs/looper/log", true)]
    fn another_run_has_refs_of_its_own(#[case] git: &str, #[case] name: &str, #[case] want: bool) {
        let refs = OwnRefs::new(Path::new(git), Path::new("/r/.git"));
        assert_eq!(refs.is_foreign(name), want);
        assert!(!refs.is_foreign(&refs.log()));
    }
}
