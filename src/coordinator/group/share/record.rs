//! The records of share groups, byte for byte: types 10 to 15 of `__consumer_offsets`, values of version 0. Topics stand in
//! the order of Java's hash maps, as Kafka writes them.

use super::group::{NamedPartitions, ShareGroup, ShareGroupMember, StatePartitions};
use crate::base::{JavaMap, SortedSet, Time};
use crate::coordinator::CoordinatorRecord;
use crate::coordinator::group::assignor::MemberAssignment;
use crate::coordinator::group::consumer::{TargetValue, put_tagged_i64, put_target, read_target};
use crate::metadata::Uuid;
use crate::metadata::wire::{Reader, WireError, Writer};
use bytes::Bytes;
use std::rc::Rc;

/// What a record is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ShareGroupKey {
    /// ShareGroupMemberMetadata (10)
    Member(Rc<str>, Rc<str>),
    /// ShareGroupMetadata (11)
    Group(Rc<str>),
    /// ShareGroupTargetAssignmentMetadata (12)
    Target(Rc<str>),
    /// ShareGroupTargetAssignmentMember (13)
    TargetOfMember(Rc<str>, Rc<str>),
    /// ShareGroupCurrentMemberAssignment (14)
    Current(Rc<str>, Rc<str>),
    /// ShareGroupStatePartitionMetadata (15)
    StatePartitions(Rc<str>),
}

use ShareGroupKey as Key;

impl ShareGroupKey {
    /// The group.
    pub fn group(&self) -> &Rc<str> {
        match self {
            Key::Group(group) | Key::Target(group) | Key::StatePartitions(group) => group,
            Key::Member(group, _) | Key::TargetOfMember(group, _) | Key::Current(group, _) => group,
        }
    }

    /// The member, if it is about one.
    pub fn member(&self) -> Option<&Rc<str>> {
        match self {
            Key::Group(_) | Key::Target(_) | Key::StatePartitions(_) => None,
            Key::Member(_, member) | Key::TargetOfMember(_, member) | Key::Current(_, member) => Some(member),
        }
    }

    fn encode(&self) -> Bytes {
        let kind = match self {
            Key::Member(..) => 10,
            Key::Group(_) => 11,
            Key::Target(_) => 12,
            Key::TargetOfMember(..) => 13,
            Key::Current(..) => 14,
            Key::StatePartitions(_) => 15,
        };
        let mut w = Writer::default();
        w.i16(kind);
        w.string(self.group());
        self.member().into_iter().for_each(|member| w.string(member));
        Bytes::from(w.into_bytes())
    }

