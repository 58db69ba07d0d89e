//! A group whose members are played by hand; sequences named after goldens are answered as a real Kafka 4.3.1 answers them.

use super::*;
use crate::base::{BrokerId, Duration, Prng, TopicId};
use crate::coordinator::group::GroupShard;
use crate::coordinator::group::classic::Work;
use crate::metadata::{ConfigRecord, ConfigResource, MetadataDelta, MetadataRecord, PartitionRegistration};
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ErrorCode, GroupState, OffsetCommitPartition, OffsetCommitRequest,
    OffsetFetchRequest,
};

mod classic;
mod lifetimes;
mod patterns;

const T: TopicId = TopicId(1);
const U: TopicId = TopicId(2);
type Parts<'a> = &'a [(TopicId, u32)];
const T0: Parts<'_> = &[(T, 0)];
const T1: Parts<'_> = &[(T, 1)];
const T01: Parts<'_> = &[(T, 0), (T, 1)];

/// Error, epoch, assignment.
type Answer = (ErrorCode, MemberEpoch, Option<Vec<(TopicId, u32)>>);

fn ok(epoch: MemberEpoch, assignment: Option<Parts<'_>>) -> Answer {
    (ErrorCode::None, epoch, assignment.map(<[_]>::to_vec))
}

fn no(error: ErrorCode) -> Answer {
    (error, 0, None)
}

struct Lab {
    shard: GroupShard,
    image: MetadataImage,
    config: BrokerConfig,
    now: Time,
    log: Vec<CoordinatorRecord>,
    random: Prng,
}

impl Lab {
    fn new(topics: &[(&str, TopicId, u32)]) -> Lab {
        let config = BrokerConfig::default();
        let (image, log) = (MetadataImage::default(), Vec::new());
        let mut lab = Lab {
            shard: GroupShard::new(4_096),
            image,
            config,
            now: Time::ORIGIN,
            log,
            random: Prng::split(1, "groups"),
        };
        for (name, topic, partitions) in topics {
            lab.follow(MetadataRecord::Topic { name: Rc::from(*name), topic: *topic });
            (0..*partitions).for_each(|index| lab.partition(*topic, index));
        }
        lab
    }

    fn partition(&mut self, topic: TopicId, index: u32) {
        let registration = PartitionRegistration::new(vec![BrokerId(0)], vec![BrokerId(0)]);
        self.follow(MetadataRecord::Partition(registration.to_record(TopicPartition::new(topic, index))));
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings { now: self.now, config: &self.config, image: &self.image }
    }

    /// A setting of the group.
    fn set(&mut self, name: &str, value: &str) {
        let (resource, value) = (ConfigResource::Group, Some(Rc::from(value)));
        self.follow(MetadataRecord::Config(ConfigRecord {
            resource,
            resource_name: Rc::from("g"),
            name: Rc::from(name),
            value,
        }));
    }

    fn follow(&mut self, record: MetadataRecord) {
        self.image.apply(self.image.offset() + 1, &record, &mut MetadataDelta::default());
    }

    fn later(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        while let Some(expired) = self.shard.consumers.take_expired(self.now) {
            let image = self.image.clone();
            let records = self.work(|shard, work| shard.fence(&expired.group, &[expired.member], &image, work));
            self.append(records);
        }
    }

