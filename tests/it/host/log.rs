//! What of a log survives, and what does not go unnoticed.

use std::fs::{self, OpenOptions};
use std::path::Path;

use looper::engine::at::At;
use looper::engine::change::{FieldChange, FieldValue, TaskField};
use looper::engine::event::{BacklogChanged, By, Event, EventKind, FORMAT};
use looper::engine::id::{Digest, RunId, Seq, TaskId};
use looper::host::log::{LogError, Opened, Reader, Writer};
use proptest::prelude::*;

/// An event of any size, with any text.
fn event(seq: u64, text: &str) -> Event {
    let change = FieldChange {
        task: TaskId::new("1"),
        field: TaskField::Title,
        before: None,
        after: Some(FieldValue::Text(text.to_owned())),
    };
    let digest = Digest::new("0".repeat(64));
    let data = BacklogChanged {
        by: By::Person,
        before: digest.clone(),
        after: digest,
        changes: vec![change],
    };
    Event {
        v: FORMAT,
        seq: Seq(seq),
        at: At::from_millis(1_795_166_102_481),
        run: RunId::new("01K"),
        kind: EventKind::BacklogChanged(data),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(String),
    Write,
    Sync,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<String>().prop_map(Step::Append),
        1 => (100_000..200_000_usize).prop_map(|len| Step::Append("x".repeat(len))),
        1 => Just(Step::Write),
        2 => Just(Step::Sync),
    ];
    prop::collection::vec(step, 0..20)
}

fn read(path: &Path) -> Result<Vec<Event>, LogError> {
    Reader::open(path)?.map(|item| item.map(|(event, _)| event)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Proves that no acknowledged event is lost, and that nothing is made up.
    #[test]
    fn a_cut_log_reopens_with_everything_that_was_synced(
        steps in steps(),
        cut in any::<prop::sample::Index>(),
        padding in 0_usize..5000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = Writer::open(&path).unwrap().writer;
        let mut events = Vec::new();
        for step in &steps {
            match step {
                Step::Append(text) => {
                    let event = event(events.len() as u64 + 1, text);
                    writer.append(&event).unwrap();
                    events.push(event);
                }
                Step::Write => writer.write().unwrap(),
                Step::Sync => prop_assert_eq!(writer.sync().unwrap(), writer.appended()),
            }
        }
        let synced = writer.synced();
        drop(writer);
        prop_assert!(fs::metadata(&path).unwrap().len() >= synced.offset);

        let unsynced = fs::metadata(&path).unwrap().len() - synced.offset;
        let len = synced.offset + cut.index(unsynced as usize + 1) as u64;
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(len).unwrap();
        file.set_len(len + padding as u64).unwrap();

        let Opened { mut writer, repair } = Writer::open(&path).unwrap();
        let kept = read(&path).unwrap();
        prop_assert!(kept.len() as u64 >= synced.seq.0);
        prop_assert_eq!(&kept[..], &events[..kept.len()]);
        let torn = repair.map_or(0, |repair| fs::metadata(repair.kept).unwrap().len());
        prop_assert_eq!(fs::metadata(&path).unwrap().len() + torn, len + padding as u64);

        let next = event(kept.len() as u64 + 1, "next");
        writer.append(&next).unwrap();
        writer.sync().unwrap();
        let again = read(&path).unwrap();
        prop_assert_eq!((again.len(), again.last()), (kept.len() + 1, Some(&next)));
    }
}

/// Proves that a log is read in bounded memory however it was written, and by anybody at any time.
#[test]
fn a_reader_beside_a_writer_sees_a_prefix_at_every_moment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut writer = Writer::open(&path).unwrap().writer;
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let mut seen = 0;
            while seen < 200 {
                seen = read(&path).expect("a half-written line is no damage").len();
            }
        });
        for seq in 1..=200 {
            writer.append(&event(seq, &"y".repeat(20_000))).unwrap();
            writer.write().unwrap();
        }
        beside.join().unwrap();
    });
    writer.sync().unwrap();
}

#[test]
fn a_second_writer_closes_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut first = Writer::open(&path).unwrap().writer;
    let mut second = Writer::open(&path).unwrap().writer;
    second.append(&event(1, "second")).unwrap();
    second.sync().unwrap();
    first.append(&event(1, "first")).unwrap();
    assert!(matches!(first.sync(), Err(LogError::Tampered { .. })));
    assert_eq!(read(&path).unwrap(), [event(1, "second")]);
}

#[test]
fn a_long_log_is_written_in_batches_that_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut writer = Writer::open(&path).unwrap().writer;
    for seq in 1..=3000 {
        writer.append(&event(seq, &"z".repeat(1000))).unwrap();
    }
    assert!(fs::metadata(&path).unwrap().len() > 1 << 20, "memory is bounded");
    writer.sync().unwrap();
    assert_eq!(read(&path).unwrap().len(), 3000);
}
