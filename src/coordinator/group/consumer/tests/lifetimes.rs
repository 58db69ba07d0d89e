//! Silence, slowness, topics that grow, groups that change their kind, and what is written of it all.

use super::*;
use crate::base::config::ServerAssignor;
use crate::coordinator::group::offset_records::{OffsetAndMetadata, OffsetKey, offset_commit_record};
use crate::record::NO_PRODUCER_ID;

#[test]
fn a_silent_member_is_removed_and_the_others_take_over() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.join("a", &["t"]);
    lab.later(1_000);
    assert_eq!(lab.join("b", &["t"]), ok(3, Some(&[])), "a second has passed");
    lab.later(44_000 - 1);
    assert_eq!(lab.beat("b", 3, Some(&[])), ok(3, None));
    lab.later(1);
    assert_eq!((lab.group().members().len(), lab.group().epoch()), (1, 4), "45 s of silence");
    assert_eq!(lab.beat("b", 3, Some(&[])), ok(4, Some(T01)));
    assert_eq!(lab.beat("a", 2, Some(T01)), no(ErrorCode::UnknownMemberId));
}

#[test]
fn who_does_not_revoke_in_time_is_removed() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.join("a", &["t"]);
    lab.later(1_000);
    lab.join("b", &["t"]);
    assert_eq!(lab.beat("a", 2, Some(T01)), ok(2, Some(T0)));
    for _ in 0..2 {
        lab.later(14_999);
        assert_eq!(lab.beat("a", 2, Some(T01)), ok(2, None), "heartbeats do not help");
    }
    assert_eq!(lab.beat("b", 3, None), ok(3, None));
    lab.later(2);
    assert_eq!(lab.beat("a", 2, Some(T01)), no(ErrorCode::UnknownMemberId), "30 s, its rebalance timeout");
    assert_eq!(lab.beat("b", 3, None), ok(4, Some(T01)));
}

#[test]
fn who_revokes_in_time_stays() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.join("a", &["t"]);
    lab.later(1_000);
    lab.join("b", &["t"]);
    lab.beat("a", 2, Some(T01));
    lab.later(29_999);
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(3, None));
    lab.later(10_000);
    assert_eq!(lab.beat("a", 3, None), ok(3, None));
}

#[test]
fn a_static_member_that_stays_away_is_removed() {
    let mut lab = Lab::new(&[("t", T, 1)]);
    lab.send(&with_instance(joining("a", &["t"])));
    lab.send(&with_instance(heartbeat("a", -2)));
    lab.later(44_999);
    assert_eq!(lab.group().members().len(), 1);
    lab.later(1);
    assert_eq!(lab.group().state(), GroupState::Empty);
    assert_eq!(lab.send(&with_instance(joining("b", &["t"]))).0, ErrorCode::None);
}

#[test]
fn topics_that_grow_or_appear_are_assigned() {
    let mut lab = Lab::new(&[("t", T, 1)]);
    assert_eq!(lab.join("a", &["t", "u"]), ok(2, Some(T0)));
    lab.partition(T, 1);
    lab.later(1_000);
    assert_eq!(lab.beat("a", 2, None), ok(3, Some(T01)));
    lab.follow(MetadataRecord::Topic { name: "u".into(), topic: U });
    lab.partition(U, 0);
    lab.later(1_000);
    assert_eq!(lab.beat("a", 3, None), ok(4, Some(&[(T, 0), (T, 1), (U, 0)])));
    lab.follow(MetadataRecord::RemoveTopic { topic: U });
    lab.later(1_000);
    assert_eq!(lab.beat("a", 4, None), ok(4, Some(T01)), "it must give it up first");
    assert_eq!(lab.beat("a", 4, Some(T01)), ok(5, None));
}

#[test]
fn members_choose_the_assignor() {
    let mut lab = Lab::new(&[("t", T, 3), ("u", U, 3)]);
    let range = |member| ConsumerGroupHeartbeatRequest {
        server_assignor: Some("range".into()),
        ..joining(member, &["t", "u"])
    };
    lab.send(&range("a"));
    lab.later(1_000);
    lab.send(&range("b"));
    let target =
        |lab: &Lab| lab.group().target("a").expect("it has one").values().map(|it| it.len()).collect::<Vec<_>>();
    assert_eq!(target(&lab), [2, 2], "uniform would give three");
}

