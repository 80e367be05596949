//! What is looked at in a project.

use super::findings::{Health, Visit};
use crate::backlog::{Backlog, Severity};
use crate::cli::failure::Failure;
use crate::cli::run::charter::{self, check_branch, refuse_dirt};
use crate::cli::site::excluded;
use crate::cli::status::holder;
use crate::engine::state::State;
use crate::host::config::{Config, Overrides};
use crate::host::git::{Git, GitError, Refusal};
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

    pub(super) fn open_git(&mut self, layout: &Layout) -> Option<Git> {
        let backlog = self.site.backlog(layout).unwrap_or_else(|_| layout.backlog());
        match Git::open(layout.project(), &excluded(layout, &backlog)) {
            Ok(git) => Some(git),
            Err(error) => {
                self.fail("git", &error.into());
                None
            }
        }
    }

    /// What recovery clears away is no reason to refuse a run.
    pub(super) fn git(&mut self, git: &mut Git, is_cut_short: bool) {
        let Err(error) = git.preflight() else {
            return self.ok("git", "the repository can be worked in");
        };
        let is_cleared = matches!(
            &error,
            GitError::Refused(Refusal::IndexLocked { .. }) | GitError::Index { .. }
        );
        let failure = Failure::from(error);
        if is_cut_short && is_cleared {
            let hint = "the run that was cut short can have left it: `looper run` mends it";
            self.warn("git", failure.summary(), hint);
        } else {
            self.fail("git", &failure);
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
