//! Repositories of every kind that people work in.

use rstest::rstest;

use crate::support::*;

fn writes_one() -> looper::scripted::Rule {
    implementer([write("src/1.txt", "x\n")])
}

#[test]
fn a_detached_head_moves_and_no_branch_does() {
    let project = Project::with(&[task("1")], &[writes_one()]);
    project.git(&["checkout", "-q", "--detach"]);
    let main = project.git(&["rev-parse", "main"]);
    project.run(&[]).exits(0);
    assert_eq!(project.git(&["rev-parse", "main"]), main);
    assert_eq!(project.git(&["rev-parse", "HEAD~1"]), main);
    assert_eq!(project.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD");
    assert_eq!(project.log().last("run_started")["base"]["branch"], serde_json::Value::Null);
}

#[rstest]
#[case::passes(writes_one(), "x")]
#[case::is_refused(implementer([write("elsewhere", "x"), sh("git checkout -qb other")]), " ")]
fn a_linked_work_tree(#[case] rule: looper::scripted::Rule, #[case] marks: &str) {
    let mut project = Project::new();
    let linked = project.place().join("linked");
    project.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let main = (project.manifest(), project.git(&["rev-parse", "main"]), project.status());
    let first = project.root().to_owned();
    project.move_to(linked);
    project.config("");
    project.backlog(&[task("1")]);
    project.script(&[rule]);
    project.run(&["-i", "1"]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), (marks, ""));
    assert_eq!(project.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "side");
    assert_eq!(project.subjects().len(), marks.matches('x').count());
    project.move_to(first);
    assert_eq!((project.manifest(), project.git(&["rev-parse", "main"]), project.status()), main);
}

/// Files that are checked out with carriage returns are committed as git keeps them.
#[rstest]
#[case::by_attributes("printf '* text=auto eol=crlf\\n' > .gitattributes", "i/lf")]
#[case::by_config("git config core.autocrlf true", "i/lf")]
#[case::kept_as_they_are("printf '* -text\\n' > .gitattributes", "i/crlf")]
fn a_repository_with_carriage_returns(#[case] setup: &str, #[case] kept: &str) {
    let project = Project::new();
    project.git(&["-c", &format!("alias.x=!{setup}"), "x"]);
    project.write("dos.txt", "one\r\ntwo\r\n");
    project.commit("second");
    project.backlog(&[task("1").files("src/1.txt, dos.txt"), task("2").files("src/2.txt")]);
    project.script(&[
        implementer([append("dos.txt", "three\r\n"), write("src/1.txt", "a\r\nb\r\n")]).task("1"),
        implementer([write("elsewhere.txt", "x\r\n"), append("dos.txt", "y\r\n")]).task("2"),
    ]);
    let other = project.read("dos.txt");
    project.run(&["-i", "1"]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("x ", ""));
    assert_eq!(project.read("dos.txt"), format!("{other}three\r\n"));
    let stored = project.git(&["ls-files", "--eol", "src/1.txt"]);
    assert!(stored.starts_with(kept), "{stored}");
    project.run_in_vain(&["-i", "1"], 0);
}

