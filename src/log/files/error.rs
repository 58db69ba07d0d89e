//! What can be wrong with a file, where, and what would be right.

use crate::record::RecordError;
use std::fmt;

/// A file that cannot be read as what its name says.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}, byte {at}: {problem}")]
pub struct FileError {
    /// Its name.
    pub file: String,
    /// Where in it.
    pub at: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// A segment's or snapshot's file is not named by an offset.
    #[error("the name must be an offset of 20 digits and a suffix, as 00000000000000000000.log")]
    Name,
    /// There is no such file.
    #[error("the file is missing")]
    Missing,
    /// A file of a segment that does not exist.
    #[error("there is no .log file of that offset")]
    Orphan,
    /// A file of an operation that was under way.
    #[error("it is left over from an operation that did not end")]
    LeftOver,
    /// Entries of a fixed size do not fill the file.
    #[error("{length} bytes are not a multiple of {entry}, the size of an entry")]
    Length {
        /// Bytes there are.
        length: u64,
        /// Bytes of an entry.
        entry: u64,
    },
    /// The bytes end too early.
    #[error("{0} bytes are missing at the end")]
    Truncated(u64),
    /// Bytes are left over.
    #[error("{0} bytes follow where the file should end")]
    Trailing(u64),
    /// A version this code does not know.
    #[error("version {found}, where only version {expected} is known")]
    Version {
        /// What it says.
        found: i64,
        /// What it should say.
        expected: i64,
    },
    /// The CRC-32C does not match.
    #[error("the CRC is {stored:08x}, but the bytes have {computed:08x}")]
    Crc {
        /// What the file says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// A text line is not what it should be.
    #[error("the line {line:?} should be {right}")]
    Line {
        /// The line.
        line: String,
        /// What it should be like.
        right: &'static str,
    },
    /// Fewer or more lines than announced.
    #[error("{announced} entries are announced, {found} follow")]
    Count {
        /// The second line's number.
        announced: u64,
        /// How many lines follow.
        found: u64,
    },
    /// A field has a value that it cannot have.
    #[error("{what} is {value}, which should be {right}")]
    Value {
        /// Kafka's name of the field.
        what: &'static str,
        /// Its value.
        value: i64,
        /// What it should be.
        right: &'static str,
    },
    /// Not a record batch.
    #[error(transparent)]
    Batch(#[from] RecordError),
}

impl Problem {
    pub(super) fn at(self, file: &str, at: u64) -> FileError {
        FileError { file: file.to_owned(), at, problem: self }
    }
}

/// What opening a directory did about something it found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// An index is made anew from the log.
    Rebuilt,
    /// The file is left out, as Kafka deletes it.
    Dropped,
    /// The bytes from there on are handed to recovery, which cuts them off.
    Cut,
    /// The file takes the place of those it was made from.
    Swapped,
}

/// Something that a directory should not have held, or should have, and what was done about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What, and where.
    pub error: FileError,
    /// What was done.
    pub remedy: Remedy,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = match self.remedy {
            Remedy::Rebuilt => "rebuilt from the log",
            Remedy::Dropped => "dropped",
            Remedy::Cut => "cut off from there",
            Remedy::Swapped => "put in its place",
        };
        write!(f, "{}: {remedy}", self.error)
    }
}
