//! Our record batches against an independent judge, the `kafka-protocol` crate: it reads ours, we read its, and for the
//! same records both write the same bytes.
#![cfg(not(target_arch = "wasm32"))]

use bytes::{Bytes, BytesMut};
use delivery_lab::record::{BatchBuilder, ControlRecord, ControlType, Header, RecordBatch, bytemap};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, RecordSet,
    TimestampType,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A record as a test describes it.
#[derive(Clone, Debug)]
struct Sample {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    /// `kafka-protocol` knows headers with unique keys only.
    headers: BTreeMap<String, Option<Vec<u8>>>,
}

/// A batch as a test describes it.
#[derive(Clone, Debug)]
struct Batch {
    base_offset: i64,
    leader_epoch: i32,
    /// Id, epoch and first sequence.
    producer: Option<(i64, i16, i32)>,
    transactional: bool,
    samples: Vec<Sample>,
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..200))
}

fn sample() -> impl Strategy<Value = Sample> {
    let headers = prop::collection::btree_map("[a-zé]{0,8}", bytes(), 0..4);
    (0..4_000_000_000_000_i64, bytes(), bytes(), headers).prop_map(|(timestamp, key, value, headers)| Sample {
        timestamp,
        key,
        value,
        headers,
    })
}

fn batch() -> impl Strategy<Value = Batch> {
    let producer = (0..i64::MAX, 0..i16::MAX, 0..1_000_000_i32);
    (0..i64::MAX / 2, 0..i32::MAX, prop::option::of(producer), any::<bool>(), prop::collection::vec(sample(), 1..20))
        .prop_map(|(base_offset, leader_epoch, producer, transactional, samples)| Batch {
            base_offset,
            leader_epoch,
            producer,
            transactional: transactional && producer.is_some(),
            samples,
        })
}

fn ours(batch: &Batch) -> RecordBatch {
    let base_timestamp = batch.samples.iter().map(|sample| sample.timestamp).min().expect("it is not empty");
    let (id, epoch, sequence) = batch.producer.unwrap_or((-1, -1, -1));
    let mut builder = BatchBuilder::new(base_timestamp)
        .base_offset(batch.base_offset)
        .leader_epoch(batch.leader_epoch)
        .producer(id, epoch, sequence)
        .transactional(batch.transactional);
    for sample in &batch.samples {
        let headers: Vec<Header> = sample
            .headers
            .iter()
            .map(|(key, value)| Header { key: key.as_str().into(), value: value.clone().map(Bytes::from) })
            .collect();
        builder.append(sample.timestamp, sample.key.as_deref(), sample.value.as_deref(), &headers);
    }
    builder.build()
}

fn theirs(batch: &Batch) -> Vec<TheirRecord> {
    let (producer_id, producer_epoch, sequence) = batch.producer.unwrap_or((-1, -1, -1));
    let record = |(index, sample): (usize, &Sample)| TheirRecord {
        transactional: batch.transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: batch.leader_epoch,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: batch.base_offset + index as i64,
        // The crate counts on from "none" as if it were a number.
        sequence: sequence.wrapping_add(index as i32),
        timestamp: sample.timestamp,
        key: sample.key.clone().map(Bytes::from),
        value: sample.value.clone().map(Bytes::from),
        headers: sample
            .headers
            .iter()
            .map(|(key, value)| (StrBytes::from_string(key.clone()), value.clone().map(Bytes::from)))
            .collect(),
    };
    batch.samples.iter().enumerate().map(record).collect()
}

fn encoded_by_them(records: &[TheirRecord]) -> Bytes {
    let mut buffer = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut buffer, records, &options).expect("the crate can encode it");
    buffer.freeze()
}

fn decoded_by_them(bytes: &Bytes) -> Vec<RecordSet> {
    RecordBatchDecoder::decode_all(&mut bytes.clone()).expect("the crate can decode it")
}

