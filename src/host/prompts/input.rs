//! What the prompt of each stage is made from.

use crate::engine::charter::Policy;
use crate::engine::id::RepoPath;
use crate::engine::task::Task;
use crate::host::evidence::CommandRun;

/// A prompt to write.
#[derive(Clone, Copy, Debug)]
pub enum Prompt<'a> {
    /// For whoever writes the plan.
    Planner(&'a Brief<'a>),
    /// For whoever judges the plan.
    PlanCritic(&'a PlanCritic<'a>),
    /// For whoever changes the work tree.
    Implementer(&'a Implementer<'a>),
    /// For whoever judges the change.
    ImplCritic(&'a ImplCritic<'a>),
}

/// What every stage of an attempt is told.
#[derive(Clone, Copy, Debug)]
pub struct Brief<'a> {
    /// The task.
    pub task: &'a Task,
    /// Which attempt at it.
    pub attempt: u32,
    /// What the attempt is judged by.
    pub policy: &'a Policy,
    /// The attempt before, where it failed.
    pub retry: Option<Retry<'a>>,
    /// The state directory, as the agent would write it.
    pub state_dir: &'a str,
    /// The backlog's file, as the agent would write it.
    pub backlog: &'a str,
}

/// A failed attempt, told to the next one.
#[derive(Clone, Copy, Debug)]
pub struct Retry<'a> {
    /// Consecutive failures.
    pub fail_count: u32,
    /// Why the last one failed.
    pub last_failure: &'a str,
    /// Where its evidence lies.
    pub evidence: &'a str,
}

/// For the critic of a plan.
#[derive(Clone, Copy, Debug)]
pub struct PlanCritic<'a> {
    /// The attempt.
    pub brief: Brief<'a>,
    /// The planner's answer.
    pub plan: &'a [u8],
}

/// For the implementer.
#[derive(Clone, Copy, Debug)]
pub struct Implementer<'a> {
    /// The attempt.
    pub brief: Brief<'a>,
    /// The planner's answer, where there was a planner.
    pub plan: Option<&'a [u8]>,
    /// What the plan's critic remarked, where there was one.
    pub plan_critique: Option<&'a [u8]>,
}

/// For the critic of a change: artefacts and evidence. The implementer's own words have no place
/// in it.
#[derive(Clone, Copy, Debug)]
pub struct ImplCritic<'a> {
    /// The attempt.
    pub brief: Brief<'a>,
    /// The planner's answer, where there was a planner.
    pub plan: Option<&'a [u8]>,
    /// Every changed path.
    pub changed: &'a [RepoPath],
    /// Those that the task does not allow.
    pub out_of_scope: &'a [RepoPath],
    /// The change, summed up.
    pub diff_stat: &'a [u8],
    /// The change.
    pub diff: &'a [u8],
    /// What the verify commands returned; `None`: they were not run.
    pub commands: Option<&'a [CommandRun<'a>]>,
}
