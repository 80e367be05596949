//! Verify commands inside a completion criterion: exactly what is marked as one, or a complaint.

use std::ops::Range;

use super::complaint::Complaint;
use super::text::find_ignore_case;

const KEYWORD: &str = "verify:";

const FORM: &str = "write verify: `command` alone in its item; further commands may follow with `,` or \
                    `and` between";

/// Words that may lead to `` `verify: command` ``.
const LEADS: [&str; 6] =
    ["", "verify", "verify with", "verify by", "verify by running", "verify using"];

/// What a criterion says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Criterion {
    /// Something in words.
    Words,
    /// Commands, as ranges of the text.
    Commands(Vec<Range<usize>>),
    /// Something that is neither.
    Fault(Fault),
}

/// Why a criterion is neither words nor commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    at: Range<usize>,
    why: &'static str,
}

impl Fault {
    /// Points at it.
    pub(super) fn complaint(self, start: usize) -> Complaint {
        let span = start + self.at.start..start + self.at.end;
        Complaint::error("verify-form", span, "unclear which commands are to be run")
            .label(self.why)
            .help(FORM)
    }
}

/// Reads a criterion. A guess would let a task pass by a command that nobody meant.
pub(super) fn read(text: &str) -> Criterion {
    let Some(at) = find_ignore_case(text, KEYWORD) else { return Criterion::Words };
    let (lead, rest) = (&text[..at], at + KEYWORD.len());
    let lead_words = lead.trim_end_matches('`');
    let commands = if lead_words.len() < lead.len() {
        quoted(text, lead_words.len()..at, rest)
    } else if lead.trim().is_empty() {
        self::commands(text, rest)
    } else {
        Err(Fault { at: 0..at, why: "words before `verify:`" })
    };
    match commands {
        Ok(commands) => Criterion::Commands(commands),
        Err(fault) => Criterion::Fault(fault),
    }
}

/// Reads what may follow `verify:`: one bare command, or commands in backticks.
pub(super) fn commands(text: &str, at: usize) -> Result<Vec<Range<usize>>, Fault> {
    let rest = &text[at..];
    if rest.trim().is_empty() {
        return Err(Fault { at: 0..text.len(), why: "no command" });
    }
    if !rest.contains('`') {
        return Ok(vec![trimmed(text, at..text.len())]);
    }
    let mut commands = Vec::new();
    let mut at = at;
    loop {
        at = separator(text, at);
        match &text[at..] {
            "" | "." => return Ok(commands),
            rest if !rest.starts_with('`') => {
                return Err(Fault { at: at..text.len(), why: "words beside the commands" });
            }
            _ => {}
        }
        let Some((inner, next)) = code_span(text, at) else {
            return Err(Fault { at: at..text.len(), why: "a backtick without its partner" });
        };
        let command = trimmed(text, inner);
        if command.is_empty() {
            return Err(Fault { at: at..next, why: "no command" });
        }
        commands.push(command);
        at = next;
    }
}

/// Reads `` Verify with `verify: command` ``, where one code span holds keyword and command.
fn quoted(text: &str, ticks: Range<usize>, rest: usize) -> Result<Vec<Range<usize>>, Fault> {
    let lead = text[..ticks.start].trim().to_ascii_lowercase();
    if !LEADS.contains(&lead.as_str()) {
        return Err(Fault { at: 0..ticks.start, why: "words before `verify:`" });
    }
    let Some((inner, next)) = code_span(text, ticks.start).filter(|(inner, _)| inner.end >= rest)
    else {
        return Err(Fault { at: ticks.start..text.len(), why: "a backtick without its partner" });
    };
    let command = trimmed(text, rest..inner.end);
    if command.is_empty() {
        return Err(Fault { at: ticks.start..next, why: "no command" });
    }
    match text[next..].trim() {
        "" | "." => Ok(vec![command]),
        _ => Err(Fault { at: next..text.len(), why: "words beside the command" }),
    }
}

fn separator(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let length = match rest.chars().next() {
            Some(char) if char.is_whitespace() || char == ',' => char.len_utf8(),
            Some('a') if rest.starts_with("and ") || rest.starts_with("and`") => "and".len(),
            _ => return at,
        };
        at += length;
    }
}

/// The code span that begins here, as in Markdown: as many backticks behind it as before it.
pub(super) fn code_span(text: &str, at: usize) -> Option<(Range<usize>, usize)> {
    let run = |at: usize| text[at..].len() - text[at..].trim_start_matches('`').len();
    let length = run(at);
    let start = at + length;
    let mut at = start;
    loop {
        at += text[at..].find('`')?;
        match run(at) {
            found if found == length => return Some((start..at, at + length)),
            found => at += found,
        }
    }
}

/// A range without the white space around its text.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read_commands(text: &str) -> Vec<&str> {
        match read(text) {
            Criterion::Commands(commands) => {
                commands.into_iter().map(|command| &text[command]).collect()
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[rstest]
    #[case::one("verify: `cargo test`", &["cargo test"])]
    #[case::bare("verify: cargo test --all ", &["cargo test --all"])]
    #[case::any_case("Verify:`true`", &["true"])]
    #[case::comma("verify: `a`, `b`", &["a", "b"])]
    #[case::and("verify: `a` and `b`", &["a", "b"])]
    #[case::comma_and("verify: `a`, and `b`.", &["a", "b"])]
    #[case::space("verify: `a` `b`", &["a", "b"])]
    #[case::inner_backticks("verify: ``echo `date` ``", &["echo `date`"])]
    #[case::quoted("Verify with `verify: cargo test`", &["cargo test"])]
    #[case::quoted_alone("`verify: cargo test`.", &["cargo test"])]
    #[case::pipes("verify: a | b && c", &["a | b && c"])]
    fn marked_commands_are_taken(#[case] text: &str, #[case] want: &[&str]) {
        assert_eq!(read_commands(text), want);
    }

    #[rstest]
    #[case::output("verify: `cargo test` prints `0 failures`", "words beside the commands")]
    #[case::comment("verify: `cargo test` (slow)", "words beside the commands")]
    #[case::run("verify: run `cargo test`", "words beside the commands")]
    #[case::lead("All is well, verify: `true`", "words before `verify:`")]
    #[case::not_to_be_run("Never run `verify: rm x`", "words before `verify:`")]
    #[case::quoted_and_more("`verify: a` and `verify: b`", "words beside the command")]
    #[case::open("verify: `cargo test", "a backtick without its partner")]
    #[case::quoted_open("Verify with `verify: cargo test", "a backtick without its partner")]
    #[case::empty("verify:", "no command")]
    #[case::blank("verify: ` `", "no command")]
    #[case::quoted_blank("`verify:`", "no command")]
    #[case::other_span("Run `a` `verify: b`", "words before `verify:`")]
    #[case::android("verify: `a` android", "words beside the commands")]
    fn anything_unclear_is_a_fault(#[case] text: &str, #[case] want: &str) {
        let Criterion::Fault(fault) = read(text) else { panic!("{text}") };
        assert_eq!(fault.why, want);
    }

    #[rstest]
    #[case("Nothing is left to verify")]
    #[case("`cargo test` passes")]
    #[case("")]
    fn words_are_words(#[case] text: &str) {
        assert_eq!(read(text), Criterion::Words);
    }
}
