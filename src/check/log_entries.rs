//! How events enter the ledger: what brokers tell of their logs.

use super::ledger::{Ledger, records_with_offsets};
use super::life::StoryKind;
use super::picture::{Fate, LogEntry, LogPicture, marker_of};
use crate::base::{Offset, TopicPartition};
use crate::node::Event;
use crate::record::RecordBatch;
use crate::sim::Recorded;
use std::rc::Rc;

impl Ledger {
    pub(super) fn enter_log(&mut self, it: &Recorded) {
        match &it.event {
            Event::Appended { partition, leader: true, batch } if self.is_ours(*partition) => {
                self.enter_append(it, *partition, batch);
            }
            Event::DuplicateIgnored { partition, batch, .. } if self.is_ours(*partition) => {
                for (_, record) in records_with_offsets(batch) {
                    self.tell(record, it, partition.topic, StoryKind::DuplicateIgnored, |_| {});
                }
            }
            Event::HighWatermark { partition, leader: true, offset } if self.is_ours(*partition) => {
                self.enter_commit(it, *partition, *offset);
            }
            Event::LogStartMoved { partition, leader: true, offset } => {
                self.enter_deletion(it, *partition, *offset);
            }
            Event::BecameLeader { partition, leader_epoch, log_end_offset, .. } if self.is_ours(*partition) => {
                let log = self.log_mut(*partition);
                if !log.is_leader(it.node, *leader_epoch) && log.leader_epoch > *leader_epoch {
                    return;
                }
                log.leader = Some(it.node);
                let cut = log.cut(*log_end_offset);
                self.forget(it, *partition, &cut);
            }
            _ => {}
        }
    }

    fn enter_append(&mut self, it: &Recorded, partition: TopicPartition, batch: &RecordBatch) {
        let counts = self.log_mut(partition).is_leader(it.node, batch.leader_epoch());
        if let Some(committed) = marker_of(batch) {
            if counts {
                self.enter_marker(it, partition, batch, committed);
            }
            return;
        }
        for (offset, record) in records_with_offsets(batch) {
            if record.0 >= self.total {
                continue;
            }
            if !counts {
                self.tell(record, it, partition.topic, StoryKind::AppendedByFormerLeader(offset), |_| {});
                continue;
            }
            self.log_mut(partition).push(offset, record, batch);
            let kind = match batch.is_transactional() {
                true => StoryKind::AppendedInTransaction(offset),
                false => StoryKind::Appended(offset),
            };
            self.tell(record, it, partition.topic, kind, |life| {
                life.places.push((partition, offset));
            });
        }
    }

    /// A transaction ends in this log: its records hold from now on, or are undone. Who acted on them before acted in vain then.
    fn enter_marker(&mut self, it: &Recorded, partition: TopicPartition, batch: &RecordBatch, committed: bool) {
        for (record, offset) in self.log_mut(partition).end_transaction(batch, committed) {
            if committed {
                self.tell(record, it, partition.topic, StoryKind::TransactionCommitted(offset), |_| {});
                continue;
            }
            self.tell(record, it, partition.topic, StoryKind::TransactionAborted(offset), |life| {
                let early = life.transactional().is_some_and(|it| it.early.contains(&(partition, offset)));
                life.aborted_read |= early;
            });
        }
    }

    /// The leader has deleted the head of its log, or leads with one that it deleted as a follower (retention knows no leaders).
    /// Places stay: who was told that it is stored was told the truth, and nothing is lost that readers got in time.
    pub fn enter_deletion(&mut self, it: &Recorded, partition: TopicPartition, start: Offset) {
        if !self.is_ours(partition) {
            return;
        }
        let log = self.log_mut(partition);
        if log.leader.is_some_and(|leader| leader != it.node) || start <= log.start {
            return;
        }
        let first = log.place(log.start);
        log.start = start;
        let entries = log.entries.clone();
        for entry in entries.iter_from(first).take_while(|entry| entry.offset < start) {
            self.tell(entry.record, it, partition.topic, StoryKind::Deleted(entry.offset), |_| {});
        }
    }

