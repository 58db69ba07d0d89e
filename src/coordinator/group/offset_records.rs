//! The records that remember offsets, byte for byte: `OffsetCommitKey` and `OffsetCommitValue`.
//!
//! The key's first two bytes are the type (1; 0 is its older twin). Values are written at version 4, the flexible one, and
//! read from version 0 on.

use crate::base::{LeaderEpoch, Offset, TopicId};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::Uuid;
use crate::metadata::wire::{Reader, TaggedFields, WireError, Writer};
use bytes::Bytes;
use std::rc::Rc;

const OFFSET_COMMIT: i16 = 1;
const VALUE_VERSION: i16 = 4;

/// What a committed offset is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OffsetKey {
    /// The group.
    pub group: Rc<str>,
    /// The topic's name.
    pub topic: Rc<str>,
    /// The partition.
    pub partition: u32,
}

/// A committed offset.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetAndMetadata {
    /// The next offset to read.
    pub offset: Offset,
    /// Of the last record read, −1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the application added.
    pub metadata: Rc<str>,
    /// When it was committed.
    pub commit_timestamp: i64,
    /// When it expires by itself; only very old clients ask for that.
    pub expire_timestamp: Option<i64>,
    /// Of the topic when it was committed: a topic created anew under the same name has none of its offsets.
    pub topic_id: Option<TopicId>,
}

/// Remembers an offset.
pub fn offset_commit_record(key: &OffsetKey, offset: &OffsetAndMetadata) -> CoordinatorRecord {
    CoordinatorRecord { key: key.encode(), value: Some(offset.encode()) }
}

/// Forgets an offset.
pub fn offset_tombstone(key: &OffsetKey) -> CoordinatorRecord {
    CoordinatorRecord::tombstone(key.encode())
}

impl OffsetKey {
    /// The record's key.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::default();
        w.i16(OFFSET_COMMIT);
        w.string(&self.group);
        w.string(&self.topic);
        w.i32(self.partition as i32);
        Bytes::from(w.into_bytes())
    }

    /// Reads a record's key; None if the record is about something else.
    pub fn decode(bytes: &[u8]) -> Result<Option<OffsetKey>, WireError> {
        let mut r = Reader::new(bytes);
        if !matches!(r.i16()?, 0 | OFFSET_COMMIT) {
            return Ok(None);
        }
        let (group, topic, partition) = (r.string()?, r.string()?, r.i32()?);
        r.finish()?;
        let partition = u32::try_from(partition).map_err(|_| WireError::Invalid("the partition is negative"))?;
        Ok(Some(OffsetKey { group, topic, partition }))
    }
}

impl OffsetAndMetadata {
    /// The record's value, at version 4 (at version 1 if it expires by itself).
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::default();
        if let Some(expire_timestamp) = self.expire_timestamp {
            w.i16(1);
            w.i64(self.offset);
            w.string(&self.metadata);
            w.i64(self.commit_timestamp);
            w.i64(expire_timestamp);
        } else {
            w.i16(VALUE_VERSION);
            w.i64(self.offset);
            w.i32(self.leader_epoch);
            w.compact_string(&self.metadata);
            w.i64(self.commit_timestamp);
            let mut tagged = TaggedFields::default();
            tagged.maybe(0, self.topic_id, |w, topic| w.uuid(Uuid::of_topic(topic)));
            w.tagged_fields(&tagged);
        }
        Bytes::from(w.into_bytes())
    }

    /// Reads a record's value.
    pub fn decode(bytes: &[u8]) -> Result<OffsetAndMetadata, WireError> {
        let mut r = Reader::new(bytes);
        let version = r.i16()?;
        if !(0..=VALUE_VERSION).contains(&version) {
            return Err(WireError::Invalid("unknown version of an offset"));
        }
        let offset = r.i64()?;
        let leader_epoch = if version >= 3 { r.i32()? } else { -1 };
        let metadata = if version >= 4 { r.compact_string()? } else { r.string()? };
        let commit_timestamp = r.i64()?;
        let expire_timestamp = if version == 1 { Some(r.i64()?).filter(|at| *at != -1) } else { None };
        let mut topic_id = None;
        if version >= 4 {
            r.tagged_fields(|tag, field| {
                if tag == 0 {
                    topic_id = field.uuid()?.topic();
                }
                Ok(())
            })?;
        }
        r.finish()?;
        Ok(OffsetAndMetadata { offset, leader_epoch, metadata, commit_timestamp, expire_timestamp, topic_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> OffsetKey {
        OffsetKey { group: Rc::from("mail"), topic: Rc::from("orders"), partition: 2 }
    }

    fn offset() -> OffsetAndMetadata {
        OffsetAndMetadata {
            offset: 17,
            leader_epoch: 3,
            metadata: Rc::from("m"),
            commit_timestamp: 0x0102_0304,
            expire_timestamp: None,
            topic_id: None,
        }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let golden = b"\x00\x01\x00\x04mail\x00\x06orders\x00\x00\x00\x02";
        assert_eq!(&key().encode()[..], golden);
        let golden =
            b"\x00\x04\x00\x00\x00\x00\x00\x00\x00\x11\x00\x00\x00\x03\x02m\x00\x00\x00\x00\x01\x02\x03\x04\x00";
        assert_eq!(&offset().encode()[..], golden);
    }

    #[test]
    fn what_is_written_is_read() {
        let variants = [
            offset(),
            OffsetAndMetadata { topic_id: Some(TopicId(4)), metadata: Rc::from(""), ..offset() },
            OffsetAndMetadata { expire_timestamp: Some(9), leader_epoch: -1, ..offset() },
        ];
        for offset in variants {
            assert_eq!(OffsetAndMetadata::decode(&offset.encode()), Ok(offset));
        }
        assert_eq!(OffsetKey::decode(&key().encode()), Ok(Some(key())));
    }

    #[test]
    fn older_versions_are_read() {
        let version_0 = b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x11\x00\x01m\x00\x00\x00\x00\x01\x02\x03\x04";
        let read = OffsetAndMetadata::decode(version_0);
        assert_eq!(read, Ok(OffsetAndMetadata { leader_epoch: -1, ..offset() }));
    }

    #[test]
    fn other_records_and_damaged_ones() {
        assert_eq!(OffsetKey::decode(b"\x00\x02\x00\x01g"), Ok(None), "group metadata");
        assert!(OffsetKey::decode(b"\x00\x01\x00\x09g").is_err());
        assert!(OffsetAndMetadata::decode(b"\x00\x05").is_err());
    }
}
