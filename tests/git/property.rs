//! Any edits at all: rollback leaves no trace, and a commit is what git would have made.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;

use crate::support::{Fixture, Manifest, attempt, commit, names, settle};

/// One thing a person or an agent does. Whatever cannot be done is left undone.
#[derive(Clone, Debug)]
enum Edit {
    Write(String, Vec<u8>),
    Remove(String),
    Rename(String, String),
    Chmod(String, u32),
    Link(String, String),
    Mkdir(String),
    Stage(String),
    Commit,
    Switch,
    Reset,
    Hide(String),
}

fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "c", "a.b", "a-b", "ä \n", "x.log", "target"]);
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"same\n".to_vec()),
        Just(b"one\r\ntwo\r\n".to_vec()),
        Just(b"\0\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn file_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        5 => (name(), content()).prop_map(|(path, bytes)| Edit::Write(path, bytes)),
        2 => name().prop_map(Edit::Remove),
        2 => (name(), name()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => (name(), prop::sample::select(vec![0o644, 0o755, 0o600, 0o444]))
            .prop_map(|(path, mode)| Edit::Chmod(path, mode)),
        1 => (name(), name()).prop_map(|(path, target)| Edit::Link(path, target)),
        1 => name().prop_map(Edit::Mkdir),
    ]
}

fn any_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => file_edit(),
        1 => name().prop_map(Edit::Stage),
        1 => Just(Edit::Commit),
        1 => Just(Edit::Switch),
        1 => Just(Edit::Reset),
        1 => name().prop_map(Edit::Hide),
    ]
}

/// A line of a `.gitignore`.
fn pattern() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "aa",
        "ab",
        "*",
        "**",
        "?",
        "*.x",
        "a*",
        "[ab]",
        "[!a]*",
        "[[:alpha:]]",
        "{a,b}",
        r"\a",
        "*b*",
        "a.[x-z]",
        "[]a]",
        "***",
        "a**",
    ]);
    let parts = prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"));
    let ends = (prop::sample::select(vec!["", "", "!", "/", "#", r"\!"]), parts);
    let line = (ends, prop::sample::select(vec!["", "", "/", " ", r"\ "]));
    line.prop_map(|((start, middle), end)| format!("{start}{middle}{end}"))
}

impl Edit {
    fn apply(&self, fixture: &Fixture) {
        let at = |path: &str| fixture.root.join(path);
        let git = |args: &[&str]| drop(fixture.run(&fixture.root, args));
        match self {
            Self::Write(path, bytes) => {
                let path = at(path);
                fs::create_dir_all(path.parent().unwrap()).ok();
                fs::write(path, bytes).ok();
            }
            Self::Remove(path) => {
                if fs::remove_file(at(path)).is_err() {
                    fs::remove_dir_all(at(path)).ok();
                }
            }
            Self::Rename(from, to) => drop(fs::rename(at(from), at(to))),
            Self::Chmod(path, mode) => {
                let path = at(path);
                // A directory that cannot be entered would make every other edit fail.
                if path.symlink_metadata().is_ok_and(|data| data.is_file()) {
                    fs::set_permissions(path, fs::Permissions::from_mode(*mode)).ok();
                }
            }
            Self::Link(path, target) => drop(symlink(target, at(path))),
            Self::Mkdir(path) => drop(fs::create_dir_all(at(path))),
            Self::Stage(path) => git(&["add", "-f", "--", path]),
            Self::Commit => git(&["commit", "-qam", "agent"]),
            Self::Switch => git(&["switch", "-qc", "feature"]),
            Self::Reset => git(&["reset", "-q", "--hard"]),
            Self::Hide(path) => git(&["update-index", "--skip-worktree", path]),
        }
    }
}

/// A repository in which `edits` are committed.
fn committed(edits: &[Edit], autocrlf: bool) -> Fixture {
    let fixture = Fixture::empty();
    fixture.write(".gitignore", "target/\n*.log\n!keep.log\n");
    if autocrlf {
        fixture.git(&["config", "core.autocrlf", "true"]);
    }
    for edit in edits {
        edit.apply(&fixture);
    }
    fixture.git(&["-c", "core.safecrlf=false", "add", "-A"]);
    fixture.git(&["commit", "-qm", "first"]);
    fixture
}

