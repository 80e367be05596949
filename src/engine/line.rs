//! One line of the log: how an event is written, proved and read again.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::at::At;
use super::event::{Event, EventKind, FORMAT};
use super::id::{RunId, Seq};

/// The longest line that is written or read, in bytes. Evidence lives in objects; a line that is
/// longer than this was not written by us.
pub const LINE_MAX: usize = 16 << 20;

/// Proof of a line and of everything before it: the SHA-256 over the previous proof and the line's
/// bytes up to its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof([u8; 32]);

impl Proof {
    /// What stands before the first line.
    pub const GENESIS: Self = Self([0; 32]);

    fn after(self, body: &[u8]) -> Self {
        let mut sha = Sha256::new();
        sha.update(self.to_string());
        sha.update(body);
        Self(sha.finalize().into())
    }

    /// Reads 64 lower-case hex digits.
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || hex.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A newer looper wrote it.
    #[error("the line has format {found}, this looper reads up to {FORMAT}")]
    TooNew {
        /// Its format.
        found: u64,
    },
    /// It is not an event.
    #[error("the line is not an event")]
    Malformed(#[source] serde_json::Error),
    /// Nothing of that name happens here.
    #[error("no event is called {name:?}")]
    UnknownEvent {
        /// The name it has.
        name: String,
    },
    /// Its proof does not follow from its bytes and the line before it.
    #[error("its proof should be {want}, the line says {found:?}")]
    BadProof {
        /// What follows from the bytes.
        want: Proof,
        /// What the line says.
        found: String,
    },
}

/// Writes an event as one line, newline included, and its proof.
///
/// # Panics
/// Never: every type of the vocabulary has a JSON form.
pub fn write(event: &Event, previous: Proof) -> (String, Proof) {
    const HOLDS: &str = "every type of the vocabulary has a JSON form";
    let mut line = format!(
        r#"{{"v":{},"seq":{},"at":"{}","run":{},"event":"{}","data":{}"#,
        event.v,
        event.seq,
        event.at,
        serde_json::to_string(&event.run).expect(HOLDS),
        event.kind.name(),
        event.kind.write_data().expect(HOLDS),
    );
    let proof = previous.after(line.as_bytes());
    line.push_str(&format!(",\"h\":\"{proof}\"}}\n"));
    (line, proof)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'line> {
    v: u64,
    seq: Seq,
    at: At,
    run: RunId,
    #[serde(borrow)]
    event: Cow<'line, str>,
    #[serde(borrow)]
    data: &'line RawValue,
    #[serde(borrow)]
    h: Cow<'line, str>,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

/// Reads one line without its newline, and checks its proof on the raw bytes.
///
/// # Errors
/// The line is newer than this build, is not an event, or does not follow from `previous`.
pub fn read(line: &str, previous: Proof) -> Result<(Event, Proof), LineError> {
    let raw: Raw<'_> = match serde_json::from_str(line) {
        Ok(raw) => raw,
        Err(error) => return Err(newer(line).unwrap_or(LineError::Malformed(error))),
    };
    if raw.v > u64::from(FORMAT) {
        return Err(LineError::TooNew { found: raw.v });
    }
    let proof = check(line, &raw.h, previous)?;
    let kind = EventKind::read(&raw.event, raw.data)
        .ok_or_else(|| LineError::UnknownEvent { name: raw.event.to_string() })?
        .map_err(LineError::Malformed)?;
    let event = Event { v: FORMAT, seq: raw.seq, at: raw.at, run: raw.run, kind };
    Ok((event, proof))
}

/// The proof covers everything before the last `,"h":`; that member must close the line.
fn check(line: &str, h: &str, previous: Proof) -> Result<Proof, LineError> {
    let tail = format!(",\"h\":\"{h}\"}}");
    let want = previous.after(line.strip_suffix(&tail).unwrap_or(line).as_bytes());
    if line.ends_with(&tail) && Proof::parse(h) == Some(want) {
        return Ok(want);
    }
    Err(LineError::BadProof { want, found: h.to_owned() })
}

/// A newer line may have another shape: its version is the one member that stays readable.
fn newer(line: &str) -> Option<LineError> {
    let version: Version = serde_json::from_str(line).ok()?;
    (version.v > u64::from(FORMAT)).then_some(LineError::TooNew { found: version.v })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{By, StopRequested};

    fn event(seq: u64) -> Event {
        Event {
            v: FORMAT,
            seq: Seq(seq),
            at: At::from_millis(1_795_166_102_481),
            run: RunId::new("01K"),
            kind: EventKind::StopRequested(StopRequested { by: By::Person }),
        }
    }

    #[test]
    fn a_line_looks_like_the_contract_says() {
        let (line, proof) = write(&event(17), Proof::GENESIS);
        let body = r#"{"v":1,"seq":17,"at":"2026-11-20T09:15:02.481Z","run":"01K","event":"stop_requested","data":{"by":"person"}"#;
        assert_eq!(line, format!("{body},\"h\":\"{proof}\"}}\n"));
        let sha = Sha256::digest(format!("{}{body}", "0".repeat(64)));
        assert_eq!(Proof(sha.into()), proof);
    }

    #[test]
    fn a_line_is_read_back() {
        let (first, proof) = write(&event(1), Proof::GENESIS);
        let (second, end) = write(&event(2), proof);
        assert_eq!(read(first.trim_end(), Proof::GENESIS).unwrap(), (event(1), proof));
        assert_eq!(read(second.trim_end(), proof).unwrap(), (event(2), end));
    }

    /// Proves I7.
    #[test]
    fn every_changed_byte_is_noticed() {
        let (line, _) = write(&event(1), Proof::GENESIS);
        let line = line.trim_end();
        for at in 0..line.len() {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] ^= 1;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                assert!(read(text, Proof::GENESIS).is_err(), "byte {at}: {text}");
            }
        }
    }

    #[test]
    fn what_a_newer_looper_wrote_is_not_guessed_at() {
        for line in [
            r#"{"v":2,"what":1}"#,
            r#"{"v":2,"seq":1,"at":"2026-11-20T09:15:02.481Z","run":"x","event":"y","data":{},"h":""}"#,
        ] {
            assert!(matches!(read(line, Proof::GENESIS), Err(LineError::TooNew { found: 2 })));
        }
    }

    #[test]
    fn unknown_fields_and_events_are_refused() {
        let sealed = |body: &str| {
            let proof = Proof::GENESIS.after(body.as_bytes());
            format!("{body},\"h\":\"{proof}\"}}")
        };
        let head = r#"{"v":1,"seq":1,"at":"2026-11-20T09:15:02.481Z","run":"x""#;
        for tail in [
            r#","event":"stop_requested","data":{"by":"person","x":1}"#,
            r#","x":1,"event":"stop_requested","data":{"by":"person"}"#,
            r#","event":"never_heard_of","data":{}"#,
        ] {
            let line = sealed(&format!("{head}{tail}"));
            assert!(read(&line, Proof::GENESIS).is_err(), "accepted {line}");
        }
        let good = sealed(&format!(r#"{head},"event":"stop_requested","data":{{"by":"person"}}"#));
        assert!(read(&good, Proof::GENESIS).is_ok());
    }
}
