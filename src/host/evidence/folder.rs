//! The folder of one attempt.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::command_run::CommandRun;
use crate::engine::event::SecretFinding;
use crate::engine::id::RepoPath;
use crate::engine::policy::secret_path;
use crate::engine::secret::redact;
use crate::engine::text::{escape, path_line};
use crate::engine::verdict::Verdict;
use crate::host::prompts::fence::Block;

/// What is shown of a command's output. The log names the object that has all of it.
const OUTPUT_MAX: usize = 64 << 10;

/// Why a file for people cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A directory cannot be made.
    #[error("cannot create the directory {path}")]
    Create {
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// What an agent wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The planner's answer.
    Plan,
    /// The answer of the plan's critic.
    PlanCritique,
    /// The implementer's answer.
    ImplSummary,
    /// The answer of the change's critic.
    ImplCritique,
}

impl Document {
    /// Its file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Plan => "plan.md",
            Self::PlanCritique => "plan_critique.md",
            Self::ImplSummary => "impl_summary.md",
            Self::ImplCritique => "impl_critique.md",
        }
    }
}

/// What an attempt changed.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Every changed path.
    pub changed: &'a [RepoPath],
    /// Those that the task does not allow.
    pub out_of_scope: &'a [RepoPath],
    /// Content that looks secret.
    pub secrets: &'a [SecretFinding],
    /// The change, summed up.
    pub diff_stat: &'a [u8],
    /// The change.
    pub diff: &'a [u8],
}

/// The folder `evidence/loop-N` of one attempt. Nothing in it is flushed to the disk: the log can
/// rebuild it.
#[derive(Clone, Debug)]
pub struct EvidenceDir {
    path: PathBuf,
    number: u64,
}

impl EvidenceDir {
    /// Makes the folder of the attempt with this number, counted over the project's life.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(state_dir: &Path, number: u64) -> Result<Self, EvidenceError> {
        let parent = state_dir.join("evidence");
        let path = parent.join(format!("loop-{number}"));
        directory(&parent)?;
        directory(&path)?;
        Ok(Self { path, number })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder as seen from the state directory.
    pub fn relative(&self) -> String {
        format!("evidence/loop-{}", self.number)
    }

    /// Keeps what an agent wrote.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn document(&self, document: Document, text: &[u8]) -> Result<(), EvidenceError> {
        self.write(document.file_name(), &redact(text))
    }

    /// Keeps what an attempt changed.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn change(&self, change: &Change<'_>) -> Result<(), EvidenceError> {
        self.write("changed_files.txt", path_lines(change.changed).as_bytes())?;
        self.write("out_of_scope.txt", path_lines(change.out_of_scope).as_bytes())?;
        self.write("secret_paths.txt", secret_lines(change).as_bytes())?;
        self.write("diff_stat.txt", change.diff_stat)?;
        self.write("diff.patch", &redact(change.diff))
    }

    /// Keeps the verify commands, one per line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn verify_commands(&self, commands: &[String]) -> Result<(), EvidenceError> {
        let line = |command: &String| format!("{}\n", escape(command, &['\t']));
        let lines: String = commands.iter().map(line).collect();
        self.write("verify_commands.txt", &redact(lines.as_bytes()))
    }

    /// Keeps what the verify commands returned and printed.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn verify_results(
        &self,
        runs: &[CommandRun<'_>],
        timeout_s: u64,
    ) -> Result<(), EvidenceError> {
        self.write("verify_results.md", results(runs, timeout_s).as_bytes())?;
        self.write("verify_exit_codes.txt", exit_codes(runs, timeout_s).as_bytes())
    }

    /// Keeps a proposal.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn proposal(&self, verdict: Verdict, document: &str) -> Result<(), EvidenceError> {
        let name = format!("{}_proposal.md", verdict.word().to_lowercase());
        self.write(&name, &redact(document.as_bytes()))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), EvidenceError> {
        put(&self.path, name, content)
    }
}

/// Writes the window into the state directory.
///
/// # Errors
/// The file cannot be written.
pub fn write_progress_window(state_dir: &Path, text: &str) -> Result<(), EvidenceError> {
    put(state_dir, "progress_window.md", &redact(text.as_bytes()))
}

/// Makes a directory. A link or a file in its place is removed: an agent may have put it there to
/// have something else overwritten.
fn directory(path: &Path) -> Result<(), EvidenceError> {
    let make = || match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(path),
        Err(error) => Err(error),
    };
    make().map_err(|source| EvidenceError::Create { path: path.to_owned(), source })
}

/// Writes a file beside its place and moves it there: readers see all of it or the one before, and
/// a link in its place is replaced, not followed.
fn put(directory: &Path, name: &str, content: &[u8]) -> Result<(), EvidenceError> {
    let path = directory.join(name);
    let draft = directory.join(format!(".{name}.draft"));
    let write = || {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        OpenOptions::new().write(true).create_new(true).open(&draft)?.write_all(content)?;
        fs::rename(&draft, &path)
    };
    write().map_err(|source| EvidenceError::Write { path: path.clone(), source })
}

fn path_lines(paths: &[RepoPath]) -> String {
    paths.iter().map(|path| format!("{}\n", path_line(path))).collect()
}

/// Each path with the reason, separated by a tab.
fn secret_lines(change: &Change<'_>) -> String {
    let named =
        change.changed.iter().filter_map(|path| Some((path, secret_path(path)?.to_owned())));
    let found = change
        .secrets
        .iter()
        .map(|finding| (&finding.path, format!("line {}: {}", finding.line, finding.rule)));
    named
        .chain(found)
        .map(|(path, why)| format!("{}\t{}\n", path_line(path), escape(&why, &[])))
        .collect()
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

fn exit_codes(runs: &[CommandRun<'_>], timeout_s: u64) -> String {
    let line = |(run, label): (&CommandRun<'_>, String)| {
        let timeout = if run.timed_out { format!(" timeout={timeout_s}") } else { String::new() };
        format!("command_{label}={} exit={}{timeout}\n", run.status(), run.exit_word())
    };
    runs.iter().zip(labels(runs)).map(line).collect()
}

fn results(runs: &[CommandRun<'_>], timeout_s: u64) -> String {
    let mut text = format!("# Verify Results\n\nTimeout seconds: {timeout_s}\n");
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
