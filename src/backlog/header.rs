//! The line that begins a task, `- [ ] Task 1.2: title`, and the lines that only look like one.

use std::ops::Range;

use super::complaint::Complaint;
use super::lines::Line;
use super::text::strip_prefix_ignore_case;
use crate::engine::id::TaskId;
use crate::engine::task::Status;

/// Longer ids would not fit into a commit subject or a file name.
const ID_LENGTH_MAX: usize = 64;

const FORM: &str = "write `- [ ] Task 1.2: title` at the start of the line, with `[x]` for done \
                    and `[!]` for blocked";

/// The beginning of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: TaskId,
    pub(super) status: Status,
    pub(super) title: String,
    /// The one character inside the brackets.
    pub(super) checkbox: Range<usize>,
    /// `Task 1.2`.
    pub(super) id_span: Range<usize>,
    pub(super) title_span: Range<usize>,
}

/// What a line turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The beginning of a task.
    Header(Header),
    /// Something that its author took for one.
    Fault(Complaint),
    /// Anything else.
    Other,
}

/// Reads an id without the word `Task`: numbers with single dots between.
pub(super) fn id(text: &str) -> Option<TaskId> {
    let is_number = |part: &str| {
        (1..=18).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (text.len() <= ID_LENGTH_MAX && text.split('.').all(is_number)).then(|| TaskId::new(text))
}

/// Reads one line of Markdown.
pub(super) fn read(line: &Line<'_>) -> Reading {
    if let Some(header) = exact(line) {
        return Reading::Header(header);
    }
    match fault(line) {
        Some(complaint) => Reading::Fault(complaint),
        None => Reading::Other,
    }
}

fn exact(line: &Line<'_>) -> Option<Header> {
    let rest = line.text.strip_prefix("- [")?;
    let status = match rest.as_bytes().first()? {
        b' ' => Status::Todo,
        b'x' => Status::Done,
        b'!' => Status::Blocked,
        _ => return None,
    };
    let (number, title) = rest[1..].strip_prefix("] Task ")?.split_once(':')?;
    let checkbox = line.start + "- [".len();
    let id_start = line.start + "- [ ] ".len();
    let colon = id_start + "Task ".len() + number.len();
    let title_start = colon + 1 + (title.len() - title.trim_start().len());
    Some(Header {
        id: id(number)?,
        status,
        title: title.trim().to_owned(),
        checkbox: checkbox..checkbox + 1,
        id_span: id_start..colon,
        title_span: title_start..title_start + title.trim().len(),
    })
}

/// A checkbox at the start of a line, or a deeper one that names a task, was meant as a task. So was
/// a list item that names one.
fn fault(line: &Line<'_>) -> Option<Complaint> {
    let text = line.text.trim();
    let start = line.start + (line.text.len() - line.text.trim_start().len());
    let span = start..start + text.len();
    let (mark, body) = item(text);
    let Some((inner, after)) = checkbox(body) else {
        let (number, _) = body.strip_prefix("Task ")?.split_once(':')?;
        id(number.trim()).filter(|_| mark.is_some() && line.indent == 0)?;
        return Some(near_miss(span, "the checkbox is missing"));
    };
    let named = strip_prefix_ignore_case(after.trim_start(), "task")
        .filter(|rest| !rest.starts_with(|char: char| char.is_alphabetic()));
    let numbered = named.and_then(|rest| rest.split_once(':')).is_some_and(|(id, _)| {
        let id = id.trim();
        id.starts_with(|char: char| char.is_ascii_digit()) && !id.contains(char::is_whitespace)
    });
    let is_meant = match line.indent {
        0 => named.is_some() || (mark.is_some() && is_checkbox(inner)),
        _ => numbered,
    };
    if !is_meant {
        return None;
    }
    Some(near_miss(span, why(line, mark, inner, after, named)))
}

fn near_miss(span: Range<usize>, why: &str) -> Complaint {
    Complaint::error("task-line", span, "this looks like a task and is none").label(why).help(FORM)
}

fn why(
    line: &Line<'_>,
    mark: Option<&str>,
    inner: &str,
    after: &str,
    named: Option<&str>,
) -> &'static str {
    if line.indent > 0 {
        return "it is indented";
    }
    if mark != Some("-") {
        return "it does not begin with `- `";
    }
    if !matches!(inner, " " | "x" | "!") {
        return "the checkbox is none of `[ ]`, `[x]`, `[!]`";
    }
    let Some(named) = named else { return "the word `Task` is missing" };
    let spaced = after.strip_prefix(" Task ").filter(|_| line.text.starts_with("- ["));
    if spaced.is_none_or(|rest| rest.starts_with(char::is_whitespace)) {
        return "it needs single spaces, as in `- [ ] Task 1.2:`";
    }
    match named.split_once(':') {
        None => "the colon after the id is missing",
        Some(_) => "the id is not made of numbers with dots between",
    }
}

/// Takes a list marker off, also a numbered one, also without a space behind it.
fn item(text: &str) -> (Option<&str>, &str) {
    let digits = text.len() - text.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let length = match text[digits..].chars().next() {
        Some('.' | ')') if digits > 0 => digits + 1,
        Some('-' | '*' | '+') if digits == 0 => 1,
        _ => return (None, text),
    };
    // `**bold**` begins with no marker.
    match text[length..].chars().next() {
        Some('[' | ' ' | '\t') => (Some(&text[..length]), text[length..].trim_start()),
        _ => (None, text),
    }
}

/// What stands in brackets at the beginning, and what follows; links are no checkboxes.
fn checkbox(text: &str) -> Option<(&str, &str)> {
    let (inner, after) = text.strip_prefix('[')?.split_once(']')?;
    let is_short = inner.chars().count() <= 3;
    (is_short && !after.starts_with(['(', '[', ':'])).then_some((inner, after))
}

