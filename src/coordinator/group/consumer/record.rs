//! The records of the consumer protocol, byte for byte: types 3 to 8 and 16 of `__consumer_offsets`.
//!
//! Keys are a type, a group and most of them a member; values are version 0, flexible. Topics and partitions stand in the
//! order of Java's hash maps, as Kafka writes them. Type 4 (ConsumerGroupPartitionMetadata) is only ever a tombstone since
//! 4.1 (KIP-1101).

use super::member::{ClassicMetadata, ConsumerGroupMember, MemberState};
use super::regex::ResolvedRegex;
use super::{MemberEpochs, TargetAssignment};
use crate::base::{Duration, JavaMap, SortedMap, SortedSet, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::coordinator::group::assignor::MemberAssignment;
use crate::metadata::Uuid;
use crate::metadata::wire::{Reader, TaggedFields, WireError, Writer};
use crate::protocol::{JoinGroupProtocol, MemberEpoch};
use bytes::Bytes;
use std::rc::Rc;

const GROUP: i16 = 3;
const PARTITION_METADATA: i16 = 4;
const MEMBER: i16 = 5;
const TARGET: i16 = 6;
const TARGET_OF_MEMBER: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;

/// What a record is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ConsumerGroupKey {
    /// ConsumerGroupMetadata
    Group(Rc<str>),
    /// ConsumerGroupPartitionMetadata
    PartitionMetadata(Rc<str>),
    /// ConsumerGroupMemberMetadata
    Member(Rc<str>, Rc<str>),
    /// ConsumerGroupTargetAssignmentMetadata
    Target(Rc<str>),
    /// ConsumerGroupTargetAssignmentMember
    TargetOfMember(Rc<str>, Rc<str>),
    /// ConsumerGroupCurrentMemberAssignment
    Current(Rc<str>, Rc<str>),
    /// ConsumerGroupRegularExpression; not a member but a pattern
    Regex(Rc<str>, Rc<str>),
}

use ConsumerGroupKey as Key;

/// ConsumerGroupMetadataValue
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GroupValue {
    /// The group's epoch.
    pub epoch: MemberEpoch,
    /// Of the topics its members subscribe to; 0 for none.
    pub metadata_hash: i64,
}

/// ConsumerGroupTargetAssignmentMetadataValue
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TargetValue {
    /// The group's epoch for which the target was computed.
    pub epoch: MemberEpoch,
    /// When, milliseconds; 0 if unknown.
    pub timestamp: i64,
}

/// ConsumerGroupCurrentMemberAssignmentValue
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CurrentValue {
    /// The member's.
    pub epoch: MemberEpoch,
    /// The one before.
    pub previous_epoch: MemberEpoch,
    /// Its state.
    pub state: MemberState,
    /// What it has, each with the epoch in which it got it.
    pub assigned: MemberEpochs,
    /// What it must give up.
    pub pending_revocation: MemberEpochs,
}

impl ConsumerGroupKey {
    /// The group.
    pub fn group(&self) -> &Rc<str> {
        match self {
            Key::Group(group) | Key::PartitionMetadata(group) | Key::Target(group) => group,
            Key::Member(group, _) | Key::TargetOfMember(group, _) | Key::Current(group, _) | Key::Regex(group, _) => {
                group
            }
        }
    }

    /// The member, if it is about one; the pattern, if about that.
    pub fn part(&self) -> Option<&Rc<str>> {
        match self {
            Key::Group(_) | Key::PartitionMetadata(_) | Key::Target(_) => None,
            Key::Member(_, part) | Key::TargetOfMember(_, part) | Key::Current(_, part) | Key::Regex(_, part) => {
                Some(part)
            }
        }
    }

    /// The record's key.
    pub fn encode(&self) -> Bytes {
        let kind = match self {
            Key::Group(_) => GROUP,
            Key::PartitionMetadata(_) => PARTITION_METADATA,
            Key::Member(..) => MEMBER,
            Key::Target(_) => TARGET,
            Key::TargetOfMember(..) => TARGET_OF_MEMBER,
            Key::Current(..) => CURRENT,
            Key::Regex(..) => REGEX,
        };
        let mut w = Writer::default();
        w.i16(kind);
        w.string(self.group());
        self.part().into_iter().for_each(|part| w.string(part));
        Bytes::from(w.into_bytes())
    }

