//! One attempt: snapshot, edits, freeze, and the way back.

use std::fs;

use rstest::rstest;

use crate::support::{Fixture, Manifest, attempt, letters, names, settle};

type Edit = fn(&Fixture);

fn user_work(fixture: &Fixture) {
    fixture.write("README", "read me, changed by a person\n");
    fixture.write("notes.txt", "precious\n");
    fixture.chmod("notes.txt", 0o600);
    fixture.write("draft/deep/idea.md", "idea\n");
    fixture.mkdir("empty/inside");
    fixture.write("target/cache", "ignored\n");
    fixture.write("src/staged.rs", "staged\n");
    fixture.git(&["add", "src/staged.rs"]);
    fixture.write("src/staged.rs", "staged, then changed\n");
}

/// Proves I8.
/// What agents do. Each has to be undone without a trace.
#[rstest]
#[case::nothing(|_: &Fixture| {})]
#[case::modified(|it: &Fixture| it.write("src/a.rs", "new\n"))]
#[case::same_size(|it: &Fixture| it.write("src/a.rs", "z\n"))]
#[case::added(|it: &Fixture| it.write("src/new/deep/c.rs", "c\n"))]
#[case::deleted(|it: &Fixture| it.remove("src/a.rs"))]
#[case::directory_deleted(|it: &Fixture| it.remove("src"))]
#[case::renamed(|it: &Fixture| fs::rename(it.at("src/a.rs"), it.at("src/z.rs")).unwrap())]
#[case::directory_renamed(|it: &Fixture| fs::rename(it.at("src"), it.at("lib")).unwrap())]
#[case::made_executable(|it: &Fixture| it.chmod("src/a.rs", 0o755))]
#[case::made_secret(|it: &Fixture| it.chmod("src/a.rs", 0o600))]
#[case::made_read_only(|it: &Fixture| { it.write("src/a.rs", "x"); it.chmod("src/a.rs", 0o444); })]
#[case::made_unreadable(|it: &Fixture| { it.write("src/a.rs", "x"); it.chmod("src/a.rs", 0o000); })]
#[case::directory_read_only(|it: &Fixture| { it.write("src/n", "x"); it.chmod("src", 0o555); })]
#[case::directory_closed(|it: &Fixture| { it.write("src/n", "x"); it.chmod("src", 0o000); })]
#[case::top_read_only(|it: &Fixture| { it.write("n", "x"); it.chmod(".", 0o555); })]
#[case::file_becomes_link(|it: &Fixture| { it.remove("src/a.rs"); it.link("src/a.rs", "b.rs"); })]
#[case::file_becomes_directory(|it: &Fixture| { it.remove("src/a.rs"); it.write("src/a.rs/x", "x"); })]
#[case::file_becomes_directory_of_ignored(|it: &Fixture| { it.remove("README"); it.write("README/x.log", "x"); })]
#[case::file_becomes_fifo(|it: &Fixture| { it.remove("src/a.rs"); it.fifo("src/a.rs"); })]
#[case::directory_becomes_file(|it: &Fixture| { it.remove("src"); it.write("src", "x"); })]
#[case::directory_becomes_link(|it: &Fixture| { it.remove("src"); it.link("src", "/tmp"); })]
#[case::dangling_link(|it: &Fixture| it.link("dangling", "nowhere/at/all"))]
#[case::link_to_outside(|it: &Fixture| it.link("outside", "/etc"))]
#[case::fifo(|it: &Fixture| it.fifo("pipe"))]
#[case::empty_directory(|it: &Fixture| it.mkdir("new/empty/one"))]
#[case::empty_directory_removed(|it: &Fixture| it.remove("empty"))]
#[case::newline_in_name(|it: &Fixture| it.write("src/a.rs\nREADME", "x"))]
#[case::not_utf8(|it: &Fixture| it.write(b"bad\xff\xfe.txt", "x"))]
#[case::spaces_and_umlauts(|it: &Fixture| it.write("ä ö/ ü .txt", "x"))]
#[case::backslash_and_glob(|it: &Fixture| it.write("a\\b[*]?.txt", "x"))]
#[case::nested_repository(|it: &Fixture| { it.nested("vendor/lib"); })]
#[case::repository_in_own_directory(|it: &Fixture| { it.git_at(&it.at("src"), &["init", "-q"]); })]
#[case::repository_around_untracked(|it: &Fixture| { it.git_at(&it.at("draft"), &["init", "-q"]); it.write("draft/deep/idea.md", "gone"); })]
#[case::user_file_changed(|it: &Fixture| it.write("notes.txt", "clobbered"))]
#[case::user_file_deleted(|it: &Fixture| it.remove("notes.txt"))]
#[case::user_file_mode(|it: &Fixture| it.chmod("notes.txt", 0o644))]
#[case::user_directory_deleted(|it: &Fixture| it.remove("draft"))]
#[case::user_change_overwritten(|it: &Fixture| it.write("README", "agent"))]
#[case::user_change_checked_out(|it: &Fixture| { it.git(&["checkout", "-q", "--", "README"]); })]
#[case::staged_file_deleted(|it: &Fixture| it.remove("src/staged.rs"))]
#[case::everything_added(|it: &Fixture| { it.write("src/n.rs", "n"); it.git(&["add", "-A"]); })]
#[case::index_removed(|it: &Fixture| it.remove(".git/index"))]
#[case::index_damaged(|it: &Fixture| it.write(".git/index", "DIRC nonsense"))]
#[case::reset_hard(|it: &Fixture| { it.git(&["reset", "-q", "--hard"]); })]
#[case::clean(|it: &Fixture| { it.git(&["clean", "-fdq"]); })]
#[case::stash(|it: &Fixture| { it.git(&["stash", "-q", "-u"]); })]
#[case::committed(|it: &Fixture| { it.write("src/a.rs", "x"); it.commit_all("mine"); })]
#[case::amended(|it: &Fixture| { it.git(&["commit", "-q", "--amend", "-m", "rewritten"]); })]
#[case::new_branch(|it: &Fixture| { it.git(&["switch", "-q", "-c", "feature"]); it.commit_all("x"); })]
#[case::detached(|it: &Fixture| { it.git(&["switch", "-q", "--detach"]); it.commit_all("x"); })]
#[case::branch_deleted(|it: &Fixture| { it.git(&["switch", "-q", "--detach"]); it.git(&["branch", "-D", "-q", "main"]); })]
#[case::branch_in_the_way(|it: &Fixture| { it.git(&["branch", "-m", "main", "x"]); it.git(&["branch", "main/sub"]); })]
#[case::pruned(|it: &Fixture| {
    it.git(&["reset", "-q", "--hard"]);
    it.git(&["reflog", "expire", "--expire=now", "--all"]);
    it.git(&["gc", "-q", "--prune=now"]);
})]
#[case::orphan(|it: &Fixture| { it.git(&["checkout", "-q", "--orphan", "blank"]); })]
#[case::tag(|it: &Fixture| { it.git(&["tag", "v1"]); })]
#[case::packed(|it: &Fixture| { it.git(&["pack-refs", "--all"]); it.git(&["gc", "-q"]); })]
#[case::exclude_edited(|it: &Fixture| { it.write(".git/info/exclude", "*\n"); it.write("hidden", "x"); })]
#[case::gitignore_edited(|it: &Fixture| { it.write(".gitignore", "*\n"); it.write("hidden", "x"); })]
#[case::gitignore_added(|it: &Fixture| { it.write("src/.gitignore", "*\n"); it.write("src/hidden", "x"); })]
#[case::skip_worktree(|it: &Fixture| { it.git(&["update-index", "--skip-worktree", "src/a.rs"]); it.write("src/a.rs", "hidden"); })]
#[case::assume_unchanged(|it: &Fixture| { it.git(&["update-index", "--assume-unchanged", "src/a.rs"]); it.write("src/a.rs", "hidden"); })]
#[case::reserved_name(|it: &Fixture| it.write(".GIT/config", "x"))]
#[case::merge(|it: &Fixture| { it.git(&["checkout", "-q", "-f", "-b", "o"]); it.commit_all("o"); it.git(&["checkout", "-q", "main"]); it.git(&["merge", "-q", "--no-commit", "--no-ff", "o"]); })]
fn rollback_leaves_no_trace(#[case] edit: Edit) {
    let fixture = Fixture::new();
    user_work(&fixture);
    settle();
    let before = fixture.manifest();
    let mut git = fixture.open();
    let snapshot = git.snapshot("attempt 1", None).unwrap();
    assert!(snapshot.dirty);
    edit(&fixture);
    git.touched();
    git.freeze(&snapshot).unwrap();
    git.rollback(&snapshot).unwrap();
    pretty_equal(&before, &fixture.manifest());
    let again = git.rollback(&snapshot).unwrap();
    assert_eq!((again.restored, again.removed, again.left), Default::default());
    fixture.fsck();

    edit_again_and_recover(&fixture, edit, &snapshot.id);
    pretty_equal(&before, &fixture.manifest());
}

