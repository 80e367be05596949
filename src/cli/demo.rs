//! `looper demo`: the main job on a throw-away project, with the agent that follows a script.

mod place;
mod story;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::{DemoArgs, Format, Global, RunArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::signals::Signals;
use super::site::{Site, fold_log};
use super::{anew, run};
use crate::host::clock;
use crate::host::files::FileError;
use crate::host::git::{Beginning, Git, When};
use crate::host::log::Reader;
use crate::host::paths::Layout;
use place::Place;
use story::Story;

/// The project before the first task.
const FILES: [(&str, &str); 4] = [
    ("README.md", include_str!("demo/project/README.md")),
    ("greet.sh", include_str!("demo/project/greet.sh")),
    ("tests/greet.sh", include_str!("demo/project/tests/greet.sh")),
    ("tests/count.sh", include_str!("demo/project/tests/count.sh")),
];

const BACKLOG: &str = include_str!("demo/backlog.md");
const CONFIG: &str = include_str!("demo/config.toml");
const AGENTS: &str = include_str!("demo/agents.toml");

const INTRODUCTION: &str = "\
A project of shell scripts and a backlog of five tasks. Both agents follow a script; git, the
verify commands, the gates and the log are real.

";

/// What the repository of the demo says for itself, so that nobody's own settings matter.
const SETTINGS: [(&str, &str); 5] = [
    ("user.name", "Looper Demo"),
    ("user.email", "demo@looper.invalid"),
    ("commit.gpgsign", "false"),
    ("core.autocrlf", "false"),
    ("core.excludesFile", "/dev/null"),
];

/// Makes the project, works through its backlog, tells what happened and replays the log.
///
/// # Errors
/// The project cannot be made, or the demo did not go as its script says.
pub(super) fn demo(site: &Site, args: &DemoArgs) -> Result<Exit, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::of(Exit::Machine, &error))?;
    let environment = anew::environment(site, &program)?;
    // What is made from here on is gone again whatever signal comes.
    let signals = Signals::listen()?;
    let place = Place::make(args.keep.as_deref(), &site.cwd)?;
    let layout = make_project(place.path(), &program)?;
    let site = inside(site, place.path(), environment);
    if !site.global.quiet {
        super::say(INTRODUCTION);
    }
    let exit = run::run_under(signals, &site, &undisturbed())?;
    if exit == Exit::Interrupted {
        return Ok(exit);
    }
    tell(&site, &layout, place)
}

/// The site of the demo's own project.
fn inside(site: &Site, project: &Path, environment: BTreeMap<OsString, OsString>) -> Site {
    let global = Global { project: Some(project.to_owned()), ..site.global.clone() };
    Site { cwd: project.to_owned(), environment, global }
}

/// A run as `looper run` without options would be.
fn undisturbed() -> RunArgs {
    RunArgs {
        iterations: None,
        agent: None,
        task: None,
        profile: None,
        dry_run: false,
        wait: false,
        allow_dirty: false,
        record: None,
        git_init: false,
    }
}

fn make_project(project: &Path, program: &Path) -> Result<Layout, Failure> {
    for (name, text) in FILES {
        write(&project.join(name), text)?;
    }
    let layout = Layout::new(project, None)?;
    layout.ensure()?;
    write(&layout.backlog(), BACKLOG)?;
    write(&layout.config(), &config(program)?)?;
    write(&layout.state().join("agents.toml"), AGENTS)?;
    let (seconds, offset_minutes) = clock::seconds_and_offset(clock::now());
    let beginning = Beginning {
        message: "Greet the world",
        when: When { seconds, offset_minutes },
        settings: &SETTINGS,
    };
    Git::init_repo(project, &super::site::excluded(&layout, &layout.backlog()), &beginning)?;
    Ok(layout)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = made.and_then(|()| std::fs::write(path, text));
    Ok(written.map_err(|source| FileError::io("write", path, source))?)
}

/// The configuration with the program's own path in it.
fn config(program: &Path) -> Result<String, Failure> {
    let path = program.to_str().ok_or_else(|| {
        let what = format!("the path {} is not UTF-8", program.display());
        Failure::new(Exit::Refused, what).help("install looper somewhere else")
    })?;
    Ok(CONFIG.replace("LOOPER", &toml::Value::from(path).to_string()))
}

/// Says what happened, as the log and the repository have it.
fn tell(site: &Site, layout: &Layout, place: Place) -> Result<Exit, Failure> {
    let mut story = Story::default();
    let state = fold_log(&mut Reader::open(&layout.events())?, |event, _| story.saw(event))?;
    let excluded = super::site::excluded(layout, &layout.backlog());
    let history = Git::open(layout.project(), &excluded)?.history(story::COMMITS_MAX)?;
    let kept: Option<PathBuf> = place.kept().map(Path::to_owned);
    let differs = story.differs(&state, &history);
    super::print(&match site.global.format {
        Format::Text | Format::Html => story.text(&state, &history, kept.as_deref()),
        Format::Json => story.json(&state, &history, kept.as_deref()),
    })?;
    place.leave()?;
    match differs {
        None => Ok(Exit::Ok),
        Some(what) => Err(Failure::new(Exit::Bug, format!("the demo went wrong: {what}"))
            .help("run it with --keep DIR, and report what `looper log` shows there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backlog::Backlog;
    use crate::scripted::Script;

    #[test]
    fn what_the_demo_is_made_of_is_well_formed() {
        let parsed = Backlog::parse(BACKLOG);
        assert!(parsed.complaints.is_empty(), "{:?}", parsed.complaints);
        let script: Script = toml::from_str(AGENTS).unwrap();
        let tasks: Vec<_> = parsed.backlog.tasks().into_iter().map(|task| task.id).collect();
        for rule in script.rules {
            let task = rule.task.expect("each rule is about one task");
            assert!(tasks.iter().any(|known| known.as_str() == task), "{task}");
        }
    }

    #[test]
    fn a_path_that_needs_quotes_is_quoted() {
        let text = config(Path::new("/a \"b\"\\c/looper")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let command = table["agents"]["author"]["command"].as_array().unwrap();
        assert_eq!(command[0].as_str(), Some("/a \"b\"\\c/looper"));
    }
}
