//! What must hold for every index, tree and pattern file.

use std::collections::BTreeSet;

use sha1::{Digest as _, Sha1};

use super::ignores::{Rules, Source};
use super::index::{Index, IndexEntry, Stat};
use super::object::Kind;
use super::oid::{Entry, Oid, mode};
use super::repo::Repo;
use super::tree;
use super::wildmatch::{Slash, wildmatch};
use crate::engine::id::RepoPath;

/// An index with a right checksum: what is accepted is written and read again as it is, and names
/// only paths that lie inside the work tree.
pub(crate) fn index(data: &[u8]) {
    let mut bytes = data.to_vec();
    if let Some(body) = bytes.len().checked_sub(20) {
        bytes.truncate(body);
        let hash = Sha1::digest(&bytes);
        bytes.extend_from_slice(&hash);
    }
    let Ok(mut index) = Index::parse(&bytes) else { return };
    for entry in &index.entries {
        assert!(RepoPath::new(entry.path.to_vec()).is_ok(), "{:?}", entry.path.escape_ascii());
    }
    let again = Index::parse(&index.encode()).expect("what was written can be read");
    assert_eq!(index, again);
    let Some(path) = index.entries.get(data.len() % 7).map(|entry| entry.path.clone()) else {
        return;
    };
    let below = [&*path, b"/below"].concat();
    for path in [&*path, &below] {
        let entry = Entry { mode: mode::FILE, oid: Oid::EMPTY_TREE };
        index.set(IndexEntry::new(path, entry, Stat::default()));
        let again = Index::parse(&index.encode()).expect("an entry more is still an index");
        assert_eq!(index, again);
    }
    index.remove(&below);
    assert!(index.entries.iter().all(|entry| *entry.path != *below));
}

/// A tree object: what is accepted is written again with the same meaning, and edits do what they
/// say and nothing else.
pub(crate) fn tree(data: &[u8]) {
    let repo = Repo::default();
    let Ok(oid) = repo.write(Kind::Tree, data) else { return };
    let Ok(entries) = tree::read(&repo, oid) else { return };
    let names = data.windows(21).filter(|window| window[0] == 0).count();
    assert!(entries.len() <= names, "an entry without a name");
    for name in entries.keys() {
        assert!(RepoPath::new(name.to_vec()).is_ok(), "{:?}", name.escape_ascii());
    }
    let written = tree::encode(entries.clone());
    let again = repo.write(Kind::Tree, &written).and_then(|oid| tree::read(&repo, oid));
    assert_eq!(again.expect("what was written can be read"), entries);
    let blob = repo.write(Kind::Blob, b"new").expect("memory takes everything");
    let new = Entry { mode: mode::FILE, oid: blob };
    let Ok(edited) = tree::edit(&repo, oid, &[(b"new".to_vec(), Some(new))].into()) else { return };
    assert_eq!(tree::find(&repo, edited, b"new").ok(), Some(Some(new)));
    let mut before = entries.clone();
    let mut after = tree::read(&repo, edited).expect("an edited tree can be read");
    before.remove(&b"new"[..]);
    after.remove(&b"new"[..]);
    assert_eq!(before, after);
}

/// A pattern file, its first line, and paths: one pattern is what git's own rules say of it, and a
/// directory above decides for all below.
pub(crate) fn ignores(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (patterns, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // A star may try every place: what a person waits for is bounded by short names.
    let path = &path[..path.len().min(60)];
    let Ok(valid) = RepoPath::new(path) else { return };
    let path = valid.as_bytes();
    if patterns.len() < 40 && !patterns.contains(&b'\n') {
        for slash in [Slash::Stops, Slash::Plain] {
            let matched = wildmatch(patterns, path, slash);
            if let Some(want) = plain(patterns, path, slash) {
                assert_eq!(matched, want, "{:?}", (patterns, path, slash));
            }
        }
    }
    let source = std::sync::Arc::new(Source::new(patterns.to_vec(), None));
    let rules = Rules { exclude: source, ..Rules::default() };
    let ignored = rules.ignores(path, false);
    let with_nothing = [patterns, b"\n\n#\n"].concat();
    let source = std::sync::Arc::new(Source::new(with_nothing, None));
    assert_eq!(Rules { exclude: source, ..Rules::default() }.ignores(path, false), ignored);
    let everything = [patterns, b"\n*\n"].concat();
    let source = std::sync::Arc::new(Source::new(everything, None));
    assert!(Rules { exclude: source, ..Rules::default() }.ignores(path, false));
}

/// The same for patterns of letters, `?` and `*` only, by the set of places that can be reached.
fn plain(pattern: &[u8], text: &[u8], slash: Slash) -> Option<bool> {
    if pattern.iter().any(|byte| matches!(byte, b'[' | b'\\' | 0)) || text.contains(&0) {
        return None;
    }
    if pattern.windows(2).any(|pair| pair == b"**") {
        return None;
    }
    let stops = |byte: u8| slash == Slash::Stops && byte == b'/';
    let mut reached = BTreeSet::from([0]);
    for wanted in pattern {
        let mut next = BTreeSet::new();
        for at in reached {
            match wanted {
                b'*' => {
                    let rest = text[at..].iter().take_while(|byte| !stops(**byte)).count();
                    next.extend(at..=at + rest);
                }
                _ => {
                    let fits = |byte: &u8| byte == wanted || (*wanted == b'?' && !stops(*byte));
                    next.extend(text.get(at).filter(|byte| fits(byte)).map(|_| at + 1));
                }
            }
        }
        reached = next;
    }
    Some(reached.contains(&text.len()))
}
