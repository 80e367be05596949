//! The sections of a configuration and their defaults: one table from which files, environment,
//! `doctor` and the schema all take their keys.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{Agents, Profile, Protected};
use super::env::{self, Form};
use super::value::{
    Dollars, Independence, Percent, Sandbox, Seconds, Switch, Timeout, Times, Writable,
};
use crate::engine::charter::{Checkout, FailToPass, GateId, Risk};
use crate::engine::id::AgentName;

/// Declares a section: its values, and a layer that may say something about each of them.
macro_rules! section {
    (
        $(#[$doc:meta])*
        $name:ident, $layer:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        $(#[$doc])*
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $layer {
            $($(#[$field_doc])* $field: Option<$type>,)+
        }

        impl $name {
            /// Every key.
            pub(super) const KEYS: &[&str] = &[$(stringify!($field)),+];

            /// Takes over what a layer says, and names each key it says something about.
            pub(super) fn apply(&mut self, layer: $layer, note: &mut dyn FnMut(&str)) {
                $(if let Some(value) = layer.$field {
                    self.$field = value;
                    note(stringify!($field));
                })+
            }
        }

        impl $layer {
            /// Reads one value as the environment writes it; `false` where no key is called that.
            pub(super) fn set(&mut self, key: &str, text: &str) -> Result<bool, String> {
                match key {
                    $(stringify!($field) => self.$field = Some(env::parse(text, Form::Commas)?),)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

section! {
    /// How a run goes.
    Run, RunLayer {
        /// The stages of an attempt: "full" (plan, plan_critique, implement, verify,
        /// impl_critique), "solo" (implement, verify), or a list.
        profile: Profile = Profile::full(),
        /// Attempts after which the run ends; 0: until nothing is runnable.
        iterations: u32 = 0,
        /// Consecutive failures that block a task.
        failures_max: NonZeroU32 = const { NonZeroU32::new(5).expect("five is not zero") },
        /// Whether a pass is committed.
        commit_on_pass: bool = true,
        /// Whether agents and verify commands run in a sandbox: "auto" where the machine has one,
        /// "required" or not at all, "off" never.
        sandbox: Sandbox = Sandbox::Auto,
        /// What implementers and verify commands may write in a sandbox besides the project: paths
        /// that begin with `/` or `~/`, and "caches" for those of the usual tools.
        writable: Vec<Writable> = vec![Writable::caches()],
        /// A run is refused on branches whose name does not begin with this.
        require_branch_prefix: String = String::new(),
        /// How far agents are trusted: "unattended" with their own bypass flags, "safe" without.
        risk: Risk = Risk::Unattended,
    }
}

section! {
    /// How verify commands run.
    Verify, VerifyLayer {
        /// Seconds after which a command is ended.
        timeout_s: Timeout = Timeout::literal(300),
        /// "worktree", or "clean": a fresh checkout of the candidate.
        checkout: Checkout = Checkout::Worktree,
        /// How often each runs; all runs must pass.
        repeat: NonZeroU32 = NonZeroU32::MIN,
        /// Whether they reach the network; `false` needs a sandbox.
        network: bool = true,
    }
}

section! {
    /// Which gates count. One that is off is shown in every report.
    Gates, GatesLayer {
        /// State directory and backlog are untouched.
        state: Switch = Switch::On,
        /// Nothing secret is added.
        secret: Switch = Switch::On,
        /// Every changed path is in the task's scope.
        scope: Switch = Switch::On,
        /// Something changed.
        change: Switch = Switch::On,
        /// Patterns of files that only an exact scope entry opens, besides those that verify
        /// commands name; or "off".
        protected: Protected = Protected::On(Vec::new()),
        /// Every verify command passed.
        verify: Switch = Switch::On,
        /// Nobody asks for another backlog.
        proposal: Switch = Switch::On,
        /// The critic says exactly PASS.
        impl_critique: Switch = Switch::On,
        /// Whether some verify command must fail without the change: "require" it, "warn" where none
        /// does, or "off". Unless it is off, each command runs in fresh checkouts, of the base and
        /// of the candidate.
        fail_to_pass: FailToPass = FailToPass::Off,
    }
}

impl Gates {
    /// Whether a gate counts.
    pub fn is_on(&self, gate: GateId) -> bool {
        let switch = match gate {
            GateId::State => self.state,
            GateId::Secret => self.secret,
            GateId::Scope => self.scope,
            GateId::Change => self.change,
            GateId::Protected => return self.protected != Protected::Off,
            GateId::Verify => self.verify,
            // It is asked where the policy wants it, and not switched off elsewhere.
            GateId::FailToPass => return true,
            GateId::Proposal => self.proposal,
            GateId::ImplCritique => self.impl_critique,
        };
        switch == Switch::On
    }
}

section! {
    /// What a run may use; 0: no limit.
    Budget, BudgetLayer {
        /// US dollars, as agents report them.
        cost_usd: Dollars = Dollars::default(),
        /// Tokens read and written, as agents report them.
        tokens: u64 = 0,
        /// Seconds spent in stages.
        wall_clock_s: Seconds = Seconds::literal(0),
        /// Per cent of a provider's allowance from which on its agents begin no attempt, as far as
        /// agents report it.
        quota_percent: Percent = Percent::literal(0),
    }
}

section! {
    /// How often a stage is taken again in the same attempt.
    Retry, RetryLayer {
        /// Where the provider has no capacity.
        overloaded: Times = Times::literal(3),
        /// Where a planner or a critic says nothing.
        empty: Times = Times::literal(1),
        /// Seconds before the first time without capacity; each further pause is twice as long, up
        /// to five minutes.
        pause_s: Seconds = Seconds::literal(5),
    }
}

/// The agent of every role for which nobody names another.
const DEFAULT_AGENT: &str = "codex";

fn default_agent() -> Agents {
    Agents::only(AgentName::new(DEFAULT_AGENT))
}

section! {
    /// Which agent does what. A list rotates by attempt.
    Roles, RolesLayer {
        /// Writes the plan, and the backlog at setup.
        plan: Agents = default_agent(),
        /// Judges the plan, and the backlog at setup.
        plan_critique: Agents = default_agent(),
        /// Changes the work tree.
        implement: Agents = default_agent(),
        /// Judges the change.
        impl_critique: Agents = default_agent(),
        /// Reviews the whole run.
        review: Agents = default_agent(),
        /// Who may judge whose work, in every attempt: "off": anybody; "agent": another agent than
        /// made it; "vendor": another vendor's, by the format it speaks, or else by its program.
        independent: Independence = Independence::Off,
        /// Whether the next agent of a list takes over from one that is limited.
        failover: bool = true,
    }
}
