//! A consumer's settings. In Kafka: `ConsumerConfig`, and what the two consumers check when they are built.

use super::definition::Check::{Any, AnyCase, AtLeast, NonEmpty, OffsetReset};
use super::definition::{BOOL, ConfigKey, ConfigKind, INT, INT_MS, Importance, LONG_MS, TEXT};
use super::reader::{Reader, settings};
use super::{
    Assignor, AutoOffsetReset, ConfigException, ConfigNote, GroupProtocol, IsolationLevel, NoteKind, Properties,
    ShareAcknowledgementMode, ShareAcquireMode,
};
use crate::base::Duration;
use std::rc::Rc;

settings! {
    /// A consumer's settings, with what Kafka silently changes already changed.
    ConsumerConfig {
        group_id: Option<Rc<str>> = unset, TEXT, Any, High,
            "The group that shares the work and keeps the committed offsets.";
        enable_auto_commit: bool = "true", BOOL, Any, Medium,
            "Commits positions from inside poll(), whether or not the records were processed.";
        auto_commit_interval_ms: Duration = "5000", INT_MS, AtLeast(0), Low,
            "How often the automatic commit happens.";
        auto_offset_reset: AutoOffsetReset = "latest", TEXT, OffsetReset, Medium,
            "Where to read without a valid committed offset: latest, earliest, none (an error) or by_duration:PT1H.";
        isolation_level: IsolationLevel = "read_uncommitted", ConfigKind::Choice(IsolationLevel::NAMES), Any, Medium,
            "Whether records of open and aborted transactions are seen.";
        max_poll_records: u32 = "500", INT, AtLeast(1), Medium,
            "The most records one poll() returns.";
        max_poll_interval_ms: Duration = "300000", INT_MS, AtLeast(1), Medium,
            "How long processing between two poll() calls may take before the member leaves its group.";
        session_timeout_ms: Duration = "45000", INT_MS, AtLeast(0), High,
            "How long a silent member keeps its partitions before the group gives them away. Classic protocol only.";
        heartbeat_interval_ms: Duration = "3000", INT_MS, AtLeast(0), High,
            "How often a member shows that it lives. Classic protocol only.";
        group_protocol: GroupProtocol = "classic", ConfigKind::Choice(GroupProtocol::NAMES), AnyCase, High,
            "Who assigns partitions: a member (classic) or the coordinator (consumer).";
        partition_assignment_strategy: Vec<Assignor> =
            "org.apache.kafka.clients.consumer.RangeAssignor,\
             org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            ConfigKind::List(Assignor::NAMES), Any, Medium,
            "How partitions are dealt out, by preference. Classic protocol only; short names do as well.";
        group_remote_assignor: Option<Rc<str>> = unset, TEXT, Any, Medium,
            "Which assignor the coordinator shall use. Consumer protocol only.";
        group_instance_id: Option<Rc<str>> = unset, TEXT, NonEmpty, Medium,
            "Makes the member static: it keeps its partitions over a restart shorter than the session timeout.";
        fetch_min_bytes: u32 = "1", INT, AtLeast(0), High,
            "How many bytes the broker gathers before it answers a fetch.";
        fetch_max_wait_ms: Duration = "500", INT_MS, AtLeast(0), Low,
            "How long the broker gathers them at most.";
        fetch_max_bytes: u32 = "52428800", INT, AtLeast(0), Medium,
            "The most bytes one fetch returns; a first batch larger than that still comes.";
        max_partition_fetch_bytes: u32 = "1048576", INT, AtLeast(0), High,
            "The most bytes one fetch returns of one partition; a first batch larger than that still comes.";
        request_timeout_ms: Duration = "30000", INT_MS, AtLeast(0), Medium,
            "How long an answer may take before the request is given up.";
        default_api_timeout_ms: Duration = "60000", INT_MS, AtLeast(0), Medium,
            "How long calls such as commitSync() may take.";
        retry_backoff_ms: Duration = "100", LONG_MS, AtLeast(0), Low,
            "The pause before the first retry; it doubles with each further one.";
        retry_backoff_max_ms: Duration = "1000", LONG_MS, AtLeast(0), Low,
            "The longest pause before a retry.";
        metadata_max_age_ms: Duration = "300000", LONG_MS, AtLeast(0), Low,
            "After how long metadata is refreshed although nothing seems wrong.";
        check_crcs: bool = "true", BOOL, Any, Low,
            "Checks each batch for damage.";
        allow_auto_create_topics: bool = "true", BOOL, Any, Medium,
            "Lets the broker create a topic that is subscribed to.";
        client_rack: Option<Rc<str>> = unset, TEXT, Any, Low,
            "Where this client is, to read from a replica nearby.";
        client_id: Option<Rc<str>> = unset, TEXT, Any, Low,
            "The name under which brokers know this client.";
        reconnect_backoff_ms: Duration = "50", LONG_MS, AtLeast(0), Low,
            "The pause before reconnecting to a broker; it doubles with each failure.";
        reconnect_backoff_max_ms: Duration = "1000", LONG_MS, AtLeast(0), Low,
            "The longest pause before reconnecting.";
        socket_connection_setup_timeout_ms: Duration = "10000", LONG_MS, AtLeast(0), Medium,
            "How long a connection may take to be established; it doubles with each failure.";
        socket_connection_setup_timeout_max_ms: Duration = "30000", LONG_MS, AtLeast(0), Medium,
            "The longest a connection may take to be established.";
        connections_max_idle_ms: Option<Duration> = "540000", LONG_MS, AtLeast(-1), Medium,
            "After how long an unused connection is closed. -1 never.";
        share_acknowledgement_mode: ShareAcknowledgementMode = "implicit",
            ConfigKind::Choice(ShareAcknowledgementMode::NAMES), Any, Medium,
            "Whether the next poll() accepts all records, or the program acknowledges each. Share groups only.";
        share_acquire_mode: ShareAcquireMode = "batch_optimized",
            ConfigKind::Choice(ShareAcquireMode::NAMES), AnyCase, Medium,
            "Whether max.poll.records is kept exactly, or only to the end of a batch. Share groups only.";
    }
}

