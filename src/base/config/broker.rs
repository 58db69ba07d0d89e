//! The cluster's settings: brokers, controller, coordinators, and what topics inherit. All nodes share them. In Kafka:
//! `ServerConfigs`, `ServerLogConfigs`, `ReplicationConfigs`, `CleanerConfig`, `KRaftConfigs`, `QuorumConfig`,
//! `GroupCoordinatorConfig`, `ShareGroupConfig`, `Transaction*Config`, and `validateValues` of `KafkaConfig`.

use super::definition::Check::{Any, AnyCase, AtLeast, Between, NonEmpty, OffsetReset, Require};
use super::definition::{
    BOOL, ConfigKey, ConfigKind, INT, INT_HOURS, INT_MINUTES, INT_MS, Importance, LONG, LONG_MS, LONG_SECONDS, RATIO,
    SHORT, TEXT,
};
use super::reader::{Reader, settings};
use super::{
    AutoOffsetReset, BrokerCompressionType, CleanupPolicy, ConfigException, ConfigNote, IsolationLevel,
    MigrationPolicy, NoteKind, Properties, ReplicaSelector, ServerAssignor, TimestampType,
};
use crate::base::{Duration, Ratio};

const ROLL: &str = "requirement failed: log.roll.ms must be greater than or equal to 1";
const ROLL_JITTER: &str = "requirement failed: log.roll.jitter.ms must be greater than or equal to 0";

