//! A critic's reason in one line.

use crate::engine::text::one_line;

/// Characters of a reason.
const NOTE_MAX: usize = 240;

/// The first line under `## Notes`, unless it says `none`; otherwise the first line that is neither
/// a heading nor a verdict. Without its bullet, and in a form in which no backlog parser takes it
/// for a field that holds a command. `None`: there is no such line.
pub fn note(critique: &str) -> Option<String> {
    let lines = || critique.lines().map(|line| without_bullet(line.trim()));
    let notes = lines()
        .skip_while(|line| !is_notes_heading(line))
        .skip(1)
        .find(|line| !line.is_empty())
        .filter(|line| is_prose(line))
        .filter(|line| !line.trim_end_matches('.').eq_ignore_ascii_case("none"));
    let line = notes.or_else(|| lines().find(|line| is_prose(line)))?;
    let line = without_field(&one_line(line, NOTE_MAX));
    (!line.is_empty()).then_some(line)
}

/// The text after a list's sign.
pub(super) fn without_bullet(line: &str) -> &str {
    ["- ", "* ", "+ ", "• "].iter().find_map(|sign| line.strip_prefix(sign)).unwrap_or(line).trim()
}

fn is_notes_heading(line: &str) -> bool {
    line.strip_prefix("##").is_some_and(|name| name.trim().eq_ignore_ascii_case("notes"))
}

/// Whether a line says something: letters, and neither a heading, a fence nor a verdict.
fn is_prose(line: &str) -> bool {
    line.contains(char::is_alphanumeric)
        && !line.starts_with('#')
        && !line.starts_with("```")
        && !line.starts_with("VERDICT:")
}

/// `verify:` anywhere in a line of a backlog makes a command of what follows.
fn without_field(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon);
        out.push_str(before);
        if before.to_ascii_lowercase().ends_with("verify") {
            out.push(' ');
        }
        out.push(':');
        rest = &after[1..];
    }
    out.push_str(rest);
    out.chars().take(NOTE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::engine::text::is_hidden;

    #[rstest]
    #[case::under_notes(
        "# C\nText.\n## Notes\n\n- It  leaks.\n- More.\nVERDICT: FAIL",
        "It leaks."
    )]
    #[case::any_case("Text.\n## NOTES\n* It leaks.", "It leaks.")]
    #[case::none_is_no_note("Wrong file.\n## Notes\nnone\nVERDICT: FAIL", "Wrong file.")]
    #[case::none_with_a_bullet("Wrong file.\n## Notes\n- None.", "Wrong file.")]
    #[case::empty_notes("Wrong file.\n## Notes\n\nVERDICT: FAIL", "Wrong file.")]
    #[case::another_heading("Wrong file.\n## Notes\n## Other\nx", "Wrong file.")]
    #[case::no_notes("# Critique\n\n---\n\n- Wrong file.\nVERDICT: FAIL", "Wrong file.")]
    #[case::control_characters("a\u{1b}[31m b\u{202e}", "a[31m b")]
    #[case::carriage_returns("one\r\ntwo\r\n", "one")]
    #[case::a_command_is_defused("run Verify: `rm x`", "run Verify : `rm x`")]
    #[case::other_colons_stay("see: verify.rs:12", "see: verify.rs:12")]
    fn a_critique_has_a_note(#[case] critique: &str, #[case] want: &str) {
        assert_eq!(note(critique).as_deref(), Some(want));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::only_a_verdict("VERDICT: BLOCKED\n")]
    #[case::only_headings("# A\n\n## Notes\n")]
    #[case::only_signs("---\n- \n***\n")]
    fn a_critique_has_none(#[case] critique: &str) {
        assert_eq!(note(critique), None);
    }

    proptest! {
        #[test]
        fn a_note_is_one_short_line(critique in "([a-z:#*`\\-\\n\\r\\u{202e}ä ]|verify:|## Notes\\n){0,80}") {
            if let Some(note) = note(&critique) {
                prop_assert!(note.chars().count() <= NOTE_MAX);
                prop_assert!(!note.contains(is_hidden));
                prop_assert!(!note.to_ascii_lowercase().contains("verify:"));
            }
        }
    }
}
