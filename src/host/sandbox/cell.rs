//! What one process may write.

use std::path::{Path, PathBuf};

use crate::engine::charter::Network;

/// Whether a process may write where it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may look.
    Read,
    /// It may write, except what is protected.
    Write,
}

/// What one process may write; everything else is read-only. All paths are absolute and free of
/// links.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Where it works.
    pub work_dir: PathBuf,
    /// Whether it may write there.
    pub access: Access,
    /// Never written, wherever it lies.
    pub protected: Vec<PathBuf>,
    /// What it may write elsewhere.
    pub writable: Vec<PathBuf>,
    /// What it has to see, even in a place for temporary files.
    pub readable: Vec<PathBuf>,
    /// A directory of its own for temporary files.
    pub temporary: PathBuf,
    /// Whether it reaches the network.
    pub network: Network,
    /// Whether it brings a sandbox of its own.
    pub nests: bool,
}

impl Cell {
    /// What may be written with every file and directory in it, where nothing can be taken away
    /// from it again: a place that holds something protected is left out, except the work
    /// directory.
    pub(super) fn grants(&self) -> Vec<&Path> {
        let holds_ours = |place: &Path| {
            self.work_dir.starts_with(place)
                || self.protected.iter().any(|ours| ours.starts_with(place))
        };
        let is_ours = |place: &Path| {
            let is_watched = self.access == Access::Read && place.starts_with(&self.work_dir);
            is_watched || self.protected.iter().any(|ours| place.starts_with(ours))
        };
        let elsewhere = self.writable.iter().map(PathBuf::as_path);
        let mut grants: Vec<&Path> =
            elsewhere.filter(|place| !holds_ours(place) && !is_ours(place)).collect();
        // Many programs do not ask where temporary files belong.
        let shared = [Path::new("/tmp"), Path::new("/var/tmp"), Path::new("/dev/shm")];
        grants.extend(shared.into_iter().filter(|place| !holds_ours(place)));
        grants.push(&self.temporary);
        if self.access == Access::Write {
            grants.push(&self.work_dir);
        }
        grants
    }

    /// Directories between a place that may be written and something protected in it. Each has to
    /// be held where it is, or renaming it would carry off what it holds.
    pub(super) fn between(&self) -> Vec<&Path> {
        let mut places: Vec<&Path> = self.writable.iter().map(PathBuf::as_path).collect();
        places.push(&self.work_dir);
        let mut held: Vec<&Path> = vec![];
        for ours in &self.protected {
            let inside = places.iter().filter(|place| ours.starts_with(place));
            let Some(top) = inside.min_by_key(|place| place.components().count()) else { continue };
            held.extend(ours.ancestors().skip(1).take_while(|dir| dir != top));
        }
        held.sort();
        held.dedup();
        held
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn cell(access: Access, protected: &[&str], writable: &[&str]) -> Cell {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect();
        Cell {
            work_dir: "/home/me/p".into(),
            access,
            protected: paths(protected),
            writable: paths(writable),
            readable: vec![],
            temporary: "/run/t".into(),
            network: Network::Open,
            nests: false,
        }
    }

    #[rstest]
    #[case::writer(Access::Write, &["/tmp", "/var/tmp", "/dev/shm", "/run/t", "/home/me/p"])]
    #[case::reader(Access::Read, &["/tmp", "/var/tmp", "/dev/shm", "/run/t"])]
    fn a_place_that_holds_ours_is_not_granted(#[case] access: Access, #[case] want: &[&str]) {
        let cell = cell(access, &["/home/me/p/.git", "/var/s"], &["/home/me", "/var", "/var/s/x"]);
        let want: Vec<&Path> = want.iter().map(Path::new).collect();
        assert_eq!(cell.grants(), want);
    }

    #[test]
    fn a_reader_is_not_granted_a_corner_of_the_project() {
        let corner = ["/home/me/p/target", "/home/me/.cache"];
        let is_granted = |access: Access| {
            let cell = cell(access, &[], &corner);
            cell.grants().contains(&Path::new(corner[0]))
        };
        assert!(!is_granted(Access::Read) && is_granted(Access::Write));
        assert!(cell(Access::Read, &[], &corner).grants().contains(&Path::new(corner[1])));
    }

    #[rstest]
    #[case::at_the_top(&["/home/me/p/.git"], &[], &[])]
    #[case::deep(&["/home/me/p/a/b/state"], &[], &["/home/me/p/a", "/home/me/p/a/b"])]
    #[case::elsewhere(&["/srv/git"], &[], &[])]
    #[case::in_another_writable_place(&["/srv/a/git"], &["/srv"], &["/srv/a"])]
    #[case::the_project_too(&["/home/me/p/.git"], &["/home"], &["/home/me", "/home/me/p"])]
    fn what_lies_on_the_way_is_held(
        #[case] protected: &[&str],
        #[case] writable: &[&str],
        #[case] want: &[&str],
    ) {
        let want: Vec<&Path> = want.iter().map(Path::new).collect();
        assert_eq!(cell(Access::Write, protected, writable).between(), want);
    }
}
