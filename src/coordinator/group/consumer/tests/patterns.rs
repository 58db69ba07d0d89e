//! Patterns of topics, as GroupMetadataManagerTest has them (`testConsumerGroupMember…WithRegex…`).

use super::*;

fn with_regex(member: &str, epoch: MemberEpoch, regex: &str) -> ConsumerGroupHeartbeatRequest {
    let subscribed_regex = Some(Rc::from(regex));
    if epoch > 0 {
        return ConsumerGroupHeartbeatRequest { subscribed_regex, ..heartbeat(member, epoch) };
    }
    ConsumerGroupHeartbeatRequest { subscribed_regex, subscribed_topics: None, ..joining(member, &[]) }
}

impl Lab {
    fn with_pattern(&mut self, member: &str, epoch: MemberEpoch, regex: &str) -> Answer {
        self.send(&with_regex(member, epoch, regex))
    }

    fn create(&mut self, name: &str, topic: TopicId) {
        self.follow(MetadataRecord::Topic { name: Rc::from(name), topic });
        self.partition(topic, 0);
    }

    /// Pattern, topics, version.
    fn resolved(&self) -> Vec<(&str, Vec<&str>)> {
        let regexes = self.group().regexes().iter();
        regexes.map(|(regex, it)| (&**regex, it.topics.iter().map(|name| &**name).collect())).collect()
    }
}

const T0_U0: Parts<'_> = &[(T, 0), (U, 0)];

/// testConsumerGroupMemberJoinsWithNewRegex: who brings a pattern is told of its partitions by its next heartbeat.
#[test]
fn a_new_pattern_is_resolved_after_the_heartbeat() {
    let mut lab = Lab::new(&[("foo", T, 1), ("bar", U, 1), ("other", TopicId(3), 1)]);
    assert_eq!(lab.with_pattern("a", 0, "foo|bar"), ok(1, Some(&[])));
    assert_eq!(lab.resolved(), [("foo|bar", vec!["bar", "foo"])]);
    assert_eq!(lab.group().state(), GroupState::Assigning);
    assert_eq!(lab.beat("a", 1, Some(&[])), ok(2, Some(T0_U0)));
    assert_eq!(lab.group().epoch(), 2);
}

/// testConsumerGroupMemberJoinsWithRegexAndTopicNames…: both count.
#[test]
fn names_and_a_pattern_go_together() {
    let mut lab = Lab::new(&[("foo", T, 1), ("bar", U, 1)]);
    let both = ConsumerGroupHeartbeatRequest { subscribed_regex: Some("f.*".into()), ..joining("a", &["bar"]) };
    assert_eq!(lab.send(&both), ok(2, Some(&[(U, 0)])), "the name counts at once");
    lab.later(1_000);
    assert_eq!(lab.beat("a", 2, Some(&[(U, 0)])), ok(3, Some(T0_U0)));
}

/// testConsumerGroupMemberJoinsWithInvalidRegex…: nothing is written.
#[test]
fn what_is_no_pattern_is_refused() {
    let mut lab = Lab::new(&[("foo", T, 1)]);
    assert_eq!(lab.with_pattern("a", 0, "(foo"), no(ErrorCode::InvalidRegularExpression));
    assert!(lab.log.is_empty());
    lab.join("a", &["foo"]);
    assert_eq!(lab.with_pattern("a", 2, "foo["), no(ErrorCode::InvalidRegularExpression));
    assert_eq!(lab.group().member("a").and_then(|it| it.subscribed_regex.as_deref()), Some(""));
}

