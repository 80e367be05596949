//! What a reader makes of a log that is not whole, and a writer of company.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::engine::at::At;
use crate::engine::event::{By, Event, EventKind, FORMAT, StopRequested};
use crate::engine::id::{RunId, Seq};
use crate::engine::line::{self, LINE_MAX, Proof};

fn event(seq: u64) -> Event {
    Event {
        v: FORMAT,
        seq: Seq(seq),
        at: At::from_millis(1_795_166_102_481),
        run: RunId::new("01K"),
        kind: EventKind::StopRequested(StopRequested { by: By::Person }),
    }
}

/// A log of three events.
fn whole() -> Vec<u8> {
    let mut proof = Proof::GENESIS;
    let mut bytes = Vec::new();
    for seq in 1..=3 {
        let (line, next) = line::write(&event(seq), proof);
        bytes.extend_from_slice(line.as_bytes());
        proof = next;
    }
    bytes
}

fn lines() -> Vec<Vec<u8>> {
    whole().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

struct Bench {
    _dir: TempDir,
    path: PathBuf,
}

fn bench(bytes: &[u8]) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    fs::write(&path, bytes).unwrap();
    Bench { _dir: dir, path }
}

/// How many events a pass yields, and what ends it.
fn pass(reader: &mut Reader) -> (u64, Option<LogError>) {
    let mut count = 0;
    for item in reader {
        match item {
            Ok((event, position)) => {
                count += 1;
                assert_eq!((event.seq.0, position.line), (count, count));
            }
            Err(error) => return (count, Some(error)),
        }
    }
    (count, None)
}

type Lines = Vec<Vec<u8>>;

#[rstest]
#[case::swapped(|l: &mut Lines| l.swap(0, 1), 1)]
#[case::doubled(|l: &mut Lines| { let x = l[1].clone(); l.insert(1, x) }, 3)]
#[case::removed(|l: &mut Lines| { l.remove(1); }, 2)]
#[case::first_removed(|l: &mut Lines| { l.remove(0); }, 1)]
#[case::blank_line(|l: &mut Lines| l.insert(1, b"\n".to_vec()), 2)]
#[case::blank_end(|l: &mut Lines| l.push(b"\n".to_vec()), 4)]
#[case::byte_order_mark(|l: &mut Lines| { l[0].splice(0..0, *b"\xef\xbb\xbf"); }, 1)]
#[case::dos_line(|l: &mut Lines| { l[1].pop(); l[1].extend(b"\r\n"); }, 2)]
#[case::not_utf8(|l: &mut Lines| l[1][40] = 0xff, 2)]
#[case::nul_in_the_middle(|l: &mut Lines| l.insert(2, b"\0\0\0\n".to_vec()), 3)]
#[case::whole_log_twice(|l: &mut Lines| { let x = l.clone(); l.extend(x) }, 4)]
#[case::bad_proof_in_a_complete_last_line(|l: &mut Lines| l[2][60] ^= 1, 3)]
fn damage_is_found_in_its_line(#[case] harm: fn(&mut Lines), #[case] want: u64) {
    let mut lines = lines();
    harm(&mut lines);
    let bytes = lines.concat();
    let bench = bench(&bytes);
    let (read, error) = pass(&mut Reader::open(&bench.path).unwrap());
    let Some(LogError::Damaged { line, .. }) = &error else { panic!("{error:?}") };
    assert_eq!((read + 1, *line), (want, want));
    assert!(matches!(Writer::open(&bench.path), Err(LogError::Damaged { .. })));
    assert_eq!(fs::read(&bench.path).unwrap(), bytes, "a damaged log is not touched");
}

#[test]
fn every_flipped_byte_is_found_in_its_line() {
    let good = whole();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x01;
        let bench = bench(&bytes);
        let mut reader = Reader::open(&bench.path).unwrap();
        let (read, error) = pass(&mut reader);
        let line = good[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(read, line, "byte {at}: {error:?}");
        let is_unfinished = at + 1 == good.len();
        assert_eq!(reader.torn().is_some(), is_unfinished, "byte {at}");
        assert_eq!(error.is_some(), !is_unfinished, "byte {at}");
    }
}

