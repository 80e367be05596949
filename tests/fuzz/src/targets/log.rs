//! The log: sealed lines that nobody here wrote, and logs of ours that somebody changed.

use looper::engine::event::Event;
use looper::engine::line::{self, LINE_MAX, Proof};
use looper::engine::replay::replay_one;
use looper::engine::state::State;
use looper::host::log::Reader;
use sha2::{Digest as _, Sha256};

use crate::files::file;

/// Recorded runs that replay.
const LOGS: [&str; 4] = [
    include_str!("../../../../replay/v1/a_task_passes/events.jsonl"),
    include_str!("../../../../replay/v1/a_crash_after_the_branch_moved/events.jsonl"),
    include_str!("../../../../replay/v1/a_path_that_is_not_utf8/events.jsonl"),
    include_str!("../../../../replay/v1/a_rate_limit_pauses_and_the_next_run_resumes/events.jsonl"),
];

/// Whoever writes a log can compute its chain: every line gets a proof that fits. What is accepted
/// can be written and read again as the same events, and replaying it never panics.
pub(super) fn sealed(data: &[u8]) {
    let mut sealed = Vec::new();
    let mut before = "0".repeat(64);
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        let mark = b",\"h\":\"";
        let body = line.windows(mark.len()).rposition(|window| window == mark);
        let body = &line[..body.unwrap_or(line.len())];
        let mut hash = Sha256::new();
        hash.update(&before);
        hash.update(body);
        before = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        sealed.extend_from_slice(body);
        sealed.extend_from_slice(format!(",\"h\":\"{before}\"}}").as_bytes());
        sealed.extend_from_slice(end);
    }
    let mut state = Some(State::default());
    let mut proof = Proof::GENESIS;
    for event in read(&sealed) {
        let (text, next) = line::write(&event, proof);
        assert!(text.len() <= LINE_MAX);
        let (again, _) = line::read(text.trim_end_matches('\n'), proof).expect("it was written");
        assert_eq!(event, again);
        proof = next;
        state = state.and_then(|state| replay_one(state, &event).ok());
    }
}

/// What is left of a log of ours after edits is refused, or it begins like the log that it was.
pub(super) fn edited(data: &[u8]) {
    let [which, data @ ..] = data else { return };
    let original = LOGS[usize::from(*which) % LOGS.len()].as_bytes();
    let mut bytes = original.to_vec();
    // Four bytes say where, how much goes, and how much of what follows comes in its place.
    let mut rest = data;
    while let [high, low, cut, put, more @ ..] = rest {
        let at = (usize::from(*high) << 8 | usize::from(*low)) % (bytes.len() + 1);
        let end = (at + usize::from(*cut)).min(bytes.len());
        let put = usize::from(*put).min(more.len());
        bytes.splice(at..end, more[..put].iter().copied());
        rest = &more[put..];
    }
    let want = read(original);
    let found = read(&bytes);
    assert!(found.len() <= want.len() && want[..found.len()] == found[..]);
    let whole = bytes.starts_with(original);
    assert!(whole || found.len() < want.len());
}

/// The events up to the first that is refused, or to the end.
fn read(bytes: &[u8]) -> Vec<Event> {
    let path = file("events.jsonl", bytes);
    let reader = Reader::open(&path).expect("the file is there");
    let mut events = Vec::new();
    let mut end = 0;
    for item in reader {
        let Ok((event, position)) = item else { break };
        assert!(position.offset == end && position.line == events.len() as u64 + 1);
        let line = bytes[end as usize..].iter().position(|byte| *byte == b'\n');
        end += line.expect("a line that is accepted has an end") as u64 + 1;
        events.push(event);
    }
    events
}
