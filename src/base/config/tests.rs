//! What holds for every table: Kafka's defaults, and no text that could do harm.

use super::*;
use crate::base::SortedMap;

/// The outcome of reading some settings.
pub(super) struct Checked<T> {
    pub result: Result<T, Vec<ConfigException>>,
    pub notes: Vec<ConfigNote>,
}

impl<T: std::fmt::Debug> Checked<T> {
    #[track_caller]
    pub fn ok(self) -> T {
        self.result.expect("these settings are valid")
    }

    #[track_caller]
    pub fn refused(self, messages: &[&str]) {
        let errors = self.result.expect_err("these settings are refused");
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(shown, messages);
    }
}

pub(super) fn props(settings: &[(&str, &str)]) -> Properties {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

struct Table {
    keys: fn() -> &'static [ConfigKey],
    ignored: &'static [&'static str],
    parse: fn(&Properties) -> Vec<ConfigException>,
}

const TABLES: [Table; 5] = [
    Table {
        keys: producer_keys,
        ignored: producer::IGNORED,
        parse: |properties| ProducerConfig::parse(properties).err().unwrap_or_default(),
    },
    Table {
        keys: consumer_keys,
        ignored: consumer::IGNORED,
        parse: |properties| ConsumerConfig::parse(properties).err().unwrap_or_default(),
    },
    Table {
        keys: topic_keys,
        ignored: topic::IGNORED,
        parse: |properties| TopicConfig::parse(properties).err().unwrap_or_default(),
    },
    Table {
        keys: broker_keys,
        ignored: broker::IGNORED,
        parse: |properties| BrokerConfig::parse(properties).err().unwrap_or_default(),
    },
    Table {
        keys: group_keys,
        ignored: group::IGNORED,
        parse: |properties| GroupConfig::parse(properties).err().unwrap_or_default(),
    },
];

#[track_caller]
fn defaults(keys: &'static [ConfigKey], expected: &str) {
    let known: SortedMap<&str, &str> = keys.iter().map(|key| (key.name, key.default)).collect();
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, default) = line.split_once('=').expect("key=default");
        assert_eq!(known.get(name), Some(&default), "{name}");
    }
}

#[test]
fn producers_have_kafkas_defaults() {
    let expected = "
        acks=all
        enable.idempotence=true
        batch.size=16384
        linger.ms=5
        buffer.memory=33554432
        retries=2147483647
        delivery.timeout.ms=120000
        request.timeout.ms=30000
        retry.backoff.ms=100
        retry.backoff.max.ms=1000
        max.in.flight.requests.per.connection=5
        max.block.ms=60000
        max.request.size=1048576
        transaction.timeout.ms=60000
        transactional.id=
        metadata.max.age.ms=300000
        compression.type=none
        partitioner.ignore.keys=false
        partitioner.adaptive.partitioning.enable=true";
    defaults(producer_keys(), expected);
}

#[test]
fn consumers_have_kafkas_defaults() {
    let expected = "
        session.timeout.ms=45000
        heartbeat.interval.ms=3000
        max.poll.interval.ms=300000
        max.poll.records=500
        enable.auto.commit=true
        auto.commit.interval.ms=5000
        auto.offset.reset=latest
        fetch.min.bytes=1
        fetch.max.bytes=52428800
        max.partition.fetch.bytes=1048576
        fetch.max.wait.ms=500
        isolation.level=read_uncommitted
        default.api.timeout.ms=60000
        request.timeout.ms=30000
        retry.backoff.ms=100
        retry.backoff.max.ms=1000
        metadata.max.age.ms=300000
        group.protocol=classic
        group.id=
        group.instance.id=";
    defaults(consumer_keys(), expected);
    let strategy = ConsumerConfig::default().partition_assignment_strategy;
    assert_eq!(strategy, [Assignor::Range, Assignor::CooperativeSticky]);
}

