//! A scenario's project in a directory of its own, away from everything of the user's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::scenario::Scenario;
use super::script::{self, Done};
use super::trial::Terms;
use crate::host::process::{Cancel, sweep_marked};

/// The settings of every scenario: one scripted agent in every role, and nothing between it and the
/// gates.
const CONFIG: &str = r#"
[run]
sandbox = "off"
failures_max = 2
[verify]
timeout_s = 20
[agents.actor]
command = ["actor"]
output = "text"
timeout_s = 20
[roles]
plan = "actor"
plan_critique = "actor"
implement = "actor"
impl_critique = "actor"
"#;

/// Nothing of a name in it comes from this machine.
const GIT_CONFIG: &str = "[user]\n\tname = Ada Example\n\temail = ada@example.org\n\
     [init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n\
     [advice]\n\tdetachedHead = false\n[commit]\n\tgpgsign = false\n";

/// Names the place to every program in it.
const PLACE: &str = "BENCH";

/// Every project begins at the same moment.
const BEGINNING: &str = "2026-01-01T00:00:00Z";

/// What a scenario runs in. It is gone when this is dropped, unless it was asked for.
pub(super) struct Place {
    temporary: Option<TempDir>,
    top: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    /// The commit that the project begins with.
    pub(super) base: String,
    cancel: Cancel,
}

impl Place {
    /// Lays the project out, in a new directory below `keep` or a temporary one, and makes its
    /// first commit. Of the environment nothing is kept but the way to programs.
    ///
    /// # Errors
    /// Something cannot be written, or the scenario's own `setup.sh` fails.
    pub(super) async fn lay_out(scenario: &Scenario, terms: &Terms) -> io::Result<Self> {
        let (made, temporary) = match &terms.keep {
            Some(keep) => {
                let made = keep.join(&scenario.name);
                fs::create_dir(&made)?;
                (made, None)
            }
            None => {
                let made = tempfile::Builder::new().prefix("looper-bench-").tempdir()?;
                (made.path().to_owned(), Some(made))
            }
        };
        let top = made.canonicalize()?;
        let (environment, base, cancel) = (BTreeMap::new(), String::new(), terms.cancel.clone());
        let mut place = Self { temporary, top, environment, base, cancel };
        for name in ["project/.looper", "home", "bin", "tmp", "agents"] {
            fs::create_dir_all(place.top.join(name))?;
        }
        fs::write(place.top.join("home/.gitconfig"), GIT_CONFIG)?;
        place.environment = place.surroundings(terms.path.as_deref());
        place.furnish(scenario)?;
        match place.begin(scenario).await {
            Ok(()) => Ok(place),
            Err(error) => {
                place.leave().await;
                Err(error)
            }
        }
    }

