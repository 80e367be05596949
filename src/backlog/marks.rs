//! Marks written back into a backlog without touching any other byte.

use std::collections::BTreeMap;
use std::ops::Range;

use super::complaint::Complaints;
use super::fields;
use super::markdown::{self, BYTES_MAX};
use super::model::Entry;
use super::outline::{self, BLOCKED_REASON, LAST_FAILURE, Name, Section};
use super::text::is_deceptive;
use crate::engine::id::TaskId;
use crate::engine::task::{Mark, Status};

/// The longest reason that is written, in characters; the log keeps the whole.
pub const REASON_LENGTH_MAX: usize = 300;

/// What LoopDex, or a careless reader, takes for a field in the middle of a line.
const KEYWORDS: [&str; 3] = ["verify", "depends", "fail count"];

/// Why marks cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// The backlog is longer than what is read.
    #[error("the backlog is larger than {BYTES_MAX} bytes")]
    TooLarge,
    /// No task has this id.
    #[error("task {task} is not in the backlog")]
    UnknownTask {
        /// The id.
        task: TaskId,
    },
    /// Several tasks, or several marks, have this id.
    #[error("task {task} is there more than once")]
    Ambiguous {
        /// The id.
        task: TaskId,
    },
    /// There is no place for a number.
    #[error("task {task} has no well-formed `Fail count`")]
    NoFailCount {
        /// The id.
        task: TaskId,
    },
    /// The text would read differently afterwards, so nothing is written.
    #[error("marks cannot be written without changing more than marks")]
    ChangesMore,
}

/// Puts marks into a backlog. Tasks without a mark in the list stay as they are.
///
/// # Errors
/// The text has no unambiguous place for one of the marks.
pub fn apply(text: &str, marks: &[Mark]) -> Result<String, MarkError> {
    if text.len() > BYTES_MAX {
        return Err(MarkError::TooLarge);
    }
    let outline = outline::read(text, &mut Complaints::default());
    let mut index = BTreeMap::new();
    for section in &outline.sections {
        let known = index.entry(&section.header.id).or_insert((0_usize, section));
        known.0 += 1;
    }
    let mut edits = Edits { text, changes: Vec::new(), removed: Vec::new() };
    let mut wanted = BTreeMap::new();
    for mark in marks {
        let task = || mark.task.clone();
        match index.get(&mark.task) {
            Some((1, section)) => edits.mark(section, mark)?,
            Some(_) => return Err(MarkError::Ambiguous { task: task() }),
            None => return Err(MarkError::UnknownTask { task: task() }),
        }
        if wanted.insert(&mark.task, mark).is_some() {
            return Err(MarkError::Ambiguous { task: task() });
        }
    }
    let marked = edits.finish();
    check(text, &marked, &wanted)?;
    Ok(marked)
}

