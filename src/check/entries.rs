//! How events enter the ledger: what clients tell.

use super::ledger::{Ledger, LedgerError, OpenTransaction};
use super::life::{Ack, Failure, Life, StoryKind};
use super::picture::Fate;
use crate::base::{Offset, RecordId, TopicId, TopicPartition};
use crate::node::{ClientError, Event};
use crate::protocol::ApiKey;
use crate::sim::Recorded;
use std::rc::Rc;

impl Ledger {
    /// Takes in what a step recorded.
    pub fn apply(&mut self, events: &[Recorded]) {
        for recorded in events {
            self.enter(recorded);
        }
    }

    fn enter(&mut self, it: &Recorded) {
        match &it.event {
            Event::Sent { record, partition } => self.enter_sent(it, *record, *partition),
            Event::BatchSent { to, attempt, records, partition, .. } => {
                for record in records.iter() {
                    let kind = StoryKind::OnTheWire { to: *to, attempt: *attempt };
                    self.tell(*record, it, partition.topic, kind, |_| {});
                }
            }
            Event::Retry { error, records, partition, .. } => {
                for record in records.iter() {
                    self.tell(*record, it, partition.topic, StoryKind::Retry(*error), |_| {});
                }
            }
            Event::Acked { record, offset, partition } => {
                let sends_on = self.flow.sends_on(it.node);
                self.tell(*record, it, partition.topic, StoryKind::Acked(*offset), |life| {
                    if !sends_on {
                        life.acked.get_or_insert(Ack { at: it.at, offset: *offset });
                    }
                });
            }
            Event::SendFailed { record, error, partition } => {
                let sends_on = self.flow.sends_on(it.node);
                let topic = partition.map_or(TopicId(0), |partition| partition.topic);
                self.tell(*record, it, topic, StoryKind::Failed(Box::new(error.clone())), |life| {
                    if !sends_on {
                        life.failed.get_or_insert_with(|| Box::new(Failure { at: it.at, error: error.clone() }));
                    }
                });
                self.failed(it, error.clone(), None, Some(*record));
            }
            Event::HandlerFailed { record, partition, error, .. } => {
                let kind = StoryKind::HandlerFailed(Box::new(error.clone()));
                self.tell(*record, it, partition.topic, kind, |_| {});
                self.failed(it, error.clone(), None, Some(*record));
            }
            Event::RequestFailed { api, error, .. } => self.failed(it, ClientError::Broker(*error), Some(*api), None),
            Event::TransactionBegun { .. }
            | Event::TransactionEnding { .. }
            | Event::TransactionEnded { .. }
            | Event::ProducerFailed { .. } => self.enter_transaction(it),
            Event::Acknowledged { .. } | Event::RecordsAcknowledged { .. } | Event::AcquisitionLockExpired { .. } => {
                self.enter_shared(it);
            }
            Event::Delivered { .. }
            | Event::Processing { .. }
            | Event::Processed { .. }
            | Event::SinkRefused { .. } => self.enter_reading(it),
            _ => self.enter_log(it),
        }
    }

    fn enter_sent(&mut self, it: &Recorded, record: RecordId, partition: TopicPartition) {
        if self.flow.sends_on(it.node) {
            return self.tell(record, it, partition.topic, StoryKind::SentOn, |_| {});
        }
        let transaction = self.transactions.get_mut(&it.node);
        let transactional = transaction.is_some();
        if let Some(transaction) = transaction {
            transaction.records.push(record);
        }
        self.tell(record, it, partition.topic, StoryKind::Sent, |life| {
            life.sent_at.get_or_insert(it.at);
            life.producer = Some(it.node);
            life.partition = Some(partition);
            if transactional {
                // It may have failed or been taken back before: now it is sent again.
                life.failed = None;
                let transactional = life.transactional_mut();
                (transactional.withdrawn, transactional.taken_back) = (false, false);
            }
        });
    }

