//! One test binary: linking libgit2 and sled once is enough.
//!
//! `tests/process` is another one: it makes itself the reaper of orphans, and from then on ends
//! every child that it has not started itself, which would be the children of other tests here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod cassettes;
mod child;
mod containment;
mod crash;
mod demo;
mod end_to_end;
mod faults;
mod host;
mod integrity;
mod later;
mod loopdex;
mod machine;
mod mem_log;
mod memory;
mod readme;
mod reads;
mod recovery;
mod replay;
mod schemas;
mod scripted_answer;
mod scripted_world;
mod support;
mod tidy;
mod trial;
mod wrong_input;
