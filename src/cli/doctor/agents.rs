//! Which agents are there, in which version, and whether they are logged in.
//!
//! Only programs that are known by their name are asked anything, and only what costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::JoinSet;

use super::findings::{Health, Visit};
use crate::cli::failure::Failure;
use crate::cli::run::charter::{PRESETS, agent_terms, role_names};
use crate::engine::id::AgentName;
use crate::host::agents::{Format, Known, Login, Surroundings, version_in};
use crate::host::config::Config;
use crate::host::files;
use crate::host::process::{
    self, Cancel, Capture, Cause, Command, Exit, Limits, Stdin, find_program,
};

/// How long a program may take to say what it is.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// An agent, as far as it can be seen without calling a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AgentFound {
    /// Its name.
    pub(super) name: AgentName,
    /// Whether a role of this project is its.
    pub(super) has_role: bool,
    /// Where its program is; null where it is not there.
    pub(super) program: Option<String>,
    /// What its program says; null where it is not known by its name, or does not say.
    pub(super) version: Option<String>,
    /// Whether it is logged in; null where nothing tells.
    pub(super) logged_in: Option<bool>,
    /// The model that is asked for; null: the program decides.
    pub(super) model: Option<String>,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

/// What one program says about itself.
#[derive(Clone, Debug, Default)]
struct Told {
    version: Option<String>,
    /// What it said instead of a version.
    said: String,
    is_late: bool,
    login: Option<bool>,
    /// The version of the node that runs it, where one does.
    node: Option<String>,
}

/// What a program answered to one question.
struct Answer {
    text: String,
    exit: Exit,
    cause: Cause,
}

impl Visit<'_> {
    /// Every agent that is known or configured.
    pub(super) fn agents(&mut self, config: Option<&Config>, project: &Path) {
        if let Some(Err(error)) = config.map(|config| config.check_agents(&PRESETS)) {
            self.fail("agents", &error.into());
        }
        let roles: BTreeSet<AgentName> =
            config.map(role_names).unwrap_or_default().into_iter().collect();
        let nothing = Config::default();
        let config = config.unwrap_or(&nothing);
        let mut names: BTreeSet<AgentName> = PRESETS.map(AgentName::new).into();
        names.extend(roles.iter().chain(config.agents.keys()).cloned());
        let mut programs = BTreeMap::new();
        for name in &names {
            let terms = agent_terms(config, name);
            let program = terms.command.first().cloned().unwrap_or_default();
            let path = find_program(program.as_ref(), &self.site.environment, project);
            programs.insert(name.clone(), (program, path, terms.model));
        }
        let paths = programs.values().filter_map(|(_, path, _)| path.clone());
        let told = self.ask(paths.filter(|path| !is_inside(path, project)));
        for (name, (program, path, model)) in programs {
            let has_role = roles.contains(&name);
            let told = path.as_ref().and_then(|path| told.get(path));
            let found = self.found(name, path.as_deref(), told, project);
            let model = Some(model).filter(|model| !model.is_empty());
            let found = AgentFound { has_role, model, ..found };
            if has_role {
                self.tell_agent(&found, &program);
            }
            self.agents.push(found);
        }
        self.tell_others();
    }

    fn found(
        &self,
        name: AgentName,
        path: Option<&Path>,
        told: Option<&Told>,
        project: &Path,
    ) -> AgentFound {
        let program = path.map(|path| path.display().to_string());
        let around = Surroundings { environment: &self.site.environment, project };
        let known = program.as_deref().and_then(Known::by_program);
        let (Some(known), Some(told)) = (known, told) else {
            let (has_role, version, logged_in, model, hint) = (false, None, None, None, None);
            return AgentFound { name, has_role, program, version, logged_in, model, hint };
        };
        let Login { is_there, hint } = known.login(&around, told.login);
        let hint = trouble(known, told).or(hint.map(str::to_owned));
        let version = told.version.clone();
        AgentFound {
            name,
            has_role: false,
            program,
            version,
            logged_in: is_there,
            model: None,
            hint,
        }
    }

    fn tell_agent(&mut self, found: &AgentFound, program: &str) {
        let label = format!("agent {}", found.name);
        let Some(path) = &found.program else {
            let detail = format!("the program {program:?} is not found");
            let hint = "install it, put it on the PATH, or name another one with --agent";
            return self.note(&label, Health::Fail, detail, Some(hint));
        };
        let mut detail = vec![path.clone()];
        detail.extend(found.version.clone());
        detail.extend(
            found
                .logged_in
                .map(|is_in| if is_in { "logged in" } else { "not logged in" }.to_owned()),
        );
        detail.extend(found.model.as_ref().map(|model| format!("model {model}")));
        let health = if found.hint.is_some() { Health::Warn } else { Health::Ok };
        self.note(&label, health, detail.join(" · "), found.hint.as_deref());
    }

    /// Those without a role are no more than a remark.
    fn tell_others(&mut self) {
        let others = self.agents.iter().filter(|found| !found.has_role);
        let (there, missing): (Vec<_>, Vec<_>) = others.partition(|found| found.program.is_some());
        let list = |names: Vec<String>| match &names[..] {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let with_version = |found: &&AgentFound| match &found.version {
            Some(version) => format!("{} {version}", found.name),
            None => found.name.to_string(),
        };
        let there = list(there.iter().map(with_version).collect());
        let missing = list(missing.iter().map(|found| found.name.to_string()).collect());
        self.ok("other agents", format!("on the PATH: {there}; not there: {missing}"));
    }

    /// Asks all programs at once: some of them take seconds to say who they are.
    fn ask(&self, paths: impl Iterator<Item = PathBuf>) -> BTreeMap<PathBuf, Told> {
        let paths: BTreeSet<PathBuf> = paths.collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return BTreeMap::new() };
        if let Err(error) = process::become_subreaper() {
            tracing::debug!(%error, "what a program leaves behind may not be found");
        }
        runtime.block_on(async {
            let mut asked = JoinSet::new();
            for path in paths {
                let Some(known) = Known::by_program(&path.display().to_string()) else { continue };
                let environment = self.site.environment.clone();
                asked.spawn(async move {
                    let told = ask_one(known, &path, environment).await;
                    (path, told)
                });
            }
            let mut told = BTreeMap::new();
            while let Some(answered) = asked.join_next().await {
                told.extend(answered.ok());
            }
            told
        })
    }
}

