//! The only road to a commit.

use super::attempt::{Attempt, Critique, Verified};
use super::charter::{FailToPass, GateId, Policy, Stage};
use super::event::{CommandResult, GateResult, GatesJudged, ImplementFinished, JudgedAs};
use super::id::{CommitId, RepoPath, TreeId};
use super::policy;
use super::reason;
use super::task::{Patterns, Task};
use super::verdict::Verdict;

/// Proof that a candidate passed every gate. Only [`judge`] makes one, and none is ever read from
/// disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    base: CommitId,
    tree: TreeId,
}

impl Passed {
    /// The commit it stands on.
    pub fn base(&self) -> &CommitId {
        &self.base
    }

    /// The tree that passed.
    pub fn tree(&self) -> &TreeId {
        &self.tree
    }
}

/// What there is to judge.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'state> {
    /// The frozen change.
    pub change: &'state ImplementFinished,
    /// What verification found, if it ran.
    pub verified: Option<&'state Verified>,
    /// What the critic said, if it was asked.
    pub critique: Option<&'state Critique>,
}

/// Weighs all gates. There is a [`Passed`] only where the outcome is `PASS`. `None`: there is no
/// candidate to judge.
pub fn judge(
    policy: &Policy,
    attempt: &Attempt,
    evidence: Evidence<'_>,
) -> Option<(GatesJudged, Option<Passed>)> {
    let tree = evidence.change.tree.clone()?;
    let weigh = |gate: GateId| weigh(gate, policy, &attempt.task, evidence);
    let is_asked = |gate: &GateId| *gate != GateId::FailToPass || !policy.fail_to_pass.is_off();
    let gates: Vec<GateResult> = GateId::ALL.into_iter().filter(is_asked).map(weigh).collect();
    let outcome = outcome(policy, &attempt.task, &gates, evidence);
    let passed = (outcome == JudgedAs::Pass)
        .then(|| Passed { base: attempt.base.clone(), tree: tree.clone() });
    let task = attempt.task.id.clone();
    Some((GatesJudged { task, attempt: attempt.number, outcome, tree, gates }, passed))
}

fn outcome(policy: &Policy, task: &Task, gates: &[GateResult], evidence: Evidence<'_>) -> JudgedAs {
    let failed = |wanted: &[GateId]| {
        gates.iter().any(|result| !result.passed && wanted.contains(&result.gate))
    };
    if failed(&[GateId::State, GateId::Secret]) {
        return JudgedAs::Fail;
    }
    if failed(&[GateId::Proposal]) {
        return JudgedAs::Proposal;
    }
    // Whoever tries again meets the same base and the same commands: only a person can change them.
    let is_vacuous = failed(&[GateId::FailToPass])
        && without_the_change(policy, task, evidence.verified) == Without::Passes;
    if is_vacuous || is_blocked_by_critic(policy, evidence.critique) {
        return JudgedAs::Blocked;
    }
    if failed(&GateId::ALL) { JudgedAs::Fail } else { JudgedAs::Pass }
}

/// Whether the critic asks for a person, and is heard.
pub(super) fn is_blocked_by_critic(policy: &Policy, critique: Option<&Critique>) -> bool {
    let verdict = critique.and_then(|critique| critique.verdict);
    verdict == Some(Verdict::Blocked) && is_on(policy, GateId::ImplCritique)
}

/// Whether this gate alone lets the change through, as far as is known before the critic speaks.
pub fn passes(gate: GateId, policy: &Policy, task: &Task, evidence: Evidence<'_>) -> bool {
    weigh(gate, policy, task, evidence).passed
}

fn is_on(policy: &Policy, gate: GateId) -> bool {
    !policy.gates_off.contains(&gate)
}

fn weigh(gate: GateId, policy: &Policy, task: &Task, evidence: Evidence<'_>) -> GateResult {
    let objection = match gate {
        _ if !is_on(policy, gate) => return result(gate, true, "switched off".to_owned()),
        GateId::State => state(evidence),
        GateId::Secret => secret(evidence.change),
        GateId::Scope => scope(task, evidence.change),
        GateId::Change => change(evidence.change),
        GateId::Protected => protected(policy, task, evidence.change),
        GateId::Verify => verify(evidence.verified),
        GateId::FailToPass => return fail_to_pass(policy, task, evidence.verified),
        GateId::Proposal => proposal(evidence.critique),
        GateId::ImplCritique => return impl_critique(policy, evidence.critique),
    };
    match objection {
        None => result(gate, true, "ok".to_owned()),
        Some(reason) => result(gate, false, reason),
    }
}

fn result(gate: GateId, passed: bool, reason: String) -> GateResult {
    GateResult { gate, passed, reason }
}

fn state(evidence: Evidence<'_>) -> Option<String> {
    let touched: Vec<&String> = [
        Some(&evidence.change.state_changes),
        evidence.verified.map(|verified| &verified.state_changes),
        evidence.critique.map(|critique| &critique.state_changes),
    ]
    .into_iter()
    .flatten()
    .flatten()
    .collect();
    (!touched.is_empty()).then(|| format!("changed and put back: {}", reason::list(&touched)))
}

