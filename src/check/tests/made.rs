//! Worlds to be and events, made by hand.

use super::super::claim::{Claim, Guarantee};
use super::super::ledger::Ledger;
use super::super::life::StoryKind;
use super::super::picture::Fate;
use crate::app::{
    CommitMode, ConsumerAppSetup, Dedupe, HandOver, KeyMode, OffsetsMode, OnFailure, OnRevoke, ProcessorAppSetup,
    ProducerAppSetup, Resend,
};
use crate::base::config::{BrokerConfig, ConsumerConfig, ProducerConfig, Properties};
use crate::base::{Duration, LeaderEpoch, NodeId, Offset, ProducerId, RecordId, Time, TopicId, TopicPartition};
use crate::client::payload::record_value;
use crate::node::Event;
use crate::protocol::NewTopic;
use crate::record::{BatchBuilder, ControlRecord, RecordBatch};
use crate::sim::{NetworkSetup, Recorded, WorldSetup};
use std::rc::Rc;

pub const TP: TopicPartition = TopicPartition::new(TopicId(1), 0);
pub const BROKER: NodeId = NodeId(0);
pub const OTHER: NodeId = NodeId(1);
pub const SHOP: NodeId = NodeId(4);
pub const MAILER: NodeId = NodeId(5);

/// Of the topic `invoices`, to which [`processor`] writes.
pub const INVOICES: TopicPartition = TopicPartition::new(TopicId(2), 0);
pub const BILLING: NodeId = NodeId(6);

pub fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn producer(pairs: &[(&str, &str)], records: u32) -> ProducerAppSetup {
    ProducerAppSetup {
        node: SHOP,
        name: "shop".into(),
        topic: "orders".into(),
        records,
        first_record: RecordId(0),
        interval: Duration::from_millis(20),
        key: KeyMode::None,
        value_size: None,
        resend: Resend::Never,
        config: ProducerConfig::parse(&properties(pairs)).expect("good settings"),
        transactions: None,
        start: None,
        brokers: Rc::new([]),
    }
}

pub fn consumer(pairs: &[(&str, &str)], commit: CommitMode) -> ConsumerAppSetup {
    ConsumerAppSetup {
        node: MAILER,
        name: "mailer".into(),
        group: Some("mail".into()),
        topics: vec!["orders".into()],
        pattern: None,
        assign: true,
        processing: Duration::from_millis(5),
        commit,
        hand_over: HandOver::Inline,
        on_revoke: OnRevoke::Nothing,
        batch: false,
        sink: Dedupe::None.into(),
        sink_node: None,
        on_failure: OnFailure::default(),
        share: None,
        renew_every: None,
        config: ConsumerConfig::parse(&properties(pairs)).expect("good settings"),
        start: None,
        brokers: Rc::new([]),
    }
}

/// From `orders` to `invoices`.
pub fn processor(producer: &[(&str, &str)], consumer: &[(&str, &str)], offsets: OffsetsMode) -> ProcessorAppSetup {
    let consumer = [&[("group.id", "billing"), ("enable.auto.commit", "false")], consumer].concat();
    ProcessorAppSetup {
        node: BILLING,
        name: "billing".into(),
        group: "billing".into(),
        from: vec!["orders".into()],
        assign: true,
        to: vec!["invoices".into()],
        processing: Duration::from_millis(5),
        offsets,
        sink: None,
        sink_node: None,
        producer: ProducerConfig::parse(&properties(producer)).expect("good settings"),
        consumer: ConsumerConfig::parse(&properties(&consumer)).expect("good settings"),
        transaction_version: 2,
        start: None,
        brokers: Rc::new([]),
    }
}

/// Three brokers, one controller, topic `orders`, ten records.
pub fn setup(producers: Vec<ProducerAppSetup>, consumers: Vec<ConsumerAppSetup>) -> WorldSetup {
    let orders = NewTopic {
        name: "orders".into(),
        partitions: 1,
        replication_factor: 3,
        assignments: Vec::new(),
        config: Properties::new(),
    };
    WorldSetup {
        seed: 42,
        brokers: 3,
        racks: Vec::new(),
        controllers: 1,
        broker_config: Rc::new(BrokerConfig::parse(&Properties::new()).expect("defaults are good")),
        topics: vec![orders],
        group_configs: Vec::new(),
        network: NetworkSetup::default(),
        producers,
        consumers,
        processors: Vec::new(),
        sinks: Vec::new(),
        faults: Vec::new(),
    }
}

/// Twenty records through a cluster in which nothing goes wrong.
pub fn calm() -> WorldSetup {
    setup(
        vec![producer(&[], 20)],
        vec![consumer(&[("enable.auto.commit", "false"), ("auto.offset.reset", "earliest")], CommitMode::AfterSync)],
    )
}

/// A batch of these records at that place in the log.
pub fn batch(base_offset: Offset, epoch: LeaderEpoch, records: &[u32]) -> RecordBatch {
    builder(records).build().with_offset_and_epoch(base_offset, epoch)
}