    /// Reads a record's key; None if the record is about something else.
    pub fn decode(bytes: &[u8]) -> Result<Option<ShareGroupKey>, WireError> {
        let mut r = Reader::new(bytes);
        let kind = r.i16()?;
        if !(10..=15).contains(&kind) {
            return Ok(None);
        }
        let group = r.string()?;
        let key = match kind {
            10 => Key::Member(group, r.string()?),
            11 => Key::Group(group),
            12 => Key::Target(group),
            13 => Key::TargetOfMember(group, r.string()?),
            14 => Key::Current(group, r.string()?),
            _ => Key::StatePartitions(group),
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
pub(super) fn group_record(group: &Rc<str>, epoch: i32, metadata_hash: i64) -> CoordinatorRecord {
    Key::Group(group.clone()).record(|w| {
        w.i32(epoch);
        w.i64(metadata_hash);
        w.no_tagged_fields();
    })
}

/// Remembers a member and what it subscribes to.
pub(super) fn member_record(group: &Rc<str>, member: &ShareGroupMember) -> CoordinatorRecord {
    Key::Member(group.clone(), member.member_id.clone()).record(|w| {
        w.compact_nullable_string(member.rack_id.as_deref());
        w.compact_string(&member.client_id);
        w.compact_string(&member.client_host);
        w.compact_len(member.subscribed_topics.len());
        member.subscribed_topics.iter().for_each(|topic| w.compact_string(topic));
        w.no_tagged_fields();
    })
}

/// Remembers for which epoch, and when, the target was computed.
pub(super) fn target_record(group: &Rc<str>, value: TargetValue) -> CoordinatorRecord {
    Key::Target(group.clone()).record(|w| {
        w.i32(value.epoch);
        put_tagged_i64(w, value.timestamp);
    })
}

/// Remembers what a member shall have.
pub(super) fn target_member_record(group: &Rc<str>, member: &Rc<str>, target: &MemberAssignment) -> CoordinatorRecord {
    Key::TargetOfMember(group.clone(), member.clone()).record(|w| put_target(w, target))
}

/// Remembers what a member has. Its state is always stable.
pub(super) fn current_record(group: &Rc<str>, member: &ShareGroupMember) -> CoordinatorRecord {
    Key::Current(group.clone(), member.member_id.clone()).record(|w| {
        w.i32(member.member_epoch);
        w.i32(member.previous_member_epoch);
        w.i8(0);
        put_target(w, &member.assigned);
    })
}

/// Remembers which partitions the share coordinator knows.
pub(super) fn state_partitions_record(group: &Rc<str>, partitions: &StatePartitions) -> CoordinatorRecord {
    fn put(w: &mut Writer, named: &NamedPartitions) {
        let topics: JavaMap<Uuid, &(Rc<str>, SortedSet<u32>)> =
            named.iter().map(|(topic, named)| (Uuid::of_topic(*topic), named)).collect();
        w.compact_len(topics.len());
        for (topic, (name, partitions)) in topics.iter() {
            w.uuid(*topic);
            w.compact_string(name);
            w.compact_len(partitions.len());
            partitions.iter().for_each(|partition| w.i32(*partition as i32));
            w.no_tagged_fields();
        }
    }
    Key::StatePartitions(group.clone()).record(|w| {
        put(w, &partitions.initializing);
        put(w, &partitions.initialized);
        // Topics that are being deleted.
        w.compact_len(0);
        w.no_tagged_fields();
    })
}

/// Reads a record's value into its group.
pub(super) fn read(group: &mut ShareGroup, key: &ShareGroupKey, bytes: &[u8], now: Time) -> Result<(), WireError> {
    match key {
        Key::Target(_) => {
            group.target_epoch = TargetValue::decode(bytes)?;
            return Ok(());
        }
        Key::TargetOfMember(_, member) => {
            group.target.insert(member.clone(), read_target(bytes)?);
            return Ok(());
        }
        _ => {}
    }
    let mut r = Reader::new(bytes);
    if r.i16()? != 0 {
        return Err(WireError::Invalid("unknown version of a share group's record"));
    }
    match key {
        Key::Group(_) => (group.epoch, group.metadata_hash) = (r.i32()?, r.i64()?),
        Key::Member(_, member) => {
            let (rack, client, host) = (r.compact_nullable_string()?, r.compact_string()?, r.compact_string()?);
            let topics = r.array_of(|r| r.compact_string())?;
            let member = group.member_mut(member);
            (member.rack_id, member.client_id, member.client_host) = (rack, client, host);
            member.subscribed_topics = topics.into_iter().collect();
        }
        Key::Current(_, member) => {
            let (epoch, previous, _) = (r.i32()?, r.i32()?, r.i8()?);
            let member = group.member_mut(member);
            (member.member_epoch, member.previous_member_epoch) = (epoch, previous);
            member.assigned =
                Rc::new(read_topics(&mut r, |_| Ok(()))?.map(|(topic, (_, them))| (topic, them)).collect());
        }
        _ => {
            let initializing = read_topics(&mut r, |r| r.compact_string())?.collect();
            let initialized = read_topics(&mut r, |r| r.compact_string())?.collect();
            group.partitions = StatePartitions { initializing, initialized, since: now };
            r.array_of(|r| {
                let _ = (r.uuid()?, r.compact_string()?);
                r.skip_tagged_fields()
            })?;
        }
    }
    r.skip_tagged_fields()?;
    r.finish()
}

/// Topics with partitions; those that are not ours are left out.
fn read_topics<N>(
    r: &mut Reader<'_>,
    name: impl Fn(&mut Reader<'_>) -> Result<N, WireError>,
) -> Result<impl Iterator<Item = (crate::base::TopicId, (N, SortedSet<u32>))>, WireError> {
    let topics = r.array_of(|r| {
        let (topic, name, partitions) = (r.uuid()?, name(r)?, r.array_of(|r| r.i32())?);
        r.skip_tagged_fields()?;
        Ok((topic.topic(), (name, partitions.into_iter().filter_map(|it| u32::try_from(it).ok()).collect())))
    })?;
    Ok(topics.into_iter().filter_map(|(topic, named)| Some((topic?, named))))
}