    fn surroundings(&self, path: Option<&OsStr>) -> BTreeMap<OsString, OsString> {
        let mut programs = self.top.join("bin").into_os_string();
        programs.push(":");
        programs.push(path.unwrap_or_else(|| OsStr::new("/usr/local/bin:/usr/bin:/bin")));
        let home = self.top.join("home");
        let pairs = [
            ("PATH", programs),
            ("HOME", home.clone().into()),
            ("GIT_CONFIG_GLOBAL", home.join(".gitconfig").into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("TMPDIR", self.top.join("tmp").into()),
            ("TZ", "UTC".into()),
            ("LC_ALL", "C".into()),
            ("NO_COLOR", "1".into()),
            (PLACE, self.top.clone().into()),
        ];
        pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }

    fn furnish(&self, scenario: &Scenario) -> io::Result<()> {
        for (path, bytes) in &scenario.files {
            let whole = match path.to_str() {
                Some("oracle.sh" | "oracles.sh") => continue,
                Some("backlog.md") => self.project().join(".looper/backlog.md"),
                _ if path.starts_with("project") => self.top.join(path),
                _ => self.top.join("agents").join(path),
            };
            if let Some(dir) = whole.parent() {
                fs::create_dir_all(dir)?;
            }
            fs::write(whole, bytes)?;
        }
        let agents = self.top.join("agents");
        // The words of `agents.sh` are for agents, not for verify commands.
        let actor = format!(
            "#!/bin/sh\nexec env BASH_ENV='{0}/agents.sh' bash \"{0}/$LOOPER_STAGE.sh\"\n",
            agents.display()
        );
        let program = self.top.join("bin/actor");
        fs::write(&program, actor)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fs::write(self.project().join(".looper/config.toml"), config(&scenario.manifest.settings))
    }

    async fn begin(&mut self, scenario: &Scenario) -> io::Result<()> {
        self.git(&["init", "-q"]).await?;
        if scenario.files.contains_key(Path::new("setup.sh")) {
            let setup = self.top.join("agents/setup.sh");
            self.succeed(&[OsStr::new("bash"), OsStr::new("-e"), setup.as_os_str()]).await?;
        }
        self.git(&["add", "-A", "--", ".", ":!.looper"]).await?;
        // `setup.sh` may have committed everything.
        self.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "The beginning"]).await?;
        self.base = self.git(&["rev-parse", "HEAD"]).await?.trim().to_owned();
        Ok(())
    }

    async fn git(&self, arguments: &[&str]) -> io::Result<String> {
        let argv: Vec<&OsStr> =
            std::iter::once("git").chain(arguments.iter().copied()).map(OsStr::new).collect();
        self.succeed(&argv).await
    }

    async fn succeed(&self, argv: &[&OsStr]) -> io::Result<String> {
        let dates = ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"];
        let dates = dates.map(|name| (OsString::from(name), OsString::from(BEGINNING)));
        let done = self.run(argv, dates).await?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        Err(io::Error::other(format!("{argv:?}: {}\n{}{}", done.status, done.stdout, done.stderr)))
    }

    /// Runs a program in the project, with these variables besides those of every program.
    pub(super) async fn run(
        &self,
        argv: &[&OsStr],
        words: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Result<Done> {
        self.run_in(&self.project(), argv, words).await
    }

    /// The same in another directory.
    pub(super) async fn run_in(
        &self,
        dir: &Path,
        argv: &[&OsStr],
        words: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Result<Done> {
        let common = self.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        script::run(argv, dir, common.chain(words), self.cancel.clone()).await
    }

    /// The root of the work tree.
    pub(super) fn project(&self) -> PathBuf {
        self.top.join("project")
    }

    /// A new, empty directory outside the project.
    pub(super) fn empty_dir(&self, name: &str) -> io::Result<PathBuf> {
        let dir = self.top.join(name);
        fs::create_dir(&dir)?;
        Ok(dir)
    }

    /// Words in the agents' scripts that mean nothing: the scenario does not do what it says.
    pub(super) fn unknown_words(&self) -> Option<String> {
        let words = fs::read_to_string(self.top.join("unknown-words")).ok()?;
        Some(words.lines().collect::<Vec<_>>().join(", "))
    }

    /// Ends every process of the scenario that is still there, whatever session it is in: each has
    /// this place in its environment.
    pub(super) async fn end_guests(&self) {
        sweep_marked(PLACE, self.top.as_os_str().as_bytes(), Duration::ZERO).await;
    }

    /// Ends and removes what is not kept. What cannot be removed is left to the system's own cleaning.
    pub(super) async fn leave(self) {
        self.end_guests().await;
        drop(self.temporary.map(TempDir::close));
    }
}

/// The settings of a scenario over those of every scenario.
fn config(own: &toml::Table) -> String {
    let mut merged: toml::Table = CONFIG.parse().unwrap_or_default();
    merge(&mut merged, own);
    merged.to_string()
}

fn merge(into: &mut toml::Table, from: &toml::Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_changes_single_settings() {
        let own = "[roles]\nplan = \"x\"\n[gates]\nscope = \"off\"".parse().unwrap();
        let merged: toml::Table = config(&own).parse().unwrap();
        assert_eq!(merged["roles"]["plan"].as_str(), Some("x"));
        assert_eq!(merged["roles"]["implement"].as_str(), Some("actor"));
        assert_eq!(merged["gates"]["scope"].as_str(), Some("off"));
    }
}
