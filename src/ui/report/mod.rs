//! What became of everything, and what it took: the report on a log or on one run of it.
//!
//! [`Chronicle`] watches the log go by and holds no more of it than is reported. A [`Report`] is the
//! result for programs; `page` says it in words, `markdown` and `html` write those down.

mod agents;
mod chronicle;
mod html;
mod markdown;
mod page;
mod rows;
mod shape;
mod tasks;
#[cfg(test)]
mod tests;

pub use chronicle::Chronicle;
pub use html::html;
pub use markdown::markdown;
pub use shape::Report;