/// Whether a program is the project's own, by its name or behind its links. Whoever only looks at
/// what somebody else has written runs none of it.
fn is_inside(program: &Path, project: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let root = real(project);
    program.starts_with(project) || program.starts_with(&root) || real(program).starts_with(&root)
}

/// What is wrong with a program, in the words that help.
fn trouble(known: Known, told: &Told) -> Option<String> {
    let Some(version) = &told.version else {
        if told.is_late {
            return Some(format!("it does not say its version in {} s", ANSWER_MAX.as_secs()));
        }
        let line = told.said.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
        let line: String = line.chars().take(120).collect();
        return Some(format!(
            "instead of its version it says: {line}; {}",
            known.unanswered(&told.said)
        ));
    };
    let node = told.node.as_deref().and_then(|node| node.split('.').next()?.parse::<u64>().ok());
    if let (Some(node), Some(min)) = (node, known.node_min(Some(version)))
        && node < min
    {
        return Some(format!("it needs node {min} or newer, and node here is {node}"));
    }
    known.trouble(version).map(str::to_owned)
}

async fn ask_one(known: Known, path: &Path, mut environment: BTreeMap<OsString, OsString>) -> Told {
    if let Some(name) = path.file_name().and_then(|name| name.to_str())
        && let Ok(format) = name.parse::<Format>()
    {
        // No updates and no telemetry because somebody looks.
        format.prepare(&mut environment);
    }
    let mut told = Told::default();
    match answer(path, &["--version"], &environment).await {
        Ok(answer) => {
            told.version = version_in(&answer.text).filter(|_| answer.exit.is_success());
            told.is_late = answer.cause == Cause::DeadlinePassed;
            told.said = answer.text;
        }
        Err(reason) => told.said = reason,
    }
    if let Some(question) = known.login_question().filter(|_| told.version.is_some()) {
        let answer = answer(path, question, &environment).await;
        told.login = match answer.map(|answer| (answer.cause, answer.exit)) {
            Ok((Cause::Exited, Exit::Code(0))) => Some(true),
            Ok((Cause::Exited, Exit::Code(1))) => Some(false),
            _ => None,
        };
    }
    if is_node_script(path)
        && let Some(node) = find_program("node".as_ref(), &environment, Path::new("/"))
    {
        let answer = answer(&node, &["--version"], &environment).await;
        told.node = answer.ok().and_then(|answer| version_in(&answer.text));
    }
    told
}

/// What a program prints, in a place of its own where it may leave what it likes.
async fn answer(
    path: &Path,
    arguments: &[&str],
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Answer, String> {
    let no_place = |error: std::io::Error| format!("no place for its files: {error}");
    let place = tempfile::Builder::new().prefix("looper-doctor-").tempdir().map_err(no_place)?;
    let inside = place.path().join("tmp");
    std::fs::create_dir(&inside).map_err(no_place)?;
    let mut environment = environment.clone();
    environment.insert("TMPDIR".into(), inside.clone().into());
    let capture = |name: &str| Capture {
        path: place.path().join(name),
        keep_bytes: ANSWER_BYTES_MAX,
        kill_bytes: Some(ANSWER_BYTES_MAX),
    };
    let words = arguments.iter().map(OsString::from);
    let command = Command {
        argv: [path.into()].into_iter().chain(words).collect(),
        cwd: inside,
        environment,
        stdin: Stdin::Null,
        stdout: capture("stdout"),
        stderr: capture("stderr"),
        limits: Limits { deadline: ANSWER_MAX, idle: None, grace: Duration::from_secs(1) },
        is_wrapper: false,
    };
    let ended = process::run(command, Cancel::never()).await;
    let ended =
        ended.map_err(|error| Failure::of(crate::cli::exit::Exit::Refused, &error).summary())?;
    let text = |name: &str| {
        let bytes = files::read_bounded(&place.path().join(name), ANSWER_BYTES_MAX);
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    let text = format!("{}\n{}", text("stdout"), text("stderr"));
    Ok(Answer { text, exit: ended.exit, cause: ended.cause })
}

fn is_node_script(path: &Path) -> bool {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(128).read_to_end(&mut first));
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    read.is_ok() && line.starts_with(b"#!") && line.ends_with(b"node")
}
