//! Groups on their way from one protocol to the other, as GroupMetadataManagerTest has them (`testUpgrade…`, `testDowngrade…`,
//! `testJoiningConsumerGroup…`, `testClassicGroup…ToConsumerGroup…`).

use super::*;
use crate::base::config::MigrationPolicy;
use crate::coordinator::group::classic::{ClassicGroup, ClassicGroupMember};
use crate::node::{Channel, ConnectionId, MessageId, RequestContext};
use crate::protocol::{
    ConsumerAssignment, ConsumerSubscription, HeartbeatRequest, JoinGroupProtocol, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeavingMember, NamedPartition, Response, SyncGroupRequest,
};

const T2: Parts<'_> = &[(T, 2)];
const NONE: ErrorCode = ErrorCode::None;

/// Error, generation, member id.
type Joined = (ErrorCode, i32, String);

fn named(parts: Parts<'_>) -> Vec<NamedPartition> {
    parts.iter().map(|(topic, index)| (Rc::from(if *topic == T { "t" } else { "u" }), *index)).collect()
}

fn protocols(owned: Parts<'_>) -> Vec<JoinGroupProtocol> {
    let said = ConsumerSubscription {
        topics: vec!["t".into()],
        owned_partitions: named(owned),
        ..ConsumerSubscription::default()
    };
    vec![JoinGroupProtocol { name: "range".into(), metadata: said.encode() }]
}

fn join_request(member: &str, instance: Option<&str>, owned: Parts<'_>) -> JoinGroupRequest {
    JoinGroupRequest {
        group: "g".into(),
        client_id: "c".into(),
        session_timeout: Duration::from_millis(10_000),
        rebalance_timeout: Duration::from_millis(60_000),
        member_id: member.into(),
        instance_id: instance.map(Into::into),
        protocol_type: "consumer".into(),
        protocols: protocols(owned),
    }
}

fn context() -> RequestContext {
    let (client, server, channel) = (crate::base::NodeId(9), crate::base::NodeId(0), Channel::Coordinator);
    let connection = ConnectionId { client, server, channel, generation: 0 };
    RequestContext { connection, correlation_id: 1, request: MessageId(0) }
}

