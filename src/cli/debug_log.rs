//! `debug.log`: what only we want to know. Nothing is decided by it, and nothing reads it back.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Mutex;

use rustix::fs::OFlags;
use tracing::level_filters::LevelFilter;

use crate::host::paths::Layout;

/// A log of this size is begun anew, in bytes: it is for the last few runs.
const SIZE_MAX: u64 = 16 << 20;

/// Writes what is traced into the state directory; `verbose` as on the command line. A run without
/// it is as good, so a log that cannot be opened is no reason to stop.
pub(super) fn start(layout: &Layout, verbose: u8) {
    let path = layout.debug_log();
    let found = std::fs::symlink_metadata(&path);
    // An agent may have put a link or a pipe in its place.
    if found.as_ref().is_ok_and(|meta| !meta.is_file()) {
        return;
    }
    let is_large = found.is_ok_and(|meta| meta.len() > SIZE_MAX);
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(!is_large).truncate(is_large);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let Ok(file) = options.open(&path) else { return };
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .finish();
    // Another subscriber is there only where this is used as a library.
    drop(tracing::subscriber::set_global_default(subscriber));
}
