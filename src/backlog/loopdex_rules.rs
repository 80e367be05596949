//! The lint of LoopDex, written down a second time from its description, so that tests can say:
//! what it accepts is accepted here, but for the rules that were added on purpose.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

thread_local!(static REGEXES: RefCell<BTreeMap<String, Regex>> = RefCell::default());

fn regex(pattern: &str) -> Regex {
    REGEXES.with_borrow_mut(|known| {
        known.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).clone()
    })
}

/// Whether LoopDex finds nothing wrong.
pub(super) fn accepts(text: &str) -> bool {
    let text = &text.replace("\r\n", "\n").replace('\r', "\n");
    if text.contains("[!\\]") || empty_task_sections(text) > 1 {
        return false;
    }
    let header = regex(r"(?m)^- \[[ x!]\] (Task [0-9.]+):[^\n]*");
    let ids: Vec<&str> =
        header.captures_iter(text).map(|found| found.get(1).unwrap().as_str()).collect();
    let mut depends = Vec::new();
    for id in &ids {
        let Some(section) = section(text, id) else { return false };
        if !fields_are_there(section) {
            return false;
        }
        depends.push((*id, scheduled(section)));
    }
    dependencies_are_sound(text, &depends)
}

/// The text without code blocks and comments, in which LoopDex would read tasks and fields.
pub(super) fn without_blocks(text: &str) -> String {
    let text = regex(r"(?ms)^[ \t]*```.*?^[ \t]*```[ \t\r]*$").replace_all(text, "");
    regex("(?s)<!--.*?-->").replace_all(&text, "").into_owned()
}

fn empty_task_sections(text: &str) -> usize {
    let heading = regex(r"(?m)^## .*$");
    let header = regex(r"(?m)^- \[[ x!]\] Task [0-9.]+:");
    let starts: Vec<_> = heading.find_iter(text).collect();
    let ends = starts.iter().skip(1).map(|next| next.start()).chain([text.len()]);
    let is_empty = |(start, end): (&regex::Match<'_>, usize)| {
        start.as_str().trim() == "## Tasks" && !header.is_match(&text[start.start()..end])
    };
    starts.iter().zip(ends).filter(|(start, end)| is_empty((start, *end))).count()
}

/// From the first header with this id to the next header or second-level heading. (LoopDex
/// overlooks one that follows without a line between, and lends its fields to both tasks.)
fn section<'t>(text: &'t str, id: &str) -> Option<&'t str> {
    let header = regex(&format!(r"(?m)^- \[[ x!]\] {}:[^\n]*\n", regex::escape(id)));
    let found = header.find(text)?;
    let last = found.end() - 1;
    let next = regex(r"\n- \[[ x!]\] Task |\n## ").find(&text[last..]);
    Some(&text[found.start()..next.map_or(text.len(), |next| last + next.start() + 1)])
}

/// The field's own text and the deeper lines, once for each time the field is there.
fn blocks<'t>(section: &'t str, name: &str) -> Vec<Vec<&'t str>> {
    let field = regex(&format!(r"(?i)^(\s*)-\s+{name}:\s*(.*)$"));
    let lines: Vec<_> = section.lines().collect();
    let mut blocks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(found) = field.captures(line) else { continue };
        let indent = found[1].len();
        let mut block = vec![found.get(2).unwrap().as_str().trim()];
        for line in lines[at + 1..].iter().filter(|line| !line.trim().is_empty()) {
            if line.len() - line.trim_start_matches(' ').len() <= indent {
                break;
            }
            block.push(line.trim());
        }
        blocks.push(block);
    }
    blocks
}

fn fields_are_there(section: &str) -> bool {
    let files = files(section);
    let mut seen = BTreeSet::new();
    let paths = files.iter().all(|file| {
        let path = file.replace('\\', "/");
        let state = path.starts_with(".loop-agent/")
            && !["backlog.md", "current_task.md", "progress.txt"]
                .contains(&&path[".loop-agent/".len()..]);
        seen.insert(path.to_lowercase())
            && !(path == "~" || path.starts_with("~/") || path.starts_with('/'))
            && !regex("^[A-Za-z]:/").is_match(&path)
            && path.split('/').all(|part| part != "..")
            && !(path.ends_with('/') || path == "." || state)
    });
    let is_count = |block: &Vec<&str>| regex("^[0-9]+$").is_match(block[0]);
    let item = regex(r"^-?\s*(\[[ xX]\]\s*)?");
    !files.is_empty()
        && paths
        && !blocks(section, "Depends").is_empty()
        && blocks(section, "Fail count").iter().any(is_count)
        && section.lines().any(verifies)
        && blocks(section, "Completion criteria")
            .concat()
            .iter()
            .any(|line| !item.replace(line, "").is_empty())
}

fn files(section: &str) -> Vec<String> {
    let quoted = regex("`([^`]+)`");
    let mut files = Vec::new();
    for line in blocks(section, "Files").concat() {
        let spans: Vec<_> =
            quoted.captures_iter(line).map(|found| found[1].trim().to_owned()).collect();
        if spans.is_empty() {
            let line = line.strip_prefix('-').unwrap_or(line);
            files.extend(line.split(',').map(|part| part.trim().to_owned()));
        } else {
            files.extend(spans);
        }
    }
    files.retain(|file| !file.is_empty());
    files
}

fn verifies(line: &str) -> bool {
    let Some(found) = regex("(?i)verify:(.*)$").captures(line) else { return false };
    let value = found[1].trim();
    let value = value.strip_prefix('`').unwrap_or(value);
    !value.strip_suffix('`').unwrap_or(value).trim().is_empty()
}

/// The dependencies that LoopDex waits for; what it does not understand it does not see.
fn scheduled(section: &str) -> Vec<String> {
    let Some(found) = regex(r"Depends:\s*([^\n]+)").captures(section) else { return Vec::new() };
    let id = regex("^Task [0-9.]+$");
    found[1]
        .split(',')
        .map(|part| part.trim().to_owned())
        .filter(|part| id.is_match(part))
        .collect()
}

fn dependencies_are_sound(text: &str, tasks: &[(&str, Vec<String>)]) -> bool {
    let index = regex(r"(?m)^## Completed Task IDs[ \t]*$").find(text);
    let index = index.map_or("", |found| {
        let rest = &text[found.end()..];
        rest.find("\n## ").map_or(rest, |end| &rest[..end])
    });
    let listed = regex(r"(?m)^\s*-\s*(Task [0-9.]+)\s*$");
    let mut known: BTreeSet<&str> = tasks.iter().map(|(id, _)| *id).collect();
    known.extend(listed.captures_iter(index).map(|found| found.get(1).unwrap().as_str()));
    let numbers = |id: &str| -> Option<Vec<u64>> {
        id.strip_prefix("Task ")?.split('.').map(|part| part.parse().ok()).collect()
    };
    for (id, depends) in tasks {
        for depend in depends {
            let prior = match (numbers(depend), numbers(id)) {
                (Some(depend), Some(id)) => depend.len() <= 2 && depend < id,
                _ => false,
            };
            if depend == id || !(known.contains(depend.as_str()) || prior) {
                return false;
            }
        }
    }
    let mut edges: BTreeMap<&str, &Vec<String>> = tasks.iter().map(|(id, to)| (*id, to)).collect();
    // What waits for nothing that is left can go; a cycle is what stays.
    loop {
        let left: BTreeSet<&str> = edges.keys().copied().collect();
        edges.retain(|_, to| to.iter().any(|to| left.contains(to.as_str())));
        if edges.len() == left.len() {
            return edges.is_empty();
        }
    }
}