fn is_checkbox(inner: &str) -> bool {
    matches!(
        inner.trim(),
        "" | "x" | "X" | "!" | "!\\" | "-" | "~" | "*" | "/" | "v" | "V" | "✓" | "✔" | "✗"
    )
}

/// The checkbox that LoopDex's own escaping mistake leaves behind, wherever it stands.
pub(super) fn malformed_marker(line: &Line<'_>) -> Option<Complaint> {
    let at = line.start + line.text.find("[!\\]")?;
    Some(
        Complaint::error("malformed-marker", at..at + 4, "malformed task marker `[!\\]`")
            .label("one backslash too many")
            .help("write `[!]`"),
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::lines::Lines;
    use super::*;

    fn reading(text: &str) -> Reading {
        read(&Lines::new(text, 0..text.len()).next().unwrap())
    }

    #[rstest]
    #[case::todo("- [ ] Task 1.2: Title", Status::Todo, "1.2", "Title")]
    #[case::done("- [x] Task 1: Title: more", Status::Done, "1", "Title: more")]
    #[case::blocked("- [!] Task 10.2.3:   spaced   ", Status::Blocked, "10.2.3", "spaced")]
    #[case::no_space("- [ ] Task 1.2:Title\r\n", Status::Todo, "1.2", "Title")]
    fn a_task_line_is_read(
        #[case] text: &str,
        #[case] status: Status,
        #[case] id: &str,
        #[case] title: &str,
    ) {
        let Reading::Header(header) = reading(text) else { panic!("{text}") };
        assert_eq!((header.status, header.id.as_str()), (status, id));
        assert_eq!((header.title.as_str(), &text[header.title_span]), (title, title));
        assert_eq!(text[header.id_span], format!("Task {id}"));
        assert_eq!(header.checkbox, 3..4);
    }

    #[rstest]
    #[case::star("* [ ] Task 1.1: a", "it does not begin with `- `")]
    #[case::numbered("1. [ ] Task 1.1: a", "it does not begin with `- `")]
    #[case::no_bullet("[ ] Task 1.1: a", "it does not begin with `- `")]
    #[case::capital("- [X] Task 1.1: a", "the checkbox is none of `[ ]`, `[x]`, `[!]`")]
    #[case::empty("- [] Task 1.1: a", "the checkbox is none of `[ ]`, `[x]`, `[!]`")]
    #[case::other_mark("- [?] Task 1.1: a", "the checkbox is none of `[ ]`, `[x]`, `[!]`")]
    #[case::no_task("- [ ] 1.1: a", "the word `Task` is missing")]
    #[case::plain_checkbox("- [ ] write tests", "the word `Task` is missing")]
    #[case::two_spaces("-  [ ] Task 1.1: a", "it needs single spaces, as in `- [ ] Task 1.2:`")]
    #[case::no_spaces("-[ ]Task 1.1: a", "it needs single spaces, as in `- [ ] Task 1.2:`")]
    #[case::lower_case("- [ ] task 1.1: a", "it needs single spaces, as in `- [ ] Task 1.2:`")]
    #[case::letters("- [ ] Task T1: a", "the id is not made of numbers with dots between")]
    #[case::two_dots("- [ ] Task 1..1: a", "the id is not made of numbers with dots between")]
    #[case::end_dot("- [ ] Task 1.: a", "the id is not made of numbers with dots between")]
    #[case::no_colon("- [ ] Task 1.1 a", "the colon after the id is missing")]
    #[case::no_id("- [ ] Task: a", "it needs single spaces, as in `- [ ] Task 1.2:`")]
    #[case::indented("  - [ ] Task 1.1: a", "it is indented")]
    #[case::one_space(" - [ ] Task 1.1: a", "it is indented")]
    #[case::no_checkbox("- Task 1.1: a", "the checkbox is missing")]
    #[case::tab("\t- [x] task 1.1: a", "it is indented")]
    fn a_near_miss_is_a_fault(#[case] text: &str, #[case] want: &str) {
        let Reading::Fault(complaint) = reading(text) else { panic!("{text}") };
        assert_eq!((complaint.code, complaint.label.as_str()), ("task-line", want));
    }

    #[rstest]
    #[case::field("  - Files: a")]
    #[case::criterion("    - [ ] it works")]
    #[case::criterion_about_tasks("    - [ ] Task list is shown: always")]
    #[case::link("- [1](https://example.org)")]
    #[case::reference("[x]: https://example.org")]
    #[case::citation("- [12] Knuth")]
    #[case::prose("Task 1.1: is prose")]
    #[case::bold("**[x]**")]
    #[case::mention("- Task 1.1 is the first")]
    #[case::deeper_mention("  - Task 1.1: the first")]
    #[case::empty("")]
    fn other_lines_are_left_alone(#[case] text: &str) {
        assert_eq!(
            read(&Line {
                text,
                start: 0,
                next: 0,
                kind: super::super::lines::Kind::Text,
                indent: super::super::lines::indent(text)
            }),
            Reading::Other
        );
    }

    #[rstest]
    #[case("1", true)]
    #[case("1.2.3", true)]
    #[case("01", true)]
    #[case("", false)]
    #[case("1.", false)]
    #[case(".1", false)]
    #[case("1.a", false)]
    #[case("٣", false)]
    #[case("1234567890123456789", false)]
    fn an_id_is_numbers_with_dots_between(#[case] text: &str, #[case] want: bool) {
        assert_eq!(id(text).is_some(), want);
    }
}
