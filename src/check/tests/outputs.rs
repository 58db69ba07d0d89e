//! One output for every input, shown to fail on logs that have fewer or more.

use super::super::Quorum;
use super::super::invariants::{Cluster, Invariant, Invariants, Replica};
use super::made::{builder, processor, producer, setup};
use crate::app::{OffsetsMode, ProcessorAppSetup};
use crate::base::config::{BrokerConfig, Properties, TopicConfig};
use crate::base::{BrokerId, NodeId, ProducerEpoch, ProducerId, SortedMap, Time, TopicId, TopicPartition};
use crate::log::{LogConfig, UnifiedLog};
use crate::metadata::{MetadataDelta, MetadataImage, MetadataRecord, PartitionRegistration};
use crate::protocol::NewTopic;
use crate::record::{ControlRecord, RecordBatch};
use crate::sim::WorldSetup;
use std::rc::Rc;

const ORDERS: TopicPartition = TopicPartition::new(TopicId(1), 0);
const INVOICES: TopicPartition = TopicPartition::new(TopicId(2), 0);

/// One broker with the logs of both topics.
struct Logs {
    image: MetadataImage,
    logs: SortedMap<TopicPartition, UnifiedLog>,
}

impl Cluster for Logs {
    fn image(&self) -> &MetadataImage {
        &self.image
    }

    fn replica(&self, _: BrokerId, partition: TopicPartition) -> Option<Replica<'_>> {
        let log = self.logs.get(&partition)?;
        Some(Replica { log, high_watermark: log.high_watermark(), leader_epoch: 0 })
    }

    fn broker_epoch(&self, _: BrokerId) -> Option<i64> {
        Some(0)
    }

    fn decision(&self, _: ProducerId, _: ProducerEpoch) -> Option<bool> {
        None
    }

    fn owners(&self, _: &str) -> Vec<(TopicPartition, NodeId)> {
        Vec::new()
    }

    fn generation(&self, _: NodeId) -> i32 {
        -1
    }
}

impl Quorum for Logs {
    fn logs(&self) -> impl Iterator<Item = (NodeId, &UnifiedLog)> {
        std::iter::empty()
    }
}

impl Logs {
    fn new() -> Logs {
        let mut image = MetadataImage::default();
        let mut logs = SortedMap::new();
        let topic = TopicConfig::parse(&Properties::new()).expect("defaults are good");
        let broker = BrokerConfig::parse(&Properties::new()).expect("defaults are good");
        let config = Rc::new(LogConfig::new(&topic, &broker));
        for (partition, name) in [(ORDERS, "orders"), (INVOICES, "invoices")] {
            let one = vec![BrokerId(0)];
            let decided = PartitionRegistration { leader: BrokerId(0), ..PartitionRegistration::new(one.clone(), one) };
            let topic = MetadataRecord::Topic { name: name.into(), topic: partition.topic };
            for record in [topic, MetadataRecord::Partition(decided.to_record(partition))] {
                let offset = image.offset() + 1;
                image.apply(offset, &record, &mut MetadataDelta::default());
            }
            logs.insert(partition, UnifiedLog::create(partition, config.clone(), Time::ORIGIN));
        }
        Logs { image, logs }
    }

    fn append(&mut self, partition: TopicPartition, batch: &RecordBatch) -> &mut Logs {
        let log = self.logs.get_mut(&partition).expect("one of the two");
        let offset = log.log_end_offset();
        log.append_as_follower(&[batch.with_offset_and_epoch(offset, 0)], 0, Time::ORIGIN).expect("it fits");
        log.set_high_watermark(log.log_end_offset());
        self
    }

    fn put_in(&mut self, records: &[u32]) -> &mut Logs {
        self.append(ORDERS, &builder(records).build())
    }

    /// A transaction of these invoices.
    fn put_out(&mut self, records: &[u32], committed: bool) -> &mut Logs {
        self.append(INVOICES, &builder(records).transactional(true).producer(7, 0, 0).build());
        self.append(INVOICES, &ControlRecord::marker_batch(committed, 7, 0, 0, 0))
    }
}

fn world(id: &str, isolation: &str, offsets: OffsetsMode) -> WorldSetup {
    let mut setup = setup(vec![producer(&[], 10)], Vec::new());
    let invoices = NewTopic { name: "invoices".into(), ..setup.topics[0].clone() };
    setup.topics.push(invoices);
    setup.processors = vec![processor(&[("transactional.id", id)], &[("isolation.level", isolation)], offsets)];
    setup
}

fn broken(logs: &Logs, setup: &WorldSetup, ended: bool) -> usize {
    let found = Invariants::new(setup).check_outputs(logs, Time::ORIGIN, ended);
    assert!(found.iter().all(|it| it.invariant == Invariant::OneOutput));
    found.len()
}

#[test]
fn every_input_has_one_committed_output() {
    let setup = world("billing", "read_committed", OffsetsMode::Transaction);
    let mut logs = Logs::new();
    logs.put_in(&[0, 1, 2]).put_out(&[0, 1], false).put_out(&[0, 1], true);
    assert_eq!(broken(&logs, &setup, false), 0, "what was aborted does not count, and 2 may still come");
    assert_eq!(broken(&logs, &setup, true), 1, "2 never came");
    logs.put_out(&[2], true);
    assert_eq!(broken(&logs, &setup, true), 0);
    logs.put_out(&[1, 2], true);
    assert_eq!(broken(&logs, &setup, false), 2, "1 and 2 came twice");
    logs.put_in(&[1, 2]);
    assert_eq!(broken(&logs, &setup, true), 0, "as they were put in");
}

#[test]
fn nothing_is_promised_where_the_settings_promise_nothing() {
    let mut logs = Logs::new();
    logs.put_in(&[0]).put_out(&[0], true).put_out(&[0], true);
    assert_eq!(broken(&logs, &world("billing", "read_committed", OffsetsMode::Transaction), true), 1);
    for setup in [
        world("billing", "read_uncommitted", OffsetsMode::Transaction),
        world("billing", "read_committed", OffsetsMode::After),
        world("billing-${random.uuid}", "read_committed", OffsetsMode::Transaction),
    ] {
        assert_eq!(broken(&logs, &setup, true), 0);
    }
}

/// KIP-447: the generation keeps zombies out, and a producer for each member will do.
#[test]
fn members_of_a_group_need_no_common_id() {
    let mut logs = Logs::new();
    logs.put_in(&[0]).put_out(&[0], true).put_out(&[0], true);
    let members = |assign, other_offsets| {
        let mut setup = world("billing-${random.uuid}", "read_committed", OffsetsMode::Transaction);
        let first = ProcessorAppSetup { assign, ..setup.processors[0].clone() };
        let second = ProcessorAppSetup { node: NodeId(7), offsets: other_offsets, ..first.clone() };
        setup.processors = vec![first, second];
        setup
    };
    assert_eq!(broken(&logs, &members(false, OffsetsMode::Transaction), true), 1);
    assert_eq!(broken(&logs, &members(true, OffsetsMode::Transaction), true), 0, "no members");
    assert_eq!(broken(&logs, &members(false, OffsetsMode::After), true), 0, "what the other one does repeats");
}
