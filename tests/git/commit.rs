//! Preparing and publishing a commit.

use std::fs;

use looper::host::git::{At, GitError, Published};
use rstest::rstest;

use crate::support::{Fixture, WHEN, attempt, commit, settle};

type Edit = fn(&Fixture);

/// Proves I11.
#[rstest]
#[case::modified(|it: &Fixture| it.write("src/a.rs", "new\n"))]
#[case::renamed(|it: &Fixture| fs::rename(it.at("src/a.rs"), it.at("z.rs")).unwrap())]
#[case::everything_deleted(|it: &Fixture| { for one in ["src", "README", "run.sh", ".gitignore"] { it.remove(one); } })]
#[case::link(|it: &Fixture| { it.remove("src/a.rs"); it.link("src/a.rs", "nowhere"); })]
#[case::executable(|it: &Fixture| { it.chmod("run.sh", 0o644); it.chmod("README", 0o755); })]
#[case::swapped(|it: &Fixture| { it.remove("src"); it.write("src", "x"); it.remove("README"); it.write("README/x", ""); })]
#[case::names(|it: &Fixture| { it.write(b"bad\xff.txt", ""); it.write("a b\nä", "x"); it.write("src-x", ""); it.write("src.x", ""); })]
#[case::large(|it: &Fixture| it.write("large.bin", vec![7; 3 << 20]))]
fn a_published_candidate_is_what_git_would_have_committed(#[case] edit: Edit) {
    let fixture = Fixture::new();
    settle();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, edit);
    assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
    let prepared = commit(&mut git, &snapshot, &frozen.tree);
    assert_eq!(fixture.head(), prepared.commit.as_str());
    assert_eq!(fixture.git(&["rev-parse", "HEAD^{tree}"]), frozen.tree.as_str());
    assert_eq!(fixture.git(&["rev-parse", "HEAD^"]), snapshot.base.as_str());
    assert_eq!(fixture.status(), "");
    assert!(git.dirty().unwrap().is_empty());
    fixture.fsck();
}

#[test]
fn a_commit_carries_the_identity_and_the_time() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    commit(&mut git, &snapshot, &frozen.tree);
    let format = "--format=%an <%ae> %ad|%cn <%ce>|%s";
    let line = fixture.git(&["log", "-1", "--date=raw", format]);
    assert_eq!(line, "Ada <ada@example.org> 1700000000 +0100|Ada <ada@example.org>|Task 1: do it");
    let reflog = fixture.git(&["reflog", "-1", "--format=%gs", "main"]);
    assert_eq!(reflog, "commit: Task 1: do it");
    assert_eq!(fixture.git(&["reflog", "-1", "--format=%gs", "HEAD"]), reflog);
}

#[test]
fn a_prepared_commit_moves_nothing_and_can_be_made_again() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    let one = git.prepare_commit(&snapshot.base, &frozen.tree, "m", WHEN).unwrap();
    let two = git.prepare_commit(&snapshot.base, &frozen.tree, "m", WHEN).unwrap();
    assert_eq!(one, two);
    assert_eq!(fixture.head(), snapshot.base.as_str());
    git.remake_commit(&one).unwrap();
    let mut other = one.clone();
    other.message.push('!');
    assert!(matches!(git.remake_commit(&other), Err(GitError::Damaged { .. })));
}

#[test]
fn what_people_had_changed_survives_a_commit() {
    let fixture = Fixture::new();
    fixture.write("README", "changed by a person\n");
    fixture.write("notes.txt", "precious\n");
    fixture.write("src/staged.rs", "staged\n");
    fixture.git(&["add", "src/staged.rs"]);
    fixture.git(&["rm", "-q", "--cached", "run.sh"]);
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("src/a.rs", "new\n");
        it.remove("src/b.rs");
    });
    commit(&mut git, &snapshot, &frozen.tree);
    let after = " M README\nD  run.sh\nA  src/staged.rs\n?? notes.txt\n?? run.sh";
    assert_eq!(fixture.status(), after);
    let committed = fixture.git(&["show", "--name-status", "--format=", "HEAD"]);
    assert_eq!(committed, "M\tsrc/a.rs\nD\tsrc/b.rs");
}