settings! {
    /// The cluster's settings. `log_roll_ms`, `log_roll_jitter_ms`, `log_retention_ms` and `log_flush_interval_ms` are
    /// in effect already: they speak for their coarser namesakes (`log.retention.hours`) when only those are set.
    BrokerConfig {
        min_insync_replicas: u32 = "1", INT, AtLeast(1), High,
            "How many replicas must be in sync for acks=all to be accepted and for records to be committed.";
        default_replication_factor: u32 = "1", INT, AtLeast(1), Medium,
            "How many replicas a topic gets that does not say.";
        num_partitions: u32 = "1", INT, AtLeast(1), Medium,
            "How many partitions a topic gets that does not say.";
        auto_create_topics_enable: bool = "true", BOOL, Any, High,
            "Creates topics that clients ask for.";
        unclean_leader_election_enable: bool = "false", BOOL, Any, High,
            "Lets a replica that is not in sync lead when no other can, and lose what it never had.";
        unclean_leader_election_interval_ms: Duration = "300000", LONG_MS, AtLeast(1), Medium,
            "How often the controller looks for partitions that need an unclean election.";
        auto_leader_rebalance_enable: bool = "true", BOOL, Any, High,
            "Gives leadership back to preferred replicas.";
        leader_imbalance_check_interval_seconds: Duration = "300", LONG_SECONDS, AtLeast(1), High,
            "How often the controller does that.";
        controlled_shutdown_enable: bool = "true", BOOL, Any, Medium,
            "Lets a broker hand over its leaderships before it stops.";

        replica_lag_time_max_ms: Duration = "30000", LONG_MS, AtLeast(0), High,
            "How long a follower may be behind before it leaves the in-sync replicas.";
        replica_fetch_wait_max_ms: Duration = "500", INT_MS, AtLeast(0), High,
            "How long a leader holds a follower's fetch that finds nothing.";
        replica_fetch_min_bytes: u32 = "1", INT, AtLeast(0), High,
            "How many bytes a leader gathers before it answers a follower.";
        replica_fetch_max_bytes: u32 = "1048576", INT, AtLeast(0), Medium,
            "The most bytes a follower fetches of one partition.";
        replica_fetch_response_max_bytes: u32 = "10485760", INT, AtLeast(0), Medium,
            "The most bytes a follower fetches at once.";
        replica_fetch_backoff_ms: Duration = "1000", INT_MS, AtLeast(0), Medium,
            "The pause after a failed fetch of a follower.";
        replica_socket_timeout_ms: Duration = "30000", INT_MS, AtLeast(0), High,
            "How long a follower waits for the answer to a fetch.";
        replica_selector_class: ReplicaSelector = "org.apache.kafka.common.replica.LeaderSelector",
            ConfigKind::Choice(ReplicaSelector::NAMES), Any, Medium,
            "Which replica consumers are sent to: the leader, or one in their own rack (client.rack).";
        replica_high_watermark_checkpoint_interval_ms: Duration = "5000", LONG_MS, AtLeast(0), High,
            "How often high watermarks are saved to disk.";
        num_replica_fetchers: u32 = "1", INT, AtLeast(1), High,
            "How many fetchers a follower has for each leader.";
        request_timeout_ms: Duration = "30000", INT_MS, AtLeast(0), High,
            "How long a broker waits for the answer to its own requests.";
        fetch_max_bytes: u32 = "57671680", INT, AtLeast(1_024), Medium,
            "The most bytes any fetch returns, whatever it asks for.";
        max_incremental_fetch_session_cache_slots: u32 = "1000", INT, AtLeast(0), Medium,
            "How many fetch sessions a broker remembers.";
        message_max_bytes: u32 = "1048588", INT, AtLeast(0), High,
            "The largest batch that is accepted, as it comes compressed.";
        compression_type: BrokerCompressionType =
            "producer", ConfigKind::Choice(BrokerCompressionType::NAMES), Any, High,
            "How logs are compressed; producer keeps batches as they come.";

        log_retention_ms: Option<Duration> = "604800000", LONG_MS, Any, High,
            "After what age a segment is deleted, before log.retention.minutes and .hours. -1 never.";
        log_retention_minutes: Option<Duration> = unset, INT_MINUTES, Any, High,
            "The same in minutes, before log.retention.hours.";
        log_retention_hours: Option<Duration> = "168", INT_HOURS, Any, High,
            "The same in hours.";
        log_retention_bytes: Option<u64> = "-1", LONG, Any, High,
            "How many bytes a partition keeps. Negative: no limit.";
        log_retention_check_interval_ms: Duration = "300000", LONG_MS, AtLeast(1), Medium,
            "How often old segments are looked for.";
        log_cleanup_policy: CleanupPolicy = "delete", ConfigKind::List(CleanupPolicy::NAMES), Any, Medium,
            "How old data goes: delete by age and size, compact to the newest record of each key, or both.";
        log_segment_bytes: u32 = "1073741824", INT, AtLeast(1_048_576), High,
            "At what size a log starts a new segment.";
        log_roll_ms: Duration = "604800000", LONG_MS, Require(1, ROLL), High,
            "At what age a log starts a new segment, before log.roll.hours.";
        log_roll_hours: Duration = "168", INT_HOURS, AtLeast(1), High,
            "The same in hours.";
        log_roll_jitter_ms: Duration = "0", LONG_MS, Require(0, ROLL_JITTER), High,
            "By how much that age is shortened at random, before log.roll.jitter.hours.";
        log_roll_jitter_hours: Duration = "0", INT_HOURS, AtLeast(0), High,
            "The same in hours.";
        log_index_size_max_bytes: u32 = "10485760", INT, AtLeast(4), Medium,
            "The largest index file, which also ends a segment.";
        log_index_interval_bytes: u32 = "4096", INT, AtLeast(0), Medium,
            "After how many bytes an index gets another entry.";
        log_segment_delete_delay_ms: Duration = "60000", LONG_MS, AtLeast(0), High,
            "How long files of a deleted segment stay on disk.";
        log_flush_interval_messages: u64 = "9223372036854775807", LONG, AtLeast(1), High,
            "After how many records a log is forced to disk. By default the operating system decides.";
        log_flush_interval_ms: Duration = "9223372036854775807", LONG_MS, AtLeast(0), High,
            "After how long a log is forced to disk, before log.flush.scheduler.interval.ms.";
        log_flush_scheduler_interval_ms: Duration = "9223372036854775807", LONG_MS, AtLeast(0), High,
            "How often it is checked whether a log must be forced to disk.";
        log_flush_offset_checkpoint_interval_ms: Duration = "60000", INT_MS, AtLeast(0), High,
            "How often the point is saved from which a crashed broker must check its logs.";
        log_flush_start_offset_checkpoint_interval_ms: Duration = "60000", INT_MS, AtLeast(0), High,
            "How often the points are saved at which logs start.";
        log_initial_task_delay_ms: Duration = "30000", LONG_MS, AtLeast(0), Low,
            "How long after its start a broker begins with retention, flushing and checkpoints.";
        log_message_timestamp_type: TimestampType = "CreateTime", ConfigKind::Choice(TimestampType::NAMES), Any, Medium,
            "Whose clock stamps records: the producer's or the leader's.";
        log_message_timestamp_before_max_ms: Duration = "9223372036854775807", LONG_MS, AtLeast(0), Medium,
            "How far in the past a producer's timestamp may lie.";
        log_message_timestamp_after_max_ms: Duration = "3600000", LONG_MS, AtLeast(0), Medium,
            "How far in the future a producer's timestamp may lie.";
        log_cleaner_enable: bool = "true", BOOL, Any, Medium,
            "Whether logs are compacted at all.";
        log_cleaner_backoff_ms: Duration = "15000", LONG_MS, AtLeast(0), Medium,
            "How long the cleaner rests when there is nothing to compact.";
        log_cleaner_delete_retention_ms: Duration = "86400000", LONG_MS, AtLeast(0), Medium,
            "How long compaction keeps tombstones and transaction markers.";
        log_cleaner_min_cleanable_ratio: Ratio = "0.5", RATIO, Between(0, 1), Medium,
            "How large a share of a log must be uncompacted before it is compacted again.";
        log_cleaner_min_compaction_lag_ms: Duration = "0", LONG_MS, AtLeast(0), Medium,
            "For how long a record is safe from compaction.";
        log_cleaner_max_compaction_lag_ms: Duration = "9223372036854775807", LONG_MS, AtLeast(1), Medium,
            "After how long a record is compacted although the log is not dirty enough.";

        broker_heartbeat_interval_ms: Duration = "2000", INT_MS, AtLeast(1), Medium,
            "How often a broker shows the controller that it lives.";
        broker_session_timeout_ms: Duration = "9000", INT_MS, AtLeast(1), Medium,
            "How long the controller waits for that before it fences the broker.";
        initial_broker_registration_timeout_ms: Duration = "60000", INT_MS, AtLeast(0), Medium,
            "How long a starting broker tries to register.";
        controller_quorum_election_timeout_ms: Duration = "1000", INT_MS, AtLeast(0), High,
            "How long a candidate waits for votes; up to as much again at random.";
        controller_quorum_fetch_timeout_ms: Duration = "2000", INT_MS, AtLeast(0), High,
            "How long a controller goes without its leader before it calls an election.";
        controller_quorum_election_backoff_max_ms: Duration = "1000", INT_MS, AtLeast(0), High,
            "The longest pause before a lost election is repeated.";
        controller_quorum_append_linger_ms: Duration = "25", INT_MS, AtLeast(0), Medium,
            "How long the controller's leader gathers writes.";
        controller_quorum_request_timeout_ms: Duration = "2000", INT_MS, AtLeast(0), Medium,
            "How long controllers wait for each other's answers.";
        controller_quorum_retry_backoff_ms: Duration = "20", INT_MS, AtLeast(0), Low,
            "The pause before a controller repeats a request.";
        metadata_log_max_record_bytes_between_snapshots: u64 = "20971520", LONG, AtLeast(1), High,
            "After how many bytes of records a controller writes a snapshot of the metadata.";
        metadata_log_max_snapshot_interval_ms: Duration = "3600000", LONG_MS, AtLeast(0), High,
            "After how long it does, if there was anything new. 0: never.";
        metadata_max_retention_bytes: Option<u64> = "104857600", LONG, Any, High,
            "How large metadata log and snapshots may become before the oldest are deleted. Negative: no limit.";
        metadata_max_retention_ms: Option<Duration> = "604800000", LONG_MS, Any, High,
            "How old a snapshot may become before it is deleted with the log before it. Negative: no limit.";
        eligible_leader_replicas_version: u32 = "1", SHORT, Between(0, 1), High,
            "Feature level. 1: the controller remembers which replicas outside the ISR have all committed records.";

        offsets_topic_num_partitions: u32 = "50", INT, AtLeast(1), High,
            "How many partitions committed offsets are spread over.";
        offsets_topic_replication_factor: u32 = "3", SHORT, AtLeast(1), High,
            "How many replicas committed offsets have.";
        offsets_topic_segment_bytes: u32 = "104857600", INT, AtLeast(1), High,
            "The segment size of the log of committed offsets.";
        offsets_retention_minutes: Duration = "10080", INT_MINUTES, AtLeast(1), High,
            "How long offsets outlive their group.";
        offsets_retention_check_interval_ms: Duration = "600000", LONG_MS, AtLeast(1), High,
            "How often expired offsets are looked for.";
        offsets_commit_timeout_ms: Duration = "5000", INT_MS, AtLeast(1), High,
            "How long a commit waits for the replicas.";
        offset_metadata_max_bytes: u32 = "4096", INT, AtLeast(0), High,
            "How much text a commit may carry.";
        group_coordinator_append_linger_ms: Option<Duration> = "-1", INT_MS, AtLeast(-1), Medium,
            "How long the group coordinator gathers writes. -1: no longer than it is busy.";
        group_initial_rebalance_delay_ms: Duration = "3000", INT_MS, AtLeast(0), Medium,
            "How long an empty group waits for more members before its first rebalance.";
        group_min_session_timeout_ms: Duration = "6000", INT_MS, AtLeast(0), Medium,
            "The shortest session.timeout.ms a member may ask for.";
        group_max_session_timeout_ms: Duration = "1800000", INT_MS, AtLeast(0), Medium,
            "The longest session.timeout.ms a member may ask for.";
        group_max_size: u32 = "2147483647", INT, AtLeast(1), Medium,
            "The most members of a classic group.";
        group_consumer_session_timeout_ms: Duration = "45000", INT_MS, AtLeast(1), Medium,
            "How long a group of the consumer protocol waits for a member's heartbeat.";
        group_consumer_min_session_timeout_ms: Duration = "45000", INT_MS, AtLeast(1), Medium,
            "The least that may be.";
        group_consumer_max_session_timeout_ms: Duration = "60000", INT_MS, AtLeast(1), Medium,
            "The most that may be.";
        group_consumer_heartbeat_interval_ms: Duration = "5000", INT_MS, AtLeast(1), Medium,
            "How often members of the consumer protocol shall send heartbeats.";
        group_consumer_min_heartbeat_interval_ms: Duration = "5000", INT_MS, AtLeast(1), Medium,
            "The least that may be.";
        group_consumer_max_heartbeat_interval_ms: Duration = "15000", INT_MS, AtLeast(1), Medium,
            "The most that may be.";
        group_consumer_assignment_interval_ms: Duration = "1000", INT_MS, AtLeast(0), Medium,
            "The least time between two computed assignments of a group.";
        group_consumer_min_assignment_interval_ms: Duration = "0", INT_MS, AtLeast(0), Medium,
            "The least that may be.";
        group_consumer_max_assignment_interval_ms: Duration = "15000", INT_MS, AtLeast(0), Medium,
            "The most that may be.";
        group_consumer_assignors: Vec<ServerAssignor> =
            "uniform,range", ConfigKind::List(ServerAssignor::NAMES), NonEmpty, Medium,
            "The coordinator's assignors; the first is for groups that do not choose.";
        group_consumer_migration_policy: MigrationPolicy =
            "bidirectional", ConfigKind::Choice(MigrationPolicy::NAMES), AnyCase, Medium,
            "Which groups change their protocol while they have members; groups without always may.";
        group_consumer_max_size: u32 = "2147483647", INT, AtLeast(1), Medium,
            "The most members of a group of the consumer protocol.";
        group_share_session_timeout_ms: Duration = "45000", INT_MS, AtLeast(1), Medium,
            "How long a share group waits for a member's heartbeat.";
        group_share_min_session_timeout_ms: Duration = "45000", INT_MS, AtLeast(1), Medium,
            "The least that may be.";
        group_share_max_session_timeout_ms: Duration = "60000", INT_MS, AtLeast(1), Medium,
            "The most that may be.";
        group_share_heartbeat_interval_ms: Duration = "5000", INT_MS, AtLeast(1), Medium,
            "How often members of a share group shall send heartbeats.";
        group_share_min_heartbeat_interval_ms: Duration = "5000", INT_MS, AtLeast(1), Medium,
            "The least that may be.";
        group_share_max_heartbeat_interval_ms: Duration = "15000", INT_MS, AtLeast(1), Medium,
            "The most that may be.";
        group_share_record_lock_duration_ms: Duration = "30000", INT_MS, Between(1_000, 3_600_000), Medium,
            "How long a member of a share group has to acknowledge a record.";
        group_share_min_record_lock_duration_ms: Duration = "15000", INT_MS, Between(1_000, 30_000), Medium,
            "The least that may be.";
        group_share_max_record_lock_duration_ms: Duration = "60000", INT_MS, Between(30_000, 3_600_000), Medium,
            "The most that may be.";
        group_share_delivery_count_limit: u32 = "5", INT, Between(2, 10), Medium,
            "How often a share group delivers a record before it gives up.";
        group_share_min_delivery_count_limit: u32 = "2", INT, Between(2, 5), Medium,
            "The least that may be.";
        group_share_max_delivery_count_limit: u32 = "10", INT, Between(5, 25), Medium,
            "The most that may be.";
        group_share_partition_max_record_locks: u32 = "2000", INT, Between(100, 10_000), Medium,
            "How many records of a partition a share group may have in work.";
        group_share_min_partition_max_record_locks: u32 = "100", INT, Between(100, 2_000), Medium,
            "The least that may be.";
        group_share_max_partition_max_record_locks: u32 = "4000", INT, Between(2_000, 10_000), Medium,
            "The most that may be.";
        group_share_max_size: u32 = "200", INT, Between(1, 1_000), Medium,
            "The most members of a share group.";

        transaction_version: u32 = "2", SHORT, Between(0, 2), High,
            "Feature level. 2: every transaction has an epoch of its own, and brokers add partitions by themselves.";
        transaction_state_log_num_partitions: u32 = "50", INT, AtLeast(1), High,
            "How many partitions the state of transactions is spread over.";
        transaction_state_log_replication_factor: u32 = "3", SHORT, AtLeast(1), High,
            "How many replicas the state of transactions has.";
        transaction_state_log_min_isr: u32 = "2", INT, AtLeast(1), High,
            "How many of those must be in sync.";
        transaction_state_log_segment_bytes: u32 = "104857600", INT, AtLeast(1), High,
            "The segment size of the log of transactions.";
        transaction_max_timeout_ms: Duration = "900000", INT_MS, AtLeast(1), High,
            "The longest transaction.timeout.ms a producer may ask for.";
        transaction_abort_timed_out_transaction_cleanup_interval_ms: Duration = "10000", INT_MS, AtLeast(1), Low,
            "How often transactions past their timeout are looked for.";
        transactional_id_expiration_ms: Duration = "604800000", INT_MS, AtLeast(1), High,
            "After how long an unused transactional.id is forgotten.";
        transaction_remove_expired_transaction_cleanup_interval_ms: Duration = "3600000", INT_MS, AtLeast(1), Low,
            "How often unused ones are looked for.";
        transaction_partition_verification_enable: bool = "true", BOOL, Any, Low,
            "Checks with the coordinator that a transaction is open before its first record is appended.";
        add_partitions_to_txn_retry_backoff_ms: Duration = "20", INT_MS, AtLeast(1), High,
            "The pause before a broker repeats that check.";
        add_partitions_to_txn_retry_backoff_max_ms: Duration = "100", INT_MS, AtLeast(0), High,
            "How long a broker repeats it before it leaves that to the producer.";
        producer_id_expiration_ms: Duration = "86400000", INT_MS, AtLeast(1), Low,
            "After how long without a record a partition forgets a producer and its sequence numbers.";
        producer_id_expiration_check_interval_ms: Duration = "600000", INT_MS, AtLeast(1), Low,
            "How often such producers are looked for.";

        @later
        share_auto_offset_reset: AutoOffsetReset = "latest", TEXT, OffsetReset, Medium,
            "Where share groups begin to read: latest, earliest or by_duration:PT1H. Of groups that do not say so; Kafka has no such setting.";
        share_isolation_level: IsolationLevel = "read_uncommitted", ConfigKind::Choice(IsolationLevel::NAMES), Any, Medium,
            "Whether share groups see open and aborted transactions. Of groups that do not say so; Kafka has no such setting.";
        group_share_assignment_interval_ms: Duration = "1000", INT_MS, Between(0, 15_000), Medium,
            "The least time between two assignments of a share group.";
        group_share_max_share_sessions: u32 = "2000", INT, AtLeast(1), Medium,
            "How many share sessions a broker keeps.";
        share_coordinator_state_topic_num_partitions: u32 = "50", INT, AtLeast(1), High,
            "How many partitions the state of share groups is spread over.";
        share_coordinator_state_topic_replication_factor: u32 = "3", SHORT, AtLeast(1), High,
            "How many replicas the state of share groups has.";
        share_coordinator_state_topic_min_isr: u32 = "2", SHORT, AtLeast(1), High,
            "How many of those must be in sync.";
        share_coordinator_state_topic_segment_bytes: u32 = "104857600", INT, AtLeast(1), High,
            "The segment size of the log of share groups.";
        share_coordinator_snapshot_update_records_per_snapshot: u32 = "500", INT, Between(0, 500), Medium,
            "After how many updates of a share-partition its whole state is written.";
        share_coordinator_write_timeout_ms: Duration = "5000", INT_MS, AtLeast(1), High,
            "How long the share coordinator waits for the replicas of a write.";
    }
}

