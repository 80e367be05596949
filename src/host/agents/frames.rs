//! Reads what an agent printed, frame by frame, and never more than one frame at a time.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};

use serde_json::Value;

use crate::engine::at::At;
use crate::engine::report::{Class, Usage};

/// A longer line is passed over: no frame that matters is that long.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// A frame of more values is passed over: each takes a hundred times what it takes in the line, and
/// no frame that matters has that many.
const VALUES_MAX: usize = 1 << 14;

/// A longer message is cut.
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Ends a message that was cut, so that no critic's half answer ends in a verdict.
pub(super) const CUT_MARK: &str = "\n[the rest of this message was cut]";

/// How much is kept of what an agent program says about its failure.
const ERROR_BYTES_MAX: usize = 4096;

/// How many unknown things are named, and how long a name can be.
const UNKNOWN_MAX: usize = 32;
const UNKNOWN_BYTES_MAX: usize = 64;

/// What one program's frames mean.
pub(super) trait Dialect {
    /// Takes one frame into the reading. False: this type of frame is not known.
    fn take(&mut self, kind: &str, frame: &Value, reading: &mut Reading) -> bool;
}

/// What all frames together say.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Frames of known types.
    pub(super) frames: u64,
    /// What the program last said for the user.
    pub(super) message: Message,
    /// Whether the frame stands that this program ends a good run with.
    pub(super) is_complete: bool,
    /// What the program last reported to be wrong, unless it went on after that.
    pub(super) trouble: Option<Trouble>,
    pub(super) usage: Usage,
    pub(super) model: Option<String>,
    pub(super) unknown: BTreeSet<String>,
}

/// What an agent program reports about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    /// In its words.
    pub(super) text: String,
    /// What a field of the frame says without any doubt.
    pub(super) class: Option<Class>,
    /// The HTTP status behind it.
    pub(super) status: Option<u64>,
    /// When a field of the frame says that it is over.
    pub(super) until: Option<At>,
}

impl Trouble {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        truncate(&mut text, ERROR_BYTES_MAX);
        Self { text, ..Self::default() }
    }
}

impl Reading {
    /// Reads all lines. What is no frame is named, and reading goes on.
    pub(super) fn of(input: impl Read, dialect: &mut dyn Dialect) -> io::Result<Self> {
        let mut reading = Self::default();
        let mut lines = Lines { input: BufReader::with_capacity(64 * 1024, input) };
        let mut line = Vec::new();
        while let Some(fits) = lines.next(&mut line)? {
            if !fits {
                reading.name_unknown("a line of more than 1 MiB");
            } else if !line.trim_ascii().is_empty() {
                reading.take(&line, dialect);
            }
        }
        Ok(reading)
    }

    fn take(&mut self, line: &[u8], dialect: &mut dyn Dialect) {
        if holds_more_values_than(VALUES_MAX, line) {
            return self.name_unknown("a frame of more than 16384 values");
        }
        let Ok(frame) = serde_json::from_slice::<Value>(line) else {
            return self.name_unknown("a line that is not JSON");
        };
        let Some(kind) = frame["type"].as_str() else {
            return self.name_unknown("a frame without a type");
        };
        if dialect.take(kind, &frame, self) {
            self.frames += 1;
        } else {
            self.name_unknown(kind);
        }
    }

    pub(super) fn name_unknown(&mut self, name: &str) {
        if self.unknown.len() < UNKNOWN_MAX {
            let mut name: String = name.chars().filter(|char| !char.is_control()).collect();
            truncate(&mut name, UNKNOWN_BYTES_MAX);
            self.unknown.insert(name);
        }
    }

    /// The run ended badly, and this is what the program says about it.
    pub(super) fn fail(&mut self, trouble: Trouble) {
        self.is_complete = false;
        self.trouble = Some(trouble);
    }

    /// The run ended well.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
        self.trouble = None;
    }
}

/// A text that grows up to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    text: String,
    is_cut: bool,
}

impl Message {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn set(&mut self, text: &str) {
        self.clear();
        self.push(text);
    }

    pub(super) fn push(&mut self, text: &str) {
        if !self.is_cut {
            self.text.push_str(text);
            self.is_cut = truncate(&mut self.text, MESSAGE_BYTES_MAX);
        }
    }

    /// `None`: nothing but white space was said.
    pub(super) fn finish(self) -> Option<String> {
        if self.text.trim().is_empty() {
            return None;
        }
        Some(if self.is_cut { self.text + CUT_MARK } else { self.text })
    }
}

