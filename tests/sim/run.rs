//! One run: life after life, until there is nothing left to do.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use looper::engine::event::EndReason;
use looper::engine::state::State;

use crate::computer::{Computer, Memory, Shared};
use crate::fault::{Fault, Point};
use crate::journal;
use crate::life::{Exit, live};
use crate::oracle::End;
use crate::people;
use crate::plan::{Faults, Plan};

/// How many lives a run may take once nothing breaks any more: pauses, limits and iterations each
/// end one.
const CALM_LIVES_MAX: u64 = 80;

/// A run as it goes on.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) shared: Shared,
    pub(crate) lives: u64,
    faults: Vec<Option<(u64, Fault)>>,
    /// Where each life was, step by step.
    pub(crate) traces: Vec<Vec<BTreeSet<Point>>>,
}

impl Run {
    pub(crate) fn new(plan: &Rc<Plan>, tells: bool) -> Self {
        let mut machine = Computer::new(plan, tells);
        machine.remember_people();
        let faults = match &plan.faults {
            Faults::Listed(list) => list.iter().copied().map(Some).collect(),
            Faults::Drawn { lives, steps, kinds } => {
                let dice = &mut machine.dice;
                (0..*lives).map(|_| Some((dice.below(*steps) + 1, *dice.pick(kinds)))).collect()
            }
        };
        Self { shared: Rc::new(RefCell::new(machine)), lives: 0, faults, traces: vec![] }
    }

    /// One life, and how it ended by itself.
    pub(crate) fn life(&mut self) -> Option<Exit> {
        let due = self.faults.get(usize::try_from(self.lives).expect("small")).copied().flatten();
        self.lives += 1;
        let number = self.lives;
        {
            let mut machine = self.shared.borrow_mut();
            machine.due = due;
            machine.tell(|| format!("life {number}"));
            self.lose_transaction(&mut machine);
        }
        let exit = live(&self.shared);
        let mut machine = self.shared.borrow_mut();
        self.traces.push(std::mem::take(&mut machine.trace));
        let is_hit = machine.is_hit;
        let is_fine = match exit {
            None => is_hit,
            Some(Exit::Machine) => is_hit,
            Some(Exit::Ended(_) | Exit::Paused) => true,
            // Nobody can tell an agent's branch from a person's after a crash: somebody has to look.
            Some(Exit::Refused) => people::check_out_the_branch(&mut machine),
            Some(Exit::BadLog) => false,
        };
        assert!(is_fine, "a life ended with {exit:?}");
        machine.reboot();
        exit
    }

    fn lose_transaction(&self, machine: &mut Computer) {
        let one_in = machine.plan.transaction_lost_one_in;
        if !machine.dice.one_in(one_in) {
            return;
        }
        let old = match machine.memory.get() {
            // As it was when it was first written: the anchor is an old one.
            Memory::Holds(record, tip) if tip.seq.0 > 1 => {
                let seq = looper::engine::id::Seq(tip.seq.0 / 2);
                let proof = machine.log.proofs[&seq];
                let tip = looper::host::log::Tip { seq, proof, ..*tip };
                Memory::Holds(record.clone(), tip)
            }
            other => other.clone(),
        };
        let found = match machine.dice.below(3) {
            0 => Memory::Nothing,
            1 => Memory::Torn,
            _ => old,
        };
        machine.tell(|| format!("  the transaction is now {found:?}"));
        machine.memory.put(found);
        machine.memory.flush();
    }

    /// Lives on until everything is done or a person is needed.
    pub(crate) fn run_to_the_end(&mut self) -> (State, End) {
        let mut calm = 0;
        loop {
            let exit = self.life();
            let is_over =
                matches!(exit, Some(Exit::Ended(EndReason::Done | EndReason::NothingRunnable)));
            let has_faults = self.lives < self.faults.len() as u64;
            if is_over && !has_faults {
                break;
            }
            calm += u64::from(!has_faults);
            assert!(calm < CALM_LIVES_MAX, "the run does not end");
            people::between(&mut self.shared.borrow_mut());
        }
        let mut machine = self.shared.borrow_mut();
        // Once more, and this time every line.
        machine.log.known.clear();
        let found = journal::read(&mut machine, &[]).expect("the log is whole");
        machine.check_end(&found.state);
        let end = machine.end(&found.state);
        (found.state, end)
    }
}
