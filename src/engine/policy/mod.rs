//! What a verify command must not do, which one cannot fail, what a path must not be called, and
//! which files a command names.

mod cannot_fail;
mod denied;
mod names;
mod place;
mod programs;
mod reader;
mod script;
mod secret_path;
mod words;
mod wrapper;

#[cfg(test)]
mod cannot_fail_tests;
#[cfg(test)]
mod tests;

pub use cannot_fail::cannot_fail;
pub use denied::{Denial, denied};
pub use names::{files_named_by, files_steering, tests_named_by};
pub use secret_path::secret_path;
