//! Objects prove themselves.

use std::fs;

use rstest::rstest;

use super::*;

fn store() -> (tempfile::TempDir, Objects) {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::new(dir.path().join("objects"));
    (dir, objects)
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[rstest]
#[case::nothing(vec![])]
#[case::words(b"a plan\n".to_vec())]
#[case::more_than_a_window(vec![b'x'; 3 << 20])]
#[case::incompressible(noise(1 << 20))]
fn content_comes_back_by_its_hash(#[case] content: Vec<u8>) {
    let (dir, mut objects) = store();
    let id = objects.put(&content).unwrap();
    assert_eq!(id, name(Sha256::digest(&content).into()));
    let limit = content.len() as u64;
    assert_eq!(objects.get(&id, limit).unwrap(), content);
    if limit > 0 {
        let short = objects.get(&id, limit - 1);
        assert!(matches!(short, Err(ObjectError::TooLarge { .. })));
    }
    let file = dir.path().join("transcript");
    fs::write(&file, &content).unwrap();
    assert_eq!(objects.put_file(&file).unwrap(), id);
    objects.unflushed().flush().unwrap();
    assert_eq!(fs::read_dir(dir.path().join("objects")).unwrap().count(), 1);
}

#[test]
fn equal_content_is_written_once() {
    let (_dir, mut objects) = store();
    let id = objects.put(b"same").unwrap();
    let path = objects.path(&id).unwrap();
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let mut later = Objects::new(path.parent().unwrap());
    assert_eq!((objects.put(b"same").unwrap(), later.put(b"same").unwrap()), (id.clone(), id));
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    assert!(later.unflushed.is_any.get(), "nobody knows whether the first writer synced");
}

#[rstest]
#[case::flipped(|bytes: &mut Vec<u8>| bytes[12] ^= 1)]
#[case::cut(|bytes: &mut Vec<u8>| bytes.truncate(8))]
#[case::emptied(Vec::clear)]
#[case::zeroed(|bytes: &mut Vec<u8>| bytes.fill(0))]
#[case::other_content(|bytes: &mut Vec<u8>| *bytes = zstd::encode_all(&b"other"[..], 3).unwrap())]
fn a_damaged_object_is_not_believed_and_is_written_again(#[case] harm: fn(&mut Vec<u8>)) {
    let (_dir, mut objects) = store();
    let id = objects.put(b"the verify output").unwrap();
    let path = objects.path(&id).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    harm(&mut bytes);
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(objects.get(&id, 100), Err(ObjectError::Damaged { .. })));
    let mut later = Objects::new(path.parent().unwrap());
    assert_eq!(later.put(b"the verify output").unwrap(), id);
    assert_eq!(later.get(&id, 100).unwrap(), b"the verify output");
}

#[rstest]
#[case::traversal("../../../etc/passwd")]
#[case::upper_case(&"A".repeat(64))]
#[case::short("ab12")]
fn a_name_from_outside_leads_nowhere(#[case] id: &str) {
    let (_dir, objects) = store();
    let got = objects.get(&ObjectId::new(id), 10);
    assert!(matches!(got, Err(ObjectError::BadName { .. })));
}

#[test]
fn a_missing_object_is_named() {
    let (_dir, objects) = store();
    let id = ObjectId::new("0".repeat(64));
    assert!(matches!(objects.get(&id, 10), Err(ObjectError::Missing { id: named }) if named == id));
}
