//! What passes is committed, exactly as it was judged.

use looper::scripted::Step;
use rstest::rstest;

use crate::support::*;

#[test]
fn a_task_is_planned_made_verified_judged_and_committed() {
    let project = Project::with(&[task("1")], &[implementer([write("src/1.txt", "one\n")])]);
    let base = project.git(&["rev-parse", "HEAD"]);
    project.run(&[]).exits(0).says("1 done, 0 blocked, 0 to do.");
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert_eq!((project.marks().as_str(), project.status().as_str()), ("x", ""));
    let log = project.log();
    assert_eq!(
        log.names(),
        [
            "run_started",
            "backlog_loaded",
            "task_selected",
            "plan_started",
            "plan_finished",
            "plan_critique_started",
            "plan_critique_finished",
            "implement_started",
            "implement_finished",
            "verify_started",
            "verify_finished",
            "impl_critique_started",
            "impl_critique_finished",
            "gates_judged",
            "commit_started",
            "commit_prepared",
            "commit_finished",
            "task_done",
            "run_ended",
        ]
    );
    let judged = log.lines.iter().find(|line| line["event"] == "gates_judged").unwrap();
    let run = judged["run"].as_str().unwrap();
    let h = judged["h"].as_str().unwrap();
    assert_eq!(
        project.git(&["log", "-1", "--format=%an <%ae>%n%P%n%B"]),
        format!(
            "Ada Example <ada@example.org>\n{base}\nTask 1: Write 1\n\nLooper-Run: {run}\n\
             Looper-Task: 1\nLooper-Seq: {}\nLooper-Log: {h}",
            judged["seq"]
        )
    );
    assert_eq!(log.last("commit_finished")["commit"], project.git(&["rev-parse", "HEAD"]).as_str());
    assert_eq!(judged["data"]["tree"], project.git(&["rev-parse", "HEAD^{tree}"]).as_str());
    assert_eq!(log.last("run_ended")["exit_code"], 0);
}

/// At the end of a run the repository remembers where the log ends.
#[test]
fn the_head_of_the_log_is_anchored_in_the_repository() {
    let project = Project::with(&[task("1")], &[implementer([write("src/1.txt", "x")])]);
    project.run(&[]).exits(0);
    let log = project.log();
    let last = log.lines.last().unwrap();
    let anchor = project.git(&["cat-file", "-p", "refs/looper/log"]);
    assert_eq!(anchor, format!("{} {}", last["seq"], last["h"].as_str().unwrap()));
}

#[test]
fn a_critic_sends_it_back_and_the_second_attempt_passes() {
    let rules = [
        implementer([write("src/1.txt", "first")]).attempt(1),
        implementer([
            Step::ExpectPrompt("use the other word".into()),
            write("src/1.txt", "second"),
        ])
        .attempt(2),
        critic("## Notes\nuse the other word\nVERDICT: FAIL").attempt(1),
    ];
    let project = Project::with(&[task("1")], &rules);
    project.run(&[]).exits(0);
    let log = project.log();
    assert_eq!((log.count("task_failed"), log.count("commit_finished")), (1, 1));
    assert_eq!(log.last("task_done")["attempt"], 2);
    assert_eq!(project.git(&["show", "HEAD:src/1.txt"]), "second");
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert!(project.read(".looper/evidence/loop-1/impl_critique.md").contains("VERDICT: FAIL"));
}

/// LoopDex w11: dependencies decide the order, also where they are a list.
#[rstest]
#[case::in_a_line("Task 2, 3")]
#[case::in_a_list("\n    - Task 2\n    - 3")]
fn tasks_run_in_the_order_of_their_dependencies(#[case] depends: &str) {
    let rules: Vec<_> = ["1", "2", "3"]
        .map(|id| implementer([write(&format!("src/{id}.txt"), id)]).task(id))
        .into();
    let tasks = [task("1").depends(depends), task("2"), task("3").depends("Task 2")];
    let project = Project::with(&tasks, &rules);
    project.run(&[]).exits(0);
    let order = ["Task 2: Write 2", "Task 3: Write 3", "Task 1: Write 1"];
    assert_eq!(project.subjects(), order);
}

#[test]
fn solo_needs_no_critic() {
    let project = Project::with(&[task("1")], &[implementer([write("src/1.txt", "x")])]);
    project.run(&["--profile", "solo"]).exits(0);
    let log = project.log();
    assert_eq!((log.count("plan_started"), log.count("impl_critique_started")), (0, 0));
    assert_eq!((log.count("verify_finished"), project.marks().as_str()), (1, "x"));
}

fn any_file() -> looper::scripted::Rule {
    implementer([sh("echo x > src/$LOOPER_TASK.txt")])
}

