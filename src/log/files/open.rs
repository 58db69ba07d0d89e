//! A partition's directory, read: what `LogLoader` does before it recovers the log.
//!
//! Batches where Kafka's recovery would look (behind the recovery point of a log that was not closed) may be damaged:
//! recovery cuts them off. Anywhere else damage is an error. Indexes and snapshots can be made anew, and are.

use super::checkpoint::{LEADER_EPOCHS, PARTITION_METADATA, read_leader_epochs, read_partition_metadata};
use super::indexes::{OFFSET_ENTRY, TIME_ENTRY, TXN_ENTRY, read_offset_index, read_time_index, read_txn_index};
use super::{FileError, FileKind, Finding, NamedFile, Problem, Remedy, file_name, parse_name, snapshot};
use crate::base::{Offset, SortedMap, Time, TopicPartition};
use crate::log::segment_recovery::recover_segment;
use crate::log::{AbortedTxn, LogConfig, LogDirectory, OffsetIndexEntry, RecoveryReport, Segment, TimeIndexEntry};
use crate::record::{RecordBatch, RecordError};
use bytes::Bytes;
use std::rc::Rc;

/// What the files beside the partition's directory say of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Beside {
    /// There was a `.kafka_cleanshutdown`.
    pub clean_shutdown: bool,
    /// Its line in `recovery-point-offset-checkpoint`, else 0.
    pub recovery_point: Offset,
    /// Its line in `log-start-offset-checkpoint`, else 0.
    pub log_start_offset: Offset,
    /// Its line in `cleaner-offset-checkpoint`.
    pub cleaned_to: Option<Offset>,
}

/// A directory that was read. [`crate::log::UnifiedLog::open`] recovers the log in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The directory.
    pub directory: LogDirectory,
    /// The topic's id as Kafka shows it, if the directory says it.
    pub topic_id: Option<String>,
    /// What was not as it should be, and what was done about it.
    pub findings: Vec<Finding>,
}

/// The files of one segment.
#[derive(Default)]
struct Parts<'a> {
    log: Option<&'a Bytes>,
    offset_index: Option<&'a Bytes>,
    time_index: Option<&'a Bytes>,
    txn_index: Option<&'a Bytes>,
}

/// Reads the directory of `partition`, a real Kafka's or one that [`super::render`] wrote.
pub fn open(
    partition: TopicPartition,
    files: &[NamedFile],
    beside: Beside,
    config: &LogConfig,
    now: Time,
) -> Result<Opened, FileError> {
    let mut directory = LogDirectory::new(partition, config, now);
    directory.segments.clear();
    directory.log_start_offset = beside.log_start_offset.max(0);
    directory.clean_shutdown = beside.clean_shutdown;
    directory.cleaned_to = beside.cleaned_to.filter(|cleaned| *cleaned >= 0);
    let mut opened = Opened { directory, topic_id: None, findings: Vec::new() };
    let files = opened.settle_left_overs(files)?;
    let mut segments: SortedMap<Offset, Parts<'_>> = SortedMap::new();
    for file in &files {
        match (file.name.as_str(), parse_name(&file.name)) {
            (LEADER_EPOCHS, _) => opened.directory.epochs = read_leader_epochs(&file.bytes)?,
            (PARTITION_METADATA, _) => opened.topic_id = Some(read_partition_metadata(&file.bytes)?),
            (name, Some((None, _))) => return Err(Problem::Name.at(name, 0)),
            (_, Some((Some(offset), FileKind::Snapshot))) => opened.take_snapshot_file(file, offset),
            (_, Some((Some(offset), kind))) => {
                let parts = segments.entry(offset).or_default();
                match kind {
                    FileKind::Log => parts.log = Some(&file.bytes),
                    FileKind::OffsetIndex => parts.offset_index = Some(&file.bytes),
                    FileKind::TimeIndex => parts.time_index = Some(&file.bytes),
                    FileKind::TxnIndex | FileKind::Snapshot => parts.txn_index = Some(&file.bytes),
                }
            }
            // Anything else is none of the log's business.
            (_, None) => {}
        }
    }
    let checked_from = if beside.clean_shutdown {
        Offset::MAX
    } else {
        let logs = segments.iter().filter(|(_, parts)| parts.log.is_some()).map(|(base, _)| *base);
        logs.take_while(|base| *base <= beside.recovery_point).last().unwrap_or(0)
    };
    for (base, parts) in segments.iter() {
        opened.add_segment(*base, parts, *base >= checked_from, config, now)?;
    }
    opened.complete(beside, config, now);
    Ok(opened)
}

impl Opened {
    fn found(&mut self, error: FileError, remedy: Remedy) {
        self.findings.push(Finding { error, remedy });
    }

