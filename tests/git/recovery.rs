//! What the next process finds, and what people and critics are shown.

use looper::engine::id::CommitId;
use looper::host::git::{At, Git, GitError};
use rstest::rstest;

use crate::support::{Fixture, WHEN, attempt, commit, path};

#[rstest]
#[case::at_the_base(|_: &Fixture| {}, |at: &At| *at == At::Base)]
#[case::agent_commits(|it: &Fixture| { it.commit_all("1"); it.commit_all("2"); }, |at: &At| matches!(at, At::AgentCommits(two) if two.len() == 2))]
#[case::base_on_a_new_branch(|it: &Fixture| { it.git(&["switch", "-qc", "x"]); }, |at: &At| *at == At::Base)]
#[case::commits_on_a_new_branch(|it: &Fixture| { it.git(&["switch", "-qc", "x"]); it.commit_all("1"); }, |at: &At| matches!(at, At::Foreign(_)))]
#[case::amended(|it: &Fixture| { it.git(&["commit", "-q", "--amend", "-m", "x"]); }, |at: &At| matches!(at, At::Foreign(_)))]
fn head_is_located(#[case] edit: fn(&Fixture), #[case] want: fn(&At) -> bool) {
    let fixture = Fixture::new();
    let base = CommitId::new(fixture.head());
    edit(&fixture);
    let at = fixture.open().locate(Some("refs/heads/main"), &base, None).unwrap();
    assert!(want(&at), "{at:?}");
}

#[test]
fn a_prepared_commit_that_was_published_is_found() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "x"));
    let prepared = git.prepare_commit(&snapshot.base, &frozen.tree, "m", WHEN).unwrap();
    let locate = |git: &Git| {
        git.locate(snapshot.branch.as_deref(), &snapshot.base, Some(&prepared.commit)).unwrap()
    };
    assert_eq!(locate(&git), At::Base);
    git.publish(&prepared, &snapshot).unwrap();
    assert_eq!(locate(&git), At::Prepared);
    // Somebody goes on from there: the commit is in history, and is no agent's.
    fixture.commit_all("on top");
    assert_eq!(locate(&fixture.open()), At::Beyond);
}

#[test]
fn only_locks_that_a_commit_of_ours_can_leave_are_cleared() {
    let fixture = Fixture::new();
    let locks = [
        "index.lock",
        "HEAD.lock",
        "refs/heads/main.lock",
        "refs/looper/rescued/1/heads/x.lock",
        "refs/heads/x.lock",
        "config.lock",
    ];
    for lock in locks {
        fixture.write(format!(".git/{lock}"), "");
    }
    fixture.open().clear_stale_locks(Some("refs/heads/main")).unwrap();
    let left: Vec<&str> =
        locks.into_iter().filter(|lock| fixture.at(format!(".git/{lock}")).exists()).collect();
    assert_eq!(left, ["refs/heads/x.lock", "config.lock"]);
}

#[rstest]
#[case::empty(&b""[..])]
#[case::zeros(&[0; 512])]
#[case::cut(&b"DIRC\0\0\0\x02\0\0\0\x05"[..])]
fn an_unreadable_index_is_made_again(#[case] bytes: &[u8]) {
    let fixture = Fixture::new();
    fixture.write("src/a.rs", "changed\n");
    let good = fixture.read(".git/index");
    fixture.write(".git/index", bytes);
    let mut git = fixture.open();
    assert!(!git.index_is_readable().unwrap());
    assert!(matches!(git.dirty().unwrap_err(), GitError::Index { .. }));
    git.sync_index_to_head().unwrap();
    assert!(git.index_is_readable().unwrap());
    assert_eq!(fixture.status(), " M src/a.rs");
    let mut flipped = good;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fixture.write(".git/index", flipped);
    assert!(!git.index_is_readable().unwrap());
}

#[test]
fn an_index_that_vouches_for_a_forged_file_is_not_believed_after_a_crash() {
    let fixture = Fixture::new();
    crate::support::settle();
    let snapshot = fixture.open().snapshot("attempt 1", None).unwrap();
    // An index that says that the changed file is what was committed.
    fixture.write("src/a.rs", "z\n");
    fixture.git(&["add", "src/a.rs"]);
    let index = fixture.read(".git/index");
    let name = |text: &str| {
        let hex = fixture.git(&["rev-parse", text]);
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..40).step_by(2).map(byte).collect::<Vec<u8>>()
    };
    let (new, old) = (name(":src/a.rs"), name("HEAD:src/a.rs"));
    let at = index.windows(20).position(|window| window == new).unwrap();
    let mut forged = index[..index.len() - 20].to_vec();
    forged[at..at + 20].copy_from_slice(&old);
    // Git takes an index without a checksum.
    forged.extend_from_slice(&[0; 20]);
    crate::support::settle();
    fixture.write(".git/index", forged);
    assert!(fixture.open().dirty().unwrap().is_empty(), "the forgery is good");
    let mut later = fixture.open();
    let loaded = later.load_snapshot(&snapshot.id).unwrap();
    later.rollback(&loaded).unwrap();
    assert_eq!(fixture.read("src/a.rs"), b"a\n");
}

