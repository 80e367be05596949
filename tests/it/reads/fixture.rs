//! A small project with a scripted agent, and the program run in it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes a tenth of this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that is about to happen.
const POLL: Duration = Duration::from_millis(10);

const BACKLOG: &str = "\
# Backlog

- [ ] Task 1.1: write hello
  - Files: hello.txt
  - Depends: none
  - Description: A file that greets.
  - Size: Small
  - Fail count: 0
  - Completion criteria:
    - It greets.
    - verify: `grep -q hello hello.txt`

- [ ] Task 1.2: write world
  - Files: world.txt
  - Depends: 1.1
  - Description: A file about the world.
  - Size: Small
  - Fail count: 0
  - Completion criteria:
    - It is about the world.
    - verify: `grep -q world world.txt`

- [ ] Task 1.3: write nothing
  - Files: nothing.txt
  - Depends: none
  - Description: A file that never comes.
  - Size: Small
  - Fail count: 0
  - Completion criteria:
    - It is there.
    - verify: `test -f nothing.txt`
";

/// Task 1.1 waits for the gate, where there is one; 1.3 always fails.
const SCRIPT: &str = r#"
[[rule]]
stage = "implement"
task = "1.1"
steps = [
  { run = ["sh", "-c", "while [ -e ../gate ]; do sleep 0.02; done"] },
  { write = { path = "hello.txt", text = "hello\n" } },
  { print = "Wrote it." },
]
[[rule]]
stage = "implement"
task = "1.2"
steps = [{ write = { path = "world.txt", text = "world\n" } }, { print = "Wrote it." }]
[[rule]]
stage = "implement"
steps = [{ print = "Wrote nothing." }]
"#;

/// What a program said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Said {
    /// Fails unless it exited so.
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A project of its own.
pub(super) struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    pub(super) fn new() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(project.state("")).unwrap();
        project.git(&["init", "-q", "-b", "main"]);
        project.git(&["config", "user.name", "Tester"]);
        project.git(&["config", "user.email", "tester@example.com"]);
        fs::write(project.root().join(".gitignore"), "/.looper\n").unwrap();
        project.git(&["add", "."]);
        project.git(&["commit", "-q", "-m", "first"]);
        fs::write(project.backlog(), BACKLOG).unwrap();
        let script = project.dir.path().join("script.toml");
        fs::write(&script, SCRIPT).unwrap();
        let agent = env!("CARGO_BIN_EXE_fake-agent");
        let config = format!(
            "[run]\nfailures_max = 1\n[agents.fake]\ncommand = [{agent:?}, \"--script\", {:?}]\n\
             [roles]\nplan = \"fake\"\nplan_critique = \"fake\"\nimplement = \"fake\"\n\
             impl_critique = \"fake\"\n",
            script.to_str().unwrap()
        );
        fs::write(project.state("config.toml"), config).unwrap();
        project
    }

    /// After one run to its end.
    pub(super) fn after_a_run() -> Self {
        let project = Self::new();
        project.looper(["run"]).exits(1);
        project
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(super) fn state(&self, name: &str) -> PathBuf {
        self.root().join(".looper").join(name)
    }

    pub(super) fn backlog(&self) -> PathBuf {
        self.state("backlog.md")
    }

    pub(super) fn events(&self) -> PathBuf {
        self.state("events.jsonl")
    }

    /// The log's lines, without their ends.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.events()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The names of the events from this one on.
    pub(super) fn names_from(&self, first: usize) -> Vec<String> {
        let name = |line: &String| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["event"].as_str().unwrap().to_owned()
        };
        self.lines()[first..].iter().map(name).collect()
    }

    /// What a person did to the backlog with an editor.
    pub(super) fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.backlog()).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.backlog(), text.replacen(from, to, 1)).unwrap();
    }

    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap();
        command
            .current_dir(self.root())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.dir.path())
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .envs([
                ("NO_COLOR", "1"),
                ("TZ", "UTC"),
                ("LC_ALL", "C"),
                ("LOOPER_RUN_SANDBOX", "off"),
            ])
            .stdin(Stdio::null());
        command
    }

    pub(super) fn git(&self, arguments: &[&str]) {
        fs::create_dir_all(self.root()).unwrap();
        let mut git = self.command("git");
        let status = git.args(arguments).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    pub(super) fn looper<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Said {
        self.start(arguments).wait()
    }

    pub(super) fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        let logs = tempfile::tempdir().unwrap();
        let create = |name: &str| File::create(logs.path().join(name)).unwrap();
        let mut command = self.command(env!("CARGO_BIN_EXE_looper"));
        command.args(arguments).stdout(create("out")).stderr(create("err"));
        Running { child: command.spawn().unwrap(), logs }
    }

    /// A run whose first implementer waits until [`open_gate`](Self::open_gate).
    pub(super) fn start_gated_run(&self) -> Running {
        fs::write(self.dir.path().join("gate"), "").unwrap();
        let run = self.start(["run"]);
        eventually("the implementer is at work", || {
            self.lines().iter().any(|line| line.contains(r#""event":"implement_started""#))
        });
        run
    }

    pub(super) fn open_gate(&self) {
        fs::remove_file(self.dir.path().join("gate")).unwrap();
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Whatever still waits at the gate goes on and ends.
        drop(fs::remove_file(self.dir.path().join("gate")));
    }
}

/// A program at work.
pub(super) struct Running {
    child: Child,
    logs: tempfile::TempDir,
}

impl Running {
    pub(super) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(super) fn out(&self) -> String {
        self.read("out")
    }

    /// Waits for its end.
    pub(super) fn wait(mut self) -> Said {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                panic!("it does not end: {}{}", self.out(), self.read("err"));
            }
            std::thread::sleep(POLL);
        };
        Said { code: status.code(), out: self.out(), err: self.read("err") }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.logs.path().join(name)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for something that has to happen.
#[track_caller]
pub(super) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "it never happens that {what}");
        std::thread::sleep(POLL);
    }
}

/// Every file below a directory with what it holds and when it was written.
pub(super) fn footprint(dir: &Path) -> Vec<(PathBuf, std::time::SystemTime, Vec<u8>)> {
    let mut found = vec![];
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let modified = path.metadata().unwrap().modified().unwrap();
                let bytes = fs::read(&path).unwrap();
                found.push((path, modified, bytes));
            }
        }
    }
    found.sort();
    found
}
