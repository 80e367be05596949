//! Whatever an attempt does: rollback brings back what git sees, removes what the attempt made, and
//! leaves ignored files and other repositories as the attempt left them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use proptest::prelude::*;

use crate::edits::{Edit, Place, agents_edit, committed, file_edit, persons_edit};
use crate::support::{Fixture, cases};

/// Every byte and mode below a directory, `.git` of other repositories included.
type Files = BTreeMap<Vec<u8>, Thing>;

#[derive(Clone, PartialEq, Eq)]
enum Thing {
    File(u32, Vec<u8>),
    Link(Vec<u8>),
    Dir(u32),
    Special(u32),
}

impl std::fmt::Debug for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(mode, bytes) => write!(f, "file {mode:o} \"{}\"", bytes.escape_ascii()),
            Self::Link(target) => write!(f, "link \"{}\"", target.escape_ascii()),
            Self::Dir(mode) => write!(f, "dir {mode:o}"),
            Self::Special(mode) => write!(f, "special {mode:o}"),
        }
    }
}

fn files(root: &Path) -> Files {
    let mut all = Files::new();
    let mut next = vec![root.to_owned()];
    while let Some(dir) = next.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path == root.join(".git") {
                continue;
            }
            let data = path.symlink_metadata().unwrap();
            let thing = if data.is_symlink() {
                Thing::Link(fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec())
            } else if data.is_dir() {
                next.push(path.clone());
                Thing::Dir(data.mode() & 0o7777)
            } else if data.is_file() {
                Thing::File(data.mode() & 0o7777, fs::read(&path).unwrap())
            } else {
                Thing::Special(data.mode())
            };
            all.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(), thing);
        }
    }
    all
}

fn is_dir(files: &Files, path: &[u8]) -> bool {
    matches!(files.get(path), Some(Thing::Dir(_)))
}

/// All directories above a path, outer ones first.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(slash, _)| &path[..slash])
}

fn at_or_above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    above(path).chain([path])
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    [dir, b"/", name].concat()
}

/// What git, not `looper`, says about the state before the attempt.
struct Before {
    files: Files,
    tracked: BTreeSet<Vec<u8>>,
    /// Other repositories: the directory, or its `.git` where its content is tracked by this one.
    foreign: BTreeSet<Vec<u8>>,
    /// The pattern files of that moment.
    patterns: Files,
}

/// A state, and which of its paths the patterns of before the attempt ignore.
struct State<'a> {
    files: &'a Files,
    ignored: BTreeSet<Vec<u8>>,
}

impl Before {
    fn of(fixture: &Fixture) -> Self {
        let files = files(&fixture.root);
        let list = |args: &[&str]| -> BTreeSet<Vec<u8>> {
            let listed = fixture.run(&fixture.root, args).stdout;
            let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
            paths.map(<[u8]>::to_vec).collect()
        };
        let staged = list(&["ls-files", "-z", "--stage"]);
        let mut foreign = BTreeSet::new();
        let mut tracked = list(&["ls-tree", "-rz", "--name-only", "HEAD"]);
        for line in &staged {
            let tab = line.iter().position(|byte| *byte == b'\t').unwrap();
            let path = line[tab + 1..].to_vec();
            if line.starts_with(b"160000") && is_dir(&files, &path) {
                foreign.insert(path.clone());
            }
            tracked.insert(path);
        }
        for path in files.keys().filter(|path| path.ends_with(b"/.git")) {
            let dir = &path[..path.len() - 5];
            let inside = join(dir, b"");
            let holds_tracked = tracked.iter().any(|path| path.starts_with(&inside));
            foreign.insert(if holds_tracked { path.clone() } else { dir.to_vec() });
        }
        let outermost = foreign.clone();
        foreign.retain(|path| !above(path).any(|dir| outermost.contains(dir)));
        let is_pattern_file = |path: &[u8]| path == b".gitignore" || path.ends_with(b"/.gitignore");
        let patterns = files.iter().filter(|(path, _)| is_pattern_file(path));
        let patterns = patterns.map(|(path, thing)| (path.clone(), thing.clone())).collect();
        Self { files, tracked, foreign, patterns }
    }

    /// Asks git in a repository that holds the same names and nothing else.
    fn judge<'a>(&self, files: &'a Files) -> State<'a> {
        let mirror = Fixture::empty();
        let mut names = Vec::new();
        for (path, thing) in files {
            let is_git = path.split(|byte| *byte == b'/').any(|name| name == b".git");
            if is_git || self.is_foreign(path) {
                continue;
            }
            match thing {
                Thing::Dir(_) => fs::create_dir_all(mirror.at(path)).unwrap(),
                Thing::File(..) | Thing::Link(_) | Thing::Special(_) => mirror.write(path, ""),
            }
            names.extend_from_slice(path);
            names.push(0);
        }
        for (path, thing) in &self.patterns {
            let parent = mirror.at(path).parent().unwrap().to_owned();
            if let (Thing::File(_, bytes), Ok(())) = (thing, fs::create_dir_all(parent)) {
                mirror.write(path, bytes);
            }
        }
        let mut command = mirror.command(&mirror.root);
        command.args(["check-ignore", "--no-index", "-z", "--stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&names).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "git check-ignore");
        let found = output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        State { files, ignored: found.map(<[u8]>::to_vec).collect() }
    }

    fn is_foreign(&self, path: &[u8]) -> bool {
        at_or_above(path).any(|path| self.foreign.contains(path))
    }
}

/// The states before the attempt, after it, and after the rollback.
struct Judge<'a> {
    before: &'a Before,
    was: State<'a>,
    left: State<'a>,
    after: &'a Files,
}