/// The same in the hands of a process that knows nothing but the name of the snapshot.
fn edit_again_and_recover(fixture: &Fixture, edit: Edit, id: &looper::engine::id::CommitId) {
    edit(fixture);
    let mut later = fixture.open();
    let snapshot = later.load_snapshot(id).unwrap();
    later.rollback(&snapshot).unwrap();
}

fn pretty_equal(before: &Manifest, after: &Manifest) {
    for key in before.keys().chain(after.keys()) {
        assert_eq!(before.get(key), after.get(key), "{key}");
    }
}

#[rstest]
#[case::modified(|it: &Fixture| it.write("src/a.rs", "new\n"), &["M src/a.rs"])]
#[case::added(|it: &Fixture| it.write("src/c.rs", "c\n"), &["A src/c.rs"])]
#[case::deleted(|it: &Fixture| it.remove("src/a.rs"), &["D src/a.rs"])]
#[case::renamed(|it: &Fixture| fs::rename(it.at("src/a.rs"), it.at("z.rs")).unwrap(), &["D src/a.rs", "A z.rs"])]
#[case::executable(|it: &Fixture| it.chmod("src/a.rs", 0o755), &["M src/a.rs"])]
#[case::mode_git_does_not_know(|it: &Fixture| it.chmod("src/a.rs", 0o640), &[])]
#[case::link(|it: &Fixture| { it.remove("src/a.rs"); it.link("src/a.rs", "b.rs"); }, &["T src/a.rs"])]
#[case::file_to_directory(|it: &Fixture| { it.remove("src/a.rs"); it.write("src/a.rs/x", ""); }, &["D src/a.rs", "A src/a.rs/x"])]
#[case::directory_to_file(|it: &Fixture| { it.remove("src"); it.write("src", ""); }, &["A src", "D src/a.rs", "D src/b.rs"])]
#[case::empty_directory(|it: &Fixture| it.mkdir("hollow"), &[])]
#[case::ignored(|it: &Fixture| it.write("target/x", "x"), &[])]
#[case::written_with_the_same_bytes(|it: &Fixture| it.write("src/a.rs", "a\n"), &[])]
#[case::newline(|it: &Fixture| it.write("src/a.rs\nREADME", ""), &["A src/a.rs\\nREADME"])]
#[case::not_utf8(|it: &Fixture| it.write(b"bad\xff", ""), &[r"A bad\xff"])]
#[case::hidden_by_flag(|it: &Fixture| { it.git(&["update-index", "--skip-worktree", "src/a.rs"]); it.write("src/a.rs", "h"); }, &["M src/a.rs"])]
#[case::hidden_by_exclude(|it: &Fixture| { it.write(".git/info/exclude", "*\n"); it.write("h", ""); }, &["A h"])]
#[case::hidden_by_gitignore(|it: &Fixture| { it.write("src/.gitignore", "*\n"); it.write("src/h", ""); }, &["A src/.gitignore", "A src/h"])]
#[case::committed(|it: &Fixture| { it.write("src/a.rs", "x"); it.commit_all("mine"); it.write("c", ""); }, &["A c", "M src/a.rs"])]
#[case::committed_on_a_branch(|it: &Fixture| { it.git(&["switch", "-qc", "f"]); it.write("c", ""); it.commit_all("mine"); }, &["A c"])]
#[case::forced_past_an_ignore(|it: &Fixture| { it.write("x.log", "x"); it.git(&["add", "-f", "x.log"]); }, &["A x.log"])]
#[case::forced_and_committed(|it: &Fixture| { it.write("target/x", "x"); it.git(&["add", "-f", "target/x"]); it.git(&["commit", "-qm", "f"]); }, &["A target/x"])]
#[case::state_directory(|it: &Fixture| it.write(".looper/backlog.md", "x"), &[])]
fn a_candidate_holds_what_changed(#[case] edit: Edit, #[case] want: &[&str]) {
    let fixture = Fixture::new();
    settle();
    let base = fixture.head();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, edit);
    assert_eq!(letters(&frozen), want);
    assert_eq!(git.changes(&snapshot.base_tree, &frozen.tree).unwrap(), frozen.changes);
    assert_eq!((frozen.overlaps, frozen.special), Default::default());
    assert_eq!(fixture.head(), base);
    assert_eq!(fixture.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    assert_eq!(fixture.git(&["diff", "--cached", "--name-only"]), "");
}

