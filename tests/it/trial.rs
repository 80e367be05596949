//! A project with a bit of everything, and what must come of it however often its run is cut short.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::OnceLock;

use looper::scripted::Rule;

use crate::support::*;

/// Passes; is sent back, then passes; leaves its scope; fails its verify command.
pub(crate) fn tasks() -> [TaskText; 4] {
    [task("1"), task("2"), task("3"), task("4").verify(&["sleep 0.01; exit 1"])]
}

fn rules() -> Vec<Rule> {
    // What an agent learns from a critic outlives the process that was killed.
    let second = "if test -e ../told; then echo better; else echo draft; fi > src/2.txt";
    let judge = "if grep -q better src/2.txt; then echo 'VERDICT: PASS'; \
                 else touch ../told; echo 'VERDICT: FAIL'; fi";
    vec![
        implementer([sleep(5), write("src/1.txt", "one\n"), write("ignored/1", "x")]).task("1"),
        implementer([sleep(5), sh(second), append("src/2.txt", "and more\n")]).task("2"),
        implementer([write("src/3.txt", "x"), sleep(5), write("deep/er/x", "x")]).task("3"),
        implementer([write("src/4.txt", "x"), delete("src/kept.txt"), sleep(5)]).task("4"),
        on("impl_critique").does([sleep(3), sh(judge)]).task("2"),
        on("impl_critique").does([write("byproduct", "x"), sleep(3), print("VERDICT: PASS")]),
    ]
}

/// How a run goes about its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Commits into a clean work tree.
    Plain,
    /// Beside uncommitted work of a person.
    BesideWork,
    /// Leaves what passes uncommitted.
    Uncommitted,
    /// Where its first implementer is limited, and a plan's critic says nothing at first.
    HandedOver,
}

impl Way {
    pub(crate) const ALL: [Self; 4] =
        [Self::Plain, Self::BesideWork, Self::Uncommitted, Self::HandedOver];

    pub(crate) fn args(self) -> &'static [&'static str] {
        match self {
            Self::BesideWork => &["run", "--allow-dirty"],
            Self::Plain | Self::Uncommitted | Self::HandedOver => &["run"],
        }
    }
}

pub(crate) fn project(way: Way) -> Project {
    project_with(way, &tasks())
}

/// A person's project: names that are hard to quote, a link, modes, ignored and empty places.
pub(crate) fn project_with(way: Way, tasks: &[TaskText]) -> Project {
    let mut project = Project::new();
    project.write("src/mine.txt", "committed\n");
    project.write("odd/new\nline \"and\" space\t.txt", "odd\n");
    project.write("odd/run.sh", "#!/bin/sh\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(project.path("odd/run.sh"), executable).expect("it is ours");
    symlink("../src/kept.txt", project.path("odd/link")).expect("the name is new");
    project.commit("second");
    project.backlog(tasks);
    project.script(&rules());
    project.env("LOOPER_RUN_FAILURES_MAX", "2");
    project.write("ignored/cache", "mine\n");
    project.write("build.log", "ignored too\n");
    fs::create_dir(project.path("empty")).expect("the name is new");
    if way == Way::Uncommitted {
        project.env("LOOPER_RUN_COMMIT_ON_PASS", "false");
    }
    if way == Way::HandedOver {
        put_a_limited_implementer_first(&project);
    }
    if way == Way::BesideWork {
        project.write("src/mine.txt", "edited\n");
        project.write("notes.txt", "not tracked\n");
        project.write("-weird [name]", "not tracked\n");
        symlink("nowhere", project.path("dangling")).expect("the name is new");
        project.write("staged.txt", "staged\n");
        project.git(&["add", "staged.txt"]);
    }
    project
}

/// It leaves half of its work behind.
fn put_a_limited_implementer_first(project: &Project) {
    let limit = "echo half > src/half.txt; echo 'Error: 429 Too Many Requests' >&2; exit 1";
    let script = format!("if [ \"$LOOPER_STAGE\" = implement ]; then {limit}; fi; exec fake-agent");
    project.program("limited", &script);
    let config = project.read(".looper/config.toml");
    let list = "implement = [\"limited\", \"fake-agent\"]";
    let agent = "[agents.limited]\ncommand = [\"limited\"]\noutput = \"text\"\n";
    let config = config.replace("implement = \"fake-agent\"", list);
    project.write(".looper/config.toml", format!("{agent}{config}"));
    let silent = on("plan_critique").once().does([sleep(1)]);
    project.script(&[vec![silent], rules()].concat());
}

/// What must not depend on how often the run was killed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    tree: String,
    manifest: Manifest,
    status: String,
    staged: String,
    backlog: String,
    /// The task that each commit names, in order.
    committed: String,
}

impl End {
    pub(crate) fn of(project: &Project) -> Self {
        Self {
            tree: project.git(&["rev-parse", "HEAD^{tree}"]),
            manifest: project.manifest(),
            status: project.status(),
            staged: project.git(&["diff", "--cached"]),
            backlog: project.read(".looper/backlog.md"),
            committed: project.git(&[
                "log",
                "--reverse",
                "--format=%(trailers:key=Looper-Task,valueonly,separator=%x2C)",
            ]),
        }
    }

    /// What has to come out, worked out once.
    pub(crate) fn undisturbed(way: Way) -> &'static Self {
        static ENDS: [OnceLock<End>; 4] = [const { OnceLock::new() }; 4];
        ENDS[way as usize].get_or_init(|| Self::without_a_kill(way))
    }

    fn without_a_kill(way: Way) -> Self {
        let project = project(way);
        project.looper(way.args()).exits(1);
        project.check();
        let end = Self::of(&project);
        let retried = if way == Way::HandedOver { 2 } else { 0 };
        assert_eq!(project.log().count("stage_retried"), retried);
        let committed = if way == Way::Uncommitted { "" } else { "\n\n1\n2" };
        assert_eq!((project.marks().as_str(), end.committed.as_str()), ("xx!!", committed));
        end
    }
}
