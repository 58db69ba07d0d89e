//! How events enter the ledger: what became of records that were delivered to share groups.
//!
//! Leaders tell it by offsets; who that is, the picture of the log knows. Whether a record was given up on purpose or because it
//! was delivered too often, the state that the leader writes does not say: what its program said of it last does.

use super::ledger::Ledger;
use super::life::{ShareEnd, StoryKind};
use crate::base::{RecordId, TopicPartition};
use crate::node::Event;
use crate::protocol::{AcknowledgeType, StateBatch};
use crate::sim::Recorded;

impl Ledger {
    pub(super) fn enter_shared(&mut self, it: &Recorded) {
        match &it.event {
            Event::Acknowledged { record, partition, kind, .. } => {
                let kind = *kind;
                self.tell(*record, it, partition.topic, StoryKind::Acknowledged(kind), |life| {
                    life.shared_mut().said = Some(kind);
                });
            }
            Event::RecordsAcknowledged { group, partition, batches } => {
                self.enter_batches(it, group, *partition, batches, false);
            }
            Event::AcquisitionLockExpired { group, partition, batches } => {
                self.enter_batches(it, group, *partition, batches, true);
            }
            _ => {}
        }
    }

    fn enter_batches(
        &mut self,
        it: &Recorded,
        group: &str,
        partition: TopicPartition,
        batches: &[StateBatch],
        expired: bool,
    ) {
        let Some(reading) = self.flow.reading_of(group, partition.topic) else { return };
        for batch in batches {
            for record in self.records_between(partition, batch) {
                if expired {
                    self.tell(record, it, partition.topic, StoryKind::LockExpired(batch.delivery_count), |_| {});
                }
                match batch.delivery_state {
                    StateBatch::ACKNOWLEDGED => self.tell(record, it, partition.topic, StoryKind::Accepted, |_| {}),
                    StateBatch::ARCHIVED => self.give_up(it, record, reading, partition, batch.delivery_count),
                    _ if expired => {}
                    _ => self.tell(record, it, partition.topic, StoryKind::Released(batch.delivery_count), |_| {}),
                }
            }
        }
    }

    fn records_between(&self, partition: TopicPartition, batch: &StateBatch) -> Vec<RecordId> {
        let Some(log) = self.log(partition) else { return Vec::new() };
        let entries = log.entries.iter_from(log.place(batch.first_offset));
        entries.take_while(|entry| entry.offset <= batch.last_offset).map(|entry| entry.record).collect()
    }

    fn give_up(&mut self, it: &Recorded, record: RecordId, reading: u16, partition: TopicPartition, deliveries: i16) {
        let said = self.life(record).and_then(|life| life.said());
        let end =
            if said == Some(AcknowledgeType::Reject) { ShareEnd::Rejected } else { ShareEnd::Exhausted(deliveries) };
        self.tell(record, it, partition.topic, StoryKind::Archived(end), |life| {
            let ends = &mut life.shared_mut().ends;
            ends.retain(|(known, _)| *known != reading);
            ends.push((reading, end));
        });
    }
}
