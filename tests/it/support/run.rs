//! A child of a test: it ends in time or is ended, and its words are shown when a test fails.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::orphans;

/// Long enough for anything on a busy machine; nothing that works takes that long.
const LONG: Duration = Duration::from_secs(120);

/// How often a waiting test looks.
const PAUSE: Duration = Duration::from_millis(3);

/// A child that has not been waited for.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    what: String,
    mark: String,
    stdout: PathBuf,
    stderr: PathBuf,
    deadline: Instant,
}

/// A child that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    what: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts it. What it prints goes to files, so that nobody who keeps a pipe open can hold the
    /// test up.
    pub(super) fn start(mut command: Command, mark: &str, output: &PathBuf) -> Self {
        fs::create_dir_all(output).expect("the test's directory is writable");
        let count = fs::read_dir(output).expect("it was made").count();
        let stdout = output.join(format!("{count}.stdout"));
        let stderr = output.join(format!("{count}.stderr"));
        let open = |path: &PathBuf| File::create_new(path).expect("the name is new");
        command.stdin(Stdio::null()).stdout(open(&stdout)).stderr(open(&stderr));
        let what = format!("{command:?}").replace('"', "");
        let what = what.split_once("looper ").map_or(what.as_str(), |(_, rest)| rest).to_owned();
        let child = command.spawn().expect("the program starts");
        let (mark, deadline) = (mark.to_owned(), Instant::now());
        Self { child, what, mark, stdout, stderr, deadline }.within(LONG)
    }

    /// It may take as long as this, and no longer.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.deadline = Instant::now() + limit;
        self
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process number fits")
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.expect("kill is a program").success(), "{} is gone", self.what);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits until something holds while the child runs.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        while !holds() {
            if !self.is_running() {
                panic!("{} ended before {what}:\n{}", self.what, self.words());
            }
            self.check_time(what);
            thread::sleep(PAUSE);
        }
    }

    /// Waits until it has printed some words.
    pub(crate) fn until_it_said(&mut self, words: &str) {
        let stdout = self.stdout.clone();
        self.until(words, || read(&stdout).contains(words));
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            self.check_time("its end");
            thread::sleep(PAUSE);
        };
        let (stdout, stderr) = (read(&self.stdout), read(&self.stderr));
        Ran { what: std::mem::take(&mut self.what), status, stdout, stderr }
    }

    /// Kills it, if it is still there, and nothing that it has started.
    pub(crate) fn kill(mut self) -> Ran {
        // It may have ended by itself.
        drop(self.child.kill());
        self.wait()
    }

    fn check_time(&mut self, what: &str) {
        if Instant::now() > self.deadline {
            let left = orphans::of(&self.mark);
            self.end();
            panic!("{} did not reach {what}; {left:?}\n{}", self.what, self.words());
        }
    }

    fn words(&self) -> String {
        format!("--- stdout\n{}--- stderr\n{}", read(&self.stdout), read(&self.stderr))
    }

    fn end(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        orphans::kill(&self.mark);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            self.end();
        }
    }
}

fn read(path: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

impl Ran {
    /// A child that somebody else has waited for.
    pub(crate) fn new(what: &str, status: ExitStatus, stdout: String, stderr: String) -> Self {
        Self { what: what.to_owned(), status, stdout, stderr }
    }

    /// Demands this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Demands that people were told something.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} was not said\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, status, stdout, stderr } = self;
        write!(f, "{what}: {status}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}
