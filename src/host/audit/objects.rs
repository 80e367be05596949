//! Checks that the objects which the log names are there and are what their names say.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::engine::event::{Event, EventKind};
use crate::engine::id::{ObjectId, Seq};
use crate::host::objects::{ObjectError, Objects};

/// How many are told one by one; all are counted.
const TOLD_MAX: usize = 100;

/// Every object that a log names, once, with the first event that does.
#[derive(Debug, Default)]
pub struct Wanted {
    first: BTreeMap<ObjectId, Seq>,
}

/// An object that is not as the log wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectFault {
    /// The object.
    pub object: ObjectId,
    /// The first event that names it, and has lost its evidence.
    pub seq: Seq,
    /// What is wrong; `None`: it is missing.
    pub damage: Option<String>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ObjectsReport {
    /// How many objects the log names.
    pub named: u64,
    /// How many of them are missing.
    pub missing: u64,
    /// How many of them are there and are something else.
    pub damaged: u64,
    /// The first ones, by event.
    pub faults: Vec<ObjectFault>,
}

impl Wanted {
    /// Takes in the objects that an event names.
    pub fn note(&mut self, event: &Event) {
        let mut want = |id: &ObjectId| {
            if !self.first.contains_key(id) {
                self.first.insert(id.clone(), event.seq);
            }
        };
        macro_rules! stage {
            ($data:expr) => {{
                want(&$data.prompt);
                $data.transcript.iter().chain(&$data.message).for_each(&mut want);
            }};
        }
        match &event.kind {
            EventKind::PlanFinished(data) => stage!(data),
            EventKind::PlanCritiqueFinished(data) => stage!(data),
            EventKind::ImplCritiqueFinished(data) => stage!(data),
            EventKind::ImplementFinished(data) => {
                stage!(data);
                data.diff.iter().for_each(&mut want);
            }
            EventKind::VerifyFinished(data) => {
                data.runs().for_each(|run| want(&run.output));
            }
            EventKind::ProposalRecorded(data) => want(&data.proposal),
            _ => {}
        }
    }
}

/// Reads every object that is named, and compares its content with its name.
///
/// # Errors
/// The system refuses to read one that is there.
pub fn check_objects(objects: &Objects, wanted: &Wanted) -> Result<ObjectsReport, ObjectError> {
    let mut report = ObjectsReport { named: wanted.first.len() as u64, ..Default::default() };
    let read = |id: &ObjectId| -> Result<Option<String>, ObjectError> {
        match io::copy(&mut objects.reader(id)?, &mut io::sink()) {
            Ok(_) => Ok(None),
            Err(source) => Ok(Some(source.to_string())),
        }
    };
    for (id, seq) in &wanted.first {
        let damage = match read(id) {
            Ok(None) => continue,
            Ok(damage) => damage,
            Err(ObjectError::Missing { .. }) => None,
            Err(error @ (ObjectError::Damaged { .. } | ObjectError::BadName { .. })) => {
                Some(error.to_string())
            }
            Err(error) => return Err(error),
        };
        match damage {
            None => report.missing += 1,
            Some(_) => report.damaged += 1,
        }
        report.faults.push(ObjectFault { object: id.clone(), seq: *seq, damage });
    }
    report.faults.sort_by_key(|fault| fault.seq);
    report.faults.truncate(TOLD_MAX);
    Ok(report)
}
