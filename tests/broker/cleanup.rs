//! The start of logs, on whole brokers: DeleteRecords, retention, silent producers.

use crate::cluster::Cluster;
use crate::requests::{batch, fetch};
use delivery_lab::base::{BrokerId, Duration, Offset, TopicPartition};
use delivery_lab::node::{Channel, Crash, Event};
use delivery_lab::protocol::{
    CoordinatorType, CreateTopicsRequest, DeleteRecordsPartition, DeleteRecordsRequest, ErrorCode, FetchSession,
    FindCoordinatorRequest, NewTopic, ProducePartition, ProduceRequest, Request, Response,
};
use delivery_lab::record::{BatchBuilder, RecordBatch};

/// A topic whose segments hold two single records.
pub fn topic(cluster: &mut Cluster, config: &[(&str, &str)]) -> TopicPartition {
    let two = (2 * batch("x").size_in_bytes()).to_string();
    let settings = [("internal.segment.bytes", two.as_str())].into_iter().chain(config.iter().copied());
    let topic = NewTopic {
        name: "small".into(),
        partitions: 1,
        replication_factor: cluster.brokers.len() as i16,
        assignments: Vec::new(),
        config: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    };
    let answer = cluster.call(0, Request::CreateTopics(CreateTopicsRequest { topics: vec![topic] }));
    assert!(!answer.error().is_error(), "{answer:?}");
    cluster.run_for(1_500);
    TopicPartition::new(cluster.controller.image().topic_id("small").expect("created"), 0)
}

pub fn write(cluster: &mut Cluster, id: TopicPartition, records: u32) {
    let leader = cluster.leader(id);
    for _ in 0..records {
        let timestamp = cluster.now.wall_clock_ms();
        let mut builder = BatchBuilder::new(timestamp);
        builder.append(timestamp, None, Some(b"x"), &[]);
        let answer = cluster.call(leader, produce_batch(id, builder.build()));
        assert!(!answer.error().is_error(), "{answer:?}");
    }
}

pub fn produce_batch(partition: TopicPartition, batch: RecordBatch) -> Request {
    let (partitions, timeout) = (vec![ProducePartition { partition, batch }], Duration::from_millis(30_000));
    Request::Produce(ProduceRequest { transactional_id: None, transaction_v2: false, acks: -1, timeout, partitions })
}

fn request(id: TopicPartition, offset: Offset, timeout: u64) -> Request {
    let partitions = vec![DeleteRecordsPartition { partition: id, offset }];
    Request::DeleteRecords(DeleteRecordsRequest { partitions, timeout: Duration::from_millis(timeout) })
}

fn deleted(response: Response) -> (ErrorCode, Offset) {
    let Response::DeleteRecords(response) = response else { panic!("{response:?}") };
    (response.partitions[0].error, response.partitions[0].low_watermark)
}

fn delete(cluster: &mut Cluster, broker: i32, id: TopicPartition, offset: Offset) -> (ErrorCode, Offset) {
    deleted(cluster.call(broker, request(id, offset, 30_000)))
}

pub fn starts(cluster: &Cluster, id: TopicPartition) -> Vec<Offset> {
    cluster.brokers.values().filter_map(|broker| Some(broker.partition(id)?.log().log_start_offset())).collect()
}

#[test]
fn delete_records_is_answered_when_all_replicas_have_followed() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    write(&mut cluster, id, 5);
    let leader = cluster.leader(id);
    assert_eq!(delete(&mut cluster, leader, id, 3), (ErrorCode::None, 3));
    assert_eq!(starts(&cluster, id), [3, 3, 3]);
    assert_eq!(delete(&mut cluster, leader, id, 2), (ErrorCode::None, 3), "it does not go back");
    assert_eq!(delete(&mut cluster, leader, id, 6), (ErrorCode::OffsetOutOfRange, -1), "past the high watermark");
    assert_eq!(delete(&mut cluster, leader, id, -2), (ErrorCode::OffsetOutOfRange, -1));
    assert_eq!(delete(&mut cluster, leader, id, -1), (ErrorCode::None, 5), "all that is replicated");
    let follower = (leader + 1) % 3;
    assert_eq!(delete(&mut cluster, follower, id, 1), (ErrorCode::NotLeaderOrFollower, -1));
    let nowhere = TopicPartition::new(id.topic, 7);
    assert_eq!(delete(&mut cluster, leader, nowhere, 1), (ErrorCode::UnknownTopicOrPartition, -1));
    let answer = cluster.call(leader, Request::Fetch(fetch(id, 4, FetchSession::NONE)));
    assert_eq!(answer.error(), ErrorCode::OffsetOutOfRange);
}

