//! A git project of a test's own: nothing of the machine's or the user's settings reaches it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use looper::engine::id::ObjectId;
use looper::host::log::Reader;
use looper::host::objects::Objects;
use looper::scripted::{Rule, Script};
use tempfile::TempDir;

use super::backlog::{self, TaskText};
use super::log::Log;
use super::manifest::{self, Manifest};
use super::orphans;
use super::run::{Ran, Running};

/// The scripted agent for every role.
const CONFIG: &str = r#"
[agents.fake-agent]
command = ["fake-agent"]
output = "text"
[roles]
plan = "fake-agent"
plan_critique = "fake-agent"
implement = "fake-agent"
impl_critique = "fake-agent"
review = "fake-agent"
"#;

/// Nothing of a name in it comes from this machine.
const GIT_CONFIG: &str = "[user]\n\tname = Ada Example\n\temail = ada@example.org\n\
     [init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n\
     [advice]\n\tdetachedHead = false\n";

/// A project with one commit, a scripted agent for every role, and no backlog.
#[derive(Debug)]
pub(crate) struct Project {
    dir: TempDir,
    root: PathBuf,
    environment: BTreeMap<OsString, OsString>,
}

impl Project {
    /// An empty directory: no repository, no state.
    pub(crate) fn bare() -> Self {
        Self::bare_in(&std::env::temp_dir())
    }

    fn bare_in(dir: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("kit-").tempdir_in(dir).expect("a directory");
        let place = fs::canonicalize(dir.path()).expect("it was made");
        let root = place.join("project");
        for name in ["project", "home", "bin", "tmp"] {
            fs::create_dir(place.join(name)).expect("the directory is new");
        }
        fs::write(place.join("home/.gitconfig"), GIT_CONFIG).expect("it is writable");
        symlink(env!("CARGO_BIN_EXE_fake-agent"), place.join("bin/fake-agent")).expect("a link");
        let mut project = Self { dir, root, environment: BTreeMap::new() };
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", place.join("bin").display());
        let home = place.join("home");
        for (name, value) in [
            ("PATH", OsString::from(path)),
            ("HOME", home.clone().into()),
            ("GIT_CONFIG_GLOBAL", home.join(".gitconfig").into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("TMPDIR", place.join("tmp").into()),
            ("TZ", "UTC".into()),
            ("LC_ALL", "C".into()),
            ("NO_COLOR", "1".into()),
            // What stands behind the sandbox is tested without it.
            ("LOOPER_RUN_SANDBOX", "off".into()),
            // Nothing that is not asked for waits for capacity.
            ("LOOPER_RETRY_PAUSE_S", "0".into()),
            ("LOOPER_SCRIPT", place.join("script.json").into()),
            (orphans::VARIABLE, place.clone().into()),
        ] {
            project.env(name, value);
        }
        project
    }

    /// A project with one commit and the scripted agent in every role.
    pub(crate) fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    /// The same in another directory than the one for temporary files.
    pub(crate) fn new_in(dir: &Path) -> Self {
        let project = Self::bare_in(dir);
        project.furnish();
        project
    }

    /// Makes the first commit, and puts the scripted agent into every role.
    pub(crate) fn furnish(&self) {
        self.git(&["init", "-q"]);
        self.write("README.md", "A project.\n");
        self.write("src/kept.txt", "kept\n");
        self.write(".gitignore", "/ignored/\n*.log\n");
        self.commit("first");
        self.config("");
        self.script(&[]);
    }

    /// A project with a backlog and an agent that knows what to do.
    pub(crate) fn with(tasks: &[TaskText], rules: &[Rule]) -> Self {
        let project = Self::new();
        project.backlog(tasks);
        project.script(rules);
        project
    }

    /// The same project in another place, where nothing waits for a device if that can be had.
    pub(crate) fn copy(&self) -> Self {
        let mut project = Self::bare_in(&memory());
        let from = format!("{}/.", self.place().display());
        let copied = Command::new("cp").args(["-a", &from]).arg(project.place()).status();
        assert!(copied.expect("cp is a program").success());
        for (name, value) in &self.environment {
            project.environment.entry(name.clone()).or_insert_with(|| value.clone());
        }
        project
    }

    /// Puts a shell script of this name before every other program.
    pub(crate) fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.place().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("the place is writable");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("the file is ours");
    }

    /// The root of the work tree.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory around the project: `home`, `bin` and `tmp` are there too.
    pub(crate) fn place(&self) -> &Path {
        self.root.parent().expect("it lies in its place")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Works in another directory of the place from here on, for example a linked work tree.
    pub(crate) fn move_to(&mut self, root: PathBuf) {
        self.root = root;
    }

    pub(crate) fn env(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.insert(name.into(), value.into());
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        let dir = path.parent().expect("a file lies in a directory");
        fs::create_dir_all(dir).expect("the project is writable");
        fs::write(&path, text).expect("the project is writable");
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(name));
        text.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// Settings over the scripted agent in every role.
    pub(crate) fn config(&self, more: &str) {
        self.write(".looper/config.toml", format!("{more}\n{CONFIG}"));
    }

    pub(crate) fn backlog(&self, tasks: &[TaskText]) {
        self.write(".looper/backlog.md", backlog::text(tasks));
    }

    /// What a backlog of these tasks says.
    pub(crate) fn backlog_text(tasks: &[TaskText]) -> String {
        backlog::text(tasks)
    }

    /// Changes the backlog as a person would.
    #[track_caller]
    pub(crate) fn edit_backlog(&self, from: &str, to: &str) {
        let text = self.read(".looper/backlog.md");
        assert!(text.contains(from), "{from:?} is not in {text}");
        self.write(".looper/backlog.md", text.replacen(from, to, 1));
    }

    /// The checkbox of each task: `[' ', 'x', '!']`.
    pub(crate) fn marks(&self) -> String {
        let text = self.read(".looper/backlog.md");
        let lines = text.lines().filter_map(|line| line.strip_prefix("- ["));
        lines.filter_map(|line| line.chars().next()).collect()
    }

    pub(crate) fn script(&self, rules: &[Rule]) {
        let script = Script { rules: rules.to_vec() };
        let json = serde_json::to_string(&script).expect("a script of text is JSON");
        fs::write(self.place().join("script.json"), json).expect("the place is writable");
    }

    /// A program for this project, in its directory and with nothing else in its environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env_clear().envs(&self.environment);
        command
    }