    fn work<R>(&mut self, run: impl FnOnce(&mut GroupShard, &mut Work<'_>) -> R) -> R {
        run(&mut self.shard, &mut Work::new(self.now, &self.config, &mut self.random))
    }

    fn append(&mut self, records: Vec<CoordinatorRecord>) {
        records.iter().for_each(|record| self.shard.appended(record));
        self.log.extend(records);
        self.check();
    }

    /// Failover is loading the log, and no partition has two owners.
    fn check(&self) {
        let mut loaded = ConsumerGroups::default();
        self.log.iter().for_each(|record| loaded.replay(record).expect("it can be read"));
        let known = |groups: &ConsumerGroups| {
            let strip = |group: &ConsumerGroup| ConsumerGroup { metadata_seen: None, ..group.clone() };
            groups.iter().map(strip).collect::<Vec<_>>()
        };
        assert_eq!(known(&loaded), known(&self.shard.consumers));
        for group in loaded.iter() {
            let mut held = Vec::new();
            for member in group.members() {
                held.extend(member.assigned.keys().chain(member.pending_revocation.keys()).copied());
            }
            let all = held.len();
            held.sort();
            held.dedup();
            assert_eq!(held.len(), all, "a partition has one owner");
        }
    }

    fn send(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Answer {
        let image = self.image.clone();
        let Handled { records, response, resolve } =
            self.work(|shard, work| shard.consumer_heartbeat(request, &image, work));
        self.append(records);
        if resolve {
            let around = Surroundings { now: self.now, config: &self.config, image: &self.image };
            let records = self.shard.consumers.resolve("g", around);
            self.append(records);
        }
        let pairs = |parts: Vec<TopicPartition>| parts.into_iter().map(|it| (it.topic, it.partition)).collect();
        (response.error, response.member_epoch, response.assignment.map(pairs))
    }

    fn join(&mut self, member: &str, topics: &[&str]) -> Answer {
        self.send(&joining(member, topics))
    }

    fn beat(&mut self, member: &str, epoch: MemberEpoch, owned: Option<Parts<'_>>) -> Answer {
        let topic_partitions = owned.map(partitions);
        self.send(&ConsumerGroupHeartbeatRequest { topic_partitions, ..heartbeat(member, epoch) })
    }

    fn commit(&mut self, member: &str, generation: i32, partition: (TopicId, u32)) -> ErrorCode {
        let partition = TopicPartition::new(partition.0, partition.1);
        let offsets = vec![OffsetCommitPartition { partition, offset: 5, leader_epoch: -1, metadata: "".into() }];
        let request =
            OffsetCommitRequest { group: "g".into(), generation, member_id: member.into(), instance_id: None, offsets };
        self.shard.commit(&request, &self.image, self.now).1.partitions[0].error
    }

    fn group(&self) -> &ConsumerGroup {
        self.shard.consumers.group("g").expect("it exists")
    }
}

fn partitions(parts: Parts<'_>) -> Vec<TopicPartition> {
    parts.iter().map(|(topic, index)| TopicPartition::new(*topic, *index)).collect()
}

fn heartbeat(member: &str, member_epoch: MemberEpoch) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group: "g".into(),
        member_id: member.into(),
        member_epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout: None,
        subscribed_topics: None,
        subscribed_regex: None,
        server_assignor: None,
        topic_partitions: None,
        client_id: "c".into(),
    }
}

fn joining(member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        rebalance_timeout: Some(Duration::from_millis(30_000)),
        subscribed_topics: Some(topics.iter().map(|topic| Rc::from(*topic)).collect()),
        topic_partitions: Some(Vec::new()),
        ..heartbeat(member, 0)
    }
}

fn with_instance(request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..request }
}

#[test]
fn consumer_protocol_alone() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    assert_eq!(lab.join("a", &["t"]), ok(2, Some(T01)));
    assert_eq!(lab.beat("a", 2, None), ok(2, None));
    assert_eq!(lab.beat("a", 2, Some(T01)), ok(2, None));
    let full = ConsumerGroupHeartbeatRequest {
        member_epoch: 2,
        topic_partitions: Some(partitions(T01)),
        ..joining("a", &["t"])
    };
    assert_eq!(lab.send(&full), ok(2, Some(T01)), "who says everything is told everything");
    for (member, epoch, error) in [
        ("a", 2, ErrorCode::None),
        ("a", 1, ErrorCode::StaleMemberEpoch),
        ("a", 3, ErrorCode::StaleMemberEpoch),
        ("b", 2, ErrorCode::UnknownMemberId),
        ("", -1, ErrorCode::UnknownMemberId),
    ] {
        assert_eq!(lab.commit(member, epoch, (T, 0)), error, "{member} {epoch}");
    }
    assert_eq!(lab.beat("a", -1, None), (ErrorCode::None, -1, None));
    assert_eq!(lab.beat("a", 2, None), no(ErrorCode::UnknownMemberId));
    assert_eq!(lab.group().state(), GroupState::Empty);
    assert_eq!(lab.commit("", -1, (T, 0)), ErrorCode::None);
}

