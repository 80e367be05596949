//! The readers of git's files. What they stand on is made of memory: objects live in a map.

#[path = "../../../../../src/host/git/ignores.rs"]
#[expect(dead_code, reason = "the targets use a part of it")]
mod ignores;
#[path = "../../../../../src/host/git/index.rs"]
#[expect(dead_code, reason = "the targets use a part of it")]
mod index;
#[path = "../../../../../src/host/git/oid.rs"]
#[expect(dead_code, reason = "the targets use a part of it")]
mod oid;
#[path = "../../../../../src/host/git/tree.rs"]
#[expect(dead_code, reason = "the targets use a part of it")]
mod tree;
#[path = "../../../../../src/host/git/wildmatch.rs"]
mod wildmatch;

mod error;
mod mirror;
mod object;
mod repo;
pub(crate) mod target;
