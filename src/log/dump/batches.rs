//! A log: its batches, and the records in them.

use super::control::control_record;
use super::{Dumped, Options, optional_long};
use crate::base::Offset;
use crate::record::{RawRecord, Record, RecordBatch};
use bytes::Bytes;
use std::fmt::Write;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

pub(super) fn log(dumped: &mut Dumped, path: &str, bytes: &Bytes, options: Options<'_>) {
    let mut position = 0;
    let mut last_offset = -1;
    let mut gaps: Vec<(Offset, Offset)> = Vec::new();
    while let Ok((batch, _)) = RecordBatch::parse(bytes.slice(position..)) {
        batch_line(&mut dumped.out, &batch, position);
        if options.deep || options.print {
            records(dumped, &batch, options, &mut last_offset, &mut gaps);
        }
        position += batch.size_in_bytes() as usize;
    }
    if position < bytes.len() {
        let name = path.rsplit('/').next().unwrap_or(path);
        let _ = writeln!(dumped.out, "Found {} invalid bytes at the end of {name}", bytes.len() - position);
    }
    if !gaps.is_empty() {
        let _ = writeln!(dumped.errors, "Non-consecutive offsets in {path}");
        gaps.sort_unstable();
        for (before, after) in gaps {
            let _ = writeln!(dumped.errors, "  {before} is followed by {after}");
        }
    }
}

fn batch_line(out: &mut String, batch: &RecordBatch, position: usize) {
    let _ = writeln!(
        out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {} position: {position} {}: {} \
         size: {} magic: 2 compresscodec: {} crc: {} isvalid: {}",
        batch.base_offset(),
        batch.last_offset(),
        batch.record_count(),
        batch.base_sequence(),
        batch.last_sequence(),
        batch.producer_id(),
        batch.producer_epoch(),
        batch.leader_epoch(),
        batch.is_transactional(),
        batch.is_control(),
        optional_long(batch.delete_horizon()),
        batch.timestamp_type().name(),
        batch.max_timestamp(),
        batch.size_in_bytes(),
        CODECS.get(usize::from(batch.codec())).unwrap_or(&"unknown"),
        batch.crc(),
        batch.validate_crc()
    );
}

fn records(
    dumped: &mut Dumped,
    batch: &RecordBatch,
    options: Options<'_>,
    last_offset: &mut Offset,
    gaps: &mut Vec<(Offset, Offset)>,
) {
    for (raw, record) in batch.raw_records().zip(batch.records()) {
        let (raw, record) = match (raw, record) {
            (Ok(raw), Ok(record)) => (raw, record),
            (Err(error), _) | (_, Err(error)) => {
                let _ = writeln!(dumped.errors, "the batch at offset {}: {error}", batch.base_offset());
                return;
            }
        };
        if raw.offset.checked_sub(1) != Some(*last_offset) {
            gaps.push((*last_offset, raw.offset));
        }
        *last_offset = raw.offset;
        let out = &mut dumped.out;
        record_metadata(out, batch, &raw, &record);
        if options.print && !batch.is_control() {
            let text = |part: Option<&[u8]>| part.map(|part| String::from_utf8_lossy(part).into_owned());
            let (key, value) = match options.decoder {
                Some(decode) => decode(&raw),
                None => (text(raw.key), text(raw.value)),
            };
            key.iter().for_each(|key| out.extend([" key: ", key]));
            value.iter().for_each(|value| out.extend([" payload: ", value]));
        }
        out.push('\n');
    }
}

fn record_metadata(out: &mut String, batch: &RecordBatch, raw: &RawRecord<'_>, record: &Record) {
    let size = |part: Option<&[u8]>| part.map_or(-1, |part| part.len() as i64);
    let _ = write!(
        out,
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [",
        raw.offset,
        batch.timestamp_type().name(),
        raw.timestamp,
        size(raw.key),
        size(raw.value),
        raw.sequence
    );
    for (index, header) in record.headers.iter().enumerate() {
        out.extend([if index == 0 { "" } else { "," }, &header.key]);
    }
    out.push(']');
    if batch.is_control() {
        control_record(out, raw);
    }
}
