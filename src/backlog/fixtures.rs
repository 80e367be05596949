//! Every fixture says what it is there for: good ones are accepted, bad ones refused by name.

use std::path::PathBuf;

use rstest::rstest;

use super::lines::work;
use super::loopdex_rules;
use super::*;

macro_rules! table {
    ($($name:literal: $codes:expr,)*) => {
        &[$((
            $name,
            include_str!(concat!("../../fixtures/backlogs/bad/", $name, ".md")),
            &$codes,
        )),*]
    };
}

/// A name, a text, and the codes of its complaints in the order of the text.
type Bad = (&'static str, &'static str, &'static [&'static str]);

/// What LoopDex refuses too.
const TEN_RULES: &[Bad] = table! {
    "malformed_marker": ["malformed-marker"],
    "empty_tasks": ["empty-tasks"],
    "no_fields": ["no-fields"],
    "missing_files": ["missing-files"],
    "empty_files": ["missing-files"],
    "duplicate_file": ["duplicate-file", "backslash"],
    "home_path": ["home-path"],
    "absolute_path": ["absolute-path", "absolute-path"],
    "parent_path": ["parent-path"],
    "directory": ["directory", "directory"],
    "state_path": ["state-path", "state-path", "state-path"],
    "missing_depends": ["missing-depends"],
    "missing_fail_count": ["missing-fail-count"],
    "fail_count": ["fail-count", "fail-count"],
    "missing_verify": ["missing-verify"],
    "missing_criteria": ["missing-criteria", "missing-verify"],
    "self_depends": ["self-depends"],
    "unknown_task": ["unknown-task", "unknown-task"],
    "depends_cycle": ["depends-cycle"],
};

/// What LoopDex lets through.
const ADDED_RULES: &[Bad] = table! {
    "empty_backlog": ["empty-backlog"],
    "no_task_line": [
        "empty-backlog", "task-line", "task-line", "task-line", "task-line", "task-line",
        "task-line", "task-line", "task-line"
    ],
    "unknown_depends": ["unknown-depends", "unknown-depends"],
    "duplicate_id": ["duplicate-id"],
    "empty_file": ["empty-file"],
    "glob": ["glob"],
    "path_form": ["path-form", "path-form"],
    "control_character": ["control-character", "control-character"],
    "verify_form": ["verify-form", "verify-form"],
    "verify_over_lines": ["verify-form", "verify-form"],
    "duplicate_field": ["duplicate-field"],
    "nested_field": ["missing-depends", "nested-field"],
    "orphan_item": ["orphan-item"],
    "code_in_field": ["empty-depends", "code-in-field"],
    "backtick": ["backtick"],
    "unclosed_code": ["unclosed-block"],
    "unclosed_code_to_the_end": ["empty-backlog", "unclosed-block", "task-in-code", "task-in-code"],
    "commented_task": ["commented-task"],
    "field_bullet": ["missing-depends", "field-bullet"],
    "unchecked_task": ["task-line"],
    "verify_beside": ["verify-place", "verify-place"],
    "verify_in_code": ["verify-form"],
    "verify_in_description": ["missing-verify", "verify-prose"],
};

/// Errors that LoopDex does not know. `missing-verify` is among them because LoopDex takes a command
/// from anywhere in a task.
pub(super) const ADDED_ERRORS: &[&str] = &[
    "backtick",
    "code-in-field",
    "commented-task",
    "control-character",
    "duplicate-field",
    "duplicate-id",
    "empty-backlog",
    "empty-file",
    "field-bullet",
    "glob",
    "long-path",
    "missing-verify",
    "nested-field",
    "orphan-item",
    "path-form",
    "state-path",
    "task-line",
    "too-large",
    "unclosed-block",
    "unknown-depends",
    "verify-form",
    "verify-place",
];

fn codes(parsed: &Parsed) -> Vec<&'static str> {
    parsed.complaints.iter().map(|complaint| complaint.code).collect()
}

#[test]
fn every_bad_fixture_meets_exactly_its_rules() {
    for (name, text, want) in TEN_RULES.iter().chain(ADDED_RULES) {
        let parsed = Backlog::parse(text);
        assert_eq!(codes(&parsed), *want, "{name}");
        assert!(parsed.is_refused(), "{name}");
    }
}

