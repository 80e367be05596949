//! Where a run may not start.

use looper::host::git::{Beginning, Blame, Git, GitError, Refusal};
use rstest::rstest;

use crate::support::{Fixture, WHEN, attempt, path};

type Edit = fn(&Fixture);
type Test = fn(&Refusal) -> bool;

fn refusal(fixture: &Fixture) -> Refusal {
    let error = match Git::open(&fixture.root, &[path(".looper")]) {
        Ok(mut git) => git.preflight().unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.blame(), Blame::State);
    match error {
        GitError::Refused(refusal) => refusal,
        error => panic!("{error:?}"),
    }
}

fn conflict(fixture: &Fixture) {
    fixture.git(&["switch", "-qc", "other"]);
    fixture.write("README", "theirs\n");
    fixture.commit_all("theirs");
    fixture.git(&["switch", "-q", "main"]);
    fixture.write("README", "ours\n");
    fixture.commit_all("ours");
}

#[rstest]
#[case::no_repository(|it: &Fixture| it.remove(".git"), |one: &Refusal| matches!(one, Refusal::NotARepository { .. }))]
#[case::bare(|it: &Fixture| { it.remove(".git"); it.git(&["init", "-q", "--bare"]); }, |one: &Refusal| matches!(one, Refusal::Bare { .. }))]
#[case::unborn(|it: &Fixture| { it.git(&["checkout", "-q", "--orphan", "x"]); }, |one: &Refusal| matches!(one, Refusal::Unborn { branch } if branch == "refs/heads/x"))]
#[case::merge(|it: &Fixture| { conflict(it); it.run(&it.root, &["merge", "other"]); }, |one: &Refusal| matches!(one, Refusal::InProgress { operation: "merge" }))]
#[case::cherry_pick(|it: &Fixture| { conflict(it); it.run(&it.root, &["cherry-pick", "other"]); }, |one: &Refusal| matches!(one, Refusal::InProgress { operation: "cherry-pick" }))]
#[case::revert(|it: &Fixture| { conflict(it); it.run(&it.root, &["revert", "HEAD~"]); it.write(".git/REVERT_HEAD", it.head()); }, |one: &Refusal| matches!(one, Refusal::InProgress { operation: "revert" }))]
#[case::rebase(|it: &Fixture| { conflict(it); it.run(&it.root, &["rebase", "other"]); }, |one: &Refusal| matches!(one, Refusal::InProgress { operation: "rebase" }))]
#[case::bisect(|it: &Fixture| { it.git(&["bisect", "start"]); }, |one: &Refusal| matches!(one, Refusal::InProgress { operation: "bisect" }))]
#[case::locked(|it: &Fixture| it.write(".git/index.lock", ""), |one: &Refusal| matches!(one, Refusal::IndexLocked { .. }))]
#[case::unmerged(|it: &Fixture| { conflict(it); it.run(&it.root, &["merge", "other"]); it.remove(".git/MERGE_HEAD"); }, |one: &Refusal| matches!(one, Refusal::Unmerged { path } if path.as_str() == Some("README")))]
#[case::sha256(|it: &Fixture| { it.remove(".git"); it.git(&["init", "-q", "--object-format=sha256"]); }, |one: &Refusal| matches!(one, Refusal::Unsupported { feature } if feature.contains("SHA-256")))]
#[case::reftable(|it: &Fixture| { it.remove(".git"); it.git(&["init", "-q", "--ref-format=reftable"]); }, |one: &Refusal| matches!(one, Refusal::Unsupported { feature } if feature == "reftable"))]
#[case::partial_clone(|it: &Fixture| { it.git(&["config", "core.repositoryformatversion", "1"]); it.git(&["config", "extensions.partialclone", "origin"]); }, |one: &Refusal| matches!(one, Refusal::Unsupported { feature } if feature.contains("partial")))]
#[case::split_index(|it: &Fixture| { it.git(&["update-index", "--split-index"]); }, |one: &Refusal| matches!(one, Refusal::Unsupported { feature } if feature.contains("split")))]
#[case::sparse(|it: &Fixture| { it.git(&["sparse-checkout", "set", "src"]); }, |one: &Refusal| matches!(one, Refusal::Unsupported { feature } if feature.contains("sparse")))]
#[case::filter(|it: &Fixture| { it.git(&["config", "filter.up.clean", "tr a-z A-Z"]); it.write(".gitattributes", "*.rs filter=up\n"); it.commit_all("f"); }, |one: &Refusal| matches!(one, Refusal::Filtered { driver, .. } if driver == "up"))]
#[case::encoding(|it: &Fixture| { it.write(".gitattributes", "README working-tree-encoding=UTF-16\n"); it.git(&["add", ".gitattributes"]); }, |one: &Refusal| matches!(one, Refusal::Encoded { .. }))]
#[case::signed(|it: &Fixture| { it.git(&["config", "commit.gpgsign", "true"]); }, |one: &Refusal| matches!(one, Refusal::Signed))]
#[case::nobody(|it: &Fixture| { it.git(&["config", "user.name", ""]); }, |one: &Refusal| matches!(one, Refusal::NoIdentity))]
fn a_run_may_not_start(#[case] edit: Edit, #[case] want: Test) {
    let fixture = Fixture::new();
    edit(&fixture);
    let found = refusal(&fixture);
    assert!(want(&found), "{found:?}");
    assert!(!found.to_string().is_empty());
}

