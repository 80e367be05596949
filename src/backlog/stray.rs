//! Lines that one reader would take into account and the next would not.

use std::ops::Range;

use super::complaint::Complaint;
use super::header::{self, Reading};
use super::lines::{Kind, Line, bullet, without_checkbox};
use super::outline::{Field, Name};
use super::text::is_deceptive;
use super::verify::{self, Criterion};

/// A block that nothing closes hides what follows.
pub(super) fn unclosed(kind: Kind, span: Range<usize>) -> Complaint {
    let (what, end) = match kind {
        Kind::Comment => ("comment", "`-->`"),
        Kind::Text | Kind::Code => ("code block", "the same fence"),
    };
    Complaint::error("unclosed-block", span, format!("the {what} has no end"))
        .label("what follows would be hidden")
        .help(format!("close it with {end}, as deep as it begins"))
}

/// A task in a comment is still one for LoopDex; in a code block it is likely an example.
pub(super) fn hidden_task(line: &Line<'_>) -> Option<Complaint> {
    let Reading::Header(header) = header::read(line) else { return None };
    let span = line.start..line.end();
    match line.kind {
        Kind::Text => None,
        Kind::Code => Some(
            Complaint::warning("task-in-code", span, format!("task {} in a code block", header.id))
                .label("not read")
                .help("if it is no example, look for a stray fence above it"),
        ),
        Kind::Comment => Some(
            Complaint::error("commented-task", span, format!("task {} in a comment", header.id))
                .label("neither a task nor none")
                .help("delete the task, or take it out of the comment"),
        ),
    }
}

/// Text that a reviewer sees otherwise than a shell does.
pub(super) fn deceptive(line: &Line<'_>) -> Option<Complaint> {
    let (at, char) = line.text.char_indices().find(|(_, char)| is_deceptive(*char))?;
    let at = line.start + at;
    let message = format!("hidden character U+{:04X}", u32::from(char));
    Some(
        Complaint::error("control-character", at..at + char.len_utf8(), message)
            .label("shows as something else, or not at all")
            .help("delete it"),
    )
}

/// A field inside another field, or a command where nothing is run.
pub(super) fn nested(line: &Line<'_>, owner: Name) -> Option<Complaint> {
    let item = item(line);
    let span = line.start + line.text.trim_end().len() - item.len();
    let span = span..span + item.len();
    if let Some((name, Name::Files | Name::Depends | Name::FailCount | Name::Criteria)) =
        Name::of(item).filter(|_| bullet(line.text.trim()).is_some())
    {
        return Some(
            Complaint::error("nested-field", span, format!("`{name}` inside another field"))
                .label("deeper than the field above it")
                .help("indent it like the task's other fields"),
        );
    }
    let is_prose = match owner {
        Name::Description | Name::Note | Name::Size | Name::FailCount => true,
        // Their lines are read elsewhere, or were written by a run.
        Name::Files | Name::Depends | Name::Criteria | Name::Verify => false,
        Name::LastFailure | Name::BlockedReason | Name::Record => false,
    };
    (is_prose && is_command(item)).then(|| prose(span))
}

/// A field whose value is a command that nothing runs.
pub(super) fn value(text: &str, field: &Field) -> Option<Complaint> {
    let whole = field.name_span.start..field.value.end;
    match field.name {
        Name::Note if is_command(&text[whole.clone()]) => Some(beside(whole)),
        Name::Note if is_unclear(&text[whole.clone()]) => Some(prose(whole)),
        Name::Description | Name::Size if is_command(&text[field.value.clone()]) => {
            Some(prose(field.value.clone()))
        }
        _ => None,
    }
}

/// A line of a task outside of any field.
pub(super) fn unlisted(line: &Line<'_>, last: Option<&Field>) -> Option<Complaint> {
    let start = line.start + line.text.len() - line.text.trim_start().len();
    let span = start..line.start + line.text.trim_end().len();
    if bullet(line.text.trim()).is_none() {
        return is_command(line.text.trim()).then(|| beside(span));
    }
    // To drop an item of a list in silence could lose a dependency.
    let is_orphan = last.is_some_and(|last| {
        let lists = [Name::Files, Name::Depends, Name::Criteria, Name::Verify];
        line.indent > last.indent && lists.contains(&last.name)
    });
    is_orphan.then(|| {
        Complaint::error("orphan-item", span, "list item outside of any field")
            .label("cut off from the list above")
            .help("move it up to its list, or indent it like the task's fields")
    })
}

/// A field of no task.
pub(super) fn homeless(line: &Line<'_>) -> Option<Complaint> {
    let (name, _) = Name::of(item(line))?;
    (line.kind == Kind::Text && line.indent > 0 && bullet(line.text.trim()).is_some()).then(|| {
        let start = line.start + line.text.len() - line.text.trim_start().len();
        Complaint::warning(
            "stray-field",
            start..line.end(),
            format!("`{name}` outside of any task"),
        )
        .label("a heading above it ends the task")
        .help("move it to its task; headings inside a task begin with `###`")
    })
}

fn item<'t>(line: &Line<'t>) -> &'t str {
    let text = line.text.trim();
    bullet(text).map_or(text, |(_, item)| without_checkbox(item))
}

fn is_command(text: &str) -> bool {
    matches!(verify::read(text), Criterion::Commands(_))
}

fn is_unclear(text: &str) -> bool {
    matches!(verify::read(text), Criterion::Fault(_))
}

fn prose(span: Range<usize>) -> Complaint {
    Complaint::warning("verify-prose", span, "this `verify:` is prose")
        .label("never run")
        .help("to have it run, move it under `Completion criteria`")
}

fn beside(span: Range<usize>) -> Complaint {
    Complaint::error("verify-place", span, "a verify command outside of `Completion criteria`")
        .label("would not be run")
        .help("make it an item under `Completion criteria`")
}
