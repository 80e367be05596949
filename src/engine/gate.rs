//! The only road to a commit.

use super::attempt::{Attempt, Critique, Verified};
use super::charter::{GateId, Policy, Stage};
use super::event::{GateResult, GatesJudged, ImplementFinished, JudgedAs};
use super::id::{CommitId, RepoPath, TreeId};
use super::policy;
use super::reason;
use super::task::{Pattern, Patterns, Task};
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
    let gates: Vec<GateResult> = GateId::ALL.into_iter().map(weigh).collect();
    let outcome = outcome(policy, &gates, evidence.critique.and_then(|said| said.verdict));
    let passed = (outcome == JudgedAs::Pass)
        .then(|| Passed { base: attempt.base.clone(), tree: tree.clone() });
    let task = attempt.task.id.clone();
    Some((GatesJudged { task, attempt: attempt.number, outcome, tree, gates }, passed))
}

fn outcome(policy: &Policy, gates: &[GateResult], verdict: Option<Verdict>) -> JudgedAs {
    let failed = |wanted: &[GateId]| {
        gates.iter().any(|result| !result.passed && wanted.contains(&result.gate))
    };
    if failed(&[GateId::State, GateId::Secret]) {
        return JudgedAs::Fail;
    }
    if failed(&[GateId::Proposal]) {
        return JudgedAs::Proposal;
    }
    if verdict == Some(Verdict::Blocked) && is_on(policy, GateId::ImplCritique) {
        return JudgedAs::Blocked;
    }
    if failed(&GateId::ALL) { JudgedAs::Fail } else { JudgedAs::Pass }
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
/// did not exist before protects nothing.
fn protected(policy: &Policy, task: &Task, change: &ImplementFinished) -> Option<String> {
    let named: Vec<String> =
        task.verify.iter().flat_map(|command| policy::files_named_by(command)).collect();
    let patterns = Patterns::new(&policy.protected);
    let tests = task.verify.iter().flat_map(|command| policy::tests_named_by(command));
    let tests: Vec<Pattern> = tests.collect();
    let tests = Patterns::new(&tests);
    let is_protected = |path: &&RepoPath| {
        let by_verify = named.iter().any(|name| name.as_bytes() == path.as_bytes());
        (by_verify || patterns.cover(path) || tests.cover(path))
            && !task.names(path)
            && !change.created.contains(path)
    };
    let touched: Vec<&RepoPath> = change.paths.iter().filter(is_protected).collect();
    (!touched.is_empty()).then(|| format!("protected: {}", reason::list(&touched)))
}

fn verify(verified: Option<&Verified>) -> Option<String> {
    let Some(verified) = verified else { return Some("not run".to_owned()) };
    if verified.passed {
        return None;
    }
    let failed = verified.commands.iter().find(|run| run.timed_out || run.exit_code != Some(0));
    Some(match failed {
        None => "no command ran".to_owned(),
        Some(run) if run.timed_out => format!("timed out: {}", reason::line(&run.command)),
        Some(run) => match run.exit_code {
            Some(code) => format!("exit code {code}: {}", reason::line(&run.command)),
            None => format!("ended by a signal: {}", reason::line(&run.command)),
        },
    })
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
