//! What the fields of one task say.

use std::collections::BTreeSet;
use std::ops::Range;

use super::complaint::{Complaint, Complaints};
use super::header;
use super::lines::Kind;
use super::model::{Entry, Place};
use super::outline::{Field, Name, Section};
use super::pieces::{Item, Piece, commas, items, pieces, quoted};
use super::verify::{self, Criterion, trimmed};
use crate::engine::id::TaskId;
use crate::engine::task::{Mark, Pattern, Status, Task};

/// Reads the fields of a task and complains about those that are missing or unclear.
pub(super) fn entry(text: &str, section: &Section, complaints: &mut Complaints) -> Entry {
    let header = &section.header;
    let mut reader =
        Reader { text, section, complaints, place: Place::default(), is_unclear: false };
    reader.place.whole = section.whole.clone();
    reader.place.id = header.id_span.clone();
    reader.place.title = header.title_span.clone();
    let (criteria, verify) = reader.criteria();
    let task = Task {
        id: header.id.clone(),
        title: header.title.clone(),
        files: reader.files(),
        description: reader.description(),
        criteria,
        verify,
        depends: reader.depends(),
        size: reader.size(),
    };
    let mark = Mark {
        task: header.id.clone(),
        status: header.status,
        fail_count: reader.fail_count(),
        reason: reason(text, section),
    };
    reader.missing(&task);
    Entry { task, mark, place: reader.place }
}

/// The number of failures, if it is well-formed, and where it stands.
pub(super) fn fail_count(text: &str, section: &Section) -> Option<(u32, Range<usize>)> {
    let field = section.fields(Name::FailCount).next()?;
    let digits = &text[field.value.clone()];
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count = digits.parse().ok().filter(|_| is_number)?;
    Some((count, field.value.clone()))
}

/// Why the task is blocked or failed last.
pub(super) fn reason(text: &str, section: &Section) -> Option<String> {
    let names = match section.header.status {
        Status::Blocked => [Name::BlockedReason, Name::LastFailure],
        Status::Todo | Status::Done => [Name::LastFailure, Name::BlockedReason],
    };
    names.into_iter().find_map(|name| {
        let field = section.fields(name).next()?;
        let words: Vec<_> = text[field.value.start..field.end()].split_whitespace().collect();
        Some(words.join(" ")).filter(|reason| !reason.is_empty())
    })
}

struct Reader<'t, 'c> {
    text: &'t str,
    section: &'t Section,
    complaints: &'c mut Complaints,
    place: Place,
    /// Whether something is there that could not be read, and so does not count as missing.
    is_unclear: bool,
}

