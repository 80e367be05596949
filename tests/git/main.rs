//! Real repositories, made with the `git` program, handled by `looper::host::git`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod attempt;
mod commit;
mod edits;
mod guard;
mod kinds;
mod lines;
mod preflight;
mod property;
mod recovery;
mod rollback;
mod scan;
mod support;
