//! What agents and verify commands cannot do in a sandbox, tried with the real ones.
//!
//! Each attack runs inside an agent that fails where the attack succeeds, so a run that passes
//! proves that it was held. [`attacks`] proves that the same attacks succeed outside.

mod attacks;
mod choice;
mod full;
mod kit;
mod partial;
