//! Complaints about a text, drawn under the text they are about.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::backlog::text::{is_deceptive, visible};
use crate::backlog::{Complaint, Position, Severity};

/// How much of a long line is shown on either side of what is pointed at, in bytes. The renderer
/// narrows it down to the terminal; this keeps it from walking through megabytes for each complaint.
const MARGIN: usize = 200;

/// Draws each complaint with the line it points into and the way to mend it. Nothing of the text
/// can control the terminal: control characters and marks that reorder text are spelled out.
pub fn render(path: &str, text: &str, complaints: &[Complaint], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let path = visible(path);
    let mut lines = LineCounter { text, offset: 0, line: 1 };
    let mut out = String::new();
    for complaint in complaints {
        let excerpt = Excerpt::of(text, &complaint.span);
        let line = lines.at(excerpt.start);
        let column =
            Position::of(&text[excerpt.start..], complaint.span.start - excerpt.start).column;
        let level = match complaint.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let shown_column = 1 + excerpt.shown[..excerpt.span.start].chars().count();
        let annotation =
            AnnotationKind::Primary.span(excerpt.span).label(visible(&complaint.label));
        let snippet = Snippet::source(excerpt.shown)
            .path(path.as_str())
            .line_start(line)
            .annotation(annotation);
        let mut group =
            level.primary_title(visible(&complaint.message)).id(complaint.code).element(snippet);
        if let Some(help) = &complaint.help {
            group = group.element(Level::HELP.message(visible(help)));
        }
        // The renderer counts columns in what is shown; people look for those of the file.
        let shown_place = format!("{path}:{line}:{shown_column}");
        let place = format!("{path}:{line}:{column}");
        out.push_str(&renderer.render(&[group]).replacen(&shown_place, &place, 1));
        out.push_str("\n\n");
    }
    out
}

/// The line that a complaint points into, safe to print.
struct Excerpt {
    /// Where the line begins in the text.
    start: usize,
    shown: String,
    /// What is pointed at, in `shown`.
    span: Range<usize>,
}

impl Excerpt {
    fn of(text: &str, span: &Range<usize>) -> Self {
        let start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &text[span.start..];
        let line_end = span.start + rest.find('\n').unwrap_or(rest.len());
        let end = span.end.clamp(span.start, line_end);
        let mut from = start.max(span.start.saturating_sub(MARGIN));
        let mut to =
            line_end.min(end.saturating_add(MARGIN)).min(span.start.saturating_add(4 * MARGIN));
        while !text.is_char_boundary(from) {
            from += 1;
        }
        while !text.is_char_boundary(to) {
            to -= 1;
        }
        let end = end.min(to);
        let mut shown = String::from(if from > start { "…" } else { "" });
        push_visible(&mut shown, &text[from..span.start]);
        let at = shown.len();
        push_visible(&mut shown, &text[span.start..end]);
        let span = at..shown.len();
        push_visible(&mut shown, text[end..to].strip_suffix('\r').unwrap_or(&text[end..to]));
        if to < line_end {
            shown.push('…');
        }
        Self { start, shown, span }
    }
}

fn push_visible(shown: &mut String, text: &str) {
    // A byte order mark takes no space on the screen and none here.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains(is_deceptive) {
        shown.push_str(&visible(text));
    } else {
        shown.push_str(text);
    }
}

/// Counts lines once for complaints that come in the order of the text.
struct LineCounter<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
}

impl LineCounter<'_> {
    fn at(&mut self, offset: usize) -> usize {
        if offset < self.offset {
            (self.offset, self.line) = (0, 1);
        }
        let between = &self.text.as_bytes()[self.offset..offset];
        self.line += between.iter().filter(|byte| **byte == b'\n').count();
        self.offset = offset;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;
    use crate::backlog::Backlog;

    fn lint(text: &str) -> String {
        render(".looper/backlog.md", text, &Backlog::parse(text).complaints, false)
    }

    #[test]
    fn complaints_are_drawn_under_the_text() {
        assert_snapshot!(lint(include_str!("../../fixtures/backlogs/bad/unknown_depends.md")));
        assert_snapshot!(lint(include_str!("../../fixtures/backlogs/bad/verify_form.md")));
        assert_snapshot!(lint(include_str!("../../fixtures/backlogs/bad/no_task_line.md")));
        assert_snapshot!(lint(include_str!("../../fixtures/backlogs/bad/depends_cycle.md")));
        assert_snapshot!(lint(include_str!("../../fixtures/backlogs/good/untidy.md")));
    }

    #[test]
    fn control_characters_are_spelled_out() {
        assert_snapshot!(lint(include_str!("../../fixtures/backlogs/bad/control_character.md")));
        assert_snapshot!(lint("\u{feff}\t* [ ]\tTask\u{9b}1m 1.1: wide 漢字 \u{202e}title\r\n"));
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let words = "many words ".repeat(1000);
        assert_snapshot!(lint(&format!("- [ ] Task 1.1: {words}\u{1b} {words}\n")));
    }

    #[test]
    fn columns_are_those_of_the_file() {
        let words = "ä".repeat(1000);
        let text = format!("\u{feff}- [ ] Task 1.1: {words}\u{1b}\u{1b}\n");
        let complaints = [Complaint::error("code", text.len() - 2..text.len() - 1, "message")];
        assert!(render("b.md", &text, &complaints, false).contains("--> b.md:1:1018\n"));
        assert!(render("b.md", &text, &complaints, true).contains("b.md:1:1018"));
    }

    #[test]
    fn an_empty_text_can_be_complained_about() {
        assert_snapshot!(lint(""));
    }

    #[test]
    fn colour_adds_escapes_and_changes_no_word() {
        let text = include_str!("../../fixtures/backlogs/bad/glob.md");
        let complaints = Backlog::parse(text).complaints;
        let colored = render("backlog.md", text, &complaints, true);
        assert!(colored.contains("\u{1b}["));
        let plain = anstream::adapter::strip_str(&colored).to_string();
        assert_eq!(plain, render("backlog.md", text, &complaints, false));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_text_reaches_the_terminal_raw(
            path in any::<String>(),
            text in any::<String>(),
            words in any::<String>(),
            start in any::<prop::sample::Index>(),
            end in any::<prop::sample::Index>(),
        ) {
            let mut places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            places.push(text.len());
            let (start, end) = (places[start.index(places.len())], places[end.index(places.len())]);
            let complaint = Complaint::error("code", start.min(end)..start.max(end), words.as_str())
                .label(words.as_str())
                .help(words.as_str());
            let drawn = render(&path, &text, &[complaint], false);
            prop_assert!(!drawn.chars().any(|char| char != '\n' && is_deceptive(char)), "{drawn:?}");
        }
    }
}
