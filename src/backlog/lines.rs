//! Lines of a text, and which of them are code blocks or comments.

use std::ops::Range;

/// What a line is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Markdown.
    Text,
    /// A fenced code block, its fences included.
    Code,
    /// An HTML comment that begins at the start of a line.
    Comment,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// Without its line break.
    pub(super) text: &'t str,
    /// Where it begins.
    pub(super) start: usize,
    /// Where the next one begins.
    pub(super) next: usize,
    /// What it is part of.
    pub(super) kind: Kind,
    /// How deep it stands, in columns; of a block, how deep its first line stands.
    pub(super) indent: usize,
}

impl Line<'_> {
    /// Where its text ends.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether there is nothing to see.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// A block whose end is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// The line that opens it.
    pub(super) span: Range<usize>,
    /// Which kind of block.
    pub(super) kind: Kind,
}

/// Walks over lines; nothing is stored, so the size of the text is the only bound it needs.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    block: Option<Block>,
    /// Blocks that no line closed, as far as the walk has come.
    pub(super) unclosed: Vec<Unclosed>,
}

#[derive(Clone, Debug)]
struct Block {
    span: Range<usize>,
    indent: usize,
    kind: Kind,
    fence: char,
    length: usize,
}

impl<'t> Lines<'t> {
    /// Lines that begin in a range; the range begins at a line outside of any block.
    pub(super) fn new(text: &'t str, range: Range<usize>) -> Self {
        Self { text, at: range.start, end: range.end, block: None, unclosed: Vec::new() }
    }

    fn classify(&mut self, text: &str, span: Range<usize>) -> (Kind, usize) {
        let indent = indent(text);
        // A code block inside a list item ends with the item, as everywhere in Markdown; one column
        // less is forgiven.
        let leaves = |block: &Block| {
            block.kind == Kind::Code && indent + 1 < block.indent && !text.trim().is_empty()
        };
        if let Some(block) = self.block.take_if(|block| leaves(block)) {
            self.unclosed.push(Unclosed { span: block.span, kind: block.kind });
        }
        if let Some(block) = &self.block {
            let at = (block.kind, block.indent);
            if block.is_closed_by(text) {
                self.block = None;
            }
            return at;
        }
        match opened(text, span, indent) {
            Some(block) => {
                let kind = block.kind;
                let one_line = kind == Kind::Comment && text.contains("-->");
                self.block = Some(block).filter(|_| !one_line);
                (kind, indent)
            }
            None => (Kind::Text, indent),
        }
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        if self.at >= self.end {
            let open = self.block.take();
            self.unclosed.extend(open.map(|Block { span, kind, .. }| Unclosed { span, kind }));
            return None;
        }
        let start = self.at;
        let rest = &self.text[start..self.end];
        let (text, next) = match rest.find('\n') {
            Some(newline) => {
                let text = &rest[..newline];
                (text.strip_suffix('\r').unwrap_or(text), start + newline + 1)
            }
            None => (rest, self.end),
        };
        #[cfg(test)]
        work::count(next - start);
        self.at = next;
        let (kind, indent) = self.classify(text, start..start + text.len());
        Some(Line { text, start, next, kind, indent })
    }
}

impl Block {
    fn is_closed_by(&self, text: &str) -> bool {
        if self.kind == Kind::Comment {
            return text.contains("-->");
        }
        let text = text.trim();
        text.len() >= self.length && text.chars().all(|char| char == self.fence)
    }
}

fn opened(text: &str, span: Range<usize>, indent: usize) -> Option<Block> {
    let text = text.trim_start();
    if text.starts_with("<!--") {
        return Some(Block { span, indent, kind: Kind::Comment, fence: '-', length: 0 });
    }
    // A code block may be the first thing in a list item.
    let text = bullet(text).map_or(text, |(_, rest)| rest);
    let fence = text.chars().next().filter(|char| matches!(char, '`' | '~'))?;
    let length = text.len() - text.trim_start_matches(fence).len();
    let is_fence = length >= 3 && !(fence == '`' && text[length..].contains('`'));
    is_fence.then_some(Block { span, indent, kind: Kind::Code, fence, length })
}

