//! Events that end an attempt: commit, rollback, marks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::By;
use crate::engine::at::At;
use crate::engine::id::{CommitId, Digest, ObjectId, RepoPath, TaskId, TreeId};
use crate::engine::verdict::Verdict;

/// Data of `commit_started`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitStarted {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The parent of the commit.
    pub base: CommitId,
    /// The judged tree.
    pub tree: TreeId,
}

/// Data of `commit_prepared`: everything needed to make the same commit again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitPrepared {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// Its only parent.
    pub parent: CommitId,
    /// Who wrote it, and when.
    pub author: Person,
    /// Who committed it, and when.
    pub committer: Person,
    /// Its message.
    pub message: String,
}

/// Somebody at some time, as a commit names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// When, to the second.
    pub time: At,
    /// The time zone, in minutes east of UTC.
    pub offset_min: i32,
}

/// Data of `commit_finished`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitFinished {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
}

/// Data of `rollback_started`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackStarted {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The snapshot to return to.
    pub to: CommitId,
    /// Why.
    pub cause: RollbackCause,
}

/// Why an attempt is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RollbackCause {
    /// The plan's critic did not say PASS.
    PlanRejected,
    /// An agent ended abnormally.
    AgentFailed,
    /// The state directory or the backlog was touched before there was a change to judge.
    StateTouched,
    /// A gate said no.
    Gates,
    /// It was cut short.
    Interrupted,
}

/// Data of `rollback_finished`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackFinished {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The snapshot that the work tree equals again.
    pub to: CommitId,
    /// Paths that were brought back.
    pub restored: Vec<RepoPath>,
    /// Paths that were removed.
    pub removed: Vec<RepoPath>,
    /// How many paths more than are listed.
    pub left_out: u64,
    /// What was put back under `.git`.
    pub rescued: Vec<String>,
}

/// Data of `reconciled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconciled {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commit that the branch already points at, if it does.
    pub commit: Option<CommitId>,
}

/// Data of `proposal_recorded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalRecorded {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// What is proposed.
    pub verdict: Verdict,
    /// The proposal.
    pub proposal: ObjectId,
}

/// Data of `task_done`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskDone {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// Who says so.
    pub by: By,
    /// The commit that did it, where there is one.
    pub commit: Option<CommitId>,
    /// SHA-256 of the backlog before the mark.
    pub before: Digest,
    /// SHA-256 of the backlog with the mark.
    pub after: Digest,
}

/// Data of `task_failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskFailed {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// Why.
    pub reason: String,
    /// Consecutive failures, this one included.
    pub fail_count: u32,
    /// Who says so.
    pub by: By,
    /// SHA-256 of the backlog before the mark.
    pub before: Digest,
    /// SHA-256 of the backlog with the mark.
    pub after: Digest,
}

/// Data of `task_blocked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskBlocked {
    /// Which task.
    pub task: TaskId,
    /// The last attempt at it; 0: there was none.
    pub attempt: u32,
    /// Why.
    pub reason: String,
    /// Consecutive failures.
    pub fail_count: u32,
    /// Who says so.
    pub by: By,
    /// SHA-256 of the backlog before the mark.
    pub before: Digest,
    /// SHA-256 of the backlog with the mark.
    pub after: Digest,
}

/// Data of `task_unblocked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskUnblocked {
    /// Which task.
    pub task: TaskId,
    /// The last attempt at it; 0: there was none.
    pub attempt: u32,
    /// Who says so.
    pub by: By,
    /// SHA-256 of the backlog before the mark.
    pub before: Digest,
    /// SHA-256 of the backlog with the mark.
    pub after: Digest,
}

/// Data of `task_reopened`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskReopened {
    /// Which task.
    pub task: TaskId,
    /// The last attempt at it; 0: there was none.
    pub attempt: u32,
    /// Who says so.
    pub by: By,
    /// SHA-256 of the backlog before the mark.
    pub before: Digest,
    /// SHA-256 of the backlog with the mark.
    pub after: Digest,
}
