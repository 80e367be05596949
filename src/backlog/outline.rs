//! Which lines of a Markdown backlog belong to which field of which task.

use std::ops::Range;

use super::complaint::{Complaint, Complaints};
use super::header::{self, Header, Reading};
use super::lines::{Kind, Line, Lines, bullet, without_checkbox};
use super::text::is_deceptive;
use crate::engine::id::TaskId;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Size,
    Files,
    Description,
    Criteria,
    Verify,
    Depends,
    FailCount,
    LastFailure,
    BlockedReason,
    /// Other notes of a run: evidence, verdict, replacement.
    Record,
    /// Anything else that people write.
    Note,
}

const NAMES: [(&str, Name); 12] = [
    ("Size", Name::Size),
    ("Files", Name::Files),
    ("Description", Name::Description),
    ("Completion criteria", Name::Criteria),
    ("Verify", Name::Verify),
    ("Depends", Name::Depends),
    ("Fail count", Name::FailCount),
    (LAST_FAILURE, Name::LastFailure),
    (BLOCKED_REASON, Name::BlockedReason),
    ("Evidence path", Name::Record),
    ("Last verdict", Name::Record),
    ("Replaced by", Name::Record),
];

/// The field that tells why the last attempt failed.
pub(super) const LAST_FAILURE: &str = "Last failure summary";
/// The field that tells why a task is blocked.
pub(super) const BLOCKED_REASON: &str = "Blocked reason";

/// A task and its fields.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) header: Header,
    pub(super) fields: Vec<Field>,
    pub(super) whole: Range<usize>,
}

impl Section {
    /// Its fields of one name.
    pub(super) fn fields(&self, name: Name) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.name == name)
    }
}

/// A field: its first line, and the deeper lines that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Name,
    /// The name as written.
    pub(super) name_span: Range<usize>,
    /// Its first line.
    pub(super) line: Range<usize>,
    /// What follows the colon, without white space around it.
    pub(super) value: Range<usize>,
    /// The deeper lines, up to the last that is not blank.
    pub(super) body: Range<usize>,
    /// Where the next line begins.
    pub(super) next: usize,
    indent: usize,
}

impl Field {
    /// Where the text of its last line ends.
    pub(super) fn end(&self) -> usize {
        self.line.end.max(self.body.end)
    }
}

/// Everything that matters in the text.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) sections: Vec<Section>,
    pub(super) completed: Vec<TaskId>,
}

/// Reads a text in one pass.
pub(super) fn read(text: &str, complaints: &mut Complaints) -> Outline {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lines = Lines::new(text, start..text.len());
    let mut walk = Walk {
        complaints,
        outline: Outline::default(),
        open: None,
        group: Group::Other,
        empty_groups: 0,
    };
    for line in lines.by_ref() {
        walk.line(&line);
    }
    walk.heading(None);
    let outline = walk.outline;
    for block in lines.unclosed {
        let (what, end) = match block.kind {
            Kind::Comment => ("comment", "-->"),
            Kind::Text | Kind::Code => ("code block", "the same fence"),
        };
        complaints.push(
            Complaint::error("unclosed-block", block.span, format!("the {what} has no end"))
                .label("what follows would be hidden")
                .help(format!("close it with {end}, as deep as it begins")),
        );
    }
    outline
}

/// What the heading above says about the lines below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Completed,
    Tasks { at: (usize, usize), is_empty: bool },
    Other,
}

struct Walk<'c> {
    complaints: &'c mut Complaints,
    outline: Outline,
    /// Whether the last section, and its last field, still grow.
    open: Option<Open>,
    group: Group,
    empty_groups: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Section,
    Field,
}

