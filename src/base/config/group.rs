//! A group's settings (`kafka-configs --entity-type groups`, KIP-848 and KIP-932), whose defaults are the broker's. In Kafka:
//! `GroupConfig`, `GroupConfigManager`, `ShareGroupConfigProvider`.
//!
//! Invariant: what is in effect lies between the broker's least and largest values, even where it was set when those were
//! others.
//!
//! Departures: settings of streams groups mean nothing here; `share.auto.offset.reset` and `share.isolation.level` have a default
//! in the cluster, which Kafka's brokers do not know.

use super::broker::BrokerConfig;
use super::definition::Check::{Any, AtLeast, OffsetReset};
use super::definition::{BOOL, ConfigKey, ConfigKind, INT, INT_MS, Importance, TEXT};
use super::reader::{Reader, settings};
use super::{AutoOffsetReset, ConfigException, IsolationLevel, Properties};
use crate::base::Duration;

settings! {
    /// A group's settings in effect: its own, and the broker's where it has none.
    GroupConfig {
        consumer_session_timeout_ms: Duration = "45000", INT_MS, AtLeast(1), Medium,
            "How long the coordinator waits for a member's heartbeat (group.protocol=consumer).";
        consumer_heartbeat_interval_ms: Duration = "5000", INT_MS, AtLeast(1), Medium,
            "How often members shall send heartbeats (group.protocol=consumer).";
        consumer_assignment_interval_ms: Duration = "1000", INT_MS, AtLeast(0), Medium,
            "The least time between two assignments (group.protocol=consumer).";
        share_session_timeout_ms: Duration = "45000", INT_MS, AtLeast(1), Medium,
            "How long a share group waits for a member's heartbeat.";
        share_heartbeat_interval_ms: Duration = "5000", INT_MS, AtLeast(1), Medium,
            "How often members of a share group shall send heartbeats.";
        share_record_lock_duration_ms: Duration = "30000", INT_MS, AtLeast(1_000), Medium,
            "How long a member of a share group has to acknowledge a record.";
        share_delivery_count_limit: u32 = "5", INT, AtLeast(2), Medium,
            "How often a share group delivers a record before it gives up.";
        share_partition_max_record_locks: u32 = "2000", INT, AtLeast(100), Medium,
            "How many records of a partition a share group may have in work.";
        share_auto_offset_reset: AutoOffsetReset = "latest", TEXT, OffsetReset, Medium,
            "Where a share group begins to read: latest, earliest or by_duration:PT1H.";
        share_isolation_level: IsolationLevel = "read_uncommitted", ConfigKind::Choice(IsolationLevel::NAMES), Any, Medium,
            "Whether a share group sees open and aborted transactions.";
        share_renew_acknowledge_enable: bool = "true", BOOL, Any, Medium,
            "Lets members of a share group lock a record anew while they work on it.";
        share_assignment_interval_ms: Duration = "1000", INT_MS, AtLeast(0), Medium,
            "The least time between two assignments of a share group.";
    }
}

/// Keys of a real group that mean nothing here.
pub(super) const IGNORED: &[&str] = &["streams."];

/// Every setting of a group.
pub fn group_keys() -> &'static [ConfigKey] {
    KEYS
}

impl GroupConfig {
    /// Reads the settings of a group in a cluster that has Kafka's defaults.
    pub fn parse(properties: &Properties) -> Result<Self, Vec<ConfigException>> {
        Self::parse_with(properties, &BrokerConfig::default())
    }

    /// Reads the settings of a group, or says everything that is wrong with them. What it does not set is the broker's.
    pub fn parse_with(properties: &Properties, broker: &BrokerConfig) -> Result<Self, Vec<ConfigException>> {
        let mut reader = Reader::new(properties, KEYS, IGNORED);
        let config = Self::read(&mut reader, Some(&Self::from_broker(broker)));
        config.check(broker, &mut reader);
        reader.finish(config)
    }

