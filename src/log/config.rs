//! The settings a log needs, out of a topic's.

use crate::base::config::{BrokerConfig, TimestampType, TopicConfig};
use crate::base::{Duration, Ratio};

/// A log's settings (`LogConfig`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogConfig {
    /// `segment.bytes`, or `internal.segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.ms`, in record time.
    pub segment_ms: i64,
    /// `segment.index.bytes`.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `max.message.bytes`.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// Does `cleanup.policy` include `delete`? Then segments go by age and size.
    pub delete: bool,
    /// Does `cleanup.policy` include `compact`? Then records need keys.
    pub compact: bool,
    /// `retention.ms`; none for ever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; none without limit.
    pub retention_bytes: Option<u64>,
    /// `delete.retention.ms`: how long compaction keeps tombstones and markers.
    pub delete_retention_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: Ratio,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `flush.messages`.
    pub flush_messages: u64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// `transaction.partition.verification.enable`: must a transaction be known to its coordinator?
    pub verify_transactions: bool,
}

impl LogConfig {
    /// The settings of a topic's logs on a broker.
    pub fn new(topic: &TopicConfig, broker: &BrokerConfig) -> LogConfig {
        LogConfig {
            producer_id_expiration_ms: millis(broker.producer_id_expiration_ms),
            verify_transactions: broker.transaction_partition_verification_enable,
            ..LogConfig::from(topic)
        }
    }

    /// After how long a segment is full: in a compacted log no later than its records have to be compacted.
    pub fn max_segment_ms(&self) -> i64 {
        if self.compact && self.max_compaction_lag_ms > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }
}

impl From<&TopicConfig> for LogConfig {
    /// With Kafka's default for what is a broker's setting, but without verification of transactions.
    fn from(topic: &TopicConfig) -> LogConfig {
        LogConfig {
            segment_bytes: topic.segment_size(),
            segment_ms: millis(topic.segment_ms),
            segment_index_bytes: topic.segment_index_bytes,
            index_interval_bytes: topic.index_interval_bytes,
            max_message_bytes: topic.max_message_bytes,
            timestamp_type: topic.message_timestamp_type,
            timestamp_before_max_ms: millis(topic.message_timestamp_before_max_ms),
            timestamp_after_max_ms: millis(topic.message_timestamp_after_max_ms),
            delete: topic.cleanup_policy.deletes(),
            compact: topic.cleanup_policy.compacts(),
            retention_ms: topic.retention_ms.map(millis),
            retention_bytes: topic.retention_bytes,
            delete_retention_ms: millis(topic.delete_retention_ms),
            min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
            min_compaction_lag_ms: millis(topic.min_compaction_lag_ms),
            max_compaction_lag_ms: millis(topic.max_compaction_lag_ms),
            flush_messages: topic.flush_messages,
            producer_id_expiration_ms: 86_400_000,
            verify_transactions: false,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig::from(&TopicConfig::default())
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
