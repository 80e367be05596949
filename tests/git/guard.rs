//! What is put back under `.git`, and what is kept of it.

use std::fs;

use looper::host::git::{GitError, Rescue};
use rstest::rstest;

use crate::support::{Fixture, attempt, settle};

type Edit = fn(&Fixture);

fn whats(rescued: &[Rescue]) -> Vec<&str> {
    rescued.iter().map(|rescue| rescue.what.as_str()).collect()
}

#[rstest]
#[case::hook(|it: &Fixture| it.write(".git/hooks/pre-commit", "evil"), &[".git/hooks/pre-commit"])]
#[case::hook_removed(|it: &Fixture| it.remove(".git/hooks/post-merge"), &[".git/hooks/post-merge"])]
#[case::hook_mode(|it: &Fixture| it.chmod(".git/hooks/post-merge", 0o600), &[".git/hooks/post-merge"])]
#[case::hooks_become_a_link(|it: &Fixture| { it.remove(".git/hooks"); it.link(".git/hooks", "/tmp"); }, &[".git/hooks", ".git/hooks/post-merge"])]
#[case::config(|it: &Fixture| { it.git(&["config", "core.fsmonitor", "evil"]); }, &[".git/config"])]
#[case::config_removed(|it: &Fixture| it.remove(".git/config"), &[".git/config"])]
#[case::exclude(|it: &Fixture| it.write(".git/info/exclude", "*"), &[".git/info/exclude"])]
#[case::attributes(|it: &Fixture| it.write(".git/info/attributes", "* -text"), &[".git/info/attributes"])]
#[case::alternates(|it: &Fixture| it.write(".git/objects/info/alternates", "/tmp\n"), &[".git/objects/info/alternates"])]
#[case::grafts(|it: &Fixture| it.write(".git/info/grafts", ""), &[".git/info/grafts"])]
#[case::worktree_config(|it: &Fixture| it.write(".git/config.worktree", ""), &[".git/config.worktree"])]
#[case::branch(|it: &Fixture| { it.git(&["branch", "x"]); }, &["refs/heads/x"])]
#[case::other_branch_moved(|it: &Fixture| { it.git(&["branch", "-f", "other", "HEAD~"]); }, &["refs/heads/other"])]
#[case::other_branch_deleted(|it: &Fixture| { it.git(&["branch", "-D", "other"]); }, &["refs/heads/other"])]
#[case::branch_file_damaged(|it: &Fixture| it.write(".git/refs/heads/other", "junk"), &["refs/heads/other"])]
#[case::own_branch_damaged(|it: &Fixture| it.write(".git/refs/heads/main", "junk"), &["refs/heads/main"])]
#[case::head_damaged(|it: &Fixture| it.write(".git/HEAD", "junk"), &["HEAD"])]
#[case::head_removed(|it: &Fixture| it.remove(".git/HEAD"), &["HEAD"])]
#[case::tag_moved(|it: &Fixture| { it.git(&["tag", "-f", "v1", "HEAD~"]); }, &["refs/tags/v1"])]
#[case::replaced(|it: &Fixture| { it.git(&["replace", "HEAD", "HEAD~"]); }, &["REPLACE"])]
#[case::anchor(|it: &Fixture| { it.git(&["update-ref", "refs/looper/log", "HEAD"]); }, &["refs/looper/log"])]
#[case::flags(|it: &Fixture| { it.git(&["update-index", "--assume-unchanged", "README"]); }, &["index"])]
#[case::added(|it: &Fixture| { it.write("n", ""); it.git(&["add", "n"]); }, &["index"])]
#[case::lock(|it: &Fixture| it.write(".git/index.lock", ""), &[".git/index.lock"])]
#[case::ref_lock(|it: &Fixture| { it.git(&["branch", "-f", "other", "HEAD~"]); it.write(".git/refs/heads/other.lock", ""); }, &["refs/heads/other"])]
#[case::status_alone(|it: &Fixture| { it.write("README", "x"); it.git(&["status"]); }, &[])]
#[case::gc(|it: &Fixture| { it.git(&["gc", "-q"]); }, &[])]
fn a_change_under_git_is_put_back(#[case] edit: Edit, #[case] want: &[&str]) {
    let fixture = Fixture::new();
    fixture.commit_all("second");
    fixture.write(".git/hooks/post-merge", "#!/bin/sh\n");
    fixture.git(&["branch", "other"]);
    fixture.git(&["tag", "v1"]);
    let mut git = fixture.open();
    git.anchor(b"{}").unwrap();
    let snapshot = git.snapshot("attempt 1", None).unwrap();
    let all = || {
        fixture.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/replace", "refs/looper/log"])
    };
    let before = (all(), fixture.read(".git/config"), fixture.git(&["ls-files", "-v"]));
    edit(&fixture);
    git.touched();
    let rescued = git.guard(&snapshot).unwrap();
    let found: Vec<&str> = whats(&rescued)
        .into_iter()
        .map(|what| if what.starts_with("refs/replace/") { "REPLACE" } else { what })
        .collect();
    assert_eq!(found, want);
    assert_eq!(before, (all(), fixture.read(".git/config"), fixture.git(&["ls-files", "-v"])));
    assert_eq!(fixture.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    assert!(fixture.at(".git/hooks").symlink_metadata().unwrap().is_dir());
    assert_eq!(fixture.read(".git/hooks/post-merge"), b"#!/bin/sh\n");
    assert_eq!(git.guard(&snapshot).unwrap(), []);
    assert_eq!(git.read_anchor().unwrap().as_deref(), Some(&b"{}"[..]));
    fixture.fsck();
}

#[test]
fn what_is_put_back_is_kept() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| {
        it.write(".git/hooks/pre-push", "agent's hook");
        it.write("src/a.rs", "x");
        it.commit_all("agent's commit");
        it.git(&["branch", "feature"]);
    });
    assert_eq!(frozen.agent_commits.len(), 1);
    let kept = |what: &str| {
        let found = frozen.rescued.iter().find(|rescue| rescue.what == what).unwrap();
        assert!(found.put_back);
        found.kept.clone().unwrap()
    };
    let hook = kept(".git/hooks/pre-push");
    assert_eq!(
        fixture.git(&["show", &format!("{hook}:new/common/hooks/pre-push")]),
        "agent's hook"
    );
    for what in ["refs/heads/main", "refs/heads/feature"] {
        let commit = fixture.git(&["rev-parse", &kept(what)]);
        assert_eq!(commit, frozen.agent_commits[0].as_str());
    }
    let shown = frozen.rescued.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(shown.contains("refs/looper/rescued/1/heads/main"), "{shown}");
}

