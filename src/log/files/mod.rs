//! Kafka's files, byte for byte: the directory of a partition written from a [`LogDirectory`] and read back into one, and
//! the checkpoint files that lie beside the partitions' directories.
//!
//! Invariants: what [`render`] writes, [`open`] reads back into an equal directory, and a real Kafka reads without
//! complaint; no bytes from outside make anything here panic.
//!
//! In Kafka: `LogSegment`, `OffsetIndex`, `TimeIndex`, `TransactionIndex`, `ProducerStateManager`, `CheckpointFile`,
//! `LeaderEpochCheckpointFile`, `OffsetCheckpointFile`, `PartitionMetadataFile`, `LogLoader`.
//!
//! On purpose different from Kafka: indexes are always written trimmed, also those of a process that crashed (Kafka leaves
//! them as long as `segment.index.bytes`, ended by zeros); the lines of a checkpoint file are sorted (Kafka's stand in the
//! order of a hash table); an index that contradicts its log is rebuilt even after an orderly shutdown (Kafka trusts it);
//! a log that is damaged where Kafka would not look is refused instead of being served.

pub mod checkpoint;
mod error;
pub mod indexes;
mod names;
mod open;
mod render;
pub mod snapshot;
#[cfg(test)]
mod tests;

pub use error::{FileError, Finding, Problem, Remedy};
pub use names::{FileKind, file_name, parse_name};
pub use open::{Beside, Opened, open};
pub use render::render;

use bytes::Bytes;

/// A file, by its name inside its directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedFile {
    /// Its name.
    pub name: String,
    /// All of its bytes.
    pub bytes: Bytes,
}

impl NamedFile {
    /// A file.
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> NamedFile {
        NamedFile { name: name.into(), bytes: bytes.into() }
    }
}
