//! A repository: objects, refs, an index, a work tree, locks.

use std::collections::{BTreeMap, BTreeSet};

use looper::engine::id::{CommitId, Seq, TreeId};
use looper::engine::line::Proof;

use crate::agents::Act;
use crate::computer::{Computer, Text, digest};
use crate::dice::Dice;
use crate::slot::Slot;

/// A path.
pub(crate) type Path = &'static str;

/// Files and what is in them.
pub(crate) type Tree = BTreeMap<Path, Text>;

/// What stands for something that git cannot hold.
pub(crate) const PIPE: &str = "a pipe";

/// The branch everything happens on.
pub(crate) const MAIN: &str = "heads/main";

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) tree: TreeId,
    pub(crate) parent: Option<CommitId>,
    pub(crate) message: String,
}

/// What a rollback returns to. Its objects are durable as soon as it has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) base: CommitId,
    pub(crate) base_tree: TreeId,
    pub(crate) branch: String,
    pub(crate) work: Tree,
    pub(crate) index: Tree,
    pub(crate) hook: Text,
    pub(crate) refs: BTreeMap<String, CommitId>,
    /// What people had changed and not committed.
    pub(crate) dirty: BTreeSet<Path>,
}

/// A repository. Objects are durable when they are written, as `core.fsync` makes them.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    pub(crate) trees: BTreeMap<TreeId, Tree>,
    pub(crate) commits: BTreeMap<CommitId, Commit>,
    pub(crate) snapshots: BTreeMap<CommitId, Snapshot>,
    pub(crate) refs: BTreeMap<String, Slot<Option<CommitId>>>,
    pub(crate) head: Slot<String>,
    /// `None`: it cannot be read.
    pub(crate) index: Slot<Option<Tree>>,
    pub(crate) hook: Slot<Text>,
    pub(crate) work: BTreeMap<Path, Slot<Option<Text>>>,
    /// What `refs/looper/log` says.
    pub(crate) anchor: Slot<Option<(Seq, Proof)>>,
    pub(crate) locks: BTreeSet<String>,
}

/// What git does not look at.
pub(crate) fn is_ignored(path: Path) -> bool {
    path.starts_with("ignored/")
}

/// Refs of ours that a snapshot does not cover.
fn is_own(name: &str) -> bool {
    matches!(name, "looper/snapshot" | "looper/candidate")
}

impl Repo {
    pub(crate) fn new(is_dirty: bool) -> Self {
        let mut repo = Self {
            trees: BTreeMap::new(),
            commits: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            refs: BTreeMap::new(),
            head: Slot::new(MAIN.to_owned()),
            index: Slot::new(Some(Tree::new())),
            hook: Slot::new("".into()),
            work: BTreeMap::new(),
            anchor: Slot::new(None),
            locks: BTreeSet::new(),
        };
        let tracked = [
            ("README", "read me\n"),
            ("src/a.rs", "a\n"),
            ("src/b.rs", "b\n"),
            ("src/kept.rs", "kept\n"),
            ("src/mine.rs", "committed\n"),
        ];
        let tree: Tree = tracked.map(|(path, text)| (path, text.into())).into();
        for (path, text) in &tree {
            repo.work.insert(path, Slot::new(Some(text.clone())));
        }
        repo.work.insert("ignored/mine", Slot::new(Some("nobody touches this\n".into())));
        let id = repo.store_tree(tree.clone());
        let base = repo.store_commit(Commit { tree: id, parent: None, message: "first".into() });
        repo.refs.insert(MAIN.to_owned(), Slot::new(Some(base.clone())));
        repo.refs.insert("heads/other".to_owned(), Slot::new(Some(base)));
        let mut index = tree;
        if is_dirty {
            repo.work.insert("src/mine.rs", Slot::new(Some("edited\n".into())));
            repo.work.insert("notes.txt", Slot::new(Some("not tracked\n".into())));
            repo.work.insert("staged.txt", Slot::new(Some("staged\n".into())));
            index.insert("staged.txt", "staged\n".into());
        }
        repo.index = Slot::new(Some(index));
        repo
    }

    pub(crate) fn cut(&mut self, dice: &mut Dice) {
        for slot in self.work.values_mut() {
            slot.cut(dice, |_| Some("torn".into()));
        }
        for slot in self.refs.values_mut() {
            slot.cut(dice, Clone::clone);
        }
        self.head.cut(dice, Clone::clone);
        self.index.cut(dice, |_| None);
        self.hook.cut(dice, |_| "torn".into());
        self.anchor.cut(dice, |_| None);
        self.locks.retain(|_| dice.one_in(2));
    }

