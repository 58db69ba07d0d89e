//! One replica of a partition: batches in segments on a simulated disk, and what is known of them in memory.
//!
//! [`UnifiedLog`] = a [`LogDirectory`] (durable: segments, producer snapshots, leader epochs) + what a restart has to find
//! out anew (end offset, high watermark, producer state, open transactions). A process crash takes the second away; a
//! power loss also what was not flushed.
//!
//! Invariants: log start ≤ last stable offset ≤ high watermark ≤ log end; batches are in order of offsets and do not
//! overlap; leader epochs never fall from one batch to the next in the epoch cache; a clone costs next to nothing.
//!
//! In Kafka: `UnifiedLog`, `LocalLog`, `LogSegment`, `LogLoader`, `LogValidator`, `ProducerStateManager`,
//! `LeaderEpochFileCache`, `LogCleanerManager`, `Cleaner`.
//!
//! On purpose different from Kafka: batches are kept as values with their byte positions, not as one stretch of bytes;
//! the recovery point reaches the disk at once; a segment that was rolled is flushed at once (Kafka does so in the background
//! within milliseconds); leaders refuse compressed batches, and one that is on the disk all the same is kept unopened.

mod append;
mod cleanable;
mod cleaned_transactions;
mod cleaner;
mod config;
mod directory;
mod disk;
pub mod dump;
mod epoch_cache;
pub mod files;
mod producer_append;
mod producer_entry;
mod producer_state;
mod read;
mod recovery;
mod retention;
mod segment;
mod segment_recovery;
mod truncate;
mod unified_log;
mod validate;

#[cfg(test)]
mod tests;

pub use append::{AppendContext, AppendInfo, AppendOrigin};
pub use cleanable::LogToClean;
pub use config::LogConfig;
pub use directory::LogDirectory;
pub use disk::Disk;
pub use epoch_cache::{EpochCache, EpochEntry};
pub use producer_entry::{CachedBatch, ProducerEntry};
pub use producer_state::{OpenTransaction, ProducerState, VerificationGuard};
pub use recovery::RecoveryReport;
pub use segment::{AbortedTxn, OffsetIndexEntry, Segment, StoredBatch, TimeIndexEntry};
pub use unified_log::UnifiedLog;
