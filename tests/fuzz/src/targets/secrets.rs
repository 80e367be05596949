//! Secrets in what is stored, and hostile text in prompts.

use looper::engine::secret::{Redactor, redact, scan};

use crate::host::fence::{Block, code, without_rulings};

/// Tokens of formats that nothing around them can make harmless.
fn tokens() -> [String; 3] {
    [
        ["gh", "p_R4nd0mQ7xZ2kL9vB3nM8wT5yU1oP6aS0dFgH"].concat(),
        ["AK", "IAIOSFODNN7QXZPLKJ"].concat(),
        ["npm", "_R4nd0mQ7xZ2kL9vB3nM8wT5yU1oP6aS0dFgH"].concat(),
    ]
}

fn holds(text: &[u8], token: &str) -> bool {
    text.windows(token.len()).any(|window| window == token.as_bytes())
}

/// A token planted between two words is found and does not survive; redacting twice is redacting
/// once; line by line is the same as all at once.
pub(super) fn secrets(data: &[u8]) {
    let clean = redact(data);
    assert_eq!(redact(&clean), clean, "redacting twice");
    let mut redactor = Redactor::default();
    let lines = data.split_inclusive(|byte| *byte == b'\n');
    let pieces: Vec<u8> = lines.flat_map(|line| redactor.lines(line).into_owned()).collect();
    assert_eq!(pieces, *clean, "line by line");
    for hit in scan(data) {
        assert!(hit.span.end <= data.len() && hit.span.start < hit.span.end);
        let newlines = data[..hit.span.start].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(hit.line, newlines as u64 + 1);
    }
    let at = data.len() / 2;
    // One that stands there already may be glued to a word, which is no token any more.
    for token in tokens().iter().filter(|token| !holds(data, token)) {
        let planted = [&data[..at], b" ", token.as_bytes(), b" ", &data[at..]].concat();
        assert!(!holds(&redact(&planted), token), "{token}");
        assert!(!scan(&planted).is_empty());
    }
}

/// Text in a fence stays in it, rules nothing, acts on no terminal and takes no more than it may.
pub(super) fn fence(data: &[u8]) {
    let [max, text @ ..] = data else { return };
    let bytes_max = usize::from(*max) * 4;
    let block = Block::new("text", text, bytes_max);
    let lines: Vec<&str> = block.as_str().split('\n').collect();
    let fence = lines[0].strip_suffix("text").expect("the fence opens with its label");
    assert!(fence.len() >= 3 && fence.bytes().all(|byte| byte == b'`'));
    let closing = lines[1..].iter().filter(|line| line.trim_start().starts_with(fence)).count();
    assert_eq!(closing, 1);
    assert_eq!(lines.last(), Some(&fence));
    harmless(block.as_str());
    assert!(block.as_str().len() <= bytes_max + 120);
    let middle = text.len() / 2;
    let tail = |token: &str| token[token.len() - 12..].to_owned();
    for token in tokens().iter().filter(|token| !holds(text, &tail(token))) {
        let planted = [&text[..middle], b" ", token.as_bytes(), b" ", &text[middle..]].concat();
        let shown = Block::new("text", &planted, bytes_max);
        assert!(!shown.as_str().contains(&tail(token)), "{}", shown.as_str());
    }
    let text = String::from_utf8_lossy(text);
    let span = code(&text, bytes_max);
    let ticks = span.len() - span.trim_start_matches('`').len();
    let inner = &span[ticks..span.len() - ticks];
    assert!(inner.split(|char| char != '`').all(|run| run.len() < ticks));
    assert!(!inner.contains('\n'));
    harmless(&span);
    assert!(!without_rulings(&text).split('\n').any(|line| line.starts_with("VERDICT:")));
}

fn harmless(text: &str) {
    assert!(!text.split('\n').any(|line| line.starts_with("VERDICT:")));
    assert!(!text.contains(|char: char| char.is_control() && !matches!(char, '\n' | '\t')));
    assert!(!text.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}']));
}
