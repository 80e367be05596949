//! Line and column of a byte offset, as editors count them.

use serde::Serialize;

/// A place in a text, both counted from one; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Position {
    /// Finds the place of a byte offset. An offset past the end, or inside a character, counts as
    /// the nearest one before it. A byte order mark takes no column.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        let in_line = &before[line_start..];
        let in_line = in_line.strip_prefix('\u{feff}').filter(|_| line == 1).unwrap_or(in_line);
        Self { line, column: 1 + in_line.chars().count() }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::start("ab\ncd", 0, 1, 1)]
    #[case::second_line("ab\ncd", 4, 2, 2)]
    #[case::end_of_line("ab\ncd", 2, 1, 3)]
    #[case::characters_not_bytes("äöü\n", 4, 1, 3)]
    #[case::inside_a_character("ä", 1, 1, 1)]
    #[case::past_the_end("ab\r\n", 99, 2, 1)]
    #[case::byte_order_mark("\u{feff}ab", 4, 1, 2)]
    fn offsets_become_lines_and_columns(
        #[case] text: &str,
        #[case] offset: usize,
        #[case] line: usize,
        #[case] column: usize,
    ) {
        assert_eq!(Position::of(text, offset), Position { line, column });
    }
}
