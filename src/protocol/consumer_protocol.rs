//! What consumers write into JoinGroup and SyncGroup: subscriptions and assignments, versions 0 to 3.
//!
//! Two bytes of version, then the message in Kafka's old (not flexible) encoding. A version above 3 is read as 3: later
//! versions may only add at the end, and what is left over there is not looked at. In Kafka: `ConsumerProtocol`,
//! `ConsumerProtocolSubscription`, `ConsumerProtocolAssignment`, `ConsumerPartitionAssignor.Subscription`.

use crate::base::{Generation, sort_long};
use bytes::{BufMut, Bytes};
use std::rc::Rc;

/// `protocol_type` of groups of consumers.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

const HIGHEST_VERSION: i16 = 3;

/// A partition by its topic's name, as members of a group speak of it.
pub type NamedPartition = (Rc<str>, u32);

/// What a member says of itself when it joins.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerSubscription {
    /// What it wants to read.
    pub topics: Vec<Rc<str>>,
    /// From its assignor to the leader's.
    pub user_data: Option<Bytes>,
    /// What it has not given up (cooperative; from version 1 on).
    pub owned_partitions: Vec<NamedPartition>,
    /// In which generation it was assigned that; none if never, or written as −1 (from version 2 on).
    pub generation: Option<Generation>,
    /// `client.rack`, if not empty (from version 3 on).
    pub rack: Option<Rc<str>>,
    /// `group.instance.id`: no part of the bytes, it stands beside them in the JoinGroup response.
    pub instance_id: Option<Rc<str>>,
}

/// What the leader gives to a member.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerAssignment {
    /// These, grouped by topic on the wire.
    pub partitions: Vec<NamedPartition>,
    /// From the leader's assignor to the member's.
    pub user_data: Option<Bytes>,
}

/// Bytes of a member that are no subscription or assignment (`SchemaException`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum ConsumerProtocolError {
    /// Too short for a version.
    #[error("Buffer underflow while parsing consumer protocol's header")]
    Header,
    /// A negative version.
    #[error("Unsupported version: {0}")]
    Version(i16),
    /// Anything else.
    #[error("Malformed consumer protocol message")]
    Malformed,
}

impl ConsumerSubscription {
    /// At the highest version.
    pub fn encode(&self) -> Bytes {
        self.encode_as(HIGHEST_VERSION)
    }

    /// At a version, which leaves out what it does not know. Topics and owned partitions are sorted.
    pub fn encode_as(&self, version: i16) -> Bytes {
        let mut out = Vec::new();
        let version = version.min(HIGHEST_VERSION);
        out.put_i16(version);
        let mut topics = self.topics.clone();
        sort_long(&mut topics, |a, b| a < b);
        put_len(&mut out, topics.len());
        topics.iter().for_each(|topic| put_string(&mut out, topic));
        put_bytes(&mut out, self.user_data.as_ref());
        if version >= 1 {
            let mut owned = self.owned_partitions.clone();
            sort_long(&mut owned, |a, b| a < b);
            put_partitions(&mut out, &owned);
        }
        if version >= 2 {
            out.put_i32(self.generation.unwrap_or(-1));
        }
        if version >= 3 {
            match &self.rack {
                Some(rack) => put_string(&mut out, rack),
                None => out.put_i16(-1),
            }
        }
        Bytes::from(out)
    }

    /// Reads any version.
    pub fn decode(bytes: &[u8]) -> Result<ConsumerSubscription, ConsumerProtocolError> {
        let (version, mut reader) = header(bytes)?;
        let read = |reader: &mut Reader<'_>| {
            let topics = (0..reader.len()?).map(|_| reader.string()?).collect::<Option<_>>()?;
            Some(ConsumerSubscription {
                topics,
                user_data: reader.nullable_bytes()?,
                owned_partitions: if version >= 1 { reader.partitions()? } else { Vec::new() },
                generation: if version >= 2 { Some(reader.i32()?).filter(|generation| *generation >= 0) } else { None },
                rack: if version >= 3 { reader.string()?.filter(|rack| !rack.is_empty()) } else { None },
                instance_id: None,
            })
        };
        read(&mut reader).ok_or(ConsumerProtocolError::Malformed)
    }
}

impl ConsumerAssignment {
    /// At the highest version.
    pub fn encode(&self) -> Bytes {
        self.encode_as(HIGHEST_VERSION)
    }

    /// At a version; they do not differ. Topics in the order in which they come first.
    pub fn encode_as(&self, version: i16) -> Bytes {
        let mut out = Vec::new();
        out.put_i16(version.min(HIGHEST_VERSION));
        put_partitions(&mut out, &self.partitions);
        put_bytes(&mut out, self.user_data.as_ref());
        Bytes::from(out)
    }

    /// Reads any version.
    pub fn decode(bytes: &[u8]) -> Result<ConsumerAssignment, ConsumerProtocolError> {
        let (_, mut reader) = header(bytes)?;
        let read = |reader: &mut Reader<'_>| {
            Some(ConsumerAssignment { partitions: reader.partitions()?, user_data: reader.nullable_bytes()? })
        };
        read(&mut reader).ok_or(ConsumerProtocolError::Malformed)
    }
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.put_i32(i32::try_from(len).expect("invariant: our own arrays are short"));
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.put_i16(i16::try_from(text.len()).expect("invariant: names are at most 32767 bytes long"));
    out.put_slice(text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&Bytes>) {
    match bytes {
        Some(bytes) => {
            put_len(out, bytes.len());
            out.put_slice(bytes);
        }
        None => out.put_i32(-1),
    }
}