impl Walk<'_> {
    fn line(&mut self, line: &Line<'_>) {
        if line.is_blank() {
            return;
        }
        if line.kind == Kind::Text && line.text.starts_with("## ") {
            self.open = None;
            return self.heading(Some(line));
        }
        if line.kind == Kind::Text && self.task(line) {
            return;
        }
        if line.kind == Kind::Comment {
            self.hidden_task(line);
        }
        self.content(line);
    }

    fn heading(&mut self, line: Option<&Line<'_>>) {
        if let Group::Tasks { at, is_empty: true } = self.group {
            self.empty_groups += 1;
            if self.empty_groups > 1 {
                self.complaints.push(
                    Complaint::error(
                        "empty-tasks",
                        at.0..at.1,
                        "repeated empty `## Tasks` section",
                    )
                    .label("no task below")
                    .help("delete the heading"),
                );
            }
        }
        self.group = match line {
            Some(line) if line.text.trim_end() == "## Tasks" => {
                Group::Tasks { at: (line.start, line.end()), is_empty: true }
            }
            Some(line) if line.text.trim_end() == "## Completed Task IDs" => Group::Completed,
            _ => Group::Other,
        };
    }

    /// Whether the line begins a task, or was meant to.
    fn task(&mut self, line: &Line<'_>) -> bool {
        let marker = header::malformed_marker(line);
        let is_malformed = marker.is_some();
        marker.into_iter().for_each(|complaint| self.complaints.push(complaint));
        match header::read(line) {
            Reading::Header(header) => {
                self.deceptive(line);
                if let Group::Tasks { is_empty, .. } = &mut self.group {
                    *is_empty = false;
                }
                let whole = line.start..line.end();
                self.outline.sections.push(Section { header, fields: Vec::new(), whole });
                self.open = Some(Open::Section);
                true
            }
            Reading::Fault(complaint) => {
                // What follows belongs to the task that was meant, not to the one before it.
                if line.indent == 0 {
                    self.open = None;
                }
                if !is_malformed {
                    self.complaints.push(complaint);
                }
                true
            }
            Reading::Other => false,
        }
    }

    fn hidden_task(&mut self, line: &Line<'_>) {
        if matches!(header::read(line), Reading::Header(_)) {
            self.complaints.push(
                Complaint::error("commented-task", line.start..line.end(), "task in a comment")
                    .label("neither a task nor none")
                    .help("delete the task, or take it out of the comment"),
            );
        }
    }

    fn content(&mut self, line: &Line<'_>) {
        let Some(open) = self.open else {
            if self.group == Group::Completed && line.kind == Kind::Text {
                self.completed(line);
            }
            return;
        };
        self.deceptive(line);
        let Some(section) = self.outline.sections.last_mut() else { return };
        section.whole.end = line.end();
        if open == Open::Field
            && let Some(field) = section.fields.last_mut()
            && line.indent > field.indent
        {
            if field.body.is_empty() {
                field.body.start = line.start;
            }
            field.body.end = line.end();
            field.next = line.next;
            let name = field.name;
            return self.nested(line, name);
        }
        self.open = Some(Open::Section);
        if line.kind != Kind::Text || self.is_orphan(line) {
            return;
        }
        if let Some(field) = self.field(line)
            && let Some(section) = self.outline.sections.last_mut()
        {
            section.fields.push(field);
            self.open = Some(Open::Field);
        }
    }

    /// A list item as deep as those of the list above, but cut off from it: to drop it in silence
    /// could lose a dependency.
    fn is_orphan(&mut self, line: &Line<'_>) -> bool {
        let lists = [Name::Files, Name::Depends, Name::Criteria, Name::Verify];
        let last = self.outline.sections.last().and_then(|section| section.fields.last());
        let is_orphan = bullet(line.text.trim()).is_some()
            && last.is_some_and(|last| line.indent > last.indent && lists.contains(&last.name));
        if is_orphan {
            let start = line.end() - line.text.trim_start().len();
            self.complaints.push(
                Complaint::error(
                    "orphan-item",
                    start..line.end(),
                    "list item outside of any field",
                )
                .label("cut off from the list above")
                .help("move it up to its list, or indent it like the task's fields"),
            );
        }
        is_orphan
    }

    fn completed(&mut self, line: &Line<'_>) {
        let Some((mark, item)) = bullet(line.text.trim()) else { return };
        match item.strip_prefix("Task ").and_then(header::id) {
            Some(id) if mark == '-' => self.outline.completed.push(id),
            _ if item.eq_ignore_ascii_case("none") => {}
            _ => self.complaints.push(
                Complaint::warning("completed-index", line.start..line.end(), "not an id")
                    .label("does not count as completed")
                    .help("write `- Task 1.2`, one on a line"),
            ),
        }
    }

    fn field(&mut self, line: &Line<'_>) -> Option<Field> {
        let (mark, body) = bullet(line.text.trim())?;
        let checked = without_checkbox(body);
        let body = match checked.split_once(':') {
            Some((name, _)) if name.eq_ignore_ascii_case("verify") => checked,
            _ => body,
        };
        let (written, value) = body.split_once(':').unwrap_or((body, ""));
        let known = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(written));
        let end = line.start + line.text.trim_end().len();
        let name_start = end - body.len();
        let name_span = name_start..name_start + written.len();
        if mark != '-' {
            if known.is_some() {
                self.complaints.push(
                    Complaint::error("field-bullet", name_span, "a field begins with `- `")
                        .label(format!("begins with `{mark} `"))
                        .help(format!("write `- {written}:`")),
                );
            }
            return None;
        }
        Some(Field {
            name: known.map_or(Name::Note, |(_, name)| *name),
            name_span,
            line: line.start..line.end(),
            value: end - value.trim_start().len()..end,
            body: line.end()..line.end(),
            next: line.next,
            indent: line.indent,
        })
    }

    /// A field inside another field is read by one tool and not by the next.
    fn nested(&mut self, line: &Line<'_>, owner: Name) {
        if line.kind != Kind::Text {
            return;
        }
        let text = line.text.trim();
        let Some((_, item)) = bullet(text) else { return };
        let item = without_checkbox(item);
        let span = line.end() - item.len()..line.end();
        let is_field = item.split_once(':').and_then(|(written, _)| {
            NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(written))
        });
        match is_field {
            Some((name, Name::Files | Name::Depends | Name::FailCount | Name::Criteria)) => {
                self.complaints.push(
                    Complaint::error(
                        "nested-field",
                        span,
                        format!("`{name}` inside another field"),
                    )
                    .label("deeper than the field above it")
                    .help("indent it like the task's other fields"),
                );
            }
            Some((_, Name::Verify)) if matches!(owner, Name::Description | Name::Note) => {
                self.complaints.push(
                    Complaint::warning("verify-prose", span, "this `verify:` is prose")
                        .label("never run")
                        .help("to have it run, move it under `Completion criteria`"),
                );
            }
            _ => {}
        }
    }

    fn deceptive(&mut self, line: &Line<'_>) {
        let Some((at, char)) = line.text.char_indices().find(|(_, char)| is_deceptive(*char))
        else {
            return;
        };
        let at = line.start + at;
        let message = format!("hidden character U+{:04X}", u32::from(char));
        self.complaints.push(
            Complaint::error("control-character", at..at + char.len_utf8(), message)
                .label("shows as something else, or not at all")
                .help("delete it"),
        );
    }
}
