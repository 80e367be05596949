//! One line of one file, changed.

use crate::engine::id::RepoPath;

/// One line of one file, changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub path: RepoPath,
    /// The line, from one.
    pub line: usize,
    /// What it says, without its end.
    pub before: String,
    /// What it says then; nothing where the line is dropped.
    pub after: Option<String>,
}

impl Edit {
    /// The file with the line changed and every other byte as it was. `None`: the line does not say
    /// what it was said to say.
    pub(super) fn apply(&self, content: &[u8]) -> Option<Vec<u8>> {
        let mut changed = Vec::with_capacity(content.len() + 16);
        let mut is_done = false;
        for (index, line) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if index + 1 != self.line {
                changed.extend_from_slice(line);
                continue;
            }
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text != self.before.as_bytes() {
                return None;
            }
            if let Some(after) = &self.after {
                changed.extend_from_slice(after.as_bytes());
                changed.extend_from_slice(&line[text.len()..]);
            }
            is_done = true;
        }
        is_done.then_some(changed)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::changed("a\nb\nc\n", 2, "b", Some("x"), Some("a\nx\nc\n"))]
    #[case::dropped("a\nb\nc\n", 2, "b", None, Some("a\nc\n"))]
    #[case::line_ends_stay("a\r\nb\r\n", 2, "b", Some("x"), Some("a\r\nx\r\n"))]
    #[case::no_end("a\nb", 2, "b", Some("x"), Some("a\nx"))]
    #[case::another_line("a\nb\n", 2, "a", Some("x"), None)]
    #[case::past_the_end("a\n", 2, "b", Some("x"), None)]
    fn one_line_changes(
        #[case] content: &str,
        #[case] line: usize,
        #[case] before: &str,
        #[case] after: Option<&str>,
        #[case] want: Option<&str>,
    ) {
        let path = RepoPath::new("f").unwrap();
        let (before, after) = (before.to_owned(), after.map(str::to_owned));
        let changed = Edit { path, line, before, after }.apply(content.as_bytes());
        assert_eq!(changed.as_deref(), want.map(str::as_bytes));
    }
}
