//! Tree objects: read, written, walked, compared and edited.

use std::collections::BTreeMap;

use super::error::GitError;
use super::mirror::{Name, join};
use super::object::Kind;
use super::oid::{Entry, Oid, mode};
use super::repo::Repo;

/// The entries of one directory, by name.
pub(super) type Entries = BTreeMap<Name, Entry>;

/// Changes to a tree: a path and what it becomes, or nothing where it goes.
pub(super) type Edits = BTreeMap<Vec<u8>, Option<Entry>>;

/// Trees nested deeper than this are not walked: nothing this room writes is.
const DEPTH_MAX: usize = 1024;

/// Reads one tree object. Names that could lead out of it are damage.
pub(super) fn read(repo: &Repo, oid: Oid) -> Result<Entries, GitError> {
    if oid == Oid::EMPTY_TREE {
        return Ok(Entries::new());
    }
    let damaged = || GitError::Damaged { what: "tree", id: oid.to_string() };
    match repo.read(oid)? {
        (Kind::Tree, bytes) => decode(&bytes).ok_or_else(damaged),
        (Kind::Blob | Kind::Commit | Kind::Tag, _) => Err(damaged()),
    }
}

fn decode(mut bytes: &[u8]) -> Option<Entries> {
    let mut entries = Entries::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let mode = u32::from_str_radix(std::str::from_utf8(&bytes[..space]).ok()?, 8).ok()?;
        bytes = &bytes[space + 1..];
        let nul = bytes.iter().position(|byte| *byte == 0)?;
        let name = &bytes[..nul];
        if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
            return None;
        }
        let oid = Oid(bytes.get(nul + 1..nul + 21)?.try_into().ok()?);
        // Of two entries with one name, only one could be judged.
        if entries.insert(name.into(), Entry { mode: canonical(mode), oid }).is_some() {
            return None;
        }
        bytes = &bytes[nul + 21..];
    }
    Some(entries)
}

/// Old repositories hold group-writable files; git reads them as plain ones.
fn canonical(mode: u32) -> u32 {
    match mode::kind(mode) {
        mode::TREE | mode::LINK | mode::GITLINK => mode::kind(mode),
        _ if mode & 0o100 == 0 => mode::FILE,
        _ => mode::EXEC,
    }
}

/// The place of an entry in the order that git wants: as if directories ended in a slash.
fn place((name, entry): &(Name, Entry)) -> Vec<u8> {
    let slash: &[u8] = if entry.mode == mode::TREE { b"/" } else { b"" };
    [name, slash].concat()
}

fn in_order(entries: impl IntoIterator<Item = (Name, Entry)>) -> Vec<(Name, Entry)> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by_cached_key(place);
    entries
}

/// The bytes of a tree object.
pub(super) fn encode(entries: impl IntoIterator<Item = (Name, Entry)>) -> Vec<u8> {
    let entries = in_order(entries);
    let mut bytes = Vec::with_capacity(entries.len() * 40);
    for (name, entry) in entries {
        bytes.extend_from_slice(format!("{:o} ", entry.mode).as_bytes());
        bytes.extend_from_slice(&name);
        bytes.push(0);
        bytes.extend_from_slice(&entry.oid.0);
    }
    bytes
}

/// Shows every path that is not a directory, in the order of the index.
pub(super) fn walk(
    repo: &Repo,
    tree: Oid,
    visit: &mut impl FnMut(&[u8], Entry) -> Result<(), GitError>,
) -> Result<(), GitError> {
    walk_level(repo, tree, &mut Vec::new(), 0, visit)
}

fn walk_level(
    repo: &Repo,
    tree: Oid,
    path: &mut Vec<u8>,
    depth: usize,
    visit: &mut impl FnMut(&[u8], Entry) -> Result<(), GitError>,
) -> Result<(), GitError> {
    if depth == DEPTH_MAX {
        return Err(GitError::Damaged { what: "tree", id: tree.to_string() });
    }
    for (name, entry) in in_order(read(repo, tree)?) {
        let length = join(path, &name);
        if entry.mode == mode::TREE {
            walk_level(repo, entry.oid, path, depth + 1, visit)?;
        } else {
            visit(path, entry)?;
        }
        path.truncate(length);
    }
    Ok(())
}

