//! Whoever writes when it is not their turn: nothing of it gets into a commit.

use looper::scripted::Step;
use rstest::rstest;

use crate::support::*;

/// LoopDex w03: what a critic writes after the freeze is neither committed nor left behind.
#[rstest]
#[case::a_new_file(vec![write("src/late.txt", "x")])]
#[case::a_secret(vec![write(".env", "TOKEN=1")])]
#[case::the_judged_file(vec![append("src/1.txt", "worse\n")])]
#[case::the_judged_file_gone(vec![delete("src/1.txt")])]
#[case::another_file(vec![append("src/kept.txt", "worse\n")])]
#[case::a_staged_file(vec![sh("echo x > staged; git add staged")])]
#[case::a_commit(vec![sh("git add -A; git commit -qm 'the critic was here'")])]
fn a_critic_changes_nothing(#[case] mut steps: Vec<Step>) {
    steps.push(print("VERDICT: PASS"));
    let rules = [implementer([write("src/1.txt", "judged\n")]), on("impl_critique").does(steps)];
    let project = Project::with(&[task("1")], &rules);
    project.run(&[]).exits(0);
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert_eq!(project.git(&["show", "HEAD:src/1.txt"]), "judged");
    assert_eq!((project.status().as_str(), project.read("src/1.txt").as_str()), ("", "judged\n"));
    assert!(!project.has(".env") && !project.has("src/late.txt"));
}

/// LoopDex w35: what verify commands leave behind is no part of the change.
#[rstest]
#[case::new_files("mkdir -p out && echo x > out/report.bin && echo y > .env")]
#[case::the_judged_file("echo worse >> src/1.txt")]
#[case::the_judged_file_gone("rm src/1.txt")]
#[case::another_file("rm src/kept.txt && mkdir src/kept.txt")]
#[case::a_commit("sh check.sh")]
fn a_verify_command_changes_nothing(#[case] command: &str) {
    let tasks = [task("1").verify(&["test -e src/1.txt", command])];
    let project = Project::with(&tasks, &[implementer([write("src/1.txt", "judged\n")])]);
    project.write("check.sh", "git add -A && git commit -qm 'verify was here' && git tag verified");
    project.git(&["add", "check.sh"]);
    project.git(&["commit", "-q", "--amend", "--no-edit"]);
    project.run(&[]).exits(0);
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert_eq!((project.status().as_str(), project.read("src/1.txt").as_str()), ("", "judged\n"));
    assert!(!project.has("out") && !project.has(".env"));
    assert_eq!(project.git(&["tag"]), "");
}

/// What git ignores belongs to the people and their tools: caches of a verify command stay.
#[test]
fn ignored_files_are_left_alone() {
    let project = Project::with(
        &[task("1").verify(&["echo cache > ignored/cache"]), task("2")],
        &[
            implementer([write("src/1.txt", "x"), append("ignored/mine", "more\n")]).task("1"),
            implementer([write("ignored/other", "x"), exit(1)]).task("2"),
        ],
    );
    project.write("ignored/mine", "mine\n");
    project.run(&["-i", "2"]).exits(0);
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert_eq!(project.read("ignored/mine"), "mine\nmore\n");
    assert!(project.has("ignored/cache") && project.has("ignored/other"));
}

/// An agent's own commits are part of its change, and its commits themselves are gone.
#[test]
fn commits_of_an_implementer_are_folded_into_the_candidate() {
    let steps = [
        write("src/1.txt", "one\n"),
        sh("git add -A && git commit -qm 'my own' && git tag mine && git branch other"),
        append("src/1.txt", "two\n"),
    ];
    let project = Project::with(&[task("1")], &[implementer(steps)]);
    project.run(&[]).exits(0);
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert_eq!(project.git(&["show", "HEAD:src/1.txt"]), "one\ntwo");
    assert_eq!(project.git(&["tag"]), "");
    assert_eq!(project.git(&["branch", "--format=%(refname:short)"]), "main");
    let rescued = project.log().last("implement_finished")["rescued"].to_string();
    assert!(rescued.contains("refs/looper/rescued/"), "{rescued}");
}