/// Removes what git ignores, which a rollback does not touch, and the directories that are only
/// left for its sake.
fn without_ignored(fixture: &Fixture, before: &Manifest) {
    let list = ["ls-files", "--others", "--ignored", "--exclude-standard", "-z"];
    let listed = fixture.run(&fixture.root, &list).stdout;
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let mut at = fixture.at(path);
        fs::remove_file(&at).unwrap();
        while at.pop() && fixture.was_not_there(&at, before) && fs::remove_dir(&at).is_ok() {}
    }
    // Git does not list directories.
    for mut dir in fixture.directories().into_iter().rev() {
        let ignored = dir.components().any(|part| {
            let part = part.as_os_str().to_string_lossy();
            part == "target" || part.ends_with(".log")
        });
        if ignored && fixture.was_not_there(&dir, before) {
            while fs::remove_dir(&dir).is_ok() && dir.pop() && fixture.was_not_there(&dir, before) {
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_edits_are_undone_without_a_trace(
        base in prop::collection::vec(file_edit(), 0..12),
        person in prop::collection::vec(prop_oneof![4 => file_edit(), 1 => name().prop_map(Edit::Stage)], 0..5),
        agent in prop::collection::vec(any_edit(), 0..12),
        autocrlf in any::<bool>(),
        crash in any::<bool>(),
    ) {
        let fixture = committed(&base, autocrlf);
        for edit in &person {
            edit.apply(&fixture);
        }
        without_ignored(&fixture, &Manifest::new());
        let before = fixture.manifest();
        let mut git = fixture.open();
        let snapshot = git.snapshot("attempt 1", None).unwrap();
        for edit in &agent {
            edit.apply(&fixture);
        }
        git.touched();
        if crash {
            git = fixture.open();
            let loaded = git.load_snapshot(&snapshot.id).unwrap();
            git.rollback(&loaded).unwrap();
        } else {
            git.freeze(&snapshot).unwrap();
            git.rollback(&snapshot).unwrap();
        }
        without_ignored(&fixture, &before);
        prop_assert_eq!(before, fixture.manifest());
        fixture.fsck();
    }

    #[test]
    fn a_commit_is_what_git_would_have_made(
        base in prop::collection::vec(file_edit(), 0..12),
        agent in prop::collection::vec(file_edit(), 1..12),
        autocrlf in any::<bool>(),
    ) {
        let fixture = committed(&base, autocrlf);
        settle();
        let mut git = fixture.open();
        let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
            for edit in &agent {
                edit.apply(it);
            }
        });
        prop_assert_eq!(&frozen.special, &[]);
        prop_assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
        let prepared = commit(&mut git, &snapshot, &frozen.tree);
        prop_assert_eq!(fixture.head(), prepared.commit.as_str());
        prop_assert_eq!(fixture.status(), "");
        fixture.fsck();
    }

    #[test]
    fn what_is_ignored_is_what_git_ignores(
        files in prop::collection::btree_set("[ab]{1,2}(\\.[xy])?(/[ab]{1,2}(\\.[xy])?){0,2}", 1..12),
        top in prop::collection::vec(pattern(), 0..5),
        below in prop::collection::vec(pattern(), 0..3),
        exclude in prop::collection::vec(pattern(), 0..3),
    ) {
        let fixture = Fixture::empty();
        fixture.commit_all("nothing");
        for file in &files {
            Edit::Write(file.clone(), Vec::new()).apply(&fixture);
        }
        fixture.write(".gitignore", top.join("\n"));
        Edit::Write("a/.gitignore".to_owned(), below.join("\n").into_bytes()).apply(&fixture);
        fixture.write(".git/info/exclude", exclude.join("\r\n"));
        let list = ["ls-files", "--others", "--exclude-standard", "-z"];
        let listed = String::from_utf8(fixture.run(&fixture.root, &list).stdout).unwrap();
        let mut want: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        want.sort_unstable();
        let mut found = names(&fixture.open().dirty().unwrap().untracked);
        found.sort_unstable();
        prop_assert_eq!(found, want);
    }
}
