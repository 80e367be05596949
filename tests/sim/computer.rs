//! One machine: its disk, its clock, what runs on it, and when it breaks.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use looper::engine::event::Event;
use looper::engine::id::{ObjectId, Seq};
use looper::engine::line::Proof;
use looper::engine::state::Transaction;
use looper::host::log::Tip;

use crate::agents::{Act, Key};
use crate::coverage::Coverage;
use crate::dice::Dice;
use crate::fault::{Broken, Doing, Fault, Phase, Point};
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::repo::Repo;
use crate::slot::Slot;

/// The content of a file.
pub(crate) type Text = Rc<str>;

/// Shared by all that stand for one process.
pub(crate) type Shared = Rc<RefCell<Computer>>;

/// What the crash transaction holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// There is none.
    Nothing,
    /// It cannot be read.
    Torn,
    /// A record, and where the log ended then.
    Holds(Option<Transaction>, Tip),
}

/// Evidence.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Text,
    pub(crate) is_safe: bool,
}

/// The bytes of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogFile {
    pub(crate) now: Vec<u8>,
    pub(crate) safe: Vec<u8>,
    /// The proof of each line that was ever written, by its number.
    pub(crate) proofs: BTreeMap<Seq, Proof>,
    /// The last event that is flushed.
    pub(crate) synced: Seq,
    /// The last event that was recorded.
    pub(crate) appended: Seq,
    /// Lines that were read before: what they say does not change.
    pub(crate) known: Vec<KnownLine>,
}

/// A line, and what it says after the lines before it.
#[derive(Clone, Debug)]
pub(crate) struct KnownLine {
    pub(crate) bytes: Vec<u8>,
    pub(crate) event: Event,
    pub(crate) proof: Proof,
}

impl LogFile {
    pub(crate) fn flush(&mut self) {
        self.safe.clone_from(&self.now);
    }

    /// Any prefix of what was not flushed is there; what was cut off may be back.
    fn cut(&mut self, dice: &mut Dice) {
        if self.now.len() < self.safe.len() {
            if dice.one_in(2) {
                self.now.clone_from(&self.safe);
            }
        } else {
            let more = (self.now.len() - self.safe.len()) as u64;
            let kept = usize::try_from(dice.below(more + 1)).expect("a length fits");
            self.now.truncate(self.safe.len() + kept);
            if (kept as u64) < more && dice.one_in(8) {
                self.now.extend([0; 5]);
            }
        }
        self.flush();
    }
}

/// One machine.
#[derive(Debug)]
pub(crate) struct Computer {
    pub(crate) plan: Rc<Plan>,
    pub(crate) dice: Dice,
    pub(crate) log: LogFile,
    pub(crate) memory: Slot<Memory>,
    pub(crate) backlog: Slot<Text>,
    pub(crate) objects: BTreeMap<ObjectId, Object>,
    pub(crate) repo: Repo,
    /// Agents whose process died, and what they are still about to do.
    pub(crate) orphans: Vec<VecDeque<Act>>,
    /// A child of the process in hand is running.
    pub(crate) is_agent_alive: bool,
    pub(crate) is_stop_asked: bool,
    pub(crate) is_cancelled: bool,
    pub(crate) millis: i64,
    /// How often something happened that does not happen for ever.
    pub(crate) happened: BTreeMap<Key, u32>,
    pub(crate) oracle: Oracle,
    pub(crate) coverage: Coverage,
    /// Steps of the process in hand.
    pub(crate) steps: u64,
    pub(crate) due: Option<(u64, Fault)>,
    pub(crate) down: Option<Fault>,
    /// Whether a fault hit the process in hand.
    pub(crate) is_hit: bool,
    pub(crate) at: Point,
    /// What is done, and the log does not say so durably.
    pub(crate) unsettled: Vec<Doing>,
    /// Where the process in hand was at each step.
    pub(crate) trace: Vec<BTreeSet<Point>>,
    pub(crate) story: Option<Vec<String>>,
}

