//! Every call is booked once, when it is known what it was good for.

use super::cause::Cause;
use super::spending::{Axis, Group, Spending, Sums};
use super::used::Used;
use crate::engine::charter::{GateId, Stage};
use crate::engine::event::{
    Event, EventKind, GatesJudged, Interrupted, JudgedAs, RollbackCause, StageStarted,
};
use crate::engine::id::{AgentName, RunId, Seq, TaskId};
use crate::engine::report::{Class, Usage};

/// Stands for the agent and the model of what is done without one.
const NOBODY: &str = "(verify commands)";

/// Stands for a model that nobody names.
const UNNAMED: &str = "(not named)";

/// More calls of one attempt than this are booked before it is over: an attempt has a handful.
const PENDING_MAX: usize = 1000;

/// Watches a log go by and adds up what was used.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    sums: Sums,
    accepted: u64,
    /// What the attempt in hand has used so far.
    pending: Vec<Entry>,
    begun: Option<Begun>,
    /// What is about to become of the attempt in hand.
    ending: Option<Cause>,
    /// How the last agent of the attempt in hand ended.
    class: Option<Class>,
}

/// A call that was announced.
#[derive(Clone, Debug)]
struct Begun {
    seq: Seq,
    run: RunId,
    stage: Stage,
    call: StageStarted,
}

/// What one stage used.
#[derive(Clone, Debug)]
struct Entry {
    run: RunId,
    task: TaskId,
    stage: Stage,
    agent: Option<AgentName>,
    model: Option<String>,
    /// What became of it, where that does not depend on the attempt.
    cause: Option<Cause>,
    used: Used,
}

/// The fields that the ends of all agents' stages share.
struct Finished<'a> {
    task: &'a TaskId,
    agent: &'a AgentName,
    model: &'a str,
    class: Class,
    usage: Usage,
    duration_ms: u64,
}

macro_rules! finished {
    ($data:expr) => {
        Finished {
            task: &$data.task,
            agent: &$data.agent,
            model: &$data.model,
            class: $data.class,
            usage: $data.usage,
            duration_ms: $data.duration_ms,
        }
    };
}

impl Accounts {
    /// Something happened.
    pub fn saw(&mut self, event: &Event) {
        match &event.kind {
            EventKind::PlanStarted(call) => self.began(event, Stage::Plan, call),
            EventKind::PlanCritiqueStarted(call) => self.began(event, Stage::PlanCritique, call),
            EventKind::ImplementStarted(call) => self.began(event, Stage::Implement, call),
            EventKind::ImplCritiqueStarted(call) => self.began(event, Stage::ImplCritique, call),
            EventKind::PlanFinished(data) => self.ended(event, Stage::Plan, &finished!(data)),
            EventKind::PlanCritiqueFinished(data) => {
                self.ended(event, Stage::PlanCritique, &finished!(data));
            }
            EventKind::ImplementFinished(data) => {
                self.ended(event, Stage::Implement, &finished!(data));
            }
            EventKind::ImplCritiqueFinished(data) => {
                self.ended(event, Stage::ImplCritique, &finished!(data));
            }
            EventKind::VerifyFinished(data) => self.push(Entry {
                run: event.run.clone(),
                task: data.task.clone(),
                stage: Stage::Verify,
                agent: None,
                model: None,
                cause: None,
                used: Used::time(data.duration_ms()),
            }),
            EventKind::Interrupted(data) => self.cut_short(data),
            EventKind::GatesJudged(data) => self.ending = Some(judged(data)),
            EventKind::RollbackStarted(data) => self.rolls_back(data.cause),
            EventKind::RollbackFinished(_) => self.settle(),
            EventKind::CommitFinished(_) => self.accept(),
            EventKind::Reconciled(data) if data.commit.is_some() => self.accept(),
            // A pass that is left uncommitted leaves no other trace.
            EventKind::TaskDone(data) if self.is_kept() && data.commit.is_none() => self.accept(),
            EventKind::TaskSelected(_) | EventKind::RunEnded(_) => self.settle(),
            _ => {}
        }
    }

    fn began(&mut self, event: &Event, stage: Stage, call: &StageStarted) {
        let (run, call) = (event.run.clone(), call.clone());
        self.begun = Some(Begun { seq: event.seq, run, stage, call });
    }

