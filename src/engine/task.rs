//! A task's fixed terms, as people wrote them.

use globset::{GlobBuilder, GlobMatcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{RepoPath, TaskId};

/// The semantic fields of one task. They belong to people; a run never changes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// One line that says what it is about.
    pub title: String,
    /// Every path it may touch.
    pub files: Vec<Pattern>,
    /// What is to be done.
    pub description: String,
    /// When it is done, in words.
    pub criteria: Vec<String>,
    /// Shell commands that must all exit zero.
    pub verify: Vec<String>,
    /// Tasks that must be done first.
    pub depends: Vec<TaskId>,
    /// How large people think it is.
    pub size: Option<String>,
}

impl Task {
    /// The heading under which commits and prompts name the task.
    pub fn heading(&self) -> String {
        format!("Task {}: {}", self.id, self.title)
    }

    /// Whether the task may touch this path. For more than a few, see [`Self::scope`].
    pub fn allows(&self, path: &RepoPath) -> bool {
        self.files.iter().any(|pattern| pattern.matches(path))
    }

    /// What the task may touch, ready for any number of paths.
    pub fn scope(&self) -> Patterns<'_> {
        Patterns::new(&self.files)
    }

    /// Whether the task names exactly this path.
    pub fn names(&self, path: &RepoPath) -> bool {
        self.files.iter().any(|pattern| pattern.as_str().as_bytes() == path.as_bytes())
    }
}

/// Where a task stands, as a checkbox can show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// `[ ]`
    #[default]
    Todo,
    /// `[x]`
    Done,
    /// `[!]`
    Blocked,
}

/// The lifecycle marks of one task: a projection of the log, written back into the backlog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Whose marks.
    pub task: TaskId,
    /// Where it stands.
    pub status: Status,
    /// Consecutive failures.
    pub fail_count: u32,
    /// Why it is blocked or failed last, in one line.
    pub reason: Option<String>,
}

/// The longest glob, in bytes. A longer one is taken literally.
const GLOB_BYTES_MAX: usize = 4 << 10;

/// How many alternatives a glob may open: its compiler recurses into them.
const BRACES_MAX: usize = 32;

/// An exact path or a glob (`*`, `**`, `?`, `[…]`, `{a,b}`; `*` stops at a slash).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Wraps text that a lint has checked, or that comes from the log.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can stand for more than one path.
    pub fn is_glob(&self) -> bool {
        self.0.contains(['*', '?', '[', '{'])
    }

    /// Whether it parses. An exact path always does.
    pub fn is_valid(&self) -> bool {
        !self.is_glob() || self.glob().is_some()
    }

    /// Whether it covers this path. The literal text counts too, so a file called `a[1]` can be
    /// named.
    pub fn matches(&self, path: &RepoPath) -> bool {
        Matcher::new(self).matches(path)
    }

    fn glob(&self) -> Option<globset::Glob> {
        let depth = self.0.bytes().filter(|byte| *byte == b'{').count();
        if self.0.len() > GLOB_BYTES_MAX || depth > BRACES_MAX {
            return None;
        }
        GlobBuilder::new(&self.0).literal_separator(true).backslash_escape(true).build().ok()
    }
}

/// Patterns that are compiled once, because a change can have any number of paths.
#[derive(Debug)]
pub struct Patterns<'a>(Vec<Matcher<'a>>);

impl<'a> Patterns<'a> {
    /// Compiles them.
    pub fn new(patterns: &'a [Pattern]) -> Self {
        Self(patterns.iter().map(Matcher::new).collect())
    }

    /// Whether one of them covers this path.
    pub fn cover(&self, path: &RepoPath) -> bool {
        self.0.iter().any(|matcher| matcher.matches(path))
    }
}

#[derive(Debug)]
struct Matcher<'a> {
    text: &'a [u8],
    glob: Option<GlobMatcher>,
}

impl<'a> Matcher<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        let glob = if pattern.is_glob() { pattern.glob() } else { None };
        Self { text: pattern.0.as_bytes(), glob: glob.map(|glob| glob.compile_matcher()) }
    }

    fn matches(&self, path: &RepoPath) -> bool {
        let covers = |glob: &GlobMatcher| glob.is_match(bytes_as_path(path.as_bytes()));
        self.text == path.as_bytes() || self.glob.as_ref().is_some_and(covers)
    }
}

fn bytes_as_path(bytes: &[u8]) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt as _;
    std::path::Path::new(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::exact("src/a.rs", "src/a.rs", true)]
    #[case::other("src/a.rs", "src/b.rs", false)]
    #[case::case_counts("src/a.rs", "src/A.rs", false)]
    #[case::star("src/*.rs", "src/a.rs", true)]
    #[case::star_stops_at_a_slash("src/*.rs", "src/x/a.rs", false)]
    #[case::two_stars_do_not("src/**", "src/x/a.rs", true)]
    #[case::braces("src/{a,b}.rs", "src/b.rs", true)]
    #[case::literal_brackets("a[1]", "a[1]", true)]
    #[case::a_directory_is_not_its_content("src", "src/a.rs", false)]
    fn a_pattern_covers(#[case] pattern: &str, #[case] path: &str, #[case] want: bool) {
        assert_eq!(Pattern::new(pattern).matches(&RepoPath::new(path).unwrap()), want);
    }
}
