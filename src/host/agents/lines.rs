//! Cuts a stream into lines, in memory that does not grow.

use std::io::{self, Read};
use std::mem;

use memchr::memchr;

/// A longer line is passed over: no frame that matters is that long.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// So much is asked for at once: few calls, and what was read is still near when it is looked at.
const READ_BYTES: usize = 128 * 1024;

/// One line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The beginning of one that is too long.
    Long(&'a [u8]),
}

/// The lines of a stream.
pub(super) struct Lines<R> {
    input: R,
    buffer: Box<[u8]>,
    /// What of the buffer was read and not handed out yet.
    start: usize,
    end: usize,
    /// The line in hand is too long: its beginning was handed out, the rest is dropped.
    is_dropping: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        let buffer = vec![0; LINE_BYTES_MAX + READ_BYTES].into();
        Self { input, buffer, start: 0, end: 0, is_dropping: false }
    }

    /// The next line; the last one need not end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = self.start;
        loop {
            let found = memchr(b'\n', &self.buffer[searched..self.end]);
            if let Some(length) = found {
                let (start, end) = (self.start, searched + length);
                self.start = end + 1;
                searched = self.start;
                if !mem::take(&mut self.is_dropping) {
                    return Ok(Some(self.line(start, end)));
                }
            } else if self.is_dropping {
                (self.start, self.end) = (0, 0);
                searched = 0;
                if self.fill()? == 0 {
                    return Ok(None);
                }
            } else if self.end - self.start > LINE_BYTES_MAX {
                self.is_dropping = true;
                return Ok(Some(self.line(self.start, self.end)));
            } else {
                if self.start > 0 {
                    self.buffer.copy_within(self.start..self.end, 0);
                    (self.start, self.end) = (0, self.end - self.start);
                }
                searched = self.end;
                if self.fill()? == 0 {
                    let end = mem::take(&mut self.end);
                    return Ok((end > 0).then(|| self.line(0, end)));
                }
            }
        }
    }

    fn line(&self, start: usize, end: usize) -> Line<'_> {
        let line = &self.buffer[start..end];
        match line.get(..=LINE_BYTES_MAX) {
            Some(_) => Line::Long(&line[..LINE_BYTES_MAX]),
            None => Line::Whole(line),
        }
    }

    /// There is room: what waits in the buffer is no longer than a line.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.input.read(&mut self.buffer[self.end..self.end + READ_BYTES]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Hands out so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(buffer.len());
            self.0.read(&mut buffer[..size])
        }
    }

    fn lengths(input: &[u8], step: usize) -> Vec<(usize, bool)> {
        let mut lines = Lines::new(Slow(input, step));
        let mut found = vec![];
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                Line::Whole(line) => (line.len(), true),
                Line::Long(line) => (line.len(), false),
            });
        }
        found
    }

    #[rstest]
    #[case::nothing(&[], &[])]
    #[case::no_end(&[3], &[(2, true)])]
    #[case::blank(&[1, 2, 1], &[(0, true), (1, true)])]
    #[case::longest(&[LINE_BYTES_MAX + 1, 4], &[(LINE_BYTES_MAX, true), (3, true)])]
    #[case::too_long(&[LINE_BYTES_MAX + 2, 4], &[(LINE_BYTES_MAX, false), (3, true)])]
    #[case::much_too_long(
        &[5 * LINE_BYTES_MAX + 9, 2, 3 * LINE_BYTES_MAX],
        &[(LINE_BYTES_MAX, false), (1, true), (LINE_BYTES_MAX, false)]
    )]
    #[case::many(&[70_000; 40], &[(69_999, true); 40])]
    fn a_stream_is_cut_into_lines(
        #[case] given: &[usize],
        #[case] want: &[(usize, bool)],
        #[values(1000, 65_536, usize::MAX)] step: usize,
    ) {
        let mut input = Vec::new();
        for length in given {
            input.extend(std::iter::repeat_n(b'x', length - 1));
            input.push(b'\n');
        }
        // The last one ends with the stream, which adds no line.
        input.pop();
        let want = if given.last() == Some(&1) { &want[..want.len()] } else { want };
        assert_eq!(lengths(&input, step), want);
    }
}
