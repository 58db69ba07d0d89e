//! `.index`, `.timeindex` and `.txnindex`: entries of fixed size, big-endian.

use super::Problem;
use crate::log::{AbortedTxn, OffsetIndexEntry, TimeIndexEntry};

/// Bytes of an entry of `.index`.
pub const OFFSET_ENTRY: usize = 8;
/// Bytes of an entry of `.timeindex`.
pub const TIME_ENTRY: usize = 12;
/// Bytes of an entry of `.txnindex`.
pub const TXN_ENTRY: usize = 34;

/// The file of an offset index: relative offset, position.
pub fn offset_index<'a>(entries: impl Iterator<Item = &'a OffsetIndexEntry>) -> Vec<u8> {
    entries.flat_map(|entry| [entry.relative_offset.to_be_bytes(), entry.position.to_be_bytes()]).flatten().collect()
}

/// The file of a time index: timestamp, relative offset.
pub fn time_index<'a>(entries: impl Iterator<Item = &'a TimeIndexEntry>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(entry.timestamp.to_be_bytes());
        out.extend(entry.relative_offset.to_be_bytes());
    }
    out
}

/// The file of a transaction index: version 0, producer id, first offset, last offset, last stable offset.
pub fn txn_index<'a>(entries: impl Iterator<Item = &'a AbortedTxn>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(0_i16.to_be_bytes());
        for field in [entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable_offset] {
            out.extend(field.to_be_bytes());
        }
    }
    out
}

/// The entries of `.index`. The zeros behind the last one, which a process that did not close its files leaves, are no
/// entries.
pub fn read_offset_index(bytes: &[u8]) -> Result<Vec<OffsetIndexEntry>, (u64, Problem)> {
    let entries = whole::<OFFSET_ENTRY>(bytes)?.iter().map(|entry| {
        let word = |at: usize| u32::from_be_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        OffsetIndexEntry { relative_offset: word(0), position: word(4) }
    });
    Ok(entries.collect())
}

/// The entries of `.timeindex`, without zeros at its end.
pub fn read_time_index(bytes: &[u8]) -> Result<Vec<TimeIndexEntry>, (u64, Problem)> {
    let entries = whole::<TIME_ENTRY>(bytes)?.iter().map(|entry| {
        let (timestamp, relative) = entry.split_at(8);
        TimeIndexEntry {
            timestamp: long(timestamp),
            relative_offset: long(&[[0; 4].as_slice(), relative].concat()) as u32,
        }
    });
    Ok(entries.collect())
}

/// The entries of `.txnindex`. Bytes that are no whole entry are not read, as Kafka does not.
pub fn read_txn_index(bytes: &[u8]) -> Result<Vec<AbortedTxn>, (u64, Problem)> {
    let mut entries = Vec::new();
    for (index, entry) in bytes.as_chunks::<TXN_ENTRY>().0.iter().enumerate() {
        let version = i16::from_be_bytes([entry[0], entry[1]]);
        if version > 0 {
            let problem = Problem::Version { found: i64::from(version), expected: 0 };
            return Err(((index * TXN_ENTRY) as u64, problem));
        }
        let field = |number: usize| long(&entry[2 + 8 * number..10 + 8 * number]);
        entries.push(AbortedTxn {
            producer_id: field(0),
            first_offset: field(1),
            last_offset: field(2),
            last_stable_offset: field(3),
        });
    }
    Ok(entries)
}

fn long(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// The entries up to the zeros at the end.
fn whole<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], (u64, Problem)> {
    let (entries, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        let problem = Problem::Length { length: bytes.len() as u64, entry: N as u64 };
        return Err(((bytes.len() - rest.len()) as u64, problem));
    }
    let used = entries.iter().rposition(|entry| entry.iter().any(|byte| *byte != 0)).map_or(0, |last| last + 1);
    Ok(&entries[..used])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_zeros_behind_them_are_none() {
        let offsets = [OffsetIndexEntry { relative_offset: 5, position: 0x0102_0304 }];
        let mut bytes = offset_index(offsets.iter());
        assert_eq!(bytes, [0, 0, 0, 5, 1, 2, 3, 4]);
        bytes.extend([0; 16]);
        assert_eq!(read_offset_index(&bytes), Ok(offsets.to_vec()));
        let times = [TimeIndexEntry { timestamp: -2, relative_offset: u32::MAX }];
        assert_eq!(read_time_index(&time_index(times.iter())), Ok(times.to_vec()));
        let aborted = [AbortedTxn { producer_id: 7, first_offset: 1, last_offset: 3, last_stable_offset: 4 }];
        let bytes = txn_index(aborted.iter());
        assert_eq!(bytes.len(), TXN_ENTRY);
        assert_eq!(read_txn_index(&bytes), Ok(aborted.to_vec()));
    }

    #[test]
    fn what_is_no_index_is_refused_with_its_place() {
        assert_eq!(read_offset_index(&[1; 17]), Err((16, Problem::Length { length: 17, entry: 8 })));
        assert_eq!(read_time_index(&[1; 8]), Err((0, Problem::Length { length: 8, entry: 12 })));
        let mut bytes = vec![0; 2 * TXN_ENTRY];
        bytes[TXN_ENTRY + 1] = 3;
        assert_eq!(read_txn_index(&bytes), Err((34, Problem::Version { found: 3, expected: 0 })));
        assert_eq!(read_txn_index(&[0; 33]), Ok(vec![]));
    }
}