/// Every byte belongs to exactly one field.
fn assert_covered(batch: &RecordBatch) {
    let fields = bytemap(batch);
    let mut at = 0;
    for field in &fields {
        assert_eq!(field.range.start, at, "a gap or an overlap before {field:?}");
        assert!(field.range.end > at, "{field:?} is empty");
        at = field.range.end;
    }
    assert_eq!(at, batch.bytes().len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_write_the_same_bytes(batch in batch()) {
        let (ours, theirs) = (ours(&batch), encoded_by_them(&theirs(&batch)));
        prop_assert_eq!(ours.bytes(), &theirs);
    }

    #[test]
    fn they_read_ours(batch in batch()) {
        let sets = decoded_by_them(ours(&batch).bytes());
        prop_assert_eq!(sets.len(), 1);
        let expected = theirs(&batch);
        prop_assert_eq!(sets[0].records.len(), expected.len());
        for (theirs, expected) in sets[0].records.iter().zip(&expected) {
            prop_assert_eq!(theirs, expected);
        }
    }

    #[test]
    fn we_read_theirs(batches in prop::collection::vec(batch(), 1..4)) {
        let bytes: Vec<u8> = batches.iter().flat_map(|batch| encoded_by_them(&theirs(batch))).collect();
        let parsed = RecordBatch::parse_all(bytes.into()).unwrap();
        prop_assert_eq!(parsed.len(), batches.len());
        for (parsed, batch) in parsed.iter().zip(&batches) {
            prop_assert!(parsed.validate_crc());
            prop_assert_eq!(parsed.base_offset(), batch.base_offset);
            prop_assert_eq!(parsed.leader_epoch(), batch.leader_epoch);
            prop_assert_eq!(parsed.is_transactional(), batch.transactional);
            let producer = (parsed.producer_id(), parsed.producer_epoch(), parsed.base_sequence());
            prop_assert_eq!(producer, batch.producer.unwrap_or((-1, -1, -1)));
            let latest = batch.samples.iter().map(|sample| sample.timestamp).max();
            prop_assert_eq!(Some(parsed.max_timestamp()), latest);
            let records: Vec<_> = parsed.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(records.len(), batch.samples.len());
            for (index, (record, sample)) in records.iter().zip(&batch.samples).enumerate() {
                prop_assert_eq!(record.offset, batch.base_offset + index as i64);
                prop_assert_eq!(record.timestamp, sample.timestamp);
                prop_assert_eq!(record.key.as_deref(), sample.key.as_deref());
                prop_assert_eq!(record.value.as_deref(), sample.value.as_deref());
                let headers: Vec<_> =
                    record.headers.iter().map(|header| (header.key.to_string(), header.value.clone())).collect();
                let expected: Vec<_> =
                    sample.headers.iter().map(|(key, value)| (key.clone(), value.clone().map(Bytes::from))).collect();
                prop_assert_eq!(headers, expected);
            }
        }
    }

    #[test]
    fn what_a_leader_writes_into_a_batch_is_right_too(batch in batch(), time in 0..i64::MAX, pid in 0..i64::MAX) {
        let edited = ours(&batch).with_producer(pid, 7, 9).with_append_time(time).with_offset_and_epoch(77, 5);
        let sets = decoded_by_them(edited.bytes());
        for (index, record) in sets[0].records.iter().enumerate() {
            prop_assert_eq!(record.offset, 77 + index as i64);
            prop_assert_eq!((record.producer_id, record.producer_epoch), (pid, 7));
            prop_assert_eq!(record.sequence, 9 + index as i32);
            prop_assert_eq!(record.partition_leader_epoch, 5);
            prop_assert_eq!(record.timestamp_type, TimestampType::LogAppend);
        }
        let stamped = edited.records().all(|record| record.is_ok_and(|record| record.timestamp == time));
        prop_assert!(stamped);
    }

    #[test]
    fn every_byte_is_explained_once(batch in batch(), flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4)) {
        let batch = ours(&batch);
        assert_covered(&batch);
        // Also when the bytes are nonsense; and nothing panics.
        let mut bytes = batch.bytes().to_vec();
        for (index, value) in flips {
            let index = 17 + index % (bytes.len() - 17);
            bytes[index] = value;
        }
        let (nonsense, rest) = RecordBatch::parse(bytes.into()).unwrap();
        prop_assert!(rest.is_empty());
        assert_covered(&nonsense);
        for record in nonsense.records() {
            let _ = record;
        }
        let _ = (ControlRecord::of_batch(&nonsense), nonsense.last_sequence(), nonsense.next_offset());
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok((batch, rest)) = RecordBatch::parse(bytes.clone().into()) {
            prop_assert_eq!(batch.bytes().len() + rest.len(), bytes.len());
            assert_covered(&batch);
        }
    }

    #[test]
    fn a_flipped_byte_does_not_pass_the_crc(batch in batch(), index in any::<usize>()) {
        prop_assert!(!ours(&batch).corrupted(index).validate_crc());
    }

    #[test]
    fn sizes_are_known_before(batch in batch()) {
        let mut builder = BatchBuilder::new(batch.samples[0].timestamp);
        for sample in &batch.samples {
            let (key, value) = (sample.key.as_deref(), sample.value.as_deref());
            let before = builder.size_in_bytes();
            let fresh = builder.is_empty();
            let mut longer = builder.clone();
            longer.append(sample.timestamp, key, value, &[]);
            let size = longer.size_in_bytes();
            prop_assert!(builder.has_room_for(size, sample.timestamp, key, value, &[]));
            prop_assert_eq!(builder.has_room_for(size - 1, sample.timestamp, key, value, &[]), fresh);
            prop_assert!(BatchBuilder::estimate_size(key, value, &[]) >= 61 + size - before);
            builder = longer;
        }
    }
}

