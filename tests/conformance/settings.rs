//! The cluster that both sides run.

/// Broker ids are 0, 1, 2.
pub const BROKERS: i32 = 3;

/// Settings that differ from Kafka's defaults, of the real brokers and of the engine's.
pub const SETTINGS: &[(&str, &str)] = &[
    // Leaders stay where the scripts put them.
    ("auto.leader.rebalance.enable", "false"),
    ("auto.create.topics.enable", "false"),
    // A killed broker is noticed sooner.
    ("broker.session.timeout.ms", "6000"),
    ("broker.heartbeat.interval.ms", "1000"),
    ("offsets.topic.num.partitions", "3"),
    ("transaction.state.log.num.partitions", "3"),
    ("share.coordinator.state.topic.num.partitions", "3"),
    ("group.initial.rebalance.delay.ms", "0"),
    // Consumers are sent to a replica in their rack.
    ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector"),
    // Old segments and dirty logs are seen to soon.
    ("log.initial.task.delay.ms", "1000"),
    ("log.retention.check.interval.ms", "3000"),
    ("log.cleaner.backoff.ms", "2000"),
];

/// Each broker has a rack of its own.
pub fn rack(broker: i32) -> String {
    format!("rack-{broker}")
}