#[test]
fn what_was_kept_before_is_not_overwritten() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    for number in 1..3 {
        let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
            it.git(&["tag", "mine"]);
        });
        let kept = frozen.rescued[0].kept.as_deref();
        assert_eq!(kept, Some(&*format!("refs/looper/rescued/{number}/tags/mine")));
        git.rollback(&snapshot).unwrap();
    }
    fixture.git(&["rev-parse", "refs/looper/rescued/1/tags/mine"]);
}

#[test]
fn branches_of_other_work_trees_and_remotes_are_only_reported() {
    let fixture = Fixture::new();
    let linked = fixture.dir.path().join("linked");
    fixture.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| {
        it.git_at(&linked, &["commit", "-q", "--allow-empty", "-m", "elsewhere"]);
        it.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    });
    assert_eq!(whats(&frozen.rescued), ["refs/remotes/origin/main", "refs/heads/side"]);
    assert!(frozen.rescued.iter().all(|rescue| !rescue.put_back));
    assert_eq!(fixture.git_at(&linked, &["log", "-1", "--format=%s"]), "elsewhere");
    assert_eq!(fixture.git_at(&linked, &["status", "--porcelain"]), "");
    fixture.git(&["rev-parse", "refs/remotes/origin/main"]);
}

#[test]
fn a_stash_of_a_person_survives_an_agent() {
    let fixture = Fixture::new();
    for text in ["one", "two"] {
        fixture.write("README", text);
        fixture.git(&["stash", "-q"]);
    }
    settle();
    let before = fixture.git(&["stash", "list"]);
    let mut git = fixture.open();
    let (snapshot, _) = attempt(&fixture, &mut git, |it| {
        it.git(&["stash", "drop", "-q"]);
        it.git(&["stash", "clear"]);
    });
    git.rollback(&snapshot).unwrap();
    assert_eq!(fixture.git(&["stash", "list"]), before);
    assert_eq!(fixture.git(&["show", "stash@{1}:README"]), "one");
}

#[rstest]
#[case::deleted(|it: &Fixture| it.remove(".git"))]
#[case::replaced(|it: &Fixture| { it.remove(".git"); it.git(&["init", "-q"]); })]
#[case::moved_away(|it: &Fixture| { fs::rename(it.at(".git"), it.at("old")).unwrap(); it.git(&["init", "-q"]); })]
#[case::objects_gone(|it: &Fixture| it.remove(".git/objects"))]
fn a_lost_repository_is_said_to_be_lost(#[case] edit: Edit) {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let snapshot = git.snapshot("attempt 1", None).unwrap();
    edit(&fixture);
    git.touched();
    for error in [git.freeze(&snapshot).unwrap_err(), git.rollback(&snapshot).unwrap_err()] {
        assert!(matches!(error, GitError::Lost { .. }), "{error}");
    }
}
