//! What people do between two lives.

use looper::backlog::{Backlog, marks};
use looper::engine::task::{Mark, Status};

use crate::computer::Computer;
use crate::journal;
use crate::repo::{Commit, MAIN};

/// Somebody decides about a task, or commits something, while no attempt is open.
pub(crate) fn between(machine: &mut Computer) {
    let one_in = machine.plan.people_one_in;
    if !machine.dice.one_in(one_in) {
        return;
    }
    let is_settled = journal::read(machine, &[]).is_ok_and(|found| found.state.is_settled());
    if !is_settled {
        return;
    }
    match machine.dice.below(4) {
        0 => commit(machine),
        choice => decide(machine, choice),
    }
}

/// Checks out the branch as the refusal asks for, if HEAD is elsewhere.
pub(crate) fn check_out_the_branch(machine: &mut Computer) -> bool {
    if *machine.repo.head.get() == MAIN {
        return false;
    }
    machine.repo.head.put(MAIN.to_owned());
    machine.repo.head.flush();
    machine.tell(|| "  a person checks out the branch".to_owned());
    true
}

/// Checks, unchecks or blocks a task in the backlog.
fn decide(machine: &mut Computer, choice: u64) {
    let text = machine.backlog.get().to_string();
    let shown = Backlog::parse(&text).backlog.marks();
    let Mark { task, status: was, .. } = machine.dice.pick(&shown).clone();
    let has_commit = machine.oracle.committed.contains_key(&task);
    let (status, reason) = match (choice, was) {
        // What is done stays done: it is in history.
        _ if has_commit => return,
        (1, Status::Todo) => (Status::Done, None),
        (2, Status::Todo) => (Status::Blocked, Some("a person says so".to_owned())),
        (_, Status::Todo | Status::Blocked | Status::Done) => (Status::Todo, None),
    };
    let mark = Mark { task, status, fail_count: 0, reason };
    machine.tell(|| format!("  a person marks {mark:?}"));
    let text = marks::apply(&text, &[mark]).expect("the task is there");
    machine.backlog.put(text.into());
    machine.backlog.flush();
}

/// Commits a change of their own, where nothing is left uncommitted.
fn commit(machine: &mut Computer) {
    let repo = &mut machine.repo;
    let head = repo.head_commit();
    if *repo.head.get() != MAIN || !repo.dirty_against(repo.tree_of(&head)).is_empty() {
        return;
    }
    let mut tree = repo.tree_of(&head).clone();
    let before = tree["README"].clone();
    tree.insert("README", format!("{before}and more\n").into());
    let text = tree["README"].clone();
    repo.set_file("README", Some(text));
    repo.work.get_mut("README").expect("it was just written").flush();
    repo.index.put(Some(tree.clone()));
    repo.index.flush();
    let (tree, parent) = (repo.store_tree(tree), Some(head));
    let id = repo.store_commit(Commit { tree, parent, message: "a person's".to_owned() });
    let branch = repo.refs.get_mut(MAIN).expect("the branch is there");
    branch.put(Some(id));
    branch.flush();
    machine.tell(|| "  a person commits".to_owned());
}
