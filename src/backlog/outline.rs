//! Which lines of a Markdown backlog belong to which field of which task.

use std::ops::Range;

use super::complaint::{Complaint, Complaints};
use super::header::{self, Header, Reading};
use super::lines::{Kind, Line, Lines, bullet, without_checkbox};
use super::stray;
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

impl Name {
    /// The field that an item begins, and its name in full.
    pub(super) fn of(item: &str) -> Option<(&'static str, Self)> {
        let (written, _) = item.split_once(':')?;
        NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(written)).copied()
    }
}

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
    /// How deep it stands, in columns.
    pub(super) indent: usize,
}

impl Field {
    /// Where the text of its last line ends.
    pub(super) fn end(&self) -> usize {
        self.line.end.max(self.body.end)
    }

    fn grow(&mut self, line: &Line<'_>) {
        if self.body.is_empty() {
            self.body.start = line.start;
        }
        self.body.end = line.end();
        self.next = line.next;
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
        text,
        complaints,
        outline: Outline::default(),
        open: Open::Nothing,
        group: Group::Other,
        empty_groups: 0,
    };
    for line in lines.by_ref() {
        walk.line(&line);
    }
    walk.heading(None);
    let outline = walk.outline;
    for block in lines.unclosed {
        complaints.push(stray::unclosed(block.kind, block.span));
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

struct Walk<'t, 'c> {
    text: &'t str,
    complaints: &'c mut Complaints,
    outline: Outline,
    open: Open,
    group: Group,
    empty_groups: usize,
}

/// What the next line may belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// A task that could not be read.
    Lost,
    /// The last section.
    Section,
    /// The last field of the last section.
    Field,
}

impl Walk<'_, '_> {
    fn line(&mut self, line: &Line<'_>) {
        if line.is_blank() {
            return;
        }
        if line.kind == Kind::Text && line.text.starts_with("## ") {
            self.open = Open::Nothing;
            return self.heading(Some(line));
        }
        if line.kind == Kind::Text && self.task(line) {
            return;
        }
        self.complaints.extend(stray::hidden_task(line));
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
        self.complaints.extend(marker);
        match header::read(line) {
            Reading::Header(header) => {
                self.complaints.extend(stray::deceptive(line));
                if let Group::Tasks { is_empty, .. } = &mut self.group {
                    *is_empty = false;
                }
                let whole = line.start..line.end();
                self.outline.sections.push(Section { header, fields: Vec::new(), whole });
                self.open = Open::Section;
                true
            }
            Reading::Fault(complaint) => {
                // What follows belongs to the task that was meant, not to the one before it.
                if line.indent == 0 {
                    self.open = Open::Lost;
                }
                if !is_malformed {
                    self.complaints.push(complaint);
                }
                true
            }
            Reading::Other => false,
        }
    }

    fn content(&mut self, line: &Line<'_>) {
        match self.open {
            Open::Nothing if self.group == Group::Completed => return self.completed(line),
            Open::Nothing => return self.complaints.extend(stray::homeless(line)),
            Open::Lost => return,
            Open::Section | Open::Field => {}
        }
        self.complaints.extend(stray::deceptive(line));
        let Some(section) = self.outline.sections.last_mut() else { return };
        section.whole.end = line.end();
        if self.open == Open::Field
            && let Some(field) = section.fields.last_mut()
            && line.indent > field.indent
        {
            field.grow(line);
            if line.kind == Kind::Text {
                self.complaints.extend(stray::nested(line, field.name));
            }
            return;
        }
        self.open = Open::Section;
        if line.kind != Kind::Text {
            return;
        }
        if let Some(complaint) = stray::unlisted(line, section.fields.last()) {
            return self.complaints.push(complaint);
        }
        match field(line) {
            Some(Ok(field)) => {
                self.complaints.extend(stray::value(self.text, &field));
                section.fields.push(field);
                self.open = Open::Field;
            }
            Some(Err(complaint)) => self.complaints.push(complaint),
            None => {}
        }
    }

    fn completed(&mut self, line: &Line<'_>) {
        let item = bullet(line.text.trim()).filter(|_| line.kind == Kind::Text);
        let Some((mark, item)) = item else { return };
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
}

/// Reads a list item as the beginning of a field.
fn field(line: &Line<'_>) -> Option<Result<Field, Complaint>> {
    let (mark, body) = bullet(line.text.trim())?;
    let checked = without_checkbox(body);
    // Commands may be ticked off, other fields may not.
    let is_strict = !matches!(Name::of(checked), None | Some((_, Name::Verify)));
    let body = if is_strict { body } else { checked };
    let known = Name::of(body);
    let (written, value) = body.split_once(':').unwrap_or((body, ""));
    let end = line.start + line.text.trim_end().len();
    let name_start = end - body.len();
    let name_span = name_start..name_start + written.len();
    if mark != '-' {
        let complaint = Complaint::error("field-bullet", name_span, "a field begins with `- `")
            .label(format!("begins with `{mark} `"))
            .help(format!("write `- {written}:`"));
        return known.map(|_| Err(complaint));
    }
    Some(Ok(Field {
        name: known.map_or(Name::Note, |(_, name)| name),
        name_span,
        line: line.start..line.end(),
        value: end - value.trim_start().len()..end,
        body: line.end()..line.end(),
        next: line.next,
        indent: line.indent,
    }))
}