    /// What is in effect for a group that has set these, if it has set any: refused values count as not set, and what lies outside
    /// of the broker's bounds is moved there (`evaluate`).
    pub fn effective(properties: Option<&Properties>, broker: &BrokerConfig) -> Self {
        let inherited = Self::from_broker(broker);
        let Some(properties) = properties else { return inherited };
        let mut config = Self::read(&mut Reader::new(properties, KEYS, IGNORED), Some(&inherited));
        for (_, value, least, most) in config.spans(broker) {
            *value = (*value).clamp(least, most.max(least));
        }
        for (_, value, least, most) in config.counts(broker) {
            *value = (*value).clamp(least, most.max(least));
        }
        config
    }

    /// The settings of a group that sets nothing itself.
    pub fn from_broker(broker: &BrokerConfig) -> Self {
        GroupConfig {
            consumer_session_timeout_ms: broker.group_consumer_session_timeout_ms,
            consumer_heartbeat_interval_ms: broker.group_consumer_heartbeat_interval_ms,
            consumer_assignment_interval_ms: broker.group_consumer_assignment_interval_ms,
            share_session_timeout_ms: broker.group_share_session_timeout_ms,
            share_heartbeat_interval_ms: broker.group_share_heartbeat_interval_ms,
            share_record_lock_duration_ms: broker.group_share_record_lock_duration_ms,
            share_delivery_count_limit: broker.group_share_delivery_count_limit,
            share_partition_max_record_locks: broker.group_share_partition_max_record_locks,
            share_auto_offset_reset: broker.share_auto_offset_reset,
            share_isolation_level: broker.share_isolation_level,
            share_renew_acknowledge_enable: true,
            share_assignment_interval_ms: broker.group_share_assignment_interval_ms,
        }
    }

    fn check(&self, broker: &BrokerConfig, reader: &mut Reader<'_>) {
        let mut read = self.clone();
        let ms = Duration::as_millis;
        let spans = read.spans(broker).map(|(key, value, least, most)| (key, ms(*value), ms(least), ms(most)));
        let counts =
            read.counts(broker).map(|(key, value, least, most)| (key, (*value).into(), least.into(), most.into()));
        for (key, value, least, most) in spans.into_iter().chain(counts) {
            let (kind, rest) = key.split_once('.').expect("invariant: a key has several words");
            reader.require(value >= least, key, value, || {
                format!("{key} must be greater than or equal to group.{kind}.min.{rest}")
            });
            reader.require(value <= most, key, value, || {
                format!("{key} must be less than or equal to group.{kind}.max.{rest}")
            });
        }
        for (kind, session, heartbeat) in [
            ("consumer", self.consumer_session_timeout_ms, self.consumer_heartbeat_interval_ms),
            ("share", self.share_session_timeout_ms, self.share_heartbeat_interval_ms),
        ] {
            let key = format!("{kind}.session.timeout.ms");
            reader.require(session > heartbeat, &key, session.as_millis(), || {
                format!("{key} must be greater than {kind}.heartbeat.interval.ms")
            });
        }
        let key = "share.auto.offset.reset";
        reader.require(self.share_auto_offset_reset != AutoOffsetReset::None, key, "none", || {
            format!("Invalid value none for configuration {key}")
        });
    }

