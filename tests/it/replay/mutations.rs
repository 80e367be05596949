//! Every small change to a log of two hundred lines is noticed: nothing that was not written is
//! ever read, and a lost end is known to whoever remembers it.
//!
//! `LOOPER_FLIPS=255` tries every other value of every byte instead of three.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use looper::engine::event::Event;
use looper::engine::line::{self, Proof};
use looper::host::log::{LogError, Reader, Tip};

use super::{events, folders, text};

/// As many as the promise is about.
const LINES: usize = 200;

/// The lowest bit, the highest, and the one between small letters and capitals.
const FLIPS: [u8; 3] = [0x01, 0x80, 0x20];

/// Lines of recorded runs, one after the other, as one log.
struct Whole {
    bytes: Vec<u8>,
    events: Vec<Event>,
    /// Where the log stands before each line, and at its end.
    tips: Vec<Tip>,
}

impl Whole {
    fn new() -> Self {
        let (mut bytes, mut written, mut tips) = (vec![], vec![], vec![Tip::START]);
        let mut proof = Proof::GENESIS;
        let recorded = folders("v1").into_iter().flat_map(|it| events(&text(&it, "events.jsonl")));
        for (seq, mut event) in (1..=LINES as u64).zip(recorded) {
            event.seq.0 = seq;
            let (line, next) = line::write(&event, proof);
            bytes.extend_from_slice(line.as_bytes());
            proof = next;
            tips.push(Tip { seq: event.seq, proof, offset: bytes.len() as u64 });
            written.push(event);
        }
        assert_eq!(written.len(), LINES);
        Self { bytes, events: written, tips }
    }

    /// The bytes of a line, its end included.
    fn line(&self, index: usize) -> Range<usize> {
        self.tips[index].offset as usize..self.tips[index + 1].offset as usize
    }

    fn line_of(&self, byte: usize) -> usize {
        self.tips.partition_point(|tip| tip.offset as usize <= byte) - 1
    }
}

/// A copy of the log on disk, to be harmed.
struct Copy<'a> {
    whole: &'a Whole,
    path: PathBuf,
    file: File,
    _dir: tempfile::TempDir,
}

/// What a pass over a harmed log comes to.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// It is refused.
    Refused,
    /// Somebody remembers what is gone.
    Lost,
    /// The last line is unfinished: so many are left.
    Torn(usize),
    /// So many lines are left, and nothing is wrong with them.
    Shorter(usize),
}

impl<'a> Copy<'a> {
    fn of(whole: &'a Whole) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, &whole.bytes).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        Self { whole, path, file, _dir: dir }
    }

    /// Reads on from a line before which nothing was changed. What is read has to be what was
    /// written.
    fn read(&self, first: usize, is_anchored: bool) -> Seen {
        let whole = self.whole;
        let mut reader = Reader::open_behind(&self.path, whole.tips[first]).unwrap();
        if is_anchored {
            let end = whole.tips[LINES];
            reader = reader.expecting("somebody", end.seq, end.proof);
        }
        let mut count = first;
        for item in reader.by_ref() {
            match item {
                Ok((event, position)) => {
                    assert_eq!(event, whole.events[count], "line {} is another one", count + 1);
                    count += 1;
                    assert_eq!(position.proof, whole.tips[count].proof);
                }
                Err(LogError::Lost { .. }) => return Seen::Lost,
                Err(_) => return Seen::Refused,
            }
        }
        if reader.torn().is_some() { Seen::Torn(count) } else { Seen::Shorter(count) }
    }

    /// Puts these bytes behind the first lines, and nothing else.
    fn put(&self, first: usize, tail: &[&[u8]]) {
        let start = self.whole.tips[first].offset;
        self.file.set_len(start).unwrap();
        self.file.write_all_at(&tail.concat(), start).unwrap();
    }
}

