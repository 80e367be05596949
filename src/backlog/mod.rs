//! Task files: parsed, linted, compared and marked without touching any other byte.
//!
//! * [`model`] is what every format is read into.
//! * `markdown` reads the format of LoopDex; `outline`, `header`, `fields`, `pieces`, `verify`
//!   and `lines` are its layers, from the whole to the single line; `stray` knows what must not
//!   be passed over in silence.
//! * `lint` holds the rules that do not depend on a format.
//! * [`marks`] writes checkboxes, failure counts and reasons back, and nothing else.
//! * [`diff`] tells what a person changed; [`news`] makes events of it.
//! * [`complaint`] and [`position`] are how findings point into the text.

pub mod complaint;
pub mod diff;
mod fields;
mod header;
mod lines;
mod lint;
mod markdown;
pub mod marks;
pub mod model;
pub mod news;
mod outline;
mod pieces;
pub mod position;
mod stray;
pub mod text;
mod verify;

pub use complaint::{Complaint, Severity};
pub use model::{Backlog, Entry, Format, Parsed, Place};
pub use position::Position;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod loopdex_rules;
#[cfg(test)]
mod properties;
