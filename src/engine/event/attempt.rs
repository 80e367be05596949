//! Events of one attempt, from selection to judgement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::at::At;
use crate::engine::charter::{GateId, SandboxLevel, Stage};
use crate::engine::id::{AgentName, CommitId, ObjectId, RepoPath, TaskId, TreeId};
use crate::engine::report::{Activity, Class, QuotaWindow, Usage};
use crate::engine::verdict::Verdict;

/// Data of `task_selected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskSelected {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it, from one, over all runs.
    pub attempt: u32,
    /// Its title.
    pub title: String,
    /// The commit the attempt starts from.
    pub base: CommitId,
    /// What a rollback returns to.
    pub snapshot: CommitId,
}

/// Data of `plan_started`, `plan_critique_started`, `implement_started`, `impl_critique_started`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageStarted {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// Who was called.
    pub agent: AgentName,
}

/// Declares the end of an agent's stage: the fields all of them share, then its own.
macro_rules! stage_finished {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Which task.
            pub task: TaskId,
            /// Which attempt at it.
            pub attempt: u32,
            /// Who was called.
            pub agent: AgentName,
            /// The model it says it used, or was asked to use.
            pub model: String,
            /// Its exit code, unless a signal ended it or it never started.
            pub exit_code: Option<i32>,
            /// What its end means.
            pub class: Class,
            /// When its provider wants to be asked again.
            pub until: Option<At>,
            /// How long it ran, in milliseconds.
            pub duration_ms: u64,
            /// What it says it used.
            pub usage: Usage,
            /// The prompt it was given.
            pub prompt: ObjectId,
            /// Everything it printed.
            pub transcript: Option<ObjectId>,
            /// Its final message.
            pub message: Option<ObjectId>,
            /// What it changed in the state directory or the backlog; all of it was put back.
            pub state_changes: Vec<String>,
            /// What it changed under `.git`; all of it was put back.
            pub rescued: Vec<String>,
            /// How well it was contained. Older logs do not say.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub sandbox: Option<SandboxLevel>,
            /// What it calls its session or thread.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub session: Option<String>,
            /// What it says it did.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub activity: Option<Activity>,
            /// How much of its provider's allowances is used.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub quota: Vec<QuotaWindow>,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    };
}

stage_finished!(
    /// Data of `plan_finished`.
    PlanFinished {}
);

stage_finished!(
    /// Data of `plan_critique_finished`.
    PlanCritiqueFinished {
        /// Its ruling, where it gave exactly one.
        verdict: Option<Verdict>,
        /// Its reason in one line.
        note: Option<String>,
    }
);

stage_finished!(
    /// Data of `implement_finished`.
    ImplementFinished {
        /// The candidate: what would be committed; nothing where the agent failed.
        tree: Option<TreeId>,
        /// Every path in which the candidate differs from the base.
        paths: Vec<RepoPath>,
        /// Those of `paths` that the base does not have.
        created: Vec<RepoPath>,
        /// How many paths more than fit into `paths`.
        paths_left_out: u64,
        /// Paths that people had changed before and that changed again.
        overlaps: Vec<RepoPath>,
        /// Things git cannot hold: devices, pipes, sockets, nested repositories.
        special: Vec<RepoPath>,
        /// Links that lead out of the project. Older logs do not say.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        leads_out: Vec<RepoPath>,
        /// Content that looks secret.
        secrets: Vec<SecretFinding>,
        /// The change as a patch.
        diff: Option<ObjectId>,
    }
);

stage_finished!(
    /// Data of `impl_critique_finished`.
    ImplCritiqueFinished {
        /// Its ruling, where it gave exactly one.
        verdict: Option<Verdict>,
        /// Its reason in one line.
        note: Option<String>,
    }
);

/// Data of `stage_retried`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageRetried {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// Which stage.
    pub stage: Stage,
    /// Who takes it now.
    pub agent: AgentName,
    /// Who took it before; the same one, unless somebody else takes it over.
    pub instead_of: AgentName,
    /// How that ended.
    pub cause: Class,
    /// Seconds to wait first.
    pub wait_s: u32,
    /// How often the stage was taken again in this attempt, this time included.
    pub count: u32,
}

/// The end of an agent's call, whatever its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentEnd<'event> {
    /// Which stage.
    pub stage: Stage,
    /// Who was called.
    pub agent: &'event AgentName,
    /// What its end means.
    pub class: Class,
    /// When its provider wants to be asked again.
    pub until: Option<At>,
    /// What it changed in the state directory or the backlog.
    pub state_changes: &'event [String],
    /// How much of its provider's allowances is used.
    pub quota: &'event [QuotaWindow],
}

/// Content that looks secret. The content itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretFinding {
    /// Where.
    pub path: RepoPath,
    /// The line, from one.
    pub line: u64,
    /// Which rule says so.
    pub rule: String,
}

/// Data of `verify_started`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyStarted {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// The commands, from the charter.
    pub commands: Vec<String>,
}

/// Data of `verify_finished`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyFinished {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// Whether every command passed, every time.
    pub passed: bool,
    /// Each run of each command, in order.
    pub commands: Vec<CommandResult>,
    /// What the commands changed in the state directory or the backlog; all of it was put back.
    pub state_changes: Vec<String>,
    /// What the commands changed under `.git`, or of the candidate before the next one ran; all of
    /// it was put back.
    pub rescued: Vec<String>,
    /// How well the commands were contained. Older logs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxLevel>,
    /// What the commands do without the change, where the policy wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseRun>,
}

impl VerifyFinished {
    /// Each run of each command, without the change and with it.
    pub fn runs(&self) -> impl Iterator<Item = &CommandResult> {
        self.base.iter().flat_map(|base| &base.commands).chain(&self.commands)
    }

    /// How long all of it took, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.runs().fold(0, |sum, run| sum.saturating_add(run.duration_ms))
    }
}

/// The verify commands in a fresh checkout of what the attempt starts from, before any of them
/// sees the candidate. The first command that fails there, every time, is the last one to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaseRun {
    /// The tree that changes are counted from.
    pub tree: TreeId,
    /// Each run of each command, in order.
    pub commands: Vec<CommandResult>,
}

/// One run of one verify command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandResult {
    /// The command.
    pub command: String,
    /// Its exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// Whether the time was over.
    pub timed_out: bool,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// What it printed.
    pub output: ObjectId,
}

impl CommandResult {
    /// Whether it ended in time, and said that all is well.
    pub fn passed(&self) -> bool {
        self.exit_code == Some(0) && !self.timed_out
    }
}

/// Data of `gates_judged`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatesJudged {
    /// Which task.
    pub task: TaskId,
    /// Which attempt at it.
    pub attempt: u32,
    /// What follows.
    pub outcome: JudgedAs,
    /// The tree that was judged.
    pub tree: TreeId,
    /// Every gate that was asked, in the order of judgement.
    pub gates: Vec<GateResult>,
}

/// What follows from the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JudgedAs {
    /// Commit.
    Pass,
    /// Roll back, count, try again.
    Fail,
    /// Roll back and wait for a person: the critic says so, or nothing that could be changed would
    /// pass.
    Blocked,
    /// Roll back, keep the proposal, wait for a person.
    Proposal,
}

/// What one gate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateResult {
    /// Which gate.
    pub gate: GateId,
    /// Whether it lets the change through.
    pub passed: bool,
    /// Why.
    pub reason: String,
}