impl Computer {
    pub(crate) fn new(plan: &Rc<Plan>, tells: bool) -> Self {
        Self {
            plan: Rc::clone(plan),
            dice: Dice::new(plan.seed ^ 0x5eed),
            log: LogFile::default(),
            memory: Slot::new(Memory::Nothing),
            backlog: Slot::new(plan.backlog.as_str().into()),
            objects: BTreeMap::new(),
            repo: Repo::new(plan.allow_dirty),
            orphans: vec![],
            is_agent_alive: false,
            is_stop_asked: false,
            is_cancelled: false,
            millis: 1_795_166_102_481,
            happened: BTreeMap::new(),
            oracle: Oracle::default(),
            coverage: Coverage::default(),
            steps: 0,
            due: None,
            down: None,
            is_hit: false,
            at: (Doing::Open, Phase::During),
            unsettled: vec![],
            trace: vec![],
            story: tells.then(Vec::new),
        }
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line());
        }
    }

    /// One step of the process in hand: the moment before something happens.
    pub(crate) fn step(&mut self, what: &str) -> Result<(), Broken> {
        if let Some(fault) = self.down {
            return Err(Broken::Died(fault));
        }
        self.let_orphans_work();
        self.steps += 1;
        if self.plan.is_traced {
            self.trace.push(self.here());
        }
        let Some((at, fault)) = self.due.filter(|(at, _)| *at <= self.steps) else {
            return Ok(());
        };
        if fault == Fault::Disk && self.is_agent_alive {
            return Ok(());
        }
        self.due = None;
        self.is_hit = true;
        let here = self.here();
        self.coverage.crashes.extend(here.into_iter().map(|point| (point, fault)));
        let (steps, point) = (self.steps, self.at);
        self.tell(|| format!("    !! {fault:?} at step {steps} (due {at}), {what}, {point:?}"));
        if fault == Fault::Disk {
            return Err(Broken::Disk);
        }
        self.down = Some(fault);
        Err(Broken::Died(fault))
    }

    /// What a death would cut short at this moment.
    fn here(&self) -> BTreeSet<Point> {
        let unsettled = self.unsettled.iter().map(|doing| (*doing, Phase::After));
        unsettled.chain([self.at]).collect()
    }

    pub(crate) fn enters(&mut self, phase: Phase) {
        self.at.1 = phase;
        if phase == Phase::After {
            self.unsettled.push(self.at.0);
        }
    }

    pub(crate) fn begins(&mut self, doing: Doing, phase: Phase) {
        self.at = (doing, phase);
    }

    fn let_orphans_work(&mut self) {
        if self.orphans.is_empty() || !self.dice.one_in(3) {
            return;
        }
        let acts: Vec<Act> = self.orphans.iter_mut().filter_map(VecDeque::pop_front).collect();
        for act in acts {
            self.tell(|| format!("    an orphan goes on: {act:?}"));
            self.act(&act);
        }
    }

    /// Between two processes: what died is gone, and with the power what was not flushed.
    pub(crate) fn reboot(&mut self) {
        if self.down == Some(Fault::PowerCut) {
            let dice = &mut self.dice;
            self.log.cut(dice);
            self.memory.cut(dice, |_| Memory::Torn);
            self.backlog.cut(dice, |text| {
                let half: String = text.chars().take(text.len() / 2).collect();
                half.into()
            });
            self.objects.retain(|_, object| object.is_safe || dice.one_in(2));
            self.objects.values_mut().for_each(|object| object.is_safe = true);
            self.repo.cut(dice);
            self.orphans.clear();
        }
        self.is_agent_alive = false;
        self.is_cancelled = false;
        self.down = None;
        self.is_hit = false;
        self.due = None;
        self.steps = 0;
        self.trace.clear();
        self.unsettled.clear();
    }

    pub(crate) fn put_object(&mut self, text: &str) -> Result<ObjectId, Broken> {
        self.step("keep an object")?;
        let id = ObjectId::new(digest(text));
        let object = Object { bytes: text.into(), is_safe: false };
        self.objects.entry(id.clone()).or_insert(object);
        Ok(id)
    }

    pub(crate) fn get_object(&self, id: &ObjectId) -> Result<Text, Broken> {
        let found = self.objects.get(id).map(|object| Rc::clone(&object.bytes));
        found.ok_or(Broken::Machine("an object is missing"))
    }

    pub(crate) fn sync_objects(&mut self) -> Result<(), Broken> {
        self.step("flush the objects")?;
        self.objects.values_mut().for_each(|object| object.is_safe = true);
        Ok(())
    }

    /// Writes another file, flushes it, renames it, flushes the directory.
    pub(crate) fn write_backlog(&mut self, text: &str) -> Result<(), Broken> {
        self.step("write the backlog beside it")?;
        self.step("flush it")?;
        self.step("rename the backlog")?;
        self.backlog.put(text.into());
        self.step("flush its directory")?;
        self.backlog.flush();
        Ok(())
    }

    /// What an earlier process wrote and did not flush.
    pub(crate) fn flush_what_is_there(&mut self) -> Result<(), Broken> {
        self.step("flush the file systems")?;
        self.backlog.flush();
        self.objects.values_mut().for_each(|object| object.is_safe = true);
        self.repo.flush();
        Ok(())
    }

    /// sled writes, and then the file is flushed.
    pub(crate) fn remember(&mut self, open: Option<&Transaction>, tip: Tip) -> Result<(), Broken> {
        self.step("write the transaction")?;
        self.memory.write(Memory::Holds(open.cloned(), tip));
        self.step("flush the transaction")?;
        self.memory.flush();
        Ok(())
    }
}

/// A name for content: the same for the same.
pub(crate) fn digest(text: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{:016x}", Dice::new(hash).next())
}
