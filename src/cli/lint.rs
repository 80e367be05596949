//! `looper lint`: checks a backlog.

use serde_json::json;

use super::args::{Format, LintArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::site::Site;
use crate::backlog::{Backlog, Position, Severity};
use crate::host::world::BacklogFile;
use crate::ui::diagnostics;

/// Shows every complaint with its place and a way to mend it.
///
/// # Errors
/// There is no backlog, or it cannot be read.
pub(super) fn lint(site: &Site, args: &LintArgs) -> Result<Exit, Failure> {
    let path = match &args.file {
        Some(file) => site.cwd.join(file),
        None => site.backlog(&site.layout()?)?,
    };
    let file = BacklogFile::open(&path).map_err(|error| Failure::from(error).before_agents())?;
    let parsed = Backlog::parse(file.text());
    let errors = parsed.complaints.iter().filter(|it| it.severity == Severity::Error).count();
    let warnings = parsed.complaints.len() - errors;
    let name = path.display().to_string();
    if site.global.format == Format::Json {
        let complaints: Vec<serde_json::Value> = parsed
            .complaints
            .iter()
            .map(|complaint| {
                let Position { line, column } = Position::of(file.text(), complaint.span.start);
                json!({
                    "file": name,
                    "line": line,
                    "column": column,
                    "code": complaint.code,
                    "severity": complaint.severity,
                    "message": complaint.message,
                    "help": complaint.help,
                })
            })
            .collect();
        let tasks = parsed.backlog.entries.len();
        let all = json!({ "tasks": tasks, "errors": errors, "warnings": warnings, "complaints": complaints });
        super::print(&format!("{all}\n"))?;
    } else {
        let color = site.is_colored();
        super::say(&diagnostics::render(&name, file.text(), &parsed.complaints, color));
        if !site.global.quiet {
            let tasks = parsed.backlog.entries.len();
            super::say(&format!("{name}: {tasks} tasks, {errors} errors, {warnings} warnings\n"));
        }
    }
    Ok(if parsed.is_refused() { Exit::Refused } else { Exit::Ok })
}
