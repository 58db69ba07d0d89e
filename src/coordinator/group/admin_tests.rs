//! GroupMetadataManagerTest, OffsetMetadataManagerTest: list, describe, delete.

use super::*;
use crate::base::config::BrokerConfig;
use crate::base::{Duration, Prng, Time, TopicId};
use crate::coordinator::group::classic::Work;
use crate::coordinator::group::shard::tests::image;
use crate::node::{Channel, ConnectionId, MessageId, RequestContext};
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerSubscription, JoinGroupProtocol, JoinGroupRequest, OffsetCommitPartition,
    OffsetCommitRequest,
};
use crate::record::NO_PRODUCER_ID;

const ORDERS: TopicPartition = TopicPartition::new(TopicId(1), 0);
const BILLS: TopicPartition = TopicPartition::new(TopicId(2), 0);
const NOWHERE: TopicPartition = TopicPartition::new(TopicId(9), 0);

/// A shard, and a log that commits at once.
struct Lab {
    shard: GroupShard,
    config: BrokerConfig,
    now: Time,
}

impl Lab {
    /// `simple` has offsets alone, `new` a member of the consumer protocol, `old` one of the classic protocol.
    fn new() -> Lab {
        let (shard, config) = (GroupShard::new(4_096), BrokerConfig::default());
        let mut lab = Lab { shard, config, now: Time::ORIGIN };
        lab.commit("simple", ORDERS);
        lab.consumer("a", 0);
        lab.join("old", "consumer");
        lab
    }

    fn apply(&mut self, records: &[CoordinatorRecord], producer_id: i64) {
        for record in records {
            self.shard.appended(record);
            self.shard.offsets.replay(0, producer_id, record).expect("a shard reads what it wrote");
        }
    }

    fn commit(&mut self, group: &str, partition: TopicPartition) {
        let records = self.commit_records(group, partition);
        self.apply(&records, NO_PRODUCER_ID);
    }

    fn commit_records(&mut self, group: &str, partition: TopicPartition) -> Vec<CoordinatorRecord> {
        let offsets = vec![OffsetCommitPartition { partition, offset: 5, leader_epoch: -1, metadata: "".into() }];
        let (group, member_id) = (group.into(), "".into());
        let request = OffsetCommitRequest { group, generation: -1, member_id, instance_id: None, offsets };
        self.shard.commit(&request, &image(), self.now).0
    }

    fn consumer(&mut self, member: &str, member_epoch: i32) {
        let request = ConsumerGroupHeartbeatRequest {
            group: "new".into(),
            member_id: member.into(),
            member_epoch,
            instance_id: None,
            rack_id: Some("r".into()),
            rebalance_timeout: Some(Duration::from_millis(30_000)),
            subscribed_topics: Some(vec!["orders".into()]),
            subscribed_regex: None,
            server_assignor: Some("range".into()),
            topic_partitions: Some(Vec::new()),
            client_id: "c".into(),
        };
        let mut random = Prng::split(1, "groups");
        let mut work = Work::new(self.now, &self.config, &mut random);
        let handled = self.shard.consumer_heartbeat(&request, &image(), &mut work);
        assert_eq!(handled.response.error, ErrorCode::None);
        self.apply(&handled.records, NO_PRODUCER_ID);
    }

    /// A static member joins, so that it needs no member id.
    fn join(&mut self, group: &str, protocol_type: &str) {
        let topics = vec![Rc::from("orders")];
        let metadata = ConsumerSubscription { topics, ..ConsumerSubscription::default() }.encode();
        let request = JoinGroupRequest {
            group: group.into(),
            client_id: "c".into(),
            session_timeout: Duration::from_millis(45_000),
            rebalance_timeout: Duration::from_millis(60_000),
            member_id: "".into(),
            instance_id: Some("i".into()),
            protocol_type: protocol_type.into(),
            protocols: vec![JoinGroupProtocol { name: "range".into(), metadata }],
        };
        self.work(|shard, work| assert!(shard.join(context(), &request, &image(), work).is_none()));
    }

    fn work(&mut self, run: impl FnOnce(&mut GroupShard, &mut Work<'_>)) {
        let mut random = Prng::split(1, "groups");
        let mut work = Work::new(self.now, &self.config, &mut random);
        run(&mut self.shard, &mut work);
        let written: Vec<CoordinatorRecord> = work.writes.into_iter().map(|(record, _)| record).collect();
        self.apply(&written, NO_PRODUCER_ID);
    }

    /// Time passes; what is due happens.
    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        while let Some((group, due)) = self.shard.groups.due(self.now) {
            self.work(|shard, work| shard.groups.expire(&group, due, work));
        }
    }

