//! Share groups on a shard, by the names of Kafka's `GroupMetadataManagerTest`.

use super::*;
use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, Duration, SortedSet, TopicId};
use crate::coordinator::group::GroupShard;
use crate::metadata::{ConfigRecord, ConfigResource, MetadataDelta, MetadataImage, MetadataRecord};
use crate::metadata::{PartitionRegistration, Uuid};
use crate::protocol::{
    ErrorCode, GroupState, JOIN_EPOCH, LEAVE_EPOCH, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
};

fn image(topics: &[(&str, u32, u32)]) -> MetadataImage {
    let (mut image, mut delta) = (MetadataImage::default(), MetadataDelta::default());
    let mut offset = 0;
    let mut apply = |record: MetadataRecord| {
        image.apply(offset, &record, &mut delta);
        offset += 1;
    };
    for (name, topic, partitions) in topics {
        apply(MetadataRecord::Topic { name: Rc::from(*name), topic: TopicId(*topic) });
        for index in 0..*partitions {
            let registration = PartitionRegistration::new(vec![BrokerId(0)], vec![BrokerId(0)]);
            apply(MetadataRecord::Partition(registration.to_record(TopicPartition::new(TopicId(*topic), index))));
        }
    }
    image
}

/// A shard that replays what its handlers give, as its log would.
struct Lab {
    shard: GroupShard,
    log: Vec<CoordinatorRecord>,
    image: MetadataImage,
    config: BrokerConfig,
    now: Time,
}

impl Lab {
    fn new() -> Lab {
        let image = image(&[("orders", 1, 3), ("audit", 2, 1)]);
        let now = Time(10_000_000);
        Lab { shard: GroupShard::new(4096), log: Vec::new(), image, config: BrokerConfig::default(), now }
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings { now: self.now, config: &self.config, image: &self.image }
    }

    fn append(&mut self, records: impl IntoIterator<Item = CoordinatorRecord>) {
        for record in records {
            self.shard.appended(&record);
            self.log.push(record);
        }
    }

    fn heartbeat(
        &mut self,
        member: &str,
        epoch: i32,
        topics: Option<&[&str]>,
    ) -> (ShareGroupHeartbeatResponse, Option<Initialize>) {
        let request = ShareGroupHeartbeatRequest {
            group: Rc::from("mail"),
            member_id: Rc::from(member),
            member_epoch: epoch,
            rack_id: None,
            subscribed_topics: topics.map(|topics| topics.iter().map(|name| Rc::from(*name)).collect()),
            client_id: Rc::from("c"),
        };
        let around = Surroundings { now: self.now, config: &self.config, image: &self.image };
        let (records, response, initialize) = self.shard.share_heartbeat(&request, around);
        self.append(records);
        (response, initialize)
    }

    fn join(&mut self, member: &str) -> i32 {
        let (response, initialize) = self.heartbeat(member, JOIN_EPOCH, Some(&["orders"]));
        assert_eq!(response.error, ErrorCode::None);
        if let Some(initialize) = initialize {
            self.initialized(&initialize, true);
        }
        response.member_epoch
    }

