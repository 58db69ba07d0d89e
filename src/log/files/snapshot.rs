//! `.snapshot`: the state of all producers before an offset (`ProducerStateManager.writeSnapshot`, version 1).

use super::Problem;
use crate::base::{JavaHash, Offset, ProducerId, java_bucket, sort_long};
use crate::log::{CachedBatch, ProducerEntry};
use crate::record::crc32c;

const VERSION: i16 = 1;
/// Version and CRC: the CRC covers what comes after.
const COVERED_FROM: usize = 6;
const ENTRY: usize = 46;

/// The file with that state.
pub fn render(producers: &[(ProducerId, ProducerEntry)]) -> Vec<u8> {
    let mut out = vec![0; COVERED_FROM];
    out[..2].copy_from_slice(&VERSION.to_be_bytes());
    out.extend((producers.len() as i32).to_be_bytes());
    for (id, entry) in in_file_order(producers) {
        let last = entry.batches().last();
        out.extend(id.to_be_bytes());
        out.extend(entry.epoch.to_be_bytes());
        out.extend(entry.last_sequence().to_be_bytes());
        out.extend(last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
        out.extend(last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        out.extend(entry.last_timestamp.to_be_bytes());
        out.extend(entry.coordinator_epoch.to_be_bytes());
        out.extend(entry.current_txn_first_offset.unwrap_or(-1).to_be_bytes());
    }
    let crc = crc32c(&out[COVERED_FROM..]);
    out[2..COVERED_FROM].copy_from_slice(&crc.to_be_bytes());
    out
}

/// Kafka writes the producers in the order of a `HashMap<Long, …>`, which for so many keys is this one.
pub fn in_file_order(producers: &[(ProducerId, ProducerEntry)]) -> Vec<(ProducerId, ProducerEntry)> {
    let buckets = (producers.len() * 4).div_ceil(3).next_power_of_two().max(16);
    let mut sorted = producers.to_vec();
    let place = |id: ProducerId| (java_bucket(id.java_hash(), buckets), id);
    sort_long(&mut sorted, |(a, _), (b, _)| place(*a) < place(*b));
    sorted
}

/// The state in the file of the snapshot at `offset`. Kafka drops a snapshot that it cannot read.
pub fn read(bytes: &[u8], offset: Offset) -> Result<Vec<(ProducerId, ProducerEntry)>, (u64, Problem)> {
    let header: &[u8; 10] =
        bytes.first_chunk().ok_or((bytes.len() as u64, Problem::Truncated(10 - bytes.len().min(10) as u64)))?;
    let version = i16::from_be_bytes([header[0], header[1]]);
    if version != VERSION {
        return Err((0, Problem::Version { found: i64::from(version), expected: i64::from(VERSION) }));
    }
    let stored = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    let computed = crc32c(&bytes[COVERED_FROM..]);
    if stored != computed {
        return Err((2, Problem::Crc { stored, computed }));
    }
    let count = i64::from(i32::from_be_bytes([header[6], header[7], header[8], header[9]]));
    let (entries, rest) = bytes[10..].as_chunks::<ENTRY>();
    if count < 0 || entries.len() as i64 != count || !rest.is_empty() {
        return Err((6, Problem::Count { announced: count.max(0) as u64, found: entries.len() as u64 }));
    }
    let mut producers: Vec<(ProducerId, ProducerEntry)> = Vec::with_capacity(entries.len());
    for (index, bytes) in entries.iter().enumerate() {
        let at = (10 + index * ENTRY) as u64;
        let (id, entry) = read_entry(bytes, offset).map_err(|problem| (at, problem))?;
        producers.push((id, entry));
    }
    sort_long(&mut producers, |(a, _), (b, _)| a < b);
    if let Some(twice) = producers.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err((10, Problem::Value { what: "producerId", value: twice[0].0, right: "there once" }));
    }
    let mut open: Vec<Offset> = producers.iter().filter_map(|(_, entry)| entry.current_txn_first_offset).collect();
    sort_long(&mut open, |a, b| a < b);
    match open.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => {
            Err((10, Problem::Value { what: "currentTxnFirstOffset", value: twice[0], right: "there once" }))
        }
        None => Ok(producers),
    }
}