    /// Reads a record's key; None if the record is about something else.
    pub fn decode(bytes: &[u8]) -> Result<Option<ConsumerGroupKey>, WireError> {
        let mut r = Reader::new(bytes);
        let kind = r.i16()?;
        if !(GROUP..=CURRENT).contains(&kind) && kind != REGEX {
            return Ok(None);
        }
        let group = r.string()?;
        let key = match kind {
            GROUP => Key::Group(group),
            PARTITION_METADATA => Key::PartitionMetadata(group),
            MEMBER => Key::Member(group, r.string()?),
            TARGET => Key::Target(group),
            TARGET_OF_MEMBER => Key::TargetOfMember(group, r.string()?),
            CURRENT => Key::Current(group, r.string()?),
            _ => Key::Regex(group, r.string()?),
        };
        r.finish()?;
        Ok(Some(key))
    }

    /// Forgets it.
    pub(super) fn tombstone(&self) -> CoordinatorRecord {
        CoordinatorRecord::tombstone(self.encode())
    }

    fn record(&self, write: impl FnOnce(&mut Writer)) -> CoordinatorRecord {
        CoordinatorRecord::new(self.encode(), write)
    }
}

/// Remembers a group's epoch.
pub(super) fn group_record(group: &Rc<str>, value: GroupValue) -> CoordinatorRecord {
    Key::Group(group.clone()).record(|w| {
        w.i32(value.epoch);
        put_tagged_i64(w, value.metadata_hash);
    })
}

/// Remembers for which epoch, and when, the target was computed.
pub(super) fn target_record(group: &Rc<str>, value: TargetValue) -> CoordinatorRecord {
    Key::Target(group.clone()).record(|w| {
        w.i32(value.epoch);
        put_tagged_i64(w, value.timestamp);
    })
}

/// Remembers a member and what it subscribes to.
pub(super) fn member_record(group: &Rc<str>, member: &ConsumerGroupMember) -> CoordinatorRecord {
    Key::Member(group.clone(), member.member_id.clone()).record(|w| {
        w.compact_nullable_string(member.instance_id.as_deref());
        w.compact_nullable_string(member.rack_id.as_deref());
        w.compact_string(&member.client_id);
        w.compact_string(&member.client_host);
        w.compact_len(member.subscribed_topics.len());
        member.subscribed_topics.iter().for_each(|topic| w.compact_string(topic));
        w.compact_nullable_string(member.subscribed_regex.as_deref());
        w.i32(member.rebalance_timeout);
        w.compact_nullable_string(member.server_assignor.as_deref());
        let mut tagged = TaggedFields::default();
        tagged.maybe(0, member.classic.as_ref(), |w, classic| {
            // There, and not null.
            w.i8(1);
            w.i32(i32::try_from(classic.session_timeout.as_millis()).unwrap_or(i32::MAX));
            w.compact_len(classic.protocols.len());
            for protocol in classic.protocols.iter() {
                w.compact_string(&protocol.name);
                w.compact_bytes(&protocol.metadata);
                w.no_tagged_fields();
            }
            w.no_tagged_fields();
        });
        w.tagged_fields(&tagged);
    })
}

/// Remembers what a member shall have.
pub(super) fn target_member_record(group: &Rc<str>, member: &Rc<str>, target: &MemberAssignment) -> CoordinatorRecord {
    Key::TargetOfMember(group.clone(), member.clone()).record(|w| put_target(w, target))
}

/// Partitions by topic, to the end of a value.
pub(in crate::coordinator::group) fn put_target(w: &mut Writer, target: &MemberAssignment) {
    let topics: JavaMap<Uuid, &SortedSet<u32>> =
        target.iter().map(|(topic, partitions)| (Uuid::of_topic(*topic), partitions)).collect();
    w.compact_len(topics.len());
    for (topic, partitions) in topics.iter() {
        w.uuid(*topic);
        w.compact_len(partitions.len());
        partitions.iter().for_each(|partition| w.i32(*partition as i32));
        w.no_tagged_fields();
    }
    w.no_tagged_fields();
}

