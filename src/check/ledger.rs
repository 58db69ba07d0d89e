//! The ledger: every record's life, from events.
//!
//! A record's identity is read from the bytes of its value, once, when a leader appends it. What stands in the log is a
//! picture per partition that follows the present leader: a new leader's shorter log cuts it, a different log replaces it,
//! and what a deposed leader appends in ignorance is told in the story but does not count.

use super::life::{Ack, Failure, Life, StoryKind, StoryStep};
use super::picture::{LogEntry, LogPicture};
use crate::app::{ConsumerAppSetup, ProducerAppSetup};
use crate::base::{NodeId, Offset, RecordId, SortedMap, Time, TopicId, TopicPartition, Vector, sort_short};
use crate::client::payload::record_id_of;
use crate::node::{ClientError, Event};
use crate::protocol::ApiKey;
use crate::record::RecordBatch;
use crate::sim::{Recorded, WorldSetup};
use std::rc::Rc;

/// An error that an application met.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LedgerError {
    /// When.
    pub at: Time,
    /// Which application.
    pub node: NodeId,
    /// Which error.
    pub error: ClientError,
    /// The request that failed, if it was one.
    pub api: Option<ApiKey>,
    /// The record that failed, if it was one.
    pub record: Option<RecordId>,
}

/// One group of consumers that share an effect: those of one `group.id`, or one consumer without.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Readers {
    /// `group.id`, or the consumer's name.
    pub name: Rc<str>,
    /// Who.
    pub nodes: Vec<NodeId>,
    /// What they read.
    pub topics: Vec<TopicId>,
}

/// Every record's life.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Ledger {
    /// How many records the generators will make: an id above is none of ours.
    total: u32,
    /// Topics above this one are internal.
    last_topic: u32,
    /// Which nodes are applications.
    applications: Rc<[NodeId]>,
    readers: Rc<[Readers]>,
    lives: Vector<Rc<Life>>,
    logs: SortedMap<TopicPartition, Rc<LogPicture>>,
    /// The first effects, in the order in which they happened: (group of readers, record).
    effects: Vector<(u16, RecordId)>,
    errors: Vector<LedgerError>,
}

impl Ledger {
    /// An empty ledger for that world.
    pub fn new(setup: &WorldSetup) -> Ledger {
        let topic_id = |name: &Rc<str>| {
            let place = setup.topics.iter().position(|topic| topic.name == *name)?;
            u32::try_from(place + 1).ok().map(TopicId)
        };
        let of_producers = setup.producers.iter().map(|app: &ProducerAppSetup| app.node);
        let of_consumers = setup.consumers.iter().map(|app: &ConsumerAppSetup| app.node);
        let ends = setup.producers.iter().map(|app| app.first_record.0.saturating_add(app.records));
        Ledger {
            total: ends.max().unwrap_or(0),
            last_topic: u32::try_from(setup.topics.len()).expect("invariant: topic ids have 32 bits"),
            applications: of_producers.chain(of_consumers).collect(),
            readers: readers(&setup.consumers, topic_id).into(),
            lives: Vector::new(),
            logs: SortedMap::new(),
            effects: Vector::new(),
            errors: Vector::new(),
        }
    }

    // ---- looking ----

    /// The life of a record, if anything is known of it.
    pub fn life(&self, record: RecordId) -> Option<&Rc<Life>> {
        self.lives.get(record.0 as usize)
    }

    /// All lives, by record.
    pub fn lives(&self) -> impl Iterator<Item = (RecordId, &Rc<Life>)> {
        (0..).map(RecordId).zip(self.lives.iter())
    }

    /// What stands in the log of a partition.
    pub fn log(&self, partition: TopicPartition) -> Option<&Rc<LogPicture>> {
        self.logs.get(&partition)
    }

    /// What stands in the logs, by partition.
    pub fn logs(&self) -> impl Iterator<Item = (TopicPartition, &Rc<LogPicture>)> {
        self.logs.iter().map(|(partition, log)| (*partition, log))
    }

    /// The groups of consumers; counts are by place in this list.
    pub fn readers(&self) -> &Rc<[Readers]> {
        &self.readers
    }

    /// The errors that applications met, in order.
    pub fn errors(&self) -> &Vector<LedgerError> {
        &self.errors
    }

    /// The first effects in the order in which they happened: (group of readers, record).
    pub fn effects(&self) -> &Vector<(u16, RecordId)> {
        &self.effects
    }