#[rstest]
fn every_bad_fixture_is_in_a_table(#[files("fixtures/backlogs/bad/*.md")] path: PathBuf) {
    let name = path.file_stem().unwrap().to_str().unwrap();
    assert!(TEN_RULES.iter().chain(ADDED_RULES).any(|(known, ..)| *known == name), "{name}");
}

#[rstest]
fn every_good_fixture_is_accepted_and_its_own_marks_change_no_byte(
    #[files("fixtures/backlogs/good/*.md")]
    #[mode = str]
    text: &str,
) {
    let parsed = Backlog::parse(text);
    assert!(!parsed.is_refused(), "{:#?}", parsed.complaints);
    assert_eq!(marks::apply(text, &parsed.backlog.marks()).unwrap(), text);
}

#[rstest]
fn every_complaint_points_into_one_line_and_says_how_to_mend_it(
    #[files("fixtures/backlogs/*/*.md")]
    #[mode = str]
    text: &str,
) {
    for complaint in Backlog::parse(text).complaints {
        let pointed = &text[complaint.span.clone()];
        assert!(!pointed.contains('\n'), "{complaint:?}");
        assert!(complaint.help.as_ref().is_some_and(|help| !help.is_empty()), "{complaint:?}");
        assert!(!complaint.label.is_empty(), "{complaint:?}");
        assert!(!complaint.message.ends_with('.'), "{complaint:?}");
    }
}

#[test]
fn untidiness_is_warned_about_and_accepted() {
    let tidy = include_str!("../../fixtures/backlogs/good/phases.md");
    assert_eq!(codes(&Backlog::parse(tidy)), ["task-in-code"]);
    let untidy = include_str!("../../fixtures/backlogs/good/untidy.md");
    assert_eq!(
        codes(&Backlog::parse(untidy)),
        [
            "completed-index",
            "completed-twice",
            "missing-description",
            "missing-size",
            "empty-depends",
            "missing-title",
            "size",
            "space-in-path",
            "backslash",
            "verify-prose",
            "assumed-archived",
            "verify-prose",
            "stray-field"
        ]
    );
}

#[test]
fn what_loopdex_refuses_and_accepts_is_remembered_right() {
    for (name, text, _) in TEN_RULES.iter().filter(|(name, ..)| *name != "state_path") {
        assert!(!loopdex_rules::accepts(text), "{name}");
    }
    for (name, text, _) in ADDED_RULES.iter().filter(|(name, ..)| *name != "field_bullet") {
        assert!(loopdex_rules::accepts(text), "{name}");
    }
}

#[test]
fn a_backlog_is_read_in_full() {
    let text = include_str!("../../fixtures/backlogs/good/phases.md");
    let backlog = Backlog::parse(text).backlog;
    assert_eq!(backlog.completed.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["0.1", "0.2"]);
    let read: Vec<_> = backlog.entries.iter().map(|entry| (&entry.task, &entry.mark)).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&read).unwrap());
    for entry in &backlog.entries {
        assert_eq!(text[entry.place.title.clone()], entry.task.title);
        let files: Vec<_> = entry.place.files.iter().map(|span| &text[span.clone()]).collect();
        assert_eq!(files, entry.task.files.iter().map(|file| file.as_str()).collect::<Vec<_>>());
        let verify: Vec<_> = entry.place.verify.iter().map(|span| &text[span.clone()]).collect();
        assert_eq!(verify, entry.task.verify);
    }
}

#[test]
fn line_breaks_and_byte_order_marks_do_not_change_what_is_read() {
    let unix = include_str!("../../fixtures/backlogs/good/phases.md");
    let windows = include_str!("../../fixtures/backlogs/good/crlf.md");
    assert_eq!(Backlog::parse(windows).backlog.tasks(), Backlog::parse(unix).backlog.tasks());
    let marked = format!("\u{feff}{unix}");
    assert_eq!(Backlog::parse(&marked).backlog.tasks(), Backlog::parse(unix).backlog.tasks());
}

