//! The same verify command, failing later, where no change since can be blamed.
//!
//! A later failure of a command speaks against a commit if and only if all of this holds.
//!
//! * The log leads from the commit to the tree it failed on without a gap: each commit in between
//!   is in the log, with every path that it changed. What people committed in between is a gap.
//! * No path that changed since lies in the scope of the commit's task, is one that the commit
//!   changed, or is named by the command.
//! * The command ended by itself with an exit code that is not zero. Time limits and signals, and a
//!   program that is missing or cannot be started (126, 127), say more about the machine.
//! * No change since can be blamed for all failures. Either nothing has changed at all: the same
//!   command failed on the same tree. Or it failed on several trees that have no changed path in
//!   common, and passed on none that this rule could use.
//!
//! A single attempt that fails is no evidence against its predecessor: it may have broken what
//! worked.

use std::collections::BTreeSet;

use super::{Contradiction, Fact};
use crate::bench::accepted::{Accepted, Accounts, Verified};
use crate::engine::event::CommandResult;
use crate::engine::id::{CommitId, RepoPath, Seq};
use crate::engine::task::Patterns;

/// What later runs of a commit's commands say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) contradiction: Option<Contradiction>,
    /// Whether any of them ran again where it could have told.
    pub(super) is_asked: bool,
}

/// One later run of a command on a tree that tells.
struct Later<'a> {
    verified: &'a Verified,
    passed: bool,
    changed: BTreeSet<&'a RepoPath>,
}

/// Asks the log.
pub(super) fn ask(accounts: &Accounts, accepted: &Accepted, commit: &CommitId) -> Said {
    let mut said = Said::default();
    let commands: BTreeSet<&String> = accepted.commands.iter().collect();
    for command in commands {
        let runs: Vec<Later<'_>> = accounts
            .verified
            .iter()
            .filter(|verified| verified.seq > accepted.seq)
            .filter_map(|verified| look(accounts, accepted, commit, command, verified))
            .collect();
        said.is_asked |= !runs.is_empty();
        if said.contradiction.is_none() {
            said.contradiction = blameless(&runs).map(|run| tell(command, run));
        }
    }
    said
}

fn look<'a>(
    accounts: &'a Accounts,
    accepted: &Accepted,
    commit: &CommitId,
    command: &str,
    verified: &'a Verified,
) -> Option<Later<'a>> {
    let passed = passed(verified.results.iter().filter(|result| result.command == command))?;
    let changed = changed_since(accounts, commit, verified)?;
    let scope = Patterns::new(&accepted.scope);
    let own = accepted.paths.as_ref()?;
    let is_near = |path: &&RepoPath| {
        scope.cover(path)
            || own.contains(path)
            || path.as_str().is_none_or(|path| command.contains(path))
    };
    (!changed.iter().any(is_near)).then_some(Later { verified, passed, changed })
}

/// Whether a command passed every time. `None`: it did not run, or how it ended says nothing.
fn passed<'a>(results: impl Iterator<Item = &'a CommandResult>) -> Option<bool> {
    let mut verdict = None;
    for result in results {
        match (result.timed_out, result.exit_code) {
            (false, Some(0)) => verdict = verdict.or(Some(true)),
            (false, Some(code)) if !matches!(code, 126 | 127) => verdict = Some(false),
            _ => return None,
        }
    }
    verdict
}

/// Every path that can differ between the commit and what was verified.
fn changed_since<'a>(
    accounts: &'a Accounts,
    commit: &CommitId,
    verified: &'a Verified,
) -> Option<BTreeSet<&'a RepoPath>> {
    let mut changed: BTreeSet<&RepoPath> = verified.paths.as_ref()?.iter().collect();
    let mut at = &verified.base;
    // Each step goes back in the log, so there are at most as many as it has commits.
    for before in accounts.accepted.iter().rev() {
        if at == commit {
            break;
        }
        if before.commit.as_ref() == Some(at) {
            changed.extend(before.paths.as_ref()?);
            at = &before.base;
        }
    }
    (at == commit).then_some(changed)
}

/// A failure for which no change since can be blamed.
fn blameless<'r, 'a>(runs: &'r [Later<'a>]) -> Option<&'r Later<'a>> {
    let failed = || runs.iter().filter(|run| !run.passed);
    if let Some(same) = failed().find(|run| run.changed.is_empty()) {
        return Some(same);
    }
    let first = failed().next()?;
    let mut suspects = first.changed.clone();
    failed().for_each(|run| suspects.retain(|path| run.changed.contains(path)));
    let never_passed = runs.iter().all(|run| !run.passed);
    (suspects.is_empty() && never_passed).then_some(first)
}

