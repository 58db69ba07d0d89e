//! Members of the consumer protocol at their coordinator on a broker: replication, failover, timers.

use super::group_bench::{ID, Lab, OFFSETS};
use crate::base::{Duration, TopicPartition};
use crate::broker::group_coordinator::GroupCoordinator;
use crate::coordinator::group::consumer::ConsumerGroup;
use crate::protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, Response};

fn heartbeat(lab: &mut Lab, epoch: i32, owned: &[TopicPartition]) -> u32 {
    let joins = epoch == 0;
    let request = ConsumerGroupHeartbeatRequest {
        group: "mail".into(),
        member_id: "a".into(),
        member_epoch: epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout: joins.then(|| Duration::from_millis(30_000)),
        subscribed_topics: joins.then(|| vec!["orders".into()]),
        subscribed_regex: None,
        server_assignor: None,
        topic_partitions: Some(owned.to_vec()),
        client_id: "mailer".into(),
    };
    let context = lab.bench.context();
    lab.run(|group: &mut GroupCoordinator, replicas, ctx| group.consumer_heartbeat(context, &request, replicas, ctx));
    context.correlation_id
}

fn answer(lab: &Lab, request: u32) -> Option<ConsumerGroupHeartbeatResponse> {
    match lab.bench.responses.get(&request)? {
        Response::ConsumerGroupHeartbeat(response) => Some(response.clone()),
        other => panic!("{other:?}"),
    }
}

fn later(lab: &mut Lab, millis: u64) {
    lab.bench.advance(millis);
    lab.run(|group, replicas, ctx| group.on_timer(replicas, ctx));
}

fn group(lab: &Lab) -> Option<&ConsumerGroup> {
    lab.group.group_shards().find_map(|(_, shard)| shard.consumers.group("mail"))
}

#[test]
fn a_heartbeat_is_answered_when_its_records_are_replicated() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let joined = heartbeat(&mut lab, 0, &[]);
    assert_eq!(answer(&lab, joined), None);
    assert_eq!(group(&lab).map(ConsumerGroup::epoch), Some(2), "others are handled as if it were");
    let end = lab.log_end();
    lab.replicate(end);
    let response = answer(&lab, joined).expect("it is replicated");
    assert_eq!((response.error, response.member_epoch, response.assignment), (ErrorCode::None, 2, Some(vec![ID])));
    assert_eq!(response.heartbeat_interval, Duration::from_millis(5_000));
    let beat = heartbeat(&mut lab, 2, &[ID]);
    assert_eq!(answer(&lab, beat).map(|it| (it.error, it.assignment)), Some((ErrorCode::None, None)));
}

#[test]
fn what_is_not_replicated_in_time_stands_all_the_same() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let joined = heartbeat(&mut lab, 0, &[]);
    later(&mut lab, 5_000);
    assert_eq!(lab.error(joined), Some(ErrorCode::CoordinatorNotAvailable));
    let end = lab.log_end();
    lab.replicate(end);
    let again = heartbeat(&mut lab, 0, &[]);
    assert_eq!(answer(&lab, again).map(|it| (it.error, it.member_epoch)), Some((ErrorCode::None, 2)));
}

#[test]
fn whoever_takes_over_goes_on() {
    let mut lab = Lab::new(&[1], &[]);
    heartbeat(&mut lab, 0, &[]);
    later(&mut lab, 40_000);
    lab.lead(OFFSETS, &[1], 2, 1);
    let refused = heartbeat(&mut lab, 2, &[ID]);
    assert_eq!(lab.error(refused), Some(ErrorCode::NotCoordinator));
    lab.lead(OFFSETS, &[1], 1, 2);
    assert_eq!(group(&lab).map(|it| it.members().len()), Some(1));
    later(&mut lab, 44_999);
    assert_eq!(group(&lab).map(|it| it.members().len()), Some(1), "its session began anew");
    let beat = heartbeat(&mut lab, 2, &[ID]);
    assert_eq!(answer(&lab, beat).map(|it| (it.error, it.member_epoch)), Some((ErrorCode::None, 2)));
    later(&mut lab, 45_000);
    assert_eq!(group(&lab).map(|it| (it.members().len(), it.epoch())), Some((0, 3)));
    let beat = heartbeat(&mut lab, 2, &[ID]);
    assert_eq!(lab.error(beat), Some(ErrorCode::UnknownMemberId));
}