impl<'a> Judge<'a> {
    fn new(before: &'a Before, left: &'a Files, after: &'a Files) -> Self {
        Self { before, was: before.judge(&before.files), left: before.judge(left), after }
    }

    /// Whether it is nobody's: it or a directory above it is ignored, and nothing in it is tracked.
    fn is_ignored(&self, state: &State<'_>, path: &[u8]) -> bool {
        let tracked = &self.before.tracked;
        at_or_above(path).any(|path| {
            let inside = join(path, b"");
            state.ignored.contains(path)
                && !tracked.contains(path)
                && !tracked.iter().any(|path| path.starts_with(&inside))
        })
    }

    /// Whether rollback must leave what the attempt left at a path.
    fn stays(&self, path: &[u8]) -> bool {
        if let Some(root) = at_or_above(path).find(|path| self.before.foreign.contains(*path)) {
            return is_dir(self.left.files, root);
        }
        // With a repository that the attempt made goes all that is in it, and with what took the
        // place of a file all that is below it.
        let goes = |dir: &[u8]| {
            let was = self.before.files.get(dir);
            // Where something is tracked in it, it is a directory of this repository.
            let inside = join(dir, b"");
            let is_new_repository = self.left.files.contains_key(&join(dir, b".git"))
                && !matches!(was, Some(Thing::Dir(_)))
                && !self.before.tracked.iter().any(|path| path.starts_with(&inside));
            let replaces_a_file = matches!(was, Some(Thing::File(..) | Thing::Link(_)));
            (is_new_repository || replaces_a_file) && !self.is_ignored(&self.left, dir)
        };
        self.is_ignored(&self.left, path) && !above(path).any(goes)
    }

    /// What rollback has to make of a path, if anything.
    fn want(&self, path: &[u8], kept: &BTreeSet<&[u8]>) -> Option<&Thing> {
        if kept.contains(path) {
            return self.left.files.get(path);
        }
        let was = self.before.files.get(path);
        if was.is_some() && (self.before.is_foreign(path) || self.is_ignored(&self.was, path)) {
            // It is gone, and nobody can bring it back.
            return None;
        }
        // A directory that holds what is kept is kept.
        let holds = || kept.iter().any(|kept| above(kept).any(|dir| dir == path));
        if was.is_none() && is_dir(self.after, path) && holds() {
            return self.after.get(path);
        }
        was
    }

    /// Everything that is not as it has to be.
    fn complaints(&self) -> Vec<String> {
        let left = self.left.files;
        let kept = left.keys().map(|path| &path[..]).filter(|path| self.stays(path)).collect();
        let states = [&self.before.files, left, self.after];
        let paths: BTreeSet<&[u8]> =
            states.into_iter().flat_map(|files| files.keys()).map(|path| &path[..]).collect();
        let mut found = Vec::new();
        for path in paths {
            let (is, want) = (self.after.get(path), self.want(path, &kept));
            if is != want {
                found.push(format!("{}: {is:?} instead of {want:?}", path.escape_ascii()));
            }
        }
        found
    }
}

/// What is tried.
#[derive(Clone, Debug)]
struct World {
    base: Vec<Edit>,
    person: Vec<Edit>,
    agent: Vec<Edit>,
    autocrlf: bool,
    linked: bool,
    crash: bool,
}

fn world() -> impl Strategy<Value = World> {
    let edits = |edit: BoxedStrategy<Edit>, max| prop::collection::vec(edit, 0..max);
    (
        edits(prop_oneof![9 => file_edit(), 1 => (0..1_u8).prop_map(|_| Edit::Nest(Place(b"b".to_vec())))].boxed(), 12),
        edits(persons_edit().boxed(), 8),
        edits(agents_edit().boxed(), 14),
        any::<bool>(),
        prop::bool::weighted(0.2),
        any::<bool>(),
    )
        .prop_map(|(base, person, agent, autocrlf, linked, crash)| World {
            base,
            person,
            agent,
            autocrlf,
            linked,
            crash,
        })
}

fn check(world: &World) -> Result<(), TestCaseError> {
    let fixture = if world.linked { Fixture::linked() } else { Fixture::empty() };
    let fixture = committed(fixture, &world.base, world.autocrlf);
    for edit in &world.person {
        edit.apply(&fixture);
    }
    let before = Before::of(&fixture);
    let references = fixture.references();
    let mut git = fixture.open();
    let snapshot = git.snapshot("attempt 1", None).unwrap();
    for edit in &world.agent {
        edit.apply(&fixture);
    }
    let left = files(&fixture.root);
    git.touched();
    let restored = |git: &mut looper::host::git::Git| {
        if world.crash {
            *git = fixture.open();
            let loaded = git.load_snapshot(&snapshot.id).unwrap();
            git.rollback(&loaded).unwrap()
        } else {
            git.freeze(&snapshot).unwrap();
            git.rollback(&snapshot).unwrap()
        }
    };
    restored(&mut git);
    let after = files(&fixture.root);
    prop_assert_eq!(references, fixture.references());
    let complaints = Judge::new(&before, &left, &after).complaints();
    prop_assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let again = restored(&mut git);
    prop_assert_eq!((again.restored, again.removed), Default::default());
    prop_assert_eq!(after, files(&fixture.root));
    fixture.fsck();
    Ok(())
}

proptest! {
    #![proptest_config(cases(60))]

    /// Proves I8.
    #[test]
    fn any_edits_are_undone_without_a_trace(world in world()) {
        check(&world)?;
    }
}
