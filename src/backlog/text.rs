//! Characters that make text look like something it is not.

/// Whether a character has no place in text that people review: control characters (the tab may
/// stay), line breaks that editors draw and parsers ignore, and marks that reorder what is shown.
pub fn is_deceptive(char: char) -> bool {
    match char {
        '\t' => false,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        char => char.is_control(),
    }
}

/// The text with every deceptive character spelled out: `\u{1b}`. Safe to print.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if is_deceptive(char) {
            out.extend(char.escape_unicode());
        } else {
            out.push(char);
        }
    }
    out
}

/// The text without a prefix whose case does not matter.
pub(super) fn strip_prefix_ignore_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Where an ASCII needle first stands, whatever its case.
pub(super) fn find_ignore_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes()
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::escape('\u{1b}', true)]
    #[case::lone_carriage_return('\r', true)]
    #[case::eight_bit_csi('\u{9b}', true)]
    #[case::right_to_left_override('\u{202e}', true)]
    #[case::line_separator('\u{2028}', true)]
    #[case::tab('\t', false)]
    #[case::letter('ä', false)]
    #[case::joiner_inside_emoji('\u{200d}', false)]
    fn deceptive_characters_are_known(#[case] char: char, #[case] want: bool) {
        assert_eq!(is_deceptive(char), want);
    }

    #[test]
    fn visible_text_spells_them_out() {
        assert_eq!(visible("a\u{1b}[2J\tb"), "a\\u{1b}[2J\tb");
    }
}
