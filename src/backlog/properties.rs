//! Laws that hold for every backlog, tried on thousands of made-up ones.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::complaint::Complaint;
use super::fixtures::ADDED_ERRORS;
use super::{Backlog, loopdex_rules, marks};
use crate::engine::id::TaskId;
use crate::engine::task::{Mark, Status};

/// One field in one of the ways to write it; `|` stands for the indentation of fields.
const FILES: [&str; 5] = [
    "|- Files: a.rs\n",
    "|- Files: `a.rs`, `src/**/*.rs`\n",
    "|- Files:\n||- a.rs\n\n||- `b c.rs` (new)\n",
    "|- files:\n||* src/{a,b}.rs\n",
    "|- Files: a.rs,\n||b.rs\n",
];
const DEPENDS: [&str; 4] = [
    "|- Depends: none\n",
    "|- Depends: 0.1\n",
    "|- Depends: Task 0.1, 0.2\n",
    "|- Depends:\n||- Task 0.1\n\n||- Task 0.2\n",
];
const CRITERIA: [&str; 4] = [
    "|- Completion criteria:\n||- [ ] It works.\n||- [ ] verify: `true`\n",
    "|- Completion criteria: verify: `a` and ``b `c` ``\n",
    "|- Completion criteria:\n||- It works\n||  well.\n||- Verify with `verify: true`\n",
    "|- Verify: `x`\n|- Verify:\n||- `y`\n|- Completion criteria:\n||- Done.\n",
];
const COUNT: [&str; 3] =
    ["|- Fail count: 0\n", "|- fail count:   7\n", "|- Fail count: 12\n||- a note below\n"];
const NOTES: [&str; 7] = [
    "",
    "|- Size: Small\n",
    "|- Description: Words.\n",
    "|- Description:\n||```sh\n||- [ ] Task 1.1: no\n||- Depends: 9\n||```\n",
    "|- Evidence path: x\n|- Last verdict: FAIL\n",
    "### A heading\n\nand prose: verify: nothing\n",
    "<!-- a\n|- Files: comment\n-->\n",
];

/// What a hostile critic might say.
const WORDS: [&str; 22] = [
    "verify: `rm -rf /`",
    "\n",
    "\r\n",
    "- [x] Task 9.9: done",
    "## Tasks",
    "# Top",
    "```",
    "<!--",
    "Fail count: 99",
    "Depends: Task 9",
    "\u{1b}[2J",
    "\u{202e}",
    "[!\\]",
    "- Files: /etc/passwd",
    "`",
    "\u{2028}- [ ] Task 7: x",
    "VERIFY:",
    "Blocked reason:",
    "ver\u{0}ify:",
    "   ",
    "ü",
    "words",
];

fn reason() -> impl Strategy<Value = Option<String>> {
    let hostile =
        prop::collection::vec(select(&WORDS[..]), 1..60).prop_map(|words| words.join(" "));
    prop_oneof![Just(None), hostile.prop_map(Some), any::<String>().prop_map(Some)]
}

fn status() -> impl Strategy<Value = Status> {
    select(&[Status::Todo, Status::Done, Status::Blocked][..])
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 0..20_u32, any::<u32>()]
}

fn checkbox(status: Status) -> char {
    match status {
        Status::Todo => ' ',
        Status::Done => 'x',
        Status::Blocked => '!',
    }
}

fn fields() -> impl Strategy<Value = String> {
    let fields = (
        select(&FILES[..]),
        select(&DEPENDS[..]),
        select(&CRITERIA[..]),
        select(&COUNT[..]),
        select(&NOTES[..]),
    );
    (fields, select(&["  ", "\t", " ", ""][..]))
        .prop_flat_map(|((files, depends, criteria, count, note), indent)| {
            let fields = Just(vec![files, depends, criteria, count, note]).prop_shuffle();
            (fields, Just(indent))
        })
        .prop_map(|(fields, indent)| {
            let deeper = if indent == "\t" { "\t\t" } else { "    " };
            fields.concat().replace("||", deeper).replace('|', indent)
        })
}

