//! `looper ls`: tasks by state.

use std::io::IsTerminal as _;

use serde::Serialize;
use serde_json::json;

use super::args::{Format, LsArgs, LsState};
use super::exit::Exit;
use super::failure::Failure;
use super::site::{Site, fold_log};
use super::{print, tell};
use crate::backlog::Backlog;
use crate::engine::id::TaskId;
use crate::engine::state::{Progress, State};
use crate::engine::task::{Mark, Status};
use crate::engine::text::one_line;
use crate::host::log::Reader;
use crate::host::paths::Layout;
use crate::host::world::BacklogFile;
use crate::ui::sanitize::clean_line;

/// A narrower terminal than this is not believed.
const WIDTH_MIN: usize = 20;

/// Lists the tasks in the order of the backlog.
///
/// # Errors
/// There is neither a backlog nor a log, or the log is damaged.
pub(super) fn ls(site: &Site, args: &LsArgs) -> Result<Exit, Failure> {
    let layout = site.layout()?;
    let state = fold_log(&mut Reader::open(&layout.events())?, |_, _| {})?;
    let mut rows = rows(site, &layout, &state)?;
    rows.retain(|row| args.state.is_none_or(|wanted| row.state == Shown::from(wanted)));
    match site.global.format {
        Format::Json => print(&format!("{}\n", json!({ "tasks": rows }))),
        Format::Text | Format::Html => print(&table(&rows, width())),
    }
}

/// One task.
#[derive(Debug, Serialize)]
struct Row {
    id: TaskId,
    state: Shown,
    fail_count: u32,
    attempts: u32,
    title: String,
    reason: Option<String>,
}

/// A state as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    Todo,
    Doing,
    Blocked,
    Done,
}

impl From<LsState> for Shown {
    fn from(state: LsState) -> Self {
        match state {
            LsState::Todo => Self::Todo,
            LsState::Doing => Self::Doing,
            LsState::Blocked => Self::Blocked,
            LsState::Done => Self::Done,
        }
    }
}

impl Shown {
    fn word(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Blocked => "blocked",
            Self::Done => "done",
        }
    }
}

/// Order and titles are the backlog's; what became of a task is the log's. Where the backlog cannot
/// be read, the tasks of the last run are shown.
fn rows(site: &Site, layout: &Layout, state: &State) -> Result<Vec<Row>, Failure> {
    let read = site.backlog(layout).and_then(|path| Ok(BacklogFile::open(&path)?));
    let file = match read {
        Ok(file) => file,
        Err(failure) if state.tasks().is_empty() => return Err(failure),
        Err(failure) => {
            tell(site, &format!("warning: {}: shown as the last run knew it", failure.summary()));
            let tasks = state.tasks().iter();
            return Ok(tasks.map(|task| row(state, &task.id, &task.title, None)).collect());
        }
    };
    let parsed = Backlog::parse(file.text());
    if parsed.is_refused() {
        tell(site, "warning: the backlog has errors, see `looper lint`; shown is what can be read");
    }
    let entries = parsed.backlog.entries.iter();
    Ok(entries
        .map(|entry| row(state, &entry.task.id, &entry.task.title, Some(&entry.mark)))
        .collect())
}

fn row(state: &State, id: &TaskId, title: &str, mark: Option<&Mark>) -> Row {
    let marked = |mark: &Mark| Progress {
        status: mark.status,
        fail_count: mark.fail_count,
        reason: mark.reason.clone(),
        ..Progress::default()
    };
    let known = state.progress().get(id).cloned();
    let progress = known.or_else(|| mark.map(marked)).unwrap_or_default();
    let is_in_hand = state.attempt().is_some_and(|attempt| attempt.task.id == *id);
    Row {
        id: id.clone(),
        state: match progress.status {
            _ if is_in_hand => Shown::Doing,
            Status::Todo => Shown::Todo,
            Status::Blocked => Shown::Blocked,
            Status::Done => Shown::Done,
        },
        fail_count: progress.fail_count,
        attempts: progress.attempts,
        title: title.to_owned(),
        reason: progress.reason,
    }
}

/// The width of the terminal, if standard output is one.
fn width() -> Option<usize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width >= WIDTH_MIN)
}

fn table(rows: &[Row], width: Option<usize>) -> String {
    let ids: Vec<_> = rows.iter().map(|row| clean_line(row.id.as_str())).collect();
    let widest = ids.iter().map(|id| id.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (row, id) in rows.iter().zip(&ids) {
        let fails = match row.fail_count {
            0 => String::new(),
            count => format!("{count}x"),
        };
        let head = format!("{id:<widest$}  {:<7}  {fails:>3}  ", row.state.word());
        let title = match width {
            Some(width) => {
                let room = width.saturating_sub(head.chars().count());
                one_line(&row.title, room.max(1))
            }
            None => clean_line(&row.title).into_owned(),
        };
        text.push_str(&format!("{head}{title}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, state: Shown, fail_count: u32, title: &str) -> Row {
        let (id, title) = (TaskId::new(id), title.to_owned());
        Row { id, state, fail_count, attempts: 0, title, reason: None }
    }

    #[test]
    fn columns_are_aligned_and_only_a_terminal_cuts_titles() {
        let rows = [
            row("1.1", Shown::Done, 0, "first"),
            row("10.12", Shown::Blocked, 5, "the second of them\u{1b}[2J"),
        ];
        let wide = "1.1    done          first\n\
                    10.12  blocked   5x  the second of them\\u{1b}[2J\n";
        assert_eq!(table(&rows, None), wide);
        let narrow = "1.1    done          first\n\
                      10.12  blocked   5x  the sec…\n";
        assert_eq!(table(&rows, Some(29)), narrow);
    }
}
