//! What can be wrong with a log.

use std::path::PathBuf;

use crate::engine::id::Seq;
use crate::engine::line::{LINE_MAX, LineError, Proof};
use crate::host::files::FileError;

/// Why a log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A complete line is not what a writer of ours left there.
    #[error("line {line} of {} (offset {offset}) is damaged", .path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// The line, from one.
        line: u64,
        /// Where it begins.
        offset: u64,
        /// What is wrong with it, and what was expected.
        #[source]
        fault: Fault,
    },
    /// A newer looper wrote it.
    #[error("line {line} of {} has format {found}, which this looper does not know", .path.display())]
    TooNew {
        /// The log.
        path: PathBuf,
        /// The line, from one.
        line: u64,
        /// Its format.
        found: u64,
    },
    /// Another program's log has the name of ours.
    #[error("{} was written by LoopDex", .path.display())]
    Foreign {
        /// The log.
        path: PathBuf,
    },
    /// The place where it would be set aside is taken.
    #[error("{} cannot be set aside: {} exists", .path.display(), .taken.display())]
    AsideTaken {
        /// The log.
        path: PathBuf,
        /// What is in the way.
        taken: PathBuf,
    },
    /// A line that is witnessed elsewhere is not, or no longer, in the log.
    #[error("{} lacks a recorded event", .path.display())]
    Lost {
        /// The log.
        path: PathBuf,
        /// Which, and who remembers it.
        #[source]
        loss: Box<Loss>,
    },
    /// Somebody else changed the log while this process was its writer.
    #[error("{} was changed by another program", .path.display())]
    Tampered {
        /// The log.
        path: PathBuf,
        /// How it shows.
        #[source]
        how: Tampering,
    },
    /// An earlier write failed, so nothing is known about the end of the file.
    #[error("{} is closed for writing since an earlier error", .path.display())]
    Poisoned {
        /// The log.
        path: PathBuf,
    },
    /// An event does not follow the last one. Nothing was written.
    #[error("event {found} cannot follow event {last} in {}", .path.display())]
    OutOfOrder {
        /// The log.
        path: PathBuf,
        /// The last event.
        last: Seq,
        /// The one that was to be appended.
        found: Seq,
    },
    /// An event is too long for a line. Nothing was written.
    #[error("event {seq} has {bytes} bytes, a line of {} has at most {LINE_MAX}", .path.display())]
    TooLong {
        /// The log.
        path: PathBuf,
        /// Which event.
        seq: Seq,
        /// How long its line would be.
        bytes: usize,
    },
}

impl LogError {
    /// What a person can do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::File(_) => "check the disk and the permissions, then run the same command again",
            Self::Damaged { fault: Fault::Line(LineError::BadProof { .. }), .. } => {
                "the line, or one before it, was changed after it was written: compare with a \
                 backup, keep this file, and see `looper replay`"
            }
            Self::Damaged { .. } => {
                "the file was edited or the disk failed: compare with a backup and keep this file"
            }
            Self::TooNew { .. } => "use the looper that wrote it, or a newer one",
            Self::Foreign { .. } => "`looper run` sets it aside as events.loopdex.jsonl",
            Self::AsideTaken { .. } => "move one of the two files to another place",
            Self::Lost { .. } => {
                "recorded events are missing: restore the log from a backup and keep this file"
            }
            Self::Tampered { .. } => {
                "find out what writes into the state directory; see `looper replay`"
            }
            Self::Poisoned { .. } => "run the same command again: it continues from the disk",
            Self::OutOfOrder { .. } | Self::TooLong { .. } => "this is a bug in looper",
        }
    }
}

/// What is wrong with a complete line.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is not an event, or its proof does not follow.
    #[error(transparent)]
    Line(LineError),
    /// Its number does not follow.
    #[error("it should be event {want}, it is event {found}")]
    Seq {
        /// The next number.
        want: Seq,
        /// What the line says.
        found: Seq,
    },
    /// It has no bytes.
    #[error("it is blank where an event is expected")]
    Blank,
    /// The file begins with a byte order mark.
    #[error("it begins with a byte order mark, `{{` is expected")]
    ByteOrderMark,
    /// It ends like a DOS line.
    #[error("it ends in a carriage return and a newline, a newline alone is expected")]
    CarriageReturn,
    /// It is not text.
    #[error("it is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error),
    /// It is a line of LoopDex, and lines of ours follow.
    #[error("it is a line of LoopDex where event 1 is expected")]
    Foreign,
    /// It is longer than any line of ours.
    #[error("it has more than {LINE_MAX} bytes")]
    TooLong,
}

/// An event that somebody remembers and the log does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{witness} knows event {seq} with proof {want}, {found}")]
pub struct Loss {
    /// Who remembers the line.
    pub witness: String,
    /// Which event.
    pub seq: Seq,
    /// Its proof as remembered.
    pub want: Proof,
    /// What the log has instead.
    pub found: Found,
}

/// What a log has in the place of a witnessed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Found {
    /// It ends before.
    #[error("the log ends at event {0}")]
    End(Seq),
    /// Another event.
    #[error("the log has another event there, with proof {0}")]
    Other(Proof),
    /// An event that let nothing through.
    #[error("the log has no passed judgement there")]
    NoPass,
    /// The judgement, and nothing about the commit that followed.
    #[error("the log does not tell of that commit")]
    NoCommit,
}

/// How it shows that somebody else changed the log.
#[derive(Debug, thiserror::Error)]
pub enum Tampering {
    /// No file has its name.
    #[error("it is gone")]
    Removed,
    /// Another file has its name.
    #[error("another file has taken its place")]
    Replaced,
    /// It has lost or gained bytes.
    #[error("it has {found} bytes, {want} were written")]
    Length {
        /// How many there should be.
        want: u64,
        /// How many there are.
        found: u64,
    },
    /// It ends in another event than the one written last.
    #[error("it no longer ends in event {0} as written")]
    Rewritten(Seq),
    /// It cannot be read back.
    #[error("what was written cannot be read back")]
    Unreadable(#[source] Box<LogError>),
}