    /// `.deleted` and `.cleaned` are dropped. `.swap` files take the place of the segments that were compacted into them.
    fn settle_left_overs(&mut self, files: &[NamedFile]) -> Result<Vec<NamedFile>, FileError> {
        let mut kept = Vec::with_capacity(files.len());
        let mut swapped: Vec<NamedFile> = Vec::new();
        for file in files {
            if [".deleted", ".cleaned"].iter().any(|suffix| file.name.ends_with(suffix)) {
                self.found(Problem::LeftOver.at(&file.name, 0), Remedy::Dropped);
            } else if let Some(name) = file.name.strip_suffix(".swap") {
                self.found(Problem::LeftOver.at(&file.name, 0), Remedy::Swapped);
                swapped.push(NamedFile::new(name, file.bytes.clone()));
            } else {
                kept.push(file.clone());
            }
        }
        let (mut from, mut to) = (Offset::MAX, Offset::MIN);
        for file in &swapped {
            if let Some((Some(base), FileKind::Log)) = parse_name(&file.name) {
                let (batches, _) = read_batches(&file.name, &file.bytes, base)?;
                (from, to) = (from.min(base), to.max(batches.last().map_or(base, RecordBatch::next_offset)));
            }
        }
        let replaced = |name: &str| matches!(parse_name(name), Some((Some(offset), _)) if (from..to).contains(&offset));
        kept.retain(|file| !replaced(&file.name) && swapped.iter().all(|swap| swap.name != file.name));
        kept.append(&mut swapped);
        Ok(kept)
    }

    fn take_snapshot_file(&mut self, file: &NamedFile, offset: Offset) {
        match snapshot::read(&file.bytes, offset) {
            Ok(producers) => drop(self.directory.snapshots.insert(offset, producers.into())),
            Err((at, problem)) => self.found(problem.at(&file.name, at), Remedy::Dropped),
        }
    }

    fn add_segment(
        &mut self,
        base: Offset,
        parts: &Parts<'_>,
        checked: bool,
        config: &LogConfig,
        now: Time,
    ) -> Result<(), FileError> {
        let name = |kind| file_name(base, kind);
        let log_name = name(FileKind::Log);
        let Some(log) = parts.log else {
            let orphans = [
                (parts.offset_index, FileKind::OffsetIndex),
                (parts.time_index, FileKind::TimeIndex),
                (parts.txn_index, FileKind::TxnIndex),
            ];
            for (_, kind) in orphans.into_iter().filter(|(file, _)| file.is_some()) {
                self.found(Problem::Orphan.at(&name(kind), 0), Remedy::Dropped);
            }
            return Ok(());
        };
        let next = self.directory.segments.last().map_or(base, |before| before.next_offset());
        let (batches, damage) = read_batches(&log_name, log, base)?;
        let mut torn = None;
        if let Some((at, problem)) = damage {
            let error = problem.at(&log_name, at as u64);
            if !checked {
                return Err(error);
            }
            torn = Some(log.slice(at..));
            self.found(error, Remedy::Cut);
        }
        if let Some(first) = batches.first().filter(|first| first.base_offset() < next) {
            let right = "behind the segment before";
            return Err(Problem::Value { what: "baseOffset", value: first.base_offset(), right }.at(&log_name, 0));
        }
        let mut segment = Segment::restored(base, config.index_interval_bytes, batches, torn, now);
        let mut trusted = true;
        if !checked {
            let offsets = self.index(parts.offset_index, &name(FileKind::OffsetIndex), |bytes| {
                read_offset_index(bytes).and_then(|entries| check_offset_index(entries, &segment))
            });
            let times = self.index(parts.time_index, &name(FileKind::TimeIndex), |bytes| {
                read_time_index(bytes).and_then(|entries| check_time_index(entries, &segment))
            });
            // Only a file that is there can be wrong: without aborted transactions there is none.
            let aborted = parts.txn_index.map_or(Some(Vec::new()), |bytes| {
                self.index(Some(bytes), &name(FileKind::TxnIndex), |bytes| {
                    read_txn_index(bytes).and_then(|entries| check_txn_index(entries, base))
                })
            });
            // Kafka recovers the whole segment for these two.
            trusted = parts.offset_index.is_some() && aborted.is_some();
            segment.set_indexes(offsets, times, aborted.unwrap_or_default());
        }
        self.directory.segments.push(Rc::new(segment));
        if !trusted {
            let (index, report) = (self.directory.segments.len() - 1, &mut RecoveryReport::default());
            if recover_segment(&mut self.directory, index, config, now, report) > 0 {
                let at = u64::from(self.directory.segments[index].size_in_bytes());
                let right = "whole and valid, as the segment's recovery demands";
                self.found(
                    Problem::Value { what: "a batch", value: index as i64, right }.at(&log_name, at),
                    Remedy::Cut,
                );
            }
        }
        Ok(())
    }

    /// The entries of an index; None, if it has to be made anew.
    fn index<T>(
        &mut self,
        file: Option<&Bytes>,
        name: &str,
        read: impl Fn(&[u8]) -> Result<T, (u64, Problem)>,
    ) -> Option<T> {
        match file.map(|bytes| read(bytes)) {
            Some(Ok(entries)) => return Some(entries),
            Some(Err((at, problem))) => self.found(problem.at(name, at), Remedy::Rebuilt),
            None => self.found(Problem::Missing.at(name, 0), Remedy::Rebuilt),
        }
        None
    }

