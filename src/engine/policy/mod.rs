//! What a verify command must not do, what a path must not be called, and which files a command
//! names.

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
mod tests;

pub use denied::{Denial, denied};
pub use names::{files_named_by, tests_named_by};
pub use secret_path::secret_path;
