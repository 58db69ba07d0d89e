//! A topic's settings, whose defaults are the broker's. In Kafka: `TopicConfig`, `LogConfig`,
//! `ServerTopicConfigSynonyms` and `extractLogConfigMap` of `KafkaConfig`.

use super::definition::Check::{Any, AtLeast, Between};
use super::definition::{BOOL, ConfigKey, ConfigKind, INT, Importance, LONG, LONG_MS, RATIO};
use super::reader::{Reader, settings};
use super::{
    BrokerCompressionType, BrokerConfig, CleanupPolicy, ConfigException, ConfigNote, Properties, TimestampType,
};
use crate::base::{Duration, Ratio};

settings! {
    /// A topic's settings in effect: its own, and the broker's where it has none.
    TopicConfig {
        min_insync_replicas: u32 = "1", INT, AtLeast(1), Medium,
            "How many replicas must be in sync for acks=all to be accepted and for records to be committed.";
        unclean_leader_election_enable: bool = "false", BOOL, Any, Medium,
            "Lets a replica that is not in sync lead when no other can, and lose what it never had.";
        cleanup_policy: CleanupPolicy = "delete", ConfigKind::List(CleanupPolicy::NAMES), Any, Medium,
            "How old data goes: delete by age and size, compact to the newest record of each key, or both.";
        retention_ms: Option<Duration> = "604800000", LONG_MS, AtLeast(-1), Medium,
            "After what age a segment is deleted. -1 never.";
        retention_bytes: Option<u64> = "-1", LONG, Any, Medium,
            "How many bytes a partition keeps. Negative: no limit.";
        segment_bytes: u32 = "1073741824", INT, AtLeast(1_048_576), Medium,
            "At what size the log starts a new segment.";
        segment_ms: Duration = "604800000", LONG_MS, AtLeast(1), Medium,
            "At what age the log starts a new segment.";
        segment_jitter_ms: Duration = "0", LONG_MS, AtLeast(0), Medium,
            "By how much that age is shortened at random, so that segments do not all roll at once.";
        internal_segment_bytes: Option<u32> = unset, INT, AtLeast(1), Medium,
            "As segment.bytes but without a lower bound: Kafka's own key for tests.";
        segment_index_bytes: u32 = "10485760", INT, AtLeast(4), Medium,
            "The largest index file, which also ends a segment.";
        index_interval_bytes: u32 = "4096", INT, AtLeast(0), Medium,
            "After how many bytes the index gets another entry.";
        max_message_bytes: u32 = "1048588", INT, AtLeast(0), Medium,
            "The largest batch that is accepted, as it comes compressed.";
        message_timestamp_type: TimestampType = "CreateTime", ConfigKind::Choice(TimestampType::NAMES), Any, Medium,
            "Whose clock stamps records: the producer's or the leader's.";
        message_timestamp_before_max_ms: Duration = "9223372036854775807", LONG_MS, AtLeast(0), Medium,
            "How far in the past a producer's timestamp may lie.";
        message_timestamp_after_max_ms: Duration = "3600000", LONG_MS, AtLeast(0), Medium,
            "How far in the future a producer's timestamp may lie.";
        compression_type: BrokerCompressionType =
            "producer", ConfigKind::Choice(BrokerCompressionType::NAMES), Any, Medium,
            "How the log is compressed; producer keeps batches as they come.";
        delete_retention_ms: Duration = "86400000", LONG_MS, AtLeast(0), Medium,
            "How long compaction keeps tombstones and transaction markers.";
        min_cleanable_dirty_ratio: Ratio = "0.5", RATIO, Between(0, 1), Medium,
            "How large a share of the log must be uncompacted before it is compacted again.";
        min_compaction_lag_ms: Duration = "0", LONG_MS, AtLeast(0), Medium,
            "For how long a record is safe from compaction.";
        max_compaction_lag_ms: Duration = "9223372036854775807", LONG_MS, AtLeast(1), Medium,
            "After how long a record is compacted although the log is not dirty enough.";
        file_delete_delay_ms: Duration = "60000", LONG_MS, AtLeast(0), Medium,
            "How long files of a deleted segment stay on disk.";
        flush_messages: u64 = "9223372036854775807", LONG, AtLeast(1), Medium,
            "After how many records the log is forced to disk. By default the operating system decides.";
        flush_ms: Duration = "9223372036854775807", LONG_MS, AtLeast(0), Medium,
            "After how long the log is forced to disk. By default the operating system decides.";
    }
}

/// Keys of a real topic that mean nothing here.
pub(super) const IGNORED: &[&str] = &[
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "preallocate",
    "remote.",
];

/// Every setting of a topic, the important ones first.
pub fn topic_keys() -> &'static [ConfigKey] {
    KEYS
}

impl TopicConfig {
    /// Reads the settings of a topic in a cluster that has Kafka's defaults.
    pub fn parse(properties: &Properties) -> Result<Self, Vec<ConfigException>> {
        Self::parse_with(properties, &BrokerConfig::default())
    }

    /// Reads the settings of a topic, or says everything that is wrong with them. What it does not set is the broker's.
    pub fn parse_with(properties: &Properties, broker: &BrokerConfig) -> Result<Self, Vec<ConfigException>> {
        let (config, reader) = Self::build(properties, broker);
        reader.finish(config)
    }

    /// What these settings do without saying so.
    pub fn notes(properties: &Properties) -> Vec<ConfigNote> {
        Self::build(properties, &BrokerConfig::default()).1.notes
    }

