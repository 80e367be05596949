//! What the loop does to a repository, step by step, in the order of `host/git`.

use std::collections::BTreeSet;

use looper::engine::id::{CommitId, TreeId};

use crate::computer::{Computer, Text, digest};
use crate::fault::Broken;
use crate::repo::{Commit, PIPE, Path, Snapshot, Tree, differing};
use crate::slot::Slot;

/// A candidate.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    pub(crate) tree: TreeId,
    pub(crate) changed: BTreeSet<Path>,
    pub(crate) overlaps: BTreeSet<Path>,
    pub(crate) special: BTreeSet<Path>,
    /// The work tree as it was then.
    pub(crate) top: Tree,
}

/// Where HEAD is, seen from an attempt that did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Prepared,
    /// Beyond the prepared commit: somebody went on from it.
    Beyond,
    Base,
    AgentCommits,
    Foreign,
}

impl Computer {
    /// A lock file, a rename, a flush of the directory.
    pub(crate) fn set_ref(&mut self, name: &str, to: Option<CommitId>) -> Result<(), Broken> {
        self.step("lock a ref")?;
        if !self.repo.locks.insert(name.to_owned()) {
            return Err(Broken::Machine("a ref is locked"));
        }
        self.step("replace a ref")?;
        self.repo.refs.entry(name.to_owned()).or_insert_with(|| Slot::new(None)).put(to);
        self.repo.locks.remove(name);
        self.step("flush a ref")?;
        self.repo.refs.get_mut(name).expect("it was just written").flush();
        Ok(())
    }

    fn clear_own_ref_locks(&mut self) -> Result<(), Broken> {
        self.step("clear locks of our own refs")?;
        self.repo.locks.retain(|name| !name.starts_with("looper/"));
        Ok(())
    }

    /// The locks that a killed process of ours can have left.
    pub(crate) fn clear_stale_locks(&mut self, branch: &str) -> Result<(), Broken> {
        self.clear_own_ref_locks()?;
        self.step("clear the locks of index and branch")?;
        self.repo.locks.retain(|name| name != "index" && name != "HEAD" && name != branch);
        Ok(())
    }

    pub(crate) fn anchor(&mut self, seq: looper::engine::id::Seq) -> Result<(), Broken> {
        self.clear_own_ref_locks()?;
        self.step("write the anchor")?;
        let proof = self.log.proofs[&seq];
        self.repo.anchor.put(Some((seq, proof)));
        self.step("flush the anchor")?;
        self.repo.anchor.flush();
        Ok(())
    }

    pub(crate) fn snapshot(&mut self, carried: Option<&TreeId>) -> Result<CommitId, Broken> {
        if self.repo.locks.contains("index") {
            return Err(Broken::Refused("the index is locked"));
        }
        self.clear_own_ref_locks()?;
        let repo = &self.repo;
        let base = repo.head_commit();
        let base_tree = carried.unwrap_or(&repo.commits[&base].tree).clone();
        let snapshot = Snapshot {
            branch: repo.head.get().clone(),
            work: repo.visible(),
            index: repo.index.get().clone().ok_or(Broken::Machine("the index is unreadable"))?,
            hook: repo.hook.get().clone(),
            refs: repo.guarded_refs(),
            dirty: repo.dirty_against(&repo.trees[&base_tree]),
            base,
            base_tree,
        };
        self.step("store the snapshot")?;
        let id = CommitId::new(digest(&format!("{snapshot:?}")));
        self.repo.snapshots.insert(id.clone(), snapshot);
        self.set_ref("looper/snapshot", Some(id.clone()))?;
        Ok(id)
    }

    pub(crate) fn load_snapshot(&self, id: &CommitId) -> Result<Snapshot, Broken> {
        let found = self.repo.snapshots.get(id).cloned();
        found.ok_or(Broken::Machine("a snapshot is missing"))
    }

    /// Puts back what changed under `.git`, and keeps what stood there.
    pub(crate) fn guard(&mut self, snapshot: &Snapshot) -> Result<Vec<String>, Broken> {
        let mut rescued = vec![];
        self.clear_own_ref_locks()?;
        self.step("clear locks that a stage left")?;
        if !self.repo.locks.is_empty() {
            self.repo.locks.clear();
            rescued.push("a lock".to_owned());
        }
        if *self.repo.hook.get() != snapshot.hook {
            self.step("put a hook back")?;
            self.repo.hook.put(snapshot.hook.clone());
            self.step("flush a hook")?;
            self.repo.hook.flush();
            rescued.push("a hook".to_owned());
        }
        if *self.repo.head.get() != snapshot.branch {
            self.step("put HEAD back")?;
            self.repo.head.put(snapshot.branch.clone());
            self.step("flush HEAD")?;
            self.repo.head.flush();
            rescued.push("HEAD".to_owned());
        }
        self.guard_refs(snapshot, &mut rescued)?;
        if self.repo.index.get().as_ref() != Some(&snapshot.index) {
            self.step("put the index back")?;
            self.repo.index.put(Some(snapshot.index.clone()));
            self.step("flush the index")?;
            self.repo.index.flush();
            rescued.push("index".to_owned());
        }
        Ok(rescued)
    }