#[rstest]
#[case::one_task(&["--task", "2"], 0, " x ")]
#[case::by_its_heading(&["--task", "Task 2"], 0, " x ")]
#[case::one_that_has_to_wait(&["--task", "3"], 1, "   ")]
#[case::one_attempt(&["-i", "1"], 0, "x  ")]
#[case::two_attempts(&["--iterations", "2"], 0, "xx ")]
#[case::more_than_there_are(&["--iterations", "9"], 0, "xxx")]
#[case::all(&[], 0, "xxx")]
fn a_run_does_as_much_as_it_is_asked_for(
    #[case] args: &[&str],
    #[case] code: i32,
    #[case] marks: &str,
) {
    let tasks = [task("1"), task("2"), task("3").depends("Task 1")];
    let project = Project::with(&tasks, &[any_file()]);
    project.run(args).exits(code);
    assert_eq!(project.marks(), marks);
    assert_eq!(project.subjects().len(), marks.matches('x').count());
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.subjects().len()), ("xxx", 3));
}

#[test]
fn a_run_with_nothing_to_do_says_so_and_commits_nothing() {
    let project = Project::with(&[task("1").mark('x')], &[]);
    project.run(&[]).exits(0).says("1 done");
    assert_eq!(project.log().count("task_selected"), 0);
}

#[test]
fn a_dry_run_prints_the_prompt_and_touches_nothing() {
    let project = Project::with(&[task("1")], &[]);
    let all = || (project.manifest(), std::fs::read_dir(project.path(".looper")).unwrap().count());
    let before = all();
    let ran = project.looper(&["run", "--dry-run"]).exits(0);
    assert!(ran.stdout.starts_with("# Planner\n"), "{ran}");
    assert!(ran.stdout.contains("Task 1: Write 1"), "{ran}");
    assert_eq!(all(), before);
}

/// Everything that git can hold goes into the commit as it is.
///
/// LoopDex w30: a name with a line end is one name.
#[rstest]
#[case::a_space("src/*", "printf x > 'src/a b.txt'", &["src/a b.txt"])]
#[case::a_newline("src/*", "printf x > 'src/a\nb.txt'", &["src/a\nb.txt"])]
#[case::a_quote("src/*", "printf x > \"src/a'\\\"b\"", &["src/a'\"b"])]
#[case::a_dash("**", "printf x > ./-rf", &["-rf"])]
#[case::an_umlaut("src/*", "printf x > src/ä.txt", &["src/ä.txt"])]
#[case::not_utf8("src/*", "printf x > \"$(printf 'src/\\377')\"", &["src/\u{fffd}"])]
#[case::a_deletion("src/kept.txt", "rm src/kept.txt", &["src/kept.txt"])]
#[case::a_rename("src/*", "mv src/kept.txt src/moved.txt", &["src/kept.txt", "src/moved.txt"])]
#[case::a_rename_in_case("src/*", "mv src/kept.txt src/KEPT.txt", &["src/KEPT.txt", "src/kept.txt"])]
#[case::a_link("src/*", "ln -s kept.txt src/link", &["src/link"])]
#[case::a_link_to_nowhere("src/*", "ln -s no/where/at/all src/link", &["src/link"])]
#[case::a_mode("src/*", "chmod +x src/kept.txt", &["src/kept.txt"])]
#[case::a_directory_in_place_of_a_file("src/**", "rm src/kept.txt; mkdir src/kept.txt; echo > src/kept.txt/a",
    &["src/kept.txt", "src/kept.txt/a"])]
#[case::an_empty_file("src/*", ": > src/empty", &["src/empty"])]
#[case::many_directories("src/**", "mkdir -p src/a/b/c/d; echo > src/a/b/c/d/e", &["src/a/b/c/d/e"])]
#[case::zeros("src/*", "head -c 100000 /dev/zero > src/zeros", &["src/zeros"])]
fn any_change_is_committed_as_it_is(
    #[case] files: &str,
    #[case] change: &str,
    #[case] paths: &[&str],
) {
    let tasks = [task("1").files(files).verify(&["true"])];
    let project = Project::with(&tasks, &[implementer([sh(change)])]);
    project.run(&[]).exits(0);
    assert_eq!(project.changed_by("HEAD"), paths);
    assert_eq!(project.status(), "");
}

/// The same changes, refused: everything is as it was, the modes and links too.
#[rstest]
fn any_change_is_undone_byte_for_byte(
    #[values(
        "printf x > 'src/a\nb.txt'",
        "printf x > \"$(printf 'src/\\377')\"",
        "rm -r src",
        "mv src/kept.txt src/moved.txt",
        "rm src/kept.txt; ln -s /etc/passwd src/kept.txt",
        "rm README.md; mkdir README.md; echo > README.md/a",
        "chmod 777 src/kept.txt; chmod 400 README.md",
        "mkdir -p a/b/c; chmod 500 a/b",
        "rm .gitignore",
        "rm -r ignored_later; echo src >> .gitignore; rm src/kept.txt",
        "git rm -q --cached src/kept.txt; rm src/kept.txt",
        "git checkout -q --orphan other; git rm -rqf .; rm -rf src"
    )]
    change: &str,
) {
    let project = Project::new();
    project.write("ignored_later/a", "mine\n");
    project.commit("second");
    project.backlog(&[task("1").files("nothing").verify(&["true"])]);
    project.script(&[implementer([sh(change)])]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.last("gates_judged")["outcome"], "FAIL");
    assert_eq!(project.git(&["branch", "--format=%(refname)"]), "refs/heads/main");
}
