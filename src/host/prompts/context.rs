//! What templates can name. Everything in here is safe to print anywhere in a prompt.

use serde::Serialize;

use super::input::{Brief, ImplCritic, Implementer, PlanCritic, Prompt};
use crate::engine::charter::{GateId, Stage};
use crate::engine::id::RepoPath;
use crate::engine::text::{one_line, path_line};
use crate::engine::verdict::Verdict;
use crate::host::evidence::CommandRun;
use crate::host::fence::{Block, code};

// Bytes of each part. Together they stay below the size of a prompt that fits into one argument of
// a program.
const DESCRIPTION_MAX: usize = 6 << 10;
const CRITERIA_MAX: usize = 6 << 10;
const FILES_MAX: usize = 8 << 10;
const COMMANDS_MAX: usize = 6 << 10;
const PLAN_MAX: usize = 12 << 10;
const CRITIQUE_MAX: usize = 6 << 10;
const PATHS_MAX: usize = 6 << 10;
const OUT_OF_SCOPE_MAX: usize = 3 << 10;
const DIFF_STAT_MAX: usize = 3 << 10;
const DIFF_MAX: usize = 32 << 10;
const OUTPUTS_MAX: usize = 16 << 10;

/// The longest output of one command that is shown.
const OUTPUT_MAX: usize = 6 << 10;

/// What is shown of a command that passed while others failed.
const OUTPUT_OF_PASSED_MAX: usize = 400;

/// How many commands are shown with their results.
const RUNS_MAX: usize = 24;

/// Characters of a reason, as the log keeps it.
const REASON_MAX: usize = 300;

/// Characters of a path, a criterion or a command in one line.
const LINE_MAX: usize = 300;

/// The variables of a template.
#[derive(Debug, Serialize)]
pub(super) struct Context {
    attempt: u32,
    state_dir: String,
    backlog: String,
    task: TaskView,
    gates: Gates,
    verify: VerifyView,
    retry: Option<RetryView>,
    plan: Option<Block>,
    plan_critique: Option<Block>,
    changed: Vec<String>,
    out_of_scope: Vec<String>,
    diff_stat: Option<Block>,
    diff: Option<Block>,
    commands: Option<Vec<RunView>>,
    commands_left_out: Option<String>,
    verdicts: Vec<VerdictView>,
}

#[derive(Debug, Serialize)]
struct TaskView {
    id: String,
    title: String,
    description: Option<Block>,
    criteria: Option<Block>,
    files: Vec<String>,
    has_globs: bool,
    verify: Vec<Block>,
}

/// Which gates are on.
#[derive(Debug, Serialize)]
struct Gates {
    secret: bool,
    scope: bool,
    change: bool,
    protected: bool,
    verify: bool,
    impl_critique: bool,
}

#[derive(Debug, Serialize)]
struct VerifyView {
    timeout_s: u64,
}

#[derive(Debug, Serialize)]
struct RetryView {
    fail_count: u32,
    last_failure: Block,
    evidence: String,
}

#[derive(Debug, Serialize)]
struct RunView {
    line: String,
    result: String,
    duration_ms: u64,
    output: Option<Block>,
}

#[derive(Debug, Serialize)]
struct VerdictView {
    line: String,
    meaning: &'static str,
}

impl Context {
    /// The variables of this prompt.
    pub(super) fn new(prompt: &Prompt<'_>) -> Self {
        match prompt {
            Prompt::Planner(brief) => Self::of(brief, &[]),
            Prompt::PlanCritic(PlanCritic { brief, plan }) => Self {
                plan: Some(Block::new("markdown", plan, PLAN_MAX)),
                ..Self::of(brief, &PLAN_VERDICTS)
            },
            Prompt::Implementer(Implementer { brief, plan, plan_critique }) => Self {
                plan: plan.and_then(|it| Block::unless_blank("markdown", it, PLAN_MAX)),
                plan_critique: plan_critique
                    .and_then(|it| Block::unless_blank("markdown", it, CRITIQUE_MAX)),
                ..Self::of(brief, &[])
            },
            Prompt::ImplCritic(critic) => Self::of_change(critic),
        }
    }