#[test]
fn flags_of_other_paths_survive_a_commit() {
    let fixture = Fixture::new();
    fixture.git(&["update-index", "--skip-worktree", "README"]);
    fixture.write("src/later.rs", "x");
    fixture.git(&["add", "-N", "src/later.rs"]);
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "new\n"));
    commit(&mut git, &snapshot, &frozen.tree);
    let flags = fixture.git(&["ls-files", "-t"]);
    assert!(flags.contains("S README"), "{flags}");
    assert_eq!(fixture.status(), " A src/later.rs");
}

#[test]
fn attempts_follow_each_other_without_reading_anything_twice() {
    let fixture = Fixture::new();
    settle();
    let mut git = fixture.open();
    for number in 0..4 {
        let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
            it.write("src/a.rs", format!("{number}\n"));
            it.write(format!("src/n{number}"), "n");
        });
        settle();
        git.touched();
        git.clean_to(&snapshot, &frozen).unwrap();
        commit(&mut git, &snapshot, &frozen.tree);
    }
    assert_eq!(fixture.git(&["rev-list", "--count", "HEAD"]), "5");
    assert_eq!(fixture.status(), "");
    let read = git.files_read();
    git.touched();
    settle();
    git.snapshot("last", None).unwrap();
    let more = git.files_read() - read;
    assert!(more <= 2, "{more} files were read again");
}

#[test]
fn a_moved_branch_is_never_overwritten() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    let prepared = git.prepare_commit(&snapshot.base, &frozen.tree, "m", WHEN).unwrap();
    fixture.git(&["commit", "-q", "--allow-empty", "-m", "a person's"]);
    let person = fixture.head();
    let error = git.publish(&prepared, &snapshot).unwrap_err();
    assert!(matches!(error, GitError::ForeignHead { .. }), "{error}");
    assert_eq!(fixture.head(), person);
    assert!(!fixture.at(".git/index.lock").exists());
}

#[test]
fn a_locked_index_stops_the_commit_before_the_branch_moves() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    let prepared = git.prepare_commit(&snapshot.base, &frozen.tree, "m", WHEN).unwrap();
    fixture.write(".git/index.lock", "");
    let error = git.publish(&prepared, &snapshot).unwrap_err();
    assert!(matches!(error, GitError::Locked { .. }), "{error}");
    assert_eq!(fixture.head(), snapshot.base.as_str());
    assert!(fixture.at(".git/index.lock").exists());
    git.clear_stale_locks(snapshot.branch.as_deref()).unwrap();
    assert_eq!(git.publish(&prepared, &snapshot).unwrap(), Published::Now);
}

#[test]
fn hooks_of_people_do_not_run() {
    let fixture = Fixture::new();
    for hook in ["pre-commit", "commit-msg", "post-commit", "reference-transaction"] {
        let file = format!(".git/hooks/{hook}");
        fixture.write(&file, "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\nexit 1\n");
        fixture.chmod(&file, 0o755);
    }
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    commit(&mut git, &snapshot, &frozen.tree);
    assert!(!fixture.at(".git/hooks/ran").exists());
}

#[test]
fn a_detached_head_moves_alone() {
    let fixture = Fixture::new();
    fixture.git(&["switch", "-q", "--detach"]);
    let mut git = fixture.open();
    git.preflight().unwrap();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    assert_eq!(snapshot.branch, None);
    let prepared = commit(&mut git, &snapshot, &frozen.tree);
    assert_eq!(fixture.head(), prepared.commit.as_str());
    assert_eq!(fixture.git(&["rev-parse", "main"]), snapshot.base.as_str());
    assert_eq!(fixture.git(&["rev-parse", "--symbolic-full-name", "HEAD"]), "HEAD");
    assert_eq!(fixture.status(), "");
}

