//! Where a place that begins with `~/` is on this machine.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::host::paths::Layout;

/// Places that a variable moves, the longer name first.
const MOVED: [(&str, &str); 11] = [
    ("~/.local/share", "XDG_DATA_HOME"),
    ("~/.local/state", "XDG_STATE_HOME"),
    ("~/.config", "XDG_CONFIG_HOME"),
    ("~/.cache", "XDG_CACHE_HOME"),
    ("~/.cargo", "CARGO_HOME"),
    ("~/.claude", "CLAUDE_CONFIG_DIR"),
    ("~/.codex", "CODEX_HOME"),
    ("~/.gradle", "GRADLE_USER_HOME"),
    ("~/.npm", "npm_config_cache"),
    ("~/.yarn", "YARN_GLOBAL_FOLDER"),
    ("~/go", "GOPATH"),
];

/// Where the usual tools keep what they have downloaded or built. Nothing else of theirs: their
/// settings and what they have installed would reach beyond the run.
pub const CACHES: [&str; 18] = [
    "~/.bun/install/cache",
    "~/.cabal/packages",
    "~/.cache",
    "~/.cargo/.global-cache",
    "~/.cargo/.package-cache",
    "~/.cargo/.package-cache-mutate",
    "~/.cargo/git",
    "~/.cargo/registry",
    "~/.gradle",
    "~/.ivy2",
    "~/.local/share/NuGet",
    "~/.local/share/pnpm",
    "~/.m2/repository",
    "~/.npm",
    "~/.nuget/packages",
    "~/.pnpm-store",
    "~/.yarn",
    "~/go/pkg",
];

/// The real paths of those places that exist, each once.
pub fn resolve<'a>(
    places: impl IntoIterator<Item = &'a str>,
    environment: &BTreeMap<OsString, OsString>,
) -> Vec<PathBuf> {
    let places = places.into_iter().filter_map(|place| located(place, environment));
    let mut real: Vec<PathBuf> = places.filter_map(|place| fs::canonicalize(place).ok()).collect();
    real.sort();
    real.dedup();
    real
}

/// Makes those places that are missing directories, for their owner alone: a program that would
/// make its own at its first use, or after somebody emptied a cache, cannot in a sandbox. A name
/// with an extension is a file's, and left to its program.
pub fn make_missing<'a>(
    places: impl IntoIterator<Item = &'a str>,
    environment: &BTreeMap<OsString, OsString>,
) {
    let directories = places.into_iter().filter(|place| Path::new(place).extension().is_none());
    for place in directories.filter_map(|place| located(place, environment)) {
        if !place.exists()
            && let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(&place)
        {
            tracing::debug!(place = %place.display(), %error, "a place of an agent is not made");
        }
    }
}

/// What nobody but `looper` writes: what git keeps, the state directory, the backlog wherever it
/// is, and the user's own settings, which could switch all this off.
pub fn ours(
    layout: &Layout,
    git_dirs: [&Path; 2],
    backlog: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Vec<PathBuf> {
    let named = [&layout.project().join(".git"), layout.state(), backlog];
    let all = git_dirs.into_iter().chain(named);
    let mut real: Vec<PathBuf> = all.filter_map(|path| fs::canonicalize(path).ok()).collect();
    real.extend(resolve(["~/.config/looper"], environment));
    real.sort();
    // What lies in one of them is held with it.
    real.dedup_by(|inner, outer| inner.starts_with(outer));
    real
}

fn located(place: &str, environment: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = environment.get(OsStr::new(name)).map(Path::new);
        path.filter(|path| path.is_absolute())
    };
    for (name, variable) in MOVED {
        let inside = Path::new(place).strip_prefix(name).ok();
        if let (Some(inside), Some(base)) = (inside, absolute(variable)) {
            return Some(base.join(inside));
        }
    }
    match place.strip_prefix("~/") {
        Some(inside) => Some(absolute("HOME")?.join(inside)),
        None => Some(PathBuf::from(place)).filter(|path| path.is_absolute()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::home("~/.cache/x", &[("HOME", "/h")], Some("/h/.cache/x"))]
    #[case::moved("~/.cache/x", &[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")], Some("/c/x"))]
    #[case::moved_itself("~/.codex", &[("HOME", "/h"), ("CODEX_HOME", "/c")], Some("/c"))]
    #[case::not_its_name("~/.codexes", &[("HOME", "/h"), ("CODEX_HOME", "/c")], Some("/h/.codexes"))]
    #[case::moved_nowhere("~/.codex", &[("HOME", "/h"), ("CODEX_HOME", "")], Some("/h/.codex"))]
    #[case::homeless("~/.codex", &[], None)]
    #[case::absolute("/srv", &[], Some("/srv"))]
    #[case::relative("srv", &[("HOME", "/h")], None)]
    fn a_place_is_found(
        #[case] place: &str,
        #[case] environment: &[(&str, &str)],
        #[case] want: Option<&str>,
    ) {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        assert_eq!(located(place, &environment.collect()), want.map(PathBuf::from));
    }

    #[test]
    fn what_a_program_keeps_is_made_and_no_file_is() {
        let home = tempfile::tempdir().unwrap();
        let environment = BTreeMap::from([("HOME".into(), home.path().into())]);
        make_missing(["~/.cache/opencode", "~/.claude.json", "nowhere"], &environment);
        assert!(home.path().join(".cache/opencode").is_dir());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        make_missing(["~/.cache/opencode"], &environment);
    }

    #[test]
    fn what_is_missing_is_left_out_and_links_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(real.join("disk")).unwrap();
        std::os::unix::fs::symlink("disk", real.join(".cache")).unwrap();
        let environment = BTreeMap::from([("HOME".into(), real.clone().into())]);
        let found = resolve(["~/.cache", "~/disk", "~/.missing"], &environment);
        assert_eq!(found, [real.join("disk")]);
    }
}
