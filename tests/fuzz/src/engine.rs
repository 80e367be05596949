//! Stands for the room of that name in the files that are compiled here a second time.

pub use looper::engine::{id, secret, text};