/// How deep a line stands, in columns; tabs go to the next multiple of four.
pub(super) fn indent(text: &str) -> usize {
    let mut columns = 0;
    for char in text.chars() {
        match char {
            ' ' => columns += 1,
            '\t' => columns += 4 - columns % 4,
            _ => break,
        }
    }
    columns
}

/// Takes a list marker off: the marker, and what follows it and its white space.
pub(super) fn bullet(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let mark = chars.next().filter(|char| matches!(char, '-' | '*' | '+'))?;
    let rest = chars.as_str();
    let body = rest.trim_start_matches([' ', '\t']);
    (body.len() < rest.len()).then_some((mark, body))
}

/// Takes a checkbox off, if there is one.
pub(super) fn without_checkbox(text: &str) -> &str {
    ["[ ]", "[x]", "[X]"]
        .iter()
        .find_map(|checkbox| text.strip_prefix(checkbox))
        .map_or(text, str::trim_start)
}

/// Counts the bytes that were handed out, so that a test can tell linear from quadratic work.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local!(static BYTES: Cell<usize> = const { Cell::new(0) });

    pub(in super::super) fn count(bytes: usize) {
        BYTES.set(BYTES.get() + bytes);
    }

    pub(in super::super) fn of(job: impl FnOnce()) -> usize {
        BYTES.set(0);
        job();
        BYTES.get()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn kinds(text: &str) -> String {
        Lines::new(text, 0..text.len())
            .map(|line| match line.kind {
                Kind::Text => 't',
                Kind::Code => 'c',
                Kind::Comment => '-',
            })
            .collect()
    }

    #[rstest]
    #[case::plain("a\nb\n", "tt")]
    #[case::fence("a\n```sh\nx\n```\nb", "tccct")]
    #[case::tildes("~~~\n```\n~~~\nb", "ccct")]
    #[case::a_longer_fence_holds_a_shorter_one("````\n```\n````\nb", "ccct")]
    #[case::indented("- a\n  ```\n  x\n  ```\nb", "tccct")]
    #[case::in_a_list_item("- ```\n  x\n  ```\nb", "ccct")]
    #[case::an_inline_span_is_none("```a``` b\nc", "tt")]
    #[case::a_list_item_ends_its_code("- a\n  ```\n\n- b", "tcct")]
    #[case::a_deeper_one_too("  - a\n    ```\n  - b", "tct")]
    #[case::unclosed("```\na\n", "cc")]
    #[case::comment("<!-- a\nb\n--> c\nd", "---t")]
    #[case::one_line_comment("<!-- a -->\nb", "-t")]
    #[case::crlf("```\r\nx\r\n```\r\nb\r\n", "ccct")]
    fn blocks_are_recognised(#[case] text: &str, #[case] want: &str) {
        assert_eq!(kinds(text), want);
    }

    #[rstest]
    #[case::code("- a\n  ```\n- b\n", 4..9)]
    #[case::code_at_the_end("a\n```\nb", 2..5)]
    #[case::comment("<!-- a\n", 0..6)]
    fn a_block_without_an_end_is_reported(#[case] text: &str, #[case] want: Range<usize>) {
        let mut lines = Lines::new(text, 0..text.len());
        lines.by_ref().for_each(drop);
        assert_eq!(
            lines.unclosed.iter().map(|block| block.span.clone()).collect::<Vec<_>>(),
            [want]
        );
    }

    #[rstest]
    #[case::spaces("  a", 2)]
    #[case::tab("\ta", 4)]
    #[case::space_and_tab("  \ta", 4)]
    #[case::none("a", 0)]
    fn tabs_count_as_columns(#[case] text: &str, #[case] want: usize) {
        assert_eq!(indent(text), want);
    }

    #[test]
    fn line_breaks_are_no_part_of_the_text() {
        let text = "a\r\nb\rc\nd";
        let lines: Vec<_> = Lines::new(text, 0..text.len()).map(|line| line.text).collect();
        assert_eq!(lines, ["a", "b\rc", "d"]);
    }
}