    fn guard_refs(&mut self, snapshot: &Snapshot, rescued: &mut Vec<String>) -> Result<(), Broken> {
        let now = self.repo.guarded_refs();
        let before = &snapshot.refs;
        let names: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
        for name in names {
            let (old, new) = (before.get(name), now.get(name));
            let is_rescue = old.is_none() && name.starts_with("looper/rescued/");
            if old == new || is_rescue {
                continue;
            }
            if let Some(new) = new {
                let number = self.repo.refs.len();
                let kept = format!("looper/rescued/{number}/{name}");
                self.set_ref(&kept, Some(new.clone()))?;
            }
            self.repo.locks.remove(name);
            self.set_ref(name, old.cloned())?;
            rescued.push(name.clone());
        }
        Ok(())
    }

    pub(crate) fn freeze(&mut self, snapshot: &Snapshot) -> Result<(Frozen, Vec<String>), Broken> {
        let rescued = self.guard(snapshot)?;
        let top = self.repo.visible();
        let differs = differing(&snapshot.work, &top);
        let is_pipe = |path: &&Path| top.get(**path).is_some_and(|text| &**text == PIPE);
        let special: BTreeSet<Path> = differs.iter().filter(is_pipe).copied().collect();
        let mut tree = self.repo.trees[&snapshot.base_tree].clone();
        let mut changed = BTreeSet::new();
        for path in differs.iter().filter(|path| !snapshot.dirty.contains(**path)) {
            match top.get(path).filter(|_| !special.contains(path)) {
                Some(text) => tree.insert(path, text.clone()),
                None => tree.remove(path),
            };
            changed.insert(*path);
        }
        changed.retain(|path| !special.contains(path));
        let overlaps = differs.intersection(&snapshot.dirty).copied().collect();
        self.step("store the candidate")?;
        let tree = self.repo.store_tree(tree);
        self.set_ref("looper/candidate", Some(CommitId::new(tree.as_str())))?;
        Ok((Frozen { tree, changed, overlaps, special, top }, rescued))
    }

    /// Makes what git sees of the work tree equal to this.
    pub(crate) fn restore(&mut self, target: &Tree) -> Result<(), Broken> {
        let paths = differing(&self.repo.visible(), target);
        for path in &paths {
            self.step("put a file in place")?;
            let text: Option<Text> = target.get(path).cloned();
            let slot = self.repo.work.entry(path).or_insert_with(|| Slot::new(None));
            slot.put(text);
        }
        self.step("flush the directories")?;
        for path in &paths {
            self.repo.work.get_mut(path).expect("it was just put").flush();
        }
        let left = differing(&self.repo.visible(), target);
        if left.is_empty() { Ok(()) } else { Err(Broken::Machine("not restored")) }
    }

    pub(crate) fn clean_to(&mut self, snapshot: &Snapshot, frozen: &Frozen) -> Result<(), Broken> {
        self.guard(snapshot)?;
        self.restore(&frozen.top)
    }

    /// Makes the changed files of the work tree durable.
    pub(crate) fn flush_work(&mut self, changed: &BTreeSet<Path>) -> Result<(), Broken> {
        for path in changed {
            self.step("flush a file of the work tree")?;
            if let Some(slot) = self.repo.work.get_mut(path) {
                slot.flush();
            }
        }
        Ok(())
    }

    pub(crate) fn prepare(&mut self, base: &CommitId, tree: &TreeId, message: &str) -> CommitId {
        let (tree, parent) = (tree.clone(), Some(base.clone()));
        self.repo.store_commit(Commit { tree, parent, message: message.to_owned() })
    }

    /// Moves the branch by compare-and-swap, between a locked index and one that is in place.
    pub(crate) fn publish_commit(
        &mut self,
        commit: &CommitId,
        snapshot: &Snapshot,
    ) -> Result<(), Broken> {
        let head = self.repo.head_commit();
        let is_there = head == *commit;
        if !is_there && (head != snapshot.base || *self.repo.head.get() != snapshot.branch) {
            return Err(Broken::Refused("HEAD is elsewhere"));
        }
        let new = self.repo.tree_of(commit).clone();
        let changed = differing(self.repo.tree_of(&snapshot.base), &new);
        let mut index = self.repo.index.get().clone().unwrap_or_else(|| snapshot.index.clone());
        for path in &changed {
            match new.get(path) {
                Some(text) => index.insert(path, text.clone()),
                None => index.remove(path),
            };
        }
        self.step("lock the index")?;
        if !self.repo.locks.insert("index".to_owned()) {
            return Err(Broken::Machine("the index is locked"));
        }
        self.step("flush the new index")?;
        self.flush_work(&changed)?;
        if !is_there {
            self.set_ref(&snapshot.branch, Some(commit.clone()))?;
        }
        if self.repo.refs[&snapshot.branch].is_safe() {
            self.oracle.published.insert(commit.clone());
        }
        self.step("put the index in place")?;
        self.repo.index.put(Some(index));
        self.repo.locks.remove("index");
        self.step("flush the index")?;
        self.repo.index.flush();
        Ok(())
    }

    pub(crate) fn locate(&self, branch: &str, base: &CommitId, prepared: Option<&CommitId>) -> At {
        let repo = &self.repo;
        // A power cut can leave HEAD at a branch of an agent that is not there any more.
        let Some(head) = repo.at(repo.head.get()).cloned() else { return At::Foreign };
        if prepared == Some(&head) {
            return At::Prepared;
        }
        if head == *base {
            return At::Base;
        }
        let history = repo.history(&head);
        let descends = |from: &CommitId| history.contains(from);
        match prepared {
            _ if *repo.head.get() != branch || !descends(base) => At::Foreign,
            Some(prepared) if descends(prepared) => At::Beyond,
            _ => At::AgentCommits,
        }
    }
}
