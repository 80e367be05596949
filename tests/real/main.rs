//! Whole tasks with the real agent programs, and a model server of our own behind them.
//!
//! `LOOPER_REAL=auto` runs what the machine can install, `required` also fails where it cannot, and
//! `all` adds what takes long. Without it nothing is installed and every test says that it was
//! skipped. Programs are kept in `LOOPER_REAL_CLIS`, else below cargo's target directory.

mod alive;
mod contained;
mod faults;
mod limits;
mod night;
mod packages;
mod processes;
mod program;
#[path = "../it/schemas.rs"]
mod schemas;
mod server;
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod whole;
