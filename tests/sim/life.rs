//! One process from its start to its end, in the order of `cli/run`.

use std::rc::Rc;

use looper::backlog::{Backlog, marks, news};
use looper::driver::{DriveError, Driver, Outcome};
use looper::engine::charter::{
    AgentTerms, BacklogPin, Base, Charter, Checkout, FailToPass, Limits, Policy, PromptBy, RULES,
    Risk, Roles, VerifyTerms,
};
use looper::engine::event::{EndReason, EventKind};
use looper::engine::id::{AgentName, Digest, ObjectId, RunId, Seq};
use looper::engine::line::Proof;
use looper::engine::state::State;
use looper::engine::task::Mark;

use crate::computer::{Computer, Memory, Shared, Text, digest};
use crate::fault::{Broken, Doing, Phase};
use crate::journal::{self, Checks, Journal, Wobbly};
use crate::world::SimWorld;

/// How a process came to its end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ended(EndReason),
    /// 2
    Paused,
    /// 3
    Refused,
    /// 4
    BadLog,
    /// 74
    Machine,
}

type SimDriver = Driver<Journal, SimWorld, Wobbly, Checks>;

/// Lives one life. `None`: the process was killed, or the power went.
pub(crate) fn live(shared: &Shared) -> Option<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ended = runtime.block_on(work(shared));
    let mut machine = shared.borrow_mut();
    machine.tell(|| format!("  = {ended:?}"));
    match ended {
        Ok(exit) => Some(exit),
        Err(Broken::Died(_)) => None,
        Err(Broken::Disk | Broken::Machine(_)) => Some(Exit::Machine),
        Err(Broken::Refused(_)) => Some(Exit::Refused),
        Err(Broken::BadLog(_)) => Some(Exit::BadLog),
    }
}

async fn work(shared: &Shared) -> Result<Exit, Broken> {
    let mut driver = open(shared)?;
    settle(&mut driver, shared).await?;
    shared.borrow_mut().is_stop_asked = false;
    let (charter, news) = begin(&mut driver, shared)?;
    let outcome = driver.run(charter, news).await.map_err(broken)?;
    match outcome {
        Outcome::Paused(_) => Ok(Exit::Paused),
        Outcome::Ended(ended) => {
            let mut machine = shared.borrow_mut();
            machine.enters(Phase::After);
            machine.anchor(driver.log.tip().seq)?;
            Ok(Exit::Ended(ended.reason))
        }
    }
}

fn broken(error: DriveError<Broken, Broken>) -> Broken {
    match error {
        DriveError::Log(error) => error,
        DriveError::World { source, .. } => source,
        DriveError::Fold(error) => panic!("BUG: {error}"),
    }
}

fn open(shared: &Shared) -> Result<SimDriver, Broken> {
    let mut machine = shared.borrow_mut();
    machine.begins(Doing::Open, Phase::During);
    machine.step("take the lock")?;
    let remembered = open_transaction(&mut machine)?;
    let anchored = *machine.repo.anchor.get();
    let found = journal::read(&mut machine, &[remembered, anchored])?;
    let is_recovering = !found.state.is_settled();
    if is_recovering {
        machine.begins(Doing::Recover, Phase::During);
    }
    machine.check_nothing_lost(&found);
    if is_recovering {
        machine.step("end what the dead run left running")?;
        machine.orphans.clear();
    }
    drop(machine);
    let log = Journal::take_over(shared, found.tip)?;
    let mut machine = shared.borrow_mut();
    machine.oracle.tip = found.tip;
    let backlog = open_backlog(&mut machine, &found.state)?;
    let number = machine.dice.next();
    drop(machine);
    let world = SimWorld {
        shared: Rc::clone(shared),
        snapshot: None,
        frozen: None,
        backlog,
        is_recovering,
        holds_requests: false,
    };
    let (clock, checks) = (Wobbly(Rc::clone(shared)), Checks(Rc::clone(shared)));
    Ok(Driver::new(log, world, clock, checks, found.state, RunId::new(format!("{number:x}"))))
}

/// What cannot be read is moved aside.
fn open_transaction(machine: &mut Computer) -> Result<Option<(Seq, Proof)>, Broken> {
    machine.step("open the transaction")?;
    match machine.memory.get().clone() {
        Memory::Nothing => Ok(None),
        Memory::Torn => {
            machine.step("move the transaction aside")?;
            machine.memory.put(Memory::Nothing);
            machine.memory.flush();
            Ok(None)
        }
        Memory::Holds(_, tip) => Ok(Some((tip.seq, tip.proof))),
    }
}

/// While an attempt is open, a backlog that is neither as it was nor as it was about to be is an
/// agent's doing.
fn open_backlog(machine: &mut Computer, state: &State) -> Result<Text, Broken> {
    let found = machine.backlog.get().clone();
    let Some(wanted) = state.backlog().filter(|_| !state.is_settled()) else { return Ok(found) };
    let now = Digest::new(digest(&found));
    if [&wanted.before, &wanted.after].contains(&&now) {
        return Ok(found);
    }
    let get = |digest: &Digest| {
        let id = ObjectId::new(digest.as_str());
        machine.get_object(&id).ok().map(|text| text.as_bytes().to_vec())
    };
    let Some(bytes) = news::as_it_was(state, wanted, get) else { return Ok(found) };
    let text = String::from_utf8(bytes).expect("a backlog is text");
    machine.put_object(&found)?;
    machine.write_backlog(&text)?;
    Ok(text.into())
}

