//! Rules about tasks that hold in every format.

use std::collections::BTreeMap;
use std::ops::Range;

use super::complaint::{Complaint, Complaints};
use super::model::{Backlog, Entry};
use crate::engine::id::TaskId;
use crate::engine::policy;
use crate::engine::task::{Pattern, Status};

/// Paths are shorter everywhere, and a longer glob could take long to match.
const PATTERN_LENGTH_MAX: usize = 1024;

/// Deeper ones make the regular expression behind a glob fail.
const BRACES_DEPTH_MAX: usize = 16;

/// Directories that belong to a tool, not to the project.
const STATE_DIRECTORIES: [&str; 3] = [".loop-agent", ".looper", ".git"];

/// Ids of a cycle that are spelled out.
const CYCLE_SHOWN_MAX: usize = 20;

/// Checks every rule.
pub(super) fn check(backlog: &Backlog, complaints: &mut Complaints) {
    let mut index = BTreeMap::new();
    for (at, entry) in backlog.entries.iter().enumerate() {
        match index.get(&entry.task.id) {
            None => {
                index.insert(&entry.task.id, at);
            }
            Some(_) => complaints.push(
                Complaint::error(
                    "duplicate-id",
                    entry.place.id.clone(),
                    format!("a second task {}", entry.task.id),
                )
                .label("this id is taken")
                .help("give it an id of its own, and look whether `Depends` elsewhere means it"),
            ),
        }
    }
    for entry in &backlog.entries {
        files(entry, complaints);
        depends(backlog, &index, entry, complaints);
        size(entry, complaints);
        verify(entry, complaints);
        if entry.mark.status != Status::Done && backlog.completed.contains(&entry.task.id) {
            complaints.push(
                Complaint::warning(
                    "completed-twice",
                    entry.place.id.clone(),
                    format!("task {} is listed as completed, and is not done here", entry.task.id),
                )
                .label("counts as not done")
                .help("take it out of `## Completed Task IDs`, or mark it `[x]`"),
            );
        }
    }
    cycles(backlog, &index, complaints);
}

fn size(entry: &Entry, complaints: &mut Complaints) {
    let (Some(size), Some(span)) = (&entry.task.size, &entry.place.size) else { return };
    if !["small", "medium"].contains(&size.to_ascii_lowercase().as_str()) {
        complaints.push(
            Complaint::warning("size", span.clone(), "size is neither `Small` nor `Medium`")
                .label("too large for one attempt?")
                .help("split the task, or call it `Small` or `Medium`"),
        );
    }
}

/// What is certain to pass says nothing about the work.
fn verify(entry: &Entry, complaints: &mut Complaints) {
    let commands = entry.task.verify.iter().zip(&entry.place.verify);
    let vacuous: Vec<_> = commands
        .filter_map(|(command, span)| Some((policy::cannot_fail(command)?, span.clone())))
        .collect();
    let is_all = vacuous.len() == entry.task.verify.len();
    for (index, (why, span)) in vacuous.into_iter().enumerate() {
        let complaint = if !is_all {
            Complaint::warning("cannot-fail", span, "this verify command cannot fail")
        } else if index == 0 {
            let message = format!("no verify command of task {} can fail", entry.task.id);
            Complaint::warning("cannot-fail", span, message)
        } else {
            continue;
        };
        complaints.push(
            complaint
                .label(why)
                .help("let it exit with another code than 0 until the task is done"),
        );
    }
}

fn files(entry: &Entry, complaints: &mut Complaints) {
    let mut seen = BTreeMap::new();
    for (pattern, span) in entry.task.files.iter().zip(&entry.place.files) {
        let text = pattern.as_str().replace('\\', "/");
        if !text.is_empty() && seen.insert(text.to_lowercase(), ()).is_some() {
            complaints.push(
                Complaint::error("duplicate-file", span.clone(), "this file is listed twice")
                    .label("listed above already")
                    .help("keep one of them"),
            );
        }
        if let Some((code, message, help)) = path_fault(&text, pattern) {
            complaints.push(
                Complaint::error(code, span.clone(), message).label("not allowed").help(help),
            );
        } else if pattern.as_str().contains('\\') && !pattern.is_glob() {
            complaints.push(
                Complaint::warning("backslash", span.clone(), "path with a backslash")
                    .label("git knows no such path")
                    .help(format!("write `{text}`")),
            );
        }
    }
}

