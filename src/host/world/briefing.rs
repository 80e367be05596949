//! What agents are told: artefacts by their names in the log, turned into prompts.

use std::io::Read as _;
use std::path::Path;

use super::error::WorldError;
use super::host_world::HostWorld;
use crate::driver::Ask;
use crate::engine::attempt::{Planned, Step};
use crate::engine::id::{ObjectId, RepoPath};
use crate::host::prompts::{Brief, ImplCritic, Implementer, PlanCritic, Prompt, Retry};

/// How much of an artefact is read for a prompt, in bytes. Prompts show less.
pub(super) const ARTEFACT_BYTES_MAX: u64 = 1 << 20;

/// How much of the beginning and of the end of a command's output people and agents see, in bytes.
const PREVIEW_BYTES: (u64, usize) = (48 << 10, 16 << 10);

/// How much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// Texts that a brief borrows from.
struct Background {
    evidence: String,
    state_dir: String,
    backlog: String,
}

impl Background {
    fn brief<'a>(&'a self, ask: Ask<'a>) -> Brief<'a> {
        let progress = ask.progress;
        let retry = progress.reason.as_deref().map(|last_failure| Retry {
            fail_count: progress.fail_count,
            last_failure,
            evidence: &self.evidence,
        });
        Brief {
            task: &ask.attempt.task,
            attempt: ask.attempt.number,
            policy: &ask.charter.policy,
            retry: retry.filter(|_| progress.fail_count > 0),
            state_dir: &self.state_dir,
            backlog: &self.backlog,
        }
    }
}

impl HostWorld {
    fn background(&self, ask: Ask<'_>) -> Background {
        let inside = |path: &Path| {
            path.strip_prefix(self.layout.project()).unwrap_or(path).display().to_string()
        };
        let state_dir = inside(self.layout.state());
        let latest = ask.attempt.loop_number.saturating_sub(1);
        let number = if ask.progress.failed_loop > 0 { ask.progress.failed_loop } else { latest };
        Background {
            evidence: format!("{state_dir}/evidence/loop-{number}"),
            state_dir,
            backlog: inside(self.backlog.path()),
        }
    }

    fn artefact(&self, id: Option<&ObjectId>) -> Result<Option<Vec<u8>>, WorldError> {
        let read = |id: &ObjectId| self.objects.get(id, ARTEFACT_BYTES_MAX * 2);
        Ok(id.map(read).transpose()?)
    }

    /// The beginning and the end of an object, in bounded memory.
    pub(super) fn preview(&self, id: &ObjectId) -> Result<Vec<u8>, WorldError> {
        let failed = || WorldError::io("read", self.layout.objects().join(id.as_str()));
        let (head_bytes, tail_bytes) = PREVIEW_BYTES;
        let mut reader = self.objects.reader(id)?;
        let mut text = vec![];
        reader.by_ref().take(head_bytes).read_to_end(&mut text).map_err(failed())?;
        let (mut tail, mut total, mut chunk) = (vec![], 0_u64, vec![0; CHUNK]);
        loop {
            let count = reader.read(&mut chunk).map_err(failed())?;
            if count == 0 {
                break;
            }
            total += count as u64;
            tail.extend_from_slice(&chunk[..count]);
            let spare = tail.len().saturating_sub(tail_bytes);
            tail.drain(..spare);
        }
        let left_out = total - tail.len() as u64;
        if left_out > 0 {
            text.extend_from_slice(format!("\n[{left_out} bytes left out]\n").as_bytes());
        }
        text.extend_from_slice(&tail);
        Ok(text)
    }

    pub(super) fn planner_prompt(&self, ask: Ask<'_>) -> Result<String, WorldError> {
        let background = self.background(ask);
        Ok(self.prompts.render(&Prompt::Planner(&background.brief(ask)))?)
    }

    pub(super) fn plan_critic_prompt(&self, ask: Ask<'_>) -> Result<String, WorldError> {
        let background = self.background(ask);
        let Step::PlanCritique { plan, .. } = &ask.attempt.step else {
            unreachable!("BUG: only a plan is criticised as one")
        };
        let plan = self.artefact(Some(plan))?.unwrap_or_default();
        let brief = background.brief(ask);
        Ok(self.prompts.render(&Prompt::PlanCritic(&PlanCritic { brief, plan: &plan }))?)
    }

    pub(super) fn implementer_prompt(&self, ask: Ask<'_>) -> Result<String, WorldError> {
        let background = self.background(ask);
        let Step::Implement(Planned { plan, critique }) = &ask.attempt.step else {
            unreachable!("BUG: the implementer is called when it is due")
        };
        let plan = self.artefact(plan.as_ref())?;
        let plan_critique = self.artefact(critique.as_ref())?;
        Ok(self.prompts.render(&Prompt::Implementer(&Implementer {
            brief: background.brief(ask),
            plan: plan.as_deref(),
            plan_critique: plan_critique.as_deref(),
        }))?)
    }

    pub(super) fn impl_critic_prompt(&self, ask: Ask<'_>) -> Result<String, WorldError> {
        let background = self.background(ask);
        let Step::ImplCritique(planned, change, verified) = &ask.attempt.step else {
            unreachable!("BUG: only a frozen change is criticised")
        };
        let plan = self.artefact(planned.plan.as_ref())?;
        let diff = self.artefact(change.diff.as_ref())?.unwrap_or_default();
        let stat = match (&self.snapshot, &change.tree) {
            (Some(snapshot), Some(tree)) => self.git.patch(&snapshot.base_tree, tree, 0)?.stat,
            _ => String::new(),
        };
        let runs = verified.as_ref().map(|verified| &verified.commands[..]);
        let outputs = self.outputs(runs.unwrap_or_default())?;
        let commands = runs.map(|runs| super::record::command_runs(runs, &outputs));
        let allowed = ask.attempt.task.scope();
        let out_of_scope: Vec<RepoPath> =
            change.paths.iter().filter(|path| !allowed.cover(path)).cloned().collect();
        Ok(self.prompts.render(&Prompt::ImplCritic(&ImplCritic {
            brief: background.brief(ask),
            plan: plan.as_deref(),
            changed: &change.paths,
            out_of_scope: &out_of_scope,
            diff_stat: stat.as_bytes(),
            diff: &diff,
            commands: commands.as_deref(),
        }))?)
    }
}
