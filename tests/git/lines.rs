//! Line endings, and what else changes on the way into the repository.

use rstest::rstest;

use crate::support::{Fixture, attempt, commit, letters, path, settle};

/// Makes a repository in which files are checked out with other bytes than are stored.
fn converting(autocrlf: &str, eol: &str, attributes: &str) -> Fixture {
    let fixture = Fixture::empty();
    fixture.write("lf.txt", "one\ntwo\n");
    fixture.write("crlf.txt", "one\r\ntwo\r\n");
    fixture.write("mixed.txt", "one\r\ntwo\n");
    fixture.write("bin.dat", b"\x00\r\n\x01\r\n");
    fixture.write("id.c", "/* $Id$ */\n");
    fixture.commit_all("as they are");
    if !attributes.is_empty() {
        fixture.write(".gitattributes", attributes);
    }
    fixture.git(&["config", "core.autocrlf", autocrlf]);
    if !eol.is_empty() {
        fixture.git(&["config", "core.eol", eol]);
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-q", "--allow-empty", "-m", "attributes"]);
    for file in ["lf.txt", "crlf.txt", "mixed.txt", "bin.dat", "id.c"] {
        fixture.remove(file);
    }
    fixture.git(&["checkout", "-q", "--", "."]);
    settle();
    fixture
}

#[rstest]
#[case::nothing("false", "", "")]
#[case::autocrlf("true", "", "")]
#[case::input("input", "", "")]
#[case::text_auto("false", "", "* text=auto\n")]
#[case::text_auto_crlf("false", "crlf", "* text=auto\n")]
#[case::eol_crlf("false", "", "*.txt eol=crlf\n")]
#[case::eol_lf("true", "", "*.txt text eol=lf\n")]
#[case::text("true", "", "*.txt text\nid.c ident\n")]
#[case::not_text("true", "", "*.txt -text\n")]
#[case::old_style("true", "", "*.txt crlf\n*.c -crlf\n")]
#[case::binary_macro("true", "", "*.txt binary\n")]
#[case::ident("false", "", "*.c ident\n")]
fn every_edit_is_stored_as_git_would(
    #[case] autocrlf: &str,
    #[case] eol: &str,
    #[case] attributes: &str,
) {
    let fixture = converting(autocrlf, eol, attributes);
    let clean = fixture.status();
    let mut git = fixture.open();
    assert_eq!(git.dirty().unwrap().is_empty(), clean.is_empty(), "{clean}");
    let before = fixture.manifest();
    let edit = |it: &Fixture| {
        it.write("lf.txt", "one\nthree\r\n");
        it.write("crlf.txt", "one\r\nthree\r\n");
        it.write("mixed.txt", "one\r\nthree\n");
        it.write("bin.dat", b"\x00\r\n\x02\r\n");
        it.write("id.c", "/* $Id: abcdef $ */\r\nx\n");
        it.write("new.txt", "new\r\nnew\r\n");
        it.write("new.dat", b"a\rb\r\n");
    };
    let (snapshot, frozen) = attempt(&fixture, &mut git, edit);
    if clean.is_empty() {
        assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
    }
    git.rollback(&snapshot).unwrap();
    assert_eq!(fixture.manifest(), before);

    edit(&fixture);
    git.touched();
    let mut later = fixture.open();
    let loaded = later.load_snapshot(&snapshot.id).unwrap();
    later.rollback(&loaded).unwrap();
    assert_eq!(fixture.manifest(), before);

    if clean.is_empty() {
        edit(&fixture);
        git.touched();
        let frozen = git.freeze(&snapshot).unwrap();
        settle();
        git.touched();
        git.clean_to(&snapshot, &frozen).unwrap();
        commit(&mut git, &snapshot, &frozen.tree);
        assert_eq!(fixture.status(), "");
        assert!(git.dirty().unwrap().is_empty());
    }
}

#[test]
fn the_same_text_with_other_line_endings_is_no_change() {
    let fixture = converting("true", "", "");
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| it.write("lf.txt", "one\ntwo\n"));
    assert_eq!(frozen.changes, []);
}

#[test]
fn a_new_attribute_file_takes_effect_on_what_changed_with_it() {
    let fixture = Fixture::new();
    settle();
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| {
        it.write(".gitattributes", "*.txt text\n");
        it.write("new.txt", "a\r\n");
    });
    assert_eq!(letters(&frozen), ["A .gitattributes", "A new.txt"]);
    assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
    let stored = git.read_blob(&frozen.tree, &path("new.txt"), 100).unwrap();
    assert_eq!(stored.as_deref(), Some(&b"a\n"[..]));
}

#[test]
fn a_fresh_checkout_is_what_a_clone_has() {
    let fixture = converting("true", "", "*.c ident\n");
    fixture.link("link", "nowhere");
    fixture.write("bin/run", "#!/bin/sh\n");
    fixture.chmod("bin/run", 0o755);
    fixture.commit_all("more");
    let clone = fixture.dir.path().join("clone");
    let from = fixture.root.to_str().unwrap();
    let to = clone.to_str().unwrap();
    fixture.git(&["-c", "core.autocrlf=true", "clone", "-q", from, to]);
    let out = fixture.dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let git = fixture.open();
    let (head, _) = git.head_commit().unwrap();
    git.checkout_to(&git.tree_of(&head).unwrap(), &out).unwrap();
    let args = ["-r", "--no-dereference", "--exclude=.git", to, out.to_str().unwrap()];
    let differs = std::process::Command::new("diff").args(args).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&differs.stdout), "");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &str| out.join(path).metadata().unwrap().permissions().mode();
    assert_eq!((mode("bin/run") & 0o100, mode("lf.txt") & 0o100), (0o100, 0));
}

#[test]
fn a_binary_file_that_becomes_text_is_stored_as_git_would() {
    let fixture = Fixture::empty();
    fixture.git(&["config", "core.autocrlf", "true"]);
    fixture.write("a", b"\0\r\n");
    fixture.commit_all("binary");
    settle();
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| it.write("a", "one\r\ntwo\r\n"));
    assert_eq!(frozen.tree.as_str(), fixture.tree_by_git());
}
