//! A partition's directory, written.

use super::checkpoint::{self, LEADER_EPOCHS, PARTITION_METADATA};
use super::indexes::{offset_index, time_index, txn_index};
use super::{FileKind, NamedFile, file_name, snapshot};
use crate::base::sort_long;
use crate::log::{LogDirectory, Segment};

/// The files of a partition, sorted by name. `topic_id` is written as Kafka shows it. Of a log that runs, give what
/// [`crate::log::UnifiedLog::close`] would leave.
pub fn render(directory: &LogDirectory, topic_id: &str) -> Vec<NamedFile> {
    let mut files: Vec<NamedFile> = directory.segments().iter().flat_map(|segment| segment_files(segment)).collect();
    let snapshots = directory.snapshots.iter();
    files.extend(snapshots.map(|(offset, producers)| {
        NamedFile::new(file_name(*offset, FileKind::Snapshot), snapshot::render(producers))
    }));
    files.push(NamedFile::new(LEADER_EPOCHS, checkpoint::leader_epochs(directory.epochs().entries())));
    files.push(NamedFile::new(PARTITION_METADATA, checkpoint::partition_metadata(topic_id)));
    sort_long(&mut files, |a, b| a.name < b.name);
    files
}

/// A segment's files: the log, both sparse indexes, and the transaction index if it has entries.
fn segment_files(segment: &Segment) -> Vec<NamedFile> {
    let name = |kind| file_name(segment.base_offset(), kind);
    let mut files = vec![
        NamedFile::new(name(FileKind::Log), log_file(segment)),
        NamedFile::new(name(FileKind::OffsetIndex), offset_index(segment.offset_index().iter())),
        NamedFile::new(name(FileKind::TimeIndex), time_index(segment.time_index().iter())),
    ];
    if !segment.txn_index().is_empty() {
        files.push(NamedFile::new(name(FileKind::TxnIndex), txn_index(segment.txn_index().iter())));
    }
    files
}

/// All batches, and what a power loss left behind them.
fn log_file(segment: &Segment) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(segment.size_in_bytes() as usize);
    for stored in segment.batches().iter() {
        bytes.extend_from_slice(stored.batch.bytes());
    }
    bytes.extend_from_slice(segment.torn().map_or(&[], |torn| torn));
    bytes
}