#[test]
fn delete_records_waits_for_a_live_replica_out_of_sync_and_not_for_a_dead_one() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    write(&mut cluster, id, 3);
    let leader = cluster.leader(id);
    cluster.crash((leader + 1) % 3, Crash::Process);
    let early = deleted(cluster.call(leader, request(id, 2, 1_000)));
    assert_eq!(early, (ErrorCode::RequestTimedOut, 0), "it is not fenced yet");
    assert_eq!(cluster.broker(leader).partition(id).unwrap().log().log_start_offset(), 2, "but done it is");
    cluster.run_for(40_000);
    assert_eq!(delete(&mut cluster, leader, id, 3), (ErrorCode::None, 3));
}

#[test]
fn delete_records_looks_again_when_something_is_committed() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    write(&mut cluster, id, 3);
    let leader = cluster.leader(id);
    cluster.crash((leader + 1) % 3, Crash::Process);
    let waiting = cluster.send_request(leader, Channel::Consumer, request(id, 2, 60_000));
    cluster.run_for(20_000);
    assert!(!cluster.answers.contains_key(&waiting), "the dead follower is fenced, but as in Kafka nobody looks");
    write(&mut cluster, id, 1);
    cluster.run_for(2);
    assert_eq!(deleted(cluster.answers.remove(&waiting).expect("answered")), (ErrorCode::None, 2));
}

#[test]
fn delete_records_obeys_the_cleanup_policy() {
    for (policy, error) in
        [("compact", ErrorCode::PolicyViolation), ("compact,delete", ErrorCode::None), ("", ErrorCode::None)]
    {
        let mut cluster = Cluster::start(1, &[]);
        let id = topic(&mut cluster, &[("cleanup.policy", policy)]);
        assert_eq!(delete(&mut cluster, 0, id, 0).0, error, "{policy}");
    }
}

#[test]
fn delete_records_leaves_the_brokers_own_topics_alone() {
    let mut cluster =
        Cluster::start(1, &[("offsets.topic.num.partitions", "1"), ("offsets.topic.replication.factor", "1")]);
    let request = FindCoordinatorRequest { key: "mail".into(), key_type: CoordinatorType::Group };
    cluster.call(0, Request::FindCoordinator(request));
    cluster.run_for(2_000);
    let topic = cluster.controller.image().topic_id("__consumer_offsets").expect("created");
    let own = TopicPartition::new(topic, 0);
    assert_eq!(delete(&mut cluster, 0, own, 0), (ErrorCode::InvalidTopicException, -1));
}

#[test]
fn segments_below_the_log_start_go_with_the_next_round() {
    let mut cluster = Cluster::start(3, &[("log.retention.check.interval.ms", "10000")]);
    let id = topic(&mut cluster, &[]);
    write(&mut cluster, id, 6);
    let leader = cluster.leader(id);
    assert_eq!(delete(&mut cluster, leader, id, 3), (ErrorCode::None, 3));
    cluster.run_for(40_000);
    for broker in cluster.brokers.values() {
        let log = broker.partition(id).unwrap().log();
        assert_eq!((log.segments()[0].base_offset(), log.log_start_offset()), (2, 3));
    }
}

#[test]
fn retention_by_time_empties_the_log_on_every_replica() {
    let mut cluster = Cluster::start(3, &[("log.retention.check.interval.ms", "10000")]);
    let id = topic(&mut cluster, &[("retention.ms", "60000")]);
    write(&mut cluster, id, 5);
    cluster.run_for(20_000);
    assert_eq!(starts(&cluster, id), [0, 0, 0]);
    cluster.run_for(90_000);
    assert_eq!(starts(&cluster, id), [5, 5, 5]);
    write(&mut cluster, id, 1);
    let moved = cluster.events.iter().filter(|(_, _, event)| matches!(event, Event::LogStartMoved { .. }));
    assert_eq!(moved.count(), 3);
}