    /// What git prints, without the last line end.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = self.command("git");
        git.args(args);
        // The same commit in every run of a test has the same name.
        git.env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z");
        git.env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
        let output = git.output().expect("git is a program");
        let (out, err) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "git {args:?}: {err}");
        String::from_utf8_lossy(out).trim_end_matches('\n').to_owned()
    }

    /// Commits everything that is not ignored.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A", "--", ".", ":!.looper"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// Subjects of the commits since the first, the oldest first.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let text = self.git(&["log", "--reverse", "--format=%s"]);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// Paths that a commit changed.
    pub(crate) fn changed_by(&self, commit: &str) -> Vec<String> {
        let text = self.git(&["show", "--format=", "--name-only", "-z", "--no-renames", commit]);
        text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// What git says about the work tree, ignored files aside.
    pub(crate) fn status(&self) -> String {
        self.git(&["status", "--porcelain", "--untracked-files=all", "--", ":!.looper"])
    }

    /// Everything in the work tree but git's and our own, ignored files included.
    pub(crate) fn manifest(&self) -> Manifest {
        manifest::read(&self.root, &[".git", ".looper"])
    }

    /// Starts `looper`.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut looper = self.command(env!("CARGO_BIN_EXE_looper"));
        looper.args(args);
        let mark = self.place().display().to_string();
        Running::start(looper, &mark, &self.place().join("output"))
    }

    /// Any command of `looper`, to its end.
    pub(crate) fn looper(&self, args: &[&str]) -> Ran {
        self.start(args).wait()
    }

    /// `looper run` with these arguments, to its end; then everything is checked.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let ran = self.looper(&[&["run"], args].concat());
        self.check();
        ran
    }

    /// A run that commits nothing and leaves everything as it was, byte for byte.
    #[track_caller]
    pub(crate) fn run_in_vain(&self, args: &[&str], code: i32) -> Log {
        let facts = || (self.manifest(), self.git(&["rev-parse", "HEAD"]), self.status());
        let before = facts();
        let ran = self.run(args).exits(code);
        assert_eq!(facts(), before, "{ran}");
        self.log()
    }

    /// What must hold after every run, whatever happened in it.
    #[track_caller]
    pub(crate) fn check(&self) {
        if self.has(".looper/events.jsonl") {
            let log = self.log();
            assert!(log.state.is_settled(), "a run ends with every attempt settled");
            self.looper(&["replay", "--check-git", "--objects"]).exits(0);
        }
        self.git(&["fsck", "--no-dangling", "--no-progress"]);
        assert_eq!(self.orphans(), [], "processes are left");
        let left = fs::read_dir(self.place().join("tmp")).expect("it was made");
        let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, [""; 0], "temporary files are left");
    }

    /// The log, which must be sound.
    #[track_caller]
    pub(crate) fn log(&self) -> Log {
        Log::read(&self.path(".looper/events.jsonl"))
    }

    /// How many events the log holds by now, while somebody may be writing it.
    pub(crate) fn seen(&self, name: &str) -> usize {
        let Ok(reader) = Reader::open(&self.path(".looper/events.jsonl")) else { return 0 };
        reader.flatten().filter(|(event, _)| event.kind.name() == name).count()
    }

    /// The text that evidence with this id is.
    #[track_caller]
    pub(crate) fn object(&self, id: &str) -> String {
        let objects = Objects::new(self.path(".looper/objects"));
        let bytes = objects.get(&ObjectId::new(id), 64 << 20).expect("it is kept");
        String::from_utf8(bytes).expect("it is text")
    }

    /// Processes of this project that are still there, with their command lines.
    pub(crate) fn orphans(&self) -> Vec<(i32, String)> {
        orphans::of(&self.place().display().to_string())
    }

    /// Ends the processes of this project, as a power cut does.
    pub(crate) fn end_processes(&self) {
        orphans::kill(&self.place().display().to_string());
    }

    /// Removes what could not be removed when it was time.
    pub(crate) fn empty_temporary_directory(&self) {
        let tmp = self.place().join("tmp");
        fs::remove_dir_all(&tmp).expect("it is ours");
        fs::create_dir(&tmp).expect("it is gone");
    }

    /// Deletes the crash transaction.
    pub(crate) fn remove_transaction(&self) {
        match fs::remove_dir_all(self.path(".looper/tx")) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }

    /// Text without what differs from machine to machine and run to run.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let place = self.place().display().to_string();
        text.replace(&format!("{place}/project"), "[PROJECT]").replace(&place, "[PLACE]")
    }
}

/// A file system in memory, else where temporary files are.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

impl Drop for Project {
    fn drop(&mut self) {
        orphans::kill(&self.dir.path().display().to_string());
    }
}
