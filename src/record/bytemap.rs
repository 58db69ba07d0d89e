//! Which byte of a batch means what: the inspector's hex view.
//!
//! Invariant: the fields cover every byte of the batch exactly once, in order, whatever the bytes are.

use super::batch::at;
use super::varint::{read_varint, read_varlong};
use super::{BATCH_OVERHEAD, ControlRecord, RecordBatch};
use std::ops::Range;

/// Some bytes of a batch, and what they mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByteField {
    /// Where in the batch.
    pub range: Range<usize>,
    /// Kafka's name of the field.
    pub name: &'static str,
    /// Which record it belongs to, from 0; None is the batch's header.
    pub record: Option<u32>,
    /// The value, for people.
    pub value: String,
}

/// The meaning of every byte of `batch`.
pub fn bytemap(batch: &RecordBatch) -> Vec<ByteField> {
    let mut map = Map { bytes: batch.bytes(), at: 0, record: None, fields: Vec::new() };
    header(&mut map, batch);
    if batch.codec() == 0 {
        for index in 0..batch.record_count().max(0) as u32 {
            map.record = Some(index);
            if record(&mut map, batch).is_none() {
                break;
            }
        }
    }
    map.record = None;
    let left = map.bytes.len() - map.at;
    if left > 0 {
        let name = if batch.codec() == 0 { "unreadable" } else { "compressed records" };
        map.take(left, name, format!("{left} bytes"));
    }
    map.fields
}

struct Map<'a> {
    bytes: &'a [u8],
    at: usize,
    record: Option<u32>,
    fields: Vec<ByteField>,
}

impl Map<'_> {
    fn take(&mut self, size: usize, name: &'static str, value: impl ToString) {
        let range = self.at..self.at + size;
        self.at = range.end;
        self.fields.push(ByteField { range, name, record: self.record, value: value.to_string() });
    }

    fn varint(&mut self, name: &'static str, show: impl FnOnce(i32) -> String) -> Option<i32> {
        let mut end = self.at;
        let value = read_varint(self.bytes, &mut end)?;
        self.take(end - self.at, name, show(value));
        Some(value)
    }

    /// A length, then so many bytes; −1 is null.
    fn slice(&mut self, length_name: &'static str, name: &'static str, show: &dyn Fn(&[u8]) -> String) -> Option<()> {
        let mut start = self.at;
        let length = read_varint(self.bytes, &mut start)?;
        let size = usize::try_from(length).unwrap_or(0);
        let content = self.bytes.get(start..start.checked_add(size)?)?;
        self.take(start - self.at, length_name, if length < 0 { "null".into() } else { length.to_string() });
        if size > 0 {
            self.take(size, name, show(content));
        }
        Some(())
    }
}

fn header(map: &mut Map<'_>, batch: &RecordBatch) {
    let length = i32::from_be_bytes([map.bytes[8], map.bytes[9], map.bytes[10], map.bytes[11]]);
    let crc_note = if batch.validate_crc() { "valid" } else { "DOES NOT MATCH" };
    map.take(8, "baseOffset", batch.base_offset());
    map.take(4, "batchLength", length);
    map.take(4, "partitionLeaderEpoch", batch.leader_epoch());
    map.take(1, "magic", map.bytes[at::MAGIC]);
    map.take(4, "crc", format!("{:08x} ({crc_note})", batch.crc()));
    map.take(2, "attributes", attributes(batch));
    map.take(4, "lastOffsetDelta", batch.last_offset_delta());
    map.take(8, "baseTimestamp", batch.base_timestamp());
    map.take(8, "maxTimestamp", batch.max_timestamp());
    map.take(8, "producerId", batch.producer_id());
    map.take(2, "producerEpoch", batch.producer_epoch());
    map.take(4, "baseSequence", batch.base_sequence());
    map.take(4, "recordCount", batch.record_count());
    assert_eq!(map.at, BATCH_OVERHEAD, "invariant: the header's fields are the header");
}

fn attributes(batch: &RecordBatch) -> String {
    let codec = match batch.codec() {
        0 => "none",
        1 => "gzip",
        2 => "snappy",
        3 => "lz4",
        4 => "zstd",
        _ => "unknown codec",
    };
    let mut words = vec![codec, batch.timestamp_type().name()];
    if batch.is_transactional() {
        words.push("transactional");
    }
    if batch.is_control() {
        words.push("control");
    }
    if batch.delete_horizon().is_some() {
        words.push("delete horizon");
    }
    words.join(", ")
}

/// None if the bytes are not a record from here on.
fn record(map: &mut Map<'_>, batch: &RecordBatch) -> Option<()> {
    let base_timestamp = batch.base_timestamp();
    map.varint("length", |length| length.to_string())?;
    let attributes = *map.bytes.get(map.at)?;
    map.take(1, "attributes", attributes);
    let mut end = map.at;
    let delta = read_varlong(map.bytes, &mut end)?;
    map.take(end - map.at, "timestampDelta", format!("{delta} → {}", base_timestamp.wrapping_add(delta)));
    let base = batch.base_offset();
    map.varint("offsetDelta", |delta| format!("{delta} → {}", base.wrapping_add(i64::from(delta))))?;
    if batch.is_control() {
        control(map)?;
    } else {
        map.slice("keyLength", "key", &text)?;
        map.slice("valueLength", "value", &text)?;
    }
    let headers = map.varint("headerCount", |count| count.to_string())?;
    for _ in 0..headers {
        map.slice("headerKeyLength", "headerKey", &text)?;
        map.slice("headerValueLength", "headerValue", &text)?;
    }
    Some(())
}

/// Key and value of a control record, decoded together.
fn control(map: &mut Map<'_>) -> Option<()> {
    let mut at = map.at;
    let key = super::records::read_slice(map.bytes, &mut at)??;
    let value = super::records::read_slice(map.bytes, &mut at)?.unwrap_or_default();
    let decoded = ControlRecord::decode(key, value);
    let show_key = |_: &[u8]| match &decoded {
        Ok(record) => record.kind().name().to_owned(),
        Err(error) => error.to_string(),
    };
    map.slice("keyLength", "key", &show_key)?;
    let show_value = |value: &[u8]| match &decoded {
        Ok(ControlRecord::Abort { coordinator_epoch } | ControlRecord::Commit { coordinator_epoch }) => {
            format!("coordinatorEpoch {coordinator_epoch}")
        }
        Ok(ControlRecord::LeaderChange { leader, .. }) => format!("leader {leader}"),
        _ => text(value),
    };
    map.slice("valueLength", "value", &show_value)
}

/// Text as it is, other bytes in hexadecimal.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    }
}