    /// Times that have to lie between two of the broker's: least and most. (Those of `share.assignment.interval.ms` are no settings
    /// here.)
    fn spans(&mut self, broker: &BrokerConfig) -> [(&'static str, &mut Duration, Duration, Duration); 7] {
        let b = broker;
        [
            (
                "consumer.heartbeat.interval.ms",
                &mut self.consumer_heartbeat_interval_ms,
                b.group_consumer_min_heartbeat_interval_ms,
                b.group_consumer_max_heartbeat_interval_ms,
            ),
            (
                "consumer.session.timeout.ms",
                &mut self.consumer_session_timeout_ms,
                b.group_consumer_min_session_timeout_ms,
                b.group_consumer_max_session_timeout_ms,
            ),
            (
                "consumer.assignment.interval.ms",
                &mut self.consumer_assignment_interval_ms,
                b.group_consumer_min_assignment_interval_ms,
                b.group_consumer_max_assignment_interval_ms,
            ),
            (
                "share.heartbeat.interval.ms",
                &mut self.share_heartbeat_interval_ms,
                b.group_share_min_heartbeat_interval_ms,
                b.group_share_max_heartbeat_interval_ms,
            ),
            (
                "share.session.timeout.ms",
                &mut self.share_session_timeout_ms,
                b.group_share_min_session_timeout_ms,
                b.group_share_max_session_timeout_ms,
            ),
            (
                "share.record.lock.duration.ms",
                &mut self.share_record_lock_duration_ms,
                b.group_share_min_record_lock_duration_ms,
                b.group_share_max_record_lock_duration_ms,
            ),
            (
                "share.assignment.interval.ms",
                &mut self.share_assignment_interval_ms,
                Duration::ZERO,
                Duration::from_millis(15_000),
            ),
        ]
    }

    /// The same of numbers.
    fn counts(&mut self, broker: &BrokerConfig) -> [(&'static str, &mut u32, u32, u32); 2] {
        [
            (
                "share.delivery.count.limit",
                &mut self.share_delivery_count_limit,
                broker.group_share_min_delivery_count_limit,
                broker.group_share_max_delivery_count_limit,
            ),
            (
                "share.partition.max.record.locks",
                &mut self.share_partition_max_record_locks,
                broker.group_share_min_partition_max_record_locks,
                broker.group_share_max_partition_max_record_locks,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::props;
    use super::*;

    #[test]
    fn the_table_agrees_with_the_brokers() {
        assert_eq!(GroupConfig::default(), GroupConfig::from_broker(&BrokerConfig::default()));
        assert_eq!(GroupConfig::parse(&Properties::new()), Ok(GroupConfig::default()));
    }

    #[test]
    fn a_group_inherits_what_it_does_not_set() {
        let broker = BrokerConfig::parse(&props(&[("group.consumer.session.timeout.ms", "50000")])).expect("valid");
        let set = props(&[("consumer.heartbeat.interval.ms", "6000")]);
        let group = GroupConfig::parse_with(&set, &broker).expect("valid");
        let (session, heartbeat) = (group.consumer_session_timeout_ms, group.consumer_heartbeat_interval_ms);
        assert_eq!((session.as_millis(), heartbeat.as_millis()), (50_000, 6_000));
        assert_eq!(GroupConfig::effective(Some(&set), &broker), group);
        assert_eq!(GroupConfig::effective(None, &broker), GroupConfig::from_broker(&broker));
    }

    #[test]
    fn what_a_broker_forbids_is_refused() {
        for (key, value, message) in [
            (
                "consumer.session.timeout.ms",
                "44999",
                "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
            ),
            (
                "consumer.heartbeat.interval.ms",
                "15001",
                "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
            ),
            (
                "share.delivery.count.limit",
                "11",
                "share.delivery.count.limit must be less than or equal to group.share.max.delivery.count.limit",
            ),
            (
                "share.record.lock.duration.ms",
                "14000",
                "share.record.lock.duration.ms must be greater than or equal to group.share.min.record.lock.duration.ms",
            ),
            ("share.auto.offset.reset", "none", "Invalid value none for configuration share.auto.offset.reset"),
        ] {
            let errors = GroupConfig::parse(&props(&[(key, value)])).expect_err(key);
            assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [message]);
        }
        let errors = GroupConfig::parse(&props(&[("consumer.sesion.timeout.ms", "50000")])).expect_err("unknown");
        assert!(errors[0].to_string().contains("did you mean 'consumer.session.timeout.ms'?"));
        let tight = props(&[
            ("group.consumer.min.session.timeout.ms", "10000"),
            ("group.consumer.session.timeout.ms", "16000"),
        ]);
        let broker = BrokerConfig::parse(&tight).expect("valid");
        let crossed = props(&[("consumer.session.timeout.ms", "10000"), ("consumer.heartbeat.interval.ms", "10000")]);
        let errors = GroupConfig::parse_with(&crossed, &broker).expect_err("no room for a heartbeat");
        assert_eq!(
            errors[0].to_string(),
            "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms"
        );
    }

    /// The bounds may have become others since.
    #[test]
    fn in_effect_is_what_the_broker_allows() {
        let set = props(&[("consumer.session.timeout.ms", "70000"), ("share.delivery.count.limit", "9")]);
        let broker = BrokerConfig::parse(&props(&[("group.share.max.delivery.count.limit", "7")])).expect("valid");
        let config = GroupConfig::effective(Some(&set), &broker);
        assert_eq!((config.consumer_session_timeout_ms.as_millis(), config.share_delivery_count_limit), (60_000, 7));
    }
}