/// Keys of a real consumer that mean nothing here.
pub(super) const IGNORED: &[&str] = &[
    "auto.include.jmx.reporter",
    "bootstrap.servers",
    "client.dns.lookup",
    "config.providers",
    "enable.metrics.push",
    "exclude.internal.topics",
    "interceptor.classes",
    "key.deserializer",
    "metadata.recovery.",
    "metric.",
    "metrics.",
    "receive.buffer.bytes",
    "sasl.",
    "security.",
    "send.buffer.bytes",
    "ssl.",
    "value.deserializer",
];

const CLASSIC_ONLY: [&str; 3] = ["partition.assignment.strategy", "heartbeat.interval.ms", "session.timeout.ms"];
const CONSUMER_ONLY: [&str; 1] = ["group.remote.assignor"];
const SHARE_ONLY: [&str; 2] = ["share.acknowledgement.mode", "share.acquire.mode"];
/// What a share consumer refuses (`ShareConsumerConfig`).
const NOT_FOR_SHARE: [&str; 9] = [
    "auto.offset.reset",
    "enable.auto.commit",
    "group.instance.id",
    "isolation.level",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "group.protocol",
    "group.remote.assignor",
];

/// Every setting of a consumer, the important ones first.
pub fn consumer_keys() -> &'static [ConfigKey] {
    KEYS
}

impl ConsumerConfig {
    /// Reads a consumer's settings, or says everything that is wrong with them. The group must be among them as
    /// `group.id`: without it, `enable.auto.commit` becomes false as in Kafka.
    pub fn parse(properties: &Properties) -> Result<Self, Vec<ConfigException>> {
        let (config, reader) = Self::build(properties);
        reader.finish(config)
    }

    /// Reads the settings of a consumer in a share group (`KafkaShareConsumer`).
    pub fn parse_share(properties: &Properties) -> Result<Self, Vec<ConfigException>> {
        let (mut config, mut reader) = Self::read_all(properties);
        config.enable_auto_commit = false;
        let found: Vec<&str> = NOT_FOR_SHARE.iter().copied().filter(|key| reader.is_set(key)).collect();
        if let Some(first) = found.first() {
            reader.require(false, first, reader.text(first), || {
                format!("{} cannot be set when using a share group.", found.join(", "))
            });
        }
        config.check_identity(&mut reader);
        reader.finish(config)
    }

    /// Whether a consumer can have that setting at all: one in a share group, or any other.
    pub fn knows(key: &str, share: bool) -> bool {
        let refused: &[&str] = if share { &NOT_FOR_SHARE } else { &SHARE_ONLY };
        !refused.contains(&key)
    }

    /// What these settings do without saying so.
    pub fn notes(properties: &Properties) -> Vec<ConfigNote> {
        Self::build(properties).1.notes
    }

    fn build(properties: &Properties) -> (Self, Reader<'_>) {
        let (mut config, mut reader) = Self::read_all(properties);
        config.fix_auto_commit(&mut reader);
        config.check_identity(&mut reader);
        config.check_protocol(&mut reader);
        (config, reader)
    }