/// Proves I15.
#[test]
fn what_people_had_changed_is_in_no_candidate() {
    let fixture = Fixture::new();
    user_work(&fixture);
    let mut git = fixture.open();
    let dirt = git.dirty().unwrap();
    assert_eq!(names(&dirt.changed), ["README", "src/staged.rs"]);
    assert_eq!(names(&dirt.untracked), ["draft/deep/idea.md", "notes.txt"]);
    let (_, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "new\n"));
    assert_eq!(letters(&frozen), ["M src/a.rs"]);
    assert_eq!(frozen.overlaps, []);
}

#[rstest]
#[case::tracked("README")]
#[case::untracked("notes.txt")]
#[case::staged("src/staged.rs")]
fn a_second_change_to_a_persons_file_overlaps(#[case] file: &str) {
    let fixture = Fixture::new();
    user_work(&fixture);
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| it.write(file, "agent"));
    assert_eq!(names(&frozen.overlaps), [file]);
    assert_eq!(frozen.changes, []);
}

#[test]
fn a_staged_change_alone_is_dirt() {
    let fixture = Fixture::new();
    fixture.write("src/a.rs", "staged\n");
    fixture.git(&["add", "src/a.rs"]);
    fixture.write("src/a.rs", "a\n");
    let mut git = fixture.open();
    assert_eq!(names(&git.dirty().unwrap().changed), ["src/a.rs"]);
    let (_, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "agent"));
    assert_eq!(names(&frozen.overlaps), ["src/a.rs"]);
}

