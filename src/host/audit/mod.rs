//! The log against its witnesses: the commits in the repository, and the objects that it names.

mod commits;
mod ledger;
mod objects;
mod report;

pub use commits::{check_all, check_head, find_unheard_of, is_end_doubtful};
pub use ledger::Ledger;
pub use objects::{ObjectFault, ObjectsReport, Wanted, check_objects};
pub use report::{Finding, Report, Standing};