    fn read_all(properties: &Properties) -> (Self, Reader<'_>) {
        let mut reader = Reader::new(properties, KEYS, IGNORED);
        let mut config = Self::read(&mut reader, None);
        config.reconnect_backoff_max_ms = reader.fix_backoffs(
            [config.retry_backoff_ms, config.retry_backoff_max_ms],
            [config.reconnect_backoff_ms, config.reconnect_backoff_max_ms],
        );
        config.client_id = config.client_id.filter(|id| !id.is_empty());
        config.client_rack = config.client_rack.filter(|rack| !rack.is_empty());
        (config, reader)
    }

    /// Without a group there is nothing to commit to: an error for who asked for it by name, else silently off.
    fn fix_auto_commit(&mut self, reader: &mut Reader<'_>) {
        let key = "enable.auto.commit";
        if self.group_id.is_some() || !self.enable_auto_commit {
            return;
        }
        if reader.is_set(key) {
            reader.require(false, key, true, || {
                "enable.auto.commit cannot be set to true when default group id (null) is used.".to_owned()
            });
        } else {
            self.enable_auto_commit = false;
            reader.note(key, NoteKind::AutoCommitDisabled);
        }
    }

    fn check_identity(&self, reader: &mut Reader<'_>) {
        reader.require(self.group_id.as_deref() != Some(""), "group.id", "", || {
            "The configured group.id should not be an empty string or whitespace.".to_owned()
        });
        if let Some(id) = self.group_instance_id.as_deref()
            && let Some(reason) = invalid_name(id)
        {
            reader.require(false, "group.instance.id", id, || format!("Group instance id is invalid: {reason}"));
        }
    }

    /// Each protocol refuses the other's settings. Only a classic member of a group has heartbeats and assignors.
    fn check_protocol(&self, reader: &mut Reader<'_>) {
        let forbidden: &[&str] = match self.group_protocol {
            GroupProtocol::Classic => &CONSUMER_ONLY,
            GroupProtocol::Consumer => &CLASSIC_ONLY,
        };
        let forbidden = forbidden.iter().chain(&SHARE_ONLY).copied();
        let found: Vec<&str> = forbidden.filter(|key| !reader.text(key).trim().is_empty()).collect();
        if let Some(first) = found.first() {
            let protocol = self.group_protocol.name().to_ascii_uppercase();
            reader.require(false, first, reader.text(first), || {
                format!("{} cannot be set when group.protocol={protocol}", found.join(", "))
            });
        }
        if self.group_protocol == GroupProtocol::Classic && self.group_id.is_some() {
            let heartbeat = self.heartbeat_interval_ms;
            let in_time = heartbeat < self.session_timeout_ms;
            reader.require(in_time, "heartbeat.interval.ms", heartbeat.as_millis(), || {
                "Heartbeat must be set lower than the session timeout".to_owned()
            });
            let key = "partition.assignment.strategy";
            reader.require(!self.partition_assignment_strategy.is_empty(), key, "", || {
                format!("Must configure at least one partition assigner class name to {key} configuration property")
            });
        }
    }
}

