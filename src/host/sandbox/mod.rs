//! What agents and verify commands are kept from writing: `.git`, the state directory, and whatever
//! lies outside the project.
//!
//! | file | what |
//! | --- | --- |
//! | `cell` | [`Cell`]: what one process may write |
//! | `places` | what `~/` means, and which places exist |
//! | `tool` | [`Sandbox`]: a way to hold a process to its cell, tried before it is relied on |
//! | `bubblewrap` | the way that holds everything: namespaces, through the program `bwrap` |
//! | `confine` | the way that holds less: Landlock, in a process that then becomes the program |
//!
//! Rules are lists of what may be written, never of what may not, so that both ways can follow the
//! same ones and nothing is forgotten. `docs/containment.md` tells people what holds and what does
//! not.

mod bubblewrap;
mod cell;
mod confine;
mod places;
mod tool;

pub use cell::{Access, Cell};
pub use confine::{ConfineError, become_confined};
pub use places::{CACHES, make_missing, ours, resolve};
pub(super) use tool::make_temporary;
pub use tool::{Sandbox, SandboxError, Tried, try_all};
