//! Damage of every kind, at every line of every recorded run, is noticed where it is.

use super::{folders, name, replayed, text};

/// The lines of each recorded run, with their line ends.
fn logs() -> Vec<(String, Vec<String>)> {
    let lines = |text: String| text.split_inclusive('\n').map(str::to_owned).collect();
    folders("v1").iter().map(|it| (name(it), lines(text(it, "events.jsonl")))).collect()
}

/// A kind of damage: `None` where it cannot be done at this line.
pub(super) type Harm = fn(&[String], usize) -> Option<(String, u64)>;

fn number(index: usize) -> u64 {
    index as u64 + 1
}

/// One byte becomes another one, in the middle of the line.
pub(super) fn changed_byte(lines: &[String], at: usize) -> Option<(String, u64)> {
    let mut lines = lines.to_vec();
    let middle = lines[at].len() / 2;
    let mut bytes = lines[at].clone().into_bytes();
    bytes[middle] = if bytes[middle] == b'x' { b'y' } else { b'x' };
    lines[at] = String::from_utf8(bytes).ok()?;
    Some((lines.concat(), number(at)))
}

/// The line is gone. The end of a log has to be witnessed elsewhere.
pub(super) fn removed_line(lines: &[String], at: usize) -> Option<(String, u64)> {
    let mut lines = lines.to_vec();
    lines.remove(at);
    (at < lines.len()).then(|| (lines.concat(), number(at)))
}

pub(super) fn swapped_lines(lines: &[String], at: usize) -> Option<(String, u64)> {
    let mut lines = lines.to_vec();
    (at + 1 < lines.len()).then(|| {
        lines.swap(at, at + 1);
        (lines.concat(), number(at))
    })
}

/// The second half of the line is gone, with its end; what follows is still there.
pub(super) fn truncated_middle(lines: &[String], at: usize) -> Option<(String, u64)> {
    let mut lines = lines.to_vec();
    let half = lines[at].len() / 2;
    lines[at].truncate(half);
    (at + 1 < lines.len()).then(|| (lines.concat(), number(at)))
}

fn doubled_line(lines: &[String], at: usize) -> Option<(String, u64)> {
    let mut lines = lines.to_vec();
    lines.insert(at, lines[at].clone());
    Some((lines.concat(), number(at + 1)))
}

fn blank_line(lines: &[String], at: usize) -> Option<(String, u64)> {
    let mut lines = lines.to_vec();
    lines.insert(at, "\n".to_owned());
    Some((lines.concat(), number(at)))
}

/// A member that says nothing new, as a tool that rewrites JSON would put it.
fn added_space(lines: &[String], at: usize) -> Option<(String, u64)> {
    let mut lines = lines.to_vec();
    lines[at] = lines[at].replacen("\"seq\":", "\"seq\": ", 1);
    Some((lines.concat(), number(at)))
}

/// The line of another log at the same place; a first line stands on its own.
fn foreign_line(lines: &[String], at: usize) -> Option<(String, u64)> {
    let other = logs().into_iter().find(|(_, other)| other.get(at) != lines.get(at))?.1;
    let mut lines = lines.to_vec();
    lines[at] = other.get(at)?.clone();
    Some((lines.concat(), number(at).max(2)))
}

#[rstest::rstest]
#[case::changed_byte(changed_byte)]
#[case::removed_line(removed_line)]
#[case::swapped_lines(swapped_lines)]
#[case::truncated_middle(truncated_middle)]
#[case::doubled_line(doubled_line)]
#[case::blank_line(blank_line)]
#[case::added_space(added_space)]
#[case::foreign_line(foreign_line)]
fn damage_is_noticed_where_it_is(#[case] harm: Harm) {
    let mut tried = 0;
    for (name, lines) in logs() {
        for at in 0..lines.len() {
            let Some((text, line)) = harm(&lines, at) else { continue };
            tried += 1;
            assert_eq!(replayed(&text), Err(line), "{name}, line {}", at + 1);
        }
    }
    assert!(tried > 100, "{tried}");
}

/// What a power cut leaves of the last line is no damage, and no event either.
#[test]
fn a_torn_last_line_is_forgiven() {
    for (name, lines) in logs() {
        let (last, before) = lines.split_last().unwrap();
        let want = replayed(&before.concat()).unwrap();
        for cut in [1, last.len() / 2, last.len() - 1] {
            let text = before.concat() + &last[..cut];
            assert_eq!(replayed(&text), Ok(want.clone()), "{name}, cut to {cut}");
        }
    }
}