#[test]
fn a_linked_work_tree_commits_to_its_own_branch() {
    let mut fixture = Fixture::new();
    let main = fixture.root.clone();
    let linked = fixture.dir.path().join("linked");
    fixture.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    fixture.root = linked;
    let mut git = fixture.open();
    git.preflight().unwrap();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("src/a.rs", "x");
        it.git(&["branch", "-q", "extra"]);
    });
    assert_eq!(snapshot.branch.as_deref(), Some("refs/heads/side"));
    assert_eq!(frozen.rescued[0].what, "refs/heads/extra");
    let prepared = commit(&mut git, &snapshot, &frozen.tree);
    assert_eq!(fixture.git(&["rev-parse", "side"]), prepared.commit.as_str());
    assert_eq!(fixture.git(&["rev-parse", "main"]), snapshot.base.as_str());
    assert_eq!(fixture.status(), "");
    assert_eq!(fixture.git_at(&main, &["status", "--porcelain"]), "");

    let (snapshot, _) = attempt(&fixture, &mut git, |it| {
        it.write("src/a.rs", "y");
        it.commit_all("mine");
        it.git(&["switch", "-q", "--detach"]);
    });
    git.rollback(&snapshot).unwrap();
    assert_eq!(fixture.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "side");
    assert_eq!(fixture.status(), "");
}

#[test]
fn publishing_again_after_a_crash_only_mends_the_index() {
    let fixture = Fixture::new();
    let index = fixture.read(".git/index");
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "new\n"));
    let prepared = commit(&mut git, &snapshot, &frozen.tree);
    fixture.write(".git/index", index);
    fixture.write(".git/index.lock", "half");
    assert_ne!(fixture.status(), "");
    let mut later = fixture.open();
    later.clear_stale_locks(snapshot.branch.as_deref()).unwrap();
    let at = later.locate(snapshot.branch.as_deref(), &snapshot.base, Some(&prepared.commit));
    assert_eq!(at.unwrap(), At::Prepared);
    let loaded = later.load_snapshot(&snapshot.id).unwrap();
    assert_eq!(later.publish(&prepared, &loaded).unwrap(), Published::Before);
    assert_eq!(fixture.status(), "");
    assert_eq!(fixture.head(), prepared.commit.as_str());
}

#[test]
fn runs_in_two_work_trees_of_a_repository_leave_each_other_alone() {
    let one = Fixture::new();
    let root = one.dir.path().join("linked");
    one.git(&["worktree", "add", "-q", "-b", "side", root.to_str().unwrap()]);
    let two = Fixture { dir: tempfile::tempdir().unwrap(), root };
    let (mut git_one, mut git_two) = (one.open(), two.open());
    git_one.anchor(b"one").unwrap();
    git_two.anchor(b"two").unwrap();
    let (first, frozen_one) = attempt(&one, &mut git_one, |it| {
        it.write("src/a.rs", "1");
        it.git(&["tag", "mine"]);
    });
    let (second, frozen_two) = attempt(&two, &mut git_two, |it| it.write("src/a.rs", "2"));
    assert_eq!(frozen_two.rescued, []);
    git_two.anchor(b"two, later").unwrap();
    let cleaned = git_one.clean_to(&first, &frozen_one).unwrap();
    assert_eq!(cleaned.rescued, []);
    commit(&mut git_two, &second, &frozen_two.tree);
    let rolled_back = git_one.rollback(&first).unwrap();
    assert!(rolled_back.rescued.iter().all(|rescue| !rescue.put_back), "{rolled_back:?}");
    assert_eq!(git_one.read_anchor().unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(git_two.read_anchor().unwrap().as_deref(), Some(&b"two, later"[..]));
    assert!(one.open().load_snapshot(&first.id).is_ok());
    assert!(two.open().load_snapshot(&second.id).is_ok());
    assert_eq!(two.status(), "");
    assert_eq!(one.status(), "");
}
