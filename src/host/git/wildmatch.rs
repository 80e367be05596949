//! Patterns as git matches them, byte by byte.
//!
//! Glob libraries differ from git in details (braces, character classes, bytes that are not
//! UTF-8). A pattern that matches more than git thinks hides a change, so the rules are git's own.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Match,
    NoMatch,
    /// No longer text can match either.
    AbortAll,
    /// Only a `**` further left can still match.
    AbortToStarStar,
}

/// Whether `*` and `?` stop at a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slash {
    Stops,
    Plain,
}

/// Whether the pattern matches the whole text.
pub(super) fn wildmatch(pattern: &[u8], text: &[u8], slash: Slash) -> bool {
    matches(pattern, 0, text, slash) == Outcome::Match
}

/// Bytes behind the end read as NUL, which neither a path nor a line of a pattern file holds.
fn at(bytes: &[u8], index: usize) -> u8 {
    bytes.get(index).copied().unwrap_or(0)
}

fn matches(pattern: &[u8], start: usize, mut text: &[u8], slash: Slash) -> Outcome {
    let mut index = start;
    while index < pattern.len() {
        let (mut wanted, given) = (pattern[index], at(text, 0));
        if given == 0 && wanted != b'*' {
            return Outcome::AbortAll;
        }
        match wanted {
            b'?' if slash == Slash::Stops && given == b'/' => return Outcome::NoMatch,
            b'?' => {}
            b'*' => match star(pattern, index, text, slash) {
                Star::Done(outcome) => return outcome,
                Star::NextDirectory { index: next, text: rest } => {
                    index = next;
                    text = rest;
                }
            },
            b'[' => match class(pattern, index, given) {
                None => return Outcome::AbortAll,
                Some((_, hit)) if !hit || (slash == Slash::Stops && given == b'/') => {
                    return Outcome::NoMatch;
                }
                Some((end, _)) => index = end,
            },
            _ => {
                if wanted == b'\\' {
                    index += 1;
                    wanted = at(pattern, index);
                }
                if given != wanted {
                    return Outcome::NoMatch;
                }
            }
        }
        index += 1;
        text = &text[1..];
    }
    if text.is_empty() { Outcome::Match } else { Outcome::NoMatch }
}

enum Star<'a> {
    Done(Outcome),
    /// One star and a slash: the text goes on at its next slash.
    NextDirectory {
        index: usize,
        text: &'a [u8],
    },
}

fn star<'a>(pattern: &[u8], first: usize, mut text: &'a [u8], slash: Slash) -> Star<'a> {
    let mut index = first + 1;
    let mut crosses = slash == Slash::Plain;
    if at(pattern, index) == b'*' {
        while at(pattern, index) == b'*' {
            index += 1;
        }
        let opens = first == 0 || pattern[first - 1] == b'/';
        let closes = index >= pattern.len()
            || pattern[index] == b'/'
            || (pattern[index] == b'\\' && at(pattern, index + 1) == b'/');
        if slash == Slash::Stops && opens && closes {
            // `a/**/b` matches `a/b` as well.
            if at(pattern, index) == b'/'
                && matches(pattern, index + 1, text, slash) == Outcome::Match
            {
                return Star::Done(Outcome::Match);
            }
            crosses = true;
        }
    }
    if index >= pattern.len() {
        let stopped = !crosses && text.contains(&b'/');
        return Star::Done(if stopped { Outcome::AbortToStarStar } else { Outcome::Match });
    }
    if !crosses && pattern[index] == b'/' {
        return match text.iter().position(|byte| *byte == b'/') {
            None => Star::Done(Outcome::AbortAll),
            Some(next) => Star::NextDirectory { index, text: &text[next..] },
        };
    }
    while !text.is_empty() {
        match matches(pattern, index, text, slash) {
            Outcome::NoMatch if !crosses && text[0] == b'/' => {
                return Star::Done(Outcome::AbortToStarStar);
            }
            Outcome::NoMatch => {}
            Outcome::AbortToStarStar if crosses => {}
            outcome => return Star::Done(outcome),
        }
        text = &text[1..];
    }
    Star::Done(Outcome::AbortAll)
}

