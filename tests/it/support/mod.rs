//! What end-to-end tests share: a project of their own, a scripted agent, the real program.
//!
//! Every run of `looper` through [`Project::run`] is followed by [`Project::check`], so each test
//! also proves that the log is valid, replays, and leaves no process and no broken repository.

mod backlog;
mod log;
mod manifest;
mod namespace;
mod orphans;
mod project;
mod recordings;
mod run;
mod script;

pub(crate) use backlog::{TaskText, task};
pub(crate) use log::{Log, rechained};
pub(crate) use manifest::Manifest;
pub(crate) use namespace::{Mount, enter, scenario};
pub(crate) use project::Project;
pub(crate) use recordings::unpack_recordings;
pub(crate) use run::{Ran, Running};
pub(crate) use script::*;
