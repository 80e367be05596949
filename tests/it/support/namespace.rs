//! File systems of a test's own, in a mount namespace that nobody else sees.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says to a test that it is inside.
const SCENARIO: &str = "LOOPER_TEST_SCENARIO";

/// What wants to be run inside, when this process is inside.
pub(crate) fn scenario() -> Option<String> {
    std::env::var(SCENARIO).ok()
}

/// Runs the ignored test `name` of this binary in a user and mount namespace, where it may mount
/// what it likes. A machine that has no such namespaces skips it, and says so.
#[track_caller]
pub(crate) fn enter(name: &str, scenario: &str) {
    let mut probe = Command::new("unshare");
    probe.args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no user and mount namespaces here");
        return;
    }
    let mut inside = Command::new("unshare");
    inside.arg("-rm").arg(std::env::current_exe().expect("this test is a program"));
    inside.args(["--exact", name, "--ignored", "--nocapture"]).env(SCENARIO, scenario);
    let output = inside.output().expect("it could be called a moment ago");
    let words = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{scenario}\n{words}\n{errors}");
    assert!(words.contains("1 passed"), "nothing was run: {words}");
}

/// Something that is mounted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// A small file system in memory. `options` as `mount` takes them.
    pub(crate) fn small(place: &Path, options: &str) -> Self {
        fs::create_dir_all(place).expect("the test's directory is writable");
        mount(&["-t", "tmpfs", "-o", options, "none"], place);
        Self(place.to_owned())
    }

    /// The same files, which nobody can change through this name.
    pub(crate) fn read_only(place: &Path) -> Self {
        let name = place.display().to_string();
        mount(&["--bind", &name], place);
        mount(&["-o", "remount,ro,bind"], place);
        Self(place.to_owned())
    }

    /// Other options for what is mounted.
    pub(crate) fn change(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.0);
    }

    /// Uses up what is free, except so many KiB, with a file of this name. It can be removed.
    pub(crate) fn fill(&self, name: &str, left_kib: u64) -> PathBuf {
        let path = self.0.join(name);
        let script = format!(
            "free=$(df --output=avail -k \"$1\" | tail -n 1); \
             head -c $(((free - {left_kib}) * 1024)) /dev/zero > \"$2\""
        );
        let status =
            Command::new("sh").args(["-c", &script, "sh"]).arg(&self.0).arg(&path).status();
        assert!(status.expect("sh is a program").success());
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The namespace goes with this process anyway.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[track_caller]
fn mount(args: &[&str], place: &Path) {
    let status = Command::new("mount").args(args).arg(place).status();
    assert!(status.expect("mount is a program").success(), "mount {args:?}");
}