impl<'t> Reader<'t, '_> {
    /// The field of a name that may stand only once.
    fn field(&mut self, name: Name) -> Option<&'t Field> {
        let mut fields = self.section.fields(name);
        let first = fields.next();
        for other in fields {
            let written = &self.text[other.name_span.clone()];
            self.complaints.push(
                Complaint::error(
                    "duplicate-field",
                    other.name_span.clone(),
                    format!("`{written}` stands here a second time"),
                )
                .label("which of them counts?")
                .help("keep one"),
            );
        }
        first
    }

    /// The lines of a field, without code blocks, which are no list.
    fn pieces(&mut self, field: &Field) -> Vec<Piece<'t>> {
        let (code, mut pieces): (Vec<_>, Vec<_>) = pieces(self.text, field)
            .filter(|piece| piece.kind != Kind::Comment)
            .partition(|piece| piece.kind == Kind::Code);
        if let Some(code) = code.first() {
            let name = &self.text[field.name_span.clone()];
            self.complaints.push(
                Complaint::error("code-in-field", code.whole(), format!("code block in `{name}`"))
                    .label("not read")
                    .help("write a list instead"),
            );
        }
        // A list may be broken behind a comma.
        let last = pieces.len().saturating_sub(1);
        for piece in &mut pieces[..last] {
            piece.text = piece.text.strip_suffix(',').unwrap_or(piece.text);
        }
        pieces
    }

    fn files(&mut self) -> Vec<Pattern> {
        let Some(field) = self.field(Name::Files) else { return Vec::new() };
        let mut files = Vec::new();
        for piece in self.pieces(field) {
            let spans = match quoted(piece.text) {
                Ok(spans) if spans.is_empty() => self.listed(&piece),
                Ok(spans) => spans,
                Err(at) => {
                    self.is_unclear = true;
                    self.complaints.push(
                        Complaint::error(
                            "backtick",
                            piece.span(at..piece.text.len()),
                            "a backtick without its partner",
                        )
                        .label("where does the path end?")
                        .help("put each path between two backticks"),
                    );
                    continue;
                }
            };
            for span in spans {
                files.push(Pattern::new(&piece.text[span.clone()]));
                self.place.files.push(piece.span(span));
            }
        }
        files
    }

    /// Paths without backticks: everything between two commas, spaces included.
    fn listed(&mut self, piece: &Piece<'_>) -> Vec<Range<usize>> {
        let spans: Vec<_> =
            commas(piece.text).into_iter().map(|span| trimmed(piece.text, span)).collect();
        for span in &spans {
            if piece.text[span.clone()].contains(char::is_whitespace) {
                self.complaints.push(
                    Complaint::warning(
                        "space-in-path",
                        piece.span(span.clone()),
                        "path with a space in it",
                    )
                    .label("all of this is one path")
                    .help("put the path between backticks; words beside it are not read then"),
                );
            }
        }
        spans
    }

    fn depends(&mut self) -> Vec<TaskId> {
        let Some(field) = self.field(Name::Depends) else { return Vec::new() };
        let pieces = self.pieces(field);
        if let [only] = pieces.as_slice()
            && only.text.eq_ignore_ascii_case("none")
        {
            return Vec::new();
        }
        if pieces.is_empty() {
            self.complaints.push(
                Complaint::warning("empty-depends", field.name_span.clone(), "empty `Depends`")
                    .label("read as `none`")
                    .help("write `none`, or the ids of other tasks"),
            );
        }
        let mut known = BTreeSet::new();
        let mut depends = Vec::new();
        for piece in pieces {
            for span in commas(piece.text) {
                let span = trimmed(piece.text, span);
                let text = &piece.text[span.clone()];
                match header::id(text.strip_prefix("Task ").unwrap_or(text)) {
                    Some(id) if !known.insert(id.clone()) => {}
                    Some(id) => {
                        depends.push(id);
                        self.place.depends.push(piece.span(span));
                    }
                    None => self.complaints.push(
                        Complaint::error("unknown-depends", piece.span(span), "this is no task id")
                            .label("cannot be waited for")
                            .help("write `none`, or ids with commas between: `Task 1.1, Task 1.2`"),
                    ),
                }
            }
        }
        depends
    }

    fn description(&mut self) -> String {
        let Some(field) = self.field(Name::Description) else { return String::new() };
        let body = self.text[field.body.clone()].trim_end();
        let depth = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let lines = || body.lines().map(str::trim_end);
        let margin = lines().filter(|line| !line.is_empty()).map(depth).min().unwrap_or(0);
        let mut description = self.text[field.value.clone()].to_owned();
        for line in lines() {
            if !description.is_empty() {
                description.push('\n');
            }
            description.push_str(line.get(margin..).unwrap_or_default());
        }
        description
    }

    fn size(&mut self) -> Option<String> {
        let field = self.field(Name::Size)?;
        let size = &self.text[field.value.clone()];
        if size.is_empty() {
            return None;
        }
        self.place.size = Some(field.value.clone());
        Some(size.to_owned())
    }

    fn fail_count(&mut self) -> u32 {
        let Some(field) = self.field(Name::FailCount) else { return 0 };
        let count = fail_count(self.text, self.section);
        if count.is_none() {
            let span = if field.value.is_empty() { &field.name_span } else { &field.value };
            self.complaints.push(
                Complaint::error("fail-count", span.clone(), "`Fail count` is no bare number")
                    .label("not a number")
                    .help("write `- Fail count: 0`"),
            );
        }
        count.map_or(0, |(count, _)| count)
    }

    /// Criteria in words, and commands. A field `Verify` beside the criteria counts like an item
    /// below them: LoopDex writes it when it splits a task.
    fn criteria(&mut self) -> (Vec<String>, Vec<String>) {
        let mut criteria = Vec::new();
        let mut verify = Verify::default();
        if let Some(field) = self.field(Name::Criteria) {
            for item in items(self.text, field) {
                match verify::read(item.first.text) {
                    Criterion::Words if item.has_verify => self.unclear(&item),
                    Criterion::Words => criteria.push(item.words),
                    Criterion::Commands(_) if item.rest.is_some() => self.unclear(&item),
                    Criterion::Commands(commands) => verify.add(&item.first, commands),
                    Criterion::Fault(fault) => {
                        self.is_unclear = true;
                        self.complaints.push(fault.complaint(item.first.start));
                    }
                }
            }
        }
        for field in self.section.fields(Name::Verify) {
            for piece in self.pieces(field) {
                match verify::commands(piece.text, 0) {
                    Ok(commands) => verify.add(&piece, commands),
                    Err(fault) => {
                        self.is_unclear = true;
                        self.complaints.push(fault.complaint(piece.start));
                    }
                }
            }
        }
        self.place.verify = verify.spans;
        (criteria, verify.commands)
    }

    fn unclear(&mut self, item: &Item<'_>) {
        self.is_unclear = true;
        let span = item.rest.clone().unwrap_or(item.first.whole());
        self.complaints.push(
            Complaint::error("verify-form", span, "unclear which commands are to be run")
                .label("`verify:` and its commands stand on a line of their own")
                .help("begin a new item with verify: `command` and nothing else"),
        );
    }

    fn missing(&mut self, task: &Task) {
        let span = self.section.header.id_span.clone();
        let has = |name| self.section.fields(name).next().is_some();
        let mut missing = Vec::new();
        if self.section.fields.is_empty() {
            self.complaints.push(
                Complaint::error("no-fields", span, format!("task {} has no fields", task.id))
                    .label("nothing says what it is about")
                    .help(
                        "below it, indented by two, say `Files`, `Completion criteria` and so on",
                    ),
            );
            return;
        }
        if task.files.is_empty() && !self.is_unclear {
            missing.push(("missing-files", "Files", "add `- Files: path/to/file`"));
        }
        if !has(Name::Depends) {
            missing.push(("missing-depends", "Depends", "add `- Depends: none`"));
        }
        if !has(Name::FailCount) {
            missing.push(("missing-fail-count", "Fail count", "add `- Fail count: 0`"));
        }
        if task.verify.is_empty() && !self.is_unclear {
            missing.push((
                "missing-verify",
                "verify command",
                "add - verify: `command` under `Completion criteria`",
            ));
        }
        if task.criteria.is_empty() && task.verify.is_empty() && !self.is_unclear {
            missing.push((
                "missing-criteria",
                "Completion criteria",
                "add `- Completion criteria:` with items below it",
            ));
        }
        for (code, what, help) in missing {
            let message = format!("task {} has no {what}", task.id);
            self.complaints.push(
                Complaint::error(code, span.clone(), message).label("of this task").help(help),
            );
        }
        self.wanting(task, span);
    }

    fn wanting(&mut self, task: &Task, span: Range<usize>) {
        let wanting = [
            (task.title.is_empty(), "missing-title", "title", "write one behind the colon"),
            (task.size.is_none(), "missing-size", "Size", "add `- Size: Small` or `Medium`"),
            (
                task.description.is_empty(),
                "missing-description",
                "Description",
                "add `- Description:` and say what is to be done",
            ),
        ];
        for (_, code, what, help) in wanting.into_iter().filter(|(is_wanting, ..)| *is_wanting) {
            let message = format!("task {} has no {what}", task.id);
            self.complaints.push(
                Complaint::warning(code, span.clone(), message).label("of this task").help(help),
            );
        }
    }
}

#[derive(Default)]
struct Verify {
    known: BTreeSet<String>,
    commands: Vec<String>,
    spans: Vec<Range<usize>>,
}

impl Verify {
    fn add(&mut self, piece: &Piece<'_>, commands: Vec<Range<usize>>) {
        for span in commands {
            let command = &piece.text[span.clone()];
            if self.known.insert(command.to_owned()) {
                self.commands.push(command.to_owned());
                self.spans.push(piece.span(span));
            }
        }
    }
}
