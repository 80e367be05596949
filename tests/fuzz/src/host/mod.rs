//! Readers that looper keeps to itself, compiled here a second time from its own sources.

#[path = "../../../../src/host/fence.rs"]
#[expect(dead_code, reason = "the targets use a part of it")]
pub(crate) mod fence;
pub(crate) mod git;
