//! The folder of one attempt.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::results::Results;
use crate::engine::event::SecretFinding;
use crate::engine::id::RepoPath;
use crate::engine::policy::secret_path;
use crate::engine::secret::redact;
use crate::engine::text::{escape, path_line};
use crate::engine::verdict::Verdict;

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
    pub fn verify_results(&self, results: &Results<'_>) -> Result<(), EvidenceError> {
        self.write("verify_results.md", results.page().as_bytes())?;
        self.write("verify_exit_codes.txt", results.exit_codes().as_bytes())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::host::evidence::CommandRun;

    fn folder() -> (tempfile::TempDir, EvidenceDir) {
        let state = tempfile::tempdir().unwrap();
        let folder = EvidenceDir::create(state.path(), 3).unwrap();
        (state, folder)
    }

    fn read(folder: &EvidenceDir, name: &str) -> String {
        fs::read_to_string(folder.path().join(name)).unwrap()
    }

    fn run(command: &str, exit_code: Option<i32>, timed_out: bool) -> CommandRun<'_> {
        CommandRun { command, exit_code, timed_out, duration_ms: 12, output: b"out\n```\n" }
    }

    fn path(bytes: &[u8]) -> RepoPath {
        RepoPath::new(bytes).unwrap()
    }

    #[test]
    fn every_document_has_its_file() {
        let (_state, folder) = folder();
        for (document, name) in [
            (Document::Plan, "plan.md"),
            (Document::PlanCritique, "plan_critique.md"),
            (Document::ImplSummary, "impl_summary.md"),
            (Document::ImplCritique, "impl_critique.md"),
        ] {
            folder.document(document, name.as_bytes()).unwrap();
            assert_eq!(read(&folder, name), name);
        }
        folder.proposal(Verdict::ScopeExpand, "more").unwrap();
        assert_eq!(read(&folder, "scope_expand_proposal.md"), "more");
        assert_eq!(folder.relative(), "evidence/loop-3");
        assert!(folder.path().ends_with(folder.relative()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    }

    #[test]
    fn paths_are_one_per_line_and_secrets_stay_out() {
        let (_state, folder) = folder();
        let token = ["gh", "p_", "R4nd0mR4nd0mR4nd0mR4nd0mR4nd0mR4nd0m"].concat();
        let changed = [path(b"src/a b.rs"), path(b"a\nb"), path(b"bad\xff"), path(b".env")];
        let finding =
            SecretFinding { path: path(b"src/a b.rs"), line: 7, rule: "github_token".to_owned() };
        folder
            .change(&Change {
                changed: &changed,
                out_of_scope: &changed[1..2],
                secrets: &[finding],
                diff_stat: b" 1 file changed\n",
                diff: format!("+{token}\n+bin\u{0}ary\n").as_bytes(),
            })
            .unwrap();
        let want = "src/a b.rs\n\"a\\nb\"\n\"bad\\377\"\n.env\n";
        assert_eq!(read(&folder, "changed_files.txt"), want);
        assert_eq!(read(&folder, "out_of_scope.txt"), "\"a\\nb\"\n");
        assert_eq!(
            read(&folder, "secret_paths.txt"),
            ".env\tan environment file\nsrc/a b.rs\tline 7: github_token\n"
        );
        assert_eq!(read(&folder, "diff_stat.txt"), " 1 file changed\n");
        assert_eq!(read(&folder, "diff.patch"), "+[redacted: github_token]\n+bin\0ary\n");
    }

    #[test]
    fn exit_codes_can_be_read_by_scripts() {
        let (_state, folder) = folder();
        let commands = ["make test".to_owned(), "a\nb".to_owned()];
        folder.verify_commands(&commands).unwrap();
        assert_eq!(read(&folder, "verify_commands.txt"), "make test\na\\nb\n");
        let runs = [
            run("make test", Some(0), false),
            run("make test", Some(2), false),
            run("a\nb", None, true),
            run("c", None, false),
        ];
        let without = Some(&runs[1..2]);
        folder.verify_results(&Results { runs: &runs, without, timeout_s: 300 }).unwrap();
        assert_eq!(
            read(&folder, "verify_exit_codes.txt"),
            "command_1=PASS exit=0\ncommand_1_run_2=FAIL exit=2\n\
             command_2=TIMEOUT exit=124 timeout=300\ncommand_3=FAIL exit=signal\n"
        );
        insta::assert_snapshot!(read(&folder, "verify_results.md"));
    }

    #[test]
    fn a_folder_can_be_written_again() {
        let (state, folder) = folder();
        folder.document(Document::Plan, b"first, longer").unwrap();
        let again = EvidenceDir::create(state.path(), 3).unwrap();
        again.document(Document::Plan, b"second").unwrap();
        assert_eq!(read(&folder, "plan.md"), "second");
    }

    #[test]
    fn planted_links_lead_nowhere() {
        let (state, folder) = folder();
        let outside = tempfile::tempdir().unwrap();
        let treasure = outside.path().join("treasure");
        fs::write(&treasure, "mine").unwrap();
        symlink(&treasure, folder.path().join("plan.md")).unwrap();
        symlink(&treasure, folder.path().join(".impl_summary.md.draft")).unwrap();
        symlink(outside.path(), state.path().join("evidence/loop-4")).unwrap();
        symlink(&treasure, state.path().join("progress_window.md")).unwrap();
        folder.document(Document::Plan, b"plan").unwrap();
        folder.document(Document::ImplSummary, b"summary").unwrap();
        let next = EvidenceDir::create(state.path(), 4).unwrap();
        next.document(Document::Plan, b"plan").unwrap();
        write_progress_window(state.path(), "window").unwrap();
        assert_eq!(fs::read_to_string(&treasure).unwrap(), "mine");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(state.path().join("progress_window.md")).unwrap(), "window");
    }

    #[test]
    fn an_error_names_the_file() {
        let (_state, folder) = folder();
        fs::create_dir(folder.path().join("plan.md")).unwrap();
        let error = folder.document(Document::Plan, b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.ends_with("loop-3/plan.md"), "{error}");
    }
}