/// Shares the work out over the processors. Returns how often `harm` did something.
fn everywhere(count: usize, harm: impl Fn(&Copy<'_>, usize) -> u64 + Sync) -> u64 {
    let whole = Whole::new();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let count = if count == usize::MAX { whole.bytes.len() } else { count };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let copy = Copy::of(&whole);
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed) as usize;
                    if at >= count {
                        break;
                    }
                    done.fetch_add(harm(&copy, at), Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner()
}

fn flips() -> Vec<u8> {
    match std::env::var("LOOPER_FLIPS").as_deref() {
        Ok("255") => (1..=255).collect(),
        _ => FLIPS.to_vec(),
    }
}

/// Proves I7.
#[test]
fn every_flipped_byte_is_noticed() {
    let flips = flips();
    let tried = everywhere(usize::MAX, |copy, at| {
        let (line, old) = (copy.whole.line_of(at), copy.whole.bytes[at]);
        let is_last_byte = at + 1 == copy.whole.bytes.len();
        for flip in &flips {
            copy.file.write_all_at(&[old ^ flip], at as u64).unwrap();
            // Without its end, the last line is an unfinished one.
            let want = if is_last_byte { Seen::Torn(LINES - 1) } else { Seen::Refused };
            assert_eq!(copy.read(line, false), want, "byte {at} flipped by {flip:#x}");
            if is_last_byte {
                assert_eq!(copy.read(line, true), Seen::Lost);
            }
        }
        copy.file.write_all_at(&[old], at as u64).unwrap();
        flips.len() as u64
    });
    eprintln!("{tried} flips");
    assert!(tried > 100_000, "{tried}");
}

/// Proves I7.
#[test]
fn every_cut_is_noticed_or_remembered() {
    let tried = everywhere(usize::MAX, |copy, at| {
        let whole = copy.whole;
        let line = whole.line_of(at);
        let (start, end) = (whole.line(line).start, whole.line(line).end);
        let is_border = at == start;
        // The end of the file is gone.
        copy.put(line, &[&whole.bytes[start..at]]);
        let want = if is_border { Seen::Shorter(line) } else { Seen::Torn(line) };
        assert_eq!(copy.read(line, false), want, "cut at byte {at}");
        assert_eq!(copy.read(line, true), Seen::Lost, "cut at byte {at}");
        // The rest of the line is gone, without and with its end, and others follow.
        let rest = &whole.bytes[end..whole.line((line + 1).min(LINES - 1)).end.max(end)];
        copy.put(line, &[&whole.bytes[start..at], rest]);
        let without = copy.read(line, true);
        copy.put(line, &[&whole.bytes[start..at], b"\n", rest]);
        // A line that lacks nothing but its end has lost nothing once it gets one.
        let is_whole = at + 1 == end;
        let with = copy.read(line, true);
        let is_noticed = |seen: &Seen| matches!(seen, Seen::Refused | Seen::Lost);
        assert!(is_noticed(&without), "the line is cut at byte {at}: {without:?}");
        assert!(is_noticed(&with) || is_whole, "the line ends at byte {at}: {with:?}");
        4
    });
    eprintln!("{tried} cuts");
    assert!(tried > 100_000, "{tried}");
}

#[test]
fn every_line_that_is_missing_doubled_or_moved_is_noticed() {
    let tried = everywhere(LINES, |copy, at| {
        let whole = copy.whole;
        let line = |index: usize| whole.bytes.get(whole.line(index)).unwrap();
        let rest = |from: usize| &whole.bytes[whole.tips[from].offset as usize..];
        // Doubled.
        copy.put(at, &[line(at), line(at), rest(at + 1)]);
        assert_eq!(copy.read(at, false), Seen::Refused, "line {} is doubled", at + 1);
        // Missing: the last one has to be remembered.
        copy.put(at, &[rest(at + 1)]);
        let seen = copy.read(at, true);
        let want = if at + 1 == LINES { Seen::Lost } else { Seen::Refused };
        assert_eq!(seen, want, "line {} is missing", at + 1);
        // Swapped with each later one, and put in front of each earlier one.
        for other in at + 1..LINES {
            let between = &whole.bytes[whole.line(at).end..whole.line(other).start];
            copy.put(at, &[line(other), between, line(at)]);
            assert_eq!(copy.read(at, false), Seen::Refused, "{at} and {other} are swapped");
            copy.put(at, &[line(other), line(at)]);
            assert_eq!(copy.read(at, false), Seen::Refused, "{other} stands before {at}");
        }
        2 + 2 * (LINES - at - 1) as u64
    });
    eprintln!("{tried} changes");
    assert!(tried > 40_000, "{tried}");
}