/// testConsumerGroupMemberJoinsWithExistingRegex: the group's epoch moves at once.
#[test]
fn a_known_pattern_is_not_resolved_again() {
    let mut lab = Lab::new(&[("foo", T, 2)]);
    lab.with_pattern("a", 0, "foo");
    assert_eq!(lab.beat("a", 1, Some(&[])), ok(2, Some(T01)));
    lab.later(1_000);
    let before = lab.log.len();
    assert_eq!(lab.with_pattern("b", 0, "foo"), ok(3, Some(&[])));
    let keys = lab.log[before..].iter().map(|record| ConsumerGroupKey::decode(&record.key));
    assert!(keys.flatten().flatten().all(|key| !matches!(key, ConsumerGroupKey::Regex(..))));
    assert_eq!(lab.beat("a", 2, Some(T01)), ok(2, Some(T0)));
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(3, None));
    assert_eq!(lab.beat("b", 3, Some(&[])), ok(3, Some(T1)));
}

/// testConsumerGroupMemberUpdatesRegex…, testConsumerGroupMemberChangesRegex…: within ten seconds of the last resolution it
/// matches nothing.
#[test]
fn patterns_are_resolved_once_in_ten_seconds() {
    let mut lab = Lab::new(&[("foo", T, 1), ("bar", U, 1)]);
    lab.with_pattern("a", 0, "foo");
    assert_eq!(lab.beat("a", 1, Some(&[])), ok(2, Some(T0)));
    lab.with_pattern("b", 0, "bar");
    lab.later(10_000);
    lab.beat("b", 2, Some(&[]));
    assert_eq!(lab.resolved(), [("foo", vec!["foo"])]);
    lab.later(1);
    lab.beat("b", 2, Some(&[]));
    assert_eq!(lab.resolved(), [("bar", vec!["bar"]), ("foo", vec!["foo"])]);
    assert_eq!(lab.beat("b", 2, Some(&[])), ok(3, Some(&[(U, 0)])));
}

/// testConsumerGroupMemberUpdatesRegex: the old pattern goes with the last member that has it, and what it matched, too.
#[test]
fn another_pattern_takes_the_place_of_the_old_one() {
    let mut lab = Lab::new(&[("foo", T, 1), ("bar", U, 1)]);
    lab.with_pattern("a", 0, "foo");
    assert_eq!(lab.beat("a", 1, Some(&[])), ok(2, Some(T0)));
    lab.later(10_001);
    assert_eq!(lab.with_pattern("a", 2, "bar"), ok(2, Some(&[])), "foo is none of its topics any more");
    assert_eq!(lab.resolved(), [("bar", vec!["bar"])]);
    assert_eq!(lab.beat("a", 2, Some(&[])), ok(3, Some(&[(U, 0)])));
    assert_eq!(lab.with_pattern("a", 3, ""), ok(3, Some(&[])), "none at all");
    assert_eq!(lab.resolved(), []);
    assert_eq!(lab.group().epoch(), 4);
}

/// testConsumerGroupMemberRefreshesRegexOnNewTopics…: a topic that is new is found, though not before ten seconds are over.
#[test]
fn new_topics_are_found() {
    let mut lab = Lab::new(&[("foo", T, 1)]);
    lab.with_pattern("a", 0, ".*");
    assert_eq!(lab.beat("a", 1, Some(&[])), ok(2, Some(T0)));
    lab.create("bar", U);
    lab.later(10_000);
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(2, None));
    assert_eq!(lab.resolved(), [(".*", vec!["foo"])]);
    lab.later(1);
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(2, None));
    assert_eq!(lab.resolved(), [(".*", vec!["bar", "foo"])]);
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(3, Some(T0_U0)));
}

