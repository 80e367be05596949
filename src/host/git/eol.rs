//! Line endings and `$Id$`: what changes in a file on its way into the repository and back.

use std::borrow::Cow;

use super::error::GitError;
use super::object::Attr;
use super::oid::Oid;
use super::repo::Repo;

/// The settings that decide where no attribute does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    auto: Auto,
    crlf_is_native: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auto {
    Off,
    /// Into the repository only.
    Input,
    /// Both ways.
    On,
}

/// What happens to the line endings of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Action {
    lines: Lines,
    /// Whether the work tree has carriage returns.
    crlf: bool,
    ident: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    Keep,
    Always,
    /// Only in files that look like text.
    Guess,
}

impl Settings {
    pub(super) fn read(repo: &Repo) -> Result<Self, GitError> {
        let auto = match repo.value("core.autocrlf")? {
            Some(text) if text.eq_ignore_ascii_case("input") => Auto::Input,
            _ if repo.flag("core.autocrlf")? == Some(true) => Auto::On,
            _ => Auto::Off,
        };
        let eol = repo.value("core.eol")?.unwrap_or_default();
        let crlf_is_native = match auto {
            Auto::On => true,
            Auto::Input => false,
            Auto::Off => eol.eq_ignore_ascii_case("crlf"),
        };
        Ok(Self { auto, crlf_is_native })
    }

    /// Whether a file without any attribute can be changed on its way.
    pub(super) fn always_on(self) -> bool {
        self.auto != Auto::Off
    }

    fn action(self, repo: &Repo, path: &[u8]) -> Result<Action, GitError> {
        let ident = repo.attr(path, "ident")? == Attr::Set;
        let known = |value: &Attr| match value {
            Attr::Set | Attr::Unset => true,
            Attr::Value(value) => matches!(&**value, b"input" | b"auto"),
            Attr::Unspecified => false,
        };
        let text = match repo.attr(path, "text")? {
            found if known(&found) => found,
            _ => repo.attr(path, "crlf")?,
        };
        let eol = match repo.attr(path, "eol")? {
            Attr::Value(value) if value == b"lf" => Some(false),
            Attr::Value(value) if value == b"crlf" => Some(true),
            Attr::Value(_) | Attr::Set | Attr::Unset | Attr::Unspecified => None,
        };
        let lines = match text {
            Attr::Set => Lines::Always,
            Attr::Unset => Lines::Keep,
            Attr::Value(value) if value == b"input" => {
                return Ok(Action { lines: Lines::Always, crlf: eol == Some(true), ident });
            }
            Attr::Value(value) if value == b"auto" => Lines::Guess,
            Attr::Value(_) | Attr::Unspecified if eol.is_some() => Lines::Always,
            Attr::Value(_) | Attr::Unspecified => {
                let lines = if self.always_on() { Lines::Guess } else { Lines::Keep };
                return Ok(Action { lines, crlf: self.auto == Auto::On, ident });
            }
        };
        Ok(Action { lines, crlf: eol.unwrap_or(self.crlf_is_native), ident })
    }

    /// The bytes git stores for a file. `stored` gives what the repository has for the path now:
    /// a file that was stored with carriage returns keeps them when nothing says that it is text.
    pub(super) fn clean<'a>(
        self,
        repo: &Repo,
        path: &[u8],
        bytes: &'a [u8],
        stored: impl FnOnce() -> Result<Option<Vec<u8>>, GitError>,
    ) -> Result<Cow<'a, [u8]>, GitError> {
        let action = self.action(repo, path)?;
        let statistics = Statistics::of(bytes);
        let convert = match action.lines {
            Lines::Keep => false,
            Lines::Always => statistics.crlf > 0,
            Lines::Guess => {
                statistics.crlf > 0
                    && !statistics.is_binary()
                    && !stored()?.is_some_and(|bytes| has_text_crlf(&bytes))
            }
        };
        let bytes = if convert { Cow::Owned(without_crlf(bytes)) } else { Cow::Borrowed(bytes) };
        if action.ident && has_ident(&bytes) {
            return Ok(Cow::Owned(collapse_ident(&bytes)));
        }
        Ok(bytes)
    }

    /// The bytes git puts into a work tree for a stored file.
    pub(super) fn smudge<'a>(
        self,
        repo: &Repo,
        path: &[u8],
        oid: Oid,
        bytes: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, GitError> {
        let action = self.action(repo, path)?;
        let bytes = if action.ident && has_ident(bytes) {
            Cow::Owned(expand_ident(&collapse_ident(bytes), oid))
        } else {
            Cow::Borrowed(bytes)
        };
        let statistics = Statistics::of(&bytes);
        let convert = action.crlf
            && statistics.lone_lf > 0
            && match action.lines {
                Lines::Keep => false,
                Lines::Always => true,
                Lines::Guess => {
                    statistics.lone_cr == 0 && statistics.crlf == 0 && !statistics.is_binary()
                }
            };
        Ok(if convert { Cow::Owned(with_crlf(&bytes)) } else { bytes })
    }
}

