//! Configuration and charters.

use std::collections::BTreeMap;

use looper::engine::charter::Charter;
use looper::host::config::{Config, Overrides, Sources};

use crate::files::file;

/// The user's file, then the project's after a form feed, then one variable per line. What is
/// accepted is the same when it is read again, and every value knows where it comes from.
pub(super) fn config(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0x0c);
    let mut part = || parts.next().unwrap_or_default();
    let sources = [file("user.toml", part()), file("project.toml", part())];
    let variables = String::from_utf8_lossy(part());
    let env: BTreeMap<String, String> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let [user, project] = sources;
    let flags = Overrides::default();
    let sources =
        Sources { user_file: Some(user), project_file: project, env: &env, flags: &flags };
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(Config::load(&sources).ok().as_ref(), Some(&config));
    for setting in config.settings() {
        assert_eq!(config.origin(&setting.key), &setting.origin);
    }
}

/// The terms of a run: what is accepted is written and read again as it is.
pub(super) fn charter(data: &[u8]) {
    let Ok(charter) = serde_json::from_slice::<Charter>(data) else { return };
    let text = serde_json::to_string(&charter).expect("a charter has a JSON form");
    let again: Charter = serde_json::from_str(&text).expect("a charter that was written");
    assert_eq!(charter, again);
    for task in &charter.tasks {
        for pattern in &task.files {
            let path = looper::engine::id::RepoPath::new(b"src/a.rs".to_vec());
            pattern.matches(&path.expect("it is a path"));
        }
    }
}