#[test]
fn a_line_torn_at_any_byte_is_moved_aside() {
    let good = whole();
    let start = lines()[..2].concat().len();
    for end in start + 1..good.len() {
        let bench = bench(&good[..end]);
        let Opened { mut writer, repair } = Writer::open(&bench.path).unwrap();
        let repair = repair.unwrap();
        let torn = Torn { offset: start as u64, bytes: (end - start) as u64 };
        assert_eq!(repair.torn, torn, "cut at {end}");
        assert_eq!(repair.kept.file_name().unwrap().to_str().unwrap(), format!("torn-{start}"));
        assert_eq!(fs::read(&repair.kept).unwrap(), &good[start..end]);
        assert_eq!(fs::read(&bench.path).unwrap(), &good[..start]);
        writer.append(&event(3)).unwrap();
        writer.sync().unwrap();
        assert_eq!(fs::read(&bench.path).unwrap(), good);
    }
}

#[rstest]
#[case::after_a_line(&[0; 4096])]
#[case::after_part_of_a_line(b"{\"v\":1,\"seq\":4,\0\0\0\0\0\0\0\0\0\0\0\0\0")]
#[case::longer_than_any_line(&vec![0; LINE_MAX + 70_000])]
#[case::one_byte_too_long_for_a_line(&vec![0; LINE_MAX + 1])]
fn a_padded_end_is_torn(#[case] tail: &[u8]) {
    let bench = bench(&[&whole(), tail].concat());
    let mut reader = Reader::open(&bench.path).unwrap();
    assert!(matches!(pass(&mut reader), (3, None)));
    let torn = Torn { offset: whole().len() as u64, bytes: tail.len() as u64 };
    assert_eq!(reader.torn(), Some(torn));
    let Opened { writer, repair } = Writer::open(&bench.path).unwrap();
    assert_eq!(repair.unwrap().torn, torn);
    assert_eq!(writer.synced(), reader.tip());
}

#[test]
fn a_second_repair_at_the_same_place_overwrites_nothing() {
    let bench = bench(b"{\"v\":1");
    assert!(Writer::open(&bench.path).unwrap().repair.is_some());
    fs::write(&bench.path, b"{\"v\":2").unwrap();
    let kept = Writer::open(&bench.path).unwrap().repair.unwrap().kept;
    assert_eq!(kept.file_name().unwrap().to_str().unwrap(), "torn-0-2");
    assert_eq!(fs::read(kept.with_file_name("torn-0")).unwrap(), b"{\"v\":1");
}

#[test]
fn a_line_longer_than_any_of_ours_is_damage() {
    let bench = bench(&[&whole()[..], &vec![b'x'; LINE_MAX + 1], b"\n"].concat());
    let (read, error) = pass(&mut Reader::open(&bench.path).unwrap());
    assert_eq!(read, 3);
    assert!(matches!(error, Some(LogError::Damaged { line: 4, fault: Fault::TooLong, .. })));
}

#[test]
fn a_newer_format_is_neither_read_nor_appended_to() {
    let bytes = [&whole()[..], b"{\"v\":2,\"what\":1}\n"].concat();
    let bench = bench(&bytes);
    let (read, error) = pass(&mut Reader::open(&bench.path).unwrap());
    assert_eq!(read, 3);
    assert!(matches!(error, Some(LogError::TooNew { line: 4, found: 2, .. })));
    assert!(matches!(Writer::open(&bench.path), Err(LogError::TooNew { .. })));
    assert_eq!(fs::read(&bench.path).unwrap(), bytes);
}

#[test]
fn a_missing_file_is_an_empty_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut reader = Reader::open(&path).unwrap();
    assert!(matches!(pass(&mut reader), (0, None)));
    assert!(!path.exists(), "reading creates nothing");
    let Opened { mut writer, repair } = Writer::take_over(reader).unwrap();
    assert_eq!((repair, writer.synced()), (None, Tip::START));
    writer.append(&event(1)).unwrap();
    writer.sync().unwrap();
    assert_eq!(fs::read(&path).unwrap(), lines()[0]);
}

#[test]
fn a_foreign_log_is_named_as_such() {
    let bench = bench(b"{\"timestamp\": \"2026\", \"event\": \"x\"}\n");
    let (_, error) = pass(&mut Reader::open(&bench.path).unwrap());
    assert!(matches!(error, Some(LogError::Foreign { .. })));
}

#[test]
fn a_reader_follows_a_log_that_grows() {
    let lines = lines();
    let bench = bench(&lines[0]);
    let mut reader = Reader::open(&bench.path).unwrap();
    assert!(matches!(pass(&mut reader), (1, None)));
    let (head, rest) = lines[1].split_at(20);
    append(&bench.path, head);
    assert!(reader.next().is_none());
    assert_eq!(reader.torn(), Some(Torn { offset: lines[0].len() as u64, bytes: 20 }));
    append(&bench.path, rest);
    assert_eq!(reader.next().unwrap().unwrap().0, event(2));
    assert_eq!(reader.raw().as_bytes(), lines[1].trim_ascii_end());
    assert!(reader.next().is_none() && reader.torn().is_none());
    cut(&bench.path);
    assert!(matches!(reader.next(), Some(Err(LogError::Tampered { .. }))));
    assert!(reader.next().is_none());
}