/// Settings and histories that repositories have in real life: one attempt passes, one is undone.
#[rstest]
#[case::index_version_4("git update-index --index-version 4")]
#[case::many_files(
    "git config feature.manyFiles true; git update-index --untracked-cache --force-write-index"
)]
#[case::end_of_index(
    "git config index.threads true; git config index.recordEndOfIndexEntries true; git config index.recordOffsetTable true; git update-index --force-write-index"
)]
#[case::index_without_hash("git config index.skipHash true; git update-index --force-write-index")]
#[case::packed("git gc -q --prune=now; git pack-refs --all")]
#[case::replaced_objects("git commit -qm third --allow-empty && git replace HEAD~1 HEAD")]
#[case::notes_and_tags("git notes add -m n HEAD; git tag -a -m t v1; git tag light")]
#[case::remotes(
    "git remote add origin /nowhere; git update-ref refs/remotes/origin/main HEAD; git branch -qu origin/main"
)]
#[case::shared_objects(
    "mv .git/objects ../shared; mkdir -p .git/objects/info; realpath ../shared > .git/objects/info/alternates"
)]
#[case::separate_git_dir("mv .git ../elsewhere; echo 'gitdir: ../elsewhere' > .git")]
#[case::a_stash("echo x >> src/kept.txt; git stash -q")]
#[case::bisect_refs("git update-ref refs/bisect/bad HEAD")]
#[case::deep_history("for n in 1 2 3 4 5; do git commit -qm $n --allow-empty; done")]
#[case::shallow(
    "for n in 1 2 3; do git commit -qm $n --allow-empty; done; git rev-parse HEAD~1 > .git/shallow"
)]
#[case::a_merge(
    "git checkout -qb side; git commit -qm s --allow-empty; git checkout -q main; git commit -qm m --allow-empty; git merge -q --no-ff side -m merged"
)]
#[case::group_writable("git config core.sharedRepository group; chmod -R g+w .")]
#[case::a_mode_that_git_does_not_keep("chmod 600 src/kept.txt; chmod 711 src")]
#[case::no_file_modes("git config core.fileMode false; chmod +x src/kept.txt")]
#[case::no_links("git config core.symlinks false")]
#[case::quoted_paths(
    "git config core.quotePath true; echo x > 'src/ä b'; git add . ':!.looper'; git commit -qm umlaut"
)]
#[case::a_template_hook(
    "printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; git config core.hooksPath .git/hooks"
)]
#[case::idents(
    "printf '*.txt ident\\n' > .gitattributes; echo '$Id$ x' > src/id.txt; git add . ':!.looper'; git commit -qm ident; rm src/id.txt; git checkout -q src/id.txt"
)]
#[case::attributes(
    "printf '*.txt text diff=x merge=union -whitespace\\n' > .gitattributes; git add .gitattributes; git commit -qm a"
)]
#[case::an_identity_of_its_own("git config user.name Grace; git config user.email g@example.org")]
fn a_repository_as_people_have_it(#[case] setup: &str) {
    let project = Project::new();
    project.git(&["commit", "-qm", "second", "--allow-empty"]);
    project.git(&["-c", &format!("alias.x=!{setup}"), "x"]);
    project.backlog(&[task("1"), task("2")]);
    project.script(&[
        writes_one().task("1"),
        implementer([write("elsewhere", "x"), append("src/kept.txt", "y")]).task("2"),
    ]);
    let refs = || {
        project.git(&[
            "for-each-ref",
            "--format=%(refname) %(objectname)",
            "refs/tags",
            "refs/notes",
            "refs/remotes",
            "refs/replace",
            "refs/stash",
            "refs/bisect",
        ])
    };
    let before = refs();
    project.run(&["-i", "1"]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("x ", ""));
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(refs(), before);
}

/// What the person ignores everywhere is ignored here, too.
#[rstest]
#[case::by_default("home/.config/git/ignore", "*.tmp\n", "")]
#[case::by_name("home/ignore", "*.tmp\n", "[core]\n\texcludesFile = ~/ignore\n")]
fn what_a_person_ignores_everywhere(#[case] file: &str, #[case] text: &str, #[case] config: &str) {
    let project = Project::with(
        &[task("1")],
        &[implementer([write("src/1.txt", "x"), write("src/b.tmp", "x")])],
    );
    project.write(&format!("../{file}"), text);
    let git_config = project.read("../home/.gitconfig");
    project.write("../home/.gitconfig", format!("{git_config}{config}"));
    project.write("a.tmp", "mine\n");
    assert_eq!(project.status(), "");
    project.run(&[]).exits(0);
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert!(project.has("a.tmp") && project.has("src/b.tmp"));
}

