//! Any edits at all: a commit is what git would have made, and what is ignored is what git ignores.

use proptest::prelude::*;

use crate::edits::{committed, file_edit};
use crate::support::{Fixture, attempt, cases, commit, names, settle};

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

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_commit_is_what_git_would_have_made(
        base in prop::collection::vec(file_edit(), 0..12),
        agent in prop::collection::vec(file_edit(), 1..12),
        autocrlf in any::<bool>(),
    ) {
        let fixture = committed(Fixture::empty(), &base, autocrlf);
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
            // A name can be that of a file and of a directory; then the first one stands.
            let path = fixture.at(file);
            std::fs::create_dir_all(path.parent().unwrap()).ok();
            std::fs::write(path, "").ok();
        }
        fixture.write(".gitignore", top.join("\n"));
        if !fixture.at("a").is_file() {
            fixture.write("a/.gitignore", below.join("\n"));
        }
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
