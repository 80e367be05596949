//! Reads a log line by line, and believes nothing that is not proved.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::{Fault, Found, LogError, Loss, Tampering};
use super::foreign;
use super::tip::{Position, Tip, Torn};
use crate::engine::event::Event;
use crate::engine::id::Seq;
use crate::engine::line::{self, LINE_MAX, LineError, Proof};
use crate::host::files::{self, FileError};

/// Bytes fetched from the system at once.
const CHUNK: usize = 128 << 10;

/// Memory for a line that is kept between lines; a longer one is given back.
const LINE_KEPT: usize = 1 << 20;

/// A pass over a log in bounded memory.
///
/// Iteration ends at the end of the file or at an unfinished last line, which [`Self::torn`] then
/// tells; asking again continues there, so a growing log can be followed. After an error nothing
/// more is yielded.
pub struct Reader {
    path: PathBuf,
    input: Option<BufReader<File>>,
    line: Vec<u8>,
    tip: Tip,
    torn: Option<Torn>,
    witnesses: BTreeMap<Seq, Vec<Witness>>,
    place: Place,
}

/// Somebody who remembers a line.
struct Witness {
    name: String,
    proof: Proof,
}

/// Where a reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    AtEnd,
    Failed,
}

/// What the next bytes of the file are.
enum Piece {
    Line,
    LongLine,
    Tail { bytes: u64 },
    Nothing,
}