/// Cuts at the last character that fits. True: something was cut.
pub(super) fn truncate(text: &mut String, bytes_max: usize) -> bool {
    if text.len() <= bytes_max {
        return false;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    true
}

struct Lines<R> {
    input: BufReader<R>,
}

impl<R: Read> Lines<R> {
    /// The next line without its end. `Some(false)`: it was too long and is passed over.
    fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
        line.clear();
        let mut fits = true;
        let mut is_empty = true;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok((!is_empty).then_some(fits));
            }
            is_empty = false;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            fits &= line.len() + part.len() <= LINE_BYTES_MAX;
            if fits {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

/// Whether a line of JSON holds so many values, counted by what stands between them.
fn holds_more_values_than(max: usize, line: &[u8]) -> bool {
    let (mut count, mut in_text, mut escaped) = (0, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count > max
}

/// A number of tokens in a frame.
pub(super) fn tokens(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// A text in a frame, if there is one.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(Into::into)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    struct Numbers(Vec<u64>);

    impl Dialect for Numbers {
        fn take(&mut self, kind: &str, frame: &Value, _: &mut Reading) -> bool {
            self.0.push(tokens(&frame["n"]));
            kind == "n"
        }
    }

    #[test]
    fn broken_and_unknown_lines_are_named_once_and_passed_over() {
        let long = format!(r#"{{"type":"n","n":9,"x":"{}"}}"#, "x".repeat(LINE_BYTES_MAX));
        let input = [
            r#"{"type":"n","n":1}"#,
            "{broken",
            "",
            "{broken too",
            r#"{"type":"new\u0007kind"}"#,
            r#"{"type":"newkind"}"#,
            r#"[1]"#,
            &long,
            "\r",
            r#" {"type":"n","n":2}"#,
        ];
        let mut numbers = Numbers(Vec::new());
        let reading = Reading::of(input.join("\n").as_bytes(), &mut numbers).unwrap();
        assert_eq!(numbers.0, [1, 0, 0, 2]);
        assert_eq!(reading.frames, 2);
        let unknown: Vec<&str> = reading.unknown.iter().map(String::as_str).collect();
        assert_eq!(
            unknown,
            [
                "a frame without a type",
                "a line of more than 1 MiB",
                "a line that is not JSON",
                "newkind",
            ]
        );
    }

    #[test]
    fn names_of_unknown_frames_cannot_flood_the_log() {
        let lines: String =
            (0..100).map(|n| format!("{{\"type\":\"{n}{}\"}}\n", "ü".repeat(100))).collect();
        let reading = Reading::of(lines.as_bytes(), &mut Numbers(Vec::new())).unwrap();
        assert_eq!(reading.unknown.len(), UNKNOWN_MAX);
        assert!(reading.unknown.iter().all(|name| name.len() <= UNKNOWN_BYTES_MAX));
    }

    /// Each of these values takes some 600 bytes of memory.
    #[test]
    fn a_frame_of_many_values_is_passed_over() {
        let many = |count: usize| {
            let values = vec![r#"{"":0}"#; count].join(",");
            format!("{{\"type\":\"n\",\"n\":1,\"x\":[{values}]}}\n")
        };
        let words = "[,{\\\"".repeat(VALUES_MAX);
        let input = format!(
            "{}{}{{\"type\":\"n\",\"n\":2,\"x\":\"{words}\"}}\n",
            many(VALUES_MAX / 2 - 2),
            many(VALUES_MAX),
        );
        let mut numbers = Numbers(Vec::new());
        let reading = Reading::of(input.as_bytes(), &mut numbers).unwrap();
        assert_eq!(numbers.0, [1, 2]);
        let unknown: Vec<&str> = reading.unknown.iter().map(String::as_str).collect();
        assert_eq!(unknown, ["a frame of more than 16384 values"]);
    }

    #[rstest]
    #[case::fits("ok".into(), Some("ok".into()))]
    #[case::blank(" \n".into(), None)]
    #[case::too_long(
        "ü".repeat(MESSAGE_BYTES_MAX) + "VERDICT: PASS",
        Some("ü".repeat(MESSAGE_BYTES_MAX / 2) + CUT_MARK)
    )]
    fn a_message_is_bounded(#[case] given: String, #[case] want: Option<String>) {
        let mut message = Message::default();
        message.set("earlier");
        message.set(&given);
        assert!(message.finish() == want);
    }

    #[test]
    fn nothing_is_added_to_a_message_that_was_cut() {
        let mut message = Message::default();
        message.push(&"x".repeat(MESSAGE_BYTES_MAX + 1));
        message.push("VERDICT: PASS");
        assert!(message.finish().unwrap().ends_with(CUT_MARK));
    }
}