/// Partitions by topic, as the assignors' user data writes them, too.
pub(crate) fn put_partitions(out: &mut Vec<u8>, partitions: &[NamedPartition]) {
    let mut by_topic: Vec<(&Rc<str>, Vec<u32>)> = Vec::new();
    for (topic, partition) in partitions {
        match by_topic.iter_mut().find(|(it, _)| *it == topic) {
            Some((_, of_topic)) => of_topic.push(*partition),
            None => by_topic.push((topic, vec![*partition])),
        }
    }
    put_len(out, by_topic.len());
    for (topic, partitions) in by_topic {
        put_string(out, topic);
        put_len(out, partitions.len());
        partitions.into_iter().for_each(|partition| out.put_u32(partition));
    }
}

fn header(bytes: &[u8]) -> Result<(i16, Reader<'_>), ConsumerProtocolError> {
    let mut reader = Reader { bytes };
    let version = reader.i16().ok_or(ConsumerProtocolError::Header)?;
    if version < 0 { Err(ConsumerProtocolError::Version(version)) } else { Ok((version, reader)) }
}

/// Reads the old encoding; None where it is broken. A null string or array of bytes reads as `Some(None)`.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(self.i32()?).ok()
    }

    fn string(&mut self) -> Option<Option<Rc<str>>> {
        let Ok(len) = usize::try_from(self.i16()?) else {
            return Some(None);
        };
        let text = std::str::from_utf8(self.take(len)?).ok()?;
        Some(Some(Rc::from(text)))
    }

    fn nullable_bytes(&mut self) -> Option<Option<Bytes>> {
        match usize::try_from(self.i32()?) {
            Ok(len) => Some(Some(Bytes::copy_from_slice(self.take(len)?))),
            Err(_) => Some(None),
        }
    }

    /// Partitions by topic.
    pub(crate) fn partitions(&mut self) -> Option<Vec<NamedPartition>> {
        let mut partitions = Vec::new();
        for _ in 0..self.len()? {
            let topic = self.string()??;
            for _ in 0..self.len()? {
                partitions.push((topic.clone(), u32::try_from(self.i32()?).ok()?));
            }
        }
        Some(partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription() -> ConsumerSubscription {
        ConsumerSubscription {
            topics: vec!["orders".into(), "audit".into()],
            user_data: Some(Bytes::from_static(b"x")),
            owned_partitions: vec![("orders".into(), 2), ("audit".into(), 0), ("orders".into(), 0)],
            generation: Some(7),
            rack: Some("a".into()),
            instance_id: None,
        }
    }

    #[test]
    fn an_older_version_carries_less() {
        let said = subscription();
        for version in 0..=3 {
            let read = ConsumerSubscription::decode(&said.encode_as(version)).expect("it was just written");
            assert_eq!(read.topics, ["audit".into(), "orders".into()], "sorted");
            assert_eq!(read.user_data, said.user_data);
            assert_eq!(read.owned_partitions.len(), if version >= 1 { 3 } else { 0 });
            assert_eq!(read.generation, said.generation.filter(|_| version >= 2));
            assert_eq!(read.rack, said.rack.clone().filter(|_| version >= 3));
        }
    }

    #[test]
    fn a_later_version_is_read_as_the_highest() {
        let mut bytes = subscription().encode().to_vec();
        bytes[1] = 9;
        bytes.extend(b"what came later");
        assert_eq!(ConsumerSubscription::decode(&bytes), ConsumerSubscription::decode(&subscription().encode()));
    }

    #[test]
    fn assignments_come_back_grouped_by_topic() {
        let partitions = vec![("b".into(), 1), ("a".into(), 0), ("b".into(), 0)];
        let written = ConsumerAssignment { partitions, user_data: None }.encode();
        let read = ConsumerAssignment::decode(&written).expect("it was just written");
        assert_eq!(read.partitions, [("b".into(), 1), ("b".into(), 0), ("a".into(), 0)]);
        assert_eq!(
            &written[..],
            b"\0\x03\0\0\0\x02\0\x01b\0\0\0\x02\0\0\0\x01\0\0\0\0\0\x01a\0\0\0\x01\0\0\0\0\xff\xff\xff\xff"
        );
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_refused() {
        assert_eq!(ConsumerSubscription::decode(b"\0"), Err(ConsumerProtocolError::Header));
        assert_eq!(ConsumerAssignment::decode(b"\xff\xff"), Err(ConsumerProtocolError::Version(-1)));
        let whole = subscription().encode();
        for end in 2..whole.len() {
            assert_eq!(ConsumerSubscription::decode(&whole[..end]), Err(ConsumerProtocolError::Malformed));
        }
        assert_eq!(ConsumerSubscription::decode(b"\0\0\x7f\xff\xff\xff"), Err(ConsumerProtocolError::Malformed));
    }
}