/// Brings the attempt to its end that a dead run left open.
async fn settle(driver: &mut SimDriver, shared: &Shared) -> Result<(), Broken> {
    if driver.state().is_settled() {
        shared.borrow_mut().flush_what_is_there()?;
        driver.world.is_recovering = false;
        return Ok(());
    }
    let branch = driver.state().charter().and_then(|charter| charter.base.branch.clone());
    {
        let mut machine = shared.borrow_mut();
        machine.flush_what_is_there()?;
        machine.clear_stale_locks(&format!("heads/{}", branch.unwrap_or_default()))?;
        if machine.repo.index.get().is_none() {
            machine.step("write the index anew")?;
            let head = machine.repo.head_commit();
            let tree = machine.repo.tree_of(&head).clone();
            machine.repo.index.put(Some(tree));
            machine.step("flush the index")?;
            machine.repo.index.flush();
        }
    }
    driver.world.holds_requests = true;
    let settled = driver.settle().await;
    driver.world.holds_requests = false;
    settled.map_err(broken)?;
    driver.world.is_recovering = false;
    Ok(())
}

/// Checks everything that has to hold before an agent is called.
fn begin(driver: &mut SimDriver, shared: &Shared) -> Result<(Charter, Vec<EventKind>), Broken> {
    let mut machine = shared.borrow_mut();
    machine.begins(Doing::Open, Phase::During);
    machine.step("read the backlog")?;
    let parsed = Backlog::parse(&driver.world.backlog);
    assert!(!parsed.is_refused(), "{:?}", parsed.complaints);
    let kept = driver.state().kept().cloned();
    let carried = machine.carried(kept.as_ref()).cloned();
    if !machine.plan.allow_dirty {
        let head = machine.repo.head_commit();
        let base = match &carried {
            Some(tree) => machine.repo.trees[tree].clone(),
            None => machine.repo.tree_of(&head).clone(),
        };
        if carried.is_some() {
            machine.snapshot(carried.as_ref())?;
        }
        if !machine.repo.dirty_against(&base).is_empty() {
            return Err(Broken::Refused("the work tree is not clean"));
        }
    }
    if machine.repo.locks.contains("index") {
        return Err(Broken::Refused("the index is locked"));
    }
    let charter = charter(&machine, &parsed.backlog, &driver.world.backlog);
    machine.put_object(&driver.world.backlog)?;
    if let Some(mark) = news::pending(driver.state(), &parsed.backlog) {
        let text = apply(&driver.world.backlog, &mark);
        machine.write_backlog(&text)?;
        driver.world.backlog = text.into();
    }
    let text = driver.world.backlog.clone();
    machine.put_object(&text)?;
    machine.sync_objects()?;
    let backlog = Backlog::parse(&text).backlog;
    let now = Digest::new(digest(&text));
    let news = news::news(driver.state(), &charter.tasks, &backlog, &now);
    Ok((charter, news))
}

fn apply(text: &str, mark: &Mark) -> String {
    marks::apply(text, std::slice::from_ref(mark)).expect("the task is in the backlog")
}

fn charter(machine: &Computer, backlog: &Backlog, text: &str) -> Charter {
    let plan = &machine.plan;
    let names: Vec<AgentName> =
        ["a", "b", "c"].iter().take(plan.agents).map(|name| AgentName::new(*name)).collect();
    // Of several, nobody is the critic of its own work in turn.
    let critics: Vec<AgentName> = names.iter().cycle().skip(1).take(names.len()).cloned().collect();
    let terms = AgentTerms {
        command: vec!["a".to_owned()],
        prompt: PromptBy::Stdin,
        output: "text".to_owned(),
        model: String::new(),
        timeout_s: 1,
        idle_s: 0,
    };
    let branch = machine.repo.head.get().strip_prefix("heads/").map(str::to_owned);
    Charter {
        engine: "0".to_owned(),
        rules: RULES,
        containment: None,
        settings: None,
        prices: None,
        spent_before: None,
        base: Base { commit: machine.repo.head_commit(), branch },
        backlog: BacklogPin {
            path: "backlog.md".to_owned(),
            format: "markdown".to_owned(),
            digest: Digest::new(digest(text)),
        },
        policy: Policy {
            stages: plan.stages.clone(),
            iterations: plan.iterations,
            failures_max: 2,
            commit_on_pass: plan.commit_on_pass,
            only: None,
            allow_dirty: plan.allow_dirty,
            risk: Risk::Unattended,
            verify: VerifyTerms { timeout_s: 1, checkout: Checkout::Worktree, repeat: 1 },
            gates_off: vec![],
            protected: vec![],
            fail_to_pass: FailToPass::Off,
            recovery: plan.recovery.clone(),
        },
        roles: Roles {
            plan: names.clone(),
            plan_critique: critics.clone(),
            implement: names.clone(),
            impl_critique: critics,
        },
        agents: names.into_iter().map(|name| (name, terms.clone())).collect(),
        limits: Limits { tokens: plan.tokens, ..Limits::default() },
        tasks: backlog.tasks(),
        archived: vec![],
    }
}