/// Records are not compressed in the lab: a clear word instead of a setting without effect.
#[test]
fn codecs_are_refused_everywhere() {
    let set = |codec| props(&[("compression.type", codec)]);
    let message = "Records are not compressed in the lab.";
    let producer = ProducerConfig::parse(&set("gzip")).expect_err("a codec");
    assert_eq!(producer[0].to_string(), message);
    assert_eq!(TopicConfig::parse(&set("gzip")).expect_err("a codec")[0].to_string(), message);
    assert_eq!(BrokerConfig::parse(&set("gzip")).expect_err("a codec")[0].to_string(), message);
    assert!(ProducerConfig::parse(&set("none")).is_ok());
    for fine in ["producer", "uncompressed"] {
        assert!(TopicConfig::parse(&set(fine)).is_ok() && BrokerConfig::parse(&set(fine)).is_ok());
        assert_eq!(TopicConfig::notes(&set(fine)), []);
    }
}

#[test]
fn topics_have_kafkas_defaults() {
    let expected = "
        max.message.bytes=1048588
        segment.bytes=1073741824
        segment.ms=604800000
        retention.ms=604800000
        retention.bytes=-1
        index.interval.bytes=4096
        segment.index.bytes=10485760
        delete.retention.ms=86400000
        min.cleanable.dirty.ratio=0.5
        min.compaction.lag.ms=0
        file.delete.delay.ms=60000
        message.timestamp.before.max.ms=9223372036854775807
        message.timestamp.after.max.ms=3600000
        min.insync.replicas=1
        unclean.leader.election.enable=false
        cleanup.policy=delete
        compression.type=producer";
    defaults(topic_keys(), expected);
    assert_eq!(TopicConfig::default().min_cleanable_dirty_ratio.numerator, 500);
    assert_eq!(TopicConfig::default().message_timestamp_before_max_ms, crate::base::Duration::MAX);
}

#[test]
fn groups_have_kafkas_defaults() {
    let expected = "
        consumer.session.timeout.ms=45000
        consumer.heartbeat.interval.ms=5000
        consumer.assignment.interval.ms=1000
        share.session.timeout.ms=45000
        share.heartbeat.interval.ms=5000
        share.record.lock.duration.ms=30000
        share.delivery.count.limit=5
        share.partition.max.record.locks=2000
        share.auto.offset.reset=latest
        share.isolation.level=read_uncommitted
        share.renew.acknowledge.enable=true
        share.assignment.interval.ms=1000";
    defaults(group_keys(), expected);
}

