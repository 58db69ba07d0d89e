//! What the metadata log adds up to, and how a controller follows it.
//!
//! Invariants: [`Controller::committed`] is the replay of what is committed, and only that; decisions of the active
//! controller that are not committed yet live in a copy, which is dropped with its leadership; an answer leaves when all
//! that it says is committed.
//!
//! In Kafka: `QuorumController.QuorumMetaLogListener`, `OffsetControlManager`, `DeferredEventQueue`.

use super::Controller;
use crate::base::{BrokerId, Offset, SortedMap};
use crate::metadata::{MetadataDelta, MetadataImage, MetadataRecord, records_of};
use crate::node::{Event, Outbox, RequestContext};
use crate::protocol::Response;
use std::rc::Rc;

/// What a log adds up to.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Replayed {
    pub image: MetadataImage,
    /// Where each broker's registration stands, which it must have replayed before it is unfenced.
    pub registered_at: SortedMap<BrokerId, Offset>,
}

/// An answer that waits for its records.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) struct Deferred {
    /// It leaves when all before is committed.
    pub offset: Offset,
    pub context: RequestContext,
    pub response: Response,
}

impl Replayed {
    pub fn apply(&mut self, offset: Offset, record: &MetadataRecord, delta: &mut MetadataDelta) {
        match record {
            MetadataRecord::RegisterBroker(record) => {
                self.registered_at.insert(record.broker, offset);
            }
            MetadataRecord::UnregisterBroker { broker, .. } => {
                self.registered_at.remove(broker);
            }
            _ => {}
        }
        self.image.apply(offset, record, delta);
    }

    /// The first offset that is not in it.
    pub fn next_offset(&self) -> Offset {
        self.image.offset() + 1
    }
}

impl Controller {
    /// Replays what has been committed meanwhile, and sends the answers that waited for it.
    pub(super) fn follow_log(&mut self, out: &mut Outbox<'_>) {
        let high_watermark = self.raft.high_watermark();
        if self.committed.next_offset() < high_watermark {
            self.replay_up_to(high_watermark, out);
        }
        self.told = self.told.max(high_watermark);
        let is_all = high_watermark == self.log_end_offset();
        let Some(active) = &mut self.active else { return };
        if is_all {
            active.uncommitted = None;
        }
        while let Some(first) = active.deferred.pop_front_if(|deferred| deferred.offset <= high_watermark) {
            out.respond(first.context, first.response);
        }
    }

    fn replay_up_to(&mut self, end: Offset, out: &mut Outbox<'_>) {
        self.maybe_load_snapshot();
        let is_leader = self.raft.leadership().is_some();
        let from = self.committed.next_offset();
        let log = self.raft.log().log();
        let batches: Vec<_> = log.batches_from(from).take_while(|batch| batch.next_offset() <= end).cloned().collect();
        let mut delta = MetadataDelta::default();
        for batch in batches {
            let records = records_of(&batch).expect("invariant: the log holds what this very program wrote");
            for (offset, record) in &records {
                self.apply_committed(*offset, record, is_leader, &mut delta, out);
            }
            self.committed.image.advance(batch.last_offset());
            self.generator.bytes += u64::from(batch.size_in_bytes());
        }
    }

    /// The leader tells the world what was decided; so does a new leader, of what its predecessor could not tell.
    pub(super) fn apply_committed(
        &mut self,
        offset: Offset,
        record: &MetadataRecord,
        is_leader: bool,
        delta: &mut MetadataDelta,
        out: &mut Outbox<'_>,
    ) {
        let tells = is_leader && offset >= self.told;
        let before = if tells { self.fenced_broker_of(record) } else { None };
        let unclean = tells && self.elects_uncleanly(record);
        self.committed.apply(offset, record, delta);
        if tells {
            self.tell(record, before, unclean, out);
        }
    }

    fn fenced_broker_of(&self, record: &MetadataRecord) -> Option<(BrokerId, bool)> {
        let broker = match record {
            MetadataRecord::RegisterBroker(record) => record.broker,
            MetadataRecord::BrokerRegistrationChange(record) => record.broker,
            _ => return None,
        };
        Some((broker, !self.committed.image.is_unfenced(broker)))
    }

    fn elects_uncleanly(&self, record: &MetadataRecord) -> bool {
        let MetadataRecord::PartitionChange(change) = record else { return false };
        self.committed.image.partition(change.partition).is_some_and(|before| before.elects_uncleanly(change))
    }

    fn tell(
        &self,
        record: &MetadataRecord,
        fenced_before: Option<(BrokerId, bool)>,
        unclean: bool,
        out: &mut Outbox<'_>,
    ) {
        let image = &self.committed.image;
        if let Some((broker, before)) = fenced_before {
            match (before, !image.is_unfenced(broker)) {
                (false, true) => out.emit(Event::BrokerFenced { broker }),
                (true, false) => out.emit(Event::BrokerUnfenced { broker }),
                _ => {}
            }
        }
        let at = match record {
            MetadataRecord::Partition(record) => record.partition,
            MetadataRecord::PartitionChange(change) => change.partition,
            _ => return,
        };
        if let Some(partition) = image.partition(at) {
            out.emit(Event::PartitionChanged {
                partition: at,
                leader: partition.leader,
                leader_epoch: partition.leader_epoch,
                isr: Rc::from(&partition.isr[..]),
                partition_epoch: partition.partition_epoch,
                unclean,
            });
        }
    }

    /// Answers as soon as all that has been decided so far is committed: even what only looks may look at what is not.
    pub(super) fn respond(&mut self, context: RequestContext, response: Response, out: &mut Outbox<'_>) {
        let (offset, high_watermark) = (self.log_end_offset(), self.raft.high_watermark());
        match &mut self.active {
            Some(active) if high_watermark < offset => {
                active.deferred.push_back(Deferred { offset, context, response });
            }
            _ => out.respond(context, response),
        }
    }
}