/// A topic that is deleted leaves the assignment at once, and the pattern with the next resolution.
#[test]
fn topics_that_are_gone_are_forgotten_in_time() {
    let mut lab = Lab::new(&[("foo", T, 1), ("bar", U, 1)]);
    lab.with_pattern("a", 0, ".*");
    assert_eq!(lab.beat("a", 1, Some(&[])), ok(2, Some(T0_U0)));
    lab.follow(MetadataRecord::RemoveTopic { topic: U });
    lab.later(1_000);
    assert_eq!(lab.beat("a", 2, Some(T0_U0)), ok(2, Some(T0)), "to be given up");
    assert_eq!(lab.beat("a", 2, Some(T0)), ok(3, None));
    assert_eq!(lab.resolved(), [(".*", vec!["bar", "foo"])]);
    for millis in [40_000; 14].into_iter().chain([39_000]) {
        lab.later(millis);
        lab.beat("a", 3, Some(T0));
    }
    assert_eq!(lab.resolved(), [(".*", vec!["bar", "foo"])]);
    lab.later(1);
    lab.beat("a", 3, Some(T0));
    assert_eq!(lab.resolved(), [(".*", vec!["foo"])]);
    assert_eq!(lab.group().epoch(), 4);
}

/// testConsumerGroupLeavesWithRegex…, testConsumerGroupMemberFenced…: the pattern goes with its last member.
#[test]
fn a_pattern_goes_with_its_last_member() {
    let mut lab = Lab::new(&[("foo", T, 2)]);
    lab.with_pattern("a", 0, "foo");
    lab.beat("a", 1, Some(&[]));
    lab.later(1_000);
    lab.with_pattern("b", 0, "foo");
    lab.beat("a", -1, None);
    assert_eq!(lab.resolved(), [("foo", vec!["foo"])]);
    lab.later(45_000);
    assert_eq!((lab.resolved(), lab.group().state()), (vec![], GroupState::Empty));
}

/// testReplayConsumerGroupRegularExpression, and the tombstones of a group: all of it is forgotten.
#[test]
fn a_static_member_takes_its_pattern_along() {
    let mut lab = Lab::new(&[("foo", T, 1)]);
    lab.send(&with_instance(with_regex("a", 0, "foo")));
    assert_eq!(lab.send(&with_instance(heartbeat_with("a", 1, &[]))), ok(2, Some(T0)));
    assert_eq!(lab.send(&with_instance(heartbeat("a", -2))), (ErrorCode::None, -2, None));
    assert_eq!(lab.send(&with_instance(with_regex("b", 0, "foo"))), ok(2, Some(T0)), "as if it had not been away");
    assert_eq!(lab.resolved(), [("foo", vec!["foo"])]);
    let tombstones = lab.group().tombstones();
    assert!(tombstones.iter().any(|record| *record.key == *b"\0\x10\0\x01g\0\x03foo"));
}

fn heartbeat_with(member: &str, epoch: MemberEpoch, owned: Parts<'_>) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { topic_partitions: Some(partitions(owned)), ..heartbeat(member, epoch) }
}

/// ConsumerGroupRegularExpression, byte for byte.
#[test]
fn a_resolved_pattern_is_written_as_kafka_writes_it() {
    let mut lab = Lab::new(&[("foo", T, 1)]);
    lab.with_pattern("a", 0, "f.o");
    let record = lab.log.iter().find(|record| record.key.starts_with(b"\0\x10")).expect("it is resolved");
    assert_eq!(&record.key[..], b"\0\x10\0\x01g\0\x03f.o");
    let value = record.value.as_ref().expect("no tombstone");
    let version = lab.image.offset().to_be_bytes();
    let timestamp = lab.now.wall_clock_ms().to_be_bytes();
    assert_eq!(&value[..], [&b"\0\0\x02\x04foo"[..], &version, &timestamp, b"\0"].concat());
    let batch = crate::coordinator::batch_of(std::slice::from_ref(record), 0);
    let raw = batch.raw_records().next().expect("one").expect("it is fine");
    let (version, timestamp) = (lab.image.offset(), lab.now.wall_clock_ms());
    let data = format!(r#"{{"topics":["foo"],"version":{version},"timestamp":{timestamp}}}"#);
    let printed = (
        Some(r#"{"type":"16","data":{"groupId":"g","regularExpression":"f.o"}}"#.to_owned()),
        Some(format!(r#"{{"version":"0","data":{data}}}"#)),
    );
    assert_eq!(crate::coordinator::offsets_record_json(&raw), printed);
}
