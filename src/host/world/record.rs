//! What people can read about an attempt afterwards, and what the log keeps of a change.

use super::briefing::ARTEFACT_BYTES_MAX;
use super::error::WorldError;
use super::host_world::{HostWorld, bounded, names};
use super::stage::Message;
use crate::driver::{Ask, AskSelect};
use crate::engine::event::{CommandResult, SecretFinding, VerifyFinished};
use crate::engine::id::{ObjectId, RepoPath, TaskId, TreeId};
use crate::engine::secret::{redact, scan, scan_patch};
use crate::engine::task::{Mark, Status};
use crate::engine::verdict::Verdict;
use crate::host::evidence::{
    self, Change, CommandRun, CurrentTask, Document, EvidenceDir, Outcome, PastAttempt, Proposal,
    Results, Window,
};
use crate::host::git::{ChangeKind, Frozen, Patch, Snapshot};
use crate::host::objects::ObjectError;

/// How much of what a file gains is looked at for secrets at a time, in bytes.
const SCANNED_BYTES: usize = 8 << 20;

/// How many findings an event names.
const FINDINGS_MAX: usize = 50;

/// How many attempts are remembered for the progress window.
const PAST_MAX: usize = 5;

/// The frozen change, as its event tells it. Empty: nothing was frozen.
#[derive(Debug, Default)]
pub(super) struct NoChange {
    pub(super) tree: Option<TreeId>,
    pub(super) paths: Vec<RepoPath>,
    pub(super) created: Vec<RepoPath>,
    pub(super) paths_left_out: u64,
    pub(super) overlaps: Vec<RepoPath>,
    pub(super) special: Vec<RepoPath>,
    pub(super) leads_out: Vec<RepoPath>,
    pub(super) secrets: Vec<SecretFinding>,
    pub(super) diff: Option<ObjectId>,
    pub(super) rescued: Vec<String>,
}

/// An attempt of this process that ended.
#[derive(Clone, Debug)]
pub(super) struct Past {
    number: u32,
    task: TaskId,
    title: String,
    attempt: u32,
    mark: Mark,
}

/// The attempt in hand, as the progress window tells it.
#[derive(Clone, Debug)]
pub(super) struct Current {
    task: TaskId,
    title: String,
    attempt: u32,
}

/// Runs of commands with what each of them printed.
pub(super) fn command_runs<'a>(
    runs: &'a [CommandResult],
    outputs: &'a [Vec<u8>],
) -> Vec<CommandRun<'a>> {
    let both = |(run, output): (&'a CommandResult, &'a Vec<u8>)| CommandRun {
        command: &run.command,
        exit_code: run.exit_code,
        timed_out: run.timed_out,
        duration_ms: run.duration_ms,
        output,
    };
    runs.iter().zip(outputs).map(both).collect()
}

/// Adds what the critic will not see because it looks secret between the lines around it, where
/// nothing in the added lines alone gives it away.
fn add_hidden(patch: &Patch, secrets: &mut Vec<SecretFinding>) {
    for (path, text) in patch.by_file() {
        if secrets.iter().any(|known| known.path == *path) {
            continue;
        }
        // What redacting leaves is redacted again on its way into a prompt.
        let hits = [scan_patch(text), scan_patch(&redact(text))].concat();
        let room = FINDINGS_MAX.saturating_sub(secrets.len());
        secrets.extend(hits.into_iter().take(room).map(|hit| SecretFinding {
            path: path.clone(),
            line: hit.line,
            rule: hit.rule.to_owned(),
        }));
    }
}

impl HostWorld {
    fn evidence_dir(&self) -> Result<EvidenceDir, WorldError> {
        Ok(EvidenceDir::create(self.layout.state(), self.loop_number.into())?)
    }

    /// The folder of an attempt begins with what will be asked of it.
    pub(super) fn record_selection(&mut self, ask: AskSelect<'_>) -> Result<(), WorldError> {
        self.evidence_dir()?.verify_commands(&ask.task.verify)?;
        let last = self.past.iter().rev().find(|past| past.task == ask.task.id);
        let last_failure = last.and_then(|past| past.mark.reason.as_deref());
        let evidence = last.map(|past| format!("evidence/loop-{}", past.number));
        let current = CurrentTask {
            task: ask.task,
            attempt: ask.attempt,
            fail_count: last.map_or(0, |past| past.mark.fail_count),
            last_verdict: None,
            last_failure,
            evidence: evidence.as_deref(),
        };
        let attempts: Vec<PastAttempt<'_>> = self.past.iter().map(Past::told).collect();
        let state_dir = self.layout.state().display().to_string();
        let text = evidence::progress_window(&Window {
            current: Some(current),
            policy: &ask.charter.policy,
            state_dir: &state_dir,
            attempts: &attempts,
        });
        evidence::write_progress_window(self.layout.state(), &text)?;
        let (task, title) = (ask.task.id.clone(), ask.task.title.clone());
        self.current = Some(Current { task, title, attempt: ask.attempt });
        Ok(())
    }

    pub(super) fn record_mark(&mut self, mark: &Mark) {
        let Some(current) = self.current.clone().filter(|current| current.task == mark.task) else {
            return;
        };
        self.past.retain(|past| past.number != self.loop_number);
        let Current { task, title, attempt } = current;
        let mark = mark.clone();
        self.past.push_back(Past { number: self.loop_number, task, title, attempt, mark });
        while self.past.len() > PAST_MAX {
            self.past.pop_front();
        }
    }

    pub(super) fn record_message(
        &mut self,
        document: Document,
        message: Option<&Message>,
    ) -> Result<(), WorldError> {
        let Some(message) = message else { return Ok(()) };
        Ok(self.evidence_dir()?.document(document, message.text.as_bytes())?)
    }

