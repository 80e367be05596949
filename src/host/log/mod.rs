//! The event log on disk: one proved line per event, appended by one writer, read by anybody.

mod error;
mod foreign;
mod reader;
mod reclaim;
mod tip;
mod writer;

pub use error::{Fault, Found, LogError, Loss, Tampering};
pub use foreign::set_aside_foreign_log;
pub use reader::Reader;
pub use reclaim::Intrusion;
pub use tip::{Position, Tip, Torn};
pub use writer::{Opened, Repair, Writer};

#[cfg(test)]
mod tests;
