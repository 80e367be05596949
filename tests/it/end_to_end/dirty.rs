//! Uncommitted work of people: refused, or kept aside byte for byte.

use rstest::rstest;

use crate::support::*;

/// A work tree with everything that people leave in one.
fn with_work(rules: &[looper::scripted::Rule]) -> Project {
    let project = Project::new();
    for name in ["src/edited.txt", "src/staged.txt", "src/both.txt", "src/gone.txt", "src/mode.sh"]
    {
        project.write(name, "committed\n");
    }
    project.commit("second");
    project.backlog(&[task("1")]);
    project.script(rules);
    project.write("src/edited.txt", "edited\r\n\0");
    project.write("src/staged.txt", "staged\n");
    project.write("src/both.txt", "staged\n");
    project.git(&["add", "src/staged.txt", "src/both.txt"]);
    project.write("src/both.txt", "and edited\n");
    project.git(&["rm", "-q", "--cached", "src/gone.txt"]);
    std::fs::remove_file(project.path("src/gone.txt")).unwrap();
    project.write("notes.txt", "mine\n");
    project.write("deep/er/notes.txt", "mine too\n");
    project.write("ignored/cache", "c\n");
    project.write("added.txt", "new\n");
    project.git(&["add", "-N", "added.txt"]);
    project.git(&["-c", "alias.x=!chmod +x src/mode.sh && ln -s notes.txt link", "x"]);
    project
}

fn staged(project: &Project) -> String {
    project.git(&["diff", "--cached"])
}

#[test]
fn a_pass_keeps_them_out_of_the_commit_and_in_place() {
    let project = with_work(&[implementer([write("src/1.txt", "x\n")])]);
    let (mut before, status, index) = (project.manifest(), project.status(), staged(&project));
    project.run(&["--allow-dirty"]).exits(0).says("your uncommitted changes stay out");
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    let after = project.manifest();
    before.insert("src/1.txt".into(), after[std::ffi::OsStr::new("src/1.txt")].clone());
    assert_eq!(after, before);
    assert_eq!((project.status(), staged(&project)), (status, index));
}

/// LoopDex w31: a clobbered file is not just listed, it is brought back.
#[rstest]
#[case::fails(vec![append("notes.txt", "clobbered"), exit(1)])]
#[case::is_refused(vec![write("elsewhere", "x"), write("src/1.txt", "x")])]
#[case::clobbers_edits(vec![write("src/edited.txt", "clobbered"), write("src/1.txt", "x")])]
#[case::clobbers_notes(vec![write("notes.txt", "clobbered"), write("src/1.txt", "x")])]
#[case::removes_them(vec![sh("rm -rf notes.txt deep src link added.txt")])]
#[case::cleans(vec![sh("git reset -q --hard && git clean -qfd")])]
#[case::stashes(vec![sh("git stash -qu")])]
#[case::same_name_elsewhere(vec![write("sub/notes.txt", "x"), write("src/1.txt", "x")])]
fn a_failure_brings_them_back(#[case] steps: Vec<looper::scripted::Step>) {
    let project = with_work(&[implementer(steps)]);
    let index = staged(&project);
    project.run_in_vain(&["--allow-dirty", "-i", "1"], 0);
    assert_eq!(staged(&project), index);
}

/// Verify commands see the candidate as it would be committed, without the person's own work.
#[test]
fn verify_does_not_lean_on_uncommitted_work() {
    let tasks = [task("1").verify(&["test ! -e notes.txt", "grep -q committed src/edited.txt"])];
    let project = with_work(&[implementer([write("src/1.txt", "x\n")])]);
    project.backlog(&tasks);
    project.run(&["--allow-dirty"]).exits(0);
    assert_eq!(project.marks(), "x");
}

#[test]
fn what_people_changed_before_cannot_be_part_of_a_change() {
    let project = with_work(&[implementer([append("src/edited.txt", "and the agent\n")])]);
    project.backlog(&[task("1").files("src/*").verify(&["true"])]);
    let log = project.run_in_vain(&["--allow-dirty", "-i", "1"], 0);
    let objection = log.objection("scope").expect("it overlaps");
    assert!(objection.contains("src/edited.txt"), "{objection}");
}

/// Two tasks in a row: the second stands on the first, and the person's work on neither.
#[test]
fn several_tasks_beside_uncommitted_work() {
    let rules = [implementer([sh("echo x > src/$LOOPER_TASK.txt")])];
    let project = with_work(&rules);
    project.backlog(&[task("1"), task("2").verify(&["test -e src/1.txt"]), task("3")]);
    let (status, index) = (project.status(), staged(&project));
    project.run(&["--allow-dirty"]).exits(0);
    assert_eq!(project.subjects().len(), 4);
    assert_eq!((project.status(), staged(&project)), (status, index));
}