#[test]
fn a_clean_repository_has_no_dirt() {
    let fixture = Fixture::new();
    fixture.write("target/out", "ignored");
    fixture.write(".looper/events.jsonl", "{}");
    fixture.mkdir("hollow");
    fixture.nested("vendor/lib");
    assert!(fixture.open().dirty().unwrap().is_empty());
}

#[test]
fn an_ignored_file_in_a_directory_that_was_empty_stays() {
    let fixture = Fixture::new();
    user_work(&fixture);
    let mut before = fixture.manifest();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("empty/inside/x.log", "x"));
    assert_eq!(letters(&frozen), [""; 0]);
    git.rollback(&snapshot).unwrap();
    before.insert("file empty/inside/x.log".to_owned(), "file 100644 x".to_owned());
    pretty_equal(&before, &fixture.manifest());
}

/// Such a directory is in no tree of git's, but it was there, and a build may need it.
#[rstest]
#[case::its_files_deleted(|it: &Fixture| it.remove("logs/deep/x.log"))]
#[case::deleted(|it: &Fixture| it.remove("logs"))]
#[case::its_mode_changed(|it: &Fixture| { it.remove("logs/deep/x.log"); it.chmod("logs/deep", 0o700); })]
#[case::a_file_in_its_place(|it: &Fixture| { it.remove("logs"); it.write("logs", "x"); })]
fn a_directory_of_ignored_files_is_brought_back_without_them(#[case] edit: Edit) {
    let fixture = Fixture::new();
    fixture.write("logs/deep/x.log", "x");
    let mut before = fixture.manifest();
    let mut git = fixture.open();
    let (snapshot, _) = attempt(&fixture, &mut git, edit);
    git.rollback(&snapshot).unwrap();
    before.remove("file logs/deep/x.log");
    pretty_equal(&before, &fixture.manifest());
}

