//! Findings: where a text holds what looks secret.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::doubt::stands;
use super::key_block::KeyBlocks;
use super::rules::{PATTERNS, RULES};

/// How many findings a scan reports. Nobody reads more, and one decides already.
const HITS_MAX: usize = 1000;

/// The rule for private keys, which span lines.
pub(super) const PRIVATE_KEY: &str = "private_key";

/// Content that looks secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The line it begins in, from one.
    pub line: u64,
    /// Which rule says so.
    pub rule: &'static str,
    /// Where in the text, in bytes.
    pub span: Range<usize>,
}

/// Finds what looks secret, in the order of the text. Takes time in proportion to the text's length.
/// Text of two or four bytes per letter (UTF-16, UTF-32) is read by its letters.
pub fn scan(text: &[u8]) -> Vec<Hit> {
    let mut hits = scan_narrow(text);
    if text.contains(&0) {
        hits.extend(scan_wide(text));
        hits.sort_by_key(|hit| hit.span.start);
        // Seen from the second letter on, either order of bytes looks like the other.
        hits.dedup();
        hits.truncate(HITS_MAX);
    }
    hits
}

/// How wide letters look that are ASCII, in either order of bytes, with the place of the first one in
/// what is found. Letters of other kinds end a stretch, so that they are not taken for part of a word.
static WIDE: LazyLock<Vec<(usize, usize, Regex)>> = LazyLock::new(|| {
    let patterns = [
        (2, 0, r"(?s-u)(?:[\x01-\x7f]\x00){12,}"),
        (2, 1, r"(?s-u)(?:\x00[\x01-\x7f]){12,}"),
        (4, 0, r"(?s-u)(?:[\x01-\x7f]\x00{3}){12,}"),
        (4, 3, r"(?s-u)(?:\x00{3}[\x01-\x7f]){12,}"),
    ];
    let build = |pattern: &str| Regex::new(pattern).expect("literal text is a pattern");
    patterns.map(|(width, first, pattern)| (width, first, build(pattern))).into()
});

fn scan_wide(text: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (width, first, pattern) in WIDE.iter() {
        let (mut line, mut at) = (0, 0);
        for stretch in pattern.find_iter(text) {
            line += lines(&text[at..stretch.start()]);
            at = stretch.start();
            let letters: Vec<u8> =
                stretch.as_bytes().iter().copied().skip(*first).step_by(*width).collect();
            let place = |letter: usize| at + first + letter * width;
            hits.extend(scan_narrow(&letters).into_iter().map(|hit| Hit {
                line: line + hit.line,
                rule: hit.rule,
                span: place(hit.span.start)..place(hit.span.end.saturating_sub(1)) + 1,
            }));
        }
    }
    hits
}

fn lines(text: &[u8]) -> u64 {
    text.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

fn scan_narrow(text: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut line = 1;
    let mut at = 0;
    for part in parts(text, &mut KeyBlocks::default()) {
        if part.continues {
            continue;
        }
        line += lines(&text[at..part.span.start]);
        at = part.span.start;
        hits.push(Hit { line, rule: part.rule, span: part.span });
        if hits.len() == HITS_MAX {
            break;
        }
    }
    hits
}

/// Finds what redacting the patch of a file would take out of the lines that it adds: what nobody is
/// shown, nobody has judged. Lines count as in the file that comes out of it.
pub fn scan_patch(patch: &[u8]) -> Vec<Hit> {
    let mut parts = parts(patch, &mut KeyBlocks::default()).into_iter().peekable();
    let mut hits = Vec::new();
    let (mut line, mut end) = (0, 0);
    for text in patch.split_inclusive(|byte| *byte == b'\n') {
        end += text.len();
        match text.first() {
            Some(b'@') => line = begins_at(text).saturating_sub(1),
            Some(b'+' | b' ') => line += 1,
            _ => {}
        }
        while let Some(Part { span, rule, .. }) = parts.next_if(|part| part.span.start < end) {
            if text.starts_with(b"+") && hits.len() < HITS_MAX {
                hits.push(Hit { line, rule, span });
            }
        }
    }
    hits
}

/// The number after the plus in `@@ -1,2 +3,4 @@`.
fn begins_at(header: &[u8]) -> u64 {
    let number = header.split(|byte| *byte == b'+').nth(1).unwrap_or_default();
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// A stretch of text that looks secret.
pub(super) struct Part {
    pub(super) span: Range<usize>,
    pub(super) rule: &'static str,
    /// Whether it belongs to the finding before.
    pub(super) continues: bool,
}

/// Every stretch in these whole lines, in order and without overlaps.
pub(super) fn parts(text: &[u8], block: &mut KeyBlocks) -> Vec<Part> {
    let mut parts = key_parts(text, block);
    for (rule, pattern) in RULES.iter().zip(PATTERNS.iter()) {
        for captures in pattern.captures_iter(text) {
            let secret = captures.get(1).map_or(0..0, |group| group.range());
            if stands(&text[secret.clone()], rule.doubt) {
                parts.push(Part { span: secret, rule: rule.name, continues: false });
            }
        }
    }
    // Of two that overlap the one that begins first stays; rules for formats stand before others.
    parts.sort_by_key(|part| part.span.start);
    let mut end = 0;
    parts.retain(|part| {
        let is_free = part.span.start >= end;
        if is_free {
            end = part.span.end;
        }
        is_free
    });
    parts
}

fn key_parts(text: &[u8], block: &mut KeyBlocks) -> Vec<Part> {
    static MARK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("PRIVATE KEY").expect("literal text is a pattern"));
    if block.is_outside() && !MARK.is_match(text) {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Some(part) = block.line(line) {
            let span = at + part.span.start..at + part.span.end;
            parts.push(Part { span, rule: PRIVATE_KEY, continues: part.continues });
        }
        at += line.len();
    }
    parts
}