    fn ended(&mut self, event: &Event, stage: Stage, data: &Finished<'_>) {
        self.begun = None;
        self.class = Some(data.class);
        let used = match data.class {
            Class::Missing => Used::never_started(data.duration_ms),
            _ => Used::call(data.usage, data.duration_ms),
        };
        self.push(Entry {
            run: event.run.clone(),
            task: data.task.clone(),
            stage,
            agent: Some(data.agent.clone()),
            model: Some(data.model.to_owned()),
            cause: Cause::of(data.class),
            used,
        });
    }

    fn cut_short(&mut self, data: &Interrupted) {
        let Some(begun) = self.begun.take().filter(|begun| Some(begun.seq) == data.effect) else {
            return;
        };
        self.push(Entry {
            run: begun.run,
            task: begun.call.task,
            stage: begun.stage,
            agent: Some(begun.call.agent),
            model: Some(String::new()),
            cause: Some(Cause::Interrupted),
            used: Used::cut_short(),
        });
    }

    fn push(&mut self, entry: Entry) {
        if self.pending.len() >= PENDING_MAX {
            self.book_all();
        }
        self.pending.push(entry);
    }

    fn rolls_back(&mut self, cause: RollbackCause) {
        self.ending = Some(match cause {
            RollbackCause::PlanRejected => Cause::PlanRejected,
            RollbackCause::StateTouched => Cause::Gate(GateId::State),
            RollbackCause::Interrupted => Cause::Interrupted,
            RollbackCause::Gates => match self.ending {
                Some(cause) => cause,
                None => Cause::Interrupted,
            },
            RollbackCause::AgentFailed => {
                let class = self.class.unwrap_or(Class::Crashed);
                Cause::of(class).unwrap_or(Cause::Agent(class))
            }
        });
    }

    /// Whether the attempt in hand passed and is not committed.
    fn is_kept(&self) -> bool {
        self.ending == Some(Cause::Accepted)
    }

    fn accept(&mut self) {
        self.accepted += 1;
        self.ending = Some(Cause::Accepted);
        self.settle();
    }

    /// The attempt in hand is over.
    fn settle(&mut self) {
        self.book_all();
        (self.begun, self.ending, self.class) = (None, None, None);
    }

    fn book_all(&mut self) {
        let ending = self.ending.unwrap_or(Cause::Interrupted);
        for entry in std::mem::take(&mut self.pending) {
            book(&mut self.sums, &entry, ending);
        }
    }

    /// Everything so far, the attempt in hand included.
    fn sums(&self) -> Sums {
        let mut sums = self.sums.clone();
        self.pending.iter().for_each(|entry| book(&mut sums, entry, Cause::Open));
        sums
    }

    /// All that was used.
    pub fn total(&self) -> Used {
        let mut total = self.sums.total();
        self.pending.iter().for_each(|entry| total.add(entry.used));
        total
    }

    /// What was used for what, what cost most first.
    pub fn groups(&self, axis: Axis) -> Vec<Group> {
        self.sums().groups(axis)
    }

    /// What was used for one task, run, stage, agent, model or outcome.
    pub fn of(&self, axis: Axis, name: &str) -> Used {
        let mut used = self.sums.of(axis, name);
        let entries = self.pending.iter().filter(|entry| named(entry, axis, Cause::Open) == name);
        entries.for_each(|entry| used.add(entry.used));
        used
    }

    /// All of it, grouped in every way.
    pub fn spending(&self) -> Spending {
        self.sums().spending(self.accepted)
    }
}

fn judged(data: &GatesJudged) -> Cause {
    let objecting = || data.gates.iter().find(|result| !result.passed).map(|result| result.gate);
    match data.outcome {
        JudgedAs::Pass => Cause::Accepted,
        JudgedAs::Proposal => Cause::Proposal,
        JudgedAs::Fail | JudgedAs::Blocked => {
            objecting().map_or(Cause::Gate(GateId::ImplCritique), Cause::Gate)
        }
    }
}

fn book(sums: &mut Sums, entry: &Entry, ending: Cause) {
    sums.book(entry.used, |axis| named(entry, axis, ending));
}

fn named(entry: &Entry, axis: Axis, ending: Cause) -> String {
    match axis {
        Axis::Run => entry.run.to_string(),
        Axis::Task => entry.task.to_string(),
        Axis::Stage => entry.stage.name().to_owned(),
        Axis::Agent => entry.agent.as_ref().map_or(NOBODY, AgentName::as_str).to_owned(),
        Axis::Model => match entry.model.as_deref() {
            None => NOBODY.to_owned(),
            Some("") => UNNAMED.to_owned(),
            Some(model) => model.to_owned(),
        },
        Axis::Cause => entry.cause.unwrap_or(ending).name(),
    }
}