/// Keys of a real server that mean nothing here.
pub(super) const IGNORED: &[&str] = &[
    "advertised.listeners",
    "alter.config.policy.class.name",
    "authorizer.class.name",
    "auto.include.jmx.reporter",
    "background.threads",
    "broker.id",
    "broker.rack",
    "client.quota.callback.class",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "config.providers",
    "connections.max.idle.ms",
    "controller.listener.names",
    "controller.quorum.auto.join.enable",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "create.topic.policy.class.name",
    "delete.topic.enable",
    "early.start.listeners",
    "group.coordinator.rebalance.protocols",
    "group.coordinator.threads",
    "inter.broker.listener.name",
    "listener.",
    "listeners",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.io.buffer.load.factor",
    "log.cleaner.io.buffer.size",
    "log.cleaner.io.max.bytes.per.second",
    "log.cleaner.threads",
    "log.dir",
    "log.dirs",
    "log.preallocate",
    "metadata.log.dir",
    "metadata.log.segment.",
    "metadata.max.idle.interval.ms",
    "metric.",
    "metrics.",
    "node.id",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "offsets.topic.compression.codec",
    "process.roles",
    "queued.max.requests",
    "remote.",
    "replica.socket.receive.buffer.bytes",
    "sasl.",
    "security.",
    "share.coordinator.append.linger.ms",
    "share.coordinator.cached.buffer.max.bytes",
    "share.coordinator.load.buffer.size",
    "share.coordinator.state.topic.compression.codec",
    "share.coordinator.threads",
    "share.fetch.purgatory.purge.interval.requests",
    "socket.",
    "ssl.",
    "transaction.two.phase.commit.enable",
];