#[test]
fn byproducts_of_verify_go_and_what_it_altered_comes_back() {
    let fixture = Fixture::new();
    fixture.write("notes.txt", "precious\n");
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("src/a.rs", "new\n");
        it.write("x.log", "forced");
        it.git(&["add", "-f", "x.log"]);
    });
    let frozen_state = fixture.manifest();
    assert_eq!(git.drift(&snapshot, &frozen).unwrap(), []);
    fixture.write("src/a.rs", "altered\n");
    fixture.write("report.xml", "byproduct");
    fixture.write("x.log", "altered too");
    fixture.write("target/build", "ignored");
    fixture.write(".git/hooks/pre-commit", "#!/bin/sh\n");
    fixture.remove("notes.txt");
    git.touched();
    let drift = git.drift(&snapshot, &frozen).unwrap();
    assert_eq!(names(&drift), ["notes.txt", "report.xml", "src/a.rs", "x.log"]);
    let cleaned = git.clean_to(&snapshot, &frozen).unwrap();
    assert_eq!(names(&cleaned.restored), ["notes.txt", "src/a.rs", "x.log"]);
    assert_eq!(names(&cleaned.removed), ["report.xml"]);
    assert_eq!(cleaned.rescued.len(), 1);
    let mut after = fixture.manifest();
    assert_eq!(after.remove("file target/build").as_deref(), Some("file 100644 ignored"));
    after.remove("file target");
    assert_eq!(frozen_state, after);
}

#[test]
fn an_attempt_can_go_on_from_an_uncommitted_candidate() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (_, first) = attempt(&fixture, &mut git, |it| it.write("src/new.rs", "one\n"));
    let second = git.snapshot("attempt 2", Some(&first.tree)).unwrap();
    assert!(!second.dirty);
    fixture.write("src/new.rs", "two\n");
    fixture.write("src/a.rs", "two\n");
    git.touched();
    let frozen = git.freeze(&second).unwrap();
    assert_eq!(letters(&frozen), ["M src/a.rs", "M src/new.rs"]);
    assert_eq!(frozen.overlaps, []);
    let loaded = fixture.open().load_snapshot(&second.id).unwrap();
    assert_eq!(loaded.base_tree, first.tree);
    git.rollback(&second).unwrap();
    assert_eq!(fixture.read("src/new.rs"), b"one\n");
    assert_eq!(fixture.read("src/a.rs"), b"a\n");
}