fn secret(change: &ImplementFinished) -> Option<String> {
    let by_path = change.paths.iter().find_map(|path| {
        policy::secret_path(path).map(|rule| format!("{path} looks secret: {rule}"))
    });
    by_path.or_else(|| {
        let hit = change.secrets.first()?;
        Some(format!("{} line {} looks like a secret: {}", hit.path, hit.line, hit.rule))
    })
}

fn scope(task: &Task, change: &ImplementFinished) -> Option<String> {
    if change.paths_left_out > 0 {
        let total = change.paths.len() as u64 + change.paths_left_out;
        return Some(format!("{total} paths changed, more than can be judged"));
    }
    if !change.special.is_empty() {
        return Some(format!("git cannot hold: {}", reason::list(&change.special)));
    }
    if !change.leads_out.is_empty() {
        let links = reason::list(&change.leads_out);
        return Some(format!("links that lead out of the project: {links}"));
    }
    if !change.overlaps.is_empty() {
        let paths = reason::list(&change.overlaps);
        return Some(format!("had uncommitted changes of yours before: {paths}"));
    }
    let allowed = task.scope();
    let outside: Vec<&RepoPath> = change.paths.iter().filter(|path| !allowed.cover(path)).collect();
    (!outside.is_empty()).then(|| format!("outside the task's files: {}", reason::list(&outside)))
}

fn change(change: &ImplementFinished) -> Option<String> {
    change.paths.is_empty().then(|| "nothing changed".to_owned())
}

/// A file that decides about the task may change only where the task names exactly it. A file that
/// did not exist before protects nothing, unless its very name is protected: `GNUmakefile` takes the
/// place of `Makefile`.
fn protected(policy: &Policy, task: &Task, change: &ImplementFinished) -> Option<String> {
    let named: Vec<String> =
        task.verify.iter().flat_map(|command| policy::files_named_by(command)).collect();
    let patterns = Patterns::new(&policy.protected);
    let is_protected = |path: &&RepoPath| {
        let by_verify = named.iter().any(|name| name.as_bytes() == path.as_bytes());
        let by_name = policy.protected.iter().any(|it| it.as_str().as_bytes() == path.as_bytes());
        let is_new = change.created.contains(path) && !by_name;
        (by_verify || patterns.cover(path)) && !task.names(path) && !is_new
    };
    let touched: Vec<&RepoPath> = change.paths.iter().filter(is_protected).collect();
    (!touched.is_empty()).then(|| format!("protected: {}", reason::list(&touched)))
}

fn verify(verified: Option<&Verified>) -> Option<String> {
    let Some(verified) = verified else { return Some("not run".to_owned()) };
    if verified.passed {
        return None;
    }
    let failed = verified.commands.iter().find(|run| !run.passed());
    Some(match failed {
        None => "no command ran".to_owned(),
        Some(run) if run.timed_out => format!("timed out: {}", reason::line(&run.command)),
        Some(run) => match run.exit_code {
            Some(code) => format!("exit code {code}: {}", reason::line(&run.command)),
            None => format!("ended by a signal: {}", reason::line(&run.command)),
        },
    })
}

/// What the verify commands say where the change is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    /// One of them fails.
    Fails,
    /// None of them does.
    Passes,
    /// Nobody knows.
    Unknown,
}

/// A command fails without the change if it does each time, and as often as it has to pass with it:
/// one that fails now and then would else prove something about a change that did nothing.
fn without_the_change(policy: &Policy, task: &Task, verified: Option<&Verified>) -> Without {
    let runs = verified.and_then(|verified| verified.base.as_ref());
    let runs = runs.map_or(&[][..], |base| &base.commands[..]);
    let rounds = policy.verify.repeat.max(1) as usize;
    let mut without = Without::Passes;
    for command in &task.verify {
        let mut of_it = runs.iter().filter(|run| run.command == *command);
        if of_it.clone().any(CommandResult::passed) {
            continue;
        }
        if of_it.nth(rounds - 1).is_some() {
            return Without::Fails;
        }
        without = Without::Unknown;
    }
    without
}

fn fail_to_pass(policy: &Policy, task: &Task, verified: Option<&Verified>) -> GateResult {
    let reason = match without_the_change(policy, task, verified) {
        Without::Fails => return result(GateId::FailToPass, true, "ok".to_owned()),
        Without::Passes => "every verify command passes without the change too",
        Without::Unknown => "not run",
    };
    let passed = match policy.fail_to_pass {
        FailToPass::Off | FailToPass::Warn => true,
        FailToPass::Require => false,
    };
    result(GateId::FailToPass, passed, reason.to_owned())
}

fn proposal(critique: Option<&Critique>) -> Option<String> {
    let verdict = critique?.verdict.filter(|verdict| verdict.is_proposal())?;
    Some(said(verdict, critique.and_then(|critique| critique.note.as_deref())))
}

