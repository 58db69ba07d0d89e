//! Registration, heartbeats, fencing, shutdown.

use super::*;
use crate::base::config::BrokerConfig;

fn fencings(lab: &Lab) -> Vec<i32> {
    let fenced = |event: &Event| match event {
        Event::BrokerFenced { broker } => Some(broker.0),
        _ => None,
    };
    lab.events.iter().filter_map(fenced).collect()
}

#[test]
fn a_broker_is_unfenced_when_it_has_replayed_its_registration() {
    let mut lab = Lab::with(&[]);
    let epoch = lab.register(0).broker_epoch;
    assert_eq!(epoch, lab.controller.log_end_offset() - 1, "the epoch is the offset of the record");
    let early = lab.heartbeat_with(0, |request| request.current_metadata_offset = epoch - 1);
    assert_eq!((early.is_fenced, early.is_caught_up), (true, false));
    let unwilling = lab.heartbeat_with(0, |request| request.want_fence = true);
    assert_eq!((unwilling.is_fenced, unwilling.is_caught_up), (true, true));
    assert!(!lab.heartbeat(0).is_fenced);
    assert_eq!(lab.events.last(), Some(&Event::BrokerUnfenced { broker: BrokerId(0) }));
}

#[test]
fn strangers_are_refused() {
    let mut lab = Lab::cluster(1);
    let request = BrokerRegistrationRequest {
        broker: BrokerId(1),
        cluster_id: Rc::from("elsewhere"),
        incarnation: 99,
        previous_broker_epoch: -1,
        rack: None,
    };
    let response = lab.call(1, Request::BrokerRegistration(request));
    assert_eq!(response.error(), ErrorCode::InconsistentClusterId);
    let stale = lab.heartbeat_with(0, |request| request.broker_epoch -= 1);
    assert_eq!(stale.error, ErrorCode::StaleBrokerEpoch);
    let unknown = lab.heartbeat_with(0, |request| request.broker = BrokerId(5));
    assert_eq!(unknown.error, ErrorCode::StaleBrokerEpoch);
}

#[test]
fn the_same_incarnation_keeps_its_epoch() {
    let mut lab = Lab::cluster(1);
    let (incarnation, epoch) = (lab.incarnations, lab.epochs[&BrokerId(0)]);
    let again = lab.registration(0, incarnation, -1);
    assert_eq!((again.error, again.broker_epoch), (ErrorCode::None, epoch));
    assert!(lab.controller.image().is_unfenced(BrokerId(0)), "it stays unfenced");
}

#[test]
fn a_restarted_broker_waits_for_the_end_of_its_old_session() {
    let mut lab = Lab::cluster(3);
    lab.pass(1_000);
    assert_eq!(lab.register(1).error, ErrorCode::DuplicateBrokerRegistration);
    lab.expect(0, 0, 0, &[0, 1, 2]);
    lab.kill([1]);
    assert_eq!(lab.register(1).error, ErrorCode::None);
    assert!(!lab.controller.image().is_unfenced(BrokerId(1)));
}

#[test]
fn a_new_incarnation_is_fenced_and_leaves_every_isr() {
    // The session ended, but the pass that would have fenced the broker has not come yet.
    let mut lab = Lab::cluster(3);
    lab.pass(1_000);
    lab.heartbeat(1);
    lab.heartbeat(2);
    let end_of_session = Duration::from_millis(9_001);
    let epoch = lab.epochs[&BrokerId(0)];
    lab.now = Time::ZERO + end_of_session;
    lab.events.clear();
    let before = lab.controller.log_end_offset();
    let response = lab.register(0);
    assert_eq!(response.error, ErrorCode::None);
    assert!(response.broker_epoch > epoch && response.broker_epoch == before, "the next offset of the log");
    assert_eq!(fencings(&lab), [0]);
    lab.expect(1, 1, 1, &[1, 2]);
    lab.join(0);
}

#[test]
fn sessions_end_one_at_a_time_and_oldest_first() {
    let mut lab = Lab::cluster_without_elr(3, &[]);
    lab.events.clear();
    lab.pass(500);
    lab.heartbeat(0);
    lab.pass(100);
    lab.heartbeat(2);
    // 1 fell silent first, then 0, then 2; all sessions have ended by 9.6 s, the looks are at multiples of 1.125 s.
    let mut ends = Vec::new();
    for _ in 0..20_000 {
        let before = fencings(&lab).len();
        lab.pass(1);
        let fenced = fencings(&lab);
        assert!(fenced.len() <= before + 1, "one a pass");
        if fenced.len() > before {
            ends.push((lab.now.0 / 1_000, fenced[before]));
        }
    }
    assert_eq!(ends, [(10_125, 1), (10_135, 0), (10_145, 2)]);
    lab.expect(-1, 2, 3, &[2]);
}

#[test]
fn d4_process_broker_heartbeat_in_controlled_shutdown() {
    let mut lab = Lab::cluster(3);
    let first = lab.heartbeat_with(0, |request| request.want_shut_down = true);
    assert_eq!((first.is_fenced, first.should_shut_down), (false, false));
    assert!(lab.controller.image().broker(BrokerId(0)).expect("registered").in_controlled_shutdown);
    lab.expect(1, 1, 1, &[1, 2]);
    assert_eq!(lab.alter(1, lab.wish(&[0, 1, 2])).error, ErrorCode::IneligibleReplica, "it is about to stop");

    let old = lab.epochs[&BrokerId(1)];
    lab.heartbeat_with(1, |request| request.current_metadata_offset = old);
    lab.heartbeat(2);
    let second = lab.heartbeat_with(0, |request| request.want_shut_down = true);
    assert!(!second.should_shut_down, "1 does not know yet that it leads");
    lab.heartbeat(1);
    let third = lab.heartbeat_with(0, |request| request.want_shut_down = true);
    assert_eq!((third.is_fenced, third.should_shut_down), (true, true));
}

