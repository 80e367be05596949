//! Where a project stands, as its log tells it.
//!
//! [`Observer`] watches the log go by, `view` looks at the state it adds up to, [`Status`] is the
//! result, and `text` is how people read it.

mod observer;
mod report;
mod text;
mod view;

pub use observer::Observer;
pub use report::{BlockedTask, Condition, LastDecision, Now, Status, TaskLine, Totals};
pub use text::Look;
pub use view::Known;
