//! `looper report`: what became of everything and what it took, from the log alone.

use super::args::{Format, ReportArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::site::{Site, fold_log};
use super::{print, tell};
use crate::engine::state::State;
use crate::host::files;
use crate::host::log::Reader;
use crate::host::paths::Layout;
use crate::ui::report::{Chronicle, Report, html, markdown};

/// Prints or writes the report. Takes no lock, and works while a run is going on.
///
/// # Errors
/// There is no project, its log is damaged or does not replay, or no run or more than one is meant.
pub(super) fn report(site: &Site, args: &ReportArgs) -> Result<Exit, Failure> {
    let layout = site.layout()?;
    let mut chronicle = match &args.run {
        None => Chronicle::default(),
        Some(run) => Chronicle::of_run(run),
    };
    let mut reader = Reader::open(&layout.events())?;
    let state = fold_log(&mut reader, |event, state| chronicle.saw(event, state))?;
    let named = args.run.as_deref().unwrap_or_default();
    if chronicle.is_ambiguous() {
        let what = format!("more than one run begins with {named:?}");
        return Err(Failure::new(Exit::Usage, what).help("give more of its id"));
    }
    if !chronicle.has_run() {
        return Err(Failure::new(Exit::Usage, format!("no run begins with {named:?}"))
            .help("`looper log --event run_started` lists them"));
    }
    let report = chronicle.report(&state);
    let text = match site.global.format {
        Format::Text => markdown(&report),
        Format::Html => html(&report),
        Format::Json => json(&report)?,
    };
    let Some(path) = &args.output else { return print(&text) };
    files::write_atomic(&site.cwd.join(path), text.as_bytes(), 0o644)?;
    tell(site, &format!("the report is in {}", path.display()));
    Ok(Exit::Ok)
}

fn json(report: &Report) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(report);
    Ok(json.map_err(|error| Failure::of(Exit::Bug, &error))? + "\n")
}

/// Leaves the report on the whole log where people look for it. It is rebuilt from the log at any
/// time, so that it cannot be written is worth a word and no more.
pub(super) fn leave(site: &Site, layout: &Layout, chronicle: &Chronicle, state: &State) {
    let text = markdown(&chronicle.report(state));
    if let Err(error) = files::write_atomic(&layout.report(), text.as_bytes(), 0o644) {
        tell(site, &format!("warning: {}", Failure::from(error).summary()));
    }
}