fn tell(command: &str, run: &Later<'_>) -> Contradiction {
    let Verified { task, attempt, seq, .. } = run.verified;
    let seq: Seq = *seq;
    let where_ = if run.changed.is_empty() {
        "on the same tree"
    } else {
        "and again later, with no changed path in common and none in scope"
    };
    Contradiction {
        fact: Fact::CommandFailed,
        reason: format!("{command} failed in task {task}, attempt {attempt}, {where_}"),
        seq: Some(seq),
        commit: None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::engine::charter::{Checkout, VerifyTerms};
    use crate::engine::id::{ObjectId, TaskId, TreeId};
    use crate::engine::task::Pattern;

    const COMMAND: &str = "make test";

    fn paths(names: &str) -> Option<Vec<RepoPath>> {
        let names = names.split_whitespace();
        (!names.clone().any(|name| name == "?"))
            .then(|| names.map(|name| RepoPath::new(name).unwrap()).collect())
    }

    fn commit(seq: u64, base: &str, name: &str, changed: &str) -> Accepted {
        Accepted {
            seq: Seq(seq),
            task: TaskId::new(name),
            attempt: 1,
            scope: vec![Pattern::new(format!("{name}/**"))],
            base: CommitId::new(base),
            tree: TreeId::new(name),
            commit: Some(CommitId::new(name)),
            claims: vec![],
            paths: paths(changed),
            commands: vec![COMMAND.to_owned()],
            terms: VerifyTerms { timeout_s: 1, checkout: Checkout::Worktree, repeat: 1 },
            verified: true,
        }
    }

    fn run(seq: u64, base: &str, changed: &str, codes: &[i32]) -> Verified {
        let result = |code: &i32| CommandResult {
            command: COMMAND.to_owned(),
            exit_code: (*code >= 0).then_some(*code),
            timed_out: *code == -2,
            duration_ms: 1,
            output: ObjectId::new("x"),
        };
        Verified {
            seq: Seq(seq),
            task: TaskId::new("later"),
            attempt: 1,
            base: CommitId::new(base),
            paths: paths(changed),
            results: codes.iter().map(result).collect(),
        }
    }

    /// Commit `a`, then commit `b` on top of it, and what was verified since.
    #[rstest]
    #[case::nothing_ran(&[], false, false)]
    #[case::before_it(&[run(1, "a", "", &[1])], false, false)]
    #[case::same_tree(&[run(8, "a", "", &[1])], true, true)]
    #[case::same_tree_passed(&[run(8, "a", "", &[0])], true, false)]
    #[case::same_tree_and_passed_elsewhere(&[run(8, "a", "", &[1]), run(9, "a", "c/x", &[0])], true, true)]
    #[case::one_of_two_rounds(&[run(8, "a", "", &[0, 1])], true, true)]
    #[case::broken_by_itself(&[run(8, "a", "c/x", &[1])], true, false)]
    #[case::broken_by_two_alike(&[run(8, "a", "c/x", &[1]), run(9, "a", "c/x d/x", &[1])], true, false)]
    #[case::nobody_to_blame(&[run(8, "a", "c/x", &[1]), run(9, "a", "d/x", &[1])], true, true)]
    #[case::but_it_passed_since(
        &[run(8, "a", "c/x", &[1]), run(9, "a", "d/x", &[1]), run(10, "a", "e/x", &[0])], true, false
    )]
    #[case::in_scope(&[run(8, "a", "a/new", &[1])], false, false)]
    #[case::named_by_the_command(&[run(8, "a", "test", &[1])], false, false)]
    #[case::what_it_changed_itself(&[run(8, "a", "shared", &[1])], false, false)]
    #[case::both_over_another_commit(&[run(8, "b", "c/x", &[1]), run(9, "b", "d/x", &[1])], true, false)]
    #[case::over_a_gap(&[run(8, "person", "", &[1])], false, false)]
    #[case::paths_left_out(&[run(8, "a", "?", &[1])], false, false)]
    #[case::time_over(&[run(8, "a", "", &[-2])], false, false)]
    #[case::a_signal(&[run(8, "a", "", &[-1])], false, false)]
    #[case::no_such_program(&[run(8, "a", "", &[127])], false, false)]
    fn a_later_failure(
        #[case] verified: &[Verified],
        #[case] is_asked: bool,
        #[case] contradicts: bool,
    ) {
        let accepted = vec![commit(4, "base", "a", "a/x shared"), commit(6, "a", "b", "b/x")];
        let mut accounts = Accounts::default();
        (accounts.accepted, accounts.verified) = (accepted, verified.to_vec());
        let first = &accounts.accepted[0];
        let said = ask(&accounts, first, &CommitId::new("a"));
        assert_eq!((said.is_asked, said.contradiction.is_some()), (is_asked, contradicts));
    }
}