/// Makes a reason fit into one line of a backlog: at most [`REASON_LENGTH_MAX`] characters, none
/// of them deceptive, and nothing that could be read as a field, a command or a task.
pub fn reason_line(reason: &str) -> Option<String> {
    let is_break = |char: char| char.is_whitespace() || matches!(char, '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(reason.len().min(4 * REASON_LENGTH_MAX));
    for char in reason.chars() {
        if is_break(char) || (char == ':' && ends_with_keyword(&line)) {
            if !line.ends_with(' ') && !line.is_empty() {
                line.push(' ');
            }
        } else if char == ']' && line.ends_with("[!\\") {
            line.pop();
            line.push(char);
        } else if !is_deceptive(char) {
            line.push(char);
        }
    }
    let line = line.trim_end();
    if line.chars().count() <= REASON_LENGTH_MAX {
        return Some(line.to_owned()).filter(|line| !line.is_empty());
    }
    let kept: String = line.chars().take(REASON_LENGTH_MAX - 1).collect();
    Some(format!("{}…", kept.trim_end()))
}

fn ends_with_keyword(line: &str) -> bool {
    KEYWORDS.iter().any(|keyword| {
        let tail = line.len().checked_sub(keyword.len()).and_then(|start| line.get(start..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(keyword))
    })
}

struct Edits<'t> {
    text: &'t str,
    changes: Vec<(Range<usize>, String)>,
    /// Whole lines.
    removed: Vec<Range<usize>>,
}

impl Edits<'_> {
    fn mark(&mut self, section: &Section, mark: &Mark) -> Result<(), MarkError> {
        let header = &section.header;
        if header.status != mark.status {
            self.changes.push((header.checkbox.clone(), checkbox(mark.status).to_owned()));
        }
        let missing = || MarkError::NoFailCount { task: mark.task.clone() };
        match fields::fail_count(self.text, section) {
            Some((count, _)) if count == mark.fail_count => {}
            None if mark.fail_count == 0 => {}
            Some((_, span)) => self.changes.push((span, mark.fail_count.to_string())),
            None => return Err(missing()),
        }
        let reason = mark.reason.as_deref().and_then(reason_line);
        if header.status == mark.status && keeps_reason(self.text, section, mark, &reason) {
            return Ok(());
        }
        let (wanted, name, other) = match mark.status {
            Status::Blocked => (BLOCKED_REASON, Name::BlockedReason, Name::LastFailure),
            Status::Todo | Status::Done => (LAST_FAILURE, Name::LastFailure, Name::BlockedReason),
        };
        let mut places = section.fields(name);
        if let Some(reason) = reason {
            match places.next() {
                Some(field) => {
                    let space =
                        if self.text[..field.value.start].ends_with(':') { " " } else { "" };
                    let span = field.value.start..field.end();
                    if self.text[span.clone()] != reason {
                        self.changes.push((span, format!("{space}{reason}")));
                    }
                }
                None => {
                    let (at, before) = self.gap(section).ok_or_else(missing)?;
                    self.changes.push((at..at, format!("{before}- {wanted}: {reason}")));
                }
            }
        }
        for field in places.chain(section.fields(other)) {
            self.removed.push(field.line.start..field.next);
        }
        Ok(())
    }

    /// Where a new line goes, behind all that belongs to the failure count, so that no list is cut
    /// off from its field; and the line break and indentation that lead to it.
    fn gap(&self, section: &Section) -> Option<(usize, String)> {
        let field = section.fields(Name::FailCount).next()?;
        let line_break = match &self.text[field.end()..field.next] {
            "" if self.text[..field.line.start].ends_with("\r\n") => "\r\n",
            "" => "\n",
            own => own,
        };
        let line = &self.text[field.line.clone()];
        let indent = &line[..line.len() - line.trim_start().len()];
        Some((field.end(), format!("{line_break}{indent}")))
    }

    fn finish(mut self) -> String {
        self.removed.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in self.removed {
            match merged.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => merged.push(range),
            }
        }
        if let Some(last) = merged.last_mut()
            && last.end == self.text.len()
            && !self.text.ends_with('\n')
        {
            // The last line has no line break to lose, so the one before it goes.
            let before = &self.text[..last.start];
            let before = before.strip_suffix('\n').unwrap_or(before);
            last.start = before.strip_suffix('\r').unwrap_or(before).len();
        }
        self.changes.extend(merged.into_iter().map(|range| (range, String::new())));
        self.changes.sort_by_key(|(range, _)| (range.start, range.end));
        let mut marked = String::with_capacity(self.text.len() + 512);
        let mut at = 0;
        for (range, new) in self.changes {
            marked.push_str(&self.text[at..range.start]);
            marked.push_str(&new);
            at = range.end;
        }
        marked.push_str(&self.text[at..]);
        marked
    }
}

fn checkbox(status: Status) -> &'static str {
    match status {
        Status::Todo => " ",
        Status::Done => "x",
        Status::Blocked => "!",
    }
}

/// A reason that is there already stays where and as it is, even if it is longer than what would be
/// written: a mark that was read and not changed must not change the file.
fn keeps_reason(text: &str, section: &Section, mark: &Mark, line: &Option<String>) -> bool {
    let there = fields::reason(text, section);
    there == mark.reason || there == *line
}

