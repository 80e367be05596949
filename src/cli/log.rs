//! `looper log`: the event log for people, or its raw lines.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::args::{Format, LogArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::patience::Patience;
use super::since::since;
use super::site::{Site, task_id};
use super::{stream, tell};
use crate::engine::at::At;
use crate::engine::event::{Event, EventKind};
use crate::engine::id::TaskId;
use crate::host::clock;
use crate::host::lock::is_held;
use crate::host::log::Reader;
use crate::ui::sanitize::clean_line;
use crate::ui::story;

/// Between two looks at a log that may have grown.
const POLL: Duration = Duration::from_millis(200);

/// How much is collected before it is printed, in bytes.
const BATCH: usize = 64 << 10;

/// Prints events, in the order in which they happened.
///
/// # Errors
/// There is no project, the log is damaged, or a filter makes no sense.
pub(super) fn log(site: &Site, args: &LogArgs) -> Result<Exit, Failure> {
    let layout = site.layout()?;
    let filter = Filter::new(args)?;
    let mut reader = Reader::open(&layout.events())?;
    let mut printer = Printer::new(site);
    let mut patience = args.follow.then(Patience::new).transpose()?;
    loop {
        let read = copy(&mut reader, &filter, &mut printer);
        let is_read = printer.flush()?;
        read?;
        let Some(patience) = &mut patience else { break };
        if !is_read || !patience.wait(POLL) {
            return Ok(Exit::Ok);
        }
    }
    if let Some(torn) = reader.torn()
        && !is_held(&layout.lock())?
    {
        tell(site, &format!("warning: the log ends in {torn}; `looper run` mends it"));
    }
    if !printer.has_printed {
        let what =
            if reader.tip().seq.0 == 0 { "nothing was recorded yet" } else { "no event fits" };
        tell(site, what);
    }
    Ok(Exit::Ok)
}

/// Reads to the end of the log; stops early when nobody reads any more.
fn copy(reader: &mut Reader, filter: &Filter, printer: &mut Printer<'_>) -> Result<(), Failure> {
    while let Some(next) = reader.next() {
        let (event, _) = next?;
        if filter.lets(&event) && !printer.print(&event, reader.raw())? {
            return Ok(());
        }
    }
    Ok(())
}

/// Which events are asked for.
struct Filter {
    task: Option<TaskId>,
    run: Option<String>,
    event: Option<String>,
    since: Option<At>,
}

impl Filter {
    fn new(args: &LogArgs) -> Result<Self, Failure> {
        let since = args.since.as_deref().map(|text| since(text, clock::now())).transpose()?;
        Ok(Self {
            task: args.task.as_deref().map(task_id),
            run: args.run.as_deref().map(str::to_ascii_uppercase),
            event: args.event.clone(),
            since,
        })
    }

    fn lets(&self, event: &Event) -> bool {
        let starts = |run: &String| event.run.as_str().to_ascii_uppercase().starts_with(run);
        self.task.as_ref().is_none_or(|task| is_about(&event.kind, task))
            && self.run.as_ref().is_none_or(starts)
            && self.event.as_ref().is_none_or(|name| event.kind.name() == name)
            && self.since.is_none_or(|since| event.at >= since)
    }
}

fn is_about(kind: &EventKind, task: &TaskId) -> bool {
    match kind {
        EventKind::BacklogChanged(data) => data.changes.iter().any(|change| change.task == *task),
        _ => kind.about().is_some_and(|(about, _)| about == task),
    }
}

/// Prints events one by one.
struct Printer<'site> {
    site: &'site Site,
    zone: TimeZone,
    color: bool,
    day: Option<Date>,
    batch: String,
    is_read: bool,
    has_printed: bool,
}

impl<'site> Printer<'site> {
    fn new(site: &'site Site) -> Self {
        Self {
            site,
            zone: TimeZone::system(),
            color: site.is_output_colored(),
            day: None,
            batch: String::new(),
            is_read: true,
            has_printed: false,
        }
    }

    /// Whether anybody still reads.
    fn print(&mut self, event: &Event, raw: &str) -> Result<bool, Failure> {
        if self.site.global.format == Format::Json {
            self.push(raw);
        } else if let Some(line) = self.tell(event) {
            let local = event.at.timestamp().to_zoned(self.zone.clone());
            if self.day != Some(local.date()) {
                self.day = Some(local.date());
                let day = local.strftime("%A, %F").to_string();
                self.push(&day);
            }
            let number = match self.site.global.verbose {
                0 => String::new(),
                _ => format!("{:>6}  ", event.seq),
            };
            self.push(&format!("{}  {number}{line}", local.strftime("%T")));
        }
        if self.batch.len() >= BATCH { self.flush() } else { Ok(self.is_read) }
    }

    /// What is said about an event; on request also about those that say little.
    fn tell(&self, event: &Event) -> Option<String> {
        if let Some(line) = story::tell(event) {
            return Some(line.render(self.color));
        }
        if self.site.global.verbose == 0 {
            return None;
        }
        let about = event.kind.about();
        let task = about
            .map_or_else(String::new, |(task, attempt)| format!("Task {task} (attempt {attempt})"));
        let line = format!("  {:<24}{}", event.kind.name(), clean_line(&task));
        Some(line.trim_end().to_owned())
    }

    fn push(&mut self, line: &str) {
        self.has_printed = true;
        self.batch.push_str(line);
        self.batch.push('\n');
    }

    fn flush(&mut self) -> Result<bool, Failure> {
        if !self.batch.is_empty() {
            self.is_read = stream(&self.batch)?;
            self.batch.clear();
        }
        Ok(self.is_read)
    }
}
