//! What verify commands returned and printed, for people and for scripts.

use super::command_run::CommandRun;
use crate::host::fence::Block;

/// What is shown of a command's output. The log names the object that has all of it.
const OUTPUT_MAX: usize = 64 << 10;

/// Runs of verify commands.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// On the candidate.
    pub runs: &'a [CommandRun<'a>],
    /// Without the change, where that was asked for.
    pub without: Option<&'a [CommandRun<'a>]>,
    /// Seconds after which a command was ended.
    pub timeout_s: u64,
}

impl Results<'_> {
    /// One line for each run on the candidate.
    pub(super) fn exit_codes(&self) -> String {
        let line = |(run, label): (&CommandRun<'_>, String)| {
            let timeout =
                if run.timed_out { format!(" timeout={}", self.timeout_s) } else { String::new() };
            format!("command_{label}={} exit={}{timeout}\n", run.status(), run.exit_word())
        };
        self.runs.iter().zip(labels(self.runs)).map(line).collect()
    }

    /// All that is known, in Markdown.
    pub(super) fn page(&self) -> String {
        let mut text =
            format!("# Verify Results\n\nTimeout seconds: {}\n{}", self.timeout_s, told(self.runs));
        if let Some(runs) = self.without {
            text.push_str("\n# Without the Change\n");
            text.push_str(&told(runs));
        }
        text
    }
}

/// `2`, or `2_run_3` where commands are repeated: the number of the command among different ones.
fn labels(runs: &[CommandRun<'_>]) -> Vec<String> {
    let mut commands: Vec<(&str, u32)> = Vec::new();
    let mut labels = Vec::with_capacity(runs.len());
    for run in runs {
        let known = commands.iter().position(|(command, _)| *command == run.command);
        let index = known.unwrap_or(commands.len());
        if known.is_none() {
            commands.push((run.command, 0));
        }
        commands[index].1 += 1;
        labels.push(match commands[index].1 {
            1 => format!("{}", index + 1),
            count => format!("{}_run_{count}", index + 1),
        });
    }
    labels
}

fn told(runs: &[CommandRun<'_>]) -> String {
    let mut text = String::new();
    for (run, label) in runs.iter().zip(labels(runs)) {
        let command = Block::new("sh", run.command.as_bytes(), OUTPUT_MAX);
        let output = Block::unless_blank("text", run.output, OUTPUT_MAX);
        text.push_str(&format!(
            "\n## Command {label}\n\nStatus: {}\nExit code: {}\nDuration ms: {}\n\n{}\n\nOutput:{}\n",
            run.status(),
            run.exit_word(),
            run.duration_ms,
            command.as_str(),
            output.as_ref().map_or_else(|| " none".to_owned(), |it| format!("\n\n{}", it.as_str())),
        ));
    }
    text
}
