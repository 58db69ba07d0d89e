//! Produce, replicate, fail over.

use crate::cluster::Cluster;
use crate::requests::{fetch, produce};
use delivery_lab::base::Duration;
use delivery_lab::node::{Channel, Crash, Event};
use delivery_lab::protocol::{ErrorCode, FetchResponse, FetchSession, Request, Response};

fn produced(response: Response) -> (ErrorCode, i64) {
    let Response::Produce(response) = response else { panic!("{response:?}") };
    (response.partitions[0].error, response.partitions[0].base_offset)
}

fn fetched(response: Response) -> FetchResponse {
    let Response::Fetch(response) = response else { panic!("{response:?}") };
    response
}

fn values(response: &FetchResponse) -> usize {
    response.partitions.iter().flat_map(|part| &part.records).map(|batch| batch.record_count() as usize).sum()
}

#[test]
fn a_write_with_acks_all_is_on_every_replica_when_it_is_answered() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    assert_eq!(cluster.isr(id), [0, 1, 2]);
    let leader = cluster.leader(id);
    for n in 0..5 {
        let started = cluster.now;
        assert_eq!(produced(cluster.call(leader, produce(id, -1, "x"))), (ErrorCode::None, n));
        let took = cluster.now.since(started);
        assert!(took <= Duration::from_micros(3_000), "four trips and not a parked fetch more: {took:?}");
        for broker in cluster.brokers.values() {
            assert_eq!(broker.log(id).expect("hosted").end_offset(), n + 1);
        }
    }
    cluster.run_for(2_000);
    for broker in cluster.brokers.values() {
        assert_eq!(broker.partition(id).expect("hosted").log().high_watermark(), 5);
    }
}

#[test]
fn a_consumer_is_woken_by_the_high_watermark_and_its_session_goes_on() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    let leader = cluster.leader(id);
    let parked = cluster.send_request(leader, Channel::Consumer, Request::Fetch(fetch(id, 0, FetchSession::INITIAL)));
    cluster.run_for(10);
    cluster.call(leader, produce(id, -1, "x"));
    cluster.run_for(2);
    let first = fetched(cluster.answers.remove(&parked).expect("woken"));
    assert_eq!((values(&first), first.partitions[0].high_watermark), (1, 1));
    let session = FetchSession { id: first.session_id, epoch: 1 };
    let again = cluster.send_request(leader, Channel::Consumer, Request::Fetch(fetch(id, 1, session)));
    cluster.run_for(600);
    let second = fetched(cluster.answers.remove(&again).expect("after the wait"));
    assert!(second.partitions.is_empty(), "nothing new: {second:?}");
    let stale = cluster.send_request(leader, Channel::Consumer, Request::Fetch(fetch(id, 1, session)));
    cluster.run_for(10);
    assert_eq!(fetched(cluster.answers.remove(&stale).expect("refused")).error, ErrorCode::InvalidFetchSessionEpoch);
}

#[test]
fn an_idle_cluster_is_quiet() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    cluster.create_topic("wide", 50, 3);
    let leader = cluster.leader(id);
    cluster.call(leader, produce(id, -1, "x"));
    cluster.run_for(5_000);
    cluster.steps = 0;
    cluster.run_for(10_000);
    // Six replica fetches and three metadata fetches each half second, three heartbeats each two seconds; timers.
    assert!(cluster.steps < 1_300, "{} events in ten quiet seconds", cluster.steps);
    assert_eq!(cluster.isr(id).len(), 3);
}

#[test]
fn a_dead_leader_is_replaced_and_comes_back_as_a_follower() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    let old = cluster.leader(id);
    cluster.call(old, produce(id, -1, "before"));
    cluster.crash(old, Crash::Process);
    cluster.run_for(12_000);
    let new = cluster.leader(id);
    assert_ne!(new, old);
    assert_eq!(produced(cluster.call(new, produce(id, -1, "after"))), (ErrorCode::None, 1));
    cluster.restart(old);
    cluster.run_for(20_000);
    assert_eq!(cluster.isr(id).len(), 3, "it caught up and was let in again");
    assert_eq!(cluster.broker(old).log(id).expect("hosted").end_offset(), 2);
    let recovered = cluster.events.iter().any(|(_, node, event)| {
        node.0 == old as u16
            && matches!(event, Event::LogRecovered { partition, lost_bytes: 0, .. } if *partition == id)
    });
    assert!(recovered);
}

#[test]
fn c14_illegal_required_acks() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    let leader = cluster.leader(id);
    assert_eq!(produced(cluster.call(leader, produce(id, 3, "x"))), (ErrorCode::InvalidRequiredAcks, -1));
    assert_eq!(cluster.broker(leader).log(id).expect("hosted").end_offset(), 0);
}
