//! A repository in a temporary directory, and eyes that do not share code with what is tested.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::test_runner::{Config as ProptestConfig, RngSeed};

use looper::engine::id::{RepoPath, TreeId};
use looper::host::git::{Frozen, Git, Prepared, Snapshot, When};

/// A repository with its own idea of who and where it is.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) root: PathBuf,
}

/// Everything a person could see, by path and a few other names.
pub(crate) type Manifest = BTreeMap<String, String>;

/// Who commits, and that nothing of the machine's own configuration counts.
const CONFIG: &str = "[user]\n\tname = Ada\n\temail = ada@example.org\n[commit]\n\tgpgsign = false\n\
                      [core]\n\tautocrlf = false\n\texcludesFile = /dev/null\n\
                      \tattributesFile = /dev/null\n";

pub(crate) const WHEN: When = When { seconds: 1_700_000_000, offset_minutes: 60 };

pub(crate) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

pub(crate) fn path(text: impl AsRef<[u8]>) -> RepoPath {
    RepoPath::new(text.as_ref()).unwrap()
}

pub(crate) fn names<'a>(paths: impl IntoIterator<Item = &'a RepoPath>) -> Vec<String> {
    paths.into_iter().map(ToString::to_string).collect()
}

impl Fixture {
    /// An empty repository on the branch `main`.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("project");
        Self { dir, root }.begun("project")
    }

    /// An empty branch in a work tree that is linked to a repository elsewhere.
    pub(crate) fn linked() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("project");
        let fixture = Self { dir, root }.begun("main");
        let at = fixture.dir.path().join("main");
        fixture.git_at(&at, &["commit", "-q", "--allow-empty", "-m", "elsewhere"]);
        fixture.git_at(&at, &["worktree", "add", "-q", "-b", "linked", "../project"]);
        fixture
    }

    fn begun(self, name: &str) -> Self {
        let at = self.dir.path().join(name);
        fs::create_dir(&at).unwrap();
        self.git_at(&at, &["init", "-q", "--template=", "-b", "main"]);
        let mut config = fs::OpenOptions::new().append(true).open(at.join(".git/config")).unwrap();
        config.write_all(CONFIG.as_bytes()).unwrap();
        self
    }

    /// A repository with a few files in one commit.
    pub(crate) fn new() -> Self {
        let fixture = Self::empty();
        fixture.write("README", "read me\n");
        fixture.write("src/a.rs", "a\n");
        fixture.write("src/b.rs", "b\n");
        fixture.write("run.sh", "#!/bin/sh\n");
        fixture.chmod("run.sh", 0o755);
        fixture.write(".gitignore", "target/\n*.log\n");
        fixture.commit_all("first");
        fixture
    }

    pub(crate) fn commit_all(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    pub(crate) fn open(&self) -> Git {
        Git::open(&self.root, &[path(".looper")]).unwrap()
    }

    pub(crate) fn run(&self, at: &Path, args: &[&str]) -> Output {
        self.command(at).args(args).output().unwrap()
    }

    /// The git program, which sees nothing of the machine it is on.
    pub(crate) fn command(&self, at: &Path) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(at)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", "1600000000 +0000")
            .env("GIT_COMMITTER_DATE", "1600000000 +0000");
        command
    }

    /// Runs git and returns what it prints, without the last newline.
    pub(crate) fn git_at(&self, at: &Path, args: &[&str]) -> String {
        let output = self.run(at, args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {error}");
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_at(&self.root, args)
    }

    pub(crate) fn at(&self, path: impl AsRef<[u8]>) -> PathBuf {
        self.root.join(as_path(path.as_ref()))
    }

    pub(crate) fn write(&self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: impl AsRef<[u8]>) -> Vec<u8> {
        fs::read(self.at(path)).unwrap()
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn remove(&self, path: impl AsRef<[u8]>) {
        let path = self.at(path);
        if path.symlink_metadata().unwrap().is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        symlink(target, self.at(path)).unwrap();
    }

    pub(crate) fn mkdir(&self, path: &str) {
        fs::create_dir_all(self.at(path)).unwrap();
    }

    pub(crate) fn fifo(&self, path: &str) {
        let made = Command::new("mkfifo").arg(self.at(path)).status().unwrap();
        assert!(made.success());
    }

    /// Another repository below this one, with one commit.
    pub(crate) fn nested(&self, path: &str) -> PathBuf {
        let at = self.at(path);
        fs::create_dir_all(&at).unwrap();
        self.git_at(&at, &["init", "-q", "-b", "main"]);
        fs::write(at.join("inner"), "inner\n").unwrap();
        self.git_at(&at, &["add", "-A"]);
        let who = ["-c", "user.name=N", "-c", "user.email=n@example.org"];
        self.git_at(&at, &[&who[..], &["commit", "-q", "-m", "inner"]].concat());
        at
    }

    pub(crate) fn status(&self) -> String {
        self.git(&["status", "--porcelain=v1", "--untracked-files=all"])
    }

    /// What git itself would commit if everything were added, in a copy of the index.
    pub(crate) fn tree_by_git(&self) -> String {
        let index = self.dir.path().join("other-index");
        let at = self.root.join(".git/index");
        fs::copy(&at, &index).unwrap();
        // Git tells by the time of the index which files it has to look into.
        let copy = fs::OpenOptions::new().write(true).open(&index).unwrap();
        copy.set_modified(at.metadata().unwrap().modified().unwrap()).unwrap();
        let run = |args: &[&str]| {
            let output = Command::new("git")
                .args(["-c", "core.safecrlf=false"])
                .args(args)
                .current_dir(&self.root)
                .env("GIT_INDEX_FILE", &index)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .output()
                .unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "git {args:?}: {error}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        run(&["add", "-A"]);
        run(&["write-tree"])
    }

    /// Everything a person could see: content, modes, links, directories, staged entries, refs.
    pub(crate) fn manifest(&self) -> Manifest {
        let mut all = BTreeMap::new();
        walk(&self.root, &self.root, &mut all);
        all.extend(self.references());
        all
    }

    /// Staged entries, HEAD and refs.
    pub(crate) fn references(&self) -> Manifest {
        let mut all = BTreeMap::new();
        let index = self.git(&["ls-files", "--stage", "-v"]);
        all.insert("index".to_owned(), index);
        all.insert("HEAD".to_owned(), self.git(&["rev-parse", "--symbolic-full-name", "HEAD"]));
        let refs = self.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]);
        all.insert("refs".to_owned(), refs);
        all
    }

    pub(crate) fn fsck(&self) {
        let output = self.run(&self.root, &["fsck", "--full", "--strict", "--no-dangling"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(!text.contains("error") && !text.contains("missing"), "{text}");
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }
}

fn walk(root: &Path, dir: &Path, all: &mut Manifest) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path == root.join(".git") {
            continue;
        }
        let data = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii();
        let kind = data.file_type();
        let what = if kind.is_symlink() {
            format!("link {:?}", fs::read_link(&path).unwrap())
        } else if kind.is_dir() {
            walk(root, &path, all);
            format!("dir {:o}", data.mode())
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap();
            format!("file {:o} {}", data.mode(), content.escape_ascii())
        } else {
            format!("special {:o}", data.mode())
        };
        all.insert(format!("file {name}"), what);
    }
}