/// Why a path, with forward slashes only, cannot be in a task's scope.
fn path_fault(path: &str, pattern: &Pattern) -> Option<(&'static str, String, String)> {
    let first = path.split('/').next().unwrap_or_default();
    let is_drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let inside = "write it relative to the project".to_owned();
    let fault = |code, message: &str, help: String| Some((code, message.to_owned(), help));
    if path.is_empty() {
        return fault("empty-file", "empty file entry", "delete the comma or fill the gap".into());
    }
    if path.len() > PATTERN_LENGTH_MAX {
        let message = format!("path of more than {PATTERN_LENGTH_MAX} bytes");
        return Some(("long-path", message, "split it".into()));
    }
    if first == "~" {
        return fault("home-path", "path in a home directory", inside);
    }
    if path.starts_with('/') || is_drive {
        return fault("absolute-path", "absolute path", inside);
    }
    if path.split('/').any(|part| part == "..") {
        return fault("parent-path", "path that leaves the project", inside);
    }
    if path == "." || path.ends_with('/') {
        let directory = path.trim_end_matches(['/', '.']);
        let help = if directory.is_empty() { "**".into() } else { format!("{directory}/**") };
        return fault(
            "directory",
            "a directory, not a file",
            format!("write `{help}` for all files below it"),
        );
    }
    if STATE_DIRECTORIES.iter().any(|state| first.eq_ignore_ascii_case(state)) {
        let message = format!("a file below `{first}`");
        return Some(("state-path", message, "name files of the project only".into()));
    }
    if path.split('/').any(|part| matches!(part, "" | ".")) {
        let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let help = format!("write `{}`", parts.join("/"));
        return fault("path-form", "no file can have this path", help);
    }
    if braces_depth(path) > BRACES_DEPTH_MAX || !pattern.is_valid() {
        return fault(
            "glob",
            "this glob cannot be read",
            "close each `[` and `{`, and nest few of them".into(),
        );
    }
    None
}