#[test]
fn who_leads_nothing_may_stop_at_once() {
    let mut lab = Lab::cluster(3);
    let response = lab.heartbeat_with(2, |request| request.want_shut_down = true);
    assert!(response.should_shut_down && response.is_fenced);
    lab.expect(0, 0, 1, &[0, 1]);
}

#[test]
fn producer_ids_come_in_blocks() {
    let mut lab = Lab::cluster(2);
    let mut allocate = |broker: i32, epoch: i64| {
        let request = AllocateProducerIdsRequest { broker: BrokerId(broker), broker_epoch: epoch };
        match lab.call(broker, Request::AllocateProducerIds(request)) {
            Response::AllocateProducerIds(response) => (response.error, response.producer_id_start),
            other => panic!("{other:?}"),
        }
    };
    let epochs = [allocate(0, -7).0, allocate(5, 0).0];
    assert_eq!(epochs, [ErrorCode::StaleBrokerEpoch; 2]);
    let (first, second) = (lab.epochs[&BrokerId(0)], lab.epochs[&BrokerId(1)]);
    let mut allocate = |broker: i32, broker_epoch| {
        let request = AllocateProducerIdsRequest { broker: BrokerId(broker), broker_epoch };
        match lab.call(broker, Request::AllocateProducerIds(request)) {
            Response::AllocateProducerIds(response) => (response.producer_id_start, response.producer_id_len),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([allocate(0, first), allocate(1, second)], [(0, 1_000), (1_000, 1_000)]);
    lab.restart(Crash::Process);
    assert_eq!(lab.controller.image().next_producer_id(), 2_000, "no id is given twice");
}

/// testControlledShutdownOffsetIsOnlyUpdatedOnce: whoever waits does not wait for what came later.
#[test]
fn a_shutdown_waits_for_the_offset_at_which_it_began() {
    let mut lab = Lab::cluster(3);
    let wants = |lab: &mut Lab| lab.heartbeat_with(0, |request| request.want_shut_down = true);
    assert!(!wants(&mut lab).should_shut_down);
    let began = lab.controller.log_end_offset() - 1;
    assert_eq!(lab.create("later", 1, 1, &[]), ErrorCode::None);
    assert!(!wants(&mut lab).should_shut_down);
    for broker in [1, 2] {
        lab.heartbeat_with(broker, |request| request.current_metadata_offset = began);
    }
    assert!(wants(&mut lab).should_shut_down, "they know what had to be known");
}

/// testFenceMultipleBrokers
#[test]
fn brokers_are_fenced_one_by_one_and_the_rest_lead() {
    let mut lab = Lab::cluster(5);
    lab.kill([2, 3, 4]);
    lab.expect(0, 0, 3, &[0, 1]);
    assert_eq!(lab.unfenced(), ids([0, 1]));
}

#[test]
fn a_broker_in_controlled_shutdown_gets_no_new_replicas() {
    let mut lab = Lab::cluster(4);
    lab.heartbeat_with(0, |request| request.want_shut_down = true);
    assert_eq!(lab.create("new", 6, 3, &[]), ErrorCode::None);
    let topic = lab.controller.image().topic_id("new").and_then(|id| lab.controller.image().topic(id));
    let hosts = topic.expect("created").partitions.iter().flat_map(|partition| partition.replicas.clone());
    assert!(hosts.into_iter().all(|broker| broker != BrokerId(0)));
    assert_eq!(lab.create("wide", 1, 4, &[]), ErrorCode::InvalidReplicationFactor, "three are left");
}

/// `kafka-configs --entity-type groups`.
#[test]
fn groups_have_settings_whether_they_exist_or_not() {
    let mut lab = Lab::cluster(1);
    let mut alter = |group: &str, key: &str, value: Option<&str>| {
        let changes = vec![(Rc::from(key), value.map(Rc::from))];
        let error = lab.alter_configs(AlterConfigs { resource: Configurable::Group(Rc::from(group)), changes });
        let image = lab.controller.image();
        (error, image.group_config("mail", &BrokerConfig::default()).consumer_session_timeout_ms.as_millis())
    };
    let key = "consumer.session.timeout.ms";
    assert_eq!(alter("mail", key, Some("50000")), (ErrorCode::None, 50_000));
    assert_eq!(alter("mail", key, Some("70000")), (ErrorCode::InvalidConfig, 50_000), "more than brokers allow");
    assert_eq!(alter("mail", "session.timeout.ms", Some("50000")), (ErrorCode::InvalidConfig, 50_000), "no such key");
    assert_eq!(alter("", key, Some("55000")), (ErrorCode::InvalidRequest, 50_000), "there is no default group");
    assert_eq!(alter("other", key, Some("55000")), (ErrorCode::None, 50_000));
    assert_eq!(alter("mail", key, None), (ErrorCode::None, 45_000));
}