#[test]
fn the_anchor_of_the_log_is_kept() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    assert_eq!(git.read_anchor().unwrap(), None);
    git.anchor(b"{\"seq\":7}").unwrap();
    git.anchor(b"{\"seq\":9}").unwrap();
    assert_eq!(fixture.open().read_anchor().unwrap().as_deref(), Some(&b"{\"seq\":9}"[..]));
    assert_eq!(fixture.git(&["cat-file", "blob", "refs/looper/log"]), "{\"seq\":9}");
    fixture.fsck();
}

#[test]
fn a_patch_is_what_git_shows_and_is_cut_to_size() {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("src/a.rs", "a\nmore\n");
        it.remove("src/b.rs");
        it.write("bin.dat", b"\0\x01\x02");
        it.write("no_newline", "x");
    });
    let patch = git.patch(&snapshot.base_tree, &frozen.tree, 1 << 20).unwrap();
    assert!(!patch.truncated);
    assert_eq!(patch.names, frozen.changes);
    commit(&mut git, &snapshot, &frozen.tree);
    let args = ["diff", "--no-renames", "--abbrev=12", "HEAD~", "HEAD"];
    let by_git = fixture.run(&fixture.root, &args).stdout;
    assert_eq!(String::from_utf8_lossy(&patch.text), String::from_utf8_lossy(&by_git));
    let stat = " bin.dat | binary\n no_newline | +1 -0\n src/a.rs | +1 -0\n src/b.rs | +0 -1\n";
    assert_eq!(patch.stat, format!("{stat} 4 files changed, 2 added, 1 removed\n"));
    let short = git.patch(&snapshot.base_tree, &frozen.tree, 100).unwrap();
    assert!(short.truncated && short.text.len() <= 100);
    assert_eq!(short.stat, patch.stat);
    assert!(patch.text.starts_with(&short.text));
}

#[test]
fn what_was_added_is_shown_to_those_who_look_for_secrets() {
    let fixture = Fixture::new();
    fixture.write("old.txt", "SECRET that was there\n");
    fixture.commit_all("old");
    let mut git = fixture.open();
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("old.txt", "SECRET that was there\nadded\n");
        it.write("bin.dat", b"\0SECRET\0");
        it.link("link", "/etc/passwd");
        it.remove("src/a.rs");
    });
    let mut seen = Vec::new();
    git.added(&snapshot.base_tree, &frozen.tree, 32, &mut |one| {
        let text = String::from_utf8_lossy(&one.content).into_owned();
        seen.push((one.path.to_string(), one.lines_before, text));
    })
    .unwrap();
    seen.sort();
    let want = [
        ("bin.dat", 0, "\0SECRET\0".to_owned()),
        ("link", 0, "/etc/passwd".to_owned()),
        ("old.txt", 0, "added\n".to_owned()),
    ];
    let want = want.map(|(path, before, text)| (path.to_owned(), before, text));
    assert_eq!(seen, want);
}

/// Whatever its size, a file is shown whole, and what lies on a cut is whole in one piece.
#[rstest]
#[case::lines("0123456789\n", 3000)]
#[case::one_line("0123456789", 3000)]
#[case::not_text("\0\u{1}23456789\n", 3000)]
#[case::not_even_lines("\0\u{1}23456789", 3000)]
fn what_was_added_is_shown_whole(#[case] unit: &str, #[case] count: usize) {
    let fixture = Fixture::new();
    let mut git = fixture.open();
    let content = format!("{}NEEDLE{}", unit.repeat(count), unit.repeat(count));
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| it.write("long", &content));
    let (mut found, mut total) = (0, 0);
    git.added(&snapshot.base_tree, &frozen.tree, 10_000, &mut |one| {
        let text = String::from_utf8_lossy(&one.content).into_owned();
        total += one.content.len();
        if let Some((before, _)) = text.split_once("NEEDLE") {
            found += 1;
            let line = one.lines_before as usize + before.matches('\n').count();
            assert_eq!(line, unit.matches('\n').count() * count);
        }
    })
    .unwrap();
    assert!(found >= 1 && total >= content.len(), "{found}, {total}");
}

#[test]
fn a_blob_is_read_up_to_a_limit() {
    let fixture = Fixture::new();
    let git = fixture.open();
    let (head, branch) = git.head_commit().unwrap();
    assert_eq!(branch.as_deref(), Some("refs/heads/main"));
    let tree = git.tree_of(&head).unwrap();
    let read = |name: &str, max: usize| git.read_blob(&tree, &path(name), max).unwrap();
    assert_eq!(read("README", 4).as_deref(), Some(&b"read"[..]));
    assert_eq!(read("src/a.rs", 100).as_deref(), Some(&b"a\n"[..]));
    assert_eq!(read("src", 100), None);
    assert_eq!(read("missing", 100), None);
    assert!(matches!(git.tree_of(&CommitId::new("nonsense")), Err(GitError::BadId { .. })));
}