    /// The present leader has compacted its log up to `to`: what it does not have any more was superseded.
    pub fn enter_compaction<'a>(
        &mut self,
        event: &Recorded,
        partition: TopicPartition,
        to: Offset,
        log: impl Iterator<Item = &'a RecordBatch>,
    ) {
        if !self.is_ours(partition) || self.log_mut(partition).leader.is_some_and(|leader| leader != event.node) {
            return;
        }
        let left: Vec<Offset> =
            log.take_while(|batch| batch.base_offset() < to).flat_map(records_with_offsets).map(|it| it.0).collect();
        let picture = self.log_mut(partition).clone();
        for entry in picture.entries.iter_from(picture.place(picture.start)).take_while(|entry| entry.offset < to) {
            let kind = StoryKind::Superseded(entry.offset);
            if left.binary_search(&entry.offset).is_err() && !self.story(entry.record).iter().any(|it| it.kind == kind)
            {
                // What was aborted is dropped without a successor.
                let more = u8::from(entry.fate != Fate::Aborted);
                self.tell(entry.record, event, partition.topic, kind, |life| {
                    life.superseded = life.superseded.saturating_add(more);
                });
            }
        }
    }

    fn enter_commit(&mut self, it: &Recorded, partition: TopicPartition, high_watermark: Offset) {
        let log = self.log_mut(partition);
        // Before the first event of its reign is seen, nothing is known of the leader.
        if log.leader.is_some_and(|leader| leader != it.node) || high_watermark <= log.committed {
            return;
        }
        let first = log.place(log.committed);
        log.committed = high_watermark;
        let (entries, open) = (log.entries.clone(), log.first_open());
        for entry in entries.iter_from(first).take_while(|entry| entry.offset < high_watermark) {
            let hidden = open.is_some_and(|open| open <= entry.offset);
            let kind =
                if hidden { StoryKind::CommittedBehindLso(entry.offset) } else { StoryKind::Committed(entry.offset) };
            self.tell(entry.record, it, partition.topic, kind, |_| {});
        }
    }

    /// A new leader's log, which is now the log: whatever it holds replaces the picture. `event` is its
    /// `BecameLeader`. Batches that the picture has already are not opened again. Records that the new leader has deleted or
    /// compacted away stay in the picture: they were not lost.
    pub fn replace_log<'a>(
        &mut self,
        event: &Recorded,
        partition: TopicPartition,
        log: impl Iterator<Item = &'a RecordBatch>,
    ) {
        let Event::BecameLeader { leader_epoch, .. } = event.event else { return };
        if !self.is_ours(partition) || !self.log_mut(partition).is_leader(event.node, leader_epoch) {
            return;
        }
        let picture = self.log_mut(partition).clone();
        let is_same = |batch: &RecordBatch| picture.knows(batch) || picture.knows_records_of(batch);
        let is_other_control = |batch: &RecordBatch| batch.is_control() && marker_of(batch).is_none();
        let mut new = log.skip_while(|batch| is_same(batch) || is_other_control(batch)).peekable();
        let Some(first) = new.peek().map(|batch| batch.base_offset()) else { return };
        let cut = self.log_mut(partition).cut(first);
        self.forget(event, partition, &cut);
        for batch in new {
            if let Some(committed) = marker_of(batch) {
                self.enter_marker(event, partition, batch, committed);
                continue;
            }
            for (offset, record) in records_with_offsets(batch) {
                if record.0 >= self.total {
                    continue;
                }
                self.log_mut(partition).push(offset, record, batch);
                self.tell(record, event, partition.topic, StoryKind::Reappeared(offset), |life| {
                    life.places.push((partition, offset));
                });
            }
        }
    }

    /// These entries stand in the log no more.
    fn forget(&mut self, it: &Recorded, partition: TopicPartition, cut: &[LogEntry]) {
        for entry in cut {
            self.tell(entry.record, it, partition.topic, StoryKind::CutOff(entry.offset), |life| {
                life.places.retain(|place| *place != (partition, entry.offset));
            });
        }
    }

    /// Whether a topic is the scenario's own.
    fn is_ours(&self, partition: TopicPartition) -> bool {
        (1..=self.last_topic).contains(&partition.topic.0)
    }

    fn log_mut(&mut self, partition: TopicPartition) -> &mut LogPicture {
        Rc::make_mut(self.logs.entry(partition).or_insert_with(|| Rc::new(LogPicture::new())))
    }
}