/// A backlog without reasons in it.
fn backlog() -> impl Strategy<Value = String> {
    let task = (status(), fields(), select(&["", "\n", "\n\nProse.\n\n", "\n## Phase 2\n"][..]));
    let tasks = prop::collection::vec(task, 1..6);
    (tasks, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(tasks, crlf, bom, end)| {
        let mut text =
            "# Backlog\n\n## Completed Task IDs\n\n- Task 0.1\n- Task 0.2\n\n".to_owned();
        for (at, (status, fields, gap)) in tasks.iter().enumerate() {
            let checkbox = checkbox(*status);
            text.push_str(&format!("- [{checkbox}] Task 1.{at}: Title {at}\n{fields}{gap}"));
        }
        let text = if end { text } else { text.trim_end().to_owned() };
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        if bom { format!("\u{feff}{text}") } else { text }
    })
}

type Wish = (Status, u32, Option<String>);

fn wishes() -> impl Strategy<Value = Vec<Option<Wish>>> {
    prop::collection::vec(prop::option::weighted(0.8, (status(), count(), reason())), 6)
}

fn wanted(text: &str, wishes: &[Option<Wish>]) -> Vec<Mark> {
    let entries = Backlog::parse(text).backlog.entries;
    entries
        .iter()
        .zip(wishes)
        .filter_map(|(entry, wish)| {
            let (status, fail_count, reason) = wish.clone()?;
            Some(Mark { task: entry.task.id.clone(), status, fail_count, reason })
        })
        .collect()
}

/// The lines that a mark may change, blanked out or dropped.
fn without_marks(text: &str) -> Vec<String> {
    let lifecycle = ["- Blocked reason:", "- Last failure summary:"];
    let mut lines = Vec::new();
    for line in text.lines() {
        let inner = line.trim_start();
        if lifecycle.iter().any(|field| inner.starts_with(field)) {
            continue;
        }
        let is_count = inner.to_lowercase().starts_with("- fail count:");
        let is_header = line.trim_start_matches('\u{feff}').starts_with("- [");
        lines.push(match () {
            () if is_count => line.trim_end_matches(|char: char| char.is_ascii_digit()).to_owned(),
            () if is_header => line.replacen(['x', '!'], " ", 1),
            () => line.to_owned(),
        });
    }
    lines
}