    // ---- writing ----

    /// Takes in what a step recorded.
    pub fn apply(&mut self, events: &[Recorded]) {
        for recorded in events {
            self.enter(recorded);
        }
    }

    fn enter(&mut self, it: &Recorded) {
        match &it.event {
            Event::Sent { record, partition } => self.tell(*record, it, StoryKind::Sent, |life| {
                life.sent_at.get_or_insert(it.at);
                life.producer = Some(it.node);
                life.partition = Some(*partition);
            }),
            Event::BatchSent { to, attempt, records, .. } => {
                for record in records.iter() {
                    self.tell(*record, it, StoryKind::OnTheWire { to: *to, attempt: *attempt }, |_| {});
                }
            }
            Event::Retry { error, records, .. } => {
                for record in records.iter() {
                    self.tell(*record, it, StoryKind::Retry(*error), |_| {});
                }
            }
            Event::Acked { record, offset, .. } => self.tell(*record, it, StoryKind::Acked(*offset), |life| {
                life.acked.get_or_insert(Ack { at: it.at, offset: *offset });
            }),
            Event::SendFailed { record, error, .. } => {
                self.tell(*record, it, StoryKind::Failed(Box::new(error.clone())), |life| {
                    life.failed.get_or_insert_with(|| Box::new(Failure { at: it.at, error: error.clone() }));
                });
                self.failed(it, error.clone(), None, Some(*record));
            }
            Event::RequestFailed { api, error, .. } => self.failed(it, ClientError::Broker(*error), Some(*api), None),
            Event::Delivered { .. } | Event::Processing { .. } | Event::Processed { .. } => self.enter_reading(it),
            _ => self.enter_log(it),
        }
    }

    fn enter_reading(&mut self, it: &Recorded) {
        let Some(group) = self.readers.iter().position(|readers| readers.nodes.contains(&it.node)) else { return };
        let group = u16::try_from(group).expect("invariant: groups are fewer than nodes");
        match it.event {
            Event::Delivered { record, offset, .. } => self.tell(record, it, StoryKind::Delivered(offset), |life| {
                life.delivered.add(group);
            }),
            Event::Processing { record, .. } => self.tell(record, it, StoryKind::Processing, |_| {}),
            Event::Processed { record, .. } => {
                let mut first = false;
                self.tell(record, it, StoryKind::Processed, |life| {
                    first = life.processed.add(group) == 1;
                });
                if first {
                    self.effects.push((group, record));
                }
            }
            _ => {}
        }
    }

