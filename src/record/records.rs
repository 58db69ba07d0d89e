//! The records of a batch, read.

use super::varint::{read_varint, read_varlong};
use super::{BATCH_OVERHEAD, NO_SEQUENCE, RecordBatch, RecordError, TimestampType, increment_sequence};
use crate::base::Offset;
use bytes::Bytes;
use std::rc::Rc;

/// One record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    /// Its place in the log.
    pub offset: Offset,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// None is null.
    pub key: Option<Bytes>,
    /// None is null: a tombstone.
    pub value: Option<Bytes>,
    /// In the order in which they were added.
    pub headers: Vec<Header>,
}

/// A record's header.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// Not unique.
    pub key: Rc<str>,
    /// None is null.
    pub value: Option<Bytes>,
}

/// A record, borrowed from its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawRecord<'a> {
    /// Its place in the log.
    pub offset: Offset,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Sequence number, −1 for none.
    pub sequence: i32,
    /// None is null.
    pub key: Option<&'a [u8]>,
    /// None is null.
    pub value: Option<&'a [u8]>,
    /// How many headers it has.
    pub header_count: u32,
    /// They, undecoded.
    headers: &'a [u8],
    index: u32,
}

/// Reads the records of a batch, one after the other; ends after the first error.
#[derive(Clone, Debug)]
pub struct RawRecords<'a> {
    bytes: &'a [u8],
    at: usize,
    next: u32,
    count: u32,
    base_offset: Offset,
    base_timestamp: i64,
    base_sequence: i32,
    append_time: Option<i64>,
    codec: u8,
}

impl Record {
    pub(super) fn of(batch: &Bytes, raw: &RawRecord<'_>) -> Result<Record, RecordError> {
        let share = |part: Option<&[u8]>| part.map(|part| batch.slice_ref(part));
        Ok(Record {
            offset: raw.offset,
            timestamp: raw.timestamp,
            key: share(raw.key),
            value: share(raw.value),
            headers: raw.headers(batch)?,
        })
    }
}

impl RawRecord<'_> {
    fn headers(&self, batch: &Bytes) -> Result<Vec<Header>, RecordError> {
        let mut at = 0;
        let mut headers = Vec::with_capacity(self.header_count.min(64) as usize);
        for _ in 0..self.header_count {
            let malformed = |what| RecordError::Malformed { index: self.index, what };
            let key = read_slice(self.headers, &mut at).flatten().ok_or(malformed("header key"))?;
            let key = std::str::from_utf8(key).map_err(|_| malformed("a header key is not UTF-8"))?;
            let value = read_slice(self.headers, &mut at).ok_or(malformed("header value"))?;
            headers.push(Header { key: Rc::from(key), value: value.map(|value| batch.slice_ref(value)) });
        }
        Ok(headers)
    }
}

impl<'a> RawRecords<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> RawRecords<'a> {
        let append_time = match batch.timestamp_type() {
            TimestampType::LogAppendTime => Some(batch.max_timestamp()),
            TimestampType::CreateTime => None,
        };
        RawRecords {
            bytes: batch.bytes(),
            at: BATCH_OVERHEAD,
            next: 0,
            count: batch.record_count().max(0) as u32,
            base_offset: batch.base_offset(),
            base_timestamp: batch.base_timestamp(),
            base_sequence: batch.base_sequence(),
            append_time,
            codec: batch.codec(),
        }
    }

    fn record(&mut self) -> Result<RawRecord<'a>, &'static str> {
        let (bytes, at) = (self.bytes, &mut self.at);
        let size = read_varint(bytes, at).ok_or("its length is cut off")?;
        let end = usize::try_from(size).ok().and_then(|size| at.checked_add(size)).ok_or("negative length")?;
        let bytes = bytes.get(..end).ok_or("it is longer than the batch")?;
        bytes.get(*at).ok_or("no attributes")?;
        *at += 1;
        let timestamp_delta = read_varlong(bytes, at).ok_or("timestamp")?;
        let offset_delta = read_varint(bytes, at).ok_or("offset delta")?;
        let key = read_slice(bytes, at).ok_or("key")?;
        let value = read_slice(bytes, at).ok_or("value")?;
        let header_count = read_varint(bytes, at).ok_or("header count")?;
        let header_count = u32::try_from(header_count).map_err(|_| "negative header count")?;
        let headers = &bytes[*at..];
        for _ in 0..header_count {
            read_slice(bytes, at).flatten().ok_or("header key")?;
            read_slice(bytes, at).ok_or("header value")?;
        }
        if *at != end {
            return Err("it is longer than its fields");
        }
        let sequence = match self.base_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            base if offset_delta >= 0 => increment_sequence(base, offset_delta),
            _ => return Err("negative offset delta"),
        };
        Ok(RawRecord {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: self.append_time.unwrap_or(self.base_timestamp.wrapping_add(timestamp_delta)),
            sequence,
            key,
            value,
            header_count,
            headers,
            index: self.next,
        })
    }
}

impl<'a> Iterator for RawRecords<'a> {
    type Item = Result<RawRecord<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        if self.codec != 0 {
            self.count = 0;
            return Some(Err(RecordError::Compressed(self.codec)));
        }
        let index = self.next;
        let mut result = self.record();
        self.next += 1;
        if self.next == self.count && result.is_ok() && self.at != self.bytes.len() {
            result = Err("bytes follow the last record");
        }
        if result.is_err() {
            self.count = 0;
        }
        Some(result.map_err(|what| RecordError::Malformed { index, what }))
    }
}

/// Length and bytes; the inner None is null, the outer one a malformed field.
pub(super) fn read_slice<'a>(bytes: &'a [u8], at: &mut usize) -> Option<Option<&'a [u8]>> {
    let size = read_varint(bytes, at)?;
    if size < 0 {
        return Some(None);
    }
    let end = at.checked_add(size as usize)?;
    let slice = bytes.get(*at..end)?;
    *at = end;
    Some(Some(slice))
}
