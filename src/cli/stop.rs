//! `looper stop`: asks the running loop to end.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::args::StopArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::site::Site;
use super::tell;
use crate::host::files::FileError;
use crate::host::lock::{Owner, is_held, read_owner};
use crate::host::paths::Layout;
use crate::host::process;

/// How long a run that is ended at once may take to put the work tree back.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at the lock.
const POLL: Duration = Duration::from_millis(50);

/// Asks the run to end after the attempt in hand, or with `--now` at once.
///
/// # Errors
/// There is no project, or the run cannot be asked.
pub(super) fn stop(site: &Site, args: &StopArgs) -> Result<Exit, Failure> {
    let layout = site.layout()?;
    if !is_held(&layout.lock())? {
        tell(site, "No run is going on.");
        return Ok(Exit::Ok);
    }
    let owner = read_owner(&layout.lock())?.unwrap_or_default();
    if args.now {
        return stop_now(site, &layout, &owner);
    }
    ask(&layout.stop_request())?;
    if !is_held(&layout.lock())? {
        // It ended meanwhile, and whoever starts next was not asked.
        drop(std::fs::remove_file(layout.stop_request()));
        tell(site, "The run has just ended.");
        return Ok(Exit::Ok);
    }
    tell(site, &format!("Asked {owner} to end after the attempt in hand."));
    tell(site, "`looper status --watch` shows when it has; `looper stop --now` does not wait.");
    Ok(Exit::Ok)
}

/// Leaves the request. The file is not written through another name: a run takes every new name in
/// its state directory for an agent's doing.
fn ask(path: &Path) -> Result<(), FileError> {
    let fails = |source| FileError::io("write", path, source);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .custom_flags(crate::host::files::flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
        .open(path)
        .map_err(fails)?;
    file.write_all(b"after the attempt in hand\n").map_err(fails)
}

fn stop_now(site: &Site, layout: &Layout, owner: &Owner) -> Result<Exit, Failure> {
    let refuse = |what: String| {
        let help = "look for it with ps, and end it with Ctrl-C where it runs";
        Err(Failure::new(Exit::Refused, what).help(help))
    };
    let Some(pid) = owner.pid.filter(|_| owner.is_running_here()) else {
        return refuse(format!("the lock is held by {owner}, which is no process of this machine"));
    };
    let is_it = || owner.is_running_here() && is_held(&layout.lock()).unwrap_or(false);
    match process::terminate(pid, is_it) {
        Ok(true) => tell(site, &format!("Asked {owner} to end now.")),
        Ok(false) => {
            tell(site, "The run has just ended.");
            return Ok(Exit::Ok);
        }
        Err(error) => return refuse(format!("{owner} cannot be asked to end: {error}")),
    }
    let deadline = Instant::now() + PATIENCE;
    while is_held(&layout.lock())? && owner.is_running_here() {
        if Instant::now() >= deadline {
            let seconds = PATIENCE.as_secs();
            let what = format!("{owner} was asked to end and is still there after {seconds} s");
            return Err(Failure::new(Exit::Machine, what).help(
                "it may be putting a large work tree back: `looper status --watch` shows it",
            ));
        }
        std::thread::sleep(POLL);
    }
    tell(site, "It has ended, and the work tree is as it was before the attempt.");
    Ok(Exit::Ok)
}
