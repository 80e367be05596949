//! Where things lie: the project, its state directory and its backlog.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::files::{self, FileError};

/// The state directory's name unless another is asked for.
pub const STATE_DIR: &str = ".looper";

/// What git sees of a state directory: only what a team may want to commit.
const GITIGNORE: &str = "/*\n!/backlog.md\n!/config.toml\n!/prompts/\n";

/// Why a place cannot be found or made.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The project that was named is not there.
    #[error("{} is not a directory", .path.display())]
    NoProject {
        /// As named.
        path: PathBuf,
    },
    /// No project was named, and no git work tree is around.
    #[error("{} is not inside a git work tree", .from.display())]
    NoRepository {
        /// Where the search began.
        from: PathBuf,
    },
    /// A place that cannot hold state without harm.
    #[error("{} cannot be the state directory: {why}", .path.display())]
    UnfitStateDir {
        /// As named.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no backlog.
    #[error("no backlog found, looked for {}", list(.looked))]
    NoBacklog {
        /// Where one could be.
        looked: Vec<PathBuf>,
    },
    /// There is more than one backlog, and nobody said which.
    #[error("more than one backlog found: {}", list(.found))]
    ManyBacklogs {
        /// All of them.
        found: Vec<PathBuf>,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

/// Finds the project: the directory that was named, or else the git work tree around `cwd`. The
/// result is absolute and free of links.
///
/// # Errors
/// The directory is missing, or there is no work tree.
pub fn find_project(named: Option<&Path>, cwd: &Path) -> Result<PathBuf, PathError> {
    if let Some(named) = named {
        let path = cwd.join(named);
        return match fs::canonicalize(&path) {
            Ok(project) if project.is_dir() => Ok(project),
            Ok(_) => Err(PathError::NoProject { path }),
            Err(error) if is_absent(&error) => Err(PathError::NoProject { path }),
            Err(source) => Err(FileError::io("find", &path, source).into()),
        };
    }
    let from = fs::canonicalize(cwd).map_err(|source| FileError::io("find", cwd, source))?;
    let around = from.ancestors().find(|dir| is_work_tree(dir)).map(Path::to_owned);
    around.ok_or(PathError::NoRepository { from })
}

/// A linked work tree and a submodule have a file there.
fn is_work_tree(dir: &Path) -> bool {
    let git = dir.join(".git");
    git.is_file() || git.join("HEAD").symlink_metadata().is_ok()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A project and its state directory, as the contract lays it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    project: PathBuf,
    state: PathBuf,
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident = $file:literal,)+) => {
        $($(#[$doc])* pub fn $name(&self) -> PathBuf { self.state.join($file) })+
    };
}

impl Layout {
    /// Lays out the state directory `state_dir`, relative to the project, or [`STATE_DIR`].
    /// Nothing is made yet.
    ///
    /// # Errors
    /// The directory is the project itself or around it, lies in `.git`, or is reached through a
    /// link that the project's content may have laid.
    pub fn new(project: &Path, state_dir: Option<&Path>) -> Result<Self, PathError> {
        let given = state_dir.unwrap_or(Path::new(STATE_DIR));
        let state = project.join(given);
        let unfit = |why| Err(PathError::UnfitStateDir { path: state.clone(), why });
        if state.components().any(|part| part == Component::Normal(".git".as_ref())) {
            return unfit("it is inside .git");
        }
        if given.is_relative() && has_link(project, given) {
            return unfit("a symbolic link leads there; name the place itself");
        }
        match fs::canonicalize(&state) {
            Ok(real) if project.starts_with(&real) => unfit("it holds the project"),
            Ok(real) if !real.is_dir() => unfit("it is not a directory"),
            Ok(real) => Ok(Self { project: project.to_owned(), state: real }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { project: project.to_owned(), state })
            }
            Err(source) => Err(FileError::io("find", &state, source).into()),
        }
    }

    /// The project.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// The state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    places! {
        /// The event log: the only truth.
        events = "events.jsonl",
        /// The crash transaction.
        tx = "tx",
        /// The lock of the running process.
        lock = "lock",
        /// Content-addressed evidence.
        objects = "objects",
        /// Evidence for people.
        evidence = "evidence",
        /// Overrides of the built-in prompts.
        prompts = "prompts",
        /// The Markdown backlog.
        backlog = "backlog.md",
        /// The project's configuration.
        config = "config.toml",
        /// Bounded context for agents.
        progress_window = "progress_window.md",
        /// The final report.
        report = "report.md",
        /// Reports of earlier runs.
        reports = "reports",
        /// Tracing, for us.
        debug_log = "debug.log",
        /// Asks the running process to end after the attempt in hand.
        stop_request = "stop",
        /// Room that is set aside for undoing an attempt on a full disk.
        reserve = "reserve",
        /// What git sees of all this.
        gitignore = ".gitignore",
    }

    /// Evidence for people about one attempt, counted over all tasks.
    pub fn evidence_of(&self, number: u64) -> PathBuf {
        self.evidence().join(format!("loop-{number}"))
    }

    /// Makes the state directory, unless it is there, and keeps git's eyes off it. What a person
    /// wrote there stays.
    ///
    /// # Errors
    /// The system refuses.
    pub fn ensure(&self) -> Result<(), PathError> {
        files::create_dir(&self.state)?;
        let gitignore = self.gitignore();
        if gitignore.symlink_metadata().is_err() {
            files::write_atomic(&gitignore, GITIGNORE.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Every backlog there is, one for each place a format looks at.
    pub fn backlog_candidates(&self) -> Vec<PathBuf> {
        let [ours, loopdex, others @ ..] = self.backlog_places();
        let markdown = if is_there(&ours) { ours } else { loopdex };
        [markdown].into_iter().chain(others).filter(|path| is_there(path)).collect()
    }

    /// In the order of preference; the second counts only where the first is missing.
    fn backlog_places(&self) -> [PathBuf; 5] {
        let places = [".loop-agent/backlog.md", "to-do.json", "task.json", ".lodeloop/task.json"];
        let [loopdex, todo, task, lodeloop] = places.map(|place| self.project.join(place));
        [self.backlog(), loopdex, todo, task, lodeloop]
    }

    /// The backlog: the file that was named, relative to `cwd`, or else the only one there is.
    ///
    /// # Errors
    /// There is none, there are several and none was named, or what is there is no regular file.
    pub fn find_backlog(&self, named: Option<&Path>, cwd: &Path) -> Result<PathBuf, PathError> {
        if let Some(named) = named {
            let path = cwd.join(named);
            return match fs::canonicalize(&path) {
                Ok(real) if real.is_file() => Ok(real),
                Ok(_) => Err(FileError::NotAFile { path }.into()),
                Err(error) if is_absent(&error) => Err(PathError::NoBacklog { looked: vec![path] }),
                Err(source) => Err(FileError::io("find", &path, source).into()),
            };
        }
        let mut found = self.backlog_candidates();
        match found.len() {
            0 => Err(PathError::NoBacklog { looked: self.backlog_places().into() }),
            1 => require_own_file(found.remove(0)),
            _ => Err(PathError::ManyBacklogs { found }),
        }
    }
}

/// Marks are written into the backlog, and a link could lead them anywhere.
fn require_own_file(path: PathBuf) -> Result<PathBuf, PathError> {
    let metadata =
        path.symlink_metadata().map_err(|source| FileError::io("look at", &path, source))?;
    if metadata.is_symlink() {
        Err(FileError::Symlink { path }.into())
    } else if metadata.is_file() {
        Ok(path)
    } else {
        Err(FileError::NotAFile { path }.into())
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether a link lies on the way from the project to a place relative to it.
fn has_link(project: &Path, relative: &Path) -> bool {
    let mut path = project.to_owned();
    relative.components().any(|part| {
        path.push(part);
        path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rstest::rstest;

    use super::*;

    struct Site {
        _dir: tempfile::TempDir,
        project: PathBuf,
    }

    fn site() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let project = fs::canonicalize(dir.path()).unwrap().join("project");
        fs::create_dir_all(project.join(".git")).unwrap();
        fs::write(project.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        Site { _dir: dir, project }
    }

    fn layout(project: &Path) -> Layout {
        Layout::new(project, None).unwrap()
    }

    #[test]
    fn the_project_is_the_work_tree_around_the_current_directory() {
        let Site { _dir, project } = site();
        let deep = project.join("a/b");
        fs::create_dir_all(deep.join(".git")).unwrap();
        assert_eq!(find_project(None, &deep).unwrap(), project, "an empty .git is no repository");
        fs::remove_dir(deep.join(".git")).unwrap();
        fs::write(deep.join(".git"), "gitdir: elsewhere\n").unwrap();
        assert_eq!(find_project(None, &deep).unwrap(), deep, "a linked work tree");
        assert_eq!(find_project(Some(Path::new("..")), &deep).unwrap(), project.join("a"));
        let outside = project.parent().unwrap();
        assert!(matches!(find_project(None, outside), Err(PathError::NoRepository { .. })));
        let missing = find_project(Some(Path::new("none")), &project);
        assert!(matches!(missing, Err(PathError::NoProject { .. })));
    }

    #[test]
    fn the_state_directory_is_made_once_and_hidden_from_git() {
        let Site { _dir, project } = site();
        let layout = layout(&project);
        assert_eq!(layout.events(), project.join(".looper/events.jsonl"));
        assert_eq!(layout.evidence_of(3), project.join(".looper/evidence/loop-3"));
        assert!(!layout.state().exists());
        layout.ensure().unwrap();
        assert_eq!(fs::read_to_string(layout.gitignore()).unwrap(), GITIGNORE);
        fs::write(layout.gitignore(), "mine").unwrap();
        layout.ensure().unwrap();
        assert_eq!(fs::read_to_string(layout.gitignore()).unwrap(), "mine");
    }

    #[rstest]
    #[case::what_a_team_commits(&["backlog.md", "config.toml", "prompts/plan.md", "prompts/a/b.md"], false)]
    #[case::everything_else(&["events.jsonl", "lock", "tx/db", ".gitignore", "objects/backlog.md"], true)]
    fn git_ignores(#[case] files: &[&str], #[case] want: bool) {
        let mut builder = ignore::gitignore::GitignoreBuilder::new("/state");
        for line in GITIGNORE.lines() {
            builder.add_line(None, line).unwrap();
        }
        let rules = builder.build().unwrap();
        for file in files {
            let is_ignored = rules.matched_path_or_any_parents(file, false).is_ignore();
            assert_eq!(is_ignored, want, "{file}");
        }
    }

    #[rstest]
    #[case::the_project(".", "holds")]
    #[case::around_the_project("..", "holds")]
    #[case::git("x/../.git/looper", ".git")]
    #[case::behind_a_link("link", "link")]
    #[case::through_a_link("link/deep", "link")]
    #[case::a_file("file", "not a directory")]
    fn an_unfit_state_directory_is_refused(#[case] dir: &str, #[case] want: &str) {
        let Site { _dir, project } = site();
        symlink("/tmp", project.join("link")).unwrap();
        fs::write(project.join("file"), "").unwrap();
        let error = Layout::new(&project, Some(Path::new(dir))).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }

    #[test]
    fn a_state_directory_elsewhere_is_a_persons_choice() {
        let Site { _dir, project } = site();
        let elsewhere = project.with_file_name("state");
        let layout = Layout::new(&project, Some(&elsewhere)).unwrap();
        assert_eq!(layout.lock(), elsewhere.join("lock"));
    }

    #[rstest]
    #[case::ours(&[".looper/backlog.md"], Ok(".looper/backlog.md"))]
    #[case::loopdex(&[".loop-agent/backlog.md"], Ok(".loop-agent/backlog.md"))]
    #[case::ours_before_loopdex(&[".loop-agent/backlog.md", ".looper/backlog.md"], Ok(".looper/backlog.md"))]
    #[case::lodeloop(&[".lodeloop/task.json"], Ok(".lodeloop/task.json"))]
    #[case::two(&["to-do.json", ".looper/backlog.md"], Err(2))]
    #[case::two_of_one_format(&["task.json", ".lodeloop/task.json"], Err(2))]
    #[case::none(&[], Err(0))]
    fn the_only_backlog_is_found(#[case] files: &[&str], #[case] want: Result<&str, usize>) {
        let Site { _dir, project } = site();
        for file in files {
            let path = project.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let layout = layout(&project);
        match (layout.find_backlog(None, &project), want) {
            (Ok(found), Ok(want)) => assert_eq!(found, project.join(want)),
            (Err(PathError::NoBacklog { looked }), Err(0)) => assert_eq!(looked.len(), 5),
            (Err(PathError::ManyBacklogs { found }), Err(count)) => assert_eq!(found.len(), count),
            (found, want) => panic!("{found:?}, wanted {want:?}"),
        }
        if let Some(file) = files.first() {
            let named = layout.find_backlog(Some(Path::new(file)), &project);
            assert_eq!(named.unwrap(), project.join(file), "a named one settles it");
        }
    }

    #[test]
    fn a_backlog_that_is_a_link_must_be_named() {
        let Site { _dir, project } = site();
        fs::write(project.join("plan.md"), "").unwrap();
        symlink(project.join("plan.md"), project.join("to-do.json")).unwrap();
        let layout = layout(&project);
        let found = layout.find_backlog(None, &project);
        assert!(matches!(found, Err(PathError::File(FileError::Symlink { .. }))));
        let named = layout.find_backlog(Some(Path::new("to-do.json")), &project).unwrap();
        assert_eq!(named, project.join("plan.md"));
    }
}