fn submodule() -> Project {
    let mut project = Project::new();
    let (first, library) = (project.root().to_owned(), project.place().join("library"));
    project.move_to(library.clone());
    std::fs::create_dir(&library).unwrap();
    project.git(&["init", "-q"]);
    project.write("lib.txt", "library\n");
    project.commit("library");
    project.move_to(first);
    project.git(&["submodule", "--quiet", "add", library.to_str().unwrap(), "lib"]);
    project.commit("second");
    project
}

#[test]
fn a_submodule_stays_as_it_is() {
    let project = submodule();
    project.backlog(&[task("1"), task("2").files("**")]);
    project.script(&[
        writes_one().task("1"),
        implementer([sh("cd lib && echo x >> lib.txt && git commit -qam moved")]).task("2"),
    ]);
    project.run(&["-i", "1"]).exits(0);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("x ", ""));
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    assert!(log.objection("scope").is_some(), "{:?}", log.last("gates_judged"));
    assert_eq!(project.subjects().len(), 2);
}

/// LoopDex w21: a clone inside the project, vendored or ignored, is somebody's work.
#[rstest]
#[case::ignored("ignored/clone", vec![])]
#[case::vendored("vendor", vec!["--allow-dirty"])]
fn a_nested_repository_is_not_touched(#[case] at: &str, #[case] args: Vec<&str>) {
    let project = Project::with(&[task("1").verify(&["exit 1"])], &[writes_one()]);
    project.git(&["init", "-q", at]);
    project.write(&format!("{at}/work.txt"), "not committed\n");
    project.git(&["-C", at, "add", "work.txt"]);
    project.write(&format!("{at}/work.txt"), "not even staged\n");
    let args = [&["-i", "1"], args.as_slice()].concat();
    project.run_in_vain(&args, 0);
}

/// LoopDex w18: a project without an ignore file gets none, and its tasks pass.
#[test]
fn a_project_without_an_ignore_file() {
    let project = Project::new();
    project.git(&["rm", "-q", ".gitignore"]);
    project.git(&["commit", "-qm", "second"]);
    project.backlog(&[task("1")]);
    project.script(&[writes_one()]);
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.has(".gitignore")), ("x", false));
}

/// What a team commits of the state directory is never part of a candidate.
#[test]
fn a_committed_backlog_is_marked_and_not_committed() {
    let project = Project::with(&[task("1")], &[writes_one()]);
    project.git(&["add", "-f", ".looper/backlog.md", ".looper/config.toml"]);
    project.git(&["commit", "-qm", "the plan"]);
    project.run(&[]).exits(0);
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert_eq!(project.git(&["status", "--porcelain"]), " M .looper/backlog.md");
    project.edit_backlog("- [x]", "- [ ]");
    project.run(&[]).exits(1);
}

/// A person's own hooks are the person's: they do not run, and they stay.
#[test]
fn a_persons_hook_that_refuses_everything_refuses_nothing() {
    let project = Project::with(&[task("1")], &[writes_one()]);
    project.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    project.git(&["-c", "alias.x=!chmod +x .git/hooks/pre-commit", "x"]);
    project.run(&[]).exits(0);
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert!(project.has(".git/hooks/pre-commit"));
}

#[test]
fn another_state_directory_and_another_backlog() {
    let mut project = Project::with(&[task("1")], &[writes_one()]);
    project.write("plans/work.md", project.read(".looper/backlog.md"));
    project.write("state/config.toml", project.read(".looper/config.toml"));
    project.write("state/.gitignore", "/*\n");
    std::fs::remove_dir_all(project.path(".looper")).unwrap();
    project.commit("plans");
    project.env("LOOPER_STATE_DIR", "state");
    let log = || Log::read(&project.path("state/events.jsonl"));
    project.looper(&["run", "--backlog", "plans/work.md"]).exits(0);
    assert_eq!(log().last("run_ended")["reason"], "done");
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert!(project.read("plans/work.md").contains("- [x] Task 1"));
}