    fn list(&self, states: &[&str], types: &[&str]) -> Vec<(String, &'static str, &'static str)> {
        let names = |names: &[&str]| names.iter().map(|name| Rc::from(*name)).collect();
        let listed = self.shard.list(&ListGroupsRequest { states: names(states), types: names(types) });
        listed.into_iter().map(|it| (it.group.to_string(), it.state.name(), it.kind.name())).collect()
    }

    fn delete(&mut self, groups: &[&str]) -> Vec<ErrorCode> {
        let groups: Vec<Rc<str>> = groups.iter().map(|group| Rc::from(*group)).collect();
        let (records, results) = self.shard.delete(&groups);
        self.apply(&records, NO_PRODUCER_ID);
        results.into_iter().map(|(_, error)| error).collect()
    }

    fn delete_offsets(&mut self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<ErrorCode>, ErrorCode> {
        let (records, results) = self.shard.delete_offsets(&group.into(), partitions, &image())?;
        self.apply(&records, NO_PRODUCER_ID);
        Ok(results.into_iter().map(|(_, error)| error).collect())
    }
}

fn context() -> RequestContext {
    let (client, server) = (crate::base::NodeId(9), crate::base::NodeId(0));
    let connection = ConnectionId { client, server, channel: Channel::Coordinator, generation: 0 };
    RequestContext { connection, correlation_id: 1, request: MessageId(0) }
}

/// testListGroups: filters are compared without regard to case, states also without regard to blanks around them.
#[test]
fn groups_are_listed_by_state_and_type() {
    let mut lab = Lab::new();
    lab.pass(3_000);
    let all = [
        ("new".to_owned(), "Stable", "consumer"),
        ("old".to_owned(), "CompletingRebalance", "classic"),
        ("simple".to_owned(), "Empty", "classic"),
    ];
    assert_eq!(lab.list(&[], &[]), all);
    assert_eq!(lab.list(&[], &["CoNsUmEr"]), all[..1]);
    assert_eq!(lab.list(&[" empty ", "completingrebalance"], &[]), all[1..]);
    assert_eq!(lab.list(&["Stable"], &["classic"]), []);
    assert_eq!(lab.list(&["nonsense"], &[]), [], "what does not exist lets nothing pass");
    assert_eq!(lab.list(&[], &["nonsense"]), []);
    let types: Vec<_> = lab.shard.list(&ListGroupsRequest::default()).into_iter().map(|it| it.protocol_type).collect();
    assert_eq!(types, [Rc::from("consumer"), Rc::from("consumer"), Rc::from("")]);
}

/// testDescribeGroupStable and its neighbours.
#[test]
fn a_classic_group_is_described_with_metadata_when_it_is_stable_only() {
    let mut lab = Lab::new();
    lab.pass(3_000);
    let described = lab.shard.describe(&"old".into());
    assert_eq!((described.error, described.state), (ErrorCode::None, Some(GroupState::CompletingRebalance)));
    assert_eq!((&*described.protocol_type, &*described.protocol), ("consumer", ""));
    assert_eq!(described.members.len(), 1);
    assert_eq!((described.members[0].metadata.len(), described.members[0].instance_id.as_deref()), (0, Some("i")));
    let simple = lab.shard.describe(&"simple".into());
    assert_eq!((simple.error, simple.state, simple.members), (ErrorCode::None, Some(GroupState::Empty), Vec::new()));
}

/// testDescribeGroupsGroupIdNotFoundException: version 6 says so, and a group of another protocol is not found either.
#[test]
fn what_is_no_classic_group_is_dead() {
    let lab = Lab::new();
    for group in ["nobody", "new"] {
        let described = lab.shard.describe(&group.into());
        assert_eq!((described.error, described.state), (ErrorCode::GroupIdNotFound, Some(GroupState::Dead)), "{group}");
    }
}

/// testConsumerGroupDescribeNoErrors, testConsumerGroupDescribeWithErrors.
#[test]
fn a_group_of_the_consumer_protocol_is_described() {
    let lab = Lab::new();
    let described = lab.shard.describe_consumers(&"new".into(), &lab.config.group_consumer_assignors, &image());
    assert_eq!((described.error, described.state), (ErrorCode::None, Some(GroupState::Stable)));
    assert_eq!((described.epoch, described.assignment_epoch, &*described.assignor), (2, 2, "range"));
    let member = &described.members[0];
    assert_eq!((&*member.member_id, member.member_epoch, member.rack_id.as_deref()), ("a", 2, Some("r")));
    let both = vec![ORDERS, TopicPartition::new(TopicId(1), 1)];
    assert_eq!((&member.assigned, &member.target), (&both, &both));
    assert_eq!((&member.subscribed_topics, member.subscribed_regex.as_deref()), (&vec![Rc::from("orders")], Some("")));
    for group in ["nobody", "old", "simple"] {
        let described = lab.shard.describe_consumers(&group.into(), &lab.config.group_consumer_assignors, &image());
        assert_eq!(described, DescribedConsumerGroup::failed(group.into(), ErrorCode::GroupIdNotFound));
    }
}

/// testDeleteGroups, testValidateDeleteGroups: a group with members stays; the others are gone with their offsets.
#[test]
fn groups_without_members_are_deleted() {
    let mut lab = Lab::new();
    let groups = ["simple", "new", "old", "nobody"];
    let non_empty = ErrorCode::NonEmptyGroup;
    assert_eq!(lab.delete(&groups), [ErrorCode::None, non_empty, non_empty, ErrorCode::GroupIdNotFound]);
    assert_eq!(lab.list(&[], &[]).len(), 2);
    assert_eq!(lab.shard.offsets.offsets().count(), 0);
    lab.consumer("a", -1);
    lab.pass(3_000);
    lab.pass(300_000);
    assert_eq!(lab.shard.groups.group("old").map(ClassicGroup::state), Some(GroupState::Empty));
    assert_eq!(lab.delete(&groups[1..3]), [ErrorCode::None, ErrorCode::None]);
    assert_eq!(lab.list(&[], &[]), []);
}

/// testDeleteGroupAllOffsets, with pending ones: one tombstone for each partition.
#[test]
fn pending_offsets_are_deleted_with_their_group() {
    let mut lab = Lab::new();
    lab.commit("simple", BILLS);
    for partition in [BILLS, TopicPartition::new(TopicId(2), 1)] {
        let records = lab.commit_records("simple", partition);
        lab.apply(&records, 7);
    }
    assert_eq!(lab.shard.delete(&["simple".into()]).0.len(), 3 + 1);
    assert_eq!(lab.delete(&["simple"]), [ErrorCode::None]);
    assert_eq!(lab.shard.offsets.pending_offsets().count(), 0);
    assert_eq!(lab.list(&["Empty"], &[]), []);
}

/// testConsumerGroupOffsetDelete and its neighbours: what members read stays, what is not there is deleted all the same.
#[test]
fn offsets_are_deleted_of_topics_that_nobody_reads() {
    let mut lab = Lab::new();
    let (none, gone) = (ErrorCode::None, ErrorCode::UnknownTopicOrPartition);
    for group in ["new", "old"] {
        let expected = vec![ErrorCode::GroupSubscribedToTopic, none, gone];
        lab.pass(3_000);
        assert_eq!(lab.delete_offsets(group, &[ORDERS, BILLS, NOWHERE]), Ok(expected), "{group}");
    }
    assert_eq!(lab.delete_offsets("simple", &[ORDERS, BILLS]), Ok(vec![none, none]));
    assert_eq!(lab.list(&["Empty"], &[]), [], "the group went with its last offset");
    assert_eq!(lab.delete_offsets("simple", &[]), Err(ErrorCode::GroupIdNotFound));
}

/// testGenericGroupOffsetDeleteWithErrors: whose members are no consumers tells nobody what it reads.
#[test]
fn offsets_of_a_group_of_others_are_deleted_without_members_only() {
    let mut lab = Lab::new();
    lab.join("connect", "connect");
    assert_eq!(lab.delete_offsets("connect", &[ORDERS]), Err(ErrorCode::NonEmptyGroup));
    lab.pass(3_000);
    lab.pass(300_000);
    assert_eq!(lab.delete_offsets("connect", &[ORDERS]), Ok(vec![ErrorCode::None]));
}

/// Before its first generation a group of consumers is taken to read everything.
#[test]
fn a_group_that_has_no_generation_yet_keeps_its_offsets() {
    let mut lab = Lab::new();
    lab.join("young", "consumer");
    assert_eq!(lab.delete_offsets("young", &[BILLS]), Ok(vec![ErrorCode::GroupSubscribedToTopic]));
}
