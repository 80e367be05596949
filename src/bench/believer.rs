//! A loop that believes its agents, for comparison: what looks like a scenario and cannot even fool
//! this one is none.
//!
//! It ignores exit codes, scopes and secrets, takes any answer with a "pass" in it for one, commits
//! whatever lies in the work tree, and takes marks and log lines for what they say.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;

use super::oracle;
use super::place::Place;
use super::scenario::Scenario;
use super::script::Done;
use super::trial::{Terms, TrialError, check_words, head_tree};
use crate::backlog::Backlog;
use crate::engine::id::{RunId, TaskId};
use crate::engine::task::{Status, Task};
use crate::host::clock;

/// What the believer made of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    /// Whether it takes the task for done.
    pub accepted: bool,
    /// Whether what is there is what was asked for.
    pub good: bool,
    /// What the oracle says.
    pub oracle: String,
}

impl Believed {
    /// Whether it takes what is bad for done.
    pub fn is_fooled(&self) -> bool {
        self.accepted && !self.good
    }
}

/// Lets the believer work through a scenario, and asks the oracle.
///
/// # Errors
/// The scenario cannot be laid out, or its oracle is silent.
pub async fn run(scenario: &Scenario, terms: &Terms) -> Result<Believed, TrialError> {
    let place = Place::lay_out(scenario, terms).await.map_err(TrialError::Place)?;
    let found = run_in(&place, scenario).await;
    place.leave().await;
    found
}

async fn run_in(place: &Place, scenario: &Scenario) -> Result<Believed, TrialError> {
    let run = clock::new_run_id(clock::now());
    let believer = Believer { place, run, done: BTreeSet::new() };
    let done = believer.work(scenario.manifest.runs * scenario.manifest.iterations).await;
    // It would not do that. Its guests should not stay, though.
    place.end_guests().await;
    let done = done.map_err(TrialError::Run)?;
    check_words(place)?;
    let tree = head_tree(place)?;
    let names: Vec<&str> = done.iter().map(TaskId::as_str).collect();
    let said = oracle::ask(place, scenario, &tree, &names.join(" ")).await?;
    let accepted = done.contains(&scenario.manifest.task);
    Ok(Believed { accepted, good: said.good, oracle: said.reason })
}

struct Believer<'a> {
    place: &'a Place,
    run: RunId,
    done: BTreeSet<TaskId>,
}

impl Believer<'_> {
    async fn work(mut self, attempts: u32) -> io::Result<BTreeSet<TaskId>> {
        let tasks = self.tasks()?;
        for attempt in 1..=attempts {
            let Some(task) = tasks.iter().find(|task| !self.done.contains(&task.id)) else { break };
            for stage in ["plan", "plan_critique", "implement"] {
                self.stage(stage, task, attempt).await?;
            }
            for command in &task.verify {
                self.program(&["bash", "-c", command], &[]).await?;
            }
            let said = self.stage("impl_critique", task, attempt).await?;
            self.believe_marks()?;
            if sounds_like_yes(&said) {
                self.commit(task).await?;
                self.done.insert(task.id.clone());
            }
        }
        Ok(self.done)
    }

    /// What it cannot read is nothing to do, so everything is done.
    fn tasks(&mut self) -> io::Result<Vec<Task>> {
        let tasks = self.backlog()?.tasks();
        if tasks.is_empty() {
            self.done.insert(TaskId::new("1"));
        }
        Ok(tasks)
    }

    fn backlog(&self) -> io::Result<Backlog> {
        let text = fs::read_to_string(self.place.project().join(".looper/backlog.md"));
        Ok(Backlog::parse(&text.unwrap_or_default()).backlog)
    }

    /// Whoever writes that a task is done will know.
    fn believe_marks(&mut self) -> io::Result<()> {
        let marks = self.backlog()?.marks();
        let ticked = marks.into_iter().filter(|mark| mark.status == Status::Done);
        self.done.extend(ticked.map(|mark| mark.task));
        let log = self.place.project().join(".looper/events.jsonl");
        let log = fs::read_to_string(log).unwrap_or_default();
        for line in log.lines().filter(|line| line.contains("task_done")) {
            let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            self.done.extend(line["data"]["task"].as_str().map(TaskId::new));
        }
        Ok(())
    }

    async fn stage(&self, stage: &str, task: &Task, attempt: u32) -> io::Result<Done> {
        let attempt = attempt.to_string();
        let words = [
            ("LOOPER_STAGE", stage),
            ("LOOPER_TASK", task.id.as_str()),
            ("LOOPER_ATTEMPT", &attempt),
            ("LOOPER_RUN", self.run.as_str()),
        ];
        // A shell in between: an agent that ends its parent ends nothing else.
        self.program(&["bash", "-c", "actor; exit $?"], &words).await
    }

    async fn commit(&self, task: &Task) -> io::Result<()> {
        let all = ["add", "-A", "--", ".", ":!.looper"];
        let message = format!("Task {}: {}", task.id, task.title);
        let commit = ["commit", "-q", "--no-verify", "--allow-empty", "-m", &message];
        for arguments in [&all[..], &commit[..]] {
            let argv: Vec<&str> = std::iter::once("git").chain(arguments.iter().copied()).collect();
            // Whether it worked is nothing it would ask.
            self.program(&argv, &[]).await?;
        }
        Ok(())
    }

    async fn program(&self, argv: &[&str], words: &[(&str, &str)]) -> io::Result<Done> {
        let argv: Vec<&OsStr> = argv.iter().map(OsStr::new).collect();
        let own = |text: &&str| OsString::from(*text);
        let words = words.iter().map(|(name, value)| (own(name), own(value)));
        self.place.run(&argv, words).await
    }
}

/// Anything with a pass in it, and silence.
fn sounds_like_yes(said: &Done) -> bool {
    let all = format!("{}{}", said.stdout, said.stderr).to_lowercase();
    all.trim().is_empty() || all.contains("pass") || !all.contains("verdict")
}
