//! The terms of a run, pinned in its first event so that nothing outside the log can change a
//! decision afterwards.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{AgentName, CommitId, Digest, TaskId};
use super::price::Prices;
use super::recovery::Recovery;
use super::report::Usd;
use super::state::Spent;
use super::task::{Pattern, Task};

/// Number of the decision rules this build decides by. Older numbers stay replayable.
pub const RULES: u32 = 1;

/// Everything later decisions may depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Charter {
    /// Version of the program.
    pub engine: String,
    /// Which decision rules hold.
    pub rules: u32,
    /// Where the run starts from.
    pub base: Base,
    /// The backlog as it was read.
    pub backlog: BacklogPin,
    /// What may happen.
    pub policy: Policy,
    /// Who does what; a list rotates by attempt.
    pub roles: Roles,
    /// How each of them is called.
    pub agents: BTreeMap<AgentName, AgentTerms>,
    /// What bounds the run.
    pub limits: Limits,
    /// The tasks in backlog order.
    pub tasks: Vec<Task>,
    /// Ids that are done but no longer in the backlog.
    pub archived: Vec<TaskId>,
    /// What agents and verify commands are kept from. Older logs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containment: Option<Containment>,
    /// The files below the state directory that say how a run is carried out, and the user's own
    /// as `~/config.toml`, with what they said: a run that finds them changed under an open attempt
    /// brings the former back, and refuses to go by the latter. Older logs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<BTreeMap<String, Digest>>,
    /// What tokens cost where an agent does not say: costs marked as estimated come from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// What the same command had used before it waited: it counts against the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_before: Option<Spent>,
}

/// What agents and verify commands are kept from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Containment {
    /// How well.
    pub level: SandboxLevel,
    /// Whether verify commands reach the network.
    pub verify_network: Network,
    /// What implementers and verify commands may write besides the project.
    pub writable: Vec<String>,
    /// What each agent may write besides that.
    pub agents: BTreeMap<AgentName, Vec<String>>,
}

/// How well a process is contained.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SandboxLevel {
    /// It can do whatever the user can.
    None,
    /// What it may not write outside the project is read-only.
    Partial,
    /// Everything it may not write is read-only, and nothing of it outlives its stage.
    Full,
}

impl SandboxLevel {
    /// The name in the log and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Full => "full",
        }
    }
}

/// Whether a process reaches the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// It does.
    Open,
    /// It does not.
    Closed,
}

/// The commit a run starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The commit.
    pub commit: CommitId,
    /// The branch, unless HEAD is detached.
    pub branch: Option<String>,
}

/// Which backlog, and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BacklogPin {
    /// Its file, as given.
    pub path: String,
    /// Its format.
    pub format: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// What may happen in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The stages of an attempt, in order.
    pub stages: Vec<Stage>,
    /// Attempts after which the run ends; 0: until nothing is runnable.
    pub iterations: u32,
    /// Consecutive failures that block a task.
    pub failures_max: u32,
    /// Whether a pass is committed.
    pub commit_on_pass: bool,
    /// Work on this task only.
    pub only: Option<TaskId>,
    /// Whether uncommitted changes of people are kept aside instead of refused.
    pub allow_dirty: bool,
    /// How far agents are trusted.
    pub risk: Risk,
    /// How verify commands run.
    pub verify: VerifyTerms,
    /// Gates that are switched off.
    pub gates_off: Vec<GateId>,
    /// Paths that only an exact scope entry opens, besides files that verify commands name.
    pub protected: Vec<Pattern>,
    /// Whether some verify command must fail without the change.
    #[serde(default, skip_serializing_if = "FailToPass::is_off")]
    pub fail_to_pass: FailToPass,
    /// What follows where an agent cannot be had. Older logs do not say: whatever keeps an agent
    /// from working ends its attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
}

/// Whether some verify command must fail without the change. One that passes without it, too, says
/// nothing about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailToPass {
    /// Nobody looks.
    #[default]
    Off,
    /// Where none does, people are told.
    Warn,
    /// Where none does, the change does not pass.
    Require,
}

