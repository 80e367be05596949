//! What people and agents do to a repository, as values that can be made up.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;
use proptest::sample::select;

use crate::support::Fixture;

/// A path below the top of the repository. Names of files are bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) Vec<u8>);

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// One thing a person or an agent does. Whatever cannot be done is left undone.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Write(Place, Vec<u8>),
    /// A pattern file in a directory.
    Ignore(Place, &'static str),
    Remove(Place),
    Rename(Place, Place),
    Chmod(Place, u32),
    Link(Place, Place),
    Fifo(Place),
    Mkdir(Place),
    /// Another repository, with one commit and with work that is not committed.
    Nest(Place),
    /// What looks like a repository, and is none.
    Pretend(Place, &'static str),
    /// A commit in a repository inside this one.
    CommitIn(Place),
    Stage(Place),
    Hide(Place),
    Git(&'static [&'static str]),
}

const PLAIN: &[&[u8]] = &[b"a", b"b", b"c", b"a.b", b"a-b", b"x.log", b"target"];

const ODD: &[&[u8]] = &[
    b"A",
    b"a\n",
    b"\xc3\xa4 \n",
    b"\xff\xfe",
    b"sp ",
    b"back\\slash",
    b"-rf",
    b"*[?]",
    b"\"q\"",
    b".hidden",
    b"keep.log",
    b"\x1b[2J",
    b"long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-\
      long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long",
];

/// A place of one to three names, some of them odd.
pub(crate) fn place() -> impl Strategy<Value = Place> {
    let name = prop_oneof![3 => select(PLAIN), 1 => select(ODD)];
    prop::collection::vec(name, 1..4).prop_map(|names| Place(names.join(&b'/')))
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"same\n".to_vec()),
        Just(b"one\r\ntwo\r\n".to_vec()),
        Just(b"\0\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

/// Where a link leads: inside, outside, nowhere, to itself.
fn target() -> impl Strategy<Value = Place> {
    let odd: &[&[u8]] = &[b"/etc/passwd", b"/tmp", b"..", b"../..", b".", b"no/where", b".git"];
    prop_oneof![2 => place(), 1 => select(odd).prop_map(|path| Place(path.to_vec()))]
}

/// What needs no git. Everything stays readable, so that git can add it.
pub(crate) fn file_edit() -> impl Strategy<Value = Edit> {
    let mode = select(&[0o644, 0o755, 0o600, 0o444, 0o711][..]);
    prop_oneof![
        5 => (place(), content()).prop_map(|(place, bytes)| Edit::Write(place, bytes)),
        2 => place().prop_map(Edit::Remove),
        2 => (place(), place()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => (place(), mode).prop_map(|(place, mode)| Edit::Chmod(place, mode)),
        1 => (place(), target()).prop_map(|(place, target)| Edit::Link(place, target)),
        1 => place().prop_map(Edit::Mkdir),
    ]
}

fn ignore() -> impl Strategy<Value = Edit> {
    let patterns = select(&["*", "a\n", "!x.log\n", "*\n!*/\n", "b/\n", "", "/*.b\n!target\n"][..]);
    (prop_oneof![2 => place(), 1 => Just(Place(Vec::new()))], patterns)
        .prop_map(|(place, patterns)| Edit::Ignore(place, patterns))
}

/// What a person left before the attempt.
pub(crate) fn persons_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => file_edit(),
        1 => place().prop_map(Edit::Stage),
        1 => ignore(),
        2 => place().prop_map(Edit::Nest),
    ]
}

pub(crate) fn agents_edit() -> impl Strategy<Value = Edit> {
    let commands: &[&[&str]] = &[
        &["commit", "-qam", "agent"],
        &["switch", "-qc", "feature"],
        &["reset", "-q", "--hard"],
        &["add", "-A"],
        &["rm", "-rfq", "--cached", "."],
        &["clean", "-fdq"],
        &["clean", "-ffdxq"],
        &["stash", "-uq"],
        &["gc", "-q", "--prune=now"],
        &["mv", "a", "b"],
    ];
    let pretence = select(&["", "gitdir: /nowhere\n", "garbage"][..]);
    prop_oneof![
        16 => file_edit(),
        2 => ignore(),
        2 => place().prop_map(Edit::Stage),
        2 => place().prop_map(Edit::Hide),
        1 => place().prop_map(Edit::Fifo),
        1 => place().prop_map(Edit::Nest),
        1 => (place(), pretence).prop_map(|(place, text)| Edit::Pretend(place, text)),
        1 => place().prop_map(Edit::CommitIn),
        5 => select(commands).prop_map(Edit::Git),
    ]
}

