//! What the model does: good work, unless a rule says otherwise.

use std::path::{Path, PathBuf};

use looper::engine::charter::Stage;
use looper::host::clock;

use super::fault::Fault;
use super::request::Request;
use super::turn::{TOKENS, Tokens, Tool, Turn};

/// Calls that are answered in another way.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    stage: Stage,
    task: Option<String>,
    /// How many are answered so; then they are answered well again.
    times: usize,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Fault(Fault),
    Shell(String),
}

impl What {
    /// A limit lifts by itself.
    fn is_over(&self) -> bool {
        matches!(self, Self::Fault(Fault::Limit { resets_at }) if *resets_at <= clock::now())
    }
}

/// A rule for every call of a stage. It answers well until it is told what else to do.
pub(crate) fn on(stage: Stage) -> On {
    On(Rule { stage, task: None, times: usize::MAX, what: What::Fault(Fault::Broken) })
}

/// A rule that does not say yet what is to be done.
#[derive(Clone, Debug)]
pub(crate) struct On(Rule);

impl On {
    pub(crate) fn task(mut self, id: &str) -> Self {
        self.0.task = Some(id.to_owned());
        self
    }

    pub(crate) fn times(mut self, times: usize) -> Self {
        self.0.times = times;
        self
    }

    /// The call fails.
    pub(crate) fn fails(mut self, fault: Fault) -> Rule {
        self.0.what = What::Fault(fault);
        self.0
    }

    /// The model runs a command first.
    pub(crate) fn runs(mut self, command: &str) -> Rule {
        self.0.what = What::Shell(command.to_owned());
        self.0
    }
}

/// A call, as it was understood and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) stage: Stage,
    pub(crate) task: String,
    /// What the answer said it took; nothing where it was refused.
    pub(crate) tokens: Tokens,
    /// What was wrong with the call.
    pub(crate) complaint: Option<String>,
}

/// How a call is answered.
#[derive(Debug)]
pub(super) enum Answer {
    Turn(Turn),
    Fault(Fault),
}

/// Rules, and what has been seen.
#[derive(Debug)]
pub(super) struct Model {
    project: PathBuf,
    pub(super) rules: Vec<Rule>,
    pub(super) seen: Vec<Seen>,
}

impl Model {
    pub(super) fn new(project: &Path) -> Self {
        Self { project: project.to_owned(), rules: vec![], seen: vec![] }
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let (Some(stage), false) = (request.stage, request.is_helper()) else {
            return Answer::Turn(Turn::text(if request.wants_json { "{}" } else { "A title" }));
        };
        let (answer, complaint) = match self.ruled(stage, &request.task) {
            Some(What::Fault(fault)) => (Answer::Fault(fault), None),
            Some(What::Shell(command)) if request.results == 0 => {
                told(Tool::shell(request, &command))
            }
            Some(What::Shell(_)) | None => self.work(request, stage),
        };
        let tokens = match &answer {
            Answer::Turn(_) => TOKENS,
            Answer::Fault(_) => Tokens::default(),
        };
        self.seen.push(Seen { stage, task: request.task.clone(), tokens, complaint });
        answer
    }

    fn ruled(&mut self, stage: Stage, task: &str) -> Option<What> {
        let fits = |rule: &&mut Rule| {
            let is_its = rule.task.as_ref().is_none_or(|id| id == task);
            rule.stage == stage && is_its && rule.times > 0 && !rule.what.is_over()
        };
        let rule = self.rules.iter_mut().find(fits)?;
        rule.times -= 1;
        Some(rule.what.clone())
    }

    fn work(&self, request: &Request, stage: Stage) -> (Answer, Option<String>) {
        match stage {
            Stage::Implement if request.results == 0 => {
                let path = self.project.join(format!("src/{}.txt", request.task));
                told(Tool::write(request, &path, &format!("written for {}\n", request.task)))
            }
            Stage::Implement => (said("The file is written, and the command passes."), None),
            Stage::Plan => (said("**Goal**: the file is there.\n**Steps**: write it."), None),
            Stage::PlanCritique | Stage::ImplCritique => {
                (said("All of it holds.\n\n## Notes\nnone\n\nVERDICT: PASS"), None)
            }
            Stage::Verify => (said("Nobody asks a model for that."), None),
        }
    }
}

fn said(text: &str) -> Answer {
    Answer::Turn(Turn::text(text))
}

fn told(tool: Result<Tool, String>) -> (Answer, Option<String>) {
    match tool {
        Ok(tool) => (Answer::Turn(Turn::tool(tool)), None),
        Err(complaint) => (said(&complaint), Some(complaint)),
    }
}