/// What a tree says about one path; directories count.
pub(super) fn find(repo: &Repo, tree: Oid, path: &[u8]) -> Result<Option<Entry>, GitError> {
    let mut at = Entry { mode: mode::TREE, oid: tree };
    for name in path.split(|byte| *byte == b'/') {
        if at.mode != mode::TREE {
            return Ok(None);
        }
        match read(repo, at.oid)?.get(name) {
            Some(entry) => at = *entry,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// One path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) path: Vec<u8>,
    pub(super) old: Option<Entry>,
    pub(super) new: Option<Entry>,
}

/// Every path that differs between two trees, directories not counted. Equal subtrees are not read.
pub(super) fn differences(repo: &Repo, old: Oid, new: Oid) -> Result<Vec<Difference>, GitError> {
    let mut found = Vec::new();
    compare(repo, [Some(old), Some(new)], &mut Vec::new(), 0, &mut found)?;
    Ok(found)
}

fn compare(
    repo: &Repo,
    trees: [Option<Oid>; 2],
    path: &mut Vec<u8>,
    depth: usize,
    found: &mut Vec<Difference>,
) -> Result<(), GitError> {
    if trees[0] == trees[1] {
        return Ok(());
    }
    if depth == DEPTH_MAX {
        let id = trees.into_iter().flatten().map(|oid| oid.to_string()).collect();
        return Err(GitError::Damaged { what: "tree", id });
    }
    let mut sides: BTreeMap<Name, [Option<Entry>; 2]> = BTreeMap::new();
    for (side, tree) in trees.into_iter().enumerate() {
        for (name, entry) in tree.map(|tree| read(repo, tree)).transpose()?.unwrap_or_default() {
            sides.entry(name).or_default()[side] = Some(entry);
        }
    }
    for (name, entries) in sides {
        if entries[0] == entries[1] {
            continue;
        }
        let length = join(path, &name);
        let [old, new] =
            entries.map(|entry| entry.filter(|entry| mode::kind(entry.mode) != mode::TREE));
        if old.is_some() || new.is_some() {
            found.push(Difference { path: path.clone(), old, new });
        }
        let below =
            entries.map(|entry| entry.filter(|one| one.mode == mode::TREE).map(|one| one.oid));
        compare(repo, below, path, depth + 1, found)?;
        path.truncate(length);
    }
    Ok(())
}

/// Writes the tree that comes out of changing some paths. Directories that end up empty vanish.
pub(super) fn edit(repo: &Repo, tree: Oid, edits: &Edits) -> Result<Oid, GitError> {
    let edits: Vec<_> = edits.iter().map(|(path, to)| (path.as_slice(), *to)).collect();
    match edit_level(repo, Some(tree), &edits)? {
        Some(tree) => Ok(tree),
        None => repo.write(Kind::Tree, b""),
    }
}

/// A path below the directory in hand, and what it becomes.
type Edit<'a> = (&'a [u8], Option<Entry>);

fn edit_level(repo: &Repo, tree: Option<Oid>, edits: &[Edit<'_>]) -> Result<Option<Oid>, GitError> {
    if edits.is_empty() {
        return Ok(tree);
    }
    let mut entries = tree.map(|tree| read(repo, tree)).transpose()?.unwrap_or_default();
    let mut below: BTreeMap<&[u8], Vec<Edit<'_>>> = BTreeMap::new();
    let mut here = Vec::new();
    for (path, to) in edits {
        match path.iter().position(|byte| *byte == b'/') {
            Some(slash) => below.entry(&path[..slash]).or_default().push((&path[slash + 1..], *to)),
            None => here.push((*path, *to)),
        }
    }
    // First what lies below, so that a file that takes the place of a directory wins, and a file
    // that gives way to one does not remove it.
    for (name, edits) in below {
        let old = entries.get(name).filter(|entry| entry.mode == mode::TREE).map(|entry| entry.oid);
        match edit_level(repo, old, &edits)? {
            Some(oid) => {
                entries.insert(name.into(), Entry { mode: mode::TREE, oid });
            }
            None if old.is_some() => {
                entries.remove(name);
            }
            None => {}
        }
    }
    for (name, to) in here {
        match to {
            Some(entry) => {
                entries.insert(name.into(), entry);
            }
            None if entries.get(name).is_some_and(|entry| entry.mode != mode::TREE) => {
                entries.remove(name);
            }
            None => {}
        }
    }
    if entries.is_empty() {
        return Ok(None);
    }
    repo.write(Kind::Tree, &encode(entries)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo() -> (tempfile::TempDir, Repo) {
        let dir = tempfile::tempdir().unwrap();
        let repo = Repo::init(dir.path()).unwrap();
        (dir, repo)
    }

    fn blob(repo: &Repo, text: &str) -> Option<Entry> {
        Some(Entry { mode: mode::FILE, oid: repo.write(Kind::Blob, text.as_bytes()).unwrap() })
    }

    fn paths(repo: &Repo, tree: Oid) -> Vec<String> {
        let mut paths = Vec::new();
        walk(repo, tree, &mut |path, _| {
            paths.push(String::from_utf8(path.to_vec()).unwrap());
            Ok(())
        })
        .unwrap();
        paths
    }

    #[test]
    fn a_file_and_a_directory_can_change_places() {
        let (_dir, repo) = repo();
        let one = blob(&repo, "one");
        let edits = Edits::from([(b"a/x".to_vec(), one), (b"b".to_vec(), one)]);
        let first = edit(&repo, Oid::EMPTY_TREE, &edits).unwrap();
        let edits = Edits::from([
            (b"a".to_vec(), one),
            (b"a/x".to_vec(), None),
            (b"b".to_vec(), None),
            (b"b/y".to_vec(), one),
        ]);
        let second = edit(&repo, first, &edits).unwrap();
        assert_eq!(paths(&repo, second), ["a", "b/y"]);
        let found = differences(&repo, first, second).unwrap();
        let found: Vec<_> = found.iter().map(|one| String::from_utf8_lossy(&one.path)).collect();
        assert_eq!(found, ["a", "a/x", "b", "b/y"]);
    }

    #[test]
    fn a_tree_without_files_is_the_empty_tree() {
        let (_dir, repo) = repo();
        let edits = Edits::from([(b"a/b/c".to_vec(), blob(&repo, "x"))]);
        let tree = edit(&repo, Oid::EMPTY_TREE, &edits).unwrap();
        let gone = Edits::from([(b"a/b/c".to_vec(), None)]);
        assert_eq!(edit(&repo, tree, &gone).unwrap(), Oid::EMPTY_TREE);
    }

    #[test]
    fn paths_come_in_the_order_of_the_index() {
        let (_dir, repo) = repo();
        let one = blob(&repo, "x");
        let names = ["a/b", "a-b", "a.b", "ab"];
        let edits: Edits = names.iter().map(|path| (path.as_bytes().to_vec(), one)).collect();
        let tree = edit(&repo, Oid::EMPTY_TREE, &edits).unwrap();
        assert_eq!(paths(&repo, tree), ["a-b", "a.b", "a/b", "ab"]);
    }

    #[test]
    fn a_name_that_stands_there_twice_is_damage() {
        let entry = [b"100644 a\0".as_slice(), &[1; 20]].concat();
        assert!(decode(&entry).is_some());
        assert!(decode(&entry.repeat(2)).is_none());
    }

    #[test]
    fn a_name_that_leads_out_is_damage() {
        for name in ["..", ".", "", "a/b"] {
            let mut bytes = format!("100644 {name}\0").into_bytes();
            bytes.extend_from_slice(&[1; 20]);
            assert!(decode(&bytes).is_none(), "{name}");
        }
    }
}
