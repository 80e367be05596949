//! Reads what an agent printed, frame by frame, and never more than one frame at a time.
//!
//! A frame is read once, straight into what matters of it. One that is known but cannot be read,
//! because it is torn, too long, or says a thing twice, is never passed over in silence: what it
//! may have said is lost, so the run has not ended well yet, and what was said so far is no answer.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read};

use super::fields::nothing_in;
use super::head::{NotFrame, hides_frame, kind_at_start, kind_in};
use super::lines::{Line, Lines};
use super::message::{Message, truncate};
use super::tools::Tools;
use crate::engine::at::At;
use crate::engine::report::{Class, QuotaWindow, Usage};

/// How much is kept of what an agent program says about its failure.
const ERROR_BYTES_MAX: usize = 4096;

/// How many unknown things are named, and how long a name can be.
const UNKNOWN_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 64;

/// How long a session's name can be.
const SESSION_CHARS_MAX: usize = 128;

/// How many allowances are kept.
const WINDOWS_MAX: usize = 16;

/// What one program's frames mean.
pub(super) trait Dialect {
    /// The types of frames that are known.
    fn kinds(&self) -> &'static [&'static str];

    /// Takes one frame of a known type into the reading, or leaves it as it was.
    ///
    /// # Errors
    /// The frame cannot be read.
    fn take(&mut self, kind: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()>;

    /// A frame of a known type cannot be read; `start` is how it begins.
    fn lose(&mut self, kind: &str, start: &[u8], reading: &mut Reading) {
        let (_, _) = (kind, start);
        reading.is_complete = false;
        reading.message.tear();
    }
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
    /// What the program calls its session.
    pub(super) session: Option<String>,
    pub(super) tools: Tools,
    /// Allowances as last reported.
    pub(super) quota: Vec<QuotaWindow>,
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
        let mut lines = Lines::new(input);
        while let Some(line) = lines.next()? {
            match line {
                Line::Whole(line) => reading.take(line, dialect),
                Line::Long(start) => reading.pass_over(start, dialect),
            }
        }
        Ok(reading)
    }

    fn take(&mut self, line: &[u8], dialect: &mut dyn Dialect) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let Ok(text) = str::from_utf8(line) else {
            let kind = kind_in(&String::from_utf8_lossy(line)).ok().map(Cow::into_owned);
            return self.pass_over_broken(kind.as_deref(), line, dialect);
        };
        let kind = match kind_at_start(line).map(Cow::Borrowed) {
            Some(kind) => Ok(kind),
            None => kind_in(text),
        };
        match kind {
            Ok(kind) if dialect.kinds().contains(&&*kind) => self.take_known(&kind, text, dialect),
            Ok(kind) => match nothing_in(text) {
                Ok(()) => self.name_unknown(&kind),
                Err(error) => self.pass_over_unclear(NotFrame::from(error), line, dialect),
            },
            Err(what) => self.pass_over_unclear(what, line, dialect),
        }
    }

    fn take_known(&mut self, kind: &str, line: &str, dialect: &mut dyn Dialect) {
        let taken = dialect.take(kind, line, self);
        match taken.map_err(NotFrame::from) {
            Ok(()) => self.frames += 1,
            Err(NotFrame::NotJson) => {
                self.pass_over_broken(Some(kind), line.as_bytes(), dialect);
            }
            Err(NotFrame::NoType | NotFrame::Unclear) => {
                self.name_unknown(&format!("{kind} that cannot be read"));
                self.lose(kind, line.as_bytes(), dialect);
            }
        }
    }

    /// Of two types, one may be that of a frame that matters.
    fn pass_over_unclear(&mut self, what: NotFrame, line: &[u8], dialect: &mut dyn Dialect) {
        match what {
            NotFrame::NotJson => self.pass_over_broken(None, line, dialect),
            NotFrame::NoType => self.name_unknown(what.name()),
            NotFrame::Unclear => {
                self.name_unknown(what.name());
                self.frames += 1;
                self.is_complete = false;
                self.message.tear();
            }
        }
    }

    fn pass_over(&mut self, start: &[u8], dialect: &mut dyn Dialect) {
        self.name_unknown("a line of more than 1 MiB");
        if let Some(kind) = kind_at_start(start) {
            self.lose(kind, start, dialect);
        }
    }

    /// `kind`: what it is, where that is known although it cannot be read.
    fn pass_over_broken(&mut self, kind: Option<&str>, line: &[u8], dialect: &mut dyn Dialect) {
        self.name_unknown(NotFrame::NotJson.name());
        if let Some(kind) = kind.or_else(|| kind_at_start(line)) {
            self.lose(kind, line, dialect);
        }
        if hides_frame(line, dialect.kinds()) {
            self.is_complete = false;
            self.message.tear();
        }
    }

    fn lose(&mut self, kind: &str, start: &[u8], dialect: &mut dyn Dialect) {
        if dialect.kinds().contains(&kind) {
            self.frames += 1;
            dialect.lose(kind, start, self);
        }
    }

    pub(super) fn name_unknown(&mut self, name: &str) {
        if self.unknown.len() < UNKNOWN_MAX {
            self.unknown.insert(printable(name, NAME_BYTES_MAX));
        }
    }

    /// The program says what it calls its session.
    pub(super) fn name_session(&mut self, name: Option<&str>) {
        if self.session.is_none() {
            let chars = name.unwrap_or_default().chars().filter(|char| !char.is_control());
            let name: String = chars.take(SESSION_CHARS_MAX).collect();
            self.session = Some(name).filter(|name| !name.is_empty());
        }
    }

    /// An allowance, in place of what was known of it.
    pub(super) fn tell_quota(&mut self, quota: QuotaWindow) {
        let quota = QuotaWindow { window: printable(&quota.window, NAME_BYTES_MAX), ..quota };
        if let Some(known) = self.quota.iter_mut().find(|known| known.window == quota.window) {
            *known = quota;
        } else if self.quota.len() < WINDOWS_MAX {
            self.quota.push(quota);
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

/// Without what moves a terminal's cursor, and no longer than that.
fn printable(text: &str, bytes_max: usize) -> String {
    let mut text = text.chars().filter(|char| !char.is_control()).take(bytes_max).collect();
    truncate(&mut text, bytes_max);
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Deserialize;
    use serde::de::IgnoredAny;

    use super::super::lines::LINE_BYTES_MAX;
    use super::*;

    #[derive(Default)]
    struct Numbers {
        taken: Vec<u64>,
        lost: usize,
    }

    impl Dialect for Numbers {
        fn kinds(&self) -> &'static [&'static str] {
            &["n"]
        }

        fn take(&mut self, _: &str, line: &str, reading: &mut Reading) -> serde_json::Result<()> {
            #[derive(Deserialize)]
            struct Number {
                #[serde(rename = "type")]
                _kind: IgnoredAny,
                n: u64,
            }
            self.taken.push(serde_json::from_str::<Number>(line)?.n);
            reading.complete();
            Ok(())
        }

        fn lose(&mut self, _: &str, _: &[u8], reading: &mut Reading) {
            self.lost += 1;
            reading.is_complete = false;
        }
    }

    fn reading(input: &[u8]) -> (Numbers, Reading) {
        let mut numbers = Numbers::default();
        let reading = Reading::of(input, &mut numbers).unwrap();
        (numbers, reading)
    }

    #[test]
    fn broken_and_unknown_lines_are_named_once_and_passed_over() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let input = [
            r#"{"type":"n","n":1}"#,
            "{broken",
            "",
            "{broken too",
            r#"{"type":"new\u0007kind"}"#,
            r#"{"type":"newkind"}"#,
            r#"[1]"#,
            r#"["n"]"#,
            r#"{"type":7}"#,
            &long,
            "\r",
            r#" {"type":"n","n":2}"#,
            r#"{"n":3,"\u0074ype":"\u006e"}"#,
        ];
        let (numbers, reading) = reading(input.join("\n").as_bytes());
        assert_eq!((numbers.taken, numbers.lost), (vec![1, 2, 3], 0));
        assert_eq!((reading.frames, reading.is_complete), (3, true));
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

    /// What such a frame said is lost, and it may have said that the run failed.
    #[rstest]
    #[case::cut(r#"{"type":"n","n":"#.into(), "a line that is not JSON")]
    #[case::no_text(b"{\"type\":\"n\",\"n\":1,\"x\":\"\xff\"}".into(), "a line that is not JSON")]
    #[case::another_type(r#"{"type":"n","n":"1"}"#.into(), "n that cannot be read")]
    #[case::twice(r#"{"type":"n","n":1,"n":2}"#.into(), "n that cannot be read")]
    #[case::missing(r#"{"type":"n"}"#.into(), "n that cannot be read")]
    #[case::two_types(r#"{"type":"n","n":1,"type":"m"}"#.into(), "n that cannot be read")]
    #[case::two_types_one_new(r#"{"type":"m","n":1,"type":"n"}"#.into(), "a frame of two types")]
    #[case::two_types_later(r#"{"n":1,"type":"m","type":"n"}"#.into(), "a frame of two types")]
    #[case::too_long(
        format!("{{\"type\":\"n\",\"n\":1,\"x\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX)).into(),
        "a line of more than 1 MiB"
    )]
    fn a_known_frame_that_cannot_be_read_undoes_a_good_end(
        #[case] line: Vec<u8>,
        #[case] name: &str,
    ) {
        let good: &[u8] = b"{\"type\":\"n\",\"n\":1}\n";
        let (numbers, bad_end) = reading(&[good, &line].concat());
        assert_eq!((numbers.taken, bad_end.frames, bad_end.is_complete), (vec![1], 2, false));
        assert_eq!(bad_end.unknown.iter().collect::<Vec<_>>(), [name]);
        let (_, good_end) = reading(&[&line, &b"\n"[..], good].concat());
        assert!(good_end.is_complete);
    }

    #[test]
    fn names_of_unknown_frames_cannot_flood_the_log() {
        let lines: String =
            (0..100).map(|n| format!("{{\"type\":\"{n}{}\"}}\n", "ü".repeat(100))).collect();
        let (_, reading) = reading(lines.as_bytes());
        assert_eq!(reading.unknown.len(), UNKNOWN_MAX);
        assert!(reading.unknown.iter().all(|name| name.len() <= NAME_BYTES_MAX));
    }

    #[test]
    fn a_frame_of_many_values_is_read_like_any_other() {
        let values = vec![r#"{"":0}"#; 100_000].join(",");
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let (numbers, _) = reading(
            format!("{{\"type\":\"n\",\"x\":[{values}],\"y\":{deep},\"n\":2}}\n").as_bytes(),
        );
        assert_eq!(numbers.taken, [2]);
    }

    #[test]
    fn what_names_a_session_is_bounded() {
        let mut reading = Reading::default();
        reading.name_session(None);
        reading.name_session(Some("\u{1b}"));
        assert_eq!(reading.session, None);
        reading.name_session(Some(&format!("\u{1b}a\n{}", "ü".repeat(500))));
        reading.name_session(Some("another"));
        assert_eq!(reading.session, Some(format!("a{}", "ü".repeat(SESSION_CHARS_MAX - 1))));
    }

    #[test]
    fn the_last_word_on_an_allowance_counts() {
        let mut reading = Reading::default();
        for number in 0..100_u32 {
            let window = format!("\u{7}w{}", number % 50);
            reading.tell_quota(QuotaWindow { window, used_percent: number, resets_at: None });
        }
        assert_eq!(reading.quota.len(), WINDOWS_MAX);
        assert_eq!((&*reading.quota[0].window, reading.quota[0].used_percent), ("w0", 50));
    }
}