    fn initialized(&mut self, initialize: &Initialize, known: bool) {
        let record = self.shard.shares.initialized(&initialize.group, &initialize.partitions, known, self.now);
        self.append(record);
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn group(&self) -> &ShareGroup {
        self.shard.shares.group("mail").expect("it exists")
    }

    fn assigned(&self, member: &str) -> Vec<u32> {
        self.group().members[member].partitions().into_iter().map(|it| it.partition).collect()
    }
}

#[test]
fn a_member_joins_and_gets_partitions_once_they_are_initialised() {
    let mut lab = Lab::new();
    let (response, initialize) = lab.heartbeat("a", JOIN_EPOCH, Some(&["orders"]));
    assert_eq!((response.member_epoch, response.assignment), (2, Some(vec![])));
    assert_eq!(response.heartbeat_interval, Duration::from_millis(5_000));
    let initialize = initialize.expect("nothing is initialised");
    assert_eq!((initialize.state_epoch, initialize.partitions.len()), (2, 3));
    let (response, again) = lab.heartbeat("a", 2, None);
    assert_eq!((response.assignment, again), (None, None), "under way");
    lab.initialized(&initialize, true);
    assert!(lab.group().partitions().initializing.is_empty());
    lab.wait(1_000);
    let (response, _) = lab.heartbeat("a", 2, None);
    assert_eq!((response.member_epoch, response.assignment.map(|it| it.len())), (3, Some(3)));
    assert_eq!(lab.heartbeat("a", 3, None).0.assignment, None, "it has not changed");
}

#[test]
fn two_members_share_partitions_so_that_both_have_work() {
    let mut lab = Lab::new();
    lab.image = image(&[("orders", 1, 1)]);
    lab.join("a");
    lab.wait(1_000);
    lab.heartbeat("a", 2, None);
    assert_eq!(lab.assigned("a"), [0]);
    lab.wait(1_000);
    lab.join("b");
    assert_eq!((lab.assigned("a"), lab.assigned("b")), (vec![0], vec![0]), "one partition for both");
}

#[test]
fn members_spread_over_partitions_and_keep_what_they_can() {
    let mut lab = Lab::new();
    lab.join("a");
    lab.wait(1_000);
    lab.heartbeat("a", 2, None);
    assert_eq!(lab.assigned("a"), [0, 1, 2]);
    lab.wait(1_000);
    let epoch = lab.join("b");
    let (a, _) = lab.heartbeat("a", 3, None);
    assert_eq!(a.member_epoch, epoch);
    let both: SortedSet<u32> = lab.assigned("a").into_iter().chain(lab.assigned("b")).collect();
    assert_eq!((lab.assigned("a").len(), lab.assigned("b").len(), both.len()), (2, 1, 3));
}

#[test]
fn epochs_are_fenced_but_a_lost_answer_is_forgiven() {
    let mut lab = Lab::new();
    lab.join("a");
    lab.wait(1_000);
    assert_eq!(lab.heartbeat("a", 2, None).0.member_epoch, 3);
    assert_eq!(lab.heartbeat("a", 2, None).0.member_epoch, 3, "the answer was lost");
    assert_eq!(lab.heartbeat("a", 4, None).0.error, ErrorCode::FencedMemberEpoch);
    lab.wait(1_000);
    lab.heartbeat("a", 3, Some(&["orders", "audit"]));
    assert_eq!(lab.heartbeat("a", 2, None).0.error, ErrorCode::FencedMemberEpoch);
    assert_eq!(lab.heartbeat("x", 2, None).0.error, ErrorCode::UnknownMemberId);
    assert_eq!(lab.heartbeat("x", LEAVE_EPOCH, None).0.error, ErrorCode::UnknownMemberId);
}

#[test]
fn incomplete_requests_are_refused() {
    let mut lab = Lab::new();
    assert_eq!(lab.heartbeat("a", JOIN_EPOCH, None).0.error, ErrorCode::InvalidRequest);
    assert_eq!(lab.heartbeat("a", JOIN_EPOCH, Some(&[])).0.error, ErrorCode::InvalidRequest);
    assert_eq!(lab.heartbeat("", JOIN_EPOCH, Some(&["orders"])).0.error, ErrorCode::InvalidRequest);
    assert_eq!(lab.heartbeat("a", -2, Some(&["orders"])).0.error, ErrorCode::InvalidRequest);
    assert_eq!(lab.heartbeat("a", 2, None).0.error, ErrorCode::GroupIdNotFound);
    lab.config.group_share_max_size = 1;
    lab.join("a");
    assert_eq!(lab.heartbeat("b", JOIN_EPOCH, Some(&["orders"])).0.error, ErrorCode::GroupMaxSizeReached);
}

#[test]
fn a_member_that_leaves_or_is_silent_is_removed() {
    let mut lab = Lab::new();
    lab.join("a");
    lab.wait(20_000);
    lab.join("b");
    lab.wait(25_000);
    let around = Surroundings { now: lab.now, config: &lab.config, image: &lab.image };
    let (_, records) = lab.shard.shares.expire_one(around).expect("45 s");
    assert!(lab.shard.shares.expire_one(around).is_none(), "b has time");
    lab.append(records);
    assert_eq!(lab.group().members().map(|member| &*member.member_id).collect::<Vec<_>>(), ["b"]);
    let epoch = lab.group().epoch();
    let (response, _) = lab.heartbeat("b", LEAVE_EPOCH, None);
    assert_eq!((response.error, response.member_epoch), (ErrorCode::None, LEAVE_EPOCH));
    assert_eq!((lab.group().state(), lab.group().epoch()), (GroupState::Empty, epoch + 1));
    assert_eq!(lab.shard.deadline(), None);
}

#[test]
fn a_failed_initialisation_is_tried_again_and_a_forgotten_one_after_a_while() {
    let mut lab = Lab::new();
    let (_, initialize) = lab.heartbeat("a", JOIN_EPOCH, Some(&["orders"]));
    lab.initialized(&initialize.expect("new"), false);
    let (_, again) = lab.heartbeat("a", 2, None);
    assert!(again.is_some());
    lab.wait(29_000);
    assert!(lab.heartbeat("a", 2, None).1.is_none());
    lab.wait(1_000);
    assert!(lab.heartbeat("a", 2, None).1.is_some(), "30 s");
}

#[test]
fn new_partitions_are_initialised_and_assigned() {
    let mut lab = Lab::new();
    lab.join("a");
    lab.wait(1_000);
    lab.heartbeat("a", 2, None);
    lab.image = image(&[("orders", 1, 5), ("audit", 2, 1)]);
    lab.wait(1_000);
    let (response, initialize) = lab.heartbeat("a", 3, None);
    assert_eq!(response.member_epoch, 4, "the topic has changed");
    let initialize = initialize.expect("two are new");
    assert_eq!(initialize.partitions.iter().map(|it| it.partition).collect::<Vec<_>>(), [3, 4]);
    lab.initialized(&initialize, true);
    lab.wait(1_000);
    lab.heartbeat("a", 4, None);
    assert_eq!(lab.assigned("a"), [0, 1, 2, 3, 4]);
}

#[test]
fn a_failover_finds_the_same_group() {
    let mut lab = Lab::new();
    lab.join("a");
    lab.wait(1_000);
    lab.join("b");
    lab.wait(1_000);
    lab.heartbeat("a", 2, None);
    lab.heartbeat("b", LEAVE_EPOCH, None);
    let mut loaded = GroupShard::new(4096);
    lab.log.iter().for_each(|record| loaded.load(record));
    let (mine, theirs) = (lab.group(), loaded.shares.group("mail").expect("loaded"));
    assert_eq!((mine.members.clone(), mine.target.clone()), (theirs.members.clone(), theirs.target.clone()));
    assert_eq!(
        (mine.epoch, mine.target_epoch, mine.metadata_hash),
        (theirs.epoch, theirs.target_epoch, theirs.metadata_hash)
    );
    assert_eq!(mine.partitions.initialized, theirs.partitions.initialized);
    loaded.shares.loaded(lab.around());
    assert_eq!(loaded.deadline(), Some(lab.now + lab.config.group_share_session_timeout_ms));
}

#[test]
fn a_group_is_described() {
    let mut lab = Lab::new();
    lab.join("a");
    lab.wait(1_000);
    lab.heartbeat("a", 2, None);
    let group = lab.shard.shares.describe(&Rc::from("mail"));
    assert_eq!((group.state, group.group_epoch, group.assignment_epoch, group.assignor), ("Stable", 3, 3, "simple"));
    assert_eq!((group.members.len(), group.members[0].assignment.len()), (1, 3));
    assert_eq!(lab.shard.shares.describe(&Rc::from("x")).error, ErrorCode::GroupIdNotFound);
}

#[test]
fn records_are_kafkas_to_the_byte() {
    let mut lab = Lab::new();
    lab.image = image(&[("orders", 1, 1)]);
    lab.join("m");
    let uuid = |bytes: &mut Vec<u8>| {
        bytes.extend(Uuid::of_topic(TopicId(1)).high.to_be_bytes());
        bytes.extend(Uuid::of_topic(TopicId(1)).low.to_be_bytes());
    };
    let keys: Vec<&[u8]> = lab.log.iter().map(|record| &record.key[..]).collect();
    let of_group = |kind: u8| [&[0, kind], &b"\0\x04mail"[..]].concat();
    let of_member = |kind: u8| [&of_group(kind)[..], &b"\0\x01m"[..]].concat();
    let expected =
        [of_member(10), of_group(11), of_member(13), of_group(12), of_member(14), of_group(15), of_group(15)];
    assert_eq!(keys, expected.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let value = |at: usize| lab.log[at].value.as_deref().expect("a value");
    assert_eq!(value(0), b"\0\0\0\x02c\x0b/127.0.0.1\x02\x07orders\0");
    assert_eq!(&value(1)[..6], b"\0\0\0\0\0\x02");
    assert_eq!(value(1).len(), 15, "the hash is no tagged field");
    assert_eq!(value(2), b"\0\0\x01\0", "nothing yet");
    assert_eq!(value(4), b"\0\0\0\0\0\x02\0\0\0\0\0\x01\0");
    let mut bytes = b"\0\0\x02".to_vec();
    uuid(&mut bytes);
    bytes.extend(b"\x07orders\x02\0\0\0\0\0\x01\x01\0");
    assert_eq!(value(5), bytes, "initializing");
    let mut bytes = b"\0\0\x01\x02".to_vec();
    uuid(&mut bytes);
    bytes.extend(b"\x07orders\x02\0\0\0\0\0\x01\0");
    assert_eq!(value(6), bytes, "initialized");
}

/// `kafka-configs --entity-type groups`.
#[test]
fn a_group_may_have_settings_of_its_own() {
    let mut lab = Lab::new();
    for (name, value) in [("share.session.timeout.ms", "50000"), ("share.heartbeat.interval.ms", "7000")] {
        let (resource, value) = (ConfigResource::Group, Some(Rc::from(value)));
        let record = ConfigRecord { resource, resource_name: Rc::from("mail"), name: Rc::from(name), value };
        let record = MetadataRecord::Config(record);
        lab.image.apply(lab.image.offset() + 1, &record, &mut MetadataDelta::default());
    }
    let (response, _) = lab.heartbeat("a", JOIN_EPOCH, Some(&["orders"]));
    assert_eq!(response.heartbeat_interval.as_millis(), 7_000);
    let session = lab.now + Duration::from_millis(50_000);
    assert_eq!(lab.shard.deadline(), Some(session));
    let mut loaded = GroupShard::new(4096);
    lab.log.iter().for_each(|record| loaded.load(record));
    loaded.shares.loaded(lab.around());
    assert_eq!(loaded.deadline(), Some(session));
}
