//! The command line.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::charter::GateId;
use crate::engine::event::EventKind;
use crate::host::paths::STATE_DIR;

/// Works through a backlog with AI coding agents, unattended. Deterministic gates decide what is
/// committed; every step is an event in a log that can be replayed.
#[derive(Debug, Parser)]
#[command(name = "looper", version, max_term_width = 100, subcommand_required = true)]
#[command(arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where and how.
    #[command(flatten)]
    pub global: Global,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, or iterations used up · 1 a person is needed · 2 rate limit, run again later · \
3 refused before any agent was called · 4 bad log · 5 safety rule · 6 agent unusable · 64 usage · \
70 bug · 74 machine failure · 130 interrupted";

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The project: the root of a git work tree [default: the one around the current directory].
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// The state directory, relative to the project.
    #[arg(long, global = true, value_name = "DIR", env = "LOOPER_STATE_DIR")]
    #[arg(default_value = STATE_DIR, value_parser = OsStringValueParser::new().map(state_dir))]
    pub state_dir: PathBuf,
    /// The backlog [default: backlog.md in the state directory, else .loop-agent/backlog.md].
    #[arg(long, global = true, value_name = "FILE")]
    pub backlog: Option<PathBuf>,
    /// How data is printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// When output is coloured.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Say more: in doctor and log, and in debug.log; twice: everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// An empty variable is as good as none.
fn state_dir(given: OsString) -> PathBuf {
    if given.is_empty() { STATE_DIR.into() } else { given.into() }
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// One page for a browser, of a report.
    Html,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do the main job on a throw-away project with a built-in scripted agent.
    Demo(DemoArgs),
    /// Work through the backlog. First settles what an earlier run left open.
    Run(Box<RunArgs>),
    /// Ask the running loop to end after the attempt in hand.
    Stop(StopArgs),
    /// Show progress, the running stage, blocked tasks and what a person can do.
    Status(StatusArgs),
    /// Check a backlog.
    Lint(LintArgs),
    /// Show the event log.
    Log(LogArgs),
    /// List tasks by state.
    Ls(LsArgs),
    /// Report what became of everything and what it took: Markdown, JSON or one HTML page.
    Report(ReportArgs),
    /// Set a task aside.
    Block(BlockArgs),
    /// Let a blocked task run again.
    Unblock(UnblockArgs),
    /// Fold a log and check that every decision would be made again.
    Replay(ReplayArgs),
    /// Try to get bad work committed, and count what gets through.
    Bench(BenchArgs),
    /// Check that everything a run needs is there.
    Doctor(DoctorArgs),
    /// Print a JSON Schema of a public format.
    Schema(SchemaArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page.
    Man,
    /// Follow a script instead of thinking: the agent of the demo.
    #[command(hide = true)]
    ScriptedAgent(ScriptedAgentArgs),
    /// Give up writing everywhere else, and become another program.
    #[command(name = "__confine", hide = true)]
    Confine(ConfineArgs),
    /// Do and print what was recorded of an agent.
    #[command(name = "__play", hide = true)]
    Play(PlayArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave the project in this directory, which must not exist yet.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Task attempts after which the run ends [default: until nothing is runnable].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub iterations: Option<u32>,
    /// The agent for every role; replay:DIR tells again what was recorded there.
    #[arg(short, long, visible_alias = "cli", value_name = "A")]
    pub agent: Option<String>,
    /// Work on this task only.
    #[arg(long, value_name = "T")]
    pub task: Option<String>,
    /// The stages of an attempt: full or solo.
    #[arg(long, value_name = "P")]
    pub profile: Option<String>,
    /// Print the next prompt and run nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Sleep through a rate limit instead of exiting with 2.
    #[arg(long)]
    pub wait: bool,
    /// Keep uncommitted changes aside instead of refusing them.
    #[arg(long)]
    pub allow_dirty: bool,
    /// Record what agents print and do in this directory: raw, secrets included.
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run")]
    pub record: Option<PathBuf>,
    /// Make a git repository of a project that is none.
    #[arg(long)]
    pub git_init: bool,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// End at once, with a rollback.
    #[arg(long)]
    pub now: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Show it again whenever something happens.
    #[arg(long)]
    pub watch: bool,
}

/// Arguments of `lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// The backlog, instead of the project's.
    #[arg(value_name = "BACKLOG")]
    pub file: Option<PathBuf>,
}

/// Arguments of `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Go on with new events as they happen.
    #[arg(short, long)]
    pub follow: bool,
    /// Only events about this task.
    #[arg(long, value_name = "T")]
    pub task: Option<String>,
    /// Only events of this run.
    #[arg(long, value_name = "R")]
    pub run: Option<String>,
    /// Only events of this name.
    #[arg(long, value_name = "E", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(EventKind::NAMES))]
    pub event: Option<String>,
    /// Only events since then: a time, or a span such as 2h.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

/// Arguments of `ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// Only tasks in this state.
    #[arg(value_enum)]
    pub state: Option<LsState>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Write it into this file instead of printing it.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only on this run; the beginning of its id is enough.
    #[arg(long, value_name = "R")]
    pub run: Option<String>,
}