/// Remembers what a member has.
pub(super) fn current_record(group: &Rc<str>, member: &ConsumerGroupMember) -> CoordinatorRecord {
    Key::Current(group.clone(), member.member_id.clone()).record(|w| {
        w.i32(member.member_epoch);
        w.i32(member.previous_member_epoch);
        w.i8(member.state as i8);
        partitions_with_epochs(w, &member.assigned);
        partitions_with_epochs(w, &member.pending_revocation);
        w.no_tagged_fields();
    })
}

/// Remembers what a pattern matches.
pub(super) fn regex_record(group: &Rc<str>, regex: &Rc<str>, resolved: &ResolvedRegex) -> CoordinatorRecord {
    Key::Regex(group.clone(), regex.clone()).record(|w| {
        w.compact_len(resolved.topics.len());
        resolved.topics.iter().for_each(|topic| w.compact_string(topic));
        w.i64(resolved.version);
        w.i64(resolved.timestamp);
        w.no_tagged_fields();
    })
}

/// A number that is left out where it is zero, to the end of a value.
pub(in crate::coordinator::group) fn put_tagged_i64(w: &mut Writer, value: i64) {
    let mut tagged = TaggedFields::default();
    tagged.maybe(0, Some(value).filter(|value| *value != 0), |w, value| w.i64(value));
    w.tagged_fields(&tagged);
}

fn partitions_with_epochs(w: &mut Writer, partitions: &MemberEpochs) {
    let mut topics: SortedMap<_, JavaMap<u32, MemberEpoch>> = SortedMap::new();
    for (partition, epoch) in partitions.iter() {
        topics.entry(partition.topic).or_default().insert(partition.partition, *epoch);
    }
    let topics: JavaMap<Uuid, _> =
        topics.into_iter().map(|(topic, partitions)| (Uuid::of_topic(topic), partitions)).collect();
    w.compact_len(topics.len());
    for (topic, partitions) in topics.iter() {
        w.uuid(*topic);
        w.compact_len(partitions.len());
        partitions.keys().for_each(|partition| w.i32(*partition as i32));
        let mut tagged = TaggedFields::default();
        tagged.field(0, |w| {
            w.compact_len(partitions.len());
            partitions.iter().for_each(|(_, epoch)| w.i32(*epoch));
        });
        w.tagged_fields(&tagged);
    }
}

fn value(bytes: &[u8]) -> Result<Reader<'_>, WireError> {
    let mut r = Reader::new(bytes);
    if r.i16()? != 0 {
        return Err(WireError::Invalid("unknown version of a consumer group's record"));
    }
    Ok(r)
}

fn read_tagged_i64(r: &mut Reader<'_>) -> Result<i64, WireError> {
    let mut value = 0;
    r.tagged_fields(|tag, field| {
        if tag == 0 {
            value = field.i64()?;
        }
        Ok(())
    })?;
    r.finish()?;
    Ok(value)
}

impl GroupValue {
    /// Reads a record's value.
    pub fn decode(bytes: &[u8]) -> Result<GroupValue, WireError> {
        let mut r = value(bytes)?;
        Ok(GroupValue { epoch: r.i32()?, metadata_hash: read_tagged_i64(&mut r)? })
    }
}

impl TargetValue {
    /// Reads a record's value.
    pub fn decode(bytes: &[u8]) -> Result<TargetValue, WireError> {
        let mut r = value(bytes)?;
        Ok(TargetValue { epoch: r.i32()?, timestamp: read_tagged_i64(&mut r)? })
    }
}