    /// The settings of a topic that sets nothing itself.
    pub fn from_broker(broker: &BrokerConfig) -> Self {
        TopicConfig {
            min_insync_replicas: broker.min_insync_replicas,
            unclean_leader_election_enable: broker.unclean_leader_election_enable,
            cleanup_policy: broker.log_cleanup_policy,
            retention_ms: broker.log_retention_ms,
            retention_bytes: broker.log_retention_bytes,
            segment_bytes: broker.log_segment_bytes,
            segment_ms: broker.log_roll_ms,
            segment_jitter_ms: broker.log_roll_jitter_ms,
            internal_segment_bytes: None,
            segment_index_bytes: broker.log_index_size_max_bytes,
            index_interval_bytes: broker.log_index_interval_bytes,
            max_message_bytes: broker.message_max_bytes,
            message_timestamp_type: broker.log_message_timestamp_type,
            message_timestamp_before_max_ms: broker.log_message_timestamp_before_max_ms,
            message_timestamp_after_max_ms: broker.log_message_timestamp_after_max_ms,
            compression_type: broker.compression_type,
            delete_retention_ms: broker.log_cleaner_delete_retention_ms,
            min_cleanable_dirty_ratio: broker.log_cleaner_min_cleanable_ratio,
            min_compaction_lag_ms: broker.log_cleaner_min_compaction_lag_ms,
            max_compaction_lag_ms: broker.log_cleaner_max_compaction_lag_ms,
            file_delete_delay_ms: broker.log_segment_delete_delay_ms,
            flush_messages: broker.log_flush_interval_messages,
            flush_ms: broker.log_flush_interval_ms,
        }
    }

    /// The size at which a segment is full: `internal.segment.bytes` goes before `segment.bytes`.
    pub fn segment_size(&self) -> u32 {
        self.internal_segment_bytes.unwrap_or(self.segment_bytes)
    }

    fn build<'a>(properties: &'a Properties, broker: &BrokerConfig) -> (Self, Reader<'a>) {
        let mut reader = Reader::new(properties, KEYS, IGNORED);
        let config = Self::read(&mut reader, Some(&Self::from_broker(broker)));
        reader.refuse_codec(reader.is_set("compression.type") && config.compression_type.is_codec());
        let (least, most) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
        reader.require(least <= most, "min.compaction.lag.ms", least.as_millis(), || {
            format!(
                "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
                least.as_millis(),
                most.as_millis()
            )
        });
        (config, reader)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::props;
    use super::*;

    #[test]
    fn the_table_agrees_with_the_brokers() {
        assert_eq!(TopicConfig::default(), TopicConfig::from_broker(&BrokerConfig::default()));
        assert_eq!(TopicConfig::parse(&Properties::new()), Ok(TopicConfig::default()));
    }

    #[test]
    fn a_topic_inherits_what_it_does_not_set() {
        let broker = BrokerConfig::parse(&props(&[
            ("min.insync.replicas", "2"),
            ("unclean.leader.election.enable", "true"),
            ("log.retention.hours", "1"),
            ("log.segment.bytes", "1048576"),
            ("message.max.bytes", "1000"),
            ("log.cleanup.policy", "compact"),
        ]))
        .expect("a valid broker");
        let topic = TopicConfig::parse_with(&props(&[("max.message.bytes", "2000")]), &broker).expect("a valid topic");
        let expected = TopicConfig {
            min_insync_replicas: 2,
            unclean_leader_election_enable: true,
            retention_ms: Some(Duration::from_millis(3_600_000)),
            segment_bytes: 1_048_576,
            max_message_bytes: 2_000,
            cleanup_policy: CleanupPolicy::Compact,
            ..TopicConfig::default()
        };
        assert_eq!(topic, expected);
    }

    #[test]
    fn no_limit_is_minus_one() {
        let topic = TopicConfig::parse(&props(&[("retention.ms", "-1"), ("retention.bytes", "5")])).expect("valid");
        assert_eq!((topic.retention_ms, topic.retention_bytes), (None, Some(5)));
        let errors = TopicConfig::parse(&props(&[("retention.ms", "-2")])).expect_err("too negative");
        assert_eq!(errors[0].to_string(), "Invalid value -2 for configuration retention.ms: Value must be at least -1");
    }

    #[test]
    fn cleanup_policies() {
        for (text, policy) in [
            ("delete", CleanupPolicy::Delete),
            ("compact", CleanupPolicy::Compact),
            ("delete,compact", CleanupPolicy::CompactAndDelete),
            ("", CleanupPolicy::None),
        ] {
            let topic = TopicConfig::parse(&props(&[("cleanup.policy", text)])).expect("a valid topic");
            assert_eq!(topic.cleanup_policy, policy, "{text}");
        }
        let errors = TopicConfig::parse(&props(&[("cleanup.policy", "archive")])).expect_err("no such policy");
        let message = "Invalid value archive for configuration cleanup.policy: String must be one of: compact, delete";
        assert_eq!(errors[0].to_string(), message);
    }

    #[test]
    fn compaction_lags_do_not_cross() {
        let crossed = props(&[("min.compaction.lag.ms", "2"), ("max.compaction.lag.ms", "1")]);
        let errors = TopicConfig::parse(&crossed).expect_err("they cross");
        let message = "conflict topic config setting min.compaction.lag.ms (2) > max.compaction.lag.ms (1)";
        assert_eq!(errors[0].to_string(), message);
    }

    #[test]
    fn small_segments_have_a_key_of_their_own() {
        let topic = TopicConfig::parse(&props(&[("internal.segment.bytes", "500")])).expect("a valid topic");
        assert_eq!(topic.segment_size(), 500);
        assert_eq!(TopicConfig::default().segment_size(), 1_073_741_824);
        let errors = TopicConfig::parse(&props(&[("segment.bytes", "500")])).expect_err("too small");
        let message = "Invalid value 500 for configuration segment.bytes: Value must be at least 1048576";
        assert_eq!(errors[0].to_string(), message);
    }
}
