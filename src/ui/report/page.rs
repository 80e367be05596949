//! A report in words and tables, whatever they are written down in.

use std::collections::BTreeMap;

use serde::Serialize;

use super::shape::{Latest, Outcome, Report, RunReport, TaskReport};
use crate::engine::at::At;
use crate::engine::charter::GateId;
use crate::ui::accounts::{Group, Used};
use crate::ui::sanitize::clean_line;
use crate::ui::story::{duration, short};

/// How many rows of a table are shown; the JSON form has more.
const ROWS_MAX: usize = 100;

/// How much of a text from outside is shown, in characters.
const TEXT_MAX: usize = 300;

/// A page: plain text, in which nothing is escaped yet and nothing acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Page {
    pub(super) title: String,
    /// What matters most.
    pub(super) lead: Vec<String>,
    pub(super) sections: Vec<Section>,
}

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Section {
    pub(super) title: String,
    /// What is said before the tables.
    pub(super) notes: Vec<String>,
    pub(super) tables: Vec<Table>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) head: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
    /// What is not shown of it, in words.
    pub(super) left_out: Option<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) is_number: bool,
}

/// Text from outside: one line, bounded, and nothing in it acts.
fn text(from_outside: &str) -> String {
    let clean = clean_line(from_outside);
    if clean.chars().count() <= TEXT_MAX {
        return clean.into_owned();
    }
    clean.chars().take(TEXT_MAX - 1).chain(['…']).collect()
}

/// To the second, in UTC: the same log gives the same page everywhere.
fn time(at: At) -> String {
    at.timestamp().strftime("%F %T UTC").to_string()
}