/// A state of a task, as `ls` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LsState {
    /// Neither done nor blocked.
    Todo,
    /// In hand.
    Doing,
    /// Waiting for a person.
    Blocked,
    /// Done.
    Done,
}

/// Arguments of `block`.
#[derive(Debug, Args)]
pub struct BlockArgs {
    /// The task.
    pub task: String,
    /// Why.
    #[arg(long)]
    pub reason: String,
}

/// Arguments of `unblock`.
#[derive(Debug, Args)]
pub struct UnblockArgs {
    /// The task.
    pub task: String,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The log [default: the project's].
    #[arg(value_name = "LOG")]
    pub log: Option<PathBuf>,
    /// Compare the log with the commits of the repository too.
    #[arg(long)]
    pub check_git: bool,
    /// Check every object that the log names too.
    #[arg(long)]
    pub objects: bool,
    /// Check each PASS again: its tree in a clean checkout, its verify commands run for real.
    #[arg(long)]
    pub reverify: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Only these scenarios.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Take scenarios from this directory, one folder each, instead of those built in.
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// List the scenarios and what they try.
    #[arg(long)]
    pub list: bool,
    /// How many run at a time [default: as many as there are cores].
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// Switch a gate off in every scenario; may be given more than once.
    #[arg(long, value_name = "GATE")]
    pub off: Vec<Gate>,
    /// Let a loop that believes its agents have a go instead.
    #[arg(long, conflicts_with = "off")]
    pub believer: bool,
    /// Leave everything in this directory, which must not exist yet.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Read logs instead of running scenarios: what became of scenarios, and what later facts say
    /// about the commits of real runs.
    #[arg(long, value_name = "LOG", num_args = 1.., conflicts_with_all = ["names", "scenarios", "list", "off", "believer", "keep"])]
    pub from_log: Vec<PathBuf>,
    /// With --from-log: run the verify commands of every commit again, each in a clean checkout.
    #[arg(long, requires = "from_log")]
    pub reverify: bool,
    /// Put small faults into everything that this log has committed, and see which of them the
    /// verify commands notice.
    #[arg(long, value_name = "LOG", conflicts_with_all = ["names", "scenarios", "list", "off", "believer", "keep", "from_log"])]
    pub mutate: Option<PathBuf>,
    /// With --mutate: what the choice of faults depends on [default: 0].
    #[arg(long, value_name = "N", requires = "mutate")]
    pub seed: Option<u64>,
    /// With --mutate: how many faults are tried in each task [default: 10].
    #[arg(long, value_name = "N", requires = "mutate")]
    pub mutants: Option<NonZero<usize>>,
}

/// A gate, by its name.
#[derive(Clone, Copy, Debug)]
pub struct Gate(pub GateId);

impl std::str::FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = GateId::ALL.into_iter().find(|gate| gate.name() == text);
        found.map(Self).ok_or_else(|| {
            let names: Vec<&str> = GateId::ALL.iter().map(|gate| gate.name()).collect();
            format!("no such gate; there are {}", names.join(", "))
        })
    }
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which format [default: list them].
    pub name: Option<String>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of the scripted agent.
#[derive(Debug, Args)]
pub struct ScriptedAgentArgs {
    /// What to pass on to it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// Arguments of the process that confines itself.
#[derive(Debug, Args)]
pub struct ConfineArgs {
    /// A file or directory that may be written.
    #[arg(long = "write", value_name = "PATH")]
    pub writable: Vec<PathBuf>,
    /// Give up TCP as well.
    #[arg(long)]
    pub no_network: bool,
    /// The program, and what it is given.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Arguments of the process that plays a recording.
#[derive(Debug, Args)]
pub struct PlayArgs {
    /// The folder of the recording.
    pub folder: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