#[test]
fn a_loaded_snapshot_is_the_one_that_was_taken() {
    let fixture = Fixture::new();
    user_work(&fixture);
    let mut git = fixture.open();
    let taken = git.snapshot("attempt 1", None).unwrap();
    let mut later = fixture.open();
    let loaded = later.load_snapshot(&taken.id).unwrap();
    assert_eq!(loaded.base, taken.base);
    assert_eq!(loaded.base_tree, taken.base_tree);
    assert_eq!(loaded.branch, taken.branch);
    assert_eq!(loaded.work, taken.work);
    assert_eq!(loaded.dirty, taken.dirty);
    fixture.write("src/a.rs", "x");
    later.touched();
    let frozen = later.freeze(&loaded).unwrap();
    assert_eq!(letters(&frozen), ["M src/a.rs"]);
    assert_eq!(frozen.overlaps, []);
}

#[test]
fn a_clean_snapshot_writes_a_handful_of_objects() {
    let fixture = Fixture::new();
    fixture.git(&["config", "gc.auto", "0"]);
    let mut git = fixture.open();
    git.snapshot("attempt 1", None).unwrap();
    fixture.write("src/a.rs", "x");
    fixture.commit_all("a person's");
    git.touched();
    let loose = fixture.git(&["count-objects"]);
    git.snapshot("attempt 2", None).unwrap();
    let count = |text: &str| text.split(' ').next().unwrap().parse::<u32>().unwrap();
    let written = count(&fixture.git(&["count-objects"])) - count(&loose);
    assert!(written <= 3, "{written} objects");
}

#[test]
fn a_detached_head_is_brought_back_from_commits_and_branches() {
    let fixture = Fixture::new();
    fixture.git(&["switch", "-q", "--detach"]);
    let before = fixture.manifest();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("src/a.rs", "x");
        it.commit_all("mine");
        it.git(&["switch", "-q", "main"]);
        it.git(&["merge", "-q", "HEAD@{1}"]);
    });
    assert_eq!(letters(&frozen), ["M src/a.rs"]);
    git.rollback(&snapshot).unwrap();
    assert_eq!(fixture.manifest(), before);
    assert_eq!(fixture.head(), snapshot.base.as_str());
}

/// A driver may hand it to a thread that is allowed to wait.
#[test]
fn a_repository_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<looper::host::git::Git>();
    is_send::<looper::host::git::Snapshot>();
    is_send::<looper::host::git::Frozen>();
}

#[test]
fn a_new_cache_that_ignores_itself_is_left_out_and_removed() {
    let fixture = Fixture::new();
    fixture.write("old_cache/.gitignore", "*\n");
    fixture.write("old_cache/entry", "x");
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write(".pytest_cache/.gitignore", "# made by a test runner\n*\n");
        it.write(".pytest_cache/v/cache/lastfailed", "{}");
        it.write("pkg/sub/.ruff_cache/.gitignore", "*");
        it.write("not_all/.gitignore", "*\n!keep\n");
        it.write("not_all/keep", "x");
        it.write("forced/.gitignore", "*\n");
        it.write("forced/file", "x");
        it.git(&["add", "-f", "forced/file"]);
        it.write("src/a.rs", "x");
    });
    let want = ["A forced/.gitignore", "A forced/file", "A not_all/.gitignore", "A not_all/keep"];
    assert_eq!(letters(&frozen)[..4], want);
    assert_eq!(letters(&frozen)[4..], ["M src/a.rs"]);
    assert_eq!(names(&frozen.caches), [".pytest_cache", "pkg/sub/.ruff_cache"]);
    git.clean_to(&snapshot, &frozen).unwrap();
    assert!(!fixture.at(".pytest_cache").exists());
    assert!(!fixture.at("pkg").exists());
    assert!(fixture.at("old_cache/entry").exists());
    assert!(fixture.at("not_all/keep").exists());
    assert_eq!(git.drift(&snapshot, &frozen).unwrap(), []);
}