/// Reads ConsumerGroupMemberMetadataValue into a member.
pub(super) fn read_member(member: &mut ConsumerGroupMember, bytes: &[u8]) -> Result<(), WireError> {
    let mut r = value(bytes)?;
    member.instance_id = r.compact_nullable_string()?;
    member.rack_id = r.compact_nullable_string()?;
    member.client_id = r.compact_string()?;
    member.client_host = r.compact_string()?;
    member.subscribed_topics = r.array_of(|r| r.compact_string())?.into_iter().collect();
    member.subscribed_regex = r.compact_nullable_string()?;
    member.rebalance_timeout = r.i32()?;
    member.server_assignor = r.compact_nullable_string()?;
    member.classic = None;
    r.tagged_fields(|tag, field| {
        if tag == 0 && field.i8()? >= 0 {
            member.classic = Some(read_classic(field)?);
        }
        Ok(())
    })?;
    r.finish()
}

fn read_classic(r: &mut Reader<'_>) -> Result<ClassicMetadata, WireError> {
    let session_timeout = Duration::from_millis(u64::try_from(r.i32()?).unwrap_or(0));
    let protocols = r.array_of(|r| {
        let protocol = JoinGroupProtocol { name: r.compact_string()?, metadata: r.bytes(true)? };
        r.skip_tagged_fields()?;
        Ok(protocol)
    })?;
    r.skip_tagged_fields()?;
    Ok(ClassicMetadata { session_timeout, protocols: protocols.into() })
}

/// Reads ConsumerGroupTargetAssignmentMemberValue; topics that are not ours are left out.
pub fn read_target(bytes: &[u8]) -> Result<TargetAssignment, WireError> {
    let mut r = value(bytes)?;
    let topics = r.array_of(|r| {
        let (topic, partitions) = (r.uuid()?, r.array_of(|r| r.i32())?);
        r.skip_tagged_fields()?;
        Ok((topic, partitions))
    })?;
    r.skip_tagged_fields()?;
    r.finish()?;
    let known = |(topic, partitions): (Uuid, Vec<i32>)| {
        Some((topic.topic()?, partitions.into_iter().filter_map(|it| u32::try_from(it).ok()).collect()))
    };
    Ok(Rc::new(topics.into_iter().filter_map(known).collect()))
}

impl CurrentValue {
    /// Reads a record's value.
    pub fn decode(bytes: &[u8]) -> Result<CurrentValue, WireError> {
        let mut r = value(bytes)?;
        let (epoch, previous_epoch) = (r.i32()?, r.i32()?);
        let state = MemberState::from_code(r.i8()?);
        let assigned = read_partitions(&mut r, epoch)?;
        let pending_revocation = read_partitions(&mut r, epoch)?;
        r.skip_tagged_fields()?;
        r.finish()?;
        Ok(CurrentValue { epoch, previous_epoch, state, assigned, pending_revocation })
    }
}

impl ResolvedRegex {
    /// Reads a record's value.
    pub fn decode(bytes: &[u8]) -> Result<ResolvedRegex, WireError> {
        let mut r = value(bytes)?;
        let topics = r.array_of(|r| r.compact_string())?.into_iter().collect();
        let (version, timestamp) = (r.i64()?, r.i64()?);
        r.skip_tagged_fields()?;
        r.finish()?;
        Ok(ResolvedRegex { topics, version, timestamp })
    }
}

/// Without epochs (before 4.3) they count as assigned in the member's.
fn read_partitions(r: &mut Reader<'_>, member_epoch: MemberEpoch) -> Result<MemberEpochs, WireError> {
    let topics = r.array_of(|r| {
        let (topic, partitions, mut epochs) = (r.uuid()?, r.array_of(|r| r.i32())?, Vec::new());
        r.tagged_fields(|tag, field| {
            if tag == 0 {
                epochs = field.array_of(|r| r.i32())?;
            }
            Ok(())
        })?;
        if epochs.len() != partitions.len() {
            epochs = vec![member_epoch.max(0); partitions.len()];
        }
        Ok((topic.topic(), partitions, epochs))
    })?;
    let mut all = SortedMap::new();
    for (topic, partitions, epochs) in topics {
        let Some(topic) = topic else { continue };
        for (partition, epoch) in partitions.into_iter().zip(epochs) {
            let partition = u32::try_from(partition).map_err(|_| WireError::Invalid("the partition is negative"))?;
            all.insert(TopicPartition::new(topic, partition), epoch);
        }
    }
    Ok(Rc::new(all))
}