impl Lab {
    /// A Stable classic group in generation 3.
    fn classic(&mut self, members: &[(&str, Option<&str>, Parts<'_>)], protocol_type: &str) {
        let member = |(id, instance, _): &(&str, Option<&str>, Parts<'_>)| {
            let (client, timeout) = ((Rc::from("c"), Rc::from("/127.0.0.1")), Duration::from_millis(10_000));
            let timeouts = (timeout, Duration::from_millis(60_000));
            let instance = instance.map(Into::into);
            ClassicGroupMember::settled(Rc::from(*id), instance, client, timeouts, protocols(&[]).into())
        };
        let mut group = ClassicGroup::of_members("g".into(), 3, members.iter().map(member).collect(), self.now);
        group.assign_with(|member, _| {
            let (_, _, parts) = members.iter().find(|it| *it.0 == *member.member_id).expect("one of these");
            ConsumerAssignment { partitions: named(parts), user_data: None }.encode()
        });
        let mut record = group.record();
        if protocol_type != "consumer" {
            let mut read =
                crate::coordinator::group::classic::GroupMetadata::decode(record.value.as_ref().expect("one"));
            read.as_mut().expect("fine").protocol_type = protocol_type.into();
            record.value = Some(read.expect("fine").encode());
        }
        self.shard.load(&record);
        self.log.push(record);
        self.work(|shard, work| shard.groups.loaded(work));
    }

    fn try_join(&mut self, request: &JoinGroupRequest) -> Joined {
        let (image, now) = (self.image.clone(), self.now);
        let mut work = Work::new(now, &self.config, &mut self.random);
        let handled = self.shard.join(context(), request, &image, &mut work);
        let answer: JoinGroupResponse = match (handled, work.answers.pop()) {
            (Some(Handled { records, response, .. }), None) => {
                self.append(records);
                response
            }
            (None, Some((_, Response::JoinGroup(response)))) => response,
            other => panic!("{other:?}"),
        };
        (answer.error, answer.generation, answer.member_id.to_string())
    }

    fn rejoin(&mut self, member: &str, owned: Parts<'_>) -> Joined {
        self.try_join(&join_request(member, None, owned))
    }

    fn sync(&mut self, member: &str, generation: i32) -> Result<Vec<NamedPartition>, ErrorCode> {
        let request = SyncGroupRequest {
            group: "g".into(),
            generation,
            member_id: member.into(),
            instance_id: None,
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: Vec::new(),
        };
        let image = self.image.clone();
        let mut work = Work::new(self.now, &self.config, &mut self.random);
        match self.shard.sync(context(), &request, &image, &mut work) {
            Some(response) => Ok(ConsumerAssignment::decode(&response.assignment).expect("an assignment").partitions),
            None => Err(work.answers.pop().expect("refused").1.error()),
        }
    }

    fn classic_beat(&mut self, member: &str, generation: i32) -> ErrorCode {
        let request = HeartbeatRequest { group: "g".into(), generation, member_id: member.into(), instance_id: None };
        let around = Surroundings { now: self.now, config: &self.config, image: &self.image };
        self.shard.heartbeat(&request, around)
    }

    fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Vec<ErrorCode> {
        let member = |(id, instance): &(&str, Option<&str>)| LeavingMember {
            member_id: Rc::from(*id),
            instance_id: instance.map(Into::into),
        };
        let request = LeaveGroupRequest { group: "g".into(), members: members.iter().map(member).collect() };
        let image = self.image.clone();
        let (records, response) = self.work(|shard, work| shard.leave(&request, &image, work));
        self.append(records);
        response.members.into_iter().map(|(_, error)| error).collect()
    }

    /// Two classic members, and one of the consumer protocol that has joined them: generation and epoch are 4.
    fn mixed() -> Lab {
        let mut lab = Lab::new(&[("t", T, 3)]);
        lab.classic(&[("a", None, T01), ("b", None, T2)], "consumer");
        assert_eq!(lab.join("c", &["t"]), ok(4, Some(&[])));
        assert!(lab.shard.groups.group("g").is_none());
        lab
    }

    /// A member of the consumer protocol that does as it is told.
    fn obey(&mut self, member: &str) {
        let known = self.group().member(member).expect("a member");
        let owned: Vec<(TopicId, u32)> = known.assigned.keys().map(|it| (it.topic, it.partition)).collect();
        assert_eq!(self.beat(member, known.member_epoch, Some(&owned)).0, NONE);
    }

    /// State, generation, and what is assigned to whom, of the classic group; as it is and as it would be loaded.
    fn downgraded(&self) -> (GroupState, i32, Vec<(String, Vec<NamedPartition>)>) {
        assert!(self.shard.consumers.group("g").is_none());
        let seen = |shard: &GroupShard| {
            let group = shard.groups.group("g").expect("a classic group");
            let assigned = group.members().map(|member| {
                let partitions = ConsumerAssignment::decode(&member.assignment).expect("an assignment").partitions;
                (member.member_id.to_string(), partitions)
            });
            (group.state(), group.generation(), assigned.collect::<Vec<_>>())
        };
        let mut loaded = GroupShard::new(4_096);
        self.log.iter().for_each(|record| loaded.load(record));
        let (now, then) = (seen(&self.shard), seen(&loaded));
        assert_eq!((now.1, &now.2, GroupState::Stable), (then.1, &then.2, then.0), "failover is loading the log");
        now
    }
}

/// testUpgradeClassicGroup…, testClassicGroupJoin…/Sync…/HeartbeatToConsumerGroup…: the classic members follow by joining
/// again, and give up what they must.
#[test]
fn a_classic_group_becomes_one_of_the_consumer_protocol() {
    let mut lab = Lab::mixed();
    let kinds: Vec<bool> = lab.group().members().map(|member| member.classic.is_some()).collect();
    assert_eq!(kinds, [true, true, false]);
    assert_eq!(lab.classic_beat("a", 3), ErrorCode::RebalanceInProgress);
    assert_eq!(lab.sync("a", 3), Err(ErrorCode::RebalanceInProgress), "there is a newer target");
    assert_eq!(lab.rejoin("a", T01), (NONE, 3, "a".into()), "it has to give up one of the two first");
    let kept = lab.sync("a", 3).expect("it has joined already");
    assert_eq!(kept.len(), 1);
    let (kept, given): (Parts<'_>, Parts<'_>) = if kept[0].1 == 0 { (T0, T1) } else { (T1, T0) };
    assert_eq!(lab.classic_beat("a", 3), ErrorCode::RebalanceInProgress, "it has to join again when it has");
    assert_eq!(lab.rejoin("a", kept), (NONE, 4, "a".into()));
    assert_eq!(lab.sync("a", 4), Ok(named(kept)));
    assert_eq!(lab.classic_beat("a", 4), NONE);
    assert_eq!(lab.beat("c", 4, Some(&[])), ok(4, Some(given)));
    assert_eq!(lab.rejoin("b", T2), (NONE, 4, "b".into()));
    assert_eq!(lab.sync("b", 4), Ok(named(T2)));
    assert_eq!(lab.group().state(), GroupState::Stable);
}

/// testUpgrade…: the records, in Kafka's order: the classic group goes, and all there is of the other comes.
#[test]
fn the_records_of_an_upgrade() {
    let lab = Lab::mixed();
    let kinds: Vec<(u8, bool)> = lab.log[1..].iter().map(|it| (it.key[1], it.value.is_some())).collect();
    let (gone, there) = (|kind| (kind, false), |kind| (kind, true));
    let conversion = [gone(2), there(5), there(5), there(3), there(7), there(7), there(6), there(8), there(8)];
    assert_eq!(kinds[..9], conversion);
    assert_eq!((kinds[9], kinds[10]), (there(5), there(3)), "then comes the new member, and the next epoch");
    let written = lab.log.iter().find(|record| record.key[..] == *b"\0\x05\0\x01g\0\x01a").expect("a's record");
    let metadata = &protocols(&[])[0].metadata;
    let mut expected = b"\0\0\0\0\x02c\x0b/127.0.0.1\x02\x02t\x01\0\0\xea\x60\0\x01\0".to_vec();
    let mut classic = b"\x01\0\0\x27\x10\x02\x06range".to_vec();
    classic.push(metadata.len() as u8 + 1);
    classic.extend(metadata);
    classic.extend(b"\0\0");
    expected.push(classic.len() as u8);
    expected.extend(classic);
    assert_eq!(written.value.as_deref(), Some(&expected[..]), "ClassicMemberMetadata is tag 0");
    let batch = crate::coordinator::batch_of(std::slice::from_ref(written), 0);
    let raw = batch.raw_records().next().expect("one").expect("it is fine");
    let (_, printed) = crate::coordinator::offsets_record_json(&raw);
    let metadata =
        r#""classicMemberMetadata":{"sessionTimeoutMs":10000,"supportedProtocols":[{"name":"range","metadata":""#;
    assert!(printed.expect("a value").contains(metadata));
}

/// testOnlineMigrationWithMigrationPolicy…, testUpgrade…WithGroupSize, …WithMalformed…
#[test]
fn who_may_not_be_upgraded_is_not_found() {
    for policy in ["disabled", "downgrade"] {
        let mut lab = Lab::new(&[("t", T, 3)]);
        lab.config.group_consumer_migration_policy = MigrationPolicy::from_name(policy).expect("one");
        lab.classic(&[("a", None, T01)], "consumer");
        assert_eq!(lab.join("c", &["t"]), no(ErrorCode::GroupIdNotFound), "{policy}");
    }
    let mut lab = Lab::new(&[("t", T, 3)]);
    lab.config.group_consumer_max_size = 1;
    lab.classic(&[("a", None, T01), ("b", None, T2)], "consumer");
    assert_eq!(lab.join("c", &["t"]), no(ErrorCode::GroupIdNotFound), "it is too large for the other protocol");
    let mut lab = Lab::new(&[("t", T, 3)]);
    lab.classic(&[("a", None, T01)], "connect");
    assert_eq!(lab.join("c", &["t"]), no(ErrorCode::GroupIdNotFound), "its members are no consumers");
    assert!(lab.shard.groups.group("g").is_some() && lab.log.len() == 1);
}

/// testJoiningConsumerGroup…: who may join, and in which order that is looked at.
#[test]
fn classic_members_join_a_group_of_the_consumer_protocol() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.join("c", &["t"]);
    let (error, _, id) = lab.try_join(&join_request("", None, &[]));
    assert_eq!((error, id.len()), (ErrorCode::MemberIdRequired, 22), "as Kafka's Uuid is printed");
    assert_eq!(lab.group().members().len(), 1, "nothing is remembered of it");
    lab.later(1_000);
    assert_eq!(lab.rejoin(&id, &[]), (NONE, 3, id.clone()));
    assert_eq!(lab.sync(&id, 3), Ok(Vec::new()), "others have to give something up first");
    assert_eq!(lab.beat("c", 2, Some(T01)), ok(2, Some(T0)));
    assert_eq!(lab.classic_beat(&id, 3), NONE, "it waits for that");
    assert_eq!(lab.beat("c", 2, Some(T0)), ok(3, None));
    assert_eq!(lab.classic_beat(&id, 3), ErrorCode::RebalanceInProgress, "now it is free");
    assert_eq!(lab.rejoin(&id, &[]), (NONE, 3, id.clone()));
    assert_eq!(lab.sync(&id, 3), Ok(named(T1)));
    let other = JoinGroupRequest { protocol_type: "connect".into(), ..join_request("x", None, &[]) };
    assert_eq!(lab.try_join(&other), (ErrorCode::InconsistentGroupProtocol, -1, "".into()));
    let mut other = join_request("x", None, &[]);
    other.protocols[0].name = "sticky".into();
    assert_eq!(lab.try_join(&other).0, ErrorCode::InconsistentGroupProtocol, "not all classic members have it");
    let short = JoinGroupRequest { session_timeout: Duration::from_millis(1), ..join_request("x", None, &[]) };
    assert_eq!(lab.try_join(&short), (ErrorCode::InvalidSessionTimeout, -1, "x".into()));
    lab.config.group_consumer_max_size = 2;
    assert_eq!(lab.rejoin("x", &[]).0, ErrorCode::GroupMaxSizeReached);
    lab.config.group_consumer_migration_policy = MigrationPolicy::Disabled;
    assert_eq!(lab.rejoin(&id, &[]).0, ErrorCode::InconsistentGroupProtocol);
}

/// testClassicGroupSyncToConsumerGroupWith…, testClassicGroupHeartbeatToConsumerGroupWith…
#[test]
fn requests_of_others_than_classic_members_are_refused() {
    let mut lab = Lab::mixed();
    for (member, generation, error) in [
        ("nobody", 3, ErrorCode::UnknownMemberId),
        ("c", 4, ErrorCode::UnknownMemberId),
        ("a", 2, ErrorCode::IllegalGeneration),
    ] {
        assert_eq!(lab.classic_beat(member, generation), error, "{member}");
        assert_eq!(lab.sync(member, generation), Err(error), "{member}");
    }
    assert_eq!(lab.commit("a", 3, (T, 0)), NONE);
    assert_eq!(lab.commit("a", 2, (T, 0)), ErrorCode::IllegalGeneration, "a generation, to a classic member");
    assert_eq!(lab.commit("a", 4, (T, 0)), ErrorCode::IllegalGeneration);
}

/// testConsumerGroupMemberUsingClassicProtocolFencedWhenSessionTimeout, …WhenJoinTimeout, testConsumerGroup…SyncTimeout…
#[test]
fn classic_members_have_sessions_and_timeouts_of_their_own() {
    let mut lab = Lab::mixed();
    let beat = |lab: &mut Lab, member: &str, error: ErrorCode| {
        for _ in 0..6 {
            lab.later(9_999);
            lab.obey("c");
            assert_eq!(lab.classic_beat(member, 3), error);
        }
    };
    assert_eq!(lab.classic_beat("a", 3), ErrorCode::RebalanceInProgress);
    beat(&mut lab, "a", ErrorCode::RebalanceInProgress);
    let ids = |lab: &Lab| lab.group().members().map(|member| member.member_id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&lab), ["a", "c"], "b was silent for ten seconds");
    lab.later(6);
    assert_eq!(ids(&lab), ["c"], "a has not joined again within its rebalance timeout");
    assert_eq!(lab.rejoin("d", &[]).0, NONE);
    for _ in 0..6 {
        lab.later(9_999);
        lab.obey("c");
        lab.classic_beat("d", lab.group().member("d").map_or(0, |it| it.member_epoch));
    }
    lab.later(6);
    assert_eq!(ids(&lab), ["c"], "it has not asked for its assignment");
}