/// A value as the log writes it.
fn name_of(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// The same in words.
fn word(value: &impl Serialize) -> String {
    name_of(value).replace('_', " ")
}

fn columns(names: &[&str]) -> Vec<Column> {
    let column = |name: &&str| match name.strip_prefix('#') {
        Some(name) => Column { name: name.to_owned(), is_number: true },
        None => Column { name: (*name).to_owned(), is_number: false },
    };
    names.iter().map(column).collect()
}

/// A table of at most so many rows. Names of columns with numbers begin with `#`.
fn table<T>(caption: &str, head: &[&str], items: &[T], row: impl Fn(&T) -> Vec<String>) -> Table {
    let more = items.len().saturating_sub(ROWS_MAX);
    Table {
        caption: caption.to_owned(),
        head: columns(head),
        rows: items.iter().take(ROWS_MAX).map(row).collect(),
        left_out: (more > 0).then(|| format!("{more} more are in the JSON form.")),
    }
}

/// The same of the latest ones, the latest first.
fn latest<T: Clone>(
    caption: &str,
    head: &[&str],
    items: &Latest<T>,
    row: impl Fn(&T) -> Vec<String>,
) -> Table {
    let reversed: Vec<T> = items.latest.iter().rev().cloned().collect();
    let mut table = table(caption, head, &reversed, row);
    let older = items.left_out + reversed.len().saturating_sub(ROWS_MAX) as u64;
    table.left_out = (older > 0).then(|| format!("{older} older ones are left out."));
    table
}

impl Report {
    pub(super) fn page(&self) -> Page {
        let title = match &self.run {
            None => "Report".to_owned(),
            Some(run) => format!("Report on run {}", text(run.as_str())),
        };
        let sections = [
            self.people(),
            self.each_task(),
            self.gates(),
            self.terms(),
            self.history(),
            self.spending(),
            self.proposed(),
            self.judged(),
        ];
        Page { title, lead: self.lead(), sections: sections.into_iter().flatten().collect() }
    }

    fn lead(&self) -> Vec<String> {
        let mut lead = Vec::new();
        match self.last_at {
            None => return vec!["Nothing was recorded yet.".to_owned()],
            Some(at) => lead.push(format!("As of event {}, {}.", self.last_seq, time(at))),
        }
        let progress = self.progress;
        let (done, blocked, todo) = (progress.done, progress.blocked, progress.todo);
        let tasks = format!("{done} of {} tasks done", progress.total);
        lead.push(format!("{tasks}, {blocked} blocked, {todo} to do; {} attempts.", self.attempts));
        let spending = &self.spending;
        lead.push(format!("Used: {}.", spending.total.text()));
        lead.push(format!(
            "Accepted changes: {}; cost per accepted change: {}.",
            spending.accepted,
            spending.per_accepted_text()
        ));
        let off: Vec<&str> = self.gates_off.iter().map(|gate| gate.name()).collect();
        if !off.is_empty() {
            lead.push(format!("Gates that were switched OFF: {}.", off.join(", ")));
        }
        lead
    }

    fn people(&self) -> Option<Section> {
        let is_blocked = |task: &&TaskReport| task.outcome == Outcome::Blocked;
        let blocked: Vec<&TaskReport> = self.tasks.iter().filter(is_blocked).collect();
        if blocked.is_empty() {
            return None;
        }
        let head = ["Task", "Title", "Because", "Evidence", "To let it run again"];
        let row = |task: &&TaskReport| {
            let evidence = match task.latest_loop {
                0 => String::new(),
                number => format!("evidence/loop-{number}"),
            };
            vec![
                text(task.task.as_str()),
                text(&task.title),
                text(task.reason.as_deref().unwrap_or("no reason is recorded")),
                evidence,
                text(task.remedy.as_deref().unwrap_or_default()),
            ]
        };
        let tables = vec![table("Tasks that wait for a person", &head, &blocked, row)];
        let notes = vec![
            "Look at the evidence, mend the task or its surroundings, then unblock it.".to_owned(),
        ];
        Some(Section { title: "A person is needed".to_owned(), notes, tables })
    }

    fn each_task(&self) -> Option<Section> {
        let head = ["Task", "Title", "Outcome", "#Attempts", "Commit or reason", "Used"];
        let row = |task: &TaskReport| {
            let why = match (&task.commit, &task.reason) {
                (Some(commit), _) => short(commit.as_str()).to_owned(),
                (None, reason) => text(reason.as_deref().unwrap_or_default()),
            };
            let used =
                if task.used == Used::default() { "–".to_owned() } else { task.used.text() };
            vec![
                text(task.task.as_str()),
                text(&task.title),
                task.outcome.word().to_owned(),
                task.attempts.to_string(),
                why,
                used,
            ]
        };
        let tables = vec![table("What became of each task", &head, &self.tasks, row)];
        (!self.tasks.is_empty()).then(|| Section {
            title: "Tasks".to_owned(),
            notes: vec![],
            tables,
        })
    }

    fn gates(&self) -> Option<Section> {
        let failed: Vec<_> = self
            .tasks
            .iter()
            .flat_map(|task| task.gates.iter().map(move |gate| (&task.task, gate)))
            .collect();
        let mut times: BTreeMap<GateId, u64> = BTreeMap::new();
        failed.iter().for_each(|(_, gate)| *times.entry(gate.gate).or_default() += gate.times);
        let sums: Vec<String> =
            times.iter().map(|(gate, times)| format!("{} {times}", gate.name())).collect();
        let head = ["Task", "Gate", "#Times", "What it said last"];
        let rows = table("Gates that said no", &head, &failed, |(task, gate)| {
            vec![
                text(task.as_str()),
                gate.gate.name().to_owned(),
                gate.times.to_string(),
                text(&gate.reason),
            ]
        });
        (!failed.is_empty()).then(|| Section {
            title: "Gates".to_owned(),
            notes: vec![format!("How often each said no: {}.", sums.join(", "))],
            tables: vec![rows],
        })
    }

    fn terms(&self) -> Option<Section> {
        self.last_at?;
        let levels: Vec<&str> = self.sandbox.iter().map(|level| level.name()).collect();
        let sandbox = if levels.is_empty() { "not recorded".to_owned() } else { levels.join(", ") };
        let off: Vec<&str> = self.gates_off.iter().map(|gate| gate.name()).collect();
        let off = if off.is_empty() { "none".to_owned() } else { off.join(", ") };
        let counts = |counts: &BTreeMap<String, u64>| {
            let count = |(name, count): (&String, &u64)| format!("{} {count}", text(name));
            text(&counts.iter().map(count).collect::<Vec<_>>().join(", "))
        };
        let head = ["Agent", "Stages", "Models, by calls", "Ends, by calls", "Used"];
        let agents = table("Agents and models", &head, &self.agents, |agent| {
            vec![
                text(agent.agent.as_str()),
                agent.stages.join(", "),
                counts(&agent.models),
                counts(&agent.ends),
                agent.used.text(),
            ]
        });
        let head = ["Agent", "Allowance", "#Used", "Begins anew", "Seen"];
        let quotas = table("Allowances of providers, as seen last", &head, &self.quotas, |quota| {
            vec![
                text(quota.agent.as_str()),
                text(&quota.window),
                format!("{} %", quota.used_percent),
                quota.resets_at.map_or_else(|| "unknown".to_owned(), time),
                time(quota.seen_at),
            ]
        });
        Some(Section {
            title: "Terms".to_owned(),
            notes: vec![format!("Sandbox: {sandbox}."), format!("Gates switched off: {off}.")],
            tables: [agents, quotas].into_iter().filter(|table| !table.rows.is_empty()).collect(),
        })
    }

    fn history(&self) -> Option<Section> {
        self.last_at?;
        let head = ["Run", "Started", "Ended", "#Attempts", "#Resumed", "Sandbox", "Used"];
        let runs = latest("Runs, the latest first", &head, &self.runs, |run: &RunReport| {
            let ended = match (run.ended_at, run.reason, run.exit_code) {
                (Some(at), Some(reason), Some(code)) => {
                    format!("{}: {} (exit {code})", time(at), word(&reason))
                }
                _ => "not over".to_owned(),
            };
            vec![
                text(run.run.as_str()),
                time(run.started_at),
                ended,
                run.attempts.to_string(),
                run.resumed.to_string(),
                run.sandbox.map_or("not recorded", |level| level.name()).to_owned(),
                run.used.text(),
            ]
        });
        let head = ["Since", "Agent", "Cause", "Until", "#Waited"];
        let pauses = latest("Waiting for providers, the latest first", &head, &self.pauses, |it| {
            vec![
                time(it.at),
                text(it.agent.as_str()),
                word(&it.cause),
                it.until.map_or_else(|| "not said".to_owned(), time),
                it.waited_ms.map_or_else(|| "waiting".to_owned(), duration),
            ]
        });
        let count = self.pauses.left_out + self.pauses.latest.len() as u64;
        let waited = format!("Pauses: {count}; waiting: {}.", duration(self.waited_ms));
        Some(Section {
            title: "Runs".to_owned(),
            notes: if count > 0 { vec![waited] } else { vec![] },
            tables: [runs, pauses].into_iter().filter(|table| !table.rows.is_empty()).collect(),
        })
    }

    fn spending(&self) -> Option<Section> {
        let spending = &self.spending;
        let head = ["Name", "#Calls", "#Read", "#Cached", "#Written", "#Time", "Cost"];
        let row = |group: &Group| {
            let used = &group.used;
            vec![
                text(&group.name),
                used.calls.to_string(),
                used.input.to_string(),
                used.cached.to_string(),
                used.output.to_string(),
                duration(used.duration_ms),
                used.cost_text(),
            ]
        };
        let by = |what: &str, groups: &[Group]| table(&format!("By {what}"), &head, groups, row);
        let notes = [
            "Read, cached and written are tokens. The sums of every table are the same total.",
            "Cost per accepted change is all spending, whatever it was for, divided by the changes \
             that were accepted.",
            "Costs are what agents report; estimated ones were worked out from the prices that the \
             log holds; ≥ stands before a sum from which something is missing.",
        ];
        (spending.total != Used::default()).then(|| Section {
            title: "Spending".to_owned(),
            notes: notes.map(str::to_owned).into(),
            tables: vec![
                by("outcome", &spending.by_cause),
                by("stage", &spending.by_stage),
                by("agent", &spending.by_agent),
                by("model", &spending.by_model),
                by("task", &spending.by_task),
                by("run", &spending.by_run),
            ],
        })
    }

    fn proposed(&self) -> Option<Section> {
        let head = ["Task", "#Attempt", "Proposal", "Object"];
        let row = |it: &super::shape::Proposal| {
            vec![
                text(it.task.as_str()),
                it.attempt.to_string(),
                name_of(&it.verdict),
                text(it.proposal.as_str()),
            ]
        };
        let rows = latest("What critics proposed, the latest first", &head, &self.proposals, row);
        (!rows.rows.is_empty()).then(|| Section {
            title: "Proposals".to_owned(),
            notes: vec![],
            tables: vec![rows],
        })
    }

    fn judged(&self) -> Option<Section> {
        let oracles = &self.oracles.latest;
        let false_passes = oracles.iter().filter(|it| it.committed && !it.good).count();
        let false_blocks = oracles.iter().filter(|it| !it.committed && it.good).count();
        let head = ["Scenario", "Task", "Committed", "Good", "What the oracle says"];
        let yes_or_no = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let rows = latest("What oracles found, the latest first", &head, &self.oracles, |it| {
            vec![
                text(&it.scenario),
                text(it.task.as_str()),
                yes_or_no(it.committed),
                yes_or_no(it.good),
                text(&it.reason),
            ]
        });
        (!rows.rows.is_empty()).then(|| Section {
            title: "Oracles".to_owned(),
            notes: vec![format!("False PASSes: {false_passes}; false BLOCKs: {false_blocks}.")],
            tables: vec![rows],
        })
    }
}
