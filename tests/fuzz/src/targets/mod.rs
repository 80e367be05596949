//! One function per kind of input; each panics where something does not hold.

mod backlog;
mod config;
mod frames;
mod log;
mod policy;
mod secrets;
mod verdict;

use crate::host;

/// Every target by name.
pub(crate) const ALL: [(&str, fn(&[u8])); 13] = [
    ("backlog", backlog::backlog),
    ("config", config::config),
    ("charter", config::charter),
    ("fence", secrets::fence),
    ("frames", frames::frames),
    ("ignores", host::git::target::ignores),
    ("index", host::git::target::index),
    ("log", log::sealed),
    ("log_edits", log::edited),
    ("policy", policy::policy),
    ("secrets", secrets::secrets),
    ("tree", host::git::target::tree),
    ("verdict", verdict::verdict),
];
