//! How a frame begins: with its type, or it is none.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::fields::{Loose, Text};

/// No known type has a longer name.
const KIND_BYTES_MAX: usize = 64;

const BEGINNING: &[u8] = br#"{"type":""#;

/// The type of a frame that begins with it, as all known programs write it. Such a frame need not
/// be read twice.
pub(super) fn kind_at_start(line: &[u8]) -> Option<&str> {
    let rest = line.strip_prefix(BEGINNING)?;
    let rest = &rest[..rest.len().min(KIND_BYTES_MAX)];
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let kind = str::from_utf8(&rest[..end]).ok()?;
    (!kind.contains(|char: char| char == '\\' || char.is_control())).then_some(kind)
}

/// The type of any frame.
pub(super) fn kind_in(line: &str) -> Result<Cow<'_, str>, NotFrame> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(rename = "type", borrow, default)]
        kind: Loose<Option<Text<'a>>>,
    }
    if !line.trim_ascii_start().starts_with('{') {
        serde_json::from_str::<IgnoredAny>(line)?;
        return Err(NotFrame::NoType);
    }
    let head: Head<'_> = serde_json::from_str(line)?;
    head.kind.0.map(Text::into_inner).ok_or(NotFrame::NoType)
}

/// Whether one of these frames may be lost in a line that is no JSON: behind what somebody else
/// printed without ending the line, behind a torn one, or torn before it says what it is.
pub(super) fn hides_frame(line: &[u8], kinds: &[&str]) -> bool {
    memmem::find_iter(line, BEGINNING).any(|place| {
        let rest = &line[place..];
        match kind_at_start(rest) {
            Some(kind) => kind.contains('{') || (place > 0 && kinds.contains(&kind)),
            None => rest.len() < KIND_BYTES_MAX && !rest[BEGINNING.len()..].contains(&b'"'),
        }
    })
}

/// Why a line is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotFrame {
    /// It is no JSON.
    NotJson,
    /// It does not say what it is.
    NoType,
    /// It says twice what it is, or something else in a way that can be read as one likes.
    Unclear,
}

impl NotFrame {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotJson => "a line that is not JSON",
            Self::NoType => "a frame without a type",
            Self::Unclear => "a frame of two types",
        }
    }
}

impl From<serde_json::Error> for NotFrame {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::Unclear,
            Category::Io | Category::Syntax | Category::Eof => Self::NotJson,
        }
    }
}