fn braces_depth(path: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for char in path.chars() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn depends(
    backlog: &Backlog,
    index: &BTreeMap<&TaskId, usize>,
    entry: &Entry,
    complaints: &mut Complaints,
) {
    let id = &entry.task.id;
    for (depend, span) in entry.task.depends.iter().zip(&entry.place.depends) {
        let is_known = index.contains_key(depend) || backlog.completed.contains(depend);
        if depend == id {
            complaints.push(
                Complaint::error(
                    "self-depends",
                    span.clone(),
                    format!("task {id} waits for itself"),
                )
                .label("this very task")
                .help("delete it, or write `none`"),
            );
        } else if !is_known && is_prior(depend, id) {
            complaints.push(
                Complaint::warning(
                    "assumed-archived",
                    span.clone(),
                    format!("task {depend} is not in this backlog"),
                )
                .label("never counts as done")
                .help(format!(
                    "if it is done, add `- Task {depend}` below `## Completed Task IDs`"
                )),
            );
        } else if !is_known {
            complaints.push(
                Complaint::error(
                    "unknown-task",
                    span.clone(),
                    format!("task {id} waits for task {depend}, which does not exist"),
                )
                .label("no such task")
                .help("correct the id, or write the task"),
            );
        }
    }
}

/// LoopDex takes a dependency that sorts before the task for one that was archived.
fn is_prior(depend: &TaskId, id: &TaskId) -> bool {
    let numbers = |id: &TaskId| -> Option<Vec<u64>> {
        id.as_str().split('.').map(|part| part.parse().ok()).collect()
    };
    match (numbers(depend), numbers(id)) {
        (Some(depend), Some(id)) => depend.len() <= 2 && depend < id,
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    /// On the path, at this depth.
    Open(usize),
    Closed,
}

/// A depth-first walk with a stack of its own: a chain may be as long as the backlog.
fn cycles(backlog: &Backlog, index: &BTreeMap<&TaskId, usize>, complaints: &mut Complaints) {
    let entries = &backlog.entries;
    let mut visits = vec![Visit::New; entries.len()];
    for root in 0..entries.len() {
        let mut path = Vec::new();
        if visits[root] == Visit::New {
            visits[root] = Visit::Open(0);
            path.push((root, 0));
        }
        while let Some((at, next)) = path.last_mut() {
            let entry = &entries[*at];
            let Some(depend) = entry.task.depends.get(*next) else {
                visits[*at] = Visit::Closed;
                path.pop();
                continue;
            };
            let edge = *next;
            *next += 1;
            let Some(target) = index.get(depend).copied().filter(|target| target != at) else {
                continue;
            };
            match visits[target] {
                Visit::Closed => {}
                Visit::New => {
                    visits[target] = Visit::Open(path.len());
                    path.push((target, 0));
                }
                Visit::Open(depth) => {
                    let ids: Vec<_> =
                        path[depth..].iter().map(|(at, _)| &entries[*at].task.id).collect();
                    complaints.push(cycle(&ids, entry.place.depends[edge].clone()));
                }
            }
        }
    }
}

fn cycle(ids: &[&TaskId], span: Range<usize>) -> Complaint {
    let mut shown: Vec<_> =
        ids.iter().take(CYCLE_SHOWN_MAX).map(|id| id.as_str().to_owned()).collect();
    if ids.len() > CYCLE_SHOWN_MAX {
        shown.push(format!("… ({} more)", ids.len() - CYCLE_SHOWN_MAX));
    }
    shown.extend(ids.first().map(|id| id.as_str().to_owned()));
    Complaint::error(
        "depends-cycle",
        span,
        format!("tasks wait for each other: {}", shown.join(" -> ")),
    )
    .label("closes the circle")
    .help("take one of these dependencies away")
}
#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::engine::id::RepoPath;

    #[rstest]
    #[case::exact("src/a.rs", None)]
    #[case::hidden(".github/workflows/ci.yml", None)]
    #[case::glob("src/**/*.{rs,toml}", None)]
    #[case::dots_in_a_name("a..b/...c", None)]
    #[case::tilde_in_a_name("~a", None)]
    #[case::empty("", Some("empty-file"))]
    #[case::home("~", Some("home-path"))]
    #[case::home_with_backslash("~\\a", Some("home-path"))]
    #[case::absolute("/a", Some("absolute-path"))]
    #[case::drive("c:a", Some("absolute-path"))]
    #[case::parent("..", Some("parent-path"))]
    #[case::parent_with_backslash("a\\..\\b", Some("parent-path"))]
    #[case::parent_behind_a_glob("*/../../a", Some("parent-path"))]
    #[case::directory("src/", Some("directory"))]
    #[case::the_project(".", Some("directory"))]
    #[case::state(".looper/backlog.md", Some("state-path"))]
    #[case::state_in_capitals(".Git/config", Some("state-path"))]
    #[case::state_itself(".looper", Some("state-path"))]
    #[case::dot("./a", Some("path-form"))]
    #[case::two_slashes("a//b", Some("path-form"))]
    #[case::open_bracket("a[", Some("glob"))]
    #[case::open_brace("{a", Some("glob"))]
    fn a_scope_names_files_of_the_project(#[case] path: &str, #[case] want: Option<&str>) {
        let fault = path_fault(&path.replace('\\', "/"), &Pattern::new(path));
        assert_eq!(fault.map(|(code, ..)| code), want);
    }

    #[rstest]
    #[case::nested_braces(&"{a,".repeat(300), &"}".repeat(300))]
    #[case::empty_braces(&"{".repeat(500), &"}".repeat(500))]
    #[case::question_marks(&"?".repeat(1023), "")]
    #[case::negated_classes(&"[!ä-ö]".repeat(120), "")]
    #[case::many_alternatives(&"{*,?,[!a]}".repeat(100), "")]
    #[case::stars(&"**/".repeat(340), "")]
    #[case::too_long(&"{*,?,[!a]}".repeat(1000), "")]
    fn a_pattern_that_is_let_through_can_be_matched(#[case] open: &str, #[case] close: &str) {
        let pattern = Pattern::new(format!("{open}a{close}"));
        if path_fault(pattern.as_str(), &pattern).is_none() {
            pattern.matches(&RepoPath::new("a/b").unwrap());
        }
    }
}