    fn of(brief: &Brief<'_>, verdicts: &[(Verdict, &'static str)]) -> Self {
        let task = brief.task;
        let is_on = |gate| !brief.policy.gates_off.contains(&gate);
        let criterion = |text: &String| format!("- {}\n", one_line(text, CRITERIA_MAX));
        let criteria: String = task.criteria.iter().map(criterion).collect();
        Self {
            attempt: brief.attempt,
            state_dir: code(brief.state_dir, LINE_MAX),
            backlog: code(brief.backlog, LINE_MAX),
            task: TaskView {
                id: one_line(task.id.as_str(), LINE_MAX),
                title: title(&task.title),
                description: Block::unless_blank(
                    "markdown",
                    task.description.as_bytes(),
                    DESCRIPTION_MAX,
                ),
                criteria: Block::unless_blank("markdown", criteria.as_bytes(), CRITERIA_MAX),
                files: list(task.files.iter().map(|it| code(it.as_str(), LINE_MAX)), FILES_MAX),
                has_globs: task.files.iter().any(|pattern| pattern.is_glob()),
                verify: commands(&task.verify),
            },
            gates: Gates {
                secret: is_on(GateId::Secret),
                scope: is_on(GateId::Scope),
                change: is_on(GateId::Change),
                protected: is_on(GateId::Protected),
                verify: is_on(GateId::Verify),
                impl_critique: is_on(GateId::ImplCritique)
                    && brief.policy.stages.contains(&Stage::ImplCritique),
            },
            verify: VerifyView { timeout_s: brief.policy.verify.timeout_s },
            retry: brief.retry.map(|retry| RetryView {
                fail_count: retry.fail_count,
                last_failure: Block::new(
                    "text",
                    one_line(retry.last_failure, REASON_MAX).as_bytes(),
                    REASON_MAX * 4,
                ),
                evidence: code(retry.evidence, LINE_MAX),
            }),
            plan: None,
            plan_critique: None,
            changed: Vec::new(),
            out_of_scope: Vec::new(),
            diff_stat: None,
            diff: None,
            commands: None,
            commands_left_out: None,
            verdicts: verdicts
                .iter()
                .map(|(verdict, meaning)| VerdictView {
                    line: format!("VERDICT: {}", verdict.word()),
                    meaning,
                })
                .collect(),
        }
    }

    fn of_change(critic: &ImplCritic<'_>) -> Self {
        let paths = |paths: &[RepoPath], bytes_max| {
            list(paths.iter().map(|path| code(&path_line(path), LINE_MAX)), bytes_max)
        };
        let shown = critic.commands.map(shown_runs);
        let runs = critic.commands.unwrap_or_default();
        Self {
            plan: critic.plan.and_then(|it| Block::unless_blank("markdown", it, PLAN_MAX)),
            changed: paths(critic.changed, PATHS_MAX),
            out_of_scope: paths(critic.out_of_scope, OUT_OF_SCOPE_MAX),
            diff_stat: Block::unless_blank("text", critic.diff_stat, DIFF_STAT_MAX),
            diff: Block::unless_blank("diff", critic.diff, DIFF_MAX),
            commands_left_out: shown.as_ref().and_then(|shown| left_out(runs, shown)),
            commands: shown.map(|shown| run_views(&shown)),
            // What went wrong before says nothing about this change, and its evidence holds an
            // implementer's words.
            retry: None,
            ..Self::of(&critic.brief, &IMPL_VERDICTS)
        }
    }
}

/// The task's title as the second line of every prompt shows it.
pub(super) fn title(text: &str) -> String {
    one_line(text, 200)
}

