//! Content that looks secret: found in what an attempt adds, taken out of what is stored.

mod doubt;
mod key_block;
mod redact;
mod rules;
mod scan;

#[cfg(test)]
mod tests;

pub use redact::{Redactor, redact};
pub use scan::{Hit, scan, scan_patch};