#[test]
fn consumer_protocol_two_members() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.join("a", &["t"]);
    lab.beat("a", 2, Some(T01));
    assert_eq!(lab.join("b", &["t"]), ok(2, Some(&[])), "the last assignment is not a second old");
    assert_eq!(lab.group().state(), GroupState::Assigning);
    lab.later(3_000);
    assert_eq!(lab.beat("b", 2, None), ok(3, None));
    assert_eq!(lab.group().member("b").map(|it| it.state), Some(MemberState::UnreleasedPartitions));
    assert_eq!(lab.beat("a", 2, None), ok(2, Some(T0)));
    assert_eq!(lab.group().member("a").map(|it| it.state), Some(MemberState::UnrevokedPartitions));
    assert_eq!(lab.commit("a", 2, (T, 1)), ErrorCode::None, "it commits what it is about to give up");
    assert_eq!(lab.beat("a", 2, None), ok(2, None));
    assert_eq!(lab.beat("b", 3, None), ok(3, None));
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(3, None));
    assert_eq!(lab.commit("a", 2, (T, 0)), ErrorCode::None, "an epoch that has passed will do for what it kept");
    assert_eq!(lab.commit("a", 2, (T, 1)), ErrorCode::StaleMemberEpoch);
    assert_eq!(lab.beat("a", 3, None), ok(3, None));
    assert_eq!(lab.beat("b", 3, None), ok(3, Some(T1)));
    assert_eq!(lab.group().state(), GroupState::Stable);
    assert_eq!(lab.commit("b", 2, (T, 1)), ErrorCode::StaleMemberEpoch, "it got that later");
    assert_eq!(lab.beat("b", 3, Some(T1)), ok(3, None));
    assert_eq!(lab.beat("a", -1, None), (ErrorCode::None, -1, None));
    lab.later(3_000);
    assert_eq!(lab.beat("b", 3, None), ok(4, Some(T01)));
    assert_eq!(lab.beat("b", 4, Some(T01)), ok(4, None));
}

#[test]
fn consumer_protocol_epochs() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    assert_eq!(lab.beat("a", 1, None), no(ErrorCode::GroupIdNotFound));
    assert_eq!(lab.beat("a", 0, None), no(ErrorCode::InvalidRequest));
    let owns = ConsumerGroupHeartbeatRequest { topic_partitions: Some(partitions(T0)), ..joining("a", &["t"]) };
    assert_eq!(lab.send(&owns), no(ErrorCode::InvalidRequest));
    assert_eq!(lab.join("a", &[]), ok(1, Some(&[])));
    assert_eq!(lab.join("", &["t"]), no(ErrorCode::InvalidRequest));
    let nobody = ConsumerGroupHeartbeatRequest { server_assignor: Some("nobody".into()), ..joining("a", &["t"]) };
    assert_eq!(lab.send(&nobody), no(ErrorCode::UnsupportedAssignor));
    assert_eq!(lab.join("a", &["t"]), ok(2, Some(T01)));
    assert_eq!(lab.beat("a", 5, None), no(ErrorCode::FencedMemberEpoch));
    assert_eq!(lab.beat("b", 1, None), no(ErrorCode::UnknownMemberId));
    assert_eq!(lab.beat("a", -2, None), no(ErrorCode::InvalidRequest));
    assert_eq!(lab.beat("a", -3, None), no(ErrorCode::InvalidRequest));
}

