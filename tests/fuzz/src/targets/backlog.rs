//! A backlog: read, complained about, and marked without a change to anything else.

use looper::backlog::{Backlog, Entry, marks};
use looper::engine::task::{Mark, Status};
use looper::ui::diagnostics;

pub(super) fn backlog(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parsed = Backlog::parse(text);
    assert_eq!(Backlog::parse(text), parsed);
    for complaint in &parsed.complaints {
        assert!(text.get(complaint.span.clone()).is_some(), "{complaint:?}");
    }
    diagnostics::render("backlog.md", text, &parsed.complaints, false);
    let backlog = parsed.backlog;
    if let Ok(marked) = marks::apply(text, &backlog.marks()) {
        assert_eq!(marked, text, "marks that are there already");
    }
    let words = text.lines().next_back().unwrap_or_default();
    for (index, entry) in backlog.entries.iter().enumerate().take(3) {
        for status in [Status::Todo, Status::Done, Status::Blocked] {
            let mark = Mark {
                task: entry.task.id.clone(),
                status,
                fail_count: u32::try_from(text.len() % 1000).unwrap_or(0),
                reason: (text.len() % 2 == 0).then(|| words.to_owned()),
            };
            if let Ok(marked) = marks::apply(text, std::slice::from_ref(&mark)) {
                only_marks(text, &marked, &backlog, index, &mark);
            }
        }
    }
}

fn only_marks(before: &str, after: &str, backlog: &Backlog, index: usize, mark: &Mark) {
    let again = Backlog::parse(after).backlog;
    assert_eq!(again.tasks(), backlog.tasks());
    assert_eq!(again.completed, backlog.completed);
    for (at, (old, new)) in backlog.entries.iter().zip(&again.entries).enumerate() {
        if at == index {
            assert_eq!((new.mark.status, new.mark.fail_count), (mark.status, mark.fail_count));
        } else {
            assert_eq!(new.mark, old.mark);
        }
    }
    let entry = &backlog.entries[index];
    let whole = &entry.place.whole;
    let behind = &before[whole.end..];
    assert!(after.starts_with(&before[..whole.start]), "changed before the task");
    assert!(after.ends_with(behind), "changed behind the task");
    let inside = &after[whole.start..after.len() - behind.len()];
    kept(&before[whole.clone()], inside, entry);
    let twice = marks::apply(after, std::slice::from_ref(mark));
    assert_eq!(twice.as_deref(), Ok(after), "marking twice");
}

/// Every line of a task is still there and in its place, but for its first, the count, and the
/// reasons with what hangs below them.
fn kept(before: &str, after: &str, entry: &Entry) {
    let mut rest = after.lines();
    // How far in the reason begins whose lines are going by.
    let mut reason = None;
    for line in before.lines().skip(1) {
        let lower = line.trim_start().to_ascii_lowercase();
        let indent = line.len() - lower.len();
        if lower.starts_with(['-', '*', '+']) && reason.is_none_or(|begun| indent <= begun) {
            let is_reason = lower.contains("reason") || lower.contains("failure");
            reason = is_reason.then_some(indent);
        }
        if reason.is_some() || lower.contains("count") || line.trim().is_empty() {
            continue;
        }
        assert!(rest.any(|found| found == line), "{line:?} of {} is gone", entry.task.id);
    }
}
