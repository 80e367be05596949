//! Who was called for what, and how that ended.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::AgentReport;
use crate::engine::charter::Stage;
use crate::engine::event::EventKind;
use crate::engine::id::AgentName;
use crate::engine::report::Class;
use crate::ui::accounts::{Accounts, Axis};

/// More models of one agent than this are counted together: agents name them.
const MODELS_MAX: usize = 100;

/// Who was called so far. The names are the configuration's, so there are few.
#[derive(Clone, Debug, Default)]
pub(super) struct Agents {
    seen: BTreeMap<AgentName, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    stages: BTreeSet<Stage>,
    models: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
}

impl Agents {
    pub(super) fn saw(&mut self, kind: &EventKind) {
        match kind {
            EventKind::PlanFinished(data) => {
                self.ended(Stage::Plan, &data.agent, &data.model, data.class);
            }
            EventKind::PlanCritiqueFinished(data) => {
                self.ended(Stage::PlanCritique, &data.agent, &data.model, data.class);
            }
            EventKind::ImplementFinished(data) => {
                self.ended(Stage::Implement, &data.agent, &data.model, data.class);
            }
            EventKind::ImplCritiqueFinished(data) => {
                self.ended(Stage::ImplCritique, &data.agent, &data.model, data.class);
            }
            _ => {}
        }
    }

    fn ended(&mut self, stage: Stage, agent: &AgentName, model: &str, class: Class) {
        let seen = self.seen.entry(agent.clone()).or_default();
        seen.stages.insert(stage);
        let is_new = !seen.models.contains_key(model);
        let model = match model {
            "" => "(not named)",
            _ if is_new && seen.models.len() >= MODELS_MAX => "(others)",
            model => model,
        };
        *seen.models.entry(model.to_owned()).or_default() += 1;
        let end = serde_json::to_value(class).unwrap_or_default();
        *seen.ends.entry(end.as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }

    pub(super) fn report(&self, accounts: &Accounts) -> Vec<AgentReport> {
        let report = |(agent, seen): (&AgentName, &Seen)| {
            let used = accounts.of(Axis::Agent, agent.as_str());
            let mut ends = seen.ends.clone();
            let cut_short = used.calls.saturating_sub(ends.values().sum());
            if cut_short > 0 {
                ends.insert("cut_short".to_owned(), cut_short);
            }
            AgentReport {
                agent: agent.clone(),
                stages: seen.stages.iter().map(|stage| stage.name().to_owned()).collect(),
                models: seen.models.clone(),
                ends,
                used,
            }
        };
        self.seen.iter().map(report).collect()
    }
}
