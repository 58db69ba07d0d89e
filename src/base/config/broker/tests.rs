//! The conditions between the cluster's settings.

use super::*;
use crate::base::config::tests::{Checked, props};

fn check(settings: &[(&str, &str)]) -> Checked<BrokerConfig> {
    let properties = props(settings);
    Checked { result: BrokerConfig::parse(&properties), notes: BrokerConfig::notes(&properties) }
}

#[test]
fn defaults_are_silent() {
    assert_eq!(check(&[]).notes, []);
    assert_eq!(check(&[]).ok(), BrokerConfig::default());
}

#[test]
fn the_finer_unit_wins() {
    let hours = |h: u64| Duration::from_millis(h * 3_600_000);
    let all = [("log.retention.hours", "3"), ("log.retention.minutes", "120"), ("log.retention.ms", "3600000")];
    assert_eq!(check(&all[..1]).ok().log_retention_ms, Some(hours(3)));
    assert_eq!(check(&all[..2]).ok().log_retention_ms, Some(hours(2)));
    assert_eq!(check(&all).ok().log_retention_ms, Some(hours(1)));
    assert_eq!(check(&[("log.retention.hours", "-1")]).ok().log_retention_ms, None);
    assert_eq!(check(&[("log.roll.hours", "2")]).ok().log_roll_ms, hours(2));
    assert_eq!(check(&[("log.roll.jitter.hours", "1")]).ok().log_roll_jitter_ms, hours(1));
    let flush = check(&[("log.flush.scheduler.interval.ms", "7")]).ok().log_flush_interval_ms;
    assert_eq!(flush, Duration::from_millis(7));
}

#[test]
fn checks_that_kafka_makes_by_hand() {
    check(&[("log.retention.ms", "0")])
        .refused(&["requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"]);
    check(&[("log.roll.ms", "0"), ("log.roll.jitter.ms", "-1")]).refused(&[
        "requirement failed: log.roll.ms must be greater than or equal to 1",
        "requirement failed: log.roll.jitter.ms must be greater than or equal to 0",
    ]);
    check(&[("replica.fetch.wait.max.ms", "30001")]).refused(&[
        "requirement failed: replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to \
         prevent unnecessary socket timeouts",
        "requirement failed: replica.fetch.wait.max.ms should always be less than or equal to \
         replica.lag.time.max.ms to prevent frequent changes in ISR",
    ]);
}

#[test]
fn group_settings_stay_in_their_ranges() {
    check(&[("group.consumer.session.timeout.ms", "10000")]).refused(&[
        "group.consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
    ]);
    check(&[("group.consumer.heartbeat.interval.ms", "20000")])
        .refused(&["group.consumer.heartbeat.interval.ms must be less than or equal to \
         group.consumer.max.heartbeat.interval.ms"]);
    check(&[("group.consumer.max.assignment.interval.ms", "500")])
        .refused(&["group.consumer.assignment.interval.ms must be less than or equal to \
         group.consumer.max.assignment.interval.ms"]);
    check(&[("group.consumer.min.session.timeout.ms", "1"), ("group.consumer.session.timeout.ms", "4000")])
        .refused(&["group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms"]);
    check(&[("group.share.max.delivery.count.limit", "5"), ("group.share.delivery.count.limit", "6")]).refused(&[
        "group.share.delivery.count.limit must be less than or equal to group.share.max.delivery.count.limit",
    ]);
    check(&[("group.consumer.assignors", "fair")]).refused(&[
        "Invalid value fair for configuration group.consumer.assignors: String must be one of: uniform, range",
    ]);
}

#[test]
fn a_rare_heartbeat_is_noted() {
    let checked = check(&[("broker.session.timeout.ms", "3000")]);
    let kind = NoteKind::HeartbeatTooRare { session: Duration::from_millis(3_000) };
    assert_eq!(checked.notes, [ConfigNote { key: "broker.heartbeat.interval.ms".into(), kind }]);
    checked.ok();
}

#[test]
fn no_linger_means_adaptive() {
    assert_eq!(BrokerConfig::default().group_coordinator_append_linger_ms, None);
    let set = check(&[("group.coordinator.append.linger.ms", "10")]).ok();
    assert_eq!(set.group_coordinator_append_linger_ms, Some(Duration::from_millis(10)));
}
