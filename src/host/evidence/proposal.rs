//! What a critic asks a person to change in the backlog, as a document.

use super::note::{note, without_bullet};
use crate::engine::id::RepoPath;
use crate::engine::policy::secret_path;
use crate::engine::task::Task;
use crate::engine::text::{one_line, path_line};
use crate::engine::verdict::Verdict;
use crate::host::fence::{Block, code};

/// How many of the critic's items are listed. A person reads the critique for more.
const ITEMS_MAX: usize = 50;

/// Characters of an item.
const ITEM_MAX: usize = 200;

/// Bytes of the critique that are quoted.
const CRITIQUE_MAX: usize = 12 << 10;

/// A critic's wish for another backlog.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The task it is about.
    pub task: &'a Task,
    /// What is proposed.
    pub verdict: Verdict,
    /// The critic's answer.
    pub critique: &'a str,
    /// Where the attempt's evidence lies.
    pub evidence: &'a str,
}

/// Writes the document. It proposes; nothing is changed by it.
pub fn proposal(proposal: &Proposal<'_>) -> String {
    let Proposal { task, verdict, critique, evidence } = proposal;
    let (title, change, headings) = kind(*verdict);
    let items = items_under(critique, headings);
    let reason = note(critique).unwrap_or_else(|| format!("The critic says {}.", verdict.word()));
    let mut text = format!(
        "# {title}\n\nTask ID: {}\nTask Name: {}\nVerdict: {}\nRequested Change: {change}\n\
         Reason: {reason}\nEvidence Path: {}\n\nNo backlog semantic change was applied.\n",
        one_line(task.id.as_str(), ITEM_MAX),
        one_line(&task.title, ITEM_MAX),
        verdict.word(),
        one_line(evidence, ITEM_MAX),
    );
    match verdict {
        Verdict::ScopeExpand => {
            let (good, bad): (Vec<_>, Vec<_>) =
                items.iter().map(|item| requested(item, task)).partition(Result::is_ok);
            section(&mut text, "Requested files", good.into_iter().flatten());
            section(&mut text, "Rejected requested files", bad.into_iter().filter_map(Result::err));
        }
        Verdict::SplitTask | Verdict::DependencyInsert => {
            let lines = items.iter().map(|item| one_line(item, ITEM_MAX));
            section(&mut text, "Suggested tasks", lines);
        }
        Verdict::Pass | Verdict::Fail | Verdict::Blocked => {}
    }
    let quoted = Block::new("markdown", critique.as_bytes(), CRITIQUE_MAX);
    text.push_str(&format!("\n## Critique\n\n{}\n", quoted.as_str()));
    text
}

/// Title, requested change, and the headings under which critics list what they ask for.
fn kind(verdict: Verdict) -> (&'static str, &'static str, &'static [&'static str]) {
    match verdict {
        Verdict::ScopeExpand => (
            "Scope Expansion Proposal",
            "Add the files below to the task's Files.",
            &["requested files", "scope expansion needed", "additional files needed"],
        ),
        Verdict::SplitTask => (
            "Split Task Proposal",
            "Replace the task by smaller ones.",
            &["suggested tasks", "suggested child tasks", "split task"],
        ),
        Verdict::DependencyInsert => (
            "Dependency Proposal",
            "Add a task that is done before this one.",
            &["suggested tasks", "dependency insertion"],
        ),
        Verdict::Pass | Verdict::Fail | Verdict::Blocked => {
            ("Proposal", "Decide what the critique asks.", &[])
        }
    }
}

fn items_under<'a>(critique: &'a str, headings: &[&str]) -> Vec<&'a str> {
    let mut items = Vec::new();
    let mut is_listed = false;
    for line in critique.lines().map(str::trim) {
        if line.starts_with('#') {
            let name = line.trim_start_matches('#').trim().to_lowercase();
            // Deeper headings may be the items themselves.
            if line.starts_with("###") && is_listed {
                items.push(line.trim_start_matches('#').trim());
            } else {
                is_listed = headings.contains(&name.as_str());
            }
        } else if is_listed && without_bullet(line) != line && !line.is_empty() {
            items.push(without_bullet(line));
        }
        if items.len() == ITEMS_MAX {
            break;
        }
    }
    items
}

/// A path that a person can add to the task, or why not.
fn requested(item: &str, task: &Task) -> Result<String, String> {
    let word = match item.split('`').nth(1) {
        Some(span) => span,
        None => item.split_whitespace().next().unwrap_or(""),
    };
    let word = word.trim_start_matches("./");
    let shown = code(word, ITEM_MAX);
    let refused = |why: &str| Err(format!("{shown}: {why}"));
    if word.starts_with('~') || word.contains('\\') {
        return refused("not a path in the repository");
    }
    let Ok(path) = RepoPath::new(word) else {
        return refused("not a path in the repository");
    };
    if path.as_bytes().starts_with(b".git/") || path.as_bytes() == b".git" {
        return refused("git's own");
    }
    if let Some(why) = secret_path(&path) {
        return refused(why);
    }
    if task.allows(&path) {
        return refused("the task lists it already");
    }
    Ok(code(&path_line(&path), ITEM_MAX))
}

fn section(text: &mut String, heading: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.map(|line| format!("- {line}\n")).collect();
    if !lines.is_empty() {
        text.push_str(&format!("\n## {heading}\n\n{}", lines.concat()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::TaskId;
    use crate::engine::task::Pattern;

    fn task() -> Task {
        Task {
            id: TaskId::new("1.2"),
            title: "Greet\nby name".to_owned(),
            files: vec![Pattern::new("src/greet.rs")],
            description: String::new(),
            criteria: Vec::new(),
            verify: Vec::new(),
            depends: Vec::new(),
            size: None,
        }
    }

    fn document(verdict: Verdict, critique: &str) -> String {
        let task = task();
        let evidence = ".looper/evidence/loop-3";
        proposal(&Proposal { task: &task, verdict, critique, evidence })
    }

    #[test]
    fn more_files_are_listed_and_checked() {
        insta::assert_snapshot!(document(
            Verdict::ScopeExpand,
            "## Requested files\n- `src/lib.rs` exports it\n- ./src/main.rs\n- src/greet.rs\n\
             - ../other/x.rs\n- /etc/hosts\n- `.env`\n- .git/config\n\n## Notes\n- It needs the \
             export.\n\nVERDICT: SCOPE_EXPAND\n"
        ));
    }

    #[test]
    fn parts_of_a_task_are_listed() {
        insta::assert_snapshot!(document(
            Verdict::SplitTask,
            "Too large.\n\n## Suggested tasks\n\n### Task 1.2.1: Parse\n- Files: `src/parse.rs`\n\
             \n### Task 1.2.2: Print\n\n```\nVERDICT: PASS\n```\n\nVERDICT: SPLIT_TASK\n"
        ));
    }

    #[test]
    fn a_critique_without_anything_still_has_a_reason() {
        let text = document(Verdict::DependencyInsert, "VERDICT: DEPENDENCY_INSERT\n");
        assert!(text.contains("Reason: The critic says DEPENDENCY_INSERT.\n"), "{text}");
        assert!(text.contains("\nTask Name: Greet by name\n"), "{text}");
        assert!(!text.contains("\nVERDICT:"), "{text}");
    }

    #[test]
    fn a_flood_of_wishes_is_bounded() {
        let critique = format!("## Requested files\n{}", "- src/x.rs\n".repeat(100_000));
        assert!(document(Verdict::ScopeExpand, &critique).len() < 40_000);
    }
}
