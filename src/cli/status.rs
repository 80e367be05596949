//! `looper status`: where the project stands, from the log alone.

use std::fs::Metadata;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::args::{Format, StatusArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::patience::Patience;
use super::site::{Site, fold_on, local};
use super::stream;
use crate::backlog::Backlog;
use crate::engine::state::State;
use crate::host::clock;
use crate::host::lock::{is_held, read_owner};
use crate::host::log::Reader;
use crate::host::paths::Layout;
use crate::host::world::BacklogFile;
use crate::ui::status::{Known, Look, Observer, Status};

/// Between two looks at a log that may have grown.
const POLL: Duration = Duration::from_millis(500);

/// Clears the terminal and puts the cursor into its first cell.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Shows where the project stands. Takes no lock and writes nothing.
///
/// # Errors
/// There is no project, or its log is damaged or does not replay.
pub(super) fn status(site: &Site, args: &StatusArgs) -> Result<Exit, Failure> {
    let layout = site.layout()?;
    let mut look = Looking::begin(&layout)?;
    if !args.watch {
        stream(&show(site, &layout, &look.status(site, &layout)?))?;
        return Ok(Exit::Ok);
    }
    let mut patience = Patience::new()?;
    let is_screen = std::io::stdout().is_terminal() && site.global.format == Format::Text;
    let mut shown = None;
    loop {
        let status = look.status(site, &layout)?;
        let text = show(site, &layout, &status);
        // On a screen the time goes on; elsewhere only news is worth a line.
        let news =
            if is_screen { News::Text(text.clone()) } else { News::Status(Box::new(status)) };
        if shown.as_ref() != Some(&news) {
            let clear = if is_screen { CLEAR } else { "" };
            if !stream(&format!("{clear}{text}"))? {
                return Ok(Exit::Ok);
            }
            shown = Some(news);
        }
        if !patience.wait(POLL) {
            return Ok(Exit::Ok);
        }
        look.again()?;
    }
}

/// What has to differ for another look to be printed.
#[derive(PartialEq, Eq)]
enum News {
    Text(String),
    Status(Box<Status>),
}

/// A pass over the log that goes on where it ended.
struct Looking {
    reader: Reader,
    state: State,
    observer: Observer,
    seen: Option<Footprint>,
}

/// What changes when somebody writes to a file.
type Footprint = (u64, u64, i64, i64);

impl Looking {
    fn begin(layout: &Layout) -> Result<Self, Failure> {
        let reader = Reader::open(&layout.events())?;
        let mut looking =
            Self { reader, state: State::default(), observer: Observer::default(), seen: None };
        looking.read()?;
        Ok(looking)
    }

    /// Reads what was added, if anything was.
    fn again(&mut self) -> Result<(), Failure> {
        if footprint(self.reader.path()) == self.seen { Ok(()) } else { self.read() }
    }

    fn read(&mut self) -> Result<(), Failure> {
        self.seen = footprint(self.reader.path());
        let state = std::mem::take(&mut self.state);
        let observer = &mut self.observer;
        self.state = fold_on(state, &mut self.reader, |event, _| observer.saw(event))?;
        Ok(())
    }

    fn status(&mut self, site: &Site, layout: &Layout) -> Result<Status, Failure> {
        let holder = holder(layout)?;
        if holder.is_none() && self.state.run_id().is_some() {
            // It may have ended between the two looks, and that is no interruption.
            self.read()?;
        }
        let known = if self.state.tasks().is_empty() { known(site, layout) } else { None };
        Ok(self.observer.status(&self.state, holder, &known.unwrap_or_default()))
    }
}

fn footprint(path: &Path) -> Option<Footprint> {
    let print = |meta: Metadata| (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
    path.metadata().ok().map(print)
}

/// Who holds the lock, in words.
pub(super) fn holder(layout: &Layout) -> Result<Option<String>, Failure> {
    let path = layout.lock();
    if !is_held(&path)? {
        return Ok(None);
    }
    Ok(Some(read_owner(&path)?.unwrap_or_default().to_string()))
}

/// What the backlog says, where it can be read.
fn known(site: &Site, layout: &Layout) -> Option<Known> {
    let file = BacklogFile::open(&site.backlog(layout).ok()?).ok()?;
    let backlog = Backlog::parse(file.text()).backlog;
    let (tasks, marks) = (backlog.tasks(), backlog.marks());
    Some(Known { tasks, marks, archived: backlog.completed.into_iter().collect() })
}

fn show(site: &Site, layout: &Layout, status: &Status) -> String {
    if site.global.format == Format::Json {
        let text = serde_json::to_string(status).expect("a status has a JSON form");
        return text + "\n";
    }
    let evidence = layout.evidence();
    let evidence = evidence.strip_prefix(&site.cwd).unwrap_or(&evidence).display().to_string();
    status.text(Look {
        now: clock::now(),
        color: site.is_output_colored(),
        clock: &|at| local(at, "%F %T %Z"),
        evidence: &evidence,
    })
}