impl FailToPass {
    /// Whether nobody looks.
    pub fn is_off(&self) -> bool {
        match self {
            Self::Off => true,
            Self::Warn | Self::Require => false,
        }
    }
}

/// One stage of an attempt.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// An agent writes a plan.
    Plan,
    /// A fresh critic reads the plan.
    PlanCritique,
    /// An agent changes the work tree.
    Implement,
    /// The verify commands run.
    Verify,
    /// A fresh critic reads the change and the evidence.
    ImplCritique,
}

impl Stage {
    /// The name in the log and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::PlanCritique => "plan_critique",
            Self::Implement => "implement",
            Self::Verify => "verify",
            Self::ImplCritique => "impl_critique",
        }
    }
}

/// How far agents are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// With the agents' own bypass flags: nobody is there to answer.
    Unattended,
    /// Without them.
    Safe,
}

/// How verify commands run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyTerms {
    /// Seconds after which a command is ended.
    pub timeout_s: u64,
    /// Where they run.
    pub checkout: Checkout,
    /// How often each runs; all runs must pass.
    pub repeat: u32,
}

/// Where verify commands run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checkout {
    /// In the work tree.
    Worktree,
    /// In a fresh checkout of the candidate.
    Clean,
}

/// A gate, in the order of judgement.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum GateId {
    /// State directory and backlog are untouched.
    State,
    /// Nothing secret is added.
    Secret,
    /// Every changed path is in the task's scope.
    Scope,
    /// Something changed.
    Change,
    /// Protected files are unchanged.
    Protected,
    /// Every verify command passed.
    Verify,
    /// Some verify command fails without the change. It is asked only where the policy wants it.
    FailToPass,
    /// Nobody asks for another backlog.
    Proposal,
    /// The critic says exactly PASS.
    ImplCritique,
}

impl GateId {
    /// Every gate, in the order of judgement.
    pub const ALL: [Self; 9] = [
        Self::State,
        Self::Secret,
        Self::Scope,
        Self::Change,
        Self::Protected,
        Self::Verify,
        Self::FailToPass,
        Self::Proposal,
        Self::ImplCritique,
    ];

    /// The name in the log and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Secret => "secret",
            Self::Scope => "scope",
            Self::Change => "change",
            Self::Protected => "protected",
            Self::Verify => "verify",
            Self::FailToPass => "fail_to_pass",
            Self::Proposal => "proposal",
            Self::ImplCritique => "impl_critique",
        }
    }
}

/// Who does what. A list rotates: attempt `n` takes entry `(n - 1) mod length`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Planners.
    pub plan: Vec<AgentName>,
    /// Critics of plans.
    pub plan_critique: Vec<AgentName>,
    /// Implementers.
    pub implement: Vec<AgentName>,
    /// Critics of changes.
    pub impl_critique: Vec<AgentName>,
}

/// How an agent is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTerms {
    /// Program and arguments.
    pub command: Vec<String>,
    /// How the prompt reaches it.
    pub prompt: PromptBy,
    /// The format of what it prints: a preset's name or `text`.
    pub output: String,
    /// The model, where one is asked for.
    pub model: String,
    /// Seconds after which it is ended.
    pub timeout_s: u64,
    /// Seconds of silence after which it is ended; 0: never.
    pub idle_s: u64,
}

/// How the prompt reaches an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptBy {
    /// On standard input.
    Stdin,
    /// In a file named by `{{prompt_file}}`.
    File,
    /// As the argument `{{prompt}}`, or the last one.
    Arg,
}

/// What bounds a run. Zero means no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Cost in US dollars, as agents report it or prices tell.
    pub cost_usd: Usd,
    /// Tokens read and written, as agents report them.
    pub tokens: u64,
    /// Seconds spent in stages.
    pub wall_clock_s: u64,
}

impl Limits {
    /// Whether any of them is.
    pub fn are_reached(&self, spent: Spent) -> bool {
        let cost = self.cost_usd.micros();
        (cost > 0 && spent.cost_micros >= cost)
            || (self.tokens > 0 && spent.tokens >= self.tokens)
            || (self.wall_clock_s > 0 && spent.duration_ms / 1000 >= self.wall_clock_s)
    }
}
