//! A crash transaction whose files somebody broke.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use looper::engine::id::Seq;
use looper::engine::line::Proof;
use looper::host::log::Tip;
use looper::host::tx::{Memory, Tx, TxError};
use rstest::rstest;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    base: String,
}

fn memory(seq: u64) -> Memory<Record> {
    let record = Some(Record { base: format!("{seq:040}") });
    let proof = Proof::parse(&"5a".repeat(32)).unwrap();
    Memory { record, anchor: Tip { seq: Seq(seq), proof, offset: seq * 100 } }
}

/// A directory as a killed process leaves it: the database is never closed.
fn left_behind(root: &Path) -> PathBuf {
    let live = root.join("live");
    let mut tx = Tx::<Record>::open(&live).unwrap().tx;
    for seq in 1..=5 {
        let Memory { record, anchor } = memory(seq);
        tx.remember(record.as_ref(), anchor).unwrap();
    }
    let copy = root.join("tx");
    copy_dir(&live, &copy);
    drop(tx);
    copy
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Opens, demands that it can be used, and returns what it remembered and said.
fn open(dir: &Path) -> (Option<Memory<Record>>, Option<String>) {
    let mut opened = Tx::<Record>::open(dir).unwrap();
    let Memory { anchor, .. } = memory(6);
    opened.tx.remember(None, anchor).unwrap();
    let later = dir.with_extension("later");
    copy_dir(dir, &later);
    let again = Tx::<Record>::open(&later).unwrap();
    assert_eq!(again.memory, Some(Memory { record: None, anchor }));
    fs::remove_dir_all(&later).unwrap();
    (opened.memory, opened.note)
}

#[test]
fn what_was_remembered_last_is_recalled() {
    let root = tempfile::tempdir().unwrap();
    let dir = left_behind(root.path());
    assert_eq!(open(&dir), (Some(memory(5)), None));
}

#[test]
fn nothing_is_made_before_there_is_something_to_remember() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("tx");
    assert!(Tx::<Record>::open(&dir).unwrap().memory.is_none());
    assert!(!dir.exists());
    assert_eq!(open(&dir), (None, None));
}

#[test]
fn a_second_opener_is_told_and_breaks_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dir = left_behind(root.path());
    let first = Tx::<Record>::open(&dir).unwrap();
    assert!(matches!(Tx::<Record>::open(&dir), Err(TxError::Busy { .. })));
    assert_eq!(first.memory, Some(memory(5)));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "nothing is moved aside");
}

#[test]
fn an_unfinished_snapshot_is_not_taken_for_a_finished_one() {
    let root = tempfile::tempdir().unwrap();
    let dir = left_behind(root.path());
    for name in ["snap.0000000000000000.generating", "snap.FFFFFFFFFFFFFFFF.generating"] {
        fs::write(dir.join(name), "").unwrap();
    }
    assert_eq!(open(&dir), (Some(memory(5)), None));
}

#[rstest]
#[case::database_emptied(|dir: &Path| fs::write(dir.join("db"), "").unwrap())]
#[case::database_cut(|dir: &Path| cut(&dir.join("db"), 40))]
#[case::database_zeroed(|dir: &Path| zero(&dir.join("db")))]
#[case::database_gone(|dir: &Path| fs::remove_file(dir.join("db")).unwrap())]
#[case::database_is_a_directory(|dir: &Path| {
    fs::remove_file(dir.join("db")).unwrap();
    fs::create_dir(dir.join("db")).unwrap();
})]
#[case::configuration_emptied(|dir: &Path| fs::write(dir.join("conf"), "").unwrap())]
#[case::configuration_half_written(|dir: &Path| cut(&dir.join("conf"), 20))]
#[case::configuration_zeroed(|dir: &Path| zero(&dir.join("conf")))]
#[case::configuration_gone(|dir: &Path| fs::remove_file(dir.join("conf")).unwrap())]
#[case::snapshot_of_another_time(|dir: &Path| fs::write(dir.join("snap.FF"), [7; 90]).unwrap())]
#[case::everything_zeroed(|dir: &Path| ["db", "conf"].iter().for_each(|f| zero(&dir.join(f))))]
#[case::emptied(|dir: &Path| { fs::remove_dir_all(dir).unwrap(); fs::create_dir(dir).unwrap(); })]
#[case::deleted(|dir: &Path| fs::remove_dir_all(dir).unwrap())]
#[case::a_file(|dir: &Path| { fs::remove_dir_all(dir).unwrap(); fs::write(dir, "x").unwrap(); })]
#[case::a_link(|dir: &Path| {
    fs::rename(dir, dir.with_extension("real")).unwrap();
    symlink(dir.with_extension("real"), dir).unwrap();
})]
#[case::huge(|dir: &Path| File::create(dir.join("x")).unwrap().set_len(1 << 40).unwrap())]
#[case::a_link_inside(|dir: &Path| symlink("/dev/zero", dir.join("snap.0")).unwrap())]
#[case::another_programs_record(|dir: &Path| {
    fs::remove_dir_all(dir).unwrap();
    let mut tx = Tx::<u32>::open(dir).unwrap().tx;
    tx.remember(Some(&7), Tip::START).unwrap();
    let copy = dir.with_extension("copy");
    copy_dir(dir, &copy);
    drop(tx);
    fs::rename(dir, dir.with_extension("old")).unwrap();
    fs::rename(&copy, dir).unwrap();
})]
fn whatever_is_broken_a_usable_transaction_comes_back(#[case] harm: fn(&Path)) {
    let root = tempfile::tempdir().unwrap();
    let dir = left_behind(root.path());
    harm(&dir);
    let (found, note) = open(&dir);
    assert!(found.is_none() || found == Some(memory(5)), "{found:?}");
    assert_eq!(note.is_some(), root.path().join("tx.broken-1").symlink_metadata().is_ok());
}

/// Proves that a flipped byte or a cut never panics, hangs or forges a memory.
#[test]
fn no_flipped_byte_makes_up_a_memory() {
    let root = tempfile::tempdir().unwrap();
    let good = left_behind(root.path());
    let known: Vec<_> = (1..=5).map(memory).map(Some).chain([None]).collect();
    let mut tried = 0;
    for name in ["db", "conf"] {
        let len = fs::metadata(good.join(name)).unwrap().len().min(2048);
        for at in (0..len).step_by(if name == "db" { 11 } else { 1 }) {
            let dir = root.path().join(format!("{name}-{at}"));
            copy_dir(&good, &dir);
            flip(&dir.join(name), at);
            let opened = Tx::<Record>::open(&dir).unwrap();
            assert!(known.contains(&opened.memory), "{name} byte {at}: {:?}", opened.memory);
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_record_that_does_not_fit_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("tx");
    let mut tx = Tx::<Record>::open(&dir).unwrap().tx;
    let record = Record { base: "x".repeat(100_000) };
    assert!(matches!(tx.remember(Some(&record), Tip::START), Err(TxError::TooLarge { .. })));
    assert!(!dir.exists());
}

fn cut(path: &Path, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

fn zero(path: &Path) {
    let len = fs::metadata(path).unwrap().len();
    fs::write(path, vec![0; usize::try_from(len).unwrap()]).unwrap();
}

fn flip(path: &Path, at: u64) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0x20]).unwrap();
}
