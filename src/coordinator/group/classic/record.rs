//! The record that remembers a group, byte for byte: `GroupMetadataKey` and `GroupMetadataValue`.
//!
//! The key's first two bytes are the type (2). Values are written at version 3 and read from version 0 on.

use super::ClassicGroup;
use super::member::ClassicGroupMember;
use crate::base::{Duration, Generation, SortedMap, Time};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::wire::{Reader, WireError, Writer};
use crate::protocol::GroupState::{Empty, Stable};
use crate::protocol::JoinGroupProtocol;
use bytes::Bytes;
use std::rc::Rc;

const GROUP_METADATA: i16 = 2;
const VALUE_VERSION: i16 = 3;

/// Which group a record is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupMetadataKey {
    /// The group.
    pub group: Rc<str>,
}

/// A generation of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupMetadata {
    /// Of the record.
    pub version: i16,
    /// Empty if the group never had members.
    pub protocol_type: Rc<str>,
    /// Counts its rebalances.
    pub generation: Generation,
    /// The chosen one; none without members.
    pub protocol: Option<Rc<str>>,
    /// Its member id.
    pub leader: Option<Rc<str>>,
    /// Of the last change of state, milliseconds, −1 if unknown.
    pub current_state_timestamp: i64,
    /// All of them.
    pub members: Vec<MemberMetadata>,
}

/// One member of a [`GroupMetadata`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MemberMetadata {
    /// Its id.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// `client.id`.
    pub client_id: Rc<str>,
    /// Where it connects from.
    pub client_host: Rc<str>,
    /// Milliseconds, −1 for the session timeout.
    pub rebalance_timeout: i32,
    /// Milliseconds.
    pub session_timeout: i32,
    /// What it says of itself for the chosen protocol.
    pub subscription: Bytes,
    /// What it is assigned.
    pub assignment: Bytes,
}

/// Remembers a generation.
pub(super) fn group_metadata_record(group: &ClassicGroup, assignment: &SortedMap<Rc<str>, Bytes>) -> CoordinatorRecord {
    let protocol = group.protocol_name.clone();
    let member = |member: &ClassicGroupMember| MemberMetadata {
        member_id: member.member_id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout: millis(member.rebalance_timeout),
        session_timeout: millis(member.session_timeout),
        subscription: protocol.as_deref().and_then(|name| member.metadata(name)).cloned().unwrap_or_default(),
        assignment: assignment.get(&member.member_id).cloned().unwrap_or_default(),
    };
    let value = GroupMetadata {
        version: VALUE_VERSION,
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        generation: group.generation,
        leader: group.leader.clone(),
        current_state_timestamp: group.state_since.unwrap_or(-1),
        members: group.members.values().map(member).collect(),
        protocol,
    };
    record_of(group, &value)
}

/// Remembers that there is a group.
pub(super) fn new_group_record(group: &ClassicGroup) -> CoordinatorRecord {
    let value = GroupMetadata {
        version: VALUE_VERSION,
        protocol_type: Rc::from(""),
        generation: 0,
        protocol: None,
        leader: None,
        current_state_timestamp: group.state_since.unwrap_or(-1),
        members: Vec::new(),
    };
    record_of(group, &value)
}

/// Forgets a group.
pub(in crate::coordinator::group) fn group_tombstone(group: &Rc<str>) -> CoordinatorRecord {
    CoordinatorRecord::tombstone(GroupMetadataKey { group: group.clone() }.encode())
}

fn record_of(group: &ClassicGroup, value: &GroupMetadata) -> CoordinatorRecord {
    let key = GroupMetadataKey { group: group.id.clone() }.encode();
    CoordinatorRecord { key, value: Some(value.encode()) }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

impl GroupMetadataKey {
    /// The record's key.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::default();
        w.i16(GROUP_METADATA);
        w.string(&self.group);
        Bytes::from(w.into_bytes())
    }

    /// Reads a record's key; None if the record is about something else.
    pub fn decode(bytes: &[u8]) -> Result<Option<GroupMetadataKey>, WireError> {
        let mut r = Reader::new(bytes);
        if r.i16()? != GROUP_METADATA {
            return Ok(None);
        }
        let group = r.string()?;
        r.finish()?;
        Ok(Some(GroupMetadataKey { group }))
    }
}

