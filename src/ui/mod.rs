//! What people see: diagnostics, lines about a run, text made safe for a terminal.

pub mod accounts;
pub mod countdown;
pub mod diagnostics;
pub mod report;
pub mod reporter;
pub mod sanitize;
pub mod status;
pub mod story;
