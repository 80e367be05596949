//! What is looked at in a project.

use super::findings::{Health, Visit};
use crate::backlog::{Backlog, Severity};
use crate::cli::failure::Failure;
use crate::cli::run::charter::{self, check_branch, refuse_dirt};
use crate::cli::site::{anchor, excluded, fold_log};
use crate::cli::status::holder;
use crate::engine::state::State;
use crate::host::config::{Config, Overrides};
use crate::host::git::Git;
use crate::host::log::{LogError, Reader};
use crate::host::paths::Layout;
use crate::host::prompts::Prompts;
use crate::host::world::BacklogFile;
use crate::ui::story::short;

impl Visit<'_> {
    pub(super) fn project(&mut self) -> Option<Layout> {
        match self.site.layout() {
            Ok(layout) => {
                self.ok("project", layout.project().display().to_string());
                Some(layout)
            }
            Err(failure) => {
                self.fail("project", &failure);
                None
            }
        }
    }

    pub(super) fn config(&mut self, layout: &Layout) -> Option<Config> {
        let config = match self.site.config(layout, &Overrides::default()) {
            Ok(config) => config,
            Err(failure) => {
                let help = "mend the setting; `looper schema config-v1` lists them all";
                self.fail("config", &failure.help(help));
                return None;
            }
        };
        match charter::check(&config) {
            Ok(()) => {
                let settings = config.settings();
                let set = settings.iter().filter(|setting| setting.origin.to_string() != "default");
                let (set, all) = (set.count(), settings.len());
                self.ok("config", format!("{set} of {all} settings are not the default"));
            }
            Err(failure) => self.fail("config", &failure),
        }
        Some(config)
    }

    pub(super) fn git(&mut self, layout: &Layout) -> Option<Git> {
        let backlog = self.site.backlog(layout).unwrap_or_else(|_| layout.backlog());
        let opened = Git::open(layout.project(), &excluded(layout, &backlog));
        let checked = opened.and_then(|mut git| git.preflight().map(|()| git));
        match checked.map_err(Failure::from) {
            Ok(git) => {
                self.ok("git", "the repository can be worked in");
                Some(git)
            }
            Err(failure) => {
                self.fail("git", &failure);
                None
            }
        }
    }

    pub(super) fn work_tree(&mut self, git: &mut Git, state: Option<&State>) {
        let dirt = match git.dirty() {
            Ok(dirt) => dirt,
            Err(error) => return self.fail("work tree", &error.into()),
        };
        match refuse_dirt(&dirt) {
            Ok(()) => self.ok("work tree", "everything is committed"),
            Err(_) if state.is_some_and(|state| !state.is_settled()) => {
                let detail = "an attempt is open, its changes are not committed";
                self.warn("work tree", detail, "its run settles it, or else the next one");
            }
            Err(failure) if state.is_some_and(|state| state.kept().is_some()) => {
                let hint = "a pass that was left uncommitted is fine; anything else is refused";
                self.warn("work tree", failure.summary(), hint);
            }
            Err(failure) => self.fail("work tree", &failure),
        }
    }

    pub(super) fn branch(&mut self, git: &Git, config: Option<&Config>) {
        let (commit, branch) = match git.head_commit() {
            Ok(head) => head,
            Err(error) => return self.fail("branch", &error.into()),
        };
        let branch =
            branch.map(|name| name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned());
        let prefix = config.map_or("", |config| config.run.require_branch_prefix.as_str());
        match check_branch(prefix, branch.as_deref()) {
            Ok(()) => {
                let name = branch.as_deref().unwrap_or("a detached HEAD");
                self.ok("branch", format!("{name} at {}", short(commit.as_str())));
            }
            Err(failure) => self.fail("branch", &failure),
        }
    }

    pub(super) fn backlog(&mut self, layout: &Layout) {
        let read = self.site.backlog(layout).and_then(|path| Ok(BacklogFile::open(&path)?));
        let file = match read {
            Ok(file) => file,
            Err(failure) => return self.fail("backlog", &failure),
        };
        let parsed = Backlog::parse(file.text());
        let errors = parsed.complaints.iter().filter(|it| it.severity == Severity::Error).count();
        let warnings = parsed.complaints.len() - errors;
        let (path, tasks) = (file.path().display(), parsed.backlog.entries.len());
        let detail = format!("{path}: {tasks} tasks, {errors} errors, {warnings} warnings");
        let health = match (parsed.is_refused(), warnings) {
            (true, _) => Health::Fail,
            (false, 1..) => Health::Warn,
            (false, 0) => return self.ok("backlog", detail),
        };
        self.note("backlog", health, detail, Some("`looper lint` shows them"));
    }

    pub(super) fn log(&mut self, layout: &Layout, git: Option<&Git>) -> Option<State> {
        let read = || -> Result<(State, Reader), Failure> {
            let mut reader = Reader::open(&layout.events())?;
            if let Some((seq, proof)) = git.map(anchor).transpose()?.flatten() {
                reader = reader.expecting("refs/looper/log", seq, proof);
            }
            let state = fold_log(&mut reader, |_, _| {})?;
            Ok((state, reader))
        };
        let (state, reader) = match read() {
            Ok(read) => read,
            Err(failure) => {
                self.log_failure(layout, &failure);
                return None;
            }
        };
        let events = reader.tip().seq;
        match reader.torn() {
            Some(torn) if !matches!(holder(layout), Ok(Some(_))) => {
                let hint = "`looper run` keeps it aside and goes on";
                self.warn("log", format!("{events} events, then {torn}"), hint);
            }
            Some(_) | None => self.ok("log", format!("{events} events, all of them replay")),
        }
        Some(state)
    }

    /// A log of LoopDex is no damage: a run sets it aside.
    fn log_failure(&mut self, layout: &Layout, failure: &Failure) {
        let first = Reader::open(&layout.events()).ok().and_then(|mut reader| reader.next());
        if let Some(Err(LogError::Foreign { .. })) = first {
            let hint = failure.way_out().unwrap_or_default().to_owned();
            self.warn("log", failure.summary(), &hint);
        } else {
            self.fail("log", failure);
        }
    }

    pub(super) fn transaction(&mut self, layout: &Layout, state: Option<&State>) {
        let open = state.and_then(State::attempt);
        let is_running = matches!(holder(layout), Ok(Some(_)));
        let found = layout.tx().symlink_metadata();
        match (found, open) {
            (_, Some(attempt)) if !is_running => {
                let (task, number) = (&attempt.task.id, attempt.number);
                let detail = format!("attempt {number} at task {task} was cut short");
                self.warn("transaction", detail, "`looper run` settles it first");
            }
            (Ok(meta), _) if !meta.is_dir() => {
                let detail = format!("{} is no directory", layout.tx().display());
                self.warn("transaction", detail, "`looper run` puts it aside and goes on");
            }
            (Ok(_), _) => self.ok("transaction", "nothing was cut short"),
            (Err(_), _) => self.ok("transaction", "there is none yet"),
        }
    }

    pub(super) fn lock(&mut self, layout: &Layout) {
        match holder(layout) {
            Ok(None) => self.ok("lock", "nobody holds it"),
            Ok(Some(owner)) => {
                self.warn("lock", format!("held by {owner}"), "`looper stop` asks it to end");
            }
            Err(failure) => self.fail("lock", &failure),
        }
    }

    pub(super) fn prompts(&mut self, layout: &Layout) {
        match Prompts::load(&layout.prompts()) {
            Ok(prompts) => {
                let detail = match prompts.replaced().count() {
                    0 => "the built-in ones".to_owned(),
                    count => format!("{count} replaced, all of them render"),
                };
                self.ok("prompts", detail);
            }
            Err(error) => self.fail("prompts", &error.into()),
        }
    }
}
