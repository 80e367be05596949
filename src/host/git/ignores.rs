//! Which paths git ignores, by pattern files as they were at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mirror::Stamp;
use super::wildmatch::{Slash, wildmatch};

/// Pattern files larger than this are not read: git itself refuses none, people write none.
pub(super) const FILE_BYTES_MAX: u64 = 4 << 20;

/// One line of a pattern file.
#[derive(Debug)]
struct Pattern {
    text: Vec<u8>,
    negated: bool,
    only_directories: bool,
    /// Matched against the name alone, not against the path.
    by_name: bool,
}

/// One pattern file.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) bytes: Vec<u8>,
    /// What it looked like when it was read; nothing where it may not be trusted again.
    pub(super) stamp: Option<Stamp>,
    patterns: Vec<Pattern>,
}

impl Source {
    pub(super) fn new(bytes: Vec<u8>, stamp: Option<Stamp>) -> Self {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let patterns = text.split(|byte| *byte == b'\n').filter_map(Pattern::parse).collect();
        Self { bytes, stamp, patterns }
    }

    /// What the last matching line says; nothing where no line matches.
    pub(super) fn ignores(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let found = self.patterns.iter().rev().find(|pattern| pattern.matches(path, is_dir))?;
        Some(!found.negated)
    }
}

impl Pattern {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"#") {
            return None;
        }
        let mut text = without_trailing_spaces(line);
        let negated = text.first() == Some(&b'!');
        if negated {
            text = &text[1..];
        }
        let only_directories = text.last() == Some(&b'/');
        if only_directories {
            text = &text[..text.len() - 1];
        }
        let by_name = !text.contains(&b'/');
        let text = text.strip_prefix(b"/").unwrap_or(text);
        if text.is_empty() {
            return None;
        }
        Some(Self { text: text.to_vec(), negated, only_directories, by_name })
    }

    fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        if self.only_directories && !is_dir {
            return false;
        }
        if self.by_name {
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
            wildmatch(&self.text, name, Slash::Plain)
        } else {
            // Git compares what comes before the first wildcard on its own, so that `**` right
            // behind it counts as the beginning of a pattern.
            let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
            let plain = self.text.iter().position(special).unwrap_or(self.text.len());
            let (start, rest) = self.text.split_at(plain);
            path.strip_prefix(start).is_some_and(|path| wildmatch(rest, path, Slash::Stops))
        }
    }
}

/// Spaces at the end do not count unless a backslash stands before them.
fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut index = 0;
    while index < line.len() {
        match line[index] {
            b' ' => {}
            b'\\' => {
                index += 1;
                end = index + 1;
            }
            _ => end = index + 1,
        }
        index += 1;
    }
    &line[..end.min(line.len())]
}

/// All pattern files of a repository. Those of directories are kept by the path of the directory,
/// which is empty for the top.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) by_dir: BTreeMap<Vec<u8>, Arc<Source>>,
    /// `.git/info/exclude`.
    pub(super) exclude: Arc<Source>,
    /// `core.excludesFile`.
    pub(super) global: Arc<Source>,
}

impl Rules {
    /// Whether one path is ignored, given that no directory above it is.
    pub(super) fn ignores(&self, path: &[u8], is_dir: bool) -> bool {
        if !self.by_dir.is_empty() {
            let mut end = path.len();
            while let Some(slash) = path[..end].iter().rposition(|byte| *byte == b'/') {
                let source = self.by_dir.get(&path[..slash]);
                if let Some(found) =
                    source.and_then(|source| source.ignores(&path[slash + 1..], is_dir))
                {
                    return found;
                }
                end = slash;
            }
            let top = self.by_dir.get(&b""[..]);
            if let Some(found) = top.and_then(|source| source.ignores(path, is_dir)) {
                return found;
            }
        }
        self.exclude
            .ignores(path, is_dir)
            .or_else(|| self.global.ignores(path, is_dir))
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::name_anywhere("*.o", "a/b.o", false, true)]
    #[case::anchored("/a.o", "b/a.o", false, false)]
    #[case::slash_in_the_middle_anchors("a/b", "x/a/b", false, false)]
    #[case::directory_only("out/", "out", false, false)]
    #[case::directory("out/", "x/out", true, true)]
    #[case::comment("#a", "#a", false, false)]
    #[case::escaped_comment(r"\#a", "#a", false, true)]
    #[case::later_line_wins("*.o\n!keep.o", "keep.o", false, false)]
    #[case::escaped_negation(r"\!a", "!a", false, true)]
    #[case::trailing_space("a  ", "a", false, true)]
    #[case::escaped_trailing_space("a\\ ", "a ", false, true)]
    #[case::carriage_return("a\r\n", "a", false, true)]
    #[case::stars_behind_text("a**/*", "aa", false, true)]
    #[case::byte_order_mark("\u{feff}a", "a", false, true)]
    #[case::blank_lines_match_nothing("\n\n/\n", "a", true, false)]
    #[case::only_an_exclamation_mark("!", "!", false, false)]
    fn a_line_ignores(
        #[case] lines: &str,
        #[case] path: &str,
        #[case] is_dir: bool,
        #[case] want: bool,
    ) {
        let source = Arc::new(Source::new(lines.as_bytes().to_vec(), None));
        let rules = Rules { exclude: source, ..Rules::default() };
        assert_eq!(rules.ignores(path.as_bytes(), is_dir), want);
    }

    #[test]
    fn the_deepest_file_decides() {
        let source = |text: &str| Arc::new(Source::new(text.as_bytes().to_vec(), None));
        let mut rules =
            Rules { global: source("*.x"), exclude: source("!b.x"), ..Rules::default() };
        rules.by_dir.insert(Vec::new(), source("b.x\n/d/c.x"));
        rules.by_dir.insert(b"d".to_vec(), source("!/c.x"));
        let ignored = |path: &str| rules.ignores(path.as_bytes(), false);
        assert!(ignored("a.x"));
        assert!(ignored("b.x"));
        assert!(ignored("d/b.x"));
        assert!(!ignored("d/c.x"));
    }
}