/// Every setting of the cluster.
pub fn broker_keys() -> &'static [ConfigKey] {
    KEYS
}

impl BrokerConfig {
    /// Reads the cluster's settings, or says everything that is wrong with them.
    pub fn parse(properties: &Properties) -> Result<Self, Vec<ConfigException>> {
        let (config, reader) = Self::build(properties);
        reader.finish(config)
    }

    /// These settings with others over them, as they are given to running brokers; what is wrong among those counts as
    /// not set. Coarser namesakes (`log.retention.hours`) say nothing here.
    pub fn overlaid(&self, properties: &Properties) -> Self {
        Self::read(&mut Reader::new(properties, KEYS, IGNORED), Some(self))
    }

    /// What these settings do without saying so.
    pub fn notes(properties: &Properties) -> Vec<ConfigNote> {
        Self::build(properties).1.notes
    }

    fn build(properties: &Properties) -> (Self, Reader<'_>) {
        let mut reader = Reader::new(properties, KEYS, IGNORED);
        let mut config = Self::read(&mut reader, None);
        config.fix_namesakes(&mut reader);
        reader.refuse_codec(config.compression_type.is_codec());
        config.check_replication(&mut reader);
        config.check_group_ranges(&mut reader);
        config.check_share_group_ranges(&mut reader);
        let reset = config.share_auto_offset_reset;
        reader.require(reset != AutoOffsetReset::None, "share.auto.offset.reset", "none", || {
            "Invalid value none for configuration share.auto.offset.reset".to_owned()
        });
        let session = config.broker_session_timeout_ms;
        if config.broker_heartbeat_interval_ms * 2 > session {
            reader.note("broker.heartbeat.interval.ms", NoteKind::HeartbeatTooRare { session });
        }
        (config, reader)
    }

    /// Where a setting in milliseconds is not set, its coarser namesake counts.
    fn fix_namesakes(&mut self, reader: &mut Reader<'_>) {
        if !reader.is_set("log.roll.ms") {
            self.log_roll_ms = self.log_roll_hours;
        }
        if !reader.is_set("log.roll.jitter.ms") {
            self.log_roll_jitter_ms = self.log_roll_jitter_hours;
        }
        if !reader.is_set("log.flush.interval.ms") {
            self.log_flush_interval_ms = self.log_flush_scheduler_interval_ms;
        }
        if !reader.is_set("log.retention.ms") {
            let in_minutes = reader.is_set("log.retention.minutes");
            self.log_retention_ms = if in_minutes { self.log_retention_minutes } else { self.log_retention_hours };
        }
        reader.require(self.log_retention_ms != Some(Duration::ZERO), "log.retention.ms", 0, || {
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned()
        });
    }
}

mod checks;
#[cfg(test)]
mod tests;
