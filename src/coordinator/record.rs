//! What coordinators write: a key that says what it is about, and a value, or none to forget it.

use crate::base::{Offset, ProducerEpoch, ProducerId};
use crate::metadata::wire::Writer;
use crate::record::{BatchBuilder, NO_SEQUENCE, RecordBatch, RecordError};
use bytes::Bytes;

/// A record of a coordinator's log, in Kafka's bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CoordinatorRecord {
    /// Type and subject.
    pub key: Bytes,
    /// None is a tombstone.
    pub value: Option<Bytes>,
}

impl CoordinatorRecord {
    /// Says something about a key: a value of version 0.
    pub fn new(key: Bytes, write: impl FnOnce(&mut Writer)) -> Self {
        let mut w = Writer::default();
        w.i16(0);
        write(&mut w);
        CoordinatorRecord { key, value: Some(Bytes::from(w.into_bytes())) }
    }

    /// Forgets a key.
    pub fn tombstone(key: Bytes) -> Self {
        CoordinatorRecord { key, value: None }
    }
}

/// The batch a coordinator appends; offsets and epoch are the log's to assign.
pub fn batch_of(records: &[CoordinatorRecord], timestamp: i64) -> RecordBatch {
    append_all(BatchBuilder::new(timestamp), records, timestamp)
}

/// The same within a producer's transaction. It has no sequence: coordinators do not count.
pub fn transactional_batch_of(
    records: &[CoordinatorRecord],
    timestamp: i64,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
) -> RecordBatch {
    let builder = BatchBuilder::new(timestamp).producer(producer_id, producer_epoch, NO_SEQUENCE).transactional(true);
    append_all(builder, records, timestamp)
}

fn append_all(mut builder: BatchBuilder, records: &[CoordinatorRecord], timestamp: i64) -> RecordBatch {
    for record in records {
        builder.append(timestamp, Some(&record.key), record.value.as_deref(), &[]);
    }
    builder.build()
}

/// The records of a batch with their offsets, to be replayed; none of a control batch, and none without key.
pub fn records_of(batch: &RecordBatch) -> Result<Vec<(Offset, CoordinatorRecord)>, RecordError> {
    if batch.is_control() {
        return Ok(Vec::new());
    }
    let keyed = batch.records().filter_map(|record| match record {
        Ok(record) => {
            let (offset, value) = (record.offset, record.value);
            record.key.map(|key| Ok((offset, CoordinatorRecord { key, value })))
        }
        Err(error) => Some(Err(error)),
    });
    keyed.collect()
}
