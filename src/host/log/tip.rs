//! Places in the log.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::id::Seq;
use crate::engine::line::Proof;

/// Where a log ends: its last line, and how many bytes there are up to and with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The last event.
    pub seq: Seq,
    /// Its proof.
    pub proof: Proof,
    /// Bytes up to the end of its line.
    pub offset: u64,
}

impl Tip {
    /// The end of an empty log.
    pub const START: Self = Self { seq: Seq(0), proof: Proof::GENESIS, offset: 0 };
}

impl Default for Tip {
    fn default() -> Self {
        Self::START
    }
}

/// Where one event stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from one.
    pub line: u64,
    /// Where its first byte is.
    pub offset: u64,
    /// Its proof.
    pub proof: Proof,
}

/// An unfinished line at the end: the last thing a writer did before it was cut off, or is doing
/// at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes there are.
    pub bytes: u64,
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an unfinished line of {} bytes at offset {}", self.bytes, self.offset)
    }
}

/// The JSON form of a tip.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Tip", deny_unknown_fields)]
struct Form {
    seq: Seq,
    proof: String,
    offset: u64,
}

impl Serialize for Tip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { seq, proof, offset } = *self;
        Form { seq, proof: proof.to_string(), offset }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Form { seq, proof, offset } = Form::deserialize(deserializer)?;
        let proof = Proof::parse(&proof)
            .ok_or_else(|| serde::de::Error::custom("a proof has 64 lower-case hex digits"))?;
        Ok(Self { seq, proof, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tip_survives_json() {
        let proof = Proof::parse(&"a5".repeat(32)).unwrap();
        let tip = Tip { seq: Seq(7), proof, offset: 1234 };
        let json = serde_json::to_string(&tip).unwrap();
        assert_eq!(json, format!(r#"{{"seq":7,"proof":"{proof}","offset":1234}}"#));
        assert_eq!(serde_json::from_str::<Tip>(&json).unwrap(), tip);
        assert!(serde_json::from_str::<Tip>(&json.replace("a5", "A5")).is_err());
    }
}
