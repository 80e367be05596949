//! Agent programs: how each is called, and what its end means.
//!
//! One file per program knows its command line and its frames. [`read`] looks at one ended process
//! and nothing else, by these rules: a non-zero exit is a failure whatever was printed; where
//! frames can be read, success needs the frame that this program ends with; limits and other causes
//! are taken from the program's own error channel only, never from what a model said or a tool
//! printed; a frame of an unknown type is named, not dropped.

mod adapter;
mod answer;
#[cfg(test)]
mod bent;
#[cfg(test)]
mod bookkeeping;
mod claude;
mod codex;
mod copilot;
mod custom;
mod failure;
#[cfg(test)]
mod failure_corpus;
mod fields;
mod frames;
mod gemini;
mod head;
mod known;
mod lines;
mod message;
mod opencode;
mod parts;
mod pi;
mod qwen;
#[cfg(test)]
mod recordings;
mod reset;
mod rollout;
mod tools;
#[cfg(test)]
mod torn;
#[cfg(test)]
mod transcripts;

pub use adapter::{Format, Preset, UnknownFormat, preset, writable};
pub use answer::{Answer, Evidence, ReadError, count_frames, read};
pub use custom::{PlaceError, Placed, place};
pub use known::{Known, Login, Surroundings, version_in};
pub use rollout::{Turn, sessions_home};