fn read_entry(bytes: &[u8; ENTRY], offset: Offset) -> Result<(ProducerId, ProducerEntry), Problem> {
    let long = |at: usize| {
        let mut array = [0; 8];
        array.copy_from_slice(&bytes[at..at + 8]);
        i64::from_be_bytes(array)
    };
    let int = |at: usize| i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (last_sequence, last_offset, offset_delta, timestamp) = (int(10), long(14), int(22), long(26));
    let txn_first_offset = long(38);
    if txn_first_offset >= offset {
        let right = "below the snapshot's offset";
        return Err(Problem::Value { what: "currentTxnFirstOffset", value: txn_first_offset, right });
    }
    let epoch = i16::from_be_bytes([bytes[8], bytes[9]]);
    let mut entry = ProducerEntry::EMPTY;
    (entry.epoch, entry.coordinator_epoch, entry.last_timestamp) = (epoch, int(34), timestamp);
    entry.current_txn_first_offset = Some(txn_first_offset).filter(|first| *first >= 0);
    if last_offset >= 0 {
        if !(0..i32::MAX).contains(&offset_delta) || i64::from(offset_delta) > last_offset {
            let right = "from 0 to the last offset";
            return Err(Problem::Value { what: "offsetDelta", value: i64::from(offset_delta), right });
        }
        entry.add_batch(epoch, CachedBatch { last_sequence, last_offset, offset_delta, timestamp });
    }
    Ok((long(0), entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(epoch: i16, open: Option<Offset>) -> ProducerEntry {
        let mut entry = ProducerEntry::EMPTY;
        (entry.current_txn_first_offset, entry.coordinator_epoch) = (open, 3);
        entry.add_batch(epoch, CachedBatch { last_sequence: 9, last_offset: 29, offset_delta: 2, timestamp: 1_000 });
        entry
    }

    #[test]
    fn it_comes_back() {
        let mut empty = ProducerEntry::EMPTY;
        (empty.epoch, empty.last_timestamp) = (4, 5);
        let producers = vec![(1, entry(0, Some(7))), (2, empty), (i64::MAX, entry(i16::MAX, None))];
        let bytes = render(&producers);
        assert_eq!(bytes.len(), 10 + 3 * 46);
        assert_eq!(read(&bytes, 30), Ok(producers));
        assert_eq!(render(&[]).len(), 10);
        assert_eq!(read(&render(&[]), 30), Ok(vec![]));
    }

    #[test]
    fn the_order_is_that_of_javas_hash_table() {
        // Sixteen buckets: 17 falls into bucket 1, 2 into bucket 2; 2^32 spreads into bucket 1 too.
        let producers = [(2, entry(0, None)), (17, entry(0, None)), (1 << 32, entry(0, None))];
        let bytes = render(&producers);
        let ids: Vec<i64> = bytes[10..]
            .as_chunks::<ENTRY>()
            .0
            .iter()
            .map(|it| i64::from_be_bytes(*it.first_chunk().unwrap()))
            .collect();
        assert_eq!(ids, [17, 1 << 32, 2]);
    }

    #[test]
    fn every_flipped_byte_is_found() {
        let bytes = render(&[(1, entry(0, Some(7)))]);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(read(&flipped, 30).is_err(), "byte {at}");
            assert!(read(&bytes[..at], 30).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_no_log_can_have_written_is_refused() {
        let problem = |producers: &[(i64, ProducerEntry)], offset| read(&render(producers), offset).unwrap_err().1;
        let twice = [(1, entry(0, None)), (1, entry(1, None))];
        assert_eq!(problem(&twice, 30), Problem::Value { what: "producerId", value: 1, right: "there once" });
        let same = [(1, entry(0, Some(7))), (2, entry(0, Some(7)))];
        assert!(matches!(problem(&same, 30), Problem::Value { what: "currentTxnFirstOffset", .. }));
        assert!(matches!(problem(&[(1, entry(0, Some(7)))], 7), Problem::Value { what: "currentTxnFirstOffset", .. }));
    }
}