    pub(super) fn record_summary(&mut self) -> Result<(), WorldError> {
        let Some(summary) = self.summary.take() else { return Ok(()) };
        Ok(self.evidence_dir()?.document(Document::ImplSummary, summary.as_bytes())?)
    }

    /// Freezes what the implementer left, and records it.
    pub(super) fn freeze(&mut self, ask: Ask<'_>) -> Result<NoChange, WorldError> {
        let snapshot = self.snapshot(&ask.attempt.snapshot)?;
        let frozen = self.git.freeze(&snapshot)?;
        // What the candidate does not hold must not help the verify commands.
        self.git.clean_to(&snapshot, &frozen)?;
        let change = self.record_change(ask, &snapshot, &frozen)?;
        self.frozen = Some(frozen);
        Ok(change)
    }

    /// What the event says about a frozen change, and what people can read about it.
    pub(super) fn record_change(
        &mut self,
        ask: Ask<'_>,
        snapshot: &Snapshot,
        frozen: &Frozen,
    ) -> Result<NoChange, WorldError> {
        let limit = usize::try_from(ARTEFACT_BYTES_MAX).unwrap_or(usize::MAX);
        let patch = self.git.patch(&snapshot.base_tree, &frozen.tree, limit)?;
        let mut secrets = vec![];
        let mut look = |added: crate::host::git::Added| {
            let room = FINDINGS_MAX.saturating_sub(secrets.len());
            let hits = scan(&added.content).into_iter().map(|hit| SecretFinding {
                path: added.path.clone(),
                line: added.lines_before + hit.line,
                rule: hit.rule.to_owned(),
            });
            // What lies where two pieces meet is in both.
            let new = hits.filter(|hit| secrets.last() != Some(hit));
            let new: Vec<SecretFinding> = new.take(room).collect();
            secrets.extend(new);
        };
        self.git.added(&snapshot.base_tree, &frozen.tree, SCANNED_BYTES, &mut look)?;
        add_hidden(&patch, &mut secrets);
        let all: Vec<RepoPath> = frozen.changes.iter().map(|change| change.path.clone()).collect();
        let allowed = ask.attempt.task.scope();
        let out_of_scope: Vec<RepoPath> =
            all.iter().filter(|path| !allowed.cover(path)).cloned().collect();
        self.evidence_dir()?.change(&Change {
            changed: &all,
            out_of_scope: &out_of_scope,
            secrets: &secrets,
            diff_stat: patch.stat.as_bytes(),
            diff: &patch.text,
        })?;
        let is_new = |kind: ChangeKind| kind == ChangeKind::Added;
        let created = frozen.changes.iter().filter(|change| is_new(change.kind));
        let special = frozen.special.iter().map(|special| special.path.clone());
        let total = all.len();
        let paths = bounded(all);
        Ok(NoChange {
            tree: Some(frozen.tree.clone()),
            paths_left_out: (total - paths.len()) as u64,
            created: bounded(created.map(|change| change.path.clone())),
            paths,
            overlaps: bounded(frozen.overlaps.iter().cloned()),
            special: bounded(special),
            leads_out: bounded(frozen.leads_out.iter().cloned()),
            secrets,
            diff: Some(self.objects.put(&redact(&patch.text))?),
            rescued: names(&frozen.rescued),
        })
    }

    pub(super) fn record_verify(
        &mut self,
        ask: Ask<'_>,
        finished: &VerifyFinished,
    ) -> Result<(), WorldError> {
        let base = finished.base.as_ref().map(|base| &base.commands[..]);
        let outputs = self.outputs(&finished.commands)?;
        let outputs_without = self.outputs(base.unwrap_or_default())?;
        let without = base.map(|base| command_runs(base, &outputs_without));
        Ok(self.evidence_dir()?.verify_results(&Results {
            runs: &command_runs(&finished.commands, &outputs),
            without: without.as_deref(),
            timeout_s: ask.charter.policy.verify.timeout_s,
        })?)
    }

    /// What each of them printed, in bounded memory.
    pub(super) fn outputs(&self, runs: &[CommandResult]) -> Result<Vec<Vec<u8>>, WorldError> {
        runs.iter().map(|run| self.preview(&run.output)).collect()
    }

    pub(super) fn record_proposal(
        &mut self,
        ask: Ask<'_>,
        verdict: Verdict,
        critique: Option<&ObjectId>,
    ) -> Result<ObjectId, WorldError> {
        let critique = match critique {
            Some(id) => match self.objects.get(id, ARTEFACT_BYTES_MAX * 2) {
                // A proposal outlives the process that was asked for it; its critique may not.
                Err(ObjectError::Missing { .. } | ObjectError::Damaged { .. }) => {
                    format!("The critique is lost: object {id} is missing or damaged.").into_bytes()
                }
                found => found?,
            },
            None => vec![],
        };
        let dir = self.evidence_dir()?;
        let document = evidence::proposal(&Proposal {
            task: &ask.attempt.task,
            verdict,
            critique: &String::from_utf8_lossy(&critique),
            evidence: &dir.relative(),
        });
        dir.proposal(verdict, &document)?;
        Ok(self.objects.put(document.as_bytes())?)
    }
}

impl Past {
    fn told(&self) -> PastAttempt<'_> {
        let reason = self.mark.reason.as_deref().unwrap_or_default();
        PastAttempt {
            number: self.number.into(),
            task: &self.task,
            title: &self.title,
            attempt: self.attempt,
            outcome: match self.mark.status {
                Status::Done => Outcome::Passed(None),
                Status::Todo => Outcome::Failed(reason),
                Status::Blocked => Outcome::Blocked(reason),
            },
        }
    }
}
