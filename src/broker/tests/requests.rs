//! Requests as clients would send them.

use crate::base::config::IsolationLevel;
use crate::base::{Duration, TopicPartition};
use crate::protocol::{FetchPartition, FetchRequest, FetchSession, ProducePartition, ProduceRequest, Request};
use crate::record::{BatchBuilder, RecordBatch};

pub fn batch(value: &str) -> RecordBatch {
    let mut builder = BatchBuilder::new(1_767_225_600_000);
    builder.append(1_767_225_600_000, None, Some(value.as_bytes()), &[]);
    builder.build()
}

pub fn produce(partition: TopicPartition, acks: i16, value: &str) -> Request {
    let partitions = vec![ProducePartition { partition, batch: batch(value) }];
    let timeout = Duration::from_millis(30_000);
    Request::Produce(ProduceRequest { transactional_id: None, transaction_v2: false, acks, timeout, partitions })
}

pub fn fetch(partition: TopicPartition, offset: i64, session: FetchSession) -> FetchRequest {
    FetchRequest {
        replica: None,
        max_wait: Duration::from_millis(500),
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation: IsolationLevel::ReadUncommitted,
        session,
        partitions: vec![FetchPartition {
            partition,
            current_leader_epoch: -1,
            fetch_offset: offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 1 << 20,
            high_watermark: -1,
        }],
        forgotten: Vec::new(),
        rack: None,
    }
}
