//! Private keys in their armour, line by line.

use std::ops::Range;

/// How many lines may stand between the armour's first line and the key: headers and a blank one.
const HEADERS_MAX: u16 = 8;

/// How many lines of key are taken out. A key of 16 384 bits has 200.
const LINES_MAX: u16 = 1000;

/// A key on one line has at least as many characters.
const RUN_MIN: usize = 40;

/// Where a reader stands between the lines of a private key (RFC 7468, RFC 1421, RFC 9580 and
/// OpenSSH's own format).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum KeyBlock {
    /// Outside.
    #[default]
    Outside,
    /// After the first line of the armour, so many lines ago.
    Opened(u16),
    /// Inside the key, so many lines ago.
    Inside(u16),
}

/// A part of a line that is a part of a key.
pub(super) struct KeyPart {
    /// Where in the line.
    pub(super) span: Range<usize>,
    /// Whether it continues a key of which a part was found before.
    pub(super) continues: bool,
}

/// Where a reader stands who may be reading a patch: what is removed and what is there afterwards are
/// two texts, and neither must hide a line of the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyBlocks {
    now: KeyBlock,
    removed: KeyBlock,
    is_patch: bool,
}

impl KeyBlocks {
    /// Whether the next line can be ignored unless it opens a key.
    pub(super) fn is_outside(self) -> bool {
        self.now.is_outside() && self.removed.is_outside()
    }

    /// Reads the next line.
    pub(super) fn line(&mut self, line: &[u8]) -> Option<KeyPart> {
        if line.starts_with(b"diff --git ") || line.starts_with(b"@@ ") {
            // Another file, or another place in it. No line of a file looks like this in a patch,
            // where each has a mark before it.
            *self = Self { is_patch: true, ..Self::default() };
            return None;
        }
        // With a mark before it, armour has another number of dashes.
        let is_armour =
            ["-----BEGIN ", "-----END "].iter().any(|text| line.starts_with(text.as_bytes()));
        self.is_patch &= !is_armour;
        if !self.is_patch {
            self.removed = KeyBlock::Outside;
            return self.now.line(line);
        }
        let (mark, rest) = line.split_first()?;
        let part = match mark {
            b'-' => self.removed.line(rest),
            b'+' => self.now.line(rest),
            _ => {
                let removed = self.removed.line(rest);
                self.now.line(rest).or(removed)
            }
        };
        part.map(|part| KeyPart { span: part.span.start + 1..part.span.end + 1, ..part })
    }
}

impl KeyBlock {
    /// Whether the next line can be ignored unless it opens a key.
    fn is_outside(self) -> bool {
        self == Self::Outside
    }

    /// Reads the next line.
    fn line(&mut self, line: &[u8]) -> Option<KeyPart> {
        if let Some(start) = opening(line) {
            let end = closing(line).filter(|end| *end > start);
            let rest = start..end.unwrap_or(line.trim_ascii_end().len()).max(start);
            // A key may follow on the line, with `\n` or nothing instead of line ends.
            let has_key = run(&line[rest.clone()]).is_some_and(|run| run.len() >= RUN_MIN);
            *self = match end {
                Some(_) => Self::Outside,
                None if has_key || is_redacted(line) => Self::Inside(0),
                None => Self::Opened(0),
            };
            return has_key.then_some(KeyPart { span: rest, continues: false });
        }
        if let Some(end) = closing(line) {
            let is_inside = matches!(*self, Self::Inside(_));
            *self = Self::Outside;
            let span = body(&line[..end]).filter(|_| is_inside)?;
            return Some(KeyPart { span, continues: true });
        }
        if is_redacted(line) && !self.is_outside() {
            *self = Self::Inside(0);
            return None;
        }
        match *self {
            Self::Outside => None,
            Self::Opened(count) => match body(line) {
                Some(span) if span.len() >= RUN_MIN => {
                    *self = Self::Inside(0);
                    Some(KeyPart { span, continues: false })
                }
                _ => {
                    *self =
                        if count < HEADERS_MAX { Self::Opened(count + 1) } else { Self::Outside };
                    None
                }
            },
            Self::Inside(count) => match body(line) {
                Some(span) if count < LINES_MAX => {
                    *self = Self::Inside(count + 1);
                    Some(KeyPart { span, continues: true })
                }
                _ => {
                    *self = Self::Outside;
                    None
                }
            },
        }
    }
}

/// Where the armour's first line ends.
fn opening(line: &[u8]) -> Option<usize> {
    let start = find(line, b"-----BEGIN ")?;
    let end = ["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"].iter().find_map(|text| {
        find(&line[start..], text.as_bytes()).map(|index| start + index + text.len())
    })?;
    Some(end)
}

/// Where the armour's last line begins; of several, the last.
fn closing(line: &[u8]) -> Option<usize> {
    const TEXT: &[u8] = b"-----END ";
    line.windows(TEXT.len()).rposition(|window| window == TEXT)
}

/// Whether a part of a key stood here: text that was redacted is read like the original.
fn is_redacted(line: &[u8]) -> bool {
    find(line, b"[redacted: ").is_some()
}

fn find(line: &[u8], text: &[u8]) -> Option<usize> {
    line.windows(text.len()).position(|window| window == text)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The longest stretch of Base64.
fn run(line: &[u8]) -> Option<Range<usize>> {
    let mut longest = 0..0;
    let mut start = 0;
    for end in 0..=line.len() {
        if line.get(end).is_some_and(|byte| is_base64(*byte)) {
            continue;
        }
        if end - start > longest.len() {
            longest = start..end;
        }
        start = end + 1;
    }
    (!longest.is_empty()).then_some(longest)
}

/// The part of a line that is Base64, if little else stands there: quotes, a comment's sign, `\n`.
fn body(line: &[u8]) -> Option<Range<usize>> {
    let span = run(line)?;
    let others = line.trim_ascii().len() - span.len();
    (span.len() >= 4 && others <= 8).then_some(span)
}