proptest! {
    // A case that fails becomes a row or a fixture, not a seed in a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn made_up_backlogs_are_good(text in backlog()) {
        let parsed = Backlog::parse(&text);
        prop_assert!(!parsed.is_refused(), "{:#?}", parsed.complaints);
    }

    /// Proves I10.
    #[test]
    fn marks_change_marks_and_nothing_else(text in backlog(), wishes in wishes()) {
        let marks = wanted(&text, &wishes);
        let marked = marks::apply(&text, &marks).unwrap();
        let (before, after) = (Backlog::parse(&text), Backlog::parse(&marked));
        prop_assert!(!after.is_refused(), "{:#?}\n{marked}", after.complaints);
        prop_assert_eq!(before.backlog.tasks(), after.backlog.tasks());
        for entry in &after.backlog.entries {
            match marks.iter().find(|mark| mark.task == entry.task.id) {
                None => prop_assert!(before.backlog.marks().contains(&entry.mark)),
                Some(mark) => {
                    let reason = mark.reason.as_deref().and_then(marks::reason_line);
                    prop_assert_eq!(&Mark { reason, ..mark.clone() }, &entry.mark);
                }
            }
        }
        prop_assert_eq!(without_marks(&text), without_marks(&marked));
        prop_assert_eq!(text.ends_with('\n'), marked.ends_with('\n'));
        prop_assert_eq!(text.contains('\r'), marked.contains('\r'));
        let is_mixed = marked.replace("\r\n", "").contains('\n') && marked.contains('\r');
        prop_assert!(!is_mixed);
    }

    #[test]
    fn the_same_marks_twice_are_the_same_marks_once(text in backlog(), wishes in wishes()) {
        let marks = wanted(&text, &wishes);
        let once = marks::apply(&text, &marks).unwrap();
        prop_assert_eq!(&marks::apply(&once, &marks).unwrap(), &once);
        let read = Backlog::parse(&once).backlog.marks();
        prop_assert_eq!(&marks::apply(&once, &read).unwrap(), &once);
    }

    #[test]
    fn taking_marks_away_gives_the_text_before(
        text in backlog(),
        wishes in wishes(),
        others in wishes(),
    ) {
        let original = Backlog::parse(&text).backlog.marks();
        let marked = marks::apply(&text, &wanted(&text, &wishes)).unwrap();
        let marked = marks::apply(&marked, &wanted(&text, &others)).unwrap();
        prop_assert_eq!(marks::apply(&marked, &original).unwrap(), text);
    }

    #[test]
    fn a_reason_line_is_one_harmless_line(reason in reason()) {
        let Some(line) = reason.as_deref().and_then(marks::reason_line) else { return Ok(()) };
        prop_assert!(line.chars().count() <= marks::REASON_LENGTH_MAX);
        prop_assert!(!line.chars().any(|char| char == '\t' || super::text::is_deceptive(char)));
        for keyword in ["verify:", "fail count:", "depends:", "[!\\]"] {
            prop_assert!(!line.to_lowercase().contains(keyword), "{line}");
        }
        prop_assert_eq!(marks::reason_line(&line), Some(line));
    }

    #[test]
    fn what_loopdex_accepts_is_accepted_but_for_the_added_rules(
        text in prop_oneof![backlog(), select(texts())],
        edits in prop::collection::vec((0..6_u8, any::<Index>(), any::<Index>()), 0..6),
    ) {
        let text = edited(&text, &edits);
        let parsed = Backlog::parse(&text);
        let accepts = |text: &str| loopdex_rules::accepts(text);
        if parsed.is_refused() && accepts(&text) && accepts(&loopdex_rules::without_blocks(&text)) {
            let is_added = |found: &Complaint| ADDED_ERRORS.contains(&found.code);
            prop_assert!(parsed.complaints.iter().any(is_added), "{:#?}\n{text}", parsed.complaints);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        words in prop::collection::vec(select(&[
            "- [ ] Task 1.1: a", "\n", "  ", "- ", "Files:", "Depends:", "verify:", "`", "``", "```",
            "<!--", "-->", "Completion criteria:", "Fail count: 1", "[!\\]", "\r", "\t", "ä", "{", ",",
            "Task 1", "## Completed Task IDs", "## Tasks", "\u{feff}", "and", "Blocked reason: x", "~~~",
        ][..]), 0..80),
        wishes in wishes(),
    ) {
        let text = words.concat();
        let parsed = Backlog::parse(&text);
        for complaint in &parsed.complaints {
            prop_assert!(text.get(complaint.span.clone()).is_some(), "{complaint:?}");
            prop_assert!(complaint.message.len() < 200, "{complaint:?}");
        }
        if let Ok(marked) = marks::apply(&text, &wanted(&text, &wishes)) {
            prop_assert_eq!(Backlog::parse(&marked).backlog.tasks(), parsed.backlog.tasks());
        }
    }
}

fn texts() -> Vec<String> {
    [
        include_str!("../../fixtures/backlogs/good/minimal.md"),
        include_str!("../../fixtures/backlogs/good/split.md"),
        include_str!("../../fixtures/backlogs/good/untidy.md"),
        include_str!("../../fixtures/backlogs/good/archived_by_order.md"),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What happens to a file in an editor: lines are deleted, copied, moved, indented, cut short.
fn edited(text: &str, edits: &[(u8, Index, Index)]) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for (kind, one, other) in edits {
        if lines.is_empty() {
            break;
        }
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        match kind {
            0 => drop(lines.remove(one)),
            1 => lines.insert(other, lines[one].clone()),
            2 => lines.swap(one, other),
            3 => lines[one].insert_str(0, "  "),
            4 => lines[one] = lines[one].trim_start().to_owned(),
            _ => drop(lines[one].pop()),
        }
    }
    lines.join("\n")
}

#[test]
fn an_archived_id_stays_known() {
    let id = TaskId::new("0.1");
    let text = "## Completed Task IDs\n- Task 0.1\n";
    assert!(Backlog::parse(text).backlog.is_done(&id));
}
