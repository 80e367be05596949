//! Submodules, nested repositories, pipes, and other things that no candidate can hold.

use looper::host::git::SpecialKind;
use rstest::rstest;

use crate::support::{Fixture, attempt, commit, letters, names, path};

fn special(frozen: &looper::host::git::Frozen) -> Vec<(String, SpecialKind)> {
    frozen.special.iter().map(|one| (one.path.to_string(), one.kind)).collect()
}

/// A repository with the submodule `sub`, and with an untracked repository `vendor/lib`.
fn with_submodule() -> Fixture {
    let fixture = Fixture::new();
    let outside = fixture.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    fixture.git_at(&outside, &["init", "-q", "-b", "main"]);
    std::fs::write(outside.join("inner"), "inner\n").unwrap();
    fixture.git_at(&outside, &["add", "-A"]);
    let who = ["-c", "user.name=N", "-c", "user.email=n@example.org"];
    fixture.git_at(&outside, &[&who[..], &["commit", "-q", "-m", "inner"]].concat());
    let allow = ["-c", "protocol.file.allow=always"];
    let add = ["submodule", "--quiet", "add", outside.to_str().unwrap(), "sub"];
    fixture.git(&[&allow[..], &add[..]].concat());
    fixture.git(&["commit", "-q", "-m", "submodule"]);
    fixture
}

#[test]
fn an_untouched_submodule_is_in_nobodys_way() {
    let fixture = with_submodule();
    let mut git = fixture.open();
    git.preflight().unwrap();
    assert!(git.dirty().unwrap().is_empty());
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    assert_eq!(letters(&frozen), ["M src/a.rs"]);
    assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
    commit(&mut git, &snapshot, &frozen.tree);
    assert_eq!(fixture.status(), "");
}

#[test]
fn a_submodule_that_was_never_initialised_is_unchanged() {
    let fixture = with_submodule();
    fixture.git(&["submodule", "--quiet", "deinit", "-f", "sub"]);
    let mut git = fixture.open();
    assert!(git.dirty().unwrap().is_empty());
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("sub/hidden", "x"));
    assert_eq!(letters(&frozen), ["M sub"]);
    assert_eq!(special(&frozen), [("sub".to_owned(), SpecialKind::DirtySubmodule)]);
    assert_eq!(names(&git.rollback(&snapshot).unwrap().left), ["sub"]);
}

#[test]
fn a_moved_submodule_is_a_change_that_no_rollback_takes_back() {
    let fixture = with_submodule();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        let who = ["-c", "user.name=N", "-c", "user.email=n@example.org"];
        let args = [&who[..], &["commit", "-q", "--allow-empty", "-m", "next"]].concat();
        it.git_at(&it.at("sub"), &args);
    });
    assert_eq!(letters(&frozen), ["M sub"]);
    assert_eq!(special(&frozen), [("sub".to_owned(), SpecialKind::MovedSubmodule)]);
    assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
    let restored = git.rollback(&snapshot).unwrap();
    assert_eq!(names(&restored.left), ["sub"]);
    assert_eq!(fixture.status(), " M sub");
}

#[test]
fn a_dirty_submodule_is_a_change_that_no_tree_can_hold() {
    let fixture = with_submodule();
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| it.write("sub/inner", "changed\n"));
    assert_eq!(letters(&frozen), ["M sub"]);
    assert_eq!(special(&frozen), [("sub".to_owned(), SpecialKind::DirtySubmodule)]);
    assert_eq!(fixture.read("sub/inner"), b"changed\n");
}

#[test]
fn a_submodule_replaced_by_a_file_is_seen_and_the_file_goes() {
    let fixture = with_submodule();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.remove("sub");
        it.write("sub", "x");
    });
    assert_eq!(letters(&frozen), ["T sub"]);
    assert_eq!(names(&git.rollback(&snapshot).unwrap().left), ["sub"]);
    assert!(!fixture.at("sub").exists());
}

#[test]
fn a_repository_that_was_there_before_is_never_touched() {
    let fixture = Fixture::new();
    let nested = fixture.nested("vendor/lib");
    std::fs::write(nested.join("inner"), "a person's work\n").unwrap();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("vendor/lib/inner", "agent's work\n");
        it.write("vendor/lib/more", "agent's file\n");
        it.write("vendor/other", "x");
    });
    assert_eq!(letters(&frozen), ["A vendor/other"]);
    assert_eq!(special(&frozen), [("vendor/lib".to_owned(), SpecialKind::NestedRepository)]);
    let restored = git.rollback(&snapshot).unwrap();
    assert_eq!(names(&restored.left), ["vendor/lib"]);
    assert_eq!(names(&restored.removed), ["vendor/other"]);
    assert_eq!(fixture.read("vendor/lib/more"), b"agent's file\n");
}

#[test]
fn the_files_of_a_repository_without_its_git_are_not_taken_for_the_attempts() {
    let fixture = Fixture::new();
    fixture.nested("vendor/lib");
    let mut git = fixture.open();
    let (snapshot, _) = attempt(&fixture, &mut git, |it| it.remove("vendor/lib/.git"));
    let restored = git.rollback(&snapshot).unwrap();
    assert_eq!(names(&restored.left), ["vendor/lib"]);
    assert_eq!(fixture.read("vendor/lib/inner"), b"inner\n");
}

#[test]
fn a_new_repository_is_reported_and_removed() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.nested("new/lib");
        it.git_at(&it.at("src"), &["init", "-q"]);
    });
    let kind = SpecialKind::NestedRepository;
    assert_eq!(special(&frozen), [("new/lib".to_owned(), kind), ("src".to_owned(), kind)]);
    assert_eq!(frozen.changes, []);
    let restored = git.rollback(&snapshot).unwrap();
    assert_eq!(names(&restored.removed), ["new/lib", "src/.git"]);
    assert!(!fixture.at("new").exists());
    assert_eq!(fixture.read("src/a.rs"), b"a\n");
}