/// A batch of these records to be.
pub fn builder(records: &[u32]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(0);
    for record in records {
        let value = record_value("shop", RecordId(*record), None);
        builder.append(0, None, Some(&value), &[]);
    }
    builder
}

/// The same, written by a producer with that id in a transaction.
pub fn transactional(base_offset: Offset, epoch: LeaderEpoch, producer: ProducerId, records: &[u32]) -> RecordBatch {
    builder(records).producer(producer, 0, 0).transactional(true).build().with_offset_and_epoch(base_offset, epoch)
}

/// The marker that ends the transaction of the producer with that id.
pub fn marker(base_offset: Offset, epoch: LeaderEpoch, producer: ProducerId, commit: bool) -> RecordBatch {
    ControlRecord::marker_batch(commit, producer, 0, 0, 0).with_offset_and_epoch(base_offset, epoch)
}

/// A ledger fed by hand.
pub struct Book {
    pub ledger: Ledger,
    next: u64,
}

impl Book {
    /// With a reader, or without.
    pub fn new(read: bool) -> Book {
        let consumers = if read { vec![consumer(&[], CommitMode::AfterSync)] } else { Vec::new() };
        Book { ledger: Ledger::new(&setup(vec![producer(&[], 10)], consumers)), next: 1 }
    }

    /// With a processor from `orders` to `invoices`, and with one group of readers for each of these topics.
    pub fn through(processor: ProcessorAppSetup, topics: &[&str]) -> Book {
        let reader = |topic: &&str| ConsumerAppSetup {
            topics: vec![(*topic).into()],
            group: Some("mail".into()),
            ..consumer(&[], CommitMode::AfterSync)
        };
        let mut setup = setup(vec![producer(&[], 10)], topics.iter().map(reader).collect());
        setup.topics.push(NewTopic { name: "invoices".into(), ..setup.topics[0].clone() });
        setup.processors = vec![processor];
        Book { ledger: Ledger::new(&setup), next: 1 }
    }

    /// The leader of `invoices` appends.
    pub fn invoiced(&mut self, batch: RecordBatch) -> &mut Book {
        self.at(BROKER, Event::Appended { partition: INVOICES, leader: true, batch })
    }

    /// An application reads a record there and processes it.
    pub fn acts(&mut self, node: NodeId, record: u32, partition: TopicPartition, offset: Offset) -> &mut Book {
        let record = RecordId(record);
        self.at(node, Event::Delivered { record, partition, offset });
        self.at(node, Event::Processing { record, partition, offset });
        self.at(node, Event::Processed { record, partition, offset, by: node })
    }

    /// The fates of the records in a log.
    pub fn fates(&self, partition: TopicPartition) -> Vec<Fate> {
        self.ledger.log(partition).map_or(Vec::new(), |log| log.entries.iter().map(|entry| entry.fate).collect())
    }

    /// A record's story.
    pub fn story(&self, record: u32) -> Vec<StoryKind> {
        self.ledger.story(RecordId(record)).iter().map(|step| step.kind.clone()).collect()
    }

    pub fn at(&mut self, node: NodeId, event: Event) -> &mut Book {
        let recorded = self.recorded(node, event);
        self.ledger.apply(&[recorded]);
        self
    }

    pub fn recorded(&mut self, node: NodeId, event: Event) -> Recorded {
        self.next += 1;
        Recorded { id: self.next, at: Time::from_origin_us(self.next), node, cause: 0, event }
    }

    pub fn sent(&mut self, records: &[u32]) -> &mut Book {
        for record in records {
            self.at(SHOP, Event::Sent { record: RecordId(*record), partition: TP });
        }
        self
    }

    pub fn appended(&mut self, node: NodeId, batch: RecordBatch) -> &mut Book {
        self.at(node, Event::Appended { partition: TP, leader: true, batch })
    }

    pub fn committed(&mut self, node: NodeId, offset: Offset) -> &mut Book {
        self.at(node, Event::HighWatermark { partition: TP, leader: true, offset })
    }

    pub fn acked(&mut self, record: u32, offset: Offset) -> &mut Book {
        self.at(SHOP, Event::Acked { record: RecordId(record), partition: TP, offset })
    }

    pub fn leads(&mut self, node: NodeId, leader_epoch: LeaderEpoch, log_end_offset: Offset) -> &mut Book {
        self.at(node, Event::BecameLeader { partition: TP, leader_epoch, log_end_offset, isr: Rc::new([]) })
    }

    pub fn processed(&mut self, records: &[u32]) -> &mut Book {
        for record in records {
            let (record, offset) = (RecordId(*record), 0);
            self.at(MAILER, Event::Delivered { record, partition: TP, offset });
            self.at(MAILER, Event::Processed { record, partition: TP, offset, by: MAILER });
        }
        self
    }

    pub fn verdict(&self, guarantee: Guarantee) -> super::super::Verdict {
        self.ledger.verdict(&Claim { guarantee, why: Vec::new() }, true)
    }
}

pub fn ids(records: &[u32]) -> Vec<RecordId> {
    records.iter().map(|record| RecordId(*record)).collect()
}
