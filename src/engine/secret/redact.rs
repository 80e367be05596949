//! Text without what looks secret.

use std::borrow::Cow;

use super::key_block::KeyBlocks;
use super::scan::parts;

/// The text with everything that looks secret replaced by `[redacted: rule]`.
pub fn redact(text: &[u8]) -> Cow<'_, [u8]> {
    Redactor::default().lines(text)
}

/// Redacts a stream piece by piece. It remembers whether a private key is open.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    block: KeyBlocks,
}

impl Redactor {
    /// Redacts the next piece: whole lines, one or more.
    pub fn lines<'a>(&mut self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let parts = parts(text, &mut self.block);
        if parts.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for part in parts {
            out.extend_from_slice(&text[at..part.span.start]);
            out.extend_from_slice(format!("[redacted: {}]", part.rule).as_bytes());
            at = part.span.end;
        }
        out.extend_from_slice(&text[at..]);
        Cow::Owned(out)
    }
}
