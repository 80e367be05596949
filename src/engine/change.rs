//! What people changed in a backlog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::TaskId;
use super::task::Task;

/// One change of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// Whose.
    pub task: TaskId,
    /// Of what.
    pub field: TaskField,
    /// What it was; nothing for a new task.
    pub before: Option<FieldValue>,
    /// What it is; nothing for a removed task.
    pub after: Option<FieldValue>,
}

/// What can change about a task.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TaskField {
    /// The task itself: added or removed.
    Task,
    /// Its place among the others, from one.
    Order,
    /// Its title.
    Title,
    /// The paths it may touch.
    Files,
    /// What is to be done.
    Description,
    /// When it is done.
    Criteria,
    /// The commands that check it.
    Verify,
    /// What it waits for.
    Depends,
    /// Its size.
    Size,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldValue {
    /// A place in the order.
    Place(u64),
    /// One text.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// A whole task.
    Task(Box<Task>),
}
