//! The command line of `bwrap`: a view of the file system in which little can be written.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{geteuid, getuid};

use super::cell::{Access, Cell};
use crate::engine::charter::Network;

/// Where a process in a cell puts temporary files: nobody else sees them.
pub(super) const TEMPORARY: &str = "/tmp";

/// What root keeps: enough to work on files of any owner. With what is missing, mounts could be
/// undone, devices opened and files reached past their mounts.
const CAPABILITIES: [&str; 9] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETGID",
    "CAP_SETUID",
];

/// What root keeps besides where it brings a sandbox of its own: without it, the user of a new
/// namespace cannot be root. Nobody else gets it: root in a namespace reaches control groups, and
/// in a frozen one a process outlives its stage.
const TO_NEST: &str = "CAP_SETFCAP";

/// What stands before the program.
pub(super) fn arguments(
    cell: &Cell,
    program: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Vec<OsString> {
    let mut line = Line::default();
    // The terminal of the user takes no input from here, and nothing outlives its stage.
    line.words(&["--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session"]);
    if cell.network == Network::Closed {
        line.words(&["--unshare-net"]);
    }
    if geteuid().is_root() {
        line.words(&["--cap-drop", "ALL"]);
        let kept = CAPABILITIES.iter().chain(cell.nests.then_some(&TO_NEST));
        kept.for_each(|name| line.words(&["--cap-add", name]));
    }
    line.words(&["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]);
    // Root could write there, and with it whatever the kernel does for a crashed process.
    line.words(&["--ro-bind", "/proc/sys", "/proc/sys"]);
    line.words(&["--ro-bind-try", "/proc/sysrq-trigger", "/proc/sysrq-trigger"]);
    let private = Private::look(environment);
    for place in &private.temporary {
        line.mount("--bind", &cell.temporary, place);
    }
    for place in &private.runtime {
        line.words(&["--tmpfs"]);
        line.path(place);
    }
    for place in private.shown(cell, program, environment) {
        line.mount("--ro-bind", &place, &place);
    }
    for place in &cell.writable {
        let how = if place.starts_with("/dev") { "--dev-bind" } else { "--bind" };
        line.mount(how, place, place);
    }
    let how = if cell.access == Access::Write { "--bind" } else { "--ro-bind" };
    line.mount(how, &cell.work_dir, &cell.work_dir);
    for place in cell.between() {
        let is_read = cell.access == Access::Read && place.starts_with(&cell.work_dir);
        line.mount(if is_read { "--ro-bind" } else { "--bind" }, place, place);
    }
    let protected: BTreeSet<&PathBuf> = cell.protected.iter().collect();
    for place in protected {
        line.mount("--ro-bind", place, place);
    }
    line.words(&["--chdir"]);
    line.path(&cell.work_dir);
    line.words(&["--"]);
    line.0
}

/// Words of a command line.
#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn path(&mut self, path: &Path) {
        self.0.push(path.into());
    }

    fn mount(&mut self, how: &str, from: &Path, to: &Path) {
        self.words(&[how]);
        self.path(from);
        self.path(to);
    }
}

/// Directories of which a cell sees nothing but its own part.
struct Private {
    /// For temporary files.
    temporary: BTreeSet<PathBuf>,
    /// With sockets of services that act for the user, outside of any cell.
    runtime: BTreeSet<PathBuf>,
}

impl Private {
    fn look(environment: &BTreeMap<OsString, OsString>) -> Self {
        let real = |path: PathBuf| fs::canonicalize(path).ok().filter(|path| path.is_dir());
        let own = PathBuf::from(format!("/run/user/{}", getuid().as_raw()));
        let said = environment.get(OsStr::new("XDG_RUNTIME_DIR")).map(PathBuf::from);
        let said = said.filter(|path| path.is_absolute() && path.parent().is_some());
        Self {
            temporary: [TEMPORARY, "/var/tmp"]
                .into_iter()
                .map(PathBuf::from)
                .filter_map(real)
                .collect(),
            runtime: [Some(own), said].into_iter().flatten().filter_map(real).collect(),
        }
    }

    /// What has to be seen all the same, together with what lies around it.
    fn shown(
        &self,
        cell: &Cell,
        program: &Path,
        environment: &BTreeMap<OsString, OsString>,
    ) -> BTreeSet<PathBuf> {
        let value = |name: &str| environment.get(OsStr::new(name));
        let mut wanted: Vec<PathBuf> = vec![cell.work_dir.clone(), program.to_owned()];
        wanted.extend(fs::canonicalize(program));
        wanted.extend(cell.protected.iter().chain(&cell.readable).cloned());
        wanted.extend(value("HOME").map(PathBuf::from));
        wanted.extend(value("PATH").into_iter().flat_map(std::env::split_paths));
        let top = |path: &PathBuf| {
            let roots = self.temporary.iter().chain(&self.runtime);
            let inside = |root: &PathBuf| {
                let first = path.strip_prefix(root).ok()?.components().next()?;
                Some(root.join(first)).filter(|top| top.exists())
            };
            roots.filter_map(inside).next()
        };
        wanted.iter().filter_map(top).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(access: Access) -> Cell {
        Cell {
            work_dir: "/srv/p".into(),
            access,
            protected: vec!["/srv/p/.git".into(), "/srv/p/a/state".into()],
            writable: vec!["/dev/kvm".into(), "/home/me/.cache".into()],
            readable: vec![],
            temporary: "/tmp/looper-1/tmp".into(),
            network: Network::Open,
            nests: false,
        }
    }

    fn text(cell: &Cell) -> String {
        let line = arguments(cell, Path::new("/bin/sh"), &BTreeMap::new());
        line.join(OsStr::new(" ")).into_string().unwrap()
    }

    /// What comes later lies on top, so what is protected comes last.
    #[test]
    fn what_is_protected_comes_after_what_may_be_written() {
        let writer = text(&cell(Access::Write));
        let want = "--dev-bind /dev/kvm /dev/kvm --bind /home/me/.cache /home/me/.cache \
                    --bind /srv/p /srv/p --bind /srv/p/a /srv/p/a \
                    --ro-bind /srv/p/.git /srv/p/.git --ro-bind /srv/p/a/state /srv/p/a/state \
                    --chdir /srv/p --";
        assert!(writer.ends_with(want), "{writer}");
        let reader = text(&cell(Access::Read));
        assert!(!reader.contains("--bind /srv"), "{reader}");
    }

    #[test]
    fn the_network_is_left_only_where_that_is_asked_for() {
        let closed = Cell { network: Network::Closed, ..cell(Access::Write) };
        assert!(text(&closed).contains("--unshare-net"));
        assert!(!text(&cell(Access::Write)).contains("--unshare-net"));
    }

    #[test]
    fn only_who_brings_a_sandbox_may_make_the_user_of_one_root() {
        let nests = Cell { nests: true, ..cell(Access::Write) };
        assert_eq!(text(&nests).contains("CAP_SETFCAP"), geteuid().is_root());
        assert!(!text(&cell(Access::Write)).contains("CAP_SETFCAP"));
    }

    #[test]
    fn what_lies_among_temporary_files_is_shown_with_what_is_around_it() {
        let around = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        let top = fs::canonicalize(around.path()).unwrap();
        let project = top.join("p");
        let cell = Cell { work_dir: project.clone(), protected: vec![], ..cell(Access::Read) };
        let text = text(&cell);
        let (top, project) = (top.display(), project.display());
        let want = format!("--ro-bind {top} {top} --dev-bind");
        assert!(text.contains(&want) && text.contains(&format!("{project} {project}")), "{text}");
        assert!(!text.contains("--ro-bind /tmp/looper-1"), "{text}");
    }
}
