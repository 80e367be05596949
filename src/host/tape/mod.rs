//! Cassettes: what agents printed and did in a run, kept so that the run can be told again without
//! them.
//!
//! | file | what |
//! | --- | --- |
//! | `page` | what a tape says about itself and each call |
//! | `recorder` | written: a folder per call, complete or not there |
//! | `player` | found again: call `n` of a stage gets what call `n` gave then |
//! | `recording` | one folder, checked, and played by a process of its own |
//!
//! A tape is raw. What the log keeps is without what looks secret, and a verdict, a reset time or a
//! frame is read before that is taken out: a tape without it could tell another story than the run
//! did. So it is for its owner alone, and never lies in the project, where agents would read what
//! others have said, and could commit it.

mod error;
mod page;
mod player;
mod recorder;
mod recording;

pub use error::TapeError;
pub use page::{
    Becoming, Call, Change, Content, End, EndCause, Page, Stream, Tape, TapeRoles, VERSION,
};
pub use player::{Player, Wanted};
pub use recorder::{About, Recorder, Take};
pub use recording::{PLAY, Recording};
