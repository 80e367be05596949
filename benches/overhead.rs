//! What the engine costs per task, beyond the processes that do the work.
//!
//! `cargo bench --bench overhead` runs ten tasks with instant agents through the built program, and
//! in turn with it the floor: the same processes spawned and the same commits made by nothing but a
//! loop. It prints medians of CPU time (user and system, of everything waited for), their
//! difference per task, that difference in scans of the work tree, and the peak memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

const TASKS: usize = 10;
const ROUNDS: usize = 7;
const STAGES: [&str; 4] = ["plan", "plan_critique", "implement", "impl_critique"];

const AGENT: &str = "case $LOOPER_STAGE in
*critique) echo 'VERDICT: PASS';;
implement) echo x > src/t$LOOPER_TASK.txt; echo done;;
*) echo plan;;
esac
";

/// A throw-away project with so many files.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new(files: usize) -> Self {
        let project =
            Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory") };
        for number in 0..files {
            let dir = project.path(&format!("d{}/s{}", number / 100, number % 10));
            fs::create_dir_all(&dir).expect("a directory");
            fs::write(dir.join(format!("f{number}.txt")), format!("file {number}\n").repeat(10))
                .expect("a file");
        }
        fs::create_dir_all(project.path("src")).expect("a directory");
        fs::write(project.path("src/a"), "a").expect("a file");
        fs::create_dir_all(project.path(".looper")).expect("a directory");
        fs::write(project.path(".looper/.gitignore"), "*\n").expect("a file");
        fs::write(project.path(".looper/agent.sh"), AGENT).expect("a file");
        for arguments in [
            &["init", "-q"][..],
            &["config", "user.name", "A"],
            &["config", "user.email", "a@b"],
            &["config", "gc.auto", "0"],
            &["add", "-A"],
            &["commit", "-qm", "init"],
        ] {
            project.run("git", arguments, "");
        }
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, program: &str, arguments: &[&str], stage: &str) {
        let status = Command::new(program)
            .args(arguments)
            .current_dir(self.dir.path())
            .env("LOOPER_STAGE", stage)
            .env("LOOPER_TASK", "floor")
            .stdout(Stdio::null())
            .status()
            .expect("the program starts");
        assert!(status.success(), "{program} {arguments:?}");
    }

    /// Back to the first commit, with nothing remembered.
    fn reset(&self) {
        self.run("git", &["reset", "-q", "--hard", "HEAD"], "");
        drop(fs::remove_file(self.path("src/tfloor.txt")));
        for name in ["events.jsonl", "lock"] {
            drop(fs::remove_file(self.path(".looper").join(name)));
        }
        for name in ["tx", "objects", "evidence"] {
            drop(fs::remove_dir_all(self.path(".looper").join(name)));
        }
        drop(
            Command::new("git")
                .args(["update-ref", "-d", "refs/looper/log"])
                .current_dir(self.dir.path())
                .status(),
        );
        let mut backlog = String::from("# Backlog\n");
        let round = fs::read_dir(self.path("src")).expect("a directory").count();
        for task in 0..TASKS {
            let id = round * 100 + task;
            backlog.push_str(&format!(
                "\n- [ ] Task {id}: Task number {id}\n  - Files: `src/t{id}.txt`\n  - Depends: none\n  \
                 - Fail count: 0\n  - Size: S\n  - Description: Do it.\n  - Completion criteria:\n    \
                 - [ ] verify: `true`\n"
            ));
        }
        fs::write(self.path(".looper/backlog.md"), backlog).expect("a file");
        let agent = "[agents.a]\ncommand = [\"sh\", \".looper/agent.sh\"]\n[roles]\n";
        let roles = ["plan", "plan_critique", "implement", "impl_critique", "review"];
        let roles: String = roles.iter().map(|role| format!("{role} = \"a\"\n")).collect();
        fs::write(self.path(".looper/config.toml"), format!("{agent}{roles}")).expect("a file");
    }

    fn looper(&self) -> (Duration, i64) {
        self.reset();
        measured(|| self.run(env!("CARGO_BIN_EXE_looper"), &["-q", "run"], ""))
    }

    /// The same processes, the same commits, no engine.
    fn floor(&self) -> (Duration, i64) {
        let repo = git2::Repository::open(self.dir.path()).expect("a repository");
        let before = own();
        let (children, memory) = measured(|| {
            for task in 0..TASKS {
                for stage in STAGES {
                    self.run("sh", &[".looper/agent.sh"], stage);
                }
                self.run("bash", &["-c", "true"], "");
                commit(&repo, &format!("src/floor{task}.txt"));
            }
        });
        (children + own().saturating_sub(before), memory)
    }
}

fn commit(repo: &git2::Repository, path: &str) {
    let head = repo.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    let blob = repo.blob(format!("{path} {}", head.id()).as_bytes()).expect("a blob");
    let mut edit = git2::build::TreeUpdateBuilder::new();
    edit.upsert(path, blob, git2::FileMode::Blob);
    let base = head.tree().expect("a tree");
    let tree = edit.create_updated(repo, &base).expect("a tree");
    let tree = repo.find_tree(tree).expect("a tree");
    let who = git2::Signature::now("A", "a@b").expect("a signature");
    repo.commit(Some("HEAD"), &who, &who, "floor", &tree, &[&head]).expect("a commit");
}

fn cpu(usage: &Usage) -> Duration {
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn own() -> Duration {
    cpu(&getrusage(UsageWho::RUSAGE_SELF).expect("usage is known"))
}

/// CPU time of the children that are waited for meanwhile, and the peak memory of any child so far
/// in KiB.
fn measured(work: impl FnOnce()) -> (Duration, i64) {
    let usage = || getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage is known");
    let before = usage();
    work();
    let after = usage();
    (cpu(&after).saturating_sub(cpu(&before)), after.max_rss())
}

/// One full scan: every directory listed, every file looked at.
fn scan(dir: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let meta = fs::symlink_metadata(entry.path()).expect("a file");
        bytes += if meta.is_dir() { scan(&entry.path()) } else { meta.len() };
    }
    bytes
}

fn scan_cpu(dir: &Path) -> Duration {
    let before = own();
    assert!(scan(dir) > 0);
    own().saturating_sub(before)
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort();
    values[values.len() / 2]
}

fn main() {
    println!("{TASKS} tasks, {ROUNDS} rounds, medians");
    println!(
        "  files   looper ms/task   floor ms/task   engine ms/task   scan ms   engine/scan   peak MiB"
    );
    for files in [200, 20_000] {
        let project = Project::new(files);
        let (mut engine, mut floor, mut scans, mut peak) = (vec![], vec![], vec![], 0);
        for _ in 0..ROUNDS {
            let (run, memory) = project.looper();
            engine.push(run);
            peak = peak.max(memory);
            floor.push(project.floor().0);
            scans.push(scan_cpu(project.dir.path()));
        }
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let per_task = |time: Duration| millis(time) / TASKS as f64;
        let (run, floor, scan) = (median(engine), median(floor), millis(median(scans)));
        let own = per_task(run) - per_task(floor);
        println!(
            "{files:>7}   {:>14.1}   {:>13.1}   {own:>14.1}   {scan:>7.1}   {:>11.2}   {:>8.1}",
            per_task(run),
            per_task(floor),
            own / scan,
            peak as f64 / 1024.0,
        );
    }
}