#[rstest]
#[case::pipe(|it: &Fixture| it.fifo("p"), SpecialKind::Fifo)]
#[case::reserved(|it: &Fixture| it.write("p/.Git/config", "x"), SpecialKind::ReservedName)]
#[case::reserved_short(|it: &Fixture| it.write("GIT~1", "x"), SpecialKind::ReservedName)]
#[case::too_large(|it: &Fixture| std::fs::File::create(it.at("p")).unwrap().set_len(300 << 20).unwrap(), SpecialKind::TooLarge)]
#[case::too_deep(|it: &Fixture| it.mkdir(&"d/".repeat(220)), SpecialKind::TooDeep)]
fn what_no_tree_can_hold_is_reported_and_removed(
    #[case] edit: fn(&Fixture),
    #[case] want: SpecialKind,
) {
    let fixture = Fixture::new();
    let before = fixture.manifest();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, edit);
    assert_eq!(special(&frozen).iter().map(|one| one.1).collect::<Vec<_>>(), [want]);
    assert_eq!(frozen.changes, []);
    git.rollback(&snapshot).unwrap();
    assert_eq!(fixture.manifest(), before);
}

/// A link that leads out shows what no other clone has.
#[rstest]
#[case::inside(|it: &Fixture| it.link("bin/a", "../src/a.rs"), &[])]
#[case::out(|it: &Fixture| it.link("a", "/etc/passwd"), &["a"])]
#[case::out_of_a_file(|it: &Fixture| { it.remove("src/a.rs"); it.link("src/a.rs", "../../a.rs") }, &["src/a.rs"])]
#[case::into_git(|it: &Fixture| it.link("bin/a", "../.git/hidden"), &["bin/a"])]
fn a_new_link_that_leads_out_is_reported(#[case] edit: fn(&Fixture), #[case] want: &[&str]) {
    let fixture = Fixture::new();
    fixture.mkdir("bin");
    fixture.link("persons", "/nowhere");
    fixture.commit_all("links");
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, edit);
    let found: Vec<_> = frozen.leads_out.iter().map(ToString::to_string).collect();
    assert_eq!(found, want);
    assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
}

#[test]
fn a_pipe_of_a_person_stays() {
    let fixture = Fixture::new();
    fixture.fifo("src/pipe");
    let mut git = fixture.open();
    assert!(git.dirty().unwrap().is_empty());
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    assert_eq!(frozen.special, []);
    git.rollback(&snapshot).unwrap();
    assert!(fixture.at("src/pipe").exists());
    let loaded = fixture.open().load_snapshot(&snapshot.id).unwrap();
    let mut later = fixture.open();
    assert_eq!(later.rollback(&loaded).unwrap().removed, []);
}

#[test]
fn no_write_leaves_the_work_tree_through_a_link() {
    let fixture = Fixture::new();
    let outside = fixture.dir.path().join("victim");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("a.rs"), "theirs\n").unwrap();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.remove("src");
        it.link("src", outside.to_str().unwrap());
    });
    assert_eq!(letters(&frozen), ["A src", "D src/a.rs", "D src/b.rs"]);
    git.rollback(&snapshot).unwrap();
    assert_eq!(std::fs::read(outside.join("a.rs")).unwrap(), b"theirs\n");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fixture.read("src/a.rs"), b"a\n");
}

#[test]
fn ignored_files_in_a_new_directory_outlive_the_attempt() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, _) = attempt(&fixture, &mut git, |it| {
        it.write("new/code.rs", "x");
        it.write("new/build.log", "x");
        it.write("new/target/x", "x");
    });
    assert_eq!(names(&git.rollback(&snapshot).unwrap().removed), ["new/code.rs"]);
    assert!(fixture.at("new/build.log").exists());
    assert!(fixture.at("new/target/x").exists());
    assert_eq!(git.rollback(&snapshot).unwrap().removed, []);
}

#[test]
fn a_directory_that_ignores_itself_is_left_alone_after_a_crash() {
    let fixture = Fixture::new();
    fixture.write("venv/.gitignore", "*\n");
    fixture.write("venv/bin/python", "x");
    let snapshot = fixture.open().snapshot("attempt 1", None).unwrap();
    fixture.write("src/a.rs", "x");
    let mut later = fixture.open();
    let loaded = later.load_snapshot(&snapshot.id).unwrap();
    let restored = later.rollback(&loaded).unwrap();
    assert_eq!(names(&restored.restored), ["src/a.rs"]);
    assert!(fixture.at("venv/bin/python").exists());
}

#[test]
fn the_state_directory_is_nobodys_business_even_when_tracked() {
    let fixture = Fixture::new();
    fixture.write(".looper/backlog.md", "tasks\n");
    fixture.commit_all("state");
    let mut git = fixture.open();
    fixture.write(".looper/backlog.md", "changed by a person\n");
    assert!(git.dirty().unwrap().is_empty());
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write(".looper/backlog.md", "changed again\n");
        it.write("src/a.rs", "x");
    });
    assert_eq!(letters(&frozen), ["M src/a.rs"]);
    git.clean_to(&snapshot, &frozen).unwrap();
    commit(&mut git, &snapshot, &frozen.tree);
    assert_eq!(fixture.read(".looper/backlog.md"), b"changed again\n");
    assert_eq!(fixture.status(), " M .looper/backlog.md");
    assert_eq!(fixture.git(&["show", "HEAD:.looper/backlog.md"]), "tasks");
    assert_eq!(git.on_disk(&path("src/a.rs")), fixture.at("src/a.rs"));
}