    /// What a log has in any case, and the snapshots that belong to it.
    fn complete(&mut self, beside: Beside, config: &LogConfig, now: Time) {
        let directory = &mut self.directory;
        if directory.segments.is_empty() {
            let start = directory.log_start_offset;
            directory.segments.push(Rc::new(Segment::new(start, config.index_interval_bytes, now)));
        }
        let end = directory.end_offset();
        directory.recovery_point = if beside.clean_shutdown { end } else { beside.recovery_point.clamp(0, end) };
    }
}

/// The batches of a segment, and where and why they end before the file does.
type Batches = (Vec<RecordBatch>, Option<(usize, Problem)>);

fn read_batches(file: &str, bytes: &Bytes, base: Offset) -> Result<Batches, FileError> {
    if i32::try_from(bytes.len()).is_err() {
        let (value, right) = (bytes.len() as i64, "less than 2 GiB");
        return Err(Problem::Value { what: "the size", value, right }.at(file, 0));
    }
    let (mut batches, mut rest, mut next) = (Vec::new(), bytes.clone(), base);
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let (batch, after) = match RecordBatch::parse(rest) {
            Ok(parsed) => parsed,
            // Batches that Kafka could read are not cut off as damage.
            Err(error @ RecordError::Magic(0 | 1)) => return Err(Problem::Batch(error).at(file, at as u64)),
            Err(error) => return Ok((batches, Some((at, Problem::Batch(error))))),
        };
        let (first, last) = (batch.base_offset(), batch.last_offset());
        if first < next {
            let right = "not below the segment's base or the batch before";
            return Ok((batches, Some((at, Problem::Value { what: "baseOffset", value: first, right }))));
        }
        if last < first || last.checked_sub(base).is_none_or(|span| span >= i64::from(i32::MAX)) || last == Offset::MAX
        {
            let (value, right) = (i64::from(batch.last_offset_delta()), "from 0 to what the segment can hold");
            return Ok((batches, Some((at, Problem::Value { what: "lastOffsetDelta", value, right }))));
        }
        next = last + 1;
        batches.push(batch);
        rest = after;
    }
    Ok((batches, None))
}

fn check_offset_index(
    entries: Vec<OffsetIndexEntry>,
    segment: &Segment,
) -> Result<Vec<OffsetIndexEntry>, (u64, Problem)> {
    let mut after = None;
    for (index, entry) in entries.iter().enumerate() {
        let offset = segment.base_offset() + i64::from(entry.relative_offset);
        let found = segment.batches().partition_point(|stored| stored.position < entry.position);
        let found = segment.batches().get(found).filter(|stored| stored.position == entry.position);
        if found.is_none_or(|stored| stored.last_offset != offset) || after.is_some_and(|after| offset <= after) {
            let right = "the last offset of the batch at its position, and above the entry before";
            return Err(((index * OFFSET_ENTRY) as u64, Problem::Value { what: "offset", value: offset, right }));
        }
        after = Some(offset);
    }
    Ok(entries)
}

fn check_time_index(entries: Vec<TimeIndexEntry>, segment: &Segment) -> Result<Vec<TimeIndexEntry>, (u64, Problem)> {
    let mut before = TimeIndexEntry { timestamp: -1, relative_offset: 0 };
    let mut batches = segment.batches().iter().peekable();
    let mut largest = -1;
    for (index, entry) in entries.iter().enumerate() {
        let at = (index * TIME_ENTRY) as u64;
        let offset = segment.base_offset() + i64::from(entry.relative_offset);
        if entry.relative_offset < before.relative_offset || offset >= segment.next_offset() {
            let right = "in the segment, and not below the entry before";
            return Err((at, Problem::Value { what: "offset", value: offset, right }));
        }
        // Up to and with the batch that holds the offset.
        while let Some(stored) = batches.next_if(|stored| stored.batch.base_offset() <= offset) {
            largest = largest.max(stored.batch.max_timestamp());
        }
        if entry.timestamp <= before.timestamp || entry.timestamp != largest {
            let right = "the largest timestamp up to its offset, and above the entry before";
            return Err((at, Problem::Value { what: "timestamp", value: entry.timestamp, right }));
        }
        before = *entry;
    }
    Ok(entries)
}

fn check_txn_index(entries: Vec<AbortedTxn>, base: Offset) -> Result<Vec<AbortedTxn>, (u64, Problem)> {
    let mut after = base - 1;
    for (index, entry) in entries.iter().enumerate() {
        if entry.last_offset <= after {
            let right = "in the segment, and above the entry before";
            let problem = Problem::Value { what: "lastOffset", value: entry.last_offset, right };
            return Err(((index * TXN_ENTRY) as u64, problem));
        }
        after = entry.last_offset;
    }
    Ok(entries)
}