#[test]
fn a_dependency_counts_as_done_only_where_the_file_says_so() {
    let text = include_str!("../../fixtures/backlogs/good/phases.md");
    let backlog = Backlog::parse(text).backlog;
    let is_done = |id: &str| backlog.is_done(&crate::engine::id::TaskId::new(id));
    assert_eq!(["0.1", "1.1", "1.2", "2.1", "0.9"].map(is_done), [true, true, false, false, false]);
}

#[test]
fn what_a_critic_wrote_is_neither_command_nor_dependency_nor_count() {
    let text = include_str!("../../fixtures/backlogs/good/records.md");
    let parsed = Backlog::parse(text);
    assert_eq!(codes(&parsed), Vec::<&str>::new());
    let [entry] = parsed.backlog.entries.as_slice() else { panic!("one task") };
    assert_eq!(entry.task.verify, ["make check"]);
    assert_eq!((entry.task.depends.len(), entry.mark.fail_count), (0, 5));
}

#[test]
fn verify_commands_that_cannot_fail_are_warned_of_and_accepted() {
    let parsed = Backlog::parse(include_str!("../../fixtures/backlogs/good/cannot_fail.md"));
    assert!(!parsed.is_refused());
    let told = parsed.complaints.iter().map(|it| (it.code, it.message.as_str()));
    let one = ("cannot-fail", "this verify command cannot fail");
    assert_eq!(
        told.collect::<Vec<_>>(),
        [one, one, ("cannot-fail", "no verify command of task 2 can fail")]
    );
}

fn long(tasks: usize) -> String {
    let task = |at: usize| {
        format!(
            "- [ ] Task {}.{}: Step {at}\n  - Size: Small\n  - Files:\n    - `src/{at}.rs`\n    - \
             `tests/{at}/**`\n  - Description:\n    Do it.\n    ```\n    - [ ] Task 1.1: no\n    \
             ```\n  - Completion criteria:\n    - Done.\n    - verify: `cargo test t{at}`\n  - \
             Depends: {}\n  - Fail count: 0\n\n",
            at / 100 + 1,
            at % 100,
            if at == 0 {
                "none".into()
            } else {
                format!("{}.{}", (at - 1) / 100 + 1, (at - 1) % 100)
            }
        )
    };
    format!("# Backlog\n\n{}", (0..tasks).map(task).collect::<String>())
}

#[test]
fn the_work_grows_with_the_text_and_not_faster() {
    let (text, twice) = (long(5_000), long(10_000));
    let parse = |text: &str| work::of(|| assert!(!Backlog::parse(text).is_refused()));
    assert_eq!(Backlog::parse(&text).backlog.entries.len(), 5_000);
    assert!(parse(&text) < 2 * text.len());
    assert!(parse(&twice) * text.len() < parse(&text) * twice.len() * 11 / 10);

    let mut marks = Backlog::parse(&text).backlog.marks();
    for mark in &mut marks {
        mark.fail_count = 3;
        mark.reason = Some("it failed".into());
    }
    assert!(work::of(|| assert!(marks::apply(&text, &marks).is_ok())) < 6 * text.len());
}

#[test]
fn a_backlog_beyond_the_bound_is_refused_unread() {
    let text = "- [ ] Task 1.1: a\n".repeat(markdown::BYTES_MAX / 18 + 1);
    let parsed = Backlog::parse(&text);
    assert_eq!(codes(&parsed), ["too-large"]);
    assert!(parsed.is_refused());
    assert_eq!(marks::apply(&text, &[]), Err(marks::MarkError::TooLarge));
}

#[test]
fn a_cycle_is_named_with_its_path_however_long() {
    let short = include_str!("../../fixtures/backlogs/bad/depends_cycle.md");
    let message = &Backlog::parse(short).complaints[0].message;
    assert_eq!(message, "tasks wait for each other: 1.1 -> 1.2 -> 1.1");
    let long = long(5_000).replacen("Depends: none", "Depends: 50.99", 1);
    let complaints = Backlog::parse(&long).complaints;
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].message.starts_with("tasks wait for each other: 1.0 -> 50.99 -> 50.98"));
    assert!(complaints[0].message.ends_with("-> … (4980 more) -> 1.0"));
}
