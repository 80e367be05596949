//! Text on its way to a terminal: nothing in it may move the cursor, change colours or lie about order.

use std::borrow::Cow;

use crate::engine::text::escape;

/// Several lines: tabs and newlines stay, every other character that acts is written out.
pub fn clean(text: &str) -> Cow<'_, str> {
    escape(text, &['\n', '\t'])
}

/// One line: tabs and newlines are written out, too.
pub fn clean_line(text: &str) -> Cow<'_, str> {
    escape(text, &[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::engine::text::is_hidden;

    #[rstest]
    #[case::colour("\u{1b}[31mred\u{1b}[0m", r"\u{1b}[31mred\u{1b}[0m")]
    #[case::title("\u{1b}]0;owned\u{7}", r"\u{1b}]0;owned\u{7}")]
    #[case::eight_bit_control("a\u{9b}31mb", r"a\u{9b}31mb")]
    #[case::overwritten_line("12 failed\rall passed", r"12 failed\rall passed")]
    #[case::backspace("bad\u{8}\u{8}\u{8}good", r"bad\u{8}\u{8}\u{8}good")]
    #[case::turned_around("a\u{202e}b\u{2066}c", r"a\u{202e}b\u{2066}c")]
    #[case::nul_and_delete("a\0b\u{7f}", r"a\u{0}b\u{7f}")]
    #[case::line_separator("a\u{2028}b", r"a\u{2028}b")]
    #[case::lines_and_tabs_stay("a\tb\nc", "a\tb\nc")]
    #[case::joined_emoji_stay("👩\u{200d}🔧 ✔\u{fe0f}", "👩\u{200d}🔧 ✔\u{fe0f}")]
    fn characters_that_act_are_written_out(#[case] text: &str, #[case] want: &str) {
        assert_eq!(clean(text), want);
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(clean_line("a\nb\tc"), r"a\nb\tc");
    }

    #[rstest]
    #[case::ascii("plain text\n\twith lines")]
    #[case::letters("grün, 緑, зелёный")]
    fn plain_text_is_borrowed(#[case] text: &str) {
        assert!(matches!(clean(text), Cow::Borrowed(same) if std::ptr::eq(same, text)));
    }

    proptest! {
        #[test]
        fn nothing_that_acts_survives(text in any::<String>()) {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.contains(|char| is_hidden(char) && !matches!(char, '\n' | '\t')));
            prop_assert!(!clean_line(&text).contains(is_hidden));
            prop_assert_eq!(cleaned.matches('\n').count(), text.matches('\n').count());
        }
    }
}