    pub(crate) fn flush(&mut self) {
        self.work.values_mut().for_each(Slot::flush);
        self.refs.values_mut().for_each(Slot::flush);
        self.head.flush();
        self.index.flush();
        self.hook.flush();
        self.anchor.flush();
    }

    pub(crate) fn store_tree(&mut self, tree: Tree) -> TreeId {
        let id = TreeId::new(digest(&format!("{tree:?}")));
        self.trees.entry(id.clone()).or_insert(tree);
        id
    }

    pub(crate) fn store_commit(&mut self, commit: Commit) -> CommitId {
        let id = CommitId::new(digest(&format!("{commit:?}")));
        self.commits.entry(id.clone()).or_insert(commit);
        id
    }

    pub(crate) fn at(&self, name: &str) -> Option<&CommitId> {
        self.refs.get(name).and_then(|slot| slot.get().as_ref())
    }

    pub(crate) fn head_commit(&self) -> CommitId {
        self.at(self.head.get()).expect("every branch has a commit").clone()
    }

    pub(crate) fn tree_of(&self, commit: &CommitId) -> &Tree {
        &self.trees[&self.commits[commit].tree]
    }

    /// What git sees of the work tree.
    pub(crate) fn visible(&self) -> Tree {
        let seen = self.work.iter().filter(|(path, _)| !is_ignored(path));
        seen.filter_map(|(path, slot)| Some((*path, slot.get().clone()?))).collect()
    }

    /// The paths in which the work tree or the index differ from a tree.
    pub(crate) fn dirty_against(&self, tree: &Tree) -> BTreeSet<Path> {
        let index = self.index.get().clone().unwrap_or_default();
        let mut paths = differing(&self.visible(), tree);
        paths.extend(differing(&index, self.tree_of(&self.head_commit())));
        paths
    }

    /// All refs that a snapshot covers.
    pub(crate) fn guarded_refs(&self) -> BTreeMap<String, CommitId> {
        let refs = self.refs.iter().filter(|(name, _)| !is_own(name));
        refs.filter_map(|(name, slot)| Some((name.clone(), slot.get().clone()?))).collect()
    }

    /// The commits from one on back to the first.
    pub(crate) fn history(&self, from: &CommitId) -> Vec<CommitId> {
        let parent = |id: &CommitId| self.commits[id].parent.clone();
        std::iter::successors(Some(from.clone()), parent).collect()
    }

    pub(crate) fn set_file(&mut self, path: Path, text: Option<Text>) {
        let slot = self.work.entry(path).or_insert_with(|| Slot::new(None));
        slot.write(text);
    }

    fn text(&self, path: Path) -> Option<Text> {
        self.work.get(path).and_then(|slot| slot.get().clone())
    }
}

/// The paths in which two trees differ.
pub(crate) fn differing(one: &Tree, other: &Tree) -> BTreeSet<Path> {
    let paths = one.keys().chain(other.keys()).copied();
    paths.filter(|path| one.get(path) != other.get(path)).collect()
}

impl Computer {
    /// Somebody who is not the loop does something.
    pub(crate) fn act(&mut self, act: &Act) {
        let repo = &mut self.repo;
        match act {
            Act::Write(path, text) => repo.set_file(path, Some(text.as_str().into())),
            Act::Append(path, text) => {
                let before = repo.text(path).unwrap_or_else(|| "".into());
                repo.set_file(path, Some(format!("{before}{text}").into()));
            }
            Act::Delete(path) => repo.set_file(path, None),
            Act::Pipe(path) => repo.set_file(path, Some(PIPE.into())),
            Act::Stage => repo.index.write(Some(repo.visible())),
            Act::Commit => {
                let tree = repo.visible();
                repo.index.write(Some(tree.clone()));
                let (tree, parent) = (repo.store_tree(tree), Some(repo.head_commit()));
                let commit = Commit { tree, parent, message: "an agent's own".to_owned() };
                let id = repo.store_commit(commit);
                let branch = repo.head.get().clone();
                let slot = repo.refs.entry(branch).or_insert_with(|| Slot::new(None));
                slot.write(Some(id.clone()));
                self.oracle.agent_commits.insert(id);
            }
            Act::Branch => {
                let at = repo.head_commit();
                let slot =
                    repo.refs.entry("heads/agent".to_owned()).or_insert_with(|| Slot::new(None));
                slot.write(Some(at));
                // A HEAD at no commit is refused wherever it comes from.
                slot.flush();
                repo.head.write("heads/agent".to_owned());
            }
            Act::Hook => repo.hook.write("evil".into()),
            Act::Lock => {
                repo.locks.insert("index".to_owned());
            }
            Act::Backlog => {
                let forged = self.backlog.get().replace("[ ] Task", "[x] Task");
                self.backlog.write(forged.into());
            }
        }
    }
}
