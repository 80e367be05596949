//! What a configuration means for the engine.

use std::collections::BTreeMap;

use super::choice::Protected;
use super::error::{ConfigError, near};
use super::layers::Config;
use crate::engine::charter::{self, Checkout, FailToPass, GateId, Limits, Policy, VerifyTerms};
use crate::engine::id::{AgentName, TaskId};
use crate::engine::recovery::Recovery;

/// What is asked of one run and is no matter of configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// `--task`: work on this one only.
    pub only: Option<TaskId>,
    /// `--allow-dirty`: keep a person's uncommitted changes aside instead of refusing.
    pub allow_dirty: bool,
}

impl Config {
    /// What may happen in a run.
    pub fn policy(&self, ask: Ask) -> Policy {
        let Self { run, verify, gates, .. } = self;
        Policy {
            stages: run.profile.stages().to_vec(),
            iterations: run.iterations,
            failures_max: run.failures_max.get(),
            commit_on_pass: run.commit_on_pass,
            only: ask.only,
            allow_dirty: ask.allow_dirty,
            risk: run.risk,
            verify: VerifyTerms {
                timeout_s: verify.timeout_s.get(),
                checkout: self.checkout(),
                repeat: verify.repeat.get(),
            },
            gates_off: GateId::ALL.into_iter().filter(|gate| !gates.is_on(*gate)).collect(),
            protected: match &gates.protected {
                Protected::On(patterns) => patterns.clone(),
                Protected::Off => Vec::new(),
            },
            fail_to_pass: gates.fail_to_pass,
            recovery: None,
        }
    }

    /// What follows where an agent cannot be had. `apart`: who counts as one maker, where nobody
    /// may judge its own work.
    pub fn recovery(&self, apart: Option<BTreeMap<AgentName, String>>) -> Recovery {
        let Self { retry, budget, roles, .. } = self;
        let lists = [&roles.plan, &roles.plan_critique, &roles.implement, &roles.impl_critique];
        let is_any_list = lists.iter().any(|agents| agents.names().len() > 1);
        Recovery {
            overloaded: retry.overloaded.get(),
            empty: retry.empty.get(),
            pause_s: u32::try_from(retry.pause_s.get()).unwrap_or(u32::MAX),
            failover: roles.failover && is_any_list,
            quota_percent: budget.quota_percent.get(),
            apart,
        }
    }

    /// Where the base is checked out, so is the candidate: what is missing from every checkout must
    /// not look like a test that fails without the change.
    fn checkout(&self) -> Checkout {
        match self.gates.fail_to_pass {
            FailToPass::Off => self.verify.checkout,
            FailToPass::Warn | FailToPass::Require => Checkout::Clean,
        }
    }

    /// Who does what.
    pub fn charter_roles(&self) -> charter::Roles {
        let names = |agents: &super::Agents| agents.names().to_vec();
        charter::Roles {
            plan: names(&self.roles.plan),
            plan_critique: names(&self.roles.plan_critique),
            implement: names(&self.roles.implement),
            impl_critique: names(&self.roles.impl_critique),
        }
    }

    /// What bounds a run.
    pub fn limits(&self) -> Limits {
        Limits {
            cost_usd: self.budget.cost_usd.usd(),
            tokens: self.budget.tokens,
            wall_clock_s: self.budget.wall_clock_s.get(),
        }
    }

    /// Checks that every role is given to an agent that can be called: one of `presets`, or one
    /// with a command of its own.
    ///
    /// # Errors
    /// A role names an agent nobody knows, or an agent of one's own has no command.
    pub fn check_agents(&self, presets: &[&str]) -> Result<(), ConfigError> {
        for (name, agent) in &self.agents {
            let has_command = agent.command.as_ref().is_some_and(|command| !command.is_empty());
            if !has_command && !presets.contains(&name.as_str()) {
                return Err(ConfigError::NoCommand { name: name.to_string() });
            }
        }
        for (key, name) in self.assigned() {
            if presets.contains(&name.as_str()) || self.agents.contains_key(name) {
                continue;
            }
            let known = self.agents.keys().map(AgentName::as_str).chain(presets.iter().copied());
            let near = near(name.as_str(), known).map(str::to_owned);
            let origin = self.origin(key).clone();
            return Err(ConfigError::UnknownAgent { key, origin, name: name.to_string(), near });
        }
        Ok(())
    }

    /// Every role with each of its agents.
    fn assigned(&self) -> impl Iterator<Item = (&'static str, &AgentName)> {
        let roles = &self.roles;
        [
            ("roles.plan", &roles.plan),
            ("roles.plan_critique", &roles.plan_critique),
            ("roles.implement", &roles.implement),
            ("roles.impl_critique", &roles.impl_critique),
            ("roles.review", &roles.review),
        ]
        .into_iter()
        .flat_map(|(key, agents)| agents.names().iter().map(move |name| (key, name)))
    }
}
