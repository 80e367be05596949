//! Scenarios that try to get bad work committed, or look bad and are not, and what became of them.
//!
//! Each runs in a project of its own against the real program. What counts is read from the log it
//! leaves and from git; `docs/trust.md` says what the figures mean. Logs of real runs are asked for
//! later facts instead: `docs/later_facts.md`.
//!
//! | file | what it does |
//! | --- | --- |
//! | `library`, `scenario` | the scenarios, as their folders have them |
//! | `place`, `script` | the project of one, and the programs that run in it |
//! | `trial`, `believer` | one against the program, and against a loop that believes its agents |
//! | `oracle`, `finding` | what is there in the end, and what the log says about it |
//! | `report`, `rate` | what all of them say together |
//! | `accepted` | what a real log says was accepted |
//! | `later`, `reverify` | what speaks against it now |
//! | `mutants`, `mutation` | small faults in it, and whether anybody notices |

pub mod accepted;
pub mod believer;
pub mod finding;
pub mod later;
mod library;
pub mod mutants;
pub mod mutation;
mod oracle;
mod place;
pub mod rate;
pub mod report;
pub mod reverify;
pub mod scenario;
mod script;
pub mod trial;

pub use library::{LibraryError, embedded, read_dir};
