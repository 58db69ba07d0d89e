//! Control records: written by coordinators and quorum leaders, never delivered to applications.

use super::varint::{read_varint, write_varint};
use super::{BatchBuilder, RecordBatch, RecordError};
use crate::base::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use bytes::Bytes;

/// The kinds of control records, by Kafka's numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ControlType {
    /// 0: a transaction was aborted.
    Abort,
    /// 1: a transaction was committed.
    Commit,
    /// 2: first record of a quorum leader's epoch.
    LeaderChange,
    /// 3: first record of a snapshot.
    SnapshotHeader,
    /// 4: last record of a snapshot.
    SnapshotFooter,
    /// 5: the version of the quorum's protocol.
    KraftVersion,
    /// 6: who votes.
    KraftVoters,
    /// One that this code does not know; to be ignored.
    Unknown(i16),
}

/// The content of a control record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ControlRecord {
    /// The producer's transaction is undone.
    Abort {
        /// Epoch of the transaction coordinator that decided.
        coordinator_epoch: i32,
    },
    /// The producer's transaction holds.
    Commit {
        /// Epoch of the transaction coordinator that decided.
        coordinator_epoch: i32,
    },
    /// A new quorum leader.
    LeaderChange {
        /// Who.
        leader: BrokerId,
        /// The quorum.
        voters: Vec<BrokerId>,
        /// Who voted for the leader.
        granting_voters: Vec<BrokerId>,
    },
    /// Any other kind, its value undecoded.
    Other {
        /// Which.
        kind: ControlType,
        /// The value's bytes.
        value: Bytes,
    },
}

impl ControlType {
    /// The number in the key.
    pub const fn id(self) -> i16 {
        match self {
            ControlType::Abort => 0,
            ControlType::Commit => 1,
            ControlType::LeaderChange => 2,
            ControlType::SnapshotHeader => 3,
            ControlType::SnapshotFooter => 4,
            ControlType::KraftVersion => 5,
            ControlType::KraftVoters => 6,
            ControlType::Unknown(id) => id,
        }
    }

    /// The kind with that number.
    pub const fn from_id(id: i16) -> ControlType {
        match id {
            0 => ControlType::Abort,
            1 => ControlType::Commit,
            2 => ControlType::LeaderChange,
            3 => ControlType::SnapshotHeader,
            4 => ControlType::SnapshotFooter,
            5 => ControlType::KraftVersion,
            6 => ControlType::KraftVoters,
            id => ControlType::Unknown(id),
        }
    }

    /// `COMMIT`, `LEADER_CHANGE`, …
    pub const fn name(self) -> &'static str {
        match self {
            ControlType::Abort => "ABORT",
            ControlType::Commit => "COMMIT",
            ControlType::LeaderChange => "LEADER_CHANGE",
            ControlType::SnapshotHeader => "SNAPSHOT_HEADER",
            ControlType::SnapshotFooter => "SNAPSHOT_FOOTER",
            ControlType::KraftVersion => "KRAFT_VERSION",
            ControlType::KraftVoters => "KRAFT_VOTERS",
            ControlType::Unknown(_) => "UNKNOWN",
        }
    }

    /// Reads a control record's key: version, type. Kafka reads newer versions as if they were version 0.
    pub fn of_key(key: &[u8]) -> Result<ControlType, RecordError> {
        let [v0, v1, t0, t1, ..] = *key else { return Err(RecordError::Control("the key has fewer than 4 bytes")) };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return Err(RecordError::Control("negative key version"));
        }
        Ok(ControlType::from_id(i16::from_be_bytes([t0, t1])))
    }
}

impl ControlRecord {
    /// The marker that ends a transaction.
    pub const fn end_transaction(commit: bool, coordinator_epoch: i32) -> ControlRecord {
        if commit { ControlRecord::Commit { coordinator_epoch } } else { ControlRecord::Abort { coordinator_epoch } }
    }

    /// Its kind.
    pub const fn kind(&self) -> ControlType {
        match self {
            ControlRecord::Abort { .. } => ControlType::Abort,
            ControlRecord::Commit { .. } => ControlType::Commit,
            ControlRecord::LeaderChange { .. } => ControlType::LeaderChange,
            ControlRecord::Other { kind, .. } => *kind,
        }
    }

    /// The key's bytes.
    pub const fn key(&self) -> [u8; 4] {
        let [high, low] = self.kind().id().to_be_bytes();
        [0, 0, high, low]
    }

    /// The value's bytes.
    pub fn value(&self) -> Vec<u8> {
        match self {
            ControlRecord::Abort { coordinator_epoch } | ControlRecord::Commit { coordinator_epoch } => {
                let mut out = vec![0, 0];
                out.extend_from_slice(&coordinator_epoch.to_be_bytes());
                out
            }
            ControlRecord::LeaderChange { leader, voters, granting_voters } => {
                let mut out = vec![0, 0];
                out.extend_from_slice(&leader.0.to_be_bytes());
                write_voters(&mut out, voters);
                write_voters(&mut out, granting_voters);
                out.push(0);
                out
            }
            ControlRecord::Other { value, .. } => value.to_vec(),
        }
    }

