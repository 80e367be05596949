//! Text from outside: what may not be shown as it is, and how it is shown instead.

use std::borrow::Cow;

use super::id::RepoPath;

/// Whether a character acts instead of being seen: controls, line separators, direction marks,
/// zero-width characters and tags. Joiners stay, because scripts and emoji need them.
pub fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e01ef}'
        )
}

/// The text with hidden characters written out as `\u{1b}`, except those in `keep`.
pub fn escape<'a>(text: &'a str, keep: &[char]) -> Cow<'a, str> {
    let acts = |char: char| is_hidden(char) && !keep.contains(&char);
    let Some(first) = text.find(acts) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for char in text[first..].chars() {
        if acts(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// The text in one line: hidden characters gone, whitespace collapsed, at most so many characters.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let seen = |char: &char| char.is_whitespace() || !is_hidden(*char);
    let mut line: Vec<char> = Vec::new();
    for char in text.trim().chars().filter(seen) {
        match (char.is_whitespace(), line.last()) {
            (true, None | Some(' ')) => {}
            (true, Some(_)) => line.push(' '),
            (false, _) => line.push(char),
        }
        if line.len() > chars_max {
            line.truncate(chars_max.saturating_sub(1));
            line.push('…');
            break;
        }
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

/// A path as one line of a list. Ordinary paths stand as they are; others are quoted the way git
/// quotes them, so that two paths never look alike.
pub fn path_line(path: &RepoPath) -> Cow<'_, str> {
    if let Some(text) = path.as_str()
        && !text.contains(['"', '\\'])
        && !text.contains(is_hidden)
    {
        return Cow::Borrowed(text);
    }
    let mut line = String::from("\"");
    for chunk in path.as_bytes().utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\\' => line.extend(['\\', char]),
                '\n' | '\t' | '\r' => line.extend(char.escape_default()),
                _ if is_hidden(char) => octal(&mut line, char.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => line.push(char),
            }
        }
        octal(&mut line, chunk.invalid());
    }
    line.push('"');
    Cow::Owned(line)
}

fn octal(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        line.push_str(&format!("\\{byte:03o}"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::whitespace_collapses("  a\t b\r\n\n c ", 20, "a b c")]
    #[case::hidden_characters_go("a\u{1b}[31mb\u{202e}c\0", 20, "a[31mbc")]
    #[case::hidden_between_spaces("a \u{200b} b", 20, "a b")]
    #[case::the_cut_shows("abcdef", 5, "abcd…")]
    #[case::what_fits_is_not_cut("abcde", 5, "abcde")]
    #[case::characters_count_not_bytes("ääääää", 6, "ääääää")]
    #[case::nothing("\u{200b}\n", 5, "")]
    fn one_line_is_one_line(#[case] text: &str, #[case] chars_max: usize, #[case] want: &str) {
        assert_eq!(one_line(text, chars_max), want);
    }

    #[rstest]
    #[case::plain(b"src/a b.rs", "src/a b.rs")]
    #[case::letters(b"src/\xc3\xa4.rs", "src/ä.rs")]
    #[case::newline(b"a\nb", r#""a\nb""#)]
    #[case::backslash_is_not_newline(br"a\nb", r#""a\\nb""#)]
    #[case::quote(br#"a"b"#, r#""a\"b""#)]
    #[case::not_utf8(b"a\xffb", r#""a\377b""#)]
    #[case::escape(b"\x1b[2J", r#""\033[2J""#)]
    #[case::turned_around("a\u{202e}b".as_bytes(), r#""a\342\200\256b""#)]
    fn a_path_is_one_line(#[case] path: &[u8], #[case] want: &str) {
        assert_eq!(path_line(&RepoPath::new(path).unwrap()), want);
    }

    proptest! {
        #[test]
        fn no_two_paths_share_a_line(a in "[ab\\\\\"\n\u{202e}]{1,6}", b in "[ab\\\\\"\n\u{202e}]{1,6}") {
            let (left, right) = (RepoPath::new(a.clone()).unwrap(), RepoPath::new(b.clone()).unwrap());
            prop_assert_eq!(a == b, path_line(&left) == path_line(&right));
            prop_assert!(!path_line(&left).contains(is_hidden));
        }

        #[test]
        fn one_line_is_bounded_and_clean(text in any::<String>(), chars_max in 1_usize..50) {
            let line = one_line(&text, chars_max);
            prop_assert!(line.chars().count() <= chars_max);
            prop_assert!(!line.contains(is_hidden) && !line.contains("  "));
            prop_assert_eq!(one_line(&line, chars_max), line);
        }
    }
}