/// How many cases a property is tried with. The same ones each time, unless somebody asks for more.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if asked {
        return config;
    }
    ProptestConfig { cases: count, rng_seed: RngSeed::Fixed(1), ..config }
}

/// Lets the clock of the file system get past every stamp, so that stamps can vouch for files.
pub(crate) fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(30));
}

/// Begins an attempt, lets `edit` play the agent, and freezes.
pub(crate) fn attempt(
    fixture: &Fixture,
    git: &mut Git,
    edit: impl FnOnce(&Fixture),
) -> (Snapshot, Frozen) {
    let snapshot = git.snapshot("attempt 1", None).unwrap();
    edit(fixture);
    git.touched();
    let frozen = git.freeze(&snapshot).unwrap();
    (snapshot, frozen)
}

pub(crate) fn commit(git: &mut Git, snapshot: &Snapshot, tree: &TreeId) -> Prepared {
    let prepared = git.prepare_commit(&snapshot.base, tree, "Task 1: do it\n", WHEN).unwrap();
    git.publish(&prepared, snapshot).unwrap();
    prepared
}

/// The changes, as `git diff --name-status` letters.
pub(crate) fn letters(frozen: &Frozen) -> Vec<String> {
    use looper::host::git::ChangeKind;
    let letter = |kind| match kind {
        ChangeKind::Added => 'A',
        ChangeKind::Modified => 'M',
        ChangeKind::Deleted => 'D',
        ChangeKind::TypeChanged => 'T',
    };
    frozen.changes.iter().map(|one| format!("{} {}", letter(one.kind), one.path)).collect()
}