#[rstest]
#[case::plain(|_: &Fixture| {})]
#[case::dirty(|it: &Fixture| { it.write("README", "x"); it.write("n", "x"); it.git(&["add", "n"]); })]
#[case::driver_without_files(|it: &Fixture| { it.git(&["config", "filter.up.clean", "cat"]); it.write(".gitattributes", "*.psd filter=up\n"); })]
#[case::files_without_driver(|it: &Fixture| it.write(".gitattributes", "*.rs filter=up\n"))]
#[case::index_version_4(|it: &Fixture| { it.git(&["update-index", "--index-version", "4"]); })]
#[case::untracked_cache(|it: &Fixture| { it.git(&["update-index", "--force-untracked-cache"]); it.status(); })]
#[case::no_checksum(|it: &Fixture| { it.git(&["config", "index.skipHash", "true"]); it.git(&["update-index", "--force-write-index"]); })]
#[case::many_threads(|it: &Fixture| { it.git(&["config", "index.threads", "2"]); it.git(&["update-index", "--force-write-index"]); })]
#[case::flags(|it: &Fixture| { it.git(&["update-index", "--skip-worktree", "README"]); it.git(&["update-index", "--assume-unchanged", "run.sh"]); })]
fn a_run_may_start(#[case] edit: Edit) {
    let fixture = Fixture::new();
    edit(&fixture);
    fixture.open().preflight().unwrap();
}

#[test]
fn a_directory_inside_the_work_tree_is_not_the_project() {
    let fixture = Fixture::new();
    let error = Git::open(&fixture.at("src"), &[]).err().unwrap();
    assert!(matches!(error, GitError::Refused(Refusal::NotTheTop { .. })), "{error}");
}

#[test]
fn a_filter_that_appears_during_an_attempt_shows() {
    use looper::host::git::SpecialKind;
    let fixture = Fixture::new();
    fixture.git(&["config", "filter.up.clean", "tr a-z A-Z"]);
    let mut git = fixture.open();
    git.preflight().unwrap();
    let (_, frozen) = attempt(&fixture, &mut git, |it| {
        it.write(".gitattributes", "*.psd filter=up\n");
        it.write("a.psd", "x");
    });
    assert_eq!(frozen.special.len(), 1);
    assert_eq!(frozen.special[0].kind, SpecialKind::Filtered);
}

#[test]
fn a_directory_becomes_a_repository() {
    let fixture = Fixture::new();
    fixture.remove(".git");
    fixture.write("target/out", "ignored");
    fixture.write(".looper/x", "state");
    fixture.link("link", "nowhere");
    let settings = [("user.name", "Ada"), ("user.email", "ada@example.org")];
    let first = Beginning { message: "first\n", when: WHEN, settings: &settings };
    let excluded = [path(".looper")];
    let (mut git, commit) = Git::init_repo(&fixture.root, &excluded, &first).unwrap();
    assert_eq!(fixture.head(), commit.as_str());
    assert!(git.dirty().unwrap().is_empty());
    assert_eq!(fixture.status(), "?? .looper/x");
    let files = fixture.git(&["ls-files"]);
    assert_eq!(files, ".gitignore\nREADME\nlink\nrun.sh\nsrc/a.rs\nsrc/b.rs");
    fixture.fsck();
    assert!(Git::init_repo(&fixture.root, &excluded, &first).is_err());
}

#[rstest]
#[case::locked(|it: &Fixture| it.write(".git/index.lock", ""), |one: &Refusal| matches!(one, Refusal::IndexLocked { .. }))]
#[case::too_large(|it: &Fixture| std::fs::File::create(it.at("huge")).unwrap().set_len((1 << 30) + 1).unwrap(), |one: &Refusal| matches!(one, Refusal::TooLarge { path, .. } if path.as_str() == Some("huge")))]
fn no_attempt_begins_that_could_not_be_undone(#[case] edit: Edit, #[case] want: Test) {
    let fixture = Fixture::new();
    edit(&fixture);
    match fixture.open().snapshot("attempt 1", None).unwrap_err() {
        GitError::Refused(refusal) => assert!(want(&refusal), "{refusal:?}"),
        error => panic!("{error:?}"),
    }
}
