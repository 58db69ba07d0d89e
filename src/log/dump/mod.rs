//! What `kafka-dump-log.sh` prints of a file, to the letter, so that the two can be compared.
//!
//! Where Kafka's tool ends with an exception, the exception's name is printed as an error, and nothing else of it. Records
//! that are compressed are not shown.
//!
//! In Kafka: `DumpLogSegments`.

mod batches;
mod control;
mod sparse;

use super::files::{FileKind, checkpoint, indexes, parse_name, snapshot};
use crate::record::RawRecord;
use bytes::Bytes;
use std::fmt::Write;

/// Turns a record into the texts behind `key:` and `payload:`.
pub type Decoder<'a> = &'a dyn Fn(&RawRecord<'_>) -> (Option<String>, Option<String>);

/// What to print.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// `--deep-iteration`: records too.
    pub deep: bool,
    /// `--print-data-log`: their keys and values too; implies `deep`.
    pub print: bool,
    /// A decoder other than text.
    pub decoder: Option<Decoder<'a>>,
}

/// What Kafka's tool writes to standard output, and to standard error.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dumped {
    /// What the file holds.
    pub out: String,
    /// What is wrong with it. For Kafka's tool that includes a log that does not begin with offset 0.
    pub errors: String,
}

/// Prints one file. `beside` gives the other files of its directory by name.
pub fn dump(path: &str, bytes: &Bytes, beside: &dyn Fn(&str) -> Option<Bytes>, options: Options<'_>) -> Dumped {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut dumped = Dumped { out: format!("Dumping {path}\n"), errors: String::new() };
    match parse_name(name) {
        Some((Some(base), FileKind::Log)) => {
            let _ = writeln!(dumped.out, "Log starting offset: {base}");
            batches::log(&mut dumped, path, bytes, options);
        }
        Some((Some(base), FileKind::OffsetIndex)) => sparse::offset_index(&mut dumped, path, base, bytes, beside),
        Some((Some(base), FileKind::TimeIndex)) => sparse::time_index(&mut dumped, path, base, bytes, beside),
        Some((Some(_), FileKind::TxnIndex)) => txn_index(&mut dumped, bytes),
        Some((Some(offset), FileKind::Snapshot)) => producers(&mut dumped, offset, bytes),
        _ => match kraft_snapshot(name) {
            Some((offset, epoch)) => {
                let _ = writeln!(dumped.out, "Snapshot end offset: {offset}, epoch: {epoch}");
                batches::log(&mut dumped, path, bytes, options);
            }
            None => {
                let _ = writeln!(dumped.errors, "Ignoring unknown file {path}");
            }
        },
    }
    dumped
}

/// Can that file be dumped, going by its name?
pub fn is_dumpable(name: &str) -> bool {
    matches!(parse_name(name), Some((Some(_), _))) || kraft_snapshot(name).is_some()
}

/// Offset and epoch of `00000000000000000042-0000000003.checkpoint`.
fn kraft_snapshot(name: &str) -> Option<(i64, i32)> {
    let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    debug_assert!(name != checkpoint::LEADER_EPOCHS, "invariant: a checkpoint file of text has no suffix");
    if offset.len() == 20 && epoch.len() == 10 { Some((offset.parse().ok()?, epoch.parse().ok()?)) } else { None }
}

fn txn_index(dumped: &mut Dumped, bytes: &[u8]) {
    match indexes::read_txn_index(bytes) {
        Ok(entries) => entries.iter().for_each(|entry| {
            let _ = writeln!(
                dumped.out,
                "version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
                entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable_offset
            );
        }),
        Err((at, problem)) => {
            let _ = writeln!(dumped.errors, "byte {at}: {problem}");
        }
    }
}

fn producers(dumped: &mut Dumped, offset: i64, bytes: &[u8]) {
    let producers = match snapshot::read(bytes, offset) {
        Ok(producers) => snapshot::in_file_order(&producers),
        Err((at, problem)) => {
            let _ = writeln!(dumped.errors, "byte {at}: {problem}");
            return;
        }
    };
    for (id, entry) in producers {
        let _ = write!(
            dumped.out,
            "producerId: {id} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}",
            entry.epoch,
            entry.coordinator_epoch,
            optional_long(entry.current_txn_first_offset),
            entry.last_timestamp
        );
        if let Some(batch) = entry.batches().first() {
            let _ = write!(
                dumped.out,
                " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                batch.first_sequence(),
                batch.last_sequence,
                batch.last_offset,
                batch.offset_delta,
                batch.timestamp
            );
        }
        dumped.out.push('\n');
    }
}

/// As Java prints an `OptionalLong`.
fn optional_long(value: Option<i64>) -> String {
    value.map_or_else(|| "OptionalLong.empty".to_owned(), |value| format!("OptionalLong[{value}]"))
}