#[test]
fn they_read_our_markers() {
    for commit in [true, false] {
        let batch = ControlRecord::marker_batch(commit, 7, 3, 42, 1_000).with_offset_and_epoch(5, 1);
        let sets = decoded_by_them(batch.bytes());
        let record = &sets[0].records[0];
        assert!(record.control && record.transactional);
        assert_eq!((record.producer_id, record.producer_epoch, record.sequence, record.offset), (7, 3, -1, 5));
        let kind = if commit { ControlType::Commit } else { ControlType::Abort };
        assert_eq!(record.key.as_deref().map(ControlType::of_key), Some(Ok(kind)));
        assert_covered(&batch);
    }
}

#[test]
fn a_batch_written_by_hand() {
    let mut builder = BatchBuilder::new(1_000).base_offset(1).leader_epoch(2).producer(3, 4, 5);
    builder.append(1_000, Some(b"k"), Some(b"v"), &[Header { key: "h".into(), value: None }]);
    builder.append(1_001, None, None, &[]);
    let batch = builder.build();
    #[rustfmt::skip]
    let expected = [
        0, 0, 0, 0, 0, 0, 0, 1, // base offset
        0, 0, 0, 68, // length behind this field
        0, 0, 0, 2, // leader epoch
        2, // magic
        0, 0, 0, 0, // CRC, put in below
        0, 0, // attributes
        0, 0, 0, 1, // last offset delta
        0, 0, 0, 0, 0, 0, 3, 0xe8, // base timestamp
        0, 0, 0, 0, 0, 0, 3, 0xe9, // max timestamp
        0, 0, 0, 0, 0, 0, 0, 3, // producer id
        0, 4, // producer epoch
        0, 0, 0, 5, // base sequence
        0, 0, 0, 2, // count
        22, 0, 0, 0, 2, b'k', 2, b'v', 2, 2, b'h', 1, // length 11, attributes, deltas, key, value, one header
        12, 0, 2, 2, 1, 1, 0, // length 6, attributes, deltas 1 and 1, null, null, no headers
        ];
    let mut bytes = batch.bytes().to_vec();
    assert_eq!(crc32c::crc32c(&bytes[21..]).to_be_bytes(), bytes[17..21]);
    bytes[17..21].fill(0);
    assert_eq!(bytes, expected);
}