/// What git counts to tell text from binary.
#[derive(Clone, Copy, Debug, Default)]
struct Statistics {
    nul: usize,
    lone_cr: usize,
    lone_lf: usize,
    crlf: usize,
    printable: usize,
    nonprintable: usize,
}

impl Statistics {
    fn of(bytes: &[u8]) -> Self {
        let mut counts = Self::default();
        let mut rest = bytes.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            match byte {
                b'\r' if rest.next_if_eq(&b'\n').is_some() => counts.crlf += 1,
                b'\r' => counts.lone_cr += 1,
                b'\n' => counts.lone_lf += 1,
                0 => {
                    counts.nul += 1;
                    counts.nonprintable += 1;
                }
                0x08 | b'\t' | 0x1b | 0x0c => counts.printable += 1,
                0..32 | 127 => counts.nonprintable += 1,
                _ => counts.printable += 1,
            }
        }
        // A final end-of-file mark of old systems does not make a file binary.
        if bytes.last() == Some(&0x1a) {
            counts.nonprintable -= 1;
        }
        counts
    }

    fn is_binary(self) -> bool {
        self.lone_cr > 0 || self.nul > 0 || (self.printable >> 7) < self.nonprintable
    }
}

fn has_text_crlf(stored: &[u8]) -> bool {
    let statistics = Statistics::of(stored);
    !statistics.is_binary() && statistics.crlf > 0
}

fn without_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes.iter().copied().peekable();
    let mut out = Vec::with_capacity(bytes.len());
    while let Some(byte) = rest.next() {
        if byte != b'\r' || rest.peek() != Some(&b'\n') {
            out.push(byte);
        }
    }
    out
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut previous = 0;
    for byte in bytes.iter().copied() {
        if byte == b'\n' && previous != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        previous = byte;
    }
    out
}

fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    bytes.iter().position(|found| *found == byte)
}

fn has_ident(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == b"$Id$" || four == b"$Id:")
}

/// `$Id: anything$` becomes `$Id$`.
fn collapse_ident(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(dollar) = find(rest, b'$') {
        out.extend_from_slice(&rest[..=dollar]);
        rest = &rest[dollar + 1..];
        if rest.len() > 3 && rest.starts_with(b"Id:") {
            let Some(end) = find(&rest[3..], b'$') else { break };
            if find(&rest[3..3 + end], b'\n').is_none() {
                out.extend_from_slice(b"Id$");
                rest = &rest[3 + end + 1..];
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

fn expand_ident(bytes: &[u8], oid: Oid) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let mut rest = bytes;
    while let Some(dollar) = find(rest, b'$') {
        out.extend_from_slice(&rest[..dollar]);
        rest = &rest[dollar..];
        if rest.starts_with(b"$Id$") {
            out.extend_from_slice(format!("$Id: {oid} $").as_bytes());
            rest = &rest[4..];
        } else {
            out.push(b'$');
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::text("a\r\nb\r\n", false)]
    #[case::nul("a\0b", true)]
    #[case::lone_carriage_return("a\rb", true)]
    #[case::control("a\x01b", true)]
    #[case::final_end_of_file("aaaa\x1a", false)]
    fn binary_is_what_git_thinks(#[case] text: &str, #[case] want: bool) {
        assert_eq!(Statistics::of(text.as_bytes()).is_binary(), want);
    }

    #[rstest]
    #[case::expanded("x $Id: abc $ y", "x $Id$ y")]
    #[case::plain("$Id$", "$Id$")]
    #[case::over_a_line("$Id: a\nb $", "$Id: a\nb $")]
    #[case::never_closed("$Id: a", "$Id: a")]
    #[case::other_dollars("$5 $Id: q$ $", "$5 $Id$ $")]
    fn an_ident_collapses(#[case] text: &str, #[case] want: &str) {
        assert_eq!(String::from_utf8(collapse_ident(text.as_bytes())).unwrap(), want);
    }

    #[test]
    fn line_endings_go_there_and_back() {
        let text = b"a\nb\r\nc\rd\n";
        assert_eq!(without_crlf(text), b"a\nb\nc\rd\n");
        assert_eq!(with_crlf(b"a\nb\r\n"), b"a\r\nb\r\n");
    }
}