fn impl_critique(policy: &Policy, critique: Option<&Critique>) -> GateResult {
    let gate = GateId::ImplCritique;
    let Some(critique) = critique else {
        let asked = policy.stages.contains(&Stage::ImplCritique);
        let why = if asked { "not asked" } else { "not in this profile" };
        return result(gate, !asked, why.to_owned());
    };
    match critique.verdict {
        Some(Verdict::Pass) => result(gate, true, "PASS".to_owned()),
        Some(verdict) => result(gate, false, said(verdict, critique.note.as_deref())),
        None => result(gate, false, "no verdict could be read".to_owned()),
    }
}

/// A verdict with its reason, in one line.
pub(super) fn said(verdict: Verdict, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{}: {}", verdict.word(), reason::line(note)),
        None => verdict.word().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::engine::charter::{Checkout, Risk, VerifyTerms};
    use crate::engine::event::BaseRun;
    use crate::engine::id::{ObjectId, TaskId};

    fn policy(fail_to_pass: FailToPass, repeat: u32) -> Policy {
        Policy {
            stages: vec![Stage::Implement, Stage::Verify],
            iterations: 0,
            failures_max: 1,
            commit_on_pass: true,
            only: None,
            allow_dirty: false,
            risk: Risk::Safe,
            verify: VerifyTerms { timeout_s: 1, checkout: Checkout::Clean, repeat },
            gates_off: vec![],
            protected: vec![],
            fail_to_pass,
            recovery: None,
        }
    }

    fn task(verify: &[&str]) -> Task {
        Task {
            id: TaskId::new("1"),
            title: String::new(),
            files: vec![],
            description: String::new(),
            criteria: vec![],
            verify: verify.iter().map(|command| (*command).to_owned()).collect(),
            depends: vec![],
            size: None,
        }
    }

    /// `a0` is a run of the command `a` with exit code 0, `a!` one that was ended for its time.
    fn runs(text: &str) -> Vec<CommandResult> {
        let run = |word: &str| CommandResult {
            command: word[..1].to_owned(),
            exit_code: word[1..].parse().ok().or(Some(0)),
            timed_out: word.ends_with('!'),
            duration_ms: 1,
            output: ObjectId::new("o"),
        };
        text.split_whitespace().map(run).collect()
    }

    fn verified(base: Option<&str>) -> Verified {
        let tree = TreeId::new("t");
        let base = base.map(|text| BaseRun { tree, commands: runs(text) });
        Verified { passed: true, commands: vec![], state_changes: vec![], base }
    }

    #[rstest]
    #[case::it_fails(&["a"], 1, Some("a1"), Without::Fails)]
    #[case::it_passes(&["a"], 1, Some("a0"), Without::Passes)]
    #[case::its_time_is_over(&["a"], 1, Some("a!"), Without::Fails)]
    #[case::one_of_two_fails(&["a", "b"], 1, Some("a0 b1"), Without::Fails)]
    #[case::the_first_is_enough(&["a", "b"], 1, Some("a1"), Without::Fails)]
    #[case::both_pass(&["a", "b"], 1, Some("a0 b0"), Without::Passes)]
    #[case::one_is_missing(&["a", "b"], 1, Some("a0"), Without::Unknown)]
    #[case::another_command_fails(&["a"], 1, Some("b1"), Without::Unknown)]
    #[case::it_fails_each_time(&["a"], 3, Some("a1 a2 a1"), Without::Fails)]
    #[case::it_fails_now_and_then(&["a"], 3, Some("a1 a0"), Without::Passes)]
    #[case::it_failed_too_seldom(&["a"], 3, Some("a1 a1"), Without::Unknown)]
    #[case::the_other_fails_each_time(&["a", "b"], 2, Some("a1 a0 b1 b1"), Without::Fails)]
    #[case::nothing_ran(&["a"], 1, Some(""), Without::Unknown)]
    #[case::nobody_asked(&["a"], 1, None, Without::Unknown)]
    fn one_command_that_fails_without_the_change_is_enough(
        #[case] commands: &[&str],
        #[case] repeat: u32,
        #[case] base: Option<&str>,
        #[case] want: Without,
    ) {
        let policy = policy(FailToPass::Require, repeat);
        let (task, verified) = (task(commands), verified(base));
        assert_eq!(without_the_change(&policy, &task, Some(&verified)), want);
        let gate = fail_to_pass(&policy, &task, Some(&verified));
        assert_eq!((gate.passed, gate.reason == "ok"), (want == Without::Fails, gate.passed));
    }

    #[rstest]
    #[case::required(FailToPass::Require, Some("a0"), false, "every verify command passes")]
    #[case::warned(FailToPass::Warn, Some("a0"), true, "every verify command passes")]
    #[case::required_and_unknown(FailToPass::Require, None, false, "not run")]
    #[case::warned_and_unknown(FailToPass::Warn, None, true, "not run")]
    fn the_policy_says_whether_it_objects(
        #[case] wanted: FailToPass,
        #[case] base: Option<&str>,
        #[case] passed: bool,
        #[case] reason: &str,
    ) {
        let gate = fail_to_pass(&policy(wanted, 1), &task(&["a"]), Some(&verified(base)));
        assert_eq!(gate.passed, passed);
        assert!(gate.reason.starts_with(reason), "{}", gate.reason);
    }
}