#[test]
fn brokers_have_kafkas_defaults() {
    let expected = "
        log.cleaner.backoff.ms=15000
        log.retention.check.interval.ms=300000
        unclean.leader.election.interval.ms=300000
        default.replication.factor=1
        num.partitions=1
        replica.lag.time.max.ms=30000
        replica.fetch.wait.max.ms=500
        replica.fetch.min.bytes=1
        replica.fetch.max.bytes=1048576
        replica.fetch.response.max.bytes=10485760
        replica.fetch.backoff.ms=1000
        replica.high.watermark.checkpoint.interval.ms=5000
        num.replica.fetchers=1
        leader.imbalance.check.interval.seconds=300
        fetch.max.bytes=57671680
        max.incremental.fetch.session.cache.slots=1000
        broker.session.timeout.ms=9000
        broker.heartbeat.interval.ms=2000
        controller.quorum.election.timeout.ms=1000
        controller.quorum.fetch.timeout.ms=2000
        controller.quorum.election.backoff.max.ms=1000
        controller.quorum.request.timeout.ms=2000
        controller.quorum.retry.backoff.ms=20
        controller.quorum.append.linger.ms=25
        offsets.topic.num.partitions=50
        offsets.topic.replication.factor=3
        offsets.retention.minutes=10080
        offsets.retention.check.interval.ms=600000
        offset.metadata.max.bytes=4096
        offsets.commit.timeout.ms=5000
        group.min.session.timeout.ms=6000
        group.max.session.timeout.ms=1800000
        group.initial.rebalance.delay.ms=3000
        group.max.size=2147483647
        group.consumer.session.timeout.ms=45000
        group.consumer.min.session.timeout.ms=45000
        group.consumer.max.session.timeout.ms=60000
        group.consumer.heartbeat.interval.ms=5000
        group.consumer.min.heartbeat.interval.ms=5000
        group.consumer.max.heartbeat.interval.ms=15000
        group.consumer.assignment.interval.ms=1000
        group.coordinator.append.linger.ms=-1
        group.share.session.timeout.ms=45000
        group.share.heartbeat.interval.ms=5000
        group.share.record.lock.duration.ms=30000
        group.share.delivery.count.limit=5
        group.share.partition.max.record.locks=2000
        transaction.state.log.num.partitions=50
        transaction.state.log.replication.factor=3
        transaction.state.log.min.isr=2
        transaction.max.timeout.ms=900000
        transaction.abort.timed.out.transaction.cleanup.interval.ms=10000
        transactional.id.expiration.ms=604800000
        transaction.remove.expired.transaction.cleanup.interval.ms=3600000
        producer.id.expiration.ms=86400000
        producer.id.expiration.check.interval.ms=600000
        transaction.partition.verification.enable=true
        add.partitions.to.txn.retry.backoff.ms=20
        add.partitions.to.txn.retry.backoff.max.ms=100
        transaction.version=2
        eligible.leader.replicas.version=1";
    defaults(broker_keys(), expected);
}

#[test]
fn keys_are_unique_and_documented() {
    for table in TABLES {
        let mut names = crate::base::SortedSet::new();
        for key in (table.keys)() {
            assert!(names.insert(key.name), "{} stands there twice", key.name);
            assert!(key.doc.ends_with('.') && key.doc.len() < 130, "{}: {}", key.name, key.doc);
            assert!(!key.name.contains('_'), "{}", key.name);
        }
    }
}

/// Extremes and nonsense for every key: an error or a value, never a panic.
#[test]
fn no_text_does_harm() {
    let numbers = ["-1", "-2", "0", "1", "2147483647", "2147483648", "-9223372036854775808", "9223372036854775807"];
    let words = ["", " ", "99999999999999999999", "0.5", "1e9", "true", "all", "delete,compact", ",", "é😀"];
    for table in TABLES {
        for key in (table.keys)() {
            for text in numbers.iter().chain(&words) {
                let errors = (table.parse)(&props(&[(key.name, text)]));
                let is_told = errors.iter().any(|error| error.key == key.name);
                assert!(key.validate(text).is_ok() || is_told, "{}={text}", key.name);
            }
        }
    }
}

#[test]
fn an_ignored_key_is_not_honoured_elsewhere() {
    for table in TABLES {
        for name in table.ignored {
            let is_key = |key: &ConfigKey| key.name == *name || (name.ends_with('.') && key.name.starts_with(name));
            assert!(!(table.keys)().iter().any(is_key), "{name}");
            assert!(name.ends_with('.') || (table.parse)(&props(&[(name, "x")])).is_empty(), "{name}");
        }
    }
}

#[test]
fn valid_values_are_described() {
    let describe =
        |keys: &[ConfigKey], name: &str| keys.iter().find(|key| key.name == name).expect("a known key").valid_values();
    assert_eq!(describe(producer_keys(), "acks"), "[all, -1, 0, 1]");
    assert_eq!(describe(producer_keys(), "retries"), "[0,...,2147483647]");
    assert_eq!(describe(producer_keys(), "linger.ms"), "[0,...]");
    assert_eq!(describe(producer_keys(), "transactional.id"), "non-empty string");
    assert_eq!(describe(producer_keys(), "enable.idempotence"), "");
    assert_eq!(describe(consumer_keys(), "group.protocol"), "(case insensitive) [consumer, classic]");
}
