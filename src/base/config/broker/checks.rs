//! Conditions between the cluster's settings.

use super::super::reader::Reader;
use super::BrokerConfig;
use crate::base::Duration;

impl BrokerConfig {
    pub(super) fn check_replication(&self, reader: &mut Reader<'_>) {
        let wait = self.replica_fetch_wait_max_ms;
        let key = "replica.fetch.wait.max.ms";
        reader.require(wait <= self.replica_socket_timeout_ms, key, wait.as_millis(), || {
            "requirement failed: replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to \
             prevent unnecessary socket timeouts"
                .to_owned()
        });
        reader.require(wait <= self.replica_lag_time_max_ms, key, wait.as_millis(), || {
            "requirement failed: replica.fetch.wait.max.ms should always be less than or equal to \
             replica.lag.time.max.ms to prevent frequent changes in ISR"
                .to_owned()
        });
    }

    pub(super) fn check_group_ranges(&self, reader: &mut Reader<'_>) {
        let heartbeat = [
            self.group_consumer_min_heartbeat_interval_ms,
            self.group_consumer_heartbeat_interval_ms,
            self.group_consumer_max_heartbeat_interval_ms,
        ];
        let session = [
            self.group_consumer_min_session_timeout_ms,
            self.group_consumer_session_timeout_ms,
            self.group_consumer_max_session_timeout_ms,
        ];
        let assignment = [
            self.group_consumer_min_assignment_interval_ms,
            self.group_consumer_assignment_interval_ms,
            self.group_consumer_max_assignment_interval_ms,
        ];
        check_range(reader, "group.consumer", "heartbeat.interval.ms", heartbeat.map(Duration::as_millis));
        check_range(reader, "group.consumer", "session.timeout.ms", session.map(Duration::as_millis));
        check_heartbeat(reader, "group.consumer", heartbeat[1], session[1]);
        check_range(reader, "group.consumer", "assignment.interval.ms", assignment.map(Duration::as_millis));
    }

    pub(super) fn check_share_group_ranges(&self, reader: &mut Reader<'_>) {
        let heartbeat = [
            self.group_share_min_heartbeat_interval_ms,
            self.group_share_heartbeat_interval_ms,
            self.group_share_max_heartbeat_interval_ms,
        ];
        let session = [
            self.group_share_min_session_timeout_ms,
            self.group_share_session_timeout_ms,
            self.group_share_max_session_timeout_ms,
        ];
        let lock = [
            self.group_share_min_record_lock_duration_ms,
            self.group_share_record_lock_duration_ms,
            self.group_share_max_record_lock_duration_ms,
        ];
        let deliveries = [
            self.group_share_min_delivery_count_limit,
            self.group_share_delivery_count_limit,
            self.group_share_max_delivery_count_limit,
        ];
        let locks = [
            self.group_share_min_partition_max_record_locks,
            self.group_share_partition_max_record_locks,
            self.group_share_max_partition_max_record_locks,
        ];
        check_range(reader, "group.share", "heartbeat.interval.ms", heartbeat.map(Duration::as_millis));
        check_range(reader, "group.share", "session.timeout.ms", session.map(Duration::as_millis));
        check_heartbeat(reader, "group.share", heartbeat[1], session[1]);
        check_range(reader, "group.share", "record.lock.duration.ms", lock.map(Duration::as_millis));
        check_range(reader, "group.share", "delivery.count.limit", deliveries.map(u64::from));
        check_range(reader, "group.share", "partition.max.record.locks", locks.map(u64::from));
    }
}

/// Some settings have a smallest and a largest value that are settings themselves.
fn check_range(reader: &mut Reader<'_>, prefix: &str, suffix: &str, [least, value, most]: [u64; 3]) {
    let (min_key, key, max_key) =
        (format!("{prefix}.min.{suffix}"), format!("{prefix}.{suffix}"), format!("{prefix}.max.{suffix}"));
    reader.require(most >= least, &max_key, most, || format!("{max_key} must be greater than or equal to {min_key}"));
    reader.require(value >= least, &key, value, || format!("{key} must be greater than or equal to {min_key}"));
    reader.require(value <= most, &key, value, || format!("{key} must be less than or equal to {max_key}"));
}

fn check_heartbeat(reader: &mut Reader<'_>, prefix: &str, heartbeat: Duration, session: Duration) {
    let key = format!("{prefix}.heartbeat.interval.ms");
    reader.require(heartbeat < session, &key, heartbeat.as_millis(), || {
        format!("{key} must be less than {prefix}.session.timeout.ms")
    });
}