#[test]
fn a_follower_below_the_leaders_start_begins_anew_there() {
    let mut cluster = Cluster::start(3, &[("log.retention.check.interval.ms", "10000")]);
    let id = topic(&mut cluster, &[("retention.ms", "60000")]);
    write(&mut cluster, id, 2);
    let leader = cluster.leader(id);
    let late = (leader + 1) % 3;
    cluster.crash(late, Crash::Process);
    cluster.run_for(40_000);
    write(&mut cluster, id, 4);
    cluster.run_for(100_000);
    write(&mut cluster, id, 1);
    assert_eq!(starts(&cluster, id), [6, 6]);
    cluster.restart(late);
    cluster.run_for(20_000);
    assert_eq!(cluster.isr(id).len(), 3);
    let log = cluster.broker(late).partition(id).unwrap().log();
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.high_watermark()), (6, 7, 7));
}

#[test]
fn a_follower_takes_a_batch_that_the_leaders_start_lies_within() {
    let (mut cluster, id) = Cluster::with_topic(2, &[]);
    let leader = cluster.leader(id);
    let late = 1 - leader;
    cluster.crash(late, Crash::Process);
    cluster.run_for(40_000);
    let mut builder = BatchBuilder::new(1_767_225_600_000);
    for _ in 0..4 {
        builder.append(1_767_225_600_000, None, Some(b"x"), &[]);
    }
    assert!(!cluster.call(leader, produce_batch(id, builder.build())).error().is_error());
    assert_eq!(delete(&mut cluster, leader, id, 2), (ErrorCode::None, 2));
    cluster.restart(late);
    cluster.run_for(20_000);
    let log = cluster.broker(late).partition(id).unwrap().log();
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.segments()[0].base_offset()), (2, 4, 0));
    assert_eq!(cluster.isr(id).len(), 2);
}

#[test]
fn the_log_start_survives_a_crash_once_it_was_written() {
    for (wait, start) in [(10_000, 0), (100_000, 3)] {
        let (mut cluster, id) = Cluster::with_topic(1, &[]);
        // The rounds begin half a minute after the broker.
        cluster.run_for(30_000);
        write(&mut cluster, id, 5);
        assert_eq!(delete(&mut cluster, 0, id, 3), (ErrorCode::None, 3));
        cluster.run_for(wait);
        cluster.crash(0, Crash::PowerLoss);
        cluster.restart(0);
        cluster.run_for(20_000);
        assert_eq!(starts(&cluster, id), [start], "{wait}");
    }
}

#[test]
fn a_broker_forgets_producers_that_are_silent() {
    let settings = [("producer.id.expiration.ms", "60000"), ("producer.id.expiration.check.interval.ms", "10000")];
    let (mut cluster, id) = Cluster::with_topic(1, &settings);
    let answer = cluster.call(0, produce_batch(id, batch("x").with_producer(9, 0, 0)));
    assert!(!answer.error().is_error(), "{answer:?}");
    let known = |cluster: &Cluster| cluster.broker(0).partition(id).unwrap().log().producer_state().producers().count();
    cluster.run_for(50_000);
    assert_eq!(known(&cluster), 1);
    cluster.run_for(80_000);
    assert_eq!(known(&cluster), 0);
}

#[test]
fn the_brokers_limit_holds_for_followers_too() {
    let (mut cluster, id) = Cluster::with_topic(2, &[("fetch.max.bytes", "1024")]);
    let leader = cluster.leader(id);
    cluster.crash(1 - leader, Crash::Process);
    cluster.run_for(40_000);
    write(&mut cluster, id, 100);
    cluster.restart(1 - leader);
    cluster.run_for(20_000);
    assert_eq!(cluster.broker(1 - leader).partition(id).unwrap().log().log_end_offset(), 100);
    let appended = cluster.events.iter().filter_map(|(at, node, event)| match event {
        Event::Appended { leader: false, .. } if *node == BrokerId(1 - leader).node() => Some(*at),
        _ => None,
    });
    let mut moments: Vec<_> = appended.collect();
    moments.dedup();
    assert!(moments.len() >= 100 * batch("x").size_in_bytes() as usize / 1_024, "in {} answers", moments.len());
}