/// testConsumerGroupMemberEpochValidation
#[test]
fn g15_consumer_group_member_epoch_validation() {
    let owned: Parts<'_> = &[(T, 1), (T, 2), (T, 3)];
    let stored = || {
        let mut lab = Lab::new(&[("t", T, 4)]);
        let mut member = ConsumerGroupMember::new("a".into());
        (member.member_epoch, member.previous_member_epoch) = (100, 99);
        member.assigned = Rc::new(owned.iter().map(|(t, index)| (TopicPartition::new(*t, *index), 99)).collect());
        let group = "g".into();
        lab.append(vec![
            record::member_record(&group, &member),
            record::group_record(&group, GroupValue { epoch: 100, metadata_hash: 0 }),
            record::target_record(&group, TargetValue { epoch: 100, timestamp: 0 }),
            record::current_record(&group, &member),
        ]);
        lab
    };
    assert_eq!(stored().beat("a", 200, None), no(ErrorCode::FencedMemberEpoch));
    assert_eq!(stored().beat("a", 50, None), no(ErrorCode::FencedMemberEpoch));
    assert_eq!(stored().beat("a", 99, None), no(ErrorCode::FencedMemberEpoch));
    assert_eq!(stored().beat("a", 99, Some(&[(T, 0)])), no(ErrorCode::FencedMemberEpoch));
    assert_eq!(stored().beat("a", 99, Some(&owned[..2])), ok(100, None));
}

#[test]
fn consumer_protocol_static_member() {
    let mut lab = Lab::new(&[("t", T, 1)]);
    let join = |member| with_instance(joining(member, &["t"]));
    assert_eq!(lab.send(&join("a")), ok(2, Some(T0)));
    assert_eq!(lab.send(&join("b")), no(ErrorCode::UnreleasedInstanceId));
    assert_eq!(lab.send(&with_instance(heartbeat("a", -2))), (ErrorCode::None, -2, None));
    assert_eq!(lab.send(&join("b")), ok(2, Some(T0)), "nothing is assigned anew");
    assert_eq!(lab.send(&with_instance(heartbeat("a", 2))), no(ErrorCode::FencedInstanceId));
    assert_eq!(lab.send(&with_instance(heartbeat("b", 2))), ok(2, None));
    let stranger = ConsumerGroupHeartbeatRequest { instance_id: Some("j".into()), ..heartbeat("b", 2) };
    assert_eq!(lab.send(&stranger), no(ErrorCode::UnknownMemberId));
}

#[test]
fn consumer_protocol_subscription_changes() {
    let mut lab = Lab::new(&[("t", T, 1), ("u", U, 1)]);
    assert_eq!(lab.join("a", &["t"]), ok(2, Some(T0)));
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(2, None));
    let subscribe = |epoch, topics: &[&str]| ConsumerGroupHeartbeatRequest {
        subscribed_topics: joining("a", topics).subscribed_topics,
        ..heartbeat("a", epoch)
    };
    assert_eq!(lab.send(&subscribe(2, &["t", "u"])), ok(2, None));
    lab.later(3_000);
    assert_eq!(lab.beat("a", 2, None), ok(3, Some(&[(T, 0), (U, 0)])));
    assert_eq!(lab.beat("a", 3, None), ok(3, None));
    assert_eq!(lab.send(&subscribe(3, &["u", "nobody"])), ok(3, Some(&[(U, 0)])));
    lab.later(3_000);
    assert_eq!(lab.beat("a", 3, None), ok(3, None));
    assert_eq!(lab.beat("a", 3, Some(&[(U, 0)])), ok(4, None));
    assert_eq!(lab.beat("a", 4, None), ok(4, None));
}

#[test]
fn consumer_protocol_joins_again() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    assert_eq!(lab.join("a", &["t"]), ok(2, Some(T01)));
    assert_eq!(lab.join("a", &["t"]), ok(2, Some(T01)));
    assert_eq!(lab.beat("a", 2, None), ok(2, None));
}
