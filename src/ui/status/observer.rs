//! What a log says beside the state it adds up to: times, sums, the last of each kind.

use super::report::{Condition, LastDecision, Now, Status};
use super::view::{Known, View};
use crate::engine::at::At;
use crate::engine::charter::{Charter, Limits};
use crate::engine::event::{Event, EventKind, Interruption, RunEnded, RunPaused};
use crate::engine::id::{AgentName, RunId, Seq, TaskId};
use crate::engine::state::{Spent, State};
use crate::ui::accounts::{Accounts, Axis, Budget, Quotas};
use crate::ui::story;

/// Watches a log go by.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    events: u64,
    last_event_at: Option<At>,
    run: Option<(RunId, At)>,
    ended: Option<(RunEnded, At)>,
    selected_at: Option<At>,
    begun: Option<Begun>,
    archived: Vec<TaskId>,
    last_decision: Option<LastDecision>,
    in_all: Accounts,
    in_run: Accounts,
    /// Since the latest charter, which bounds it.
    in_command: Accounts,
    limits: Limits,
    spent_before: Spent,
    quotas: Quotas,
}

/// An effect that was announced.
#[derive(Clone, Debug)]
struct Begun {
    seq: Seq,
    at: At,
    stage: &'static str,
    agent: Option<AgentName>,
}

impl Observer {
    /// Something happened.
    pub fn saw(&mut self, event: &Event) {
        self.events += 1;
        self.last_event_at = Some(event.at);
        let Event { seq, at, .. } = *event;
        let mut begin = |stage, agent: Option<&AgentName>| {
            self.begun = Some(Begun { seq, at, stage, agent: agent.cloned() });
        };
        match &event.kind {
            EventKind::RunStarted(charter) => {
                self.run = Some((event.run.clone(), event.at));
                self.in_run = Accounts::default();
                self.under(charter);
            }
            EventKind::RunResumed(charter) => self.under(charter),
            EventKind::RunEnded(data) => self.ended = Some((data.clone(), event.at)),
            EventKind::TaskSelected(_) => self.selected_at = Some(event.at),
            EventKind::PlanStarted(data) => begin("plan", Some(&data.agent)),
            EventKind::PlanCritiqueStarted(data) => begin("plan_critique", Some(&data.agent)),
            EventKind::ImplementStarted(data) => begin("implement", Some(&data.agent)),
            EventKind::ImplCritiqueStarted(data) => begin("impl_critique", Some(&data.agent)),
            EventKind::VerifyStarted(_) => begin("verify", None),
            EventKind::CommitStarted(_) => begin("commit", None),
            EventKind::RollbackStarted(_) => begin("rollback", None),
            _ => {}
        }
        for accounts in [&mut self.in_all, &mut self.in_run, &mut self.in_command] {
            accounts.saw(event);
        }
        self.quotas.saw(event);
        if decides(&event.kind) {
            let about = event.kind.about();
            self.last_decision = Some(LastDecision {
                seq: event.seq,
                event: event.kind.name().to_owned(),
                at: event.at,
                task: about.map(|(task, _)| task.clone()),
                attempt: about.map(|(_, attempt)| attempt),
                text: story::tell(event).map_or_else(String::new, |line| line.text),
            });
        }
    }

    fn under(&mut self, charter: &Charter) {
        self.archived.clone_from(&charter.archived);
        self.limits = charter.limits;
        self.spent_before = charter.spent_before.unwrap_or_default();
        self.in_command = Accounts::default();
    }

    /// Where the project stands. `holder` has the lock; `known` stands in for what a log
    /// without runs does not say.
    pub fn status(&self, state: &State, holder: Option<String>, known: &Known) -> Status {
        let tasks = if state.tasks().is_empty() { &known.tasks[..] } else { state.tasks() };
        let view = View { state, known, tasks, archived: &self.archived };
        Status {
            events: self.events,
            last_event_at: self.last_event_at,
            progress: view.totals(),
            condition: self.condition(state, holder.is_some()),
            run: self.run.as_ref().map(|(run, _)| run.clone()),
            started_at: self.run.as_ref().map(|(_, at)| *at),
            holder,
            now: self.now(state),
            next: view.next(),
            blocked: view.blocked(),
            last_decision: self.last_decision.clone(),
            used: self.in_run.total(),
            used_by_agent: self.in_run.groups(Axis::Agent),
            used_in_all: self.in_all.total(),
            budget: Budget::new(self.limits, self.spent_before, self.in_command.total()),
            quotas: self.quotas.all(),
        }
    }

    fn condition(&self, state: &State, is_held: bool) -> Condition {
        if let Some(RunPaused { cause, agent, until }) = state.paused() {
            return Condition::Paused { cause: *cause, agent: agent.clone(), until: *until };
        }
        match (state.run_id(), &self.ended) {
            (Some(_), _) if is_held => Condition::Running,
            (Some(_), _) => Condition::Interrupted,
            (None, Some((ended, at))) => {
                let RunEnded { reason, exit_code } = *ended;
                Condition::Ended { reason, exit_code, at: *at }
            }
            (None, None) => Condition::New,
        }
    }

    fn now(&self, state: &State) -> Option<Now> {
        let attempt = state.attempt()?;
        let in_flight = state.interruption(Interruption::Crash).effect;
        let begun = self.begun.as_ref().filter(|begun| Some(begun.seq) == in_flight);
        Some(Now {
            task: attempt.task.id.clone(),
            title: attempt.task.title.clone(),
            attempt: attempt.number,
            stage: begun.map(|begun| begun.stage.to_owned()),
            agent: begun.and_then(|begun| begun.agent.clone()),
            since: begun.map(|begun| begun.at).or(self.selected_at),
        })
    }
}

/// Whether an event decides something about a task or the run.
fn decides(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::GatesJudged(_)
            | EventKind::TaskDone(_)
            | EventKind::TaskFailed(_)
            | EventKind::TaskBlocked(_)
            | EventKind::TaskUnblocked(_)
            | EventKind::TaskReopened(_)
            | EventKind::RunPaused(_)
    )
}
