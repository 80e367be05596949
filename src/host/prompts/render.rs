//! From a template to a prompt.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::context::{Context, title};
use super::input::Prompt;
use super::sample;
use crate::engine::secret::redact;
use crate::engine::task::Task;
use crate::engine::text::one_line;
use crate::host::fence::without_rulings;

/// The longest prompt, in bytes. Linux takes 128 KiB for one argument of a program, and some agents
/// take their prompt as an argument.
pub const PROMPT_MAX: usize = 120 << 10;

/// The longest template, in bytes. The longest built-in one has five thousand.
const TEMPLATE_MAX: u64 = 64 << 10;

/// How many steps a template may take. The longest built-in one takes a few thousand.
const STEPS_MAX: u64 = 1_000_000;

/// Templates that others include.
const PARTS: [(&str, &str); 2] =
    [("task", include_str!("task.md")), ("verdicts", include_str!("verdicts.md"))];

/// Which prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PromptName {
    /// For whoever writes the plan.
    Planner,
    /// For whoever judges the plan.
    PlanCritic,
    /// For whoever changes the work tree.
    Implementer,
    /// For whoever judges the change.
    ImplCritic,
}

impl PromptName {
    /// Every prompt.
    pub const ALL: [Self; 4] =
        [Self::Planner, Self::PlanCritic, Self::Implementer, Self::ImplCritic];

    /// What stands in the first line.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Planner => "Planner",
            Self::PlanCritic => "Plan Critic",
            Self::Implementer => "Implementer",
            Self::ImplCritic => "Impl Critic",
        }
    }

    /// The file in the state directory's `prompts` that replaces the built-in template.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Planner => "planner.md",
            Self::PlanCritic => "plan_critic.md",
            Self::Implementer => "implementer.md",
            Self::ImplCritic => "impl_critic.md",
        }
    }

    /// The built-in template.
    pub fn built_in(self) -> &'static str {
        match self {
            Self::Planner => include_str!("planner.md"),
            Self::PlanCritic => include_str!("plan_critic.md"),
            Self::Implementer => include_str!("implementer.md"),
            Self::ImplCritic => include_str!("impl_critic.md"),
        }
    }
}

impl Prompt<'_> {
    /// Which prompt it is.
    pub fn name(&self) -> PromptName {
        match self {
            Self::Planner(_) => PromptName::Planner,
            Self::PlanCritic(_) => PromptName::PlanCritic,
            Self::Implementer(_) => PromptName::Implementer,
            Self::ImplCritic(_) => PromptName::ImplCritic,
        }
    }

    fn task(&self) -> &Task {
        match self {
            Self::Planner(brief) => brief.task,
            Self::PlanCritic(critic) => critic.brief.task,
            Self::Implementer(implementer) => implementer.brief.task,
            Self::ImplCritic(critic) => critic.brief.task,
        }
    }
}

/// Why there is no prompt.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A template cannot be read.
    #[error("cannot read the template {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A template is no regular file, too long or not UTF-8.
    #[error("the template {path} is {what}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A template has a mistake.
    #[error("cannot render {path}, line {line}: {what}")]
    Template {
        /// The file, or the name of a built-in template.
        path: PathBuf,
        /// The line, from one; 0 where nobody knows.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// A template makes a prompt of more than [`PROMPT_MAX`] bytes.
    #[error("the prompt made from {path} is longer than {PROMPT_MAX} bytes")]
    TooLong {
        /// The file, or the name of a built-in template.
        path: PathBuf,
    },
}

/// The templates of a run.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    replaced: BTreeMap<PromptName, (PathBuf, String)>,
}

impl Prompts {
    /// Reads the templates that this directory replaces, and tries each on made-up tasks: a mistake
    /// shows before an agent is paid.
    ///
    /// # Errors
    /// A file is there and cannot be read, or does not render.
    pub fn load(directory: &Path) -> Result<Self, PromptError> {
        let mut replaced = BTreeMap::new();
        for name in PromptName::ALL {
            let path = directory.join(name.file_name());
            if let Some(text) = read(&path)? {
                replaced.insert(name, (path, text));
            }
        }
        let prompts = Self { replaced };
        if !prompts.replaced.is_empty() {
            sample::each(|prompt| prompts.render(prompt).map(drop))?;
        }
        Ok(prompts)
    }

    /// The files that replace built-in templates.
    pub fn replaced(&self) -> impl Iterator<Item = &Path> {
        self.replaced.values().map(|(path, _)| path.as_path())
    }

    /// Writes a prompt.
    ///
    /// # Errors
    /// A replaced template names what is not there, or makes too much of it.
    pub fn render(&self, prompt: &Prompt<'_>) -> Result<String, PromptError> {
        let name = prompt.name();
        let (path, source) = match self.replaced.get(&name) {
            Some((path, source)) => (Cow::Borrowed(path), source.as_str()),
            None => (Cow::Owned(Path::new("built-in").join(name.file_name())), name.built_in()),
        };
        let task = prompt.task();
        let heading = format!("Task {}: {}", one_line(task.id.as_str(), 64), title(&task.title));
        let mut out = Bounded { text: Vec::new(), is_full: false };
        out.text.extend(format!("# {}\n\n{heading}\n\n", name.heading()).bytes());
        let body = render(&path, source, &Context::new(prompt), &mut out);
        if out.is_full {
            return Err(PromptError::TooLong { path: path.into_owned() });
        }
        body.map_err(|error| mistake(&path, &error))?;
        // Titles and criteria are not fenced one by one, and what is sent must be what is stored.
        let clean = redact(&out.text);
        let text = String::from_utf8_lossy(&clean);
        Ok(without_rulings(text.trim_end()).into_owned() + "\n")
    }
}

fn render(
    path: &Path,
    source: &str,
    context: &Context,
    out: &mut Bounded,
) -> Result<(), minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build()?);
    environment.set_fuel(Some(STEPS_MAX));
    for (name, part) in PARTS {
        environment.add_template(name, part)?;
    }
    let path = path.to_string_lossy();
    let template = environment.template_from_named_str(&path, source)?;
    template.render_captured_to(Serde(context), out).map(drop)
}

/// The innermost place that the error names: an included part is where the mistake is.
fn mistake(path: &Path, error: &minijinja::Error) -> PromptError {
    let mut place = error;
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        place = inner.downcast_ref::<minijinja::Error>().unwrap_or(place);
        source = inner.source();
    }
    let what = match place.detail() {
        Some(detail) => format!("{}: {detail}", place.kind()),
        None => place.kind().to_string(),
    };
    PromptError::Template {
        path: place.name().map_or_else(|| path.to_owned(), PathBuf::from),
        line: place.line().unwrap_or(0),
        what: one_line(&what, 300),
    }
}

/// A file's text; `None` where there is no file.
fn read(path: &Path) -> Result<Option<String>, PromptError> {
    let failed = |source| PromptError::Read { path: path.to_owned(), source };
    let unfit = |what| PromptError::Unfit { path: path.to_owned(), what };
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        // Opening a pipe would wait for ever.
        Ok(metadata) if !metadata.is_file() => return Err(unfit("not a file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(TEMPLATE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > TEMPLATE_MAX {
        return Err(unfit("longer than 64 KiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| unfit("not UTF-8"))
}

/// Takes what a template writes as long as there is room.
struct Bounded {
    text: Vec<u8>,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > PROMPT_MAX {
            self.is_full = true;
            return Err(io::Error::other("the prompt is too long"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
