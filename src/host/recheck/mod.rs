//! Runs recorded verify commands on a recorded tree once more, in a clean checkout of its own.
//!
//! The checkout lies outside of the project and is no repository: what the work tree held besides
//! the tree (ignored files, installed dependencies, `.git`) is not there. Nothing is written into
//! the project, and nothing is left when a recheck ends, whatever ended it.
//!
//! | file | what |
//! | --- | --- |
//! | `place` | the checkout: made, brought back between two commands, removed |
//! | `edit` | one changed line, for those who want to know whether the commands notice |
//! | `run` | [`Recheck`]: the commands, one after the other, up to the first that fails |

mod edit;
mod place;
mod run;

pub use edit::Edit;
pub use place::{PlaceError, Scratch};
pub use run::{Failed, Order, Outcome, Recheck, RecheckError};