impl Reader {
    /// Starts at the first line. A missing file is an empty log.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let mut reader = Self::of(path, None);
        reader.open_file()?;
        Ok(reader)
    }

    /// Reads a file that is open already, from where it stands.
    pub(super) fn over(path: &Path, file: File) -> Self {
        Self::of(path, Some(BufReader::with_capacity(CHUNK, file)))
    }

    fn of(path: &Path, input: Option<BufReader<File>>) -> Self {
        Self {
            path: path.to_owned(),
            input,
            line: Vec::new(),
            tip: Tip::START,
            torn: None,
            witnesses: BTreeMap::new(),
            place: Place::Between,
        }
    }

    /// Starts behind a line that an earlier pass has proved.
    ///
    /// # Errors
    /// The file cannot be opened, or is shorter than that.
    pub fn open_behind(path: &Path, tip: Tip) -> Result<Self, LogError> {
        let mut reader = Self::open(path)?;
        reader.tip = tip;
        reader.resume()?;
        Ok(reader)
    }

    /// Demands that this event is in the log with this proof. Otherwise the pass fails at that
    /// event, or at the end of a log that is too short.
    #[must_use]
    pub fn expecting(mut self, witness: impl Into<String>, seq: Seq, proof: Proof) -> Self {
        if seq > Seq(0) {
            let witness = Witness { name: witness.into(), proof };
            self.witnesses.entry(seq).or_default().push(witness);
        }
        self
    }

    /// The log's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The end of the last line that was read.
    pub fn tip(&self) -> Tip {
        self.tip
    }

    /// The unfinished line the pass ended at.
    pub fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// The last line as it stands in the file, without its newline.
    pub fn raw(&self) -> &str {
        std::str::from_utf8(&self.line).unwrap_or_default()
    }

    /// The file, where there is one.
    pub(super) fn file(&self) -> Option<&File> {
        self.input.as_ref().map(BufReader::get_ref)
    }

    fn open_file(&mut self) -> Result<(), LogError> {
        match files::open_read(&self.path) {
            Ok(file) => self.input = Some(BufReader::with_capacity(CHUNK, file)),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The next event; `None` at the end.
    fn advance(&mut self) -> Result<Option<(Event, Position)>, LogError> {
        if self.place == Place::AtEnd {
            self.resume()?;
        }
        match self.next_piece().map_err(|source| FileError::io("read", &self.path, source))? {
            Piece::Line => self.accept().map(Some),
            Piece::LongLine => Err(self.damaged(Fault::TooLong)),
            Piece::Tail { bytes } => {
                self.torn = Some(Torn { offset: self.tip.offset, bytes });
                self.finish()
            }
            Piece::Nothing => self.finish(),
        }
    }

    /// Looks again at a file that had ended: from the end of the last whole line, because the
    /// unfinished one may have been completed or cut off.
    fn resume(&mut self) -> Result<(), LogError> {
        self.torn = None;
        self.place = Place::Between;
        let Some(input) = &mut self.input else { return self.open_file() };
        let path = &self.path;
        let fails = |attempt| move |source| FileError::io(attempt, path, source);
        let found = input.get_ref().metadata().map_err(fails("look at"))?.len();
        let want = self.tip.offset;
        if found < want {
            let how = Tampering::Length { want, found };
            return Err(LogError::Tampered { path: self.path.clone(), how });
        }
        input.seek(SeekFrom::Start(want)).map_err(fails("read"))?;
        Ok(())
    }

    fn next_piece(&mut self) -> io::Result<Piece> {
        self.line.clear();
        self.line.shrink_to(LINE_KEPT);
        let Some(input) = &mut self.input else { return Ok(Piece::Nothing) };
        let limit = LINE_MAX as u64 + 1;
        let mut bytes = input.take(limit).read_until(b'\n', &mut self.line)? as u64;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            return Ok(Piece::Line);
        }
        while bytes >= limit {
            self.line.clear();
            let more = input.take(CHUNK as u64).read_until(b'\n', &mut self.line)? as u64;
            if self.line.last() == Some(&b'\n') {
                return Ok(Piece::LongLine);
            }
            if more == 0 {
                break;
            }
            bytes += more;
        }
        self.line.clear();
        Ok(if bytes == 0 { Piece::Nothing } else { Piece::Tail { bytes } })
    }

    /// Checks the line in hand and moves past it.
    fn accept(&mut self) -> Result<(Event, Position), LogError> {
        let (event, proof) = self.parse()?;
        let want = self.tip.seq.next();
        if event.seq != want {
            return Err(self.damaged(Fault::Seq { want, found: event.seq }));
        }
        for witness in self.witnesses.remove(&want).unwrap_or_default() {
            if witness.proof != proof {
                return Err(self.lost(witness, want, Found::Other(proof)));
            }
        }
        let position = Position { line: want.0, offset: self.tip.offset, proof };
        let offset = self.tip.offset + self.line.len() as u64 + 1;
        self.tip = Tip { seq: want, proof, offset };
        Ok((event, position))
    }

    fn parse(&self) -> Result<(Event, Proof), LogError> {
        let is_first = self.tip.seq == Seq(0);
        let bytes = &self.line[..];
        if bytes.is_empty() {
            return Err(self.damaged(Fault::Blank));
        }
        if is_first && bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(self.damaged(Fault::ByteOrderMark));
        }
        if is_first && foreign::is_foreign(bytes) {
            return Err(LogError::Foreign { path: self.path.clone() });
        }
        if bytes.ends_with(b"\r") {
            return Err(self.damaged(Fault::CarriageReturn));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| self.damaged(Fault::NotUtf8(e)))?;
        line::read(text, self.tip.proof).map_err(|error| match error {
            LineError::TooNew { found } => {
                LogError::TooNew { path: self.path.clone(), line: self.tip.seq.next().0, found }
            }
            LineError::Malformed(_)
            | LineError::UnknownEvent { .. }
            | LineError::BadProof { .. } => self.damaged(Fault::Line(error)),
        })
    }

    /// The end is reached: whoever remembers more than there is was right.
    fn finish(&mut self) -> Result<Option<(Event, Position)>, LogError> {
        self.place = Place::AtEnd;
        let Some((seq, witnesses)) = self.witnesses.pop_first() else { return Ok(None) };
        match witnesses.into_iter().next() {
            Some(witness) => Err(self.lost(witness, seq, Found::End(self.tip.seq))),
            None => Ok(None),
        }
    }

    /// The error for the line in hand. Every line is one event, so its number is known.
    fn damaged(&self, fault: Fault) -> LogError {
        let Tip { seq, offset, .. } = self.tip;
        LogError::Damaged { path: self.path.clone(), line: seq.next().0, offset, fault }
    }

    fn lost(&self, witness: Witness, seq: Seq, found: Found) -> LogError {
        let loss = Loss { witness: witness.name, seq, want: witness.proof, found };
        LogError::Lost { path: self.path.clone(), loss: Box::new(loss) }
    }
}

impl Iterator for Reader {
    type Item = Result<(Event, Position), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.place == Place::Failed {
            return None;
        }
        let result = self.advance();
        if result.is_err() {
            self.place = Place::Failed;
        }
        result.transpose()
    }
}
