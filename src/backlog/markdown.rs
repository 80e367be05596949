//! The Markdown format of LoopDex, read strictly.

use super::complaint::{Complaint, Complaints};
use super::model::{Backlog, Format, Parsed};
use super::{fields, lint, outline};

/// The longest backlog that is read: ten thousand tasks of a page each fit, and no file can make
/// the reader run out of memory.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads and lints a backlog.
pub(super) fn parse(text: &str) -> Parsed {
    let mut complaints = Complaints::default();
    let backlog = if text.len() <= BYTES_MAX {
        read(text, &mut complaints)
    } else {
        complaints.push(
            Complaint::error("too-large", 0..0, format!("larger than {BYTES_MAX} bytes"))
                .label("not read")
                .help(
                    "move finished tasks to an archive and list them under `## Completed Task IDs`",
                ),
        );
        Backlog { format: Format::Markdown, entries: Vec::new(), completed: [].into() }
    };
    Parsed { backlog, complaints: complaints.finish() }
}

pub(super) fn read(text: &str, complaints: &mut Complaints) -> Backlog {
    let outline = outline::read(text, complaints);
    let entries: Vec<_> =
        outline.sections.iter().map(|section| fields::entry(text, section, complaints)).collect();
    let completed = outline.completed.into_iter().collect();
    let backlog = Backlog { format: Format::Markdown, entries, completed };
    lint::check(&backlog, complaints);
    if backlog.entries.is_empty() && backlog.completed.is_empty() {
        complaints.push(
            Complaint::error(
                "empty-backlog",
                0..text.lines().next().map_or(0, str::len),
                "no task in this backlog",
            )
            .label("expected tasks in this file")
            .help("write each task as `- [ ] Task 1.1: title` with its fields below it"),
        );
    }
    backlog
}
