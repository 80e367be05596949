//! Rules about the source itself.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn relative(path: &Path) -> &str {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap()
}

/// What reaches outside has no place where events are folded and backlogs are read.
const IMPURE: [&str; 13] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::thread",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "tokio",
    "git2",
    "sled",
    "tracing",
    "Ulid",
];

/// Proves I6.
#[test]
fn the_pure_rooms_are_pure() {
    for (path, text) in ["src/engine", "src/backlog"].into_iter().flat_map(sources) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for word in IMPURE {
                assert!(!line.contains(word), "{} mentions {word}: {line}", relative(&path));
            }
        }
    }
}

/// `cli → ui, driver, host → engine ← backlog`: a room looks only inwards.
#[test]
fn rooms_look_inwards() {
    let forbidden: [(&str, &[&str]); 5] = [
        ("src/engine", &["backlog", "driver", "host", "ui", "cli", "schema", "scripted"]),
        ("src/backlog", &["driver", "host", "ui", "cli", "schema", "scripted"]),
        ("src/driver", &["backlog", "host", "ui", "cli", "schema", "scripted"]),
        ("src/host", &["ui", "cli", "schema", "scripted"]),
        ("src/ui", &["cli", "driver", "scripted"]),
    ];
    for (room, rooms) in forbidden {
        for (path, text) in sources(room) {
            for outer in rooms {
                let looks = text.contains(&format!("crate::{outer}"));
                assert!(!looks, "{} looks at {outer}", relative(&path));
            }
        }
    }
}

/// A crate that reaches outside is named in one file, so that it can be judged and replaced there.
#[test]
fn crates_with_effects_are_named_in_one_file() {
    for (word, home) in [
        ("git2::", "src/host/git/repo.rs"),
        ("libgit2_sys::", "src/host/git/repo.rs"),
        ("sled::", "src/host/tx/store.rs"),
        ("SystemTime::now", "src/host/clock.rs"),
    ] {
        let all = sources("src");
        let named = all.iter().filter(|(_, text)| text.contains(word));
        let files: Vec<&str> = named.map(|(path, _)| relative(path)).collect();
        assert_eq!(files, [home], "{word}");
    }
}

#[test]
fn files_stay_small() {
    for (path, text) in ["src", "tests"].into_iter().flat_map(sources) {
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines", relative(&path));
    }
}

#[test]
fn every_module_begins_with_one_sentence() {
    for (path, text) in ["src", "tests"].into_iter().flat_map(sources) {
        assert!(text.starts_with("//! "), "{} does not say what it is", relative(&path));
    }
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    assert!(forgotten_in(&dir, "main").is_empty(), "{:?}", forgotten_in(&dir, "main"));
}

/// Files and folders that the root of their folder does not declare. A folder without a root holds
/// no code.
fn forgotten_in(dir: &Path, root: &str) -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string(dir.join(format!("{root}.rs"))) else { return vec![] };
    let mut forgotten = vec![];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let is_declared = text.lines().any(|line| line == format!("mod {stem};"));
        if path.is_dir() {
            let holds_code = sources_below(&path);
            forgotten.extend((holds_code && !is_declared).then(|| path.clone()));
            forgotten.extend(forgotten_in(&path, "mod"));
        } else if stem != root && !is_declared {
            forgotten.push(path);
        }
    }
    forgotten
}

fn sources_below(dir: &Path) -> bool {
    let is_source = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
    fs::read_dir(dir).unwrap().any(|entry| is_source(&entry.unwrap().path()))
}

/// Each numbered sentence names a test, that test exists, and it says what it proves.
#[test]
fn invariants_are_proved() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/design_invariants.md")).unwrap();
    let tests: String =
        ["src", "tests"].into_iter().flat_map(sources).map(|(_, text)| text).collect();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| I"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 10);
    for row in rows {
        let [number, _, home, proof] = row[..] else { panic!("{row:?}") };
        assert!(root.join(home.trim_matches('`')).exists(), "{number}: {home}");
        for name in proof.split(", ").map(|name| name.trim_matches('`')) {
            assert!(tests.contains(&format!("fn {name}(")), "{number} names {name}");
        }
        let says = tests.lines().any(|line| {
            line.trim_start().starts_with("/// Proves ")
                && line.trim_end_matches('.').split([' ', ',']).any(|word| word == number)
        });
        assert!(says, "no test says that it proves {number}");
    }
}
