//! A project, a real program for every role, and the server behind it.

use std::io::Write as _;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::packages::{Wanted, installed, wanted};
use crate::program::Program;
use crate::server::Server;
use crate::support::{Log, Project, Ran, Running, TaskText};

/// The programs need whole processors and seconds to start: one night after the other.
static TURN: Mutex<()> = Mutex::new(());

/// What a whole run may take with a program that tries for minutes, again and again.
const RUN_MAX: Duration = Duration::from_secs(1800);

/// How much of what a program printed is shown when a test fails: the end tells the most.
const PRINTED_CHARS_MAX: usize = 2000;

/// Everything that one run takes.
pub(crate) struct Night {
    pub(crate) project: Project,
    pub(crate) server: Server,
    pub(crate) name: &'static str,
    _turn: MutexGuard<'static, ()>,
}

impl Night {
    /// With a real program in every role, as its preset calls it. `None`: it cannot be had here,
    /// which has been said.
    pub(crate) fn with(program: Program, tasks: &[TaskText]) -> Option<Self> {
        let dir = had(wanted(), program)?;
        // A test that failed has said so, and left nothing that matters here.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // Codex makes no helpers for itself where temporary files are.
        let mut project = Project::new_in(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let server = Server::start(project.root());
        program.furnish(&mut project, &dir, &server);
        project.backlog(tasks);
        let night = Self { project, server, name: program.known().name, _turn: turn };
        night.settings("");
        Some(night)
    }

    /// The same, for what takes long.
    pub(crate) fn long_with(program: Program, tasks: &[TaskText]) -> Option<Self> {
        match wanted() {
            Ok(Wanted::Auto | Wanted::Required) => {
                skip(program, "it takes long, and LOOPER_REAL is not all")
            }
            Ok(Wanted::All) | Err(_) => Self::with(program, tasks),
        }
    }

    /// Always for some programs, for the others where everything is wanted.
    pub(crate) fn for_some(some: &[Program], program: Program, tasks: &[TaskText]) -> Option<Self> {
        let is_one = some.contains(&program);
        if is_one { Self::with(program, tasks) } else { Self::long_with(program, tasks) }
    }

    /// Settings beside the program in every role.
    pub(crate) fn settings(&self, more: &str) {
        let roles = ["plan", "plan_critique", "implement", "impl_critique", "review"];
        let roles: String =
            roles.iter().map(|role| format!("{role} = \"{}\"\n", self.name)).collect();
        self.project.write(".looper/config.toml", format!("{more}\n[roles]\n{roles}"));
    }

    /// Starts `looper run`.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.project.start(&[&["run"], args].concat()).within(RUN_MAX)
    }

    /// `looper run` to its end, with this exit code; then everything is checked.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> Ran {
        self.ends(self.start(args), code)
    }

    /// A run that was started, to its end: with this exit code, and everything in order.
    #[track_caller]
    pub(crate) fn ends(&self, running: Running, code: i32) -> Ran {
        let ran = running.wait();
        let story = || format!("{ran}\n{}", self.story());
        assert_eq!(ran.status.code(), Some(code), "{}", story());
        for seen in self.server.seen() {
            assert_eq!(seen.complaint, None, "{}", story());
        }
        self.project.check();
        assert_eq!(self.project.status(), "", "the tree is clean\n{}", story());
        ran
    }

    /// The log in few words, and what the programs have printed last.
    fn story(&self) -> String {
        if !self.project.has(".looper/events.jsonl") {
            return String::new();
        }
        let log = self.project.log();
        let line = |line: &Value| {
            let data = line["data"].to_string();
            let class = &line["data"]["class"];
            let printed = line["data"]["transcript"].as_str().filter(|_| class != "ok");
            let printed = printed.map(|id| self.project.object(id)).unwrap_or_default();
            let data: String = data.chars().take(400).collect();
            let skip = printed.chars().count().saturating_sub(PRINTED_CHARS_MAX);
            let printed: String = printed.chars().skip(skip).collect();
            format!("{} {data}\n{printed}", line["event"])
        };
        log.lines.iter().map(line).collect()
    }
}

/// The results of all agent stages, with the names of their events.
pub(crate) fn stages(log: &Log) -> Vec<(&str, &Value)> {
    let names =
        ["plan_finished", "plan_critique_finished", "implement_finished", "impl_critique_finished"];
    let name = |line: &Value| names.into_iter().find(|name| line["event"] == *name);
    log.lines.iter().filter_map(|line| Some((name(line)?, &line["data"]))).collect()
}

fn had(wanted: Result<Wanted, String>, program: Program) -> Option<PathBuf> {
    if let Err(why) = &wanted {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tell(&format!("skipped: everything with real agents: {why}")));
        return None;
    }
    match (&wanted, wanted.clone().and_then(|_| installed(program))) {
        (_, Ok(dir)) => Some(dir),
        (Ok(Wanted::Required | Wanted::All), Err(why)) => panic!("{why}"),
        (_, Err(why)) => skip(program, &why),
    }
}

/// Says that a test proves nothing here, and why.
pub(crate) fn skip<T>(program: Program, why: &str) -> Option<T> {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    tell(&format!("skipped: {test} with {}: {why}", program.known().name));
    None
}

/// Tells people what was measured.
pub(crate) fn figures(line: &str) {
    tell(&format!("measured: {line}"));
}

/// Past the harness, which shows nothing of a test that passes.
fn tell(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).expect("people can be told");
}

impl Deref for Night {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}
