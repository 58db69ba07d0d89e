//! Offsets against the history of all that was written: whatever transactions end in which order, whatever is compacted, and
//! whoever takes over when, a group is where its newest record says that holds.

use super::*;

use crate::base::{ProducerId, Ratio, SortedMap, TopicId, TopicPartition};
use crate::coordinator::group::{OffsetAndMetadata, OffsetKey, offset_commit_record, offset_tombstone};
use crate::coordinator::{batch_of, transactional_batch_of};
use crate::log::{AppendContext, AppendOrigin, LogConfig, UnifiedLog};
use proptest::prelude::*;
use std::rc::Rc;

#[derive(Clone, Debug)]
enum Action {
    Commit(u32),
    CommitIn(ProducerId, u32),
    End(ProducerId, bool),
    Forget(u32),
    Roll,
    Wait(u64),
    Clean,
    FailOver,
}

fn action() -> impl Strategy<Value = Action> {
    let (producer, partition) = (1..4_i64, 0..3_u32);
    prop_oneof![
        4 => partition.clone().prop_map(Action::Commit),
        6 => (producer.clone(), partition.clone()).prop_map(|(who, partition)| Action::CommitIn(who, partition)),
        4 => (producer, any::<bool>()).prop_map(|(who, committed)| Action::End(who, committed)),
        1 => partition.prop_map(Action::Forget),
        4 => Just(Action::Roll),
        2 => (1..800_u64).prop_map(Action::Wait),
        4 => Just(Action::Clean),
        2 => Just(Action::FailOver),
    ]
}

/// A record as it was written; its value is its own offset.
struct Written {
    offset: Offset,
    partition: u32,
    /// Until its transaction ends; an aborted one is gone.
    pending: Option<ProducerId>,
}

struct Lab {
    log: UnifiedLog,
    now: Time,
    shard: GroupShard,
    replayed_to: Offset,
    history: Vec<Written>,
}

impl Lab {
    fn append(&mut self, batch: RecordBatch) -> Offset {
        let context = AppendContext { transaction_version: Some(0), ..AppendOrigin::Coordinator.into() };
        let info = self.log.append_as_leader_with(batch, 0, context, self.now).expect("it fits");
        self.log.set_high_watermark(self.log.log_end_offset());
        info.first_offset
    }

    fn commit(&mut self, pending: Option<ProducerId>, partition: u32) {
        let (end, now) = (self.log.log_end_offset(), self.now.wall_clock_ms());
        let record = [offset_commit_record(&key(partition), &value(end))];
        let batch = match pending {
            Some(producer_id) => transactional_batch_of(&record, now, producer_id, 0),
            None => batch_of(&record, now),
        };
        let offset = self.append(batch);
        self.history.push(Written { offset, partition, pending });
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Commit(partition) => self.commit(None, partition),
            Action::CommitIn(producer_id, partition) => self.commit(Some(producer_id), partition),
            Action::End(producer_id, committed) => {
                self.append(ControlRecord::marker_batch(committed, producer_id, 0, 0, self.now.wall_clock_ms()));
                self.history.retain(|it| committed || it.pending != Some(producer_id));
                for it in self.history.iter_mut().filter(|it| it.pending == Some(producer_id)) {
                    it.pending = None;
                }
            }
            Action::Forget(partition) => {
                self.append(batch_of(&[offset_tombstone(&key(partition))], self.now.wall_clock_ms()));
                self.history.retain(|it| it.partition != partition);
            }
            Action::Roll => self.log.roll(self.log.log_end_offset(), self.now),
            Action::Wait(millis) => self.now += crate::base::Duration::from_millis(millis),
            Action::Clean => {
                if let Some(what) = self.log.to_clean(self.now) {
                    self.log.clean(&what, self.now).expect("it can be read");
                }
            }
            Action::FailOver => (self.shard, self.replayed_to) = (GroupShard::new(4_096), 0),
        }
        for batch in self.log.batches_from(self.replayed_to) {
            self.shard.replay(batch, self.replayed_to);
        }
        self.replayed_to = self.log.log_end_offset();
    }

    fn check(&self) {
        let mut expected: SortedMap<u32, Offset> = SortedMap::new();
        for it in self.history.iter().filter(|it| it.pending.is_none()) {
            expected.insert(it.partition, it.offset);
        }
        let found = self.shard.offsets.offsets().map(|(key, value)| (key.partition, value.offset));
        assert_eq!(found.collect::<SortedMap<u32, Offset>>(), expected);
        let mut expected: SortedMap<(ProducerId, u32), Offset> = SortedMap::new();
        for it in &self.history {
            if let Some(producer_id) = it.pending {
                expected.insert((producer_id, it.partition), it.offset);
            }
        }
        let found = self.shard.offsets.pending_offsets();
        let found = found.map(|(producer_id, key, value)| ((producer_id, key.partition), value.offset));
        assert_eq!(found.collect::<SortedMap<(ProducerId, u32), Offset>>(), expected);
    }
}

fn key(partition: u32) -> OffsetKey {
    OffsetKey { group: "mail".into(), topic: "orders".into(), partition }
}

fn value(offset: Offset) -> OffsetAndMetadata {
    let metadata = Rc::from("");
    OffsetAndMetadata {
        offset,
        leader_epoch: -1,
        metadata,
        commit_timestamp: 0,
        expire_timestamp: None,
        topic_id: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn groups_are_where_their_newest_records_say(actions in prop::collection::vec(action(), 1..60)) {
        let config = LogConfig {
            compact: true,
            verify_transactions: false,
            delete_retention_ms: 500,
            min_cleanable_dirty_ratio: Ratio { numerator: 0, denominator: 1 },
            ..LogConfig::default()
        };
        let log = UnifiedLog::create(TopicPartition::new(TopicId(1), 0), Rc::new(config), Time::ORIGIN);
        let shard = GroupShard::new(4_096);
        let mut lab = Lab { log, now: Time::ORIGIN, shard, replayed_to: 0, history: Vec::new() };
        for action in actions.iter().chain([&Action::Clean, &Action::FailOver]) {
            lab.act(action);
            lab.check();
        }
    }
}