/// Why `name` cannot name a static member, in Kafka's words (`Topic.validate`). The table refuses the empty one.
fn invalid_name(name: &str) -> Option<String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "." | ".." => Some(format!("'{name}' is not allowed")),
        _ if name.len() > 249 => Some(format!("the length of '{name}' is longer than the max allowed length 249")),
        _ if !name.chars().all(is_fine) => {
            Some(format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Checked, props};
    use super::*;

    fn check(settings: &[(&str, &str)]) -> Checked<ConsumerConfig> {
        let properties = props(settings);
        Checked { result: ConsumerConfig::parse(&properties), notes: ConsumerConfig::notes(&properties) }
    }

    const GROUP: (&str, &str) = ("group.id", "g");
    const NEW: (&str, &str) = ("group.protocol", "CONSUMER");

    #[test]
    fn a_group_is_all_that_is_needed() {
        let checked = check(&[GROUP]);
        assert_eq!(checked.notes, []);
        assert_eq!(checked.ok(), ConsumerConfig { group_id: Some("g".into()), ..ConsumerConfig::default() });
    }

    #[test]
    fn without_a_group_nothing_is_committed() {
        let checked = check(&[]);
        assert_eq!(checked.notes[0].to_string(), "enable.auto.commit is false because there is no group.id.");
        assert!(!checked.ok().enable_auto_commit);
        check(&[("enable.auto.commit", "true")])
            .refused(&["enable.auto.commit cannot be set to true when default group id (null) is used."]);
        assert_eq!(check(&[("enable.auto.commit", "false")]).notes, []);
    }

    #[test]
    fn names_are_names() {
        check(&[("group.id", " ")]).refused(&["The configured group.id should not be an empty string or whitespace."]);
        check(&[GROUP, ("group.instance.id", "a b")])
            .refused(&["Group instance id is invalid: 'a b' contains one or \
            more characters other than ASCII alphanumerics, '.', '_' and '-'"]);
        check(&[GROUP, ("group.instance.id", "..")]).refused(&["Group instance id is invalid: '..' is not allowed"]);
        check(&[GROUP, ("group.instance.id", "")])
            .refused(&["Invalid value  for configuration group.instance.id: String must be non-empty"]);
        let long = "x".repeat(250);
        check(&[GROUP, ("group.instance.id", &long)]).refused(&[&format!(
            "Group instance id is invalid: the length of '{long}' is longer than the max allowed length 249"
        )]);
    }

    #[test]
    fn a_heartbeat_fits_into_a_session() {
        let message = "Heartbeat must be set lower than the session timeout";
        check(&[GROUP, ("heartbeat.interval.ms", "45000")]).refused(&[message]);
        check(&[GROUP, ("session.timeout.ms", "3000")]).refused(&[message]);
        // Only a member of a group has heartbeats.
        check(&[("session.timeout.ms", "3000")]).ok();
    }

    #[test]
    fn each_protocol_has_its_own_settings() {
        check(&[GROUP, NEW, ("session.timeout.ms", "1000"), ("partition.assignment.strategy", "range")])
            .refused(&["partition.assignment.strategy, session.timeout.ms cannot be set when group.protocol=CONSUMER"]);
        check(&[GROUP, NEW, ("heartbeat.interval.ms", "1000")])
            .refused(&["heartbeat.interval.ms cannot be set when group.protocol=CONSUMER"]);
        check(&[GROUP, ("group.remote.assignor", "uniform")])
            .refused(&["group.remote.assignor cannot be set when group.protocol=CLASSIC"]);
        let config = check(&[GROUP, NEW, ("group.remote.assignor", "uniform")]).ok();
        assert_eq!(config.group_protocol, GroupProtocol::Consumer);
        check(&[("group.protocol", "share")]).refused(&[
            "Invalid value share for configuration group.protocol: String must be one of (case insensitive): CONSUMER, \
             CLASSIC",
        ]);
    }

    #[test]
    fn a_share_consumer_has_its_own_settings() {
        let share = |settings: &[(&str, &str)]| Checked {
            result: ConsumerConfig::parse_share(&props(settings)),
            notes: Vec::new(),
        };
        let config =
            share(&[GROUP, ("share.acknowledgement.mode", "explicit"), ("share.acquire.mode", "RECORD_LIMIT")]);
        let config = config.ok();
        assert_eq!(config.share_acknowledgement_mode, ShareAcknowledgementMode::Explicit);
        assert_eq!(config.share_acquire_mode, ShareAcquireMode::RecordLimit);
        assert!(!config.enable_auto_commit);
        share(&[GROUP, ("isolation.level", "read_committed"), ("auto.offset.reset", "latest")])
            .refused(&["auto.offset.reset, isolation.level cannot be set when using a share group."]);
        check(&[GROUP, ("share.acquire.mode", "record_limit")])
            .refused(&["share.acquire.mode cannot be set when group.protocol=CLASSIC"]);
    }

    #[test]
    fn assignors_have_short_names() {
        let strategy = |text| check(&[GROUP, ("partition.assignment.strategy", text)]);
        let config = strategy("cooperative-sticky, org.apache.kafka.clients.consumer.RangeAssignor").ok();
        assert_eq!(config.partition_assignment_strategy, [Assignor::CooperativeSticky, Assignor::Range]);
        strategy("").refused(&["Must configure at least one partition assigner class name to \
            partition.assignment.strategy configuration property"]);
        assert_eq!(strategy("fair").result.expect_err("no such assignor").len(), 1);
    }

    #[test]
    fn the_offset_to_start_from() {
        let reset = |text| check(&[GROUP, ("auto.offset.reset", text)]);
        assert_eq!(
            reset("by_duration:P1D").ok().auto_offset_reset,
            AutoOffsetReset::ByDuration(Duration(86_400_000_000))
        );
        reset("first").refused(&[
            "Invalid value first for configuration auto.offset.reset: Invalid value `first` for \
            configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format \
            'by_duration:<PnDTnHnMn.nS.>'.",
        ]);
    }

    #[test]
    fn closed_sets_list_their_words_as_kafka_does() {
        check(&[GROUP, ("isolation.level", "READ_COMMITTED")]).refused(&["Invalid value READ_COMMITTED for \
            configuration isolation.level: String must be one of: read_committed, read_uncommitted"]);
    }
}