    fn enter_log(&mut self, it: &Recorded) {
        match &it.event {
            Event::Appended { partition, leader: true, batch } if self.is_ours(*partition) => {
                self.enter_append(it, *partition, batch);
            }
            Event::DuplicateIgnored { partition, batch, .. } if self.is_ours(*partition) => {
                for (_, record) in records_with_offsets(batch) {
                    self.tell(record, it, StoryKind::DuplicateIgnored, |_| {});
                }
            }
            Event::HighWatermark { partition, leader: true, offset } if self.is_ours(*partition) => {
                self.enter_commit(it, *partition, *offset);
            }
            Event::LogStartMoved { partition, leader: true, offset } if self.is_ours(*partition) => {
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
        let (crc, leader_epoch) = (batch.crc(), batch.leader_epoch());
        let counts = self.log_mut(partition).is_leader(it.node, leader_epoch);
        for (offset, record) in records_with_offsets(batch) {
            if record.0 >= self.total {
                continue;
            }
            if !counts {
                self.tell(record, it, StoryKind::AppendedByFormerLeader(offset), |_| {});
                continue;
            }
            self.log_mut(partition).entries.push(LogEntry { offset, record, crc, leader_epoch });
            self.tell(record, it, StoryKind::Appended(offset), |life| {
                life.places.push((partition, offset));
            });
        }
    }

    /// Places stay: who was told that it is stored was told the truth, and nothing is lost that readers got in time.
    fn enter_deletion(&mut self, it: &Recorded, partition: TopicPartition, start: Offset) {
        let log = self.log_mut(partition);
        if log.leader.is_some_and(|leader| leader != it.node) || start <= log.start {
            return;
        }
        let first = log.place(log.start);
        log.start = start;
        let entries = log.entries.clone();
        for entry in entries.iter_from(first).take_while(|entry| entry.offset < start) {
            self.tell(entry.record, it, StoryKind::Deleted(entry.offset), |_| {});
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
                self.tell(entry.record, event, kind, |life| life.superseded = life.superseded.saturating_add(1));
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
        let entries = log.entries.clone();
        for entry in entries.iter_from(first).take_while(|entry| entry.offset < high_watermark) {
            self.tell(entry.record, it, StoryKind::Committed(entry.offset), |_| {});
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
        let mut new = log.skip_while(|batch| is_same(batch) || batch.is_control()).peekable();
        let Some(first) = new.peek().map(|batch| batch.base_offset()) else { return };
        let cut = self.log_mut(partition).cut(first);
        self.forget(event, partition, &cut);
        for batch in new {
            let (crc, leader_epoch) = (batch.crc(), batch.leader_epoch());
            for (offset, record) in records_with_offsets(batch) {
                if record.0 >= self.total {
                    continue;
                }
                self.log_mut(partition).entries.push(LogEntry { offset, record, crc, leader_epoch });
                self.tell(record, event, StoryKind::Reappeared(offset), |life| {
                    life.places.push((partition, offset));
                });
            }
        }
    }

    /// These entries stand in the log no more.
    fn forget(&mut self, it: &Recorded, partition: TopicPartition, cut: &[LogEntry]) {
        for entry in cut {
            self.tell(entry.record, it, StoryKind::CutOff(entry.offset), |life| {
                life.places.retain(|place| *place != (partition, entry.offset));
            });
        }
    }

    fn failed(&mut self, it: &Recorded, error: ClientError, api: Option<ApiKey>, record: Option<RecordId>) {
        if self.applications.contains(&it.node) {
            self.errors.push(LedgerError { at: it.at, node: it.node, error, api, record });
        }
    }

    /// Changes a life and tells the step.
    fn tell(&mut self, record: RecordId, it: &Recorded, kind: StoryKind, change: impl FnOnce(&mut Life)) {
        if record.0 >= self.total {
            return;
        }
        if self.lives.len() <= record.0 as usize {
            // Records between this and the last known one share one empty life until they get their own.
            let unborn = Rc::<Life>::default();
            while self.lives.len() <= record.0 as usize {
                self.lives.push(Rc::clone(&unborn));
            }
        }
        let Some(life) = self.lives.get_mut(record.0 as usize) else { return };
        let life = Rc::make_mut(life);
        change(life);
        life.tell(it.id, it.at, it.node, kind);
    }

    /// Whether a topic is the scenario's own.
    fn is_ours(&self, partition: TopicPartition) -> bool {
        (1..=self.last_topic).contains(&partition.topic.0)
    }

    fn log_mut(&mut self, partition: TopicPartition) -> &mut LogPicture {
        Rc::make_mut(self.logs.entry(partition).or_insert_with(|| Rc::new(LogPicture::new())))
    }

    /// The story of a record.
    pub fn story(&self, record: RecordId) -> &[StoryStep] {
        self.life(record).map_or(&[], |life| &life.story)
    }
}

/// The generated records of a batch and where they stand.
pub(super) fn records_with_offsets(batch: &RecordBatch) -> impl Iterator<Item = (Offset, RecordId)> + '_ {
    batch.raw_records().filter_map(|record| {
        let record = record.ok()?;
        Some((record.offset, record_id_of(record.value?)?))
    })
}

fn readers(consumers: &[ConsumerAppSetup], topic_id: impl Fn(&Rc<str>) -> Option<TopicId>) -> Vec<Readers> {
    let mut groups: Vec<(bool, Readers)> = Vec::new();
    for app in consumers {
        let name = app.group.clone().unwrap_or_else(|| app.name.clone());
        let shared = app.group.is_some();
        let place = groups.iter().position(|(is_group, it)| shared && *is_group && it.name == name);
        let place = place.unwrap_or_else(|| {
            groups.push((shared, Readers { name, nodes: Vec::new(), topics: Vec::new() }));
            groups.len() - 1
        });
        let readers = &mut groups[place].1;
        readers.nodes.push(app.node);
        readers.topics.extend(app.topics.iter().filter_map(&topic_id));
        sort_short(&mut readers.topics, |a, b| a < b);
        readers.topics.dedup();
    }
    groups.into_iter().map(|(_, readers)| readers).collect()
}
