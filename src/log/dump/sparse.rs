//! The sparse indexes, held against the log they belong to.

use super::Dumped;
use crate::base::Offset;
use crate::log::files::{FileKind, file_name, indexes};
use crate::log::{OffsetIndexEntry, TimeIndexEntry};
use crate::record::RecordBatch;
use bytes::Bytes;
use std::fmt::Write;

/// `java.util.NoSuchElementException`: what Kafka's tool ends with where an index points behind the log.
const NO_BATCH: &str = "java.util.NoSuchElementException";

/// The entries, and those zeros behind them that Kafka's tool reads as entries: one, where nothing else is in the file.
fn with_zeros<T>(entries: Vec<T>, bytes: &[u8], zero: T) -> (Vec<T>, bool) {
    let mut entries = entries;
    let only_zeros = entries.is_empty() && !bytes.is_empty();
    if only_zeros {
        entries.push(zero);
    }
    (entries, only_zeros)
}

pub(super) fn offset_index(
    dumped: &mut Dumped,
    path: &str,
    base: Offset,
    bytes: &Bytes,
    beside: &dyn Fn(&str) -> Option<Bytes>,
) {
    let entries = match indexes::read_offset_index(bytes) {
        Ok(entries) => with_zeros(entries, bytes, OffsetIndexEntry { relative_offset: 0, position: 0 }).0,
        Err((at, problem)) => {
            let _ = writeln!(dumped.errors, "byte {at}: {problem}");
            return;
        }
    };
    if entries.is_empty() {
        let _ = writeln!(dumped.out, "{path} is empty.");
        return;
    }
    let log = beside(&file_name(base, FileKind::Log)).unwrap_or_default();
    let mut mismatches: Vec<(Offset, Offset)> = Vec::new();
    for entry in entries {
        let offset = base + i64::from(entry.relative_offset);
        let Some((batch, _)) = at(&log, entry.position as usize) else {
            let _ = writeln!(dumped.errors, "{NO_BATCH}");
            break;
        };
        if batch.last_offset() != offset {
            mismatches.push((offset, batch.last_offset()));
        }
        let _ = writeln!(dumped.out, "offset: {offset} position: {}", entry.position);
    }
    if !mismatches.is_empty() {
        let _ = writeln!(dumped.errors, "Mismatches in :{path}");
        mismatches.sort_unstable_by(|a, b| b.cmp(a));
        for (indexed, found) in mismatches {
            let _ = writeln!(dumped.errors, "  Index offset: {indexed}, log offset: {found}");
        }
    }
}

pub(super) fn time_index(
    dumped: &mut Dumped,
    path: &str,
    base: Offset,
    bytes: &Bytes,
    beside: &dyn Fn(&str) -> Option<Bytes>,
) {
    let entries = match indexes::read_time_index(bytes) {
        Ok(entries) => with_zeros(entries, bytes, TimeIndexEntry { timestamp: 0, relative_offset: 0 }).0,
        Err((at, problem)) => {
            let _ = writeln!(dumped.errors, "byte {at}: {problem}");
            return;
        }
    };
    let log = beside(&file_name(base, FileKind::Log)).unwrap_or_default();
    let offsets = beside(&file_name(base, FileKind::OffsetIndex)).unwrap_or_default();
    let offsets = indexes::read_offset_index(&offsets).unwrap_or_default();
    let mut wrong = [Vec::new(), Vec::new(), Vec::new()];
    let mut before = -1;
    for entry in entries {
        let offset = base + i64::from(entry.relative_offset);
        let known = offsets.iter().rfind(|known| known.relative_offset <= entry.relative_offset);
        match batch_with(&log, known.map_or(0, |known| known.position as usize), offset) {
            Some(batch) if batch.last_offset() == offset => {
                let newest = newest(&batch);
                if newest != entry.timestamp {
                    wrong[0].push((entry.timestamp, newest));
                }
                if before >= entry.timestamp {
                    wrong[1].push((entry.timestamp, before));
                }
            }
            other => wrong[2].push((offset, other.map_or(-1, |batch| batch.last_offset()))),
        }
        let _ = writeln!(dumped.out, "timestamp: {} offset: {offset}", entry.timestamp);
        before = entry.timestamp;
    }
    let texts = [
        ("Found timestamp mismatch in :", "  Index timestamp: ", "log timestamp: "),
        ("Found out of order timestamp in :", "  Index timestamp: ", "Previously indexed timestamp: "),
        ("The following indexed offsets are not found in :", "Indexed offset: ", "found log offset: "),
    ];
    for (list, (title, indexed, found)) in wrong.iter().zip(texts) {
        if !list.is_empty() {
            let _ = writeln!(dumped.errors, "{title}{path}");
        }
        for (a, b) in list {
            let _ = writeln!(dumped.errors, "{indexed}{a}, {found}{b}");
        }
    }
}

fn at(log: &Bytes, position: usize) -> Option<(RecordBatch, usize)> {
    let bytes = log.get(position..).map(|_| log.slice(position..))?;
    let (batch, _) = RecordBatch::parse(bytes).ok()?;
    let size = batch.size_in_bytes() as usize;
    Some((batch, position + size))
}

/// The first batch from `position` on that ends at `offset` or later.
fn batch_with(log: &Bytes, mut position: usize, offset: Offset) -> Option<RecordBatch> {
    loop {
        let (batch, next) = at(log, position)?;
        if batch.last_offset() >= offset {
            return Some(batch);
        }
        position = next;
    }
}

/// The largest timestamp of the records; of compressed ones, what the batch says.
fn newest(batch: &RecordBatch) -> i64 {
    if batch.codec() != 0 {
        return batch.max_timestamp();
    }
    batch.raw_records().flatten().map(|record| record.timestamp).max().unwrap_or(-1)
}