/// Reads the class that opens at `open`. Returns where it closes and whether it holds the byte;
/// nothing when it never closes.
fn class(pattern: &[u8], open: usize, given: u8) -> Option<(usize, bool)> {
    let mut index = open + 1;
    let negated = matches!(at(pattern, index), b'!' | b'^');
    if negated {
        index += 1;
    }
    let mut hit = false;
    let mut previous = 0;
    loop {
        let mut byte = *pattern.get(index)?;
        match byte {
            b'\\' => {
                index += 1;
                byte = *pattern.get(index)?;
                hit |= given == byte;
            }
            b'-' if previous != 0 && !matches!(at(pattern, index + 1), 0 | b']') => {
                index += 1;
                byte = *pattern.get(index)?;
                if byte == b'\\' {
                    index += 1;
                    byte = *pattern.get(index)?;
                }
                hit |= (previous..=byte).contains(&given);
                byte = 0;
            }
            b'[' if at(pattern, index + 1) == b':' => {
                let name = index + 2;
                let end = name + pattern.get(name..)?.iter().position(|byte| *byte == b']')?;
                if end > name && pattern[end - 1] == b':' {
                    hit |= named_class(&pattern[name..end - 1], given)?;
                    index = end;
                    byte = 0;
                } else {
                    hit |= given == b'[';
                }
            }
            _ => hit |= given == byte,
        }
        previous = byte;
        index += 1;
        if *pattern.get(index)? == b']' {
            return Some((index, hit != negated));
        }
    }
}

fn named_class(name: &[u8], byte: u8) -> Option<bool> {
    Some(match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::literal("foo", "foo", true)]
    #[case::prefix_only("fo", "foo", false)]
    #[case::empty("", "", true)]
    #[case::question("???", "foo", true)]
    #[case::question_stops_at_a_slash("a?b", "a/b", false)]
    #[case::star("*.o", "a.o", true)]
    #[case::star_stops_at_a_slash("*.o", "d/a.o", false)]
    #[case::star_in_the_middle("f*ba*r", "foobazr", true)]
    #[case::star_directory("*/a", "x/a", true)]
    #[case::star_is_one_directory("*/a", "x/y/a", false)]
    #[case::leading_stars("**/a", "a", true)]
    #[case::leading_stars_deep("**/a", "x/y/a", true)]
    #[case::middle_stars("a/**/b", "a/b", true)]
    #[case::middle_stars_deep("a/**/b", "a/x/y/b", true)]
    #[case::trailing_stars("a/**", "a/x/y", true)]
    #[case::trailing_stars_need_content("a/**", "a", false)]
    #[case::stars_that_touch_text("a**b", "a/b", false)]
    #[case::braces_are_literal("*.{a,b}", "x.a", false)]
    #[case::braces_match_themselves("*.{a,b}", "x.{a,b}", true)]
    #[case::escaped_star(r"\*", "*", true)]
    #[case::escaped_star_is_literal(r"\*", "a", false)]
    #[case::class("[ab]", "b", true)]
    #[case::range("[a-c]x", "bx", true)]
    #[case::negated("[!a]", "b", true)]
    #[case::negated_caret("[^a]", "a", false)]
    #[case::closing_bracket_first("[]]", "]", true)]
    #[case::dash_last("[a-]", "-", true)]
    #[case::escaped_in_class(r"[\]]", "]", true)]
    #[case::named("[[:digit:]]x", "7x", true)]
    #[case::named_negated("[![:digit:]]", "7", false)]
    #[case::unknown_name("[[:nope:]]", "n", false)]
    #[case::unclosed("[ab", "a", false)]
    #[case::class_does_not_match_a_slash("a[/]b", "a/b", false)]
    #[case::stars_back_and_forth(
        "**/*a*b*g*n*t",
        "abcd/abcdefg/abcdefghijk/abcdefghijklmnop.txt",
        true
    )]
    fn a_pattern_matches_as_in_git(#[case] pattern: &str, #[case] text: &str, #[case] want: bool) {
        assert_eq!(wildmatch(pattern.as_bytes(), text.as_bytes(), Slash::Stops), want);
    }
}
