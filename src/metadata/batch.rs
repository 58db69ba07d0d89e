//! Batches of the metadata log: records in, records out.

use super::wire::WireError;
use super::{MetadataDelta, MetadataImage, MetadataRecord};
use crate::base::{LeaderEpoch, Offset};
use crate::record::{BatchBuilder, RecordBatch};

/// A batch of the metadata log that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataError {
    /// Its record at this offset is not a metadata record.
    #[error("the metadata record at offset {0}: {1}")]
    Record(Offset, WireError),
    /// It is not a batch.
    #[error("the metadata batch at offset {0} is damaged")]
    Batch(Offset),
}

/// The batch that holds `records`, as the leader of `epoch` writes it; offsets from 0.
pub fn batch_of(records: &[MetadataRecord], epoch: LeaderEpoch, timestamp: i64) -> RecordBatch {
    let mut builder = BatchBuilder::new(timestamp).leader_epoch(epoch);
    for record in records {
        builder.append(timestamp, None, Some(&record.encode()), &[]);
    }
    builder.build()
}

/// The records of a batch with their offsets; none of a control batch.
pub fn records_of(batch: &RecordBatch) -> Result<Vec<(Offset, MetadataRecord)>, MetadataError> {
    if batch.is_control() {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for raw in batch.raw_records() {
        let raw = raw.map_err(|_| MetadataError::Batch(batch.base_offset()))?;
        let value = raw.value.ok_or(MetadataError::Batch(raw.offset))?;
        let record = MetadataRecord::decode(value).map_err(|error| MetadataError::Record(raw.offset, error))?;
        records.push((raw.offset, record));
    }
    Ok(records)
}

impl MetadataImage {
    /// Follows a whole batch of the metadata log. A batch that cannot be read changes nothing.
    pub fn apply_batch(&mut self, batch: &RecordBatch, delta: &mut MetadataDelta) -> Result<(), MetadataError> {
        for (offset, record) in records_of(batch)? {
            self.apply(offset, &record, delta);
        }
        self.advance(batch.last_offset());
        Ok(())
    }
}
