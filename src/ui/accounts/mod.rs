//! What a log says was used, and for what: tokens, money, calls and time.
//!
//! [`Accounts`] watches the log go by and books every call under each of its [`Axis`]es, so that the
//! sums over every axis are the same total. What nobody knows is counted, never taken for zero.

mod book;
mod budget;
mod cause;
mod quota;
mod spending;
#[cfg(test)]
mod tests;
mod used;

pub use book::Accounts;
pub use budget::{Bound, Budget};
pub use cause::Cause;
pub use quota::{Quota, Quotas};
pub use spending::{Axis, Group, Spending};
pub use used::{Used, money};
