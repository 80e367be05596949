//! The value of a field, line by line and item by item.

use std::ops::Range;

use super::lines::{Kind, Lines, bullet, without_checkbox};
use super::outline::Field;
use super::text::strip_prefix_ignore_case;
use super::verify::{self, Criterion, code_span, trimmed};

/// The value and the deeper lines of a field, one after the other.
pub(super) fn pieces<'t>(text: &'t str, field: &Field) -> impl Iterator<Item = Piece<'t>> {
    let value = Piece {
        text: &text[field.value.clone()],
        start: field.value.start,
        is_item: true,
        kind: Kind::Text,
    };
    std::iter::once(value).filter(|piece| !piece.text.is_empty()).chain(
        Lines::new(text, field.body.clone()).filter(|line| !line.is_blank()).map(|line| {
            let trimmed = line.text.trim();
            let item = bullet(trimmed).filter(|_| line.kind == Kind::Text);
            let body = item.map_or(trimmed, |(_, body)| without_checkbox(body));
            let end = line.start + line.text.trim_end().len();
            Piece { text: body, start: end - body.len(), is_item: item.is_some(), kind: line.kind }
        }),
    )
}

/// A line of a field, without its list marker and checkbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
    /// Whether it begins something new, rather than going on.
    pub(super) is_item: bool,
    pub(super) kind: Kind,
}

impl Piece<'_> {
    /// The bytes of a part of it.
    pub(super) fn span(&self, part: Range<usize>) -> Range<usize> {
        self.start + part.start..self.start + part.end
    }

    /// All of its bytes.
    pub(super) fn whole(&self) -> Range<usize> {
        self.span(0..self.text.len())
    }

    /// Whether it says `verify:` first.
    pub(super) fn is_verify(&self) -> bool {
        self.kind == Kind::Text && strip_prefix_ignore_case(self.text, "verify:").is_some()
    }
}

/// A list item that may go on over several lines.
pub(super) struct Item<'t> {
    pub(super) first: Piece<'t>,
    /// The later line that matters most: the first that speaks of verifying, or just the first.
    pub(super) rest: Option<Range<usize>>,
    pub(super) words: String,
    /// Whether a later line speaks of verifying.
    pub(super) has_verify: bool,
}

pub(super) fn items<'t>(text: &'t str, field: &Field) -> Vec<Item<'t>> {
    let mut items: Vec<Item<'t>> = Vec::new();
    for piece in pieces(text, field).filter(|piece| piece.kind != Kind::Comment) {
        match items.last_mut() {
            Some(item) if !piece.is_item && !piece.is_verify() => {
                let speaks = verify::read(piece.text) != Criterion::Words;
                if item.rest.is_none() || (speaks && !item.has_verify) {
                    item.rest = Some(piece.whole());
                }
                item.has_verify |= speaks;
                item.words.push(if piece.kind == Kind::Code { '\n' } else { ' ' });
                item.words.push_str(piece.text);
            }
            _ => {
                let words = piece.text.to_owned();
                items.push(Item { first: piece, rest: None, words, has_verify: false });
            }
        }
    }
    items.retain(|item| !(item.first.text.is_empty() && item.rest.is_none()));
    items
}

/// The code spans of a line, or where a backtick has no partner.
pub(super) fn quoted(text: &str) -> Result<Vec<Range<usize>>, usize> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(tick) = text[at..].find('`') {
        let (span, next) = code_span(text, at + tick).ok_or(at + tick)?;
        spans.push(trimmed(text, span));
        at = next;
    }
    Ok(spans)
}

/// The parts between commas; those inside braces belong to a glob.
pub(super) fn commas(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(start..text.len());
    parts
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn texts(text: &str, ranges: Vec<Range<usize>>) -> Vec<&str> {
        ranges.into_iter().map(|range| &text[range]).collect()
    }

    #[rstest]
    #[case::one("a", &["a"])]
    #[case::three("a, b,c", &["a", " b", "c"])]
    #[case::braces("{a,b}, c", &["{a,b}", " c"])]
    #[case::open_brace("{a, c", &["{a, c"])]
    #[case::nothing("", &[""])]
    fn commas_divide_outside_of_braces(#[case] text: &str, #[case] want: &[&str]) {
        assert_eq!(texts(text, commas(text)), want);
    }

    #[rstest]
    #[case::none("a b", &[])]
    #[case::two("`a` and ` b `", &["a", "b"])]
    #[case::with_a_backtick_inside("``a`b``", &["a`b"])]
    fn code_spans_are_found(#[case] text: &str, #[case] want: &[&str]) {
        assert_eq!(texts(text, quoted(text).unwrap()), want);
    }

    #[test]
    fn a_lonely_backtick_is_pointed_at() {
        assert_eq!(quoted("`a` `b"), Err(4));
    }
}