const PLAN_VERDICTS: [(Verdict, &str); 6] = [
    (Verdict::Pass, "it can be carried out as it is."),
    (Verdict::Fail, "it must be made anew; your findings say why."),
    (Verdict::Blocked, "no plan can work before a person decides something; say what."),
    (
        Verdict::ScopeExpand,
        "the task needs paths that it does not list; list them under `## Requested files`.",
    ),
    (
        Verdict::SplitTask,
        "the task is too large for one attempt; list its parts under `## Suggested tasks`.",
    ),
    (
        Verdict::DependencyInsert,
        "something else must be done first; describe it under `## Suggested tasks`.",
    ),
];

const IMPL_VERDICTS: [(Verdict, &str); 6] = [
    (Verdict::Pass, "the task is done and the change can be committed as it is."),
    (Verdict::Fail, "it is not; the attempt is undone and your findings go to the next one."),
    (Verdict::Blocked, "no attempt can work before a person decides something; say what."),
    (
        Verdict::ScopeExpand,
        "the task cannot be done within its paths; list the missing ones under `## Requested files`.",
    ),
    (
        Verdict::SplitTask,
        "the task is too large for one attempt; list its parts under `## Suggested tasks`.",
    ),
    (
        Verdict::DependencyInsert,
        "something else must be done first; describe it under `## Suggested tasks`.",
    ),
];

/// As many items as fit, and a last one that says how many are missing.
fn list(items: impl ExactSizeIterator<Item = String>, bytes_max: usize) -> Vec<String> {
    let count = items.len();
    let mut lines = Vec::new();
    let mut size = 0;
    for item in items {
        size += item.len() + "- \n".len();
        if size > bytes_max {
            lines.push(format!("… and {} more", count - lines.len()));
            break;
        }
        lines.push(item);
    }
    lines
}

fn commands(commands: &[String]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut size = 0;
    for (index, command) in commands.iter().enumerate() {
        let block = Block::new("sh", command.as_bytes(), COMMANDS_MAX / 2);
        size += block.as_str().len() + 2;
        if size > COMMANDS_MAX {
            let rest = format!("# and {} more commands", commands.len() - index);
            blocks.push(Block::new("sh", rest.as_bytes(), LINE_MAX));
            break;
        }
        blocks.push(block);
    }
    blocks
}

/// Which runs are shown: those that failed before those that passed, in their order.
fn shown_runs<'a, 'b>(runs: &'b [CommandRun<'a>]) -> Vec<&'b CommandRun<'a>> {
    let failed = runs.iter().filter(|run| !run.passed()).count().min(RUNS_MAX);
    let (mut failed, mut passed) = (failed, RUNS_MAX - failed);
    let keep = |run: &&CommandRun<'_>| {
        let room = if run.passed() { &mut passed } else { &mut failed };
        let has_room = *room > 0;
        *room = room.saturating_sub(1);
        has_room
    };
    runs.iter().filter(keep).collect()
}

fn left_out(runs: &[CommandRun<'_>], shown: &[&CommandRun<'_>]) -> Option<String> {
    let count = runs.len() - shown.len();
    let failed = runs.iter().filter(|run| !run.passed()).count()
        - shown.iter().filter(|run| !run.passed()).count();
    (count > 0).then(|| format!("{count} more commands are left out; {failed} of them failed."))
}

fn run_views(runs: &[&CommandRun<'_>]) -> Vec<RunView> {
    let failed = runs.iter().filter(|run| !run.passed()).count();
    let passed = runs.len() - failed;
    let rest = OUTPUTS_MAX.saturating_sub(passed * OUTPUT_OF_PASSED_MAX);
    let view = |run: &&CommandRun<'_>| {
        let bytes_max = match (run.passed(), failed) {
            (true, 0) => OUTPUTS_MAX / passed.max(1),
            (true, _) => OUTPUT_OF_PASSED_MAX,
            (false, _) => rest / failed,
        };
        RunView {
            line: code(&one_line(run.command, LINE_MAX), LINE_MAX),
            result: run.result(),
            duration_ms: run.duration_ms,
            output: Block::unless_blank("text", run.output, bytes_max.min(OUTPUT_MAX)),
        }
    };
    runs.iter().map(view).collect()
}