#[test]
fn of_two_assignors_with_as_many_votes_uniform_counts_unless_the_only_vote_for_range_is_cast_anew() {
    let mut lab = Lab::new(&[("t", T, 3)]);
    for (member, assignor) in [("a", "range"), ("b", "uniform")] {
        lab.send(&ConsumerGroupHeartbeatRequest { server_assignor: Some(assignor.into()), ..joining(member, &["t"]) });
    }
    let group = lab.group();
    let preferred = |member: Option<&str>| {
        let member = member.map(|id| &group.members[id]);
        group.preferred_assignor(member, member, &lab.config.group_consumer_assignors)
    };
    let all = [None, Some("a"), Some("b")].map(preferred);
    assert_eq!(all, [ServerAssignor::Uniform, ServerAssignor::Range, ServerAssignor::Uniform]);
}

#[test]
fn an_empty_classic_group_makes_room_and_keeps_its_offsets() {
    let mut lab = Lab::new(&[("t", T, 1)]);
    let key = OffsetKey { group: "g".into(), topic: "t".into(), partition: 0 };
    let offset = OffsetAndMetadata {
        offset: 5,
        leader_epoch: -1,
        metadata: "".into(),
        commit_timestamp: lab.now.wall_clock_ms(),
        expire_timestamp: None,
        topic_id: None,
    };
    lab.shard.offsets.replay(0, NO_PRODUCER_ID, &offset_commit_record(&key, &offset)).expect("it can be read");
    assert_eq!(lab.join("a", &["t"]), ok(2, Some(T0)));
    assert_eq!(lab.log[0].value, None, "the classic group's tombstone");
    let fetch = |member: Option<(Rc<str>, MemberEpoch)>| {
        let partitions = partitions(T0);
        let request = OffsetFetchRequest { group: "g".into(), partitions, require_stable: false, member };
        let response = lab.shard.fetch(&request, &lab.image);
        (response.error, response.partitions.first().map(|it| it.offset))
    };
    assert_eq!(fetch(None), (ErrorCode::None, Some(5)));
    assert_eq!(fetch(Some(("a".into(), 2))), (ErrorCode::None, Some(5)));
    assert_eq!(fetch(Some(("a".into(), 1))), (ErrorCode::StaleMemberEpoch, None));
    assert_eq!(fetch(Some(("b".into(), 2))), (ErrorCode::UnknownMemberId, None));
}

#[test]
fn what_a_member_subscribes_to_does_not_expire_and_an_empty_group_does() {
    let mut lab = Lab::new(&[("t", T, 1)]);
    lab.join("a", &["t"]);
    let week = Duration::from_millis(7 * 24 * 3_600_000);
    assert_eq!(lab.shard.cleanup(week, lab.now + week), []);
    lab.beat("a", -1, None);
    let tombstones = lab.shard.cleanup(week, lab.now);
    let keys: Vec<_> = tombstones.iter().map(|it| (it.key[1], it.value.is_none())).collect();
    assert_eq!(keys, [(6, true), (4, true), (3, true)]);
    lab.append(tombstones);
    assert_eq!(lab.shard.consumers.iter().len(), 0);
}

#[test]
fn what_is_loaded_has_to_send_heartbeats() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.join("a", &["t"]);
    lab.later(1_000);
    lab.join("b", &["t"]);
    lab.beat("a", 2, Some(T01));
    let mut loaded = GroupShard::new(4_096);
    lab.log.iter().for_each(|record| loaded.load(record));
    loaded.consumers.loaded(lab.around());
    lab.shard = loaded;
    lab.later(30_000 - 1);
    assert_eq!(lab.group().members().len(), 2);
    lab.later(1);
    assert_eq!(lab.group().members().len(), 1, "it was revoking");
    assert_eq!(lab.beat("b", 3, None), ok(4, Some(T01)));
    lab.later(45_000);
    assert_eq!(lab.group().state(), GroupState::Empty);
}

