//! One call of an agent or of the verify commands.

use std::collections::VecDeque;
use std::rc::Rc;

use looper::driver::Ask;
use looper::engine::at::At as Moment;
use looper::engine::charter::Stage;
use looper::engine::id::{CommitId, ObjectId, TreeId};
use looper::engine::report::{Class, QuotaWindow};
use looper::engine::state::Kept;
use looper::engine::verdict::Verdict;

use crate::agents::{Act, Says, Turn, good};
use crate::computer::Computer;
use crate::fault::{Broken, Fault, Phase};
use crate::git::{At, Frozen};
use crate::repo::Snapshot;
use crate::world::SimWorld;

/// What one call left.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) says: Says,
    pub(crate) class: Class,
    pub(crate) prompt: ObjectId,
    pub(crate) message: Option<ObjectId>,
    pub(crate) state_changes: Vec<String>,
    pub(crate) rescued: Vec<String>,
    pub(crate) until: Option<Moment>,
    pub(crate) quota: Vec<QuotaWindow>,
}

impl Called {
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        match &self.says {
            Says::Verdict(verdict) => *verdict,
            Says::Ok => Some(Verdict::Pass),
            Says::Class(_) | Says::Exit(_) | Says::Slow | Says::Signal => None,
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        matches!(self.class, Class::Ok | Class::Empty)
    }
}

impl SimWorld {
    /// Calls an agent. Whatever it started is gone when this returns. `None`: it was interrupted.
    pub(crate) fn call(&mut self, ask: Ask<'_>, stage: Stage) -> Result<Option<Called>, Broken> {
        let shared = Rc::clone(&self.shared);
        let mut machine = shared.borrow_mut();
        machine.enters(Phase::During);
        machine.check_durable("an agent is called");
        machine.check_nobody_is_at_work("an agent is called");
        let task = &ask.attempt.task.id;
        let key = (task.clone(), stage, ask.progress.fail_count);
        let prompt = machine.put_object(&format!("prompt of {key:?}"))?;
        machine.step("remember how the state directory is")?;
        let mut turn = machine.plan.turns.of(&key);
        if let Some(times) = turn.says.times() {
            let happened = machine.happened.entry(key.clone()).or_default();
            *happened += 1;
            if *happened > times {
                turn = good(&key);
            }
        }
        machine.tell(|| format!("    {key:?}: {turn:?}"));
        machine.run_agent(&turn)?;
        if turn.says == Says::Signal {
            machine.is_cancelled = true;
        }
        let state_changes = put_back_state(&mut machine, &self.backlog)?;
        let rescued = match (stage, &self.snapshot) {
            (Stage::Implement, _) | (_, None) => vec![],
            (_, Some(snapshot)) => machine.guard(snapshot)?,
        };
        if turn.says == Says::Signal {
            return Ok(None);
        }
        let class = match turn.says {
            Says::Class(class) => class,
            Says::Ok | Says::Verdict(_) | Says::Exit(_) | Says::Slow | Says::Signal => Class::Ok,
        };
        let message = match class {
            Class::Ok => Some(machine.put_object(&format!("answer of {key:?}"))?),
            _ => None,
        };
        let says = turn.says;
        let until = (class == Class::RateLimited && stage != Stage::Plan).then(|| {
            // Some limits are over as soon as somebody is told of them.
            let after = if key.2 == 0 { -864_000_000 } else { 3_600_000 };
            Moment::from_millis(machine.millis + after)
        });
        let is_near = stage == Stage::Implement && machine.plan.is_near_the_wall;
        let window = |used_percent| QuotaWindow {
            window: "five_hour".to_owned(),
            used_percent,
            resets_at: None,
        };
        let quota = is_near.then(|| window(95)).into_iter().collect();
        Ok(Some(Called { says, class, prompt, message, state_changes, rescued, until, quota }))
    }

    pub(crate) fn holds_secret(&self, frozen: &Frozen) -> bool {
        frozen
            .changed
            .iter()
            .any(|path| frozen.top.get(path).is_some_and(|text| text.contains("SECRET")))
    }
}

impl SimWorld {
    pub(crate) fn ends(&self) {
        self.shared.borrow_mut().enters(Phase::After);
    }

    pub(crate) fn look(&mut self, id: &CommitId) -> Result<Snapshot, Broken> {
        let snapshot = self.shared.borrow().load_snapshot(id)?;
        self.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// After the last stage that can write, the work tree is the candidate again.
    pub(crate) fn tidy_up(&mut self, ask: Ask<'_>) -> Result<(), Broken> {
        let mut machine = self.shared.borrow_mut();
        if let (Some(snapshot), Some(frozen)) = (&self.snapshot, &self.frozen) {
            machine.clean_to(snapshot, frozen)?;
            if !ask.charter.policy.commit_on_pass {
                machine.flush_work(&frozen.changed)?;
            }
        }
        machine.sync_objects()
    }

    /// After a crash, only what an agent can have done to HEAD is undone.
    pub(crate) fn check_head(&self, ask: Ask<'_>, snapshot: &Snapshot) -> Result<(), Broken> {
        if !self.is_recovering {
            return Ok(());
        }
        match self.shared.borrow().locate(&snapshot.branch, &ask.attempt.base, None) {
            At::Foreign => Err(Broken::Refused("HEAD is a person's")),
            At::Base | At::AgentCommits | At::Prepared | At::Beyond => Ok(()),
        }
    }
}

/// What a stage changed in the backlog is kept and put back.
fn put_back_state(machine: &mut Computer, backlog: &str) -> Result<Vec<String>, Broken> {
    let found = machine.backlog.get().clone();
    if *found == *backlog {
        return Ok(vec![]);
    }
    machine.put_object(&found)?;
    machine.write_backlog(backlog)?;
    Ok(vec!["backlog.md".to_owned()])
}

impl Computer {
    /// The process of an agent, which goes on alone where ours dies.
    fn run_agent(&mut self, turn: &Turn) -> Result<(), Broken> {
        self.step("start the agent")?;
        self.is_agent_alive = true;
        let mut acts: VecDeque<Act> = turn.acts.iter().cloned().collect();
        loop {
            if let Err(broken) = self.step("an agent is at work") {
                if broken == Broken::Died(Fault::Kill) {
                    self.orphans.push(acts);
                }
                return Err(broken);
            }
            match acts.pop_front() {
                Some(act) => self.act(&act),
                None => break,
            }
        }
        self.is_agent_alive = false;
        self.step("an agent has ended")
    }

    /// The tree that changes are counted from, where an earlier pass was left uncommitted.
    pub(crate) fn carried<'kept>(&self, kept: Option<&'kept Kept>) -> Option<&'kept TreeId> {
        let head = self.repo.head_commit();
        let kept = kept.filter(|kept| kept.base == head)?;
        let is_discarded = self.repo.dirty_against(self.repo.tree_of(&head)).is_empty();
        (!is_discarded).then_some(&kept.tree)
    }
}
