//! The real world behind the loop: one repository, its state directory, its agents.
//!
//! | file | what |
//! | --- | --- |
//! | `host_world` | [`HostWorld`]: what there is |
//! | `ports` | every effect, carried out |
//! | `stage`, `verify` | agents and verify commands, called |
//! | `tape` | agents recorded, or played from a recording |
//! | `contained` | what each of them may write |
//! | `briefing` | what they are told |
//! | `sleep` | waits that end where somebody asks for something |
//! | `record` | what people can read about an attempt afterwards |
//! | `guard`, `backlog_file`, `user_file`, `put_back` | what belongs to us and is put back |
//! | `full` | what becomes of a stage that fills the disk |
//! | `cut_short` | what is kept of a stage that was cut short |
//! | `host_log` | the log, as the loop sees it |

mod backlog_file;
mod briefing;
mod contained;
mod cut_short;
mod error;
mod full;
mod guard;
mod host_log;
mod host_world;
mod ports;
mod put_back;
mod record;
mod sleep;
mod stage;
mod tape;
mod user_file;
mod verify;

pub use backlog_file::{BACKLOG_BYTES_MAX, BacklogFile, digest};
pub use error::WorldError;
pub use host_log::{HostLog, SharedTip, SharedWriter, SystemClock};
pub use host_world::{HostWorld, Parts};