    /// Reads key and value.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<ControlRecord, RecordError> {
        let kind = ControlType::of_key(key)?;
        match kind {
            ControlType::Abort | ControlType::Commit => {
                let coordinator_epoch = decode_end_transaction(value)?;
                Ok(ControlRecord::end_transaction(kind == ControlType::Commit, coordinator_epoch))
            }
            ControlType::LeaderChange => {
                decode_leader_change(value).ok_or(RecordError::Control("the leader change is cut off"))
            }
            kind => Ok(ControlRecord::Other { kind, value: Bytes::copy_from_slice(value) }),
        }
    }

    /// The control record of a control batch; None if the cleaner emptied the batch.
    pub fn of_batch(batch: &RecordBatch) -> Result<Option<ControlRecord>, RecordError> {
        let Some(record) = batch.raw_records().next() else { return Ok(None) };
        let record = record?;
        let key = record.key.ok_or(RecordError::Control("no key"))?;
        ControlRecord::decode(key, record.value.unwrap_or_default()).map(Some)
    }

    /// A batch with the marker that ends a producer's transaction.
    pub fn marker_batch(
        commit: bool,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        coordinator_epoch: i32,
        timestamp: i64,
    ) -> RecordBatch {
        let marker = ControlRecord::end_transaction(commit, coordinator_epoch);
        let mut builder = BatchBuilder::new(timestamp)
            .producer(producer_id, producer_epoch, super::NO_SEQUENCE)
            .transactional(true)
            .control(true);
        builder.append(timestamp, Some(&marker.key()), Some(&marker.value()), &[]);
        builder.build()
    }

    /// A control batch that belongs to no producer, placed by a quorum leader.
    pub fn quorum_batch(&self, base_offset: Offset, leader_epoch: LeaderEpoch, timestamp: i64) -> RecordBatch {
        let mut builder =
            BatchBuilder::new(timestamp).base_offset(base_offset).leader_epoch(leader_epoch).control(true);
        builder.append(timestamp, Some(&self.key()), Some(&self.value()), &[]);
        builder.build()
    }
}

/// Version (any that is not negative), coordinator epoch, perhaps fields of the future.
fn decode_end_transaction(value: &[u8]) -> Result<i32, RecordError> {
    let [v0, v1, e0, e1, e2, e3, ..] = *value else {
        return Err(RecordError::Control("the end-transaction marker has fewer than 6 bytes"));
    };
    if i16::from_be_bytes([v0, v1]) < 0 {
        return Err(RecordError::Control("negative marker version"));
    }
    Ok(i32::from_be_bytes([e0, e1, e2, e3]))
}

/// `LeaderChangeMessage`; version 1 has a directory id with each voter.
fn decode_leader_change(value: &[u8]) -> Option<ControlRecord> {
    let version = i16::from_be_bytes(value.get(..2)?.try_into().ok()?);
    let leader = i32::from_be_bytes(value.get(2..6)?.try_into().ok()?);
    let mut at = 6;
    let voters = read_voters(value, &mut at, version)?;
    let granting_voters = read_voters(value, &mut at, version)?;
    Some(ControlRecord::LeaderChange { leader: BrokerId(leader), voters, granting_voters })
}

/// A compact array: its length plus one, then id and tagged fields of each.
fn write_voters(out: &mut Vec<u8>, voters: &[BrokerId]) {
    write_compact_length(out, voters.len());
    for voter in voters {
        out.extend_from_slice(&voter.0.to_be_bytes());
        out.push(0);
    }
}

fn read_voters(bytes: &[u8], at: &mut usize, version: i16) -> Option<Vec<BrokerId>> {
    let count = read_compact_length(bytes, at)?;
    let directory_id = if version >= 1 { 16 } else { 0 };
    let mut voters = Vec::new();
    for _ in 0..count {
        let id = i32::from_be_bytes(bytes.get(*at..*at + 4)?.try_into().ok()?);
        // The tagged fields: none are defined.
        *at += 4 + directory_id + 1;
        voters.push(BrokerId(id));
    }
    Some(voters)
}

/// Unsigned varints are what zig-zag makes of the number that is half of them.
fn write_compact_length(out: &mut Vec<u8>, length: usize) {
    let unsigned = length as u32 + 1;
    write_varint(out, ((unsigned >> 1) as i32) ^ -((unsigned & 1) as i32));
}

fn read_compact_length(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let zigzag = read_varint(bytes, at)?;
    let unsigned = ((zigzag << 1) ^ (zigzag >> 31)) as u32;
    unsigned.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_a_transactional_control_batch_without_sequence() {
        let batch = ControlRecord::marker_batch(true, 7, 3, 42, 1_000);
        assert!(batch.is_control() && batch.is_transactional() && batch.validate_crc());
        assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), (7, 3, -1));
        assert_eq!((batch.record_count(), batch.last_sequence()), (1, -1));
        assert_eq!(ControlRecord::of_batch(&batch), Ok(Some(ControlRecord::Commit { coordinator_epoch: 42 })));
        let record = batch.records().next().unwrap().unwrap();
        assert_eq!(record.key.as_deref(), Some(&[0, 0, 0, 1][..]));
        assert_eq!(record.value.as_deref(), Some(&[0, 0, 0, 0, 0, 42][..]));
    }

    #[test]
    fn a_leader_change_comes_back() {
        let voters: Vec<BrokerId> = (0..3).map(BrokerId).collect();
        let change = ControlRecord::LeaderChange {
            leader: BrokerId(1),
            voters: voters.clone(),
            granting_voters: voters[..2].to_vec(),
        };
        let batch = change.quorum_batch(5, 2, 1_000);
        assert!(batch.is_control() && !batch.is_transactional());
        assert_eq!((batch.base_offset(), batch.leader_epoch()), (5, 2));
        assert_eq!(ControlRecord::of_batch(&batch), Ok(Some(change)));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(ControlRecord::decode(&[0, 0, 0], &[]).is_err());
        assert!(ControlRecord::decode(&[0, 0, 0, 1], &[0, 0, 0]).is_err());
        assert!(ControlRecord::decode(&[0, 0, 0, 2], &[0, 0, 0]).is_err());
        assert_eq!(ControlType::of_key(&[0, 0, 0, 99]), Ok(ControlType::Unknown(99)));
    }
}