fn check(before: &str, after: &str, wanted: &BTreeMap<&TaskId, &Mark>) -> Result<(), MarkError> {
    let mut sink = Complaints::default();
    let old = markdown::read(before, &mut sink);
    let new = markdown::read(after, &mut sink);
    let is_right = |(old, new): (&Entry, &Entry)| {
        let mark = match wanted.get(&old.task.id) {
            None => new.mark == old.mark,
            Some(mark) => {
                let line = mark.reason.as_deref().and_then(reason_line);
                (new.mark.status, new.mark.fail_count) == (mark.status, mark.fail_count)
                    && (new.mark.reason == line || new.mark.reason == mark.reason)
            }
        };
        mark && old.task == new.task
    };
    let is_same = old.completed == new.completed
        && old.entries.len() == new.entries.len()
        && old.entries.iter().zip(&new.entries).all(is_right);
    if is_same { Ok(()) } else { Err(MarkError::ChangesMore) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TASK: &str = "- [ ] Task 1.1: a\n  - Files: b\n  - Depends:\n    - Task 0.1\n  \
                        - Fail count: 0\n  - Completion criteria:\n    - verify: `c`\n";

    fn mark(status: Status, fail_count: u32, reason: Option<&str>) -> Mark {
        let reason = reason.map(str::to_owned);
        Mark { task: TaskId::new("1.1"), status, fail_count, reason }
    }

    #[test]
    fn a_failure_is_noted_behind_the_count_and_cuts_no_list_off() {
        let marked = apply(TASK, &[mark(Status::Todo, 1, Some("no such file"))]).unwrap();
        let want = TASK.replace("count: 0\n", "count: 1\n  - Last failure summary: no such file\n");
        assert_eq!(marked, want);
    }

    #[test]
    fn a_block_replaces_the_failure_and_is_taken_back_without_a_trace() {
        let failed = apply(TASK, &[mark(Status::Todo, 4, Some("first"))]).unwrap();
        let blocked = apply(&failed, &[mark(Status::Blocked, 5, Some("second"))]).unwrap();
        assert!(blocked.starts_with("- [!] Task 1.1"));
        assert!(blocked.contains("  - Fail count: 5\n  - Blocked reason: second\n"));
        assert!(!blocked.contains("first"));
        assert_eq!(apply(&blocked, &[mark(Status::Todo, 0, None)]).unwrap(), TASK);
        let done = apply(&blocked, &[mark(Status::Done, 0, None)]).unwrap();
        assert_eq!(done, TASK.replace("- [ ]", "- [x]"));
    }

    #[rstest]
    #[case::windows("\r\n", true)]
    #[case::windows_without_an_end("\r\n", false)]
    #[case::unix_without_an_end("\n", false)]
    fn line_breaks_stay_as_they_are(#[case] line_break: &str, #[case] has_end: bool) {
        let text = "- [ ] Task 1.1: a\n  - Files: b\n  - Fail count: 0\n".replace('\n', line_break);
        let text = if has_end { &text } else { text.trim_end() };
        let marked = apply(text, &[mark(Status::Blocked, 2, Some("why"))]).unwrap();
        let want = text
            .replace("[ ]", "[!]")
            .replace("count: 0", &format!("count: 2{line_break}  - Blocked reason: why"));
        assert_eq!(marked, want);
        assert_eq!(apply(&marked, &[mark(Status::Todo, 0, None)]).unwrap(), text);
    }

    #[test]
    fn marks_that_loopdex_wrote_are_replaced_and_its_records_stay() {
        let text = "- [!] Task 1.1: a\n  - Fail count: 5\n  - Last failure summary: old\n  - Blocked \
                    reason: older\n    in two lines\n  - Last verdict: FAIL\n  - Files: b";
        let marked = apply(text, &[mark(Status::Todo, 0, None)]).unwrap();
        assert_eq!(
            marked,
            "- [ ] Task 1.1: a\n  - Fail count: 0\n  - Last verdict: FAIL\n  - Files: b"
        );
    }

    #[rstest]
    #[case::unknown("1.2", MarkError::UnknownTask { task: TaskId::new("1.2") })]
    #[case::twice("2", MarkError::Ambiguous { task: TaskId::new("2") })]
    #[case::no_count("3", MarkError::NoFailCount { task: TaskId::new("3") })]
    fn marks_without_a_clear_place_are_not_written(#[case] task: &str, #[case] want: MarkError) {
        let text = "- [ ] Task 2: a\n- [ ] Task 2: b\n- [ ] Task 3: c\n  - Files: d\n";
        let mark = Mark { task: TaskId::new(task), ..mark(Status::Done, 1, None) };
        assert_eq!(apply(text, &[mark]), Err(want));
    }

    #[test]
    fn two_marks_for_one_task_are_not_written() {
        let marks = [mark(Status::Done, 0, None), mark(Status::Blocked, 0, None)];
        let task = TaskId::new("1.1");
        assert_eq!(apply(TASK, &marks), Err(MarkError::Ambiguous { task }));
    }

    #[rstest]
    #[case::plain("it failed", Some("it failed"))]
    #[case::lines(" a\r\n\tb\u{2028}c ", Some("a b c"))]
    #[case::escape("\u{1b}[31mred\u{202e}", Some("[31mred"))]
    #[case::command("so verify: `rm`, Verify:x", Some("so verify `rm`, Verify x"))]
    #[case::fields("Fail count: 0 Depends: Task 1", Some("Fail count 0 Depends Task 1"))]
    #[case::hidden_command("ver\u{0}ify: x", Some("verify x"))]
    #[case::marker("[!\\] Task", Some("[!] Task"))]
    #[case::nothing("\u{7}\n", None)]
    fn a_reason_becomes_one_harmless_line(#[case] reason: &str, #[case] want: Option<&str>) {
        assert_eq!(reason_line(reason).as_deref(), want);
    }

    #[test]
    fn a_long_reason_is_cut_to_characters_not_bytes() {
        let line = reason_line(&"ä".repeat(1000)).unwrap();
        assert_eq!(line.chars().count(), REASON_LENGTH_MAX);
        assert!(line.ends_with("ä…"));
    }
}