    /// What generators do with their transactions. Those of processors are seen in the logs.
    fn enter_transaction(&mut self, it: &Recorded) {
        if let Event::ProducerFailed { error } = &it.event {
            self.failed(it, error.clone(), None, None);
        }
        if self.flow.is_processor(it.node) {
            return;
        }
        match &it.event {
            Event::TransactionBegun { .. } => drop(self.transactions.insert(it.node, OpenTransaction::default())),
            Event::ProducerFailed { .. } => {
                if let Some(transaction) = self.transactions.get_mut(&it.node) {
                    transaction.failed = true;
                }
            }
            Event::TransactionEnding { committed: false, .. } => {
                let Some(open) = self.transactions.get(&it.node).cloned() else { return };
                for record in open.records {
                    let on_purpose = !open.failed;
                    self.tell(record, it, TopicId(0), StoryKind::TakenBack { on_purpose }, |life| {
                        let transactional = life.transactional_mut();
                        (transactional.withdrawn, transactional.taken_back) = (on_purpose, true);
                    });
                }
            }
            Event::TransactionEnded { committed, .. } => {
                let open = self.transactions.remove(&it.node).filter(|_| *committed);
                for record in open.map(|open| open.records).unwrap_or_default() {
                    self.change(record, |life| life.transactional_mut().promised = true);
                }
            }
            _ => {}
        }
    }

    fn enter_reading(&mut self, it: &Recorded) {
        let (Event::Delivered { record, partition, offset }
        | Event::Processing { record, partition, offset }
        | Event::Processed { record, partition, offset, .. }
        | Event::SinkRefused { record, partition, offset, .. }) = it.event
        else {
            return;
        };
        // What happens in a sink counts where its program reads.
        let reader =
            if let Event::Processed { by, .. } | Event::SinkRefused { by, .. } = it.event { by } else { it.node };
        // Whatever comes of a record in a retry topic counts where it came from.
        let first = self.life(record).filter(|_| self.flow.is_retry(partition.topic)).and_then(|life| life.partition);
        let topic = first.map_or(partition.topic, |first| first.topic);
        let Some(reading) = self.flow.reading(reader, topic) else { return };
        let fate = self.fate((partition, offset));
        match it.event {
            Event::Delivered { .. } => {
                let kind = if fate.holds() { StoryKind::Delivered(offset) } else { StoryKind::ReadUncommitted(offset) };
                self.tell(record, it, partition.topic, kind, |life| {
                    life.delivered.add(reading);
                });
            }
            Event::Processing { .. } => self.tell(record, it, partition.topic, StoryKind::Processing, |_| {}),
            Event::SinkRefused { .. } => self.tell(record, it, partition.topic, StoryKind::Refused, |_| {}),
            _ => self.enter_effect(it, record, reading, (partition, offset), fate),
        }
    }

    fn enter_effect(
        &mut self,
        it: &Recorded,
        record: RecordId,
        reading: u16,
        place: (TopicPartition, Offset),
        fate: Fate,
    ) {
        let mut first = false;
        let acts = self.flow.readers_of(reading).is_some_and(|readers| readers.acts);
        let kind = if acts { StoryKind::Processed } else { StoryKind::Handled };
        self.tell(record, it, place.0.topic, kind, |life| {
            first = life.processed.add(reading) == 1;
            match fate {
                Fate::Aborted => life.aborted_read = true,
                Fate::Open => life.transactional_mut().early.push(place),
                Fate::Plain | Fate::Committed => {}
            }
        });
        if first && acts && record.0 < self.total {
            self.effects.push((reading, record));
        }
    }

    fn failed(&mut self, it: &Recorded, error: ClientError, api: Option<ApiKey>, record: Option<RecordId>) {
        if self.applications.contains(&it.node) {
            self.errors.push(LedgerError { at: it.at, node: it.node, error, api, record });
        }
    }

    /// Changes a life and tells the step, which happened in that topic (0: in none).
    pub(super) fn tell(
        &mut self,
        record: RecordId,
        it: &Recorded,
        topic: TopicId,
        kind: StoryKind,
        change: impl FnOnce(&mut Life),
    ) {
        self.change(record, |life| {
            change(life);
            life.tell(it.id, it.at, it.node, topic, kind);
        });
    }

    pub(super) fn change(&mut self, record: RecordId, change: impl FnOnce(&mut Life)) {
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
        if let Some(life) = self.lives.get_mut(record.0 as usize) {
            change(Rc::make_mut(life));
        }
    }
}
