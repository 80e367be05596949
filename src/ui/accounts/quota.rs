//! How much of their providers' allowances agents have used, as the log tells it last.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::at::At;
use crate::engine::event::{Event, EventKind};
use crate::engine::id::AgentName;
use crate::engine::report::QuotaWindow;

/// More windows than this are not remembered: providers name them.
const WINDOWS_MAX: usize = 1000;

/// One allowance, as it was seen last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Quota {
    /// Whose.
    pub agent: AgentName,
    /// Which, in the provider's words.
    pub window: String,
    /// Per cent of it, rounded up.
    pub used_percent: u32,
    /// When it begins anew. After that, what was used counts no more.
    pub resets_at: Option<At>,
    /// When it was seen.
    pub seen_at: At,
}

/// Remembers the last look at every allowance.
#[derive(Clone, Debug, Default)]
pub struct Quotas {
    windows: BTreeMap<(AgentName, String), Quota>,
}

impl Quotas {
    /// Something happened.
    pub fn saw(&mut self, event: &Event) {
        let (agent, windows) = match &event.kind {
            EventKind::PlanFinished(data) => (&data.agent, &data.quota),
            EventKind::PlanCritiqueFinished(data) => (&data.agent, &data.quota),
            EventKind::ImplementFinished(data) => (&data.agent, &data.quota),
            EventKind::ImplCritiqueFinished(data) => (&data.agent, &data.quota),
            _ => return,
        };
        windows.iter().for_each(|window| self.note(agent, window, event.at));
    }

    fn note(&mut self, agent: &AgentName, window: &QuotaWindow, seen_at: At) {
        let key = (agent.clone(), window.window.clone());
        if self.windows.len() >= WINDOWS_MAX && !self.windows.contains_key(&key) {
            return;
        }
        let quota = Quota {
            agent: agent.clone(),
            window: window.window.clone(),
            used_percent: window.used_percent,
            resets_at: window.resets_at,
            seen_at,
        };
        self.windows.insert(key, quota);
    }

    /// By agent and window.
    pub fn all(&self) -> Vec<Quota> {
        self.windows.values().cloned().collect()
    }
}