/// testLastConsumerProtocolMemberLeavingConsumerGroup: the members that stay join again in the classic group.
#[test]
fn without_members_of_the_consumer_protocol_it_is_a_classic_group_again() {
    let mut lab = Lab::mixed();
    assert_eq!(lab.beat("c", -1, None), (NONE, -1, None));
    let (state, generation, assigned) = lab.downgraded();
    assert_eq!((state, generation), (GroupState::PreparingRebalance, 4));
    assert_eq!(assigned.len(), 2);
    let held: usize = assigned.iter().map(|(_, partitions)| partitions.len()).sum();
    assert_eq!(held, 2, "the target of the last epoch, without what c was to have");
    assert_eq!(lab.classic_beat("a", 4), ErrorCode::RebalanceInProgress);
    assert_eq!(lab.classic_beat("a", 3), ErrorCode::IllegalGeneration);
    let kinds: Vec<u8> = lab.log[lab.log.len() - 13..].iter().map(|it| it.key[1]).collect();
    assert_eq!(kinds, [8, 8, 8, 7, 7, 7, 6, 5, 5, 5, 4, 3, 2], "all of the one goes, the other comes");
}

/// testLastConsumerProtocolMemberSessionTimeoutInConsumerGroup, and LeaveGroup for it.
#[test]
fn however_the_last_member_goes() {
    let mut lab = Lab::mixed();
    for _ in 0..5 {
        lab.later(9_000);
        lab.classic_beat("a", 3);
        lab.classic_beat("b", 3);
    }
    assert_eq!(lab.downgraded().2.len(), 2);
    let mut lab = Lab::mixed();
    assert_eq!(lab.leave(&[("c", None), ("x", None), ("a", None)]), [NONE, ErrorCode::UnknownMemberId, NONE]);
    let (_, _, assigned) = lab.downgraded();
    assert_eq!(assigned.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b"]);
}

/// testOnlineMigrationWithMigrationPolicyUpgrade: without leave to downgrade the group stays what it is.
#[test]
fn a_group_that_may_not_be_downgraded_stays() {
    let mut lab = Lab::mixed();
    lab.config.group_consumer_migration_policy = MigrationPolicy::Upgrade;
    lab.beat("c", -1, None);
    assert_eq!((lab.group().members().len(), lab.group().epoch()), (2, 5));
    let mut lab = Lab::mixed();
    lab.config.group_max_size = 1;
    lab.beat("c", -1, None);
    assert_eq!(lab.group().members().len(), 2, "it is too large for the other protocol");
}

/// testLastStaticConsumerProtocolMemberReplacedByClassicProtocolMember: a rolling downgrade, without a rebalance.
#[test]
fn a_static_member_comes_back_with_the_classic_protocol() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    assert_eq!(lab.send(&with_instance(joining("a", &["t"]))), ok(2, Some(T01)));
    lab.later(1_000);
    assert_eq!(lab.rejoin("b", &[]), (NONE, 3, "b".into()));
    let owned =
        |parts| ConsumerGroupHeartbeatRequest { topic_partitions: Some(partitions(parts)), ..heartbeat("a", 2) };
    assert_eq!(lab.send(&with_instance(owned(T01))), ok(2, Some(T0)));
    assert_eq!(lab.send(&with_instance(owned(T0))), ok(3, None));
    let (error, generation, id) = lab.try_join(&join_request("", Some("i"), T0));
    assert_eq!((error, generation), (NONE, 3));
    let (state, generation, mut assigned) = lab.downgraded();
    assigned.sort();
    let mut expected = vec![("b".to_owned(), named(T1)), (id, named(T0))];
    expected.sort();
    assert_eq!((state, generation, assigned), (GroupState::Stable, 3, expected));
}

/// testStaticMemberUpgrade…: a classic static member that comes back with the consumer protocol need not have left.
#[test]
fn a_static_member_comes_back_with_the_consumer_protocol() {
    let mut lab = Lab::new(&[("t", T, 2)]);
    lab.classic(&[("a", Some("i"), T01)], "consumer");
    assert_eq!(lab.send(&with_instance(joining("c", &["t"]))), ok(3, Some(T01)), "as if it had always been c");
    assert_eq!(lab.group().members().len(), 1);
    assert_eq!(lab.send(&with_instance(joining("d", &["t"]))), no(ErrorCode::UnreleasedInstanceId));
}
