//! A critic's answer, read a second time by a reader that goes byte by byte.

use looper::engine::verdict;

const WORDS: [&[u8]; 6] =
    [b"PASS", b"FAIL", b"BLOCKED", b"SCOPE_EXPAND", b"SPLIT_TASK", b"DEPENDENCY_INSERT"];

pub(super) fn verdict(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = verdict::verdict(text);
    assert_eq!(read.map(|verdict| verdict.word().as_bytes()), spec(text), "{text:?}");
}

/// The last line that is not empty, exactly; no other line begins with the mark.
fn spec(text: &str) -> Option<&'static [u8]> {
    let lines: Vec<&str> = text.split('\n').collect();
    let last = lines.iter().rposition(|line| line.chars().any(|char| !char.is_whitespace()))?;
    let marked = lines.iter().filter(|line| line.as_bytes().starts_with(b"VERDICT:")).count();
    let mut line = lines[last].as_bytes();
    if let [start @ .., b'\r'] = line {
        line = start;
    }
    let word = WORDS.into_iter().find(|word| line == [b"VERDICT: ", *word].concat())?;
    (marked == 1).then_some(word)
}