impl Edit {
    /// The places it names.
    pub(crate) fn places(&self) -> Vec<&Place> {
        match self {
            Self::Write(place, _)
            | Self::Ignore(place, _)
            | Self::Remove(place)
            | Self::Chmod(place, _)
            | Self::Link(place, _)
            | Self::Fifo(place)
            | Self::Mkdir(place)
            | Self::Nest(place)
            | Self::Pretend(place, _)
            | Self::CommitIn(place)
            | Self::Stage(place)
            | Self::Hide(place) => vec![place],
            Self::Rename(from, to) => vec![from, to],
            Self::Git(_) => vec![],
        }
    }

    pub(crate) fn apply(&self, fixture: &Fixture) {
        let at = |place: &Place| fixture.at(&place.0);
        let git = |args: &[&str]| drop(fixture.run(&fixture.root, args));
        match self {
            // What leads out of the repository is nobody's business here.
            edit if edit.places().iter().any(|place| leads_out(fixture, place)) => {}
            Self::Write(place, bytes) => put(at(place), bytes),
            Self::Ignore(place, patterns) => {
                put(at(place).join(".gitignore"), patterns.as_bytes());
            }
            Self::Remove(place) => {
                if fs::remove_file(at(place)).is_err() {
                    fs::remove_dir_all(at(place)).ok();
                }
            }
            Self::Rename(from, to) => drop(fs::rename(at(from), at(to))),
            Self::Chmod(place, mode) => chmod(at(place), *mode),
            Self::Link(place, target) => {
                drop(symlink(crate::support::as_path(&target.0), at(place)));
            }
            Self::Fifo(place) => {
                Command::new("mkfifo").arg(at(place)).output().unwrap();
            }
            Self::Mkdir(place) => drop(fs::create_dir_all(at(place))),
            Self::Nest(place) => nest(fixture, at(place)),
            Self::Pretend(place, "") => {
                fs::create_dir_all(at(place).join(".git")).ok();
            }
            Self::Pretend(place, text) => put(at(place).join(".git"), text.as_bytes()),
            Self::CommitIn(place) => {
                if at(place).join(".git").is_dir() {
                    commit_in(fixture, &at(place));
                }
            }
            Self::Stage(place) => stage(fixture, place, &["add", "-f", "--"]),
            Self::Hide(place) => stage(fixture, place, &["update-index", "--skip-worktree", "--"]),
            Self::Git(args) => git(args),
        }
    }
}

/// A repository in which `edits` are committed.
pub(crate) fn committed(fixture: Fixture, edits: &[Edit], autocrlf: bool) -> Fixture {
    fixture.write(".gitignore", "target/\n*.log\n!keep.log\n");
    if autocrlf {
        fixture.git(&["config", "core.autocrlf", "true"]);
    }
    for edit in edits {
        edit.apply(&fixture);
    }
    let settings = ["-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false"];
    fixture.git(&[&settings[..], &["add", "-A"]].concat());
    fixture.git(&["commit", "-qm", "first"]);
    fixture
}

/// Whether the way to a place leads through a symbolic link.
fn leads_out(fixture: &Fixture, place: &Place) -> bool {
    let mut path = fixture.root.clone();
    let mut names: Vec<&[u8]> = place.0.split(|byte| *byte == b'/').collect();
    names.pop();
    names.into_iter().any(|name| {
        path.push(crate::support::as_path(name));
        path.is_symlink()
    }) || fixture.at(&place.0).is_symlink() && fixture.at(&place.0).is_dir()
}

fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).ok();
    if !path.is_symlink() && path.symlink_metadata().is_ok_and(|data| !data.is_file()) {
        return;
    }
    if path.is_symlink() {
        fs::remove_file(&path).unwrap();
    }
    fs::write(path, bytes).ok();
}

fn chmod(path: PathBuf, mode: u32) {
    let Ok(data) = path.symlink_metadata() else { return };
    // A directory that cannot be entered would make every other edit fail.
    let mode = if data.is_dir() { mode | 0o700 } else { mode };
    if !data.is_symlink() {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).ok();
    }
}

fn stage(fixture: &Fixture, place: &Place, args: &[&str]) {
    let mut command = fixture.command(&fixture.root);
    let path = [&b":(literal)"[..], &place.0].concat();
    let path = if args[0] == "add" { path } else { place.0.clone() };
    command.args(args).arg(crate::support::as_path(&path)).output().unwrap();
}

fn nest(fixture: &Fixture, at: PathBuf) {
    if fs::create_dir_all(&at).is_err() || at.join(".git").exists() {
        return;
    }
    fixture.run(&at, &["init", "-q", "--template=", "-b", "main"]);
    fs::write(at.join("inner"), "inner\n").ok();
    commit_in(fixture, &at);
    fs::write(at.join("inner"), "not committed\n").ok();
    fs::write(at.join("x.log"), "ignored outside\n").ok();
}

fn commit_in(fixture: &Fixture, at: &std::path::Path) {
    let who = ["-c", "user.name=N", "-c", "user.email=n@example.org"];
    fixture.run(at, &["add", "-A"]);
    fixture.run(at, &[&who[..], &["commit", "-q", "--allow-empty", "-m", "inner"]].concat());
}
