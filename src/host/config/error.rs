//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use super::origin::Origin;
use crate::host::files::FileError;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not TOML, or a value is not what its key takes.
    #[error("{place}: {message}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong, in one line.
        message: String,
    },
    /// Nothing is called that.
    #[error("{place}: unknown key {key:?}{}", nearest(.near))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// A role is given to an agent that nobody knows.
    #[error("{key} ({origin}): unknown agent {name:?}{}", nearest(.near))]
    UnknownAgent {
        /// The role.
        key: &'static str,
        /// Who gave it: a flag is a mistake in usage, a file one in configuration.
        origin: Origin,
        /// The agent.
        name: String,
        /// What may have been meant.
        near: Option<String>,
    },
    /// An agent of one's own says nothing about how it is called.
    #[error("agent {name:?} is not built in, so [agents.{name}] needs a command")]
    NoCommand {
        /// The agent.
        name: String,
    },
}

/// Where something stands in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// Which.
        path: PathBuf,
        /// From one.
        line: usize,
        /// In characters, from one.
        column: usize,
    },
    /// In the environment, on the command line, or in the defaults.
    Named(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Named(name) => f.write_str(name),
        }
    }
}

fn nearest(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!(", did you mean {near:?}?"))
}

/// What a TOML reader says, in words for people: it speaks of tables where a word is expected,
/// because an enum could be one.
pub(super) fn reworded(error: &toml::de::Error) -> String {
    match error.message() {
        "wanted string or table" => "expected a string".to_owned(),
        message => plain(message),
    }
}

/// One line of plain text, whatever a file holds.
pub(super) fn plain(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line = String::new();
    for char in text.trim().chars().take(LONGEST) {
        match char {
            '\n' => line.push_str(", "),
            char if char.is_control() => line.extend(char.escape_default()),
            char => line.push(char),
        }
    }
    line
}

/// The candidate that differs least from a name, unless all differ too much.
pub(super) fn near<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let bound = 1 + name.chars().count() / 4;
    let distances = candidates.map(|candidate| (distance(name, candidate), candidate));
    distances.min_by_key(|(distance, _)| *distance).filter(|(d, _)| *d <= bound).map(|(_, c)| c)
}

/// How many letters must be put in, left out or changed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::letter_missing("timout_s", Some("timeout_s"))]
    #[case::letter_changed("repeet", Some("repeat"))]
    #[case::hyphen("timeout-s", Some("timeout_s"))]
    #[case::something_else("colour", None)]
    fn the_nearest_key_is_suggested(#[case] name: &str, #[case] want: Option<&str>) {
        assert_eq!(near(name, ["timeout_s", "checkout", "repeat"].into_iter()), want);
    }

    #[test]
    fn what_a_file_holds_does_not_move_the_cursor() {
        assert_eq!(plain("a\x1b[2J\nb\r"), r"a\u{1b}[2J, b");
        assert!(plain(&"x".repeat(10_000)).len() <= 300);
    }
}