impl GroupMetadata {
    /// The record's value, at version 3.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::default();
        w.i16(VALUE_VERSION);
        w.string(&self.protocol_type);
        w.i32(self.generation);
        w.nullable_string(self.protocol.as_deref());
        w.nullable_string(self.leader.as_deref());
        w.i64(self.current_state_timestamp);
        w.i32(self.members.len() as i32);
        for member in &self.members {
            w.string(&member.member_id);
            w.nullable_string(member.instance_id.as_deref());
            w.string(&member.client_id);
            w.string(&member.client_host);
            w.i32(member.rebalance_timeout);
            w.i32(member.session_timeout);
            w.bytes(&member.subscription);
            w.bytes(&member.assignment);
        }
        Bytes::from(w.into_bytes())
    }

    /// Reads a record's value.
    pub fn decode(bytes: &[u8]) -> Result<GroupMetadata, WireError> {
        let mut r = Reader::new(bytes);
        let version = r.i16()?;
        if !(0..=4).contains(&version) {
            return Err(WireError::Invalid("unknown version of a group"));
        }
        let flexible = version >= 4;
        let protocol_type = text(&mut r, flexible)?;
        let generation = r.i32()?;
        let (protocol, leader) = (nullable_text(&mut r, flexible)?, nullable_text(&mut r, flexible)?);
        let current_state_timestamp = if version >= 2 { r.i64()? } else { -1 };
        let one = |r: &mut Reader<'_>| member(r, version);
        let members = if flexible { r.array_of(one)? } else { plain_array(&mut r, one)? };
        if flexible {
            r.skip_tagged_fields()?;
        }
        r.finish()?;
        Ok(GroupMetadata { version, protocol_type, generation, protocol, leader, current_state_timestamp, members })
    }

    /// The group as whoever takes over its partition has it: Stable, or Empty.
    pub(super) fn into_group(self, id: Rc<str>) -> ClassicGroup {
        let mut group = ClassicGroup::new(id, Time::ZERO);
        group.state = if self.members.is_empty() { Empty } else { Stable };
        group.previous_state = Empty;
        group.state_since = Some(self.current_state_timestamp).filter(|at| *at != -1);
        (group.generation, group.protocol_name) = (self.generation, self.protocol);
        for member in self.members {
            let session_timeout = Duration::from_millis(member.session_timeout.max(0) as u64);
            let rebalance_timeout = u64::try_from(member.rebalance_timeout).map(Duration::from_millis);
            let name = group.protocol_name.clone().unwrap_or_default();
            let loaded = ClassicGroupMember {
                member_id: member.member_id,
                instance_id: member.instance_id,
                client_id: member.client_id,
                client_host: member.client_host,
                rebalance_timeout: rebalance_timeout.unwrap_or(session_timeout),
                session_timeout,
                protocols: Rc::from([JoinGroupProtocol { name, metadata: member.subscription }]),
                assignment: member.assignment,
                is_new: false,
                session_end: None,
                joining: None,
                syncing: None,
            };
            group.add(loaded, &self.protocol_type);
        }
        group.protocol_type = Some(self.protocol_type).filter(|it| !it.is_empty());
        group.leader = self.leader;
        group
    }
}

fn member(r: &mut Reader<'_>, version: i16) -> Result<MemberMetadata, WireError> {
    let flexible = version >= 4;
    let member = MemberMetadata {
        member_id: text(r, flexible)?,
        instance_id: if version >= 3 { nullable_text(r, flexible)? } else { None },
        client_id: text(r, flexible)?,
        client_host: text(r, flexible)?,
        rebalance_timeout: if version >= 1 { r.i32()? } else { -1 },
        session_timeout: r.i32()?,
        subscription: r.bytes(flexible)?,
        assignment: r.bytes(flexible)?,
    };
    if flexible {
        r.skip_tagged_fields()?;
    }
    Ok(member)
}

fn plain_array<T>(
    r: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = r.i32()?;
    (0..count).map(|_| one(r)).collect()
}

fn text(r: &mut Reader<'_>, flexible: bool) -> Result<Rc<str>, WireError> {
    if flexible { r.compact_string() } else { r.string() }
}

fn nullable_text(r: &mut Reader<'_>, flexible: bool) -> Result<Option<Rc<str>>, WireError> {
    if flexible { r.compact_nullable_string() } else { r.nullable_string() }
}