/// LoopDex w04: committing it oneself hides nothing.
#[rstest]
#[case::on_the_branch("git add -A && git commit -qm sneaky")]
#[case::amended("git add -A && git commit -q --amend -m sneaky")]
#[case::on_another_branch("git checkout -qb other && git add -A && git commit -qm sneaky")]
#[case::detached("git checkout -q --detach && git add -A && git commit -qm sneaky")]
#[case::by_a_moved_branch(
    "git add -A && git commit -qm sneaky && git update-ref refs/heads/main HEAD"
)]
#[case::merged(
    "git checkout -qb other && git add -A && git commit -qm sneaky && git checkout -q main && \
     git merge -q --no-ff other"
)]
fn commits_of_an_implementer_hide_nothing(#[case] command: &str) {
    let steps = [write("src/sneaky.txt", "x"), sh(command), write("src/1.txt", "x")];
    let project = Project::with(&[task("1")], &[implementer(steps)]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    let objection = log.objection("scope").expect("it is out of scope");
    assert!(objection.contains("src/sneaky.txt"), "{objection}");
    assert_eq!(project.git(&["branch", "--format=%(refname:short)"]), "main");
    assert_eq!(project.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
}

/// LoopDex w33: index flags, exclude files and attributes hide nothing, and none of them stays.
#[rstest]
#[case::skip_worktree(
    "git update-index --skip-worktree src/kept.txt && echo x >> src/kept.txt",
    "src/kept.txt"
)]
#[case::assume_unchanged(
    "git update-index --assume-unchanged src/kept.txt && echo x >> src/kept.txt",
    "src/kept.txt"
)]
#[case::exclude("echo sneaky.txt >> .git/info/exclude && echo x > sneaky.txt", "sneaky.txt")]
#[case::excludes_file(
    "git config core.excludesFile /dev/null && echo x > sneaky.txt",
    "sneaky.txt"
)]
#[case::gitignore("echo '*.txt' > src/.gitignore && echo x > src/sneaky.txt", "src/.gitignore")]
#[case::file_mode("git config core.fileMode false && chmod +x README.md", "README.md")]
#[case::attributes(
    "echo '* text=auto eol=crlf' > .git/info/attributes && echo x > sneaky.txt",
    "sneaky.txt"
)]
#[case::index_gone("rm .git/index && echo x > sneaky.txt", "sneaky.txt")]
#[case::index_lock(": > .git/index.lock && echo x > sneaky.txt", "sneaky.txt")]
fn nothing_under_git_hides_a_change(#[case] command: &str, #[case] path: &str) {
    let steps = [sh(command), write("src/1.txt", "x")];
    let project = Project::with(&[task("1")], &[implementer(steps)]);
    let config = || {
        let read = |name: &str| project.has(name).then(|| project.read(name));
        [".git/config", ".git/info/exclude", ".git/info/attributes", ".git/index.lock"].map(read)
    };
    let before = config();
    let log = project.run_in_vain(&["-i", "1"], 0);
    let objection = log.objection("scope").expect("it is out of scope");
    assert!(objection.contains(path), "{objection}");
    assert_eq!(config(), before);
    assert_eq!(project.git(&["ls-files", "-v"]), "H .gitignore\nH README.md\nH src/kept.txt");
}

/// LoopDex w33, w05: a hook that an agent lays neither runs on the commit nor stays.
#[rstest]
#[case::in_its_place(
    "printf '#!/bin/sh\\ntouch owned\\nexit 1\\n' > .git/hooks/HOOK && chmod +x .git/hooks/HOOK"
)]
#[case::elsewhere(
    "mkdir src/h && printf '#!/bin/sh\\ntouch owned\\n' > src/h/HOOK && chmod +x src/h/HOOK && \
     git config core.hooksPath src/h && rm -r src/h/HOOK"
)]
fn a_hook_of_an_agents_does_not_run(
    #[case] command: &str,
    #[values("pre-commit", "post-commit", "reference-transaction", "post-index-change")] hook: &str,
) {
    let lay = command.replace("HOOK", hook);
    let project = Project::with(&[task("1")], &[implementer([write("src/1.txt", "x"), sh(&lay)])]);
    let hooks = || manifest_of(&project, ".git/hooks");
    let (before, config) = (hooks(), project.read(".git/config"));
    project.run(&[]).exits(0);
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert!(!project.has("owned"));
    assert_eq!((hooks(), project.read(".git/config")), (before, config));
}

fn manifest_of(project: &Project, dir: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(project.path(dir)) else { return vec![] };
    let read = |path: std::path::PathBuf| {
        (path.display().to_string(), std::fs::read(&path).unwrap_or_default())
    };
    let mut found: Vec<_> = entries.flatten().map(|entry| read(entry.path())).collect();
    found.sort();
    found
}
