//! What a hostile agent tries.

use std::process::Command;

use crate::support::*;

/// On what git keeps. Each succeeds exactly where it did harm.
pub(super) const ON_GIT: [&str; 10] = [
    "echo x > $GIT/hooks/pre-commit",
    "echo x > $GIT/config",
    "git config core.hooksPath /tmp",
    "git update-ref refs/heads/evil HEAD",
    "git add -A && git diff --cached --quiet; test $? = 1",
    "git add -A && git commit -qm evil",
    "echo x | git hash-object -w --stdin",
    "mkdir -p $GIT/info && echo x >> $GIT/info/exclude",
    "git stash -u",
    "ln $GIT/config linked && echo x >> linked",
];

/// On the state directory.
pub(super) const ON_STATE: [&str; 7] = [
    "echo x >> .looper/events.jsonl",
    "echo x >> .looper/backlog.md",
    "echo x >> .looper/config.toml",
    "touch .looper/objects/x || touch .looper/x",
    "chmod 777 .looper",
    "mv .looper moved && ln -s moved .looper",
    "rm -rf .looper; ! test -e .looper/backlog.md",
];

/// On the place of things.
pub(super) const ON_PLACES: [&str; 5] = [
    "umount -l .git; echo x >> .git/config",
    "mount -o remount,rw,bind .git; echo x >> .git/config",
    "rm -rf .git; ! test -e .git/HEAD",
    "mv .git moved-git",
    "mv ../project ../elsewhere",
];

/// On what lies outside the project.
pub(super) const OUTSIDE: [&str; 5] = [
    "echo x > $HOME/.profile",
    "mkdir -p $HOME/.config/looper && echo x > $HOME/.config/looper/config.toml",
    "echo x > ../x",
    "echo x > ../bin/git",
    "rm ../home/.gitconfig",
];

/// On the project, by whoever may only look.
pub(super) const BY_A_READER: [&str; 6] = [
    "echo x > src/kept.txt",
    "echo x > new.txt",
    "mkdir -p ignored && echo x > ignored/x",
    "rm src/kept.txt",
    "mv src elsewhere",
    "ln -s /etc/passwd link",
];

/// An attack that cannot succeed proves nothing about what holds it.
#[test]
fn every_attack_succeeds_where_nothing_holds_it() {
    let groups: [&[&str]; 5] = [&ON_GIT, &ON_STATE, &ON_PLACES, &OUTSIDE, &BY_A_READER];
    for attack in groups.concat() {
        let project = Project::with(&[task("1")], &[]);
        project.write("new/file", "something to commit");
        project.write(".looper/events.jsonl", "");
        let mut shell: Command = project.command("sh");
        let done = shell.env("GIT", project.path(".git")).args(["-c", attack]).output().unwrap();
        assert!(done.status.success(), "{attack}: {done:?}");
    }
}
