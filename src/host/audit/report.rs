//! What comes out when commits are compared with the log.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::id::{CommitId, Seq};
use crate::host::log::Loss;

/// How many findings of a kind are told one by one; all are counted.
const TOLD_MAX: usize = 100;

/// Where a commit stands, seen from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The log tells of it, and a branch leads to it.
    Recorded,
    /// The log tells of it, and a person has taken it out of every branch.
    Rewritten,
    /// A person made it from a commit that the log tells of.
    Copied,
    /// Another log tells of it: it came from another clone or work tree.
    Foreign,
    /// It lies beyond the end of a shallow clone.
    Unknown,
    /// It claims something that is not so, and was put back for it.
    PutBack,
    /// `refs/looper/log` is older than the end of the last run.
    AnchorBehind,
    /// It claims a judgement that the log lacks, or has otherwise.
    Missing,
    /// It is not what the log says about it.
    Forged,
    /// Nothing but the log has ever heard of it.
    Unproved,
}

impl Standing {
    /// Whether log and repository cannot both be right.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Missing | Self::Forged | Self::Unproved)
    }

    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Rewritten => "rewritten",
            Self::Copied => "copied",
            Self::Foreign => "foreign",
            Self::Unknown => "unknown",
            Self::PutBack => "put_back",
            Self::AnchorBehind => "anchor_behind",
            Self::Missing => "missing",
            Self::Forged => "forged",
            Self::Unproved => "unproved",
        }
    }
}

/// One thing that is worth a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it stands.
    pub standing: Standing,
    /// The event that it is about.
    pub seq: Option<Seq>,
    /// The commit that it is about.
    pub commit: Option<CommitId>,
    /// What stands there.
    pub found: String,
    /// What was expected there.
    pub expected: Option<String>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many there are of each kind.
    pub counts: BTreeMap<Standing, u64>,
    /// What cannot be, by the position in the log.
    pub bad: Vec<Finding>,
    /// What is worth a word and may be.
    pub notes: Vec<Finding>,
}

impl Report {
    pub(super) fn count(&mut self, standing: Standing) {
        *self.counts.entry(standing).or_default() += 1;
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.count(finding.standing);
        if !finding.standing.is_bad() {
            if self.notes.len() < TOLD_MAX {
                self.notes.push(finding);
            }
            return;
        }
        let at = self.bad.partition_point(|other| other.seq <= finding.seq);
        self.bad.insert(at, finding);
        self.bad.truncate(TOLD_MAX);
    }

    /// How many there are of a kind.
    pub fn of(&self, standing: Standing) -> u64 {
        self.counts.get(&standing).copied().unwrap_or_default()
    }

    /// Whether log and repository can both be right.
    pub fn agrees(&self) -> bool {
        self.bad.is_empty()
    }
}

impl Finding {
    pub(super) fn missing(commit: CommitId, loss: &Loss) -> Self {
        Self {
            standing: Standing::Missing,
            seq: Some(loss.seq),
            commit: Some(commit),
            found: loss.found.to_string(),
            expected: Some(format!("event {} with proof {}", loss.seq, loss.want)),
        }
    }
}