#[test]
fn the_bytes_are_kafkas() {
    let mut lab = Lab::new(&[("t", T, 1)]);
    lab.send(&with_instance(joining("a", &["t"])));
    let topic = crate::metadata::Uuid::of_topic(T);
    let id: Vec<u8> = [topic.high, topic.low].iter().flat_map(|half| half.to_be_bytes()).collect();
    let of_member = |kind: u8| [b"\0", &[kind][..], b"\0\x01g\0\x01a"].concat();
    let of_group = |kind: u8| [b"\0", &[kind][..], b"\0\x01g"].concat();
    let hash = lab.group().epoch.metadata_hash.to_be_bytes();
    let now = lab.now.wall_clock_ms().to_be_bytes();
    let expected: [(Vec<u8>, Vec<u8>); 5] = [
        (of_member(5), b"\0\0\x02i\0\x02c\x0b/127.0.0.1\x02\x02t\x01\0\0\x75\x30\0\0".to_vec()),
        (of_group(3), [b"\0\0\0\0\0\x02\x01\0\x08", &hash[..]].concat()),
        (of_member(7), [b"\0\0\x02", &id[..], b"\x02\0\0\0\0\0\0"].concat()),
        (of_group(6), [b"\0\0\0\0\0\x02\x01\0\x08", &now[..]].concat()),
        (
            of_member(8),
            [b"\0\0\0\0\0\x02\0\0\0\0\0\x02", &id[..], b"\x02\0\0\0\0\x01\0\x05\x02\0\0\0\x02\x01\0"].concat(),
        ),
    ];
    let written: Vec<_> =
        lab.log.iter().map(|it| (it.key.to_vec(), it.value.clone().expect("no tombstone").to_vec())).collect();
    assert_eq!(written, expected);
}

#[test]
fn kafka_dump_log_prints_them() {
    let mut lab = Lab::new(&[("t", T, 1)]);
    lab.send(&with_instance(joining("a", &["t"])));
    lab.send(&with_instance(heartbeat("a", -1)));
    let batch = crate::coordinator::batch_of(&lab.log, 0);
    let printed = |record: &_| crate::coordinator::offsets_record_json(record);
    let printed: Vec<_> = batch.raw_records().map(|it| printed(&it.expect("it is fine"))).collect();
    let topic = crate::metadata::Uuid::of_topic(T);
    let (hash, now) = (metadata_hash::metadata_hash([Rc::from("t")].iter(), &lab.image), lab.now.wall_clock_ms());
    let data = |kind: i32, member: &str, value: String| {
        let value = if value.is_empty() { "<DELETE>".into() } else { format!(r#"{{"version":"0","data":{value}}}"#) };
        (Some(format!(r#"{{"type":"{kind}","data":{{"groupId":"g"{member}}}}}"#)), Some(value))
    };
    let a = r#","memberId":"a""#;
    let member = r#"{"instanceId":"i","rackId":null,"clientId":"c","clientHost":"/127.0.0.1","subscribedTopicNames":["t"],"subscribedTopicRegex":"","rebalanceTimeoutMs":30000,"serverAssignor":null}"#;
    let expected = [
        data(5, a, member.into()),
        data(3, "", format!(r#"{{"epoch":2,"metadataHash":{hash}}}"#)),
        data(7, a, format!(r#"{{"topicPartitions":[{{"topicId":"{topic}","partitions":[0]}}]}}"#)),
        data(6, "", format!(r#"{{"assignmentEpoch":2,"assignmentTimestamp":{now}}}"#)),
        data(
            8,
            a,
            format!(
                r#"{{"memberEpoch":2,"previousMemberEpoch":0,"state":0,"assignedPartitions":[{{"topicId":"{topic}","partitions":[0],"assignmentEpochs":[2]}}],"partitionsPendingRevocation":[]}}"#
            ),
        ),
        data(8, a, String::new()),
        data(7, a, String::new()),
        data(5, a, String::new()),
        data(3, "", r#"{"epoch":3}"#.into()),
    ];
    assert_eq!(printed, expected);
}

/// `kafka-configs --entity-type groups`: the group's own settings go before the brokers'.
#[test]
fn a_group_may_have_settings_of_its_own() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.set("consumer.session.timeout.ms", "50000");
    lab.set("consumer.heartbeat.interval.ms", "7000");
    lab.set("consumer.assignment.interval.ms", "5000");
    let request = joining("a", &["t"]);
    let image = lab.image.clone();
    let handled = lab.work(|shard, work| shard.consumer_heartbeat(&request, &image, work));
    assert_eq!(handled.response.heartbeat_interval.as_millis(), 7_000);
    lab.append(handled.records);
    lab.later(4_000);
    lab.join("b", &["t"]);
    assert_eq!((lab.group().epoch(), lab.group().target_epoch()), (3, 2), "the next assignment may wait");
    let mut loaded = GroupShard::new(4_096);
    lab.log.iter().for_each(|record| loaded.load(record));
    loaded.consumers.loaded(lab.around());
    lab.shard = loaded;
    lab.later(50_000 - 1);
    assert_eq!(lab.group().members().len(), 2);
    lab.later(1);
    assert_eq!(lab.shard.consumers.group("g").map_or(0, |group| group.members().len()), 0);
}