#[rstest]
#[case::kept(2, false, "")]
#[case::another_event(2, true, "other")]
#[case::beyond_the_end(4, false, "end")]
fn a_witnessed_event_must_be_there(#[case] seq: u64, #[case] is_other: bool, #[case] want: &str) {
    let bench = bench(&whole());
    let open = || Reader::open(&bench.path).unwrap();
    let known = open().nth(1).unwrap().unwrap().1.proof;
    let proof = if is_other { Proof::GENESIS } else { known };
    let found = match pass(&mut open().expecting("the transaction", Seq(seq), proof)).1 {
        None => "",
        Some(LogError::Lost { loss, .. }) => match loss.found {
            Found::End(Seq(3)) => "end",
            Found::Other(other) if other == known => "other",
            found => panic!("{found:?}"),
        },
        Some(error) => panic!("{error:?}"),
    };
    assert_eq!(found, want);
}

#[test]
fn damage_says_what_was_expected_and_what_to_do() {
    let later = String::from_utf8(whole()).unwrap().replacen("481Z", "482Z", 1);
    let bench = bench(later.as_bytes());
    let error = pass(&mut Reader::open(&bench.path).unwrap()).1.unwrap();
    let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(text.contains("line 1 of") && text.contains("should be"), "{text}");
    assert!(error.help().contains("looper replay"), "{}", error.help());
}

#[rstest]
#[case::appended(|path: &Path| append(path, b"{\"forged\":1}\n"))]
#[case::cut(cut)]
#[case::emptied(|path: &Path| fs::write(path, "").unwrap())]
#[case::removed(|path: &Path| fs::remove_file(path).unwrap())]
#[case::replaced(|path: &Path| {
    fs::copy(path, path.with_extension("copy")).unwrap();
    fs::rename(path.with_extension("copy"), path).unwrap();
})]
#[case::overwritten_in_place(|path: &Path| {
    let mut bytes = fs::read(path).unwrap();
    bytes[30] ^= 1;
    fs::write(path, bytes).unwrap();
})]
fn somebody_elses_change_closes_the_writer(#[case] change: fn(&Path)) {
    let bench = bench(&whole());
    let mut writer = Writer::open(&bench.path).unwrap().writer;
    writer.verify_unchanged().unwrap();
    age(&bench.path);
    change(&bench.path);
    writer.append(&event(4)).unwrap();
    let before = fs::read(&bench.path).ok();
    assert!(matches!(writer.sync(), Err(LogError::Tampered { .. })));
    assert_eq!(fs::read(&bench.path).ok(), before, "nothing is added to a forged log");
    assert!(matches!(writer.append(&event(5)), Err(LogError::Poisoned { .. })));
    assert!(matches!(writer.verify_unchanged(), Err(LogError::Poisoned { .. })));
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn cut(path: &Path) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(9).unwrap();
}

/// Waits for the clock of the file system to tick, which a change needs to show in metadata.
fn age(path: &Path) {
    let probe = path.with_extension("probe");
    let made = fs::metadata(path).unwrap().modified().unwrap();
    loop {
        fs::write(&probe, "").unwrap();
        if fs::metadata(&probe).unwrap().modified().unwrap() > made {
            break;
        }
    }
}

#[test]
fn a_backup_that_links_the_log_is_no_tampering() {
    let bench = bench(&whole());
    let mut writer = Writer::open(&bench.path).unwrap().writer;
    age(&bench.path);
    fs::hard_link(&bench.path, bench.path.with_extension("backup")).unwrap();
    writer.verify_unchanged().unwrap();
    writer.append(&event(4)).unwrap();
    writer.sync().unwrap();
}

#[test]
fn an_event_out_of_order_changes_nothing() {
    let bench = bench(&whole());
    let mut writer = Writer::open(&bench.path).unwrap().writer;
    assert!(matches!(writer.append(&event(3)), Err(LogError::OutOfOrder { .. })));
    assert!(matches!(writer.append(&event(5)), Err(LogError::OutOfOrder { .. })));
    writer.append(&event(4)).unwrap();
    assert_eq!(writer.appended().seq, Seq(4));
    assert_eq!(writer.synced().seq, Seq(3));
    assert_eq!(fs::read(&bench.path).unwrap(), whole(), "appending alone writes nothing");
    assert_eq!(writer.sync().unwrap().seq, Seq(4));
}
