//! Each invariant is shown to fail on a state that breaks it, and to hold on the one beside it.

use super::super::Quorum;
use super::super::invariants::{Cluster, Invariant, Invariants, Replica};
use super::made::{Book, SHOP, TP, batch, consumer, producer, setup};
use crate::app::CommitMode;
use crate::base::config::{BrokerConfig, GroupConfig, Properties, TopicConfig};
use crate::base::{BrokerId, LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, RecordId, Time, TopicPartition};
use crate::log::{LogConfig, UnifiedLog};
use crate::metadata::{MetadataDelta, MetadataImage, MetadataRecord, PartitionRegistration, RegisterBrokerRecord};
use crate::node::Event;
use crate::record::RecordBatch;
use std::rc::Rc;

/// Three brokers with a replica each; broker 0 leads.
pub(super) struct Fake {
    image: MetadataImage,
    logs: Vec<UnifiedLog>,
    /// Of the running process; none while it is down.
    broker_epochs: Vec<Option<i64>>,
    leader_epoch: LeaderEpoch,
    pub invariants: Invariants,
    book: Book,
    /// Another one than the logs have.
    high_watermark: Option<Offset>,
    /// Another one than the logs have.
    pub last_stable_offset: Option<Offset>,
    /// What a coordinator has found in its log.
    pub decision: Option<bool>,
    /// Who may commit for which partitions.
    pub owners: Vec<(TopicPartition, NodeId)>,
    /// Of every member.
    pub generation: i32,
    /// Where share groups begin.
    pub share_start: Option<Offset>,
    /// Of every group.
    pub group_config: GroupConfig,
}

impl Cluster for Fake {
    fn image(&self) -> &MetadataImage {
        &self.image
    }

    fn replica(&self, broker: BrokerId, _: TopicPartition) -> Option<Replica<'_>> {
        let index = usize::try_from(broker.0).ok()?;
        (*self.broker_epochs.get(index)?)?;
        let log = &self.logs[index];
        let high_watermark = self.high_watermark.unwrap_or(log.high_watermark());
        Some(Replica { log, high_watermark, leader_epoch: self.leader_epoch })
    }

    fn broker_epoch(&self, broker: BrokerId) -> Option<i64> {
        self.broker_epochs.get(usize::try_from(broker.0).ok()?).copied().flatten()
    }

    fn last_stable_offset(&self, replica: &Replica<'_>) -> Offset {
        self.last_stable_offset.unwrap_or(replica.log.last_stable_offset())
    }

    fn decision(&self, _: ProducerId, _: ProducerEpoch) -> Option<bool> {
        self.decision
    }

    fn owners(&self, _: &str) -> Vec<(TopicPartition, NodeId)> {
        self.owners.clone()
    }

    fn share_start(&self, _: NodeId, _: &str, _: TopicPartition) -> Option<Offset> {
        self.share_start
    }

    fn group_config(&self, _: NodeId, _: &str) -> GroupConfig {
        self.group_config.clone()
    }

    fn generation(&self, _: NodeId) -> i32 {
        self.generation
    }
}

impl Quorum for Fake {
    fn logs(&self) -> impl Iterator<Item = (NodeId, &UnifiedLog)> {
        std::iter::empty()
    }
}

impl Fake {
    pub fn new() -> Fake {
        Fake::reading("read_uncommitted")
    }

    /// With a consumer of that `isolation.level`.
    pub fn reading(isolation: &str) -> Fake {
        let reader = consumer(&[("isolation.level", isolation)], CommitMode::AfterSync);
        let topic = TopicConfig::parse(&Properties::new()).expect("defaults are good");
        let broker = BrokerConfig::parse(&Properties::new()).expect("defaults are good");
        let config = Rc::new(LogConfig::new(&topic, &broker));
        let mut fake = Fake {
            image: MetadataImage::default(),
            logs: (0..3).map(|_| UnifiedLog::create(TP, config.clone(), Time::ORIGIN)).collect(),
            broker_epochs: vec![Some(10), Some(11), Some(12)],
            leader_epoch: 0,
            invariants: Invariants::new(&setup(vec![producer(&[], 10)], vec![reader])),
            book: Book::new(true),
            high_watermark: None,
            last_stable_offset: None,
            decision: None,
            owners: Vec::new(),
            generation: 1,
            share_start: None,
            group_config: GroupConfig::default(),
        };
        for broker in 0..3 {
            fake.write(&MetadataRecord::RegisterBroker(RegisterBrokerRecord {
                broker: BrokerId(broker),
                incarnation: 1,
                broker_epoch: i64::from(10 + broker),
                rack: None,
                fenced: false,
                in_controlled_shutdown: false,
            }));
        }
        fake.write(&MetadataRecord::Topic { name: "orders".into(), topic: TP.topic });
        fake.decide(&[0, 1, 2], 0, 0);
        fake
    }

    fn write(&mut self, record: &MetadataRecord) {
        let offset = self.image.offset() + 1;
        self.image.apply(offset, record, &mut MetadataDelta::default());
    }

    /// The controller decides who leads and who is in sync.
    pub fn decide(&mut self, isr: &[i32], leader: i32, leader_epoch: LeaderEpoch) {
        let isr: Vec<BrokerId> = isr.iter().map(|broker| BrokerId(*broker)).collect();
        let replicas = (0..3).map(BrokerId).collect();
        let decided = PartitionRegistration {
            leader: BrokerId(leader),
            leader_epoch,
            ..PartitionRegistration::new(replicas, isr)
        };
        self.leader_epoch = leader_epoch;
        self.write(&MetadataRecord::Partition(decided.to_record(TP)));
    }

    pub fn append(&mut self, broker: usize, batch: RecordBatch) {
        let epoch = batch.leader_epoch();
        self.logs[broker].append_as_follower(&[batch], epoch, Time::ORIGIN).expect("it fits");
    }

    pub fn append_to_all(&mut self, batch: &RecordBatch) {
        (0..3).for_each(|broker| self.append(broker, batch.clone()));
    }

    /// Something happened: what is broken now that was not.
    pub fn at(&mut self, node: u16, event: Event) -> Vec<Invariant> {
        let before = self.invariants.violations().len();
        let recorded = [self.book.recorded(NodeId(node), event)];
        self.book.ledger.apply(&recorded);
        let mut invariants = self.invariants.clone();
        invariants.check(self, &self.book.ledger, &recorded);
        self.invariants = invariants;
        self.invariants.violations().iter().skip(before).map(|violation| violation.invariant).collect()
    }

    pub fn commit(&mut self, broker: u16, offset: Offset) -> Vec<Invariant> {
        self.logs[usize::from(broker)].set_high_watermark(offset);
        self.at(broker, Event::HighWatermark { partition: TP, leader: true, offset })
    }

    pub fn lead(&mut self, broker: u16, leader_epoch: LeaderEpoch) -> Vec<Invariant> {
        let log_end_offset = self.logs[usize::from(broker)].log_end_offset();
        self.at(broker, Event::BecameLeader { partition: TP, leader_epoch, log_end_offset, isr: Rc::new([]) })
    }

    fn change(&mut self, isr: &[i32], leader: i32, leader_epoch: LeaderEpoch, unclean: bool) -> Vec<Invariant> {
        self.decide(isr, leader, leader_epoch);
        let isr = isr.iter().map(|broker| BrokerId(*broker)).collect();
        let leader = BrokerId(leader);
        self.at(3, Event::PartitionChanged { partition: TP, leader, leader_epoch, isr, partition_epoch: 0, unclean })
    }
}

#[test]
fn agreement_below_the_high_watermark() {
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0]));
    assert_eq!(fake.commit(0, 1), []);
    fake.append(0, batch(1, 0, &[1]));
    fake.append(1, batch(1, 0, &[1]));
    fake.append(2, batch(1, 0, &[2]));
    assert_eq!(fake.commit(0, 2), [Invariant::StrongIsr]);

    let mut fake = Fake::new();
    fake.append(0, batch(0, 0, &[0]));
    fake.append(1, batch(0, 0, &[0]));
    assert_eq!(fake.commit(0, 1), [Invariant::ValidHighWatermark], "broker 2 is in sync and has nothing");
    let mut fake = Fake::new();
    fake.decide(&[0, 1], 0, 0);
    fake.append(0, batch(0, 0, &[0]));
    fake.append(1, batch(0, 0, &[0]));
    assert_eq!(fake.commit(0, 1), [], "broker 2 is not in sync");
    assert_eq!(fake.change(&[0, 1, 2], 0, 0, false), [Invariant::ValidHighWatermark], "nor ready to be");
}

#[test]
fn only_who_runs_as_registered_counts_as_in_sync() {
    let mut fake = Fake::new();
    fake.append(0, batch(0, 0, &[0]));
    fake.append(1, batch(0, 0, &[0]));
    fake.broker_epochs[2] = Some(-1);
    assert_eq!(fake.commit(0, 1), []);
}

#[test]
fn the_high_watermark_never_goes_back_within_an_epoch() {
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0, 1]));
    assert_eq!(fake.commit(0, 2), []);
    assert_eq!(fake.commit(0, 1), [Invariant::HighWatermarkMonotonic]);
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0, 1]));
    assert_eq!(fake.commit(0, 2), []);
    fake.decide(&[0, 1, 2], 0, 1);
    assert_eq!(fake.commit(0, 1), [], "a new epoch begins where the new leader knows");
}

#[test]
fn the_high_watermark_lies_in_the_log() {
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0, 1]));
    let appended = Event::Appended { partition: TP, leader: false, batch: batch(0, 0, &[0, 1]) };
    for (high_watermark, expected) in [(0, [].as_slice()), (2, &[]), (3, &[Invariant::OffsetsInOrder])] {
        fake.high_watermark = Some(high_watermark);
        assert_eq!(fake.at(1, appended.clone()), expected, "{high_watermark}");
    }
}

#[test]
fn a_leader_is_in_sync() {
    let mut fake = Fake::new();
    assert_eq!(fake.change(&[1, 2], 1, 1, false), []);
    assert_eq!(fake.change(&[1, 2], 0, 2, false), [Invariant::LeaderInIsr]);
    assert_eq!(fake.change(&[1, 2], -1, 2, false), []);
}

#[test]
fn a_new_leader_has_what_was_committed() {
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0]));
    fake.commit(0, 1);
    fake.logs[1].truncate_to(0, Time::ZERO);
    fake.change(&[1], 1, 1, false);
    assert_eq!(fake.lead(1, 1), [Invariant::CommittedSurvives]);
}

/// Each replica of a compacted topic is cleaned in its own time.
#[test]
fn compacted_replicas_may_differ_in_what_is_left_but_not_in_what_is_there() {
    let compacted = |fake: &mut Fake| {
        let mut config = (**fake.logs[0].config()).clone();
        config.compact = true;
        let config = Rc::new(config);
        fake.logs.iter_mut().for_each(|log| log.set_config(config.clone()));
    };
    for (third, expected) in [(2, [].as_slice()), (9, &[Invariant::StrongIsr])] {
        let mut fake = Fake::new();
        compacted(&mut fake);
        fake.append(0, batch(0, 0, &[0]));
        fake.append(0, batch(1, 0, &[1, 2]));
        fake.append(1, batch(0, 0, &[0]).emptied());
        fake.append(1, batch(1, 0, &[1, third]));
        fake.append(2, batch(1, 0, &[1, 2]));
        assert_eq!(fake.commit(0, 3), expected);
    }
}

#[test]
fn an_unclean_election_may_lose_what_was_committed() {
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0]));
    fake.commit(0, 1);
    fake.logs[1].truncate_to(0, Time::ZERO);
    fake.change(&[1], 1, 1, true);
    assert_eq!(fake.lead(1, 1), []);
    let acked = Event::Acked { record: RecordId(0), partition: TP, offset: 0 };
    assert_eq!(fake.at(SHOP.0, acked), []);
}

#[test]
fn so_may_a_power_loss_of_the_last_in_sync_but_of_no_other() {
    let recovered = Event::LogRecovered { partition: TP, log_end_offset: 0, lost_bytes: 70 };
    for (isr, expected) in [(&[1][..], [].as_slice()), (&[0, 1], &[Invariant::CommittedSurvives])] {
        let mut fake = Fake::new();
        fake.append_to_all(&batch(0, 0, &[0]));
        fake.commit(0, 1);
        fake.change(isr, -1, 1, false);
        fake.logs[1].truncate_to(0, Time::ZERO);
        fake.at(1, recovered.clone());
        fake.change(&[1], 1, 2, false);
        assert_eq!(fake.lead(1, 2), expected, "ISR {isr:?}");
    }
}

#[test]
fn what_is_acknowledged_is_on_every_replica_in_sync() {
    let acked = Event::Acked { record: RecordId(0), partition: TP, offset: 0 };
    let appended = |batch| Event::Appended { partition: TP, leader: true, batch };
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0]));
    fake.at(0, appended(batch(0, 0, &[0])));
    assert_eq!(fake.at(SHOP.0, acked.clone()), []);
    fake.logs[2].truncate_to(0, Time::ZERO);
    assert_eq!(fake.at(SHOP.0, acked.clone()), [Invariant::AckedSurvives]);
    fake.decide(&[0, 1], 0, 0);
    assert_eq!(fake.at(SHOP.0, acked.clone()), []);
    fake.at(1, Event::BecameLeader { partition: TP, leader_epoch: 5, log_end_offset: 0, isr: Rc::new([]) });
    assert_eq!(fake.at(SHOP.0, acked), [Invariant::AckedSurvives], "the log is another now");
}

/// `late-end-txn` with seed 7824 and random faults: a record that takes over the sequence number of a stored one.
#[test]
fn a_record_taken_for_another_is_excused_only_before_transaction_version_2() {
    let told = |version: &str, transactional: &[(&str, &str)]| {
        let mut setup = setup(vec![producer(transactional, 10)], Vec::new());
        let properties = [("transaction.version".to_owned(), version.to_owned())].into();
        setup.broker_config = Rc::new(BrokerConfig::parse(&properties).expect("a version"));
        let mut fake = Fake::new();
        fake.invariants = Invariants::new(&setup);
        fake.append_to_all(&batch(0, 0, &[0]));
        fake.at(0, Event::Appended { partition: TP, leader: true, batch: batch(0, 0, &[0]) });
        fake.at(SHOP.0, Event::Sent { record: RecordId(1), partition: TP });
        fake.at(0, Event::DuplicateIgnored { partition: TP, base_offset: 0, batch: batch(0, 0, &[1]) });
        fake.at(SHOP.0, Event::Acked { record: RecordId(1), partition: TP, offset: 0 })
    };
    let transactional = [("transactional.id", "shop-1")];
    assert_eq!(told("1", &transactional), []);
    assert_eq!(told("1", &[]), [Invariant::AckedSurvives]);
    assert_eq!(told("2", &transactional), [Invariant::AckedSurvives]);
}

#[test]
fn who_is_in_sync_never_cuts_off_what_is_committed() {
    let cut = |to| Event::Truncated { partition: TP, from: 2, to, records: [].into() };
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0, 1]));
    assert_eq!(fake.commit(0, 1), []);
    assert_eq!(fake.at(1, cut(1)), [], "what is not committed may go");
    assert_eq!(fake.at(1, cut(0)), [Invariant::ValidHighWatermark]);
    fake.decide(&[0, 2], 0, 0);
    assert_eq!(fake.at(1, cut(0)), [], "who is not in sync may have to");
}

/// J5: AsyncIsr. The leader has asked for broker 2 to join, the controller has agreed, and the leader does not know yet. Over
/// isr ∪ pending the high watermark waits for broker 2; over the committed ISR alone it does not, and the property breaks.
#[test]
fn j5_a_high_watermark_over_the_committed_isr_alone_breaks_valid_high_watermark() {
    for (maximal, expected) in [(&[0, 1, 2][..], [].as_slice()), (&[0, 1], &[Invariant::ValidHighWatermark])] {
        let mut fake = Fake::new();
        fake.change(&[0, 1], 0, 0, false);
        fake.append_to_all(&batch(0, 0, &[0]));
        assert_eq!(fake.commit(0, 1), []);
        fake.append(0, batch(1, 0, &[1]));
        fake.append(1, batch(1, 0, &[1]));
        // The expansion is decided; the leader still has it pending.
        assert_eq!(fake.change(&[0, 1, 2], 0, 0, false), []);
        let ends = maximal.iter().map(|broker: &usize| fake.logs[*broker].log_end_offset());
        let high_watermark = ends.min().expect("the leader is one of them");
        assert_eq!(fake.commit(0, high_watermark), expected, "{maximal:?}");
    }
}

/// J1: StrongIsr. A replica that was allowed to stay in sync with other records below the high watermark is found out.
#[test]
fn j1_divergence_below_the_high_watermark_breaks_strong_isr() {
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0]));
    fake.append(0, batch(1, 0, &[1]));
    fake.append(1, batch(1, 0, &[1]));
    fake.append(2, batch(1, 0, &[2]));
    fake.append_to_all(&batch(2, 0, &[3]));
    assert_eq!(fake.commit(0, 1), [], "above the high watermark logs may differ");
    assert_eq!(fake.commit(0, 3), [Invariant::StrongIsr]);
}

#[test]
fn decisions_are_what_they_may_be() {
    let fake = || {
        let mut fake = Fake::new();
        assert_eq!(fake.change(&[0, 1, 2], 1, 5, false), []);
        fake
    };
    assert_eq!(fake().change(&[1, 2], 2, 6, false), []);
    assert_eq!(fake().change(&[1, 2], 1, 4, false), [Invariant::TypeOk], "the leader epoch went back");
    assert_eq!(fake().change(&[1, 1], 1, 6, false), [Invariant::TypeOk], "twice in the ISR");
    assert_eq!(fake().change(&[1, 7], 1, 6, false), [Invariant::TypeOk], "7 is no replica");
    assert_eq!(fake().change(&[], -1, 6, false), [Invariant::TypeOk], "nobody is left");
    let mut elr = fake();
    let ids = |ids: &[i32]| ids.iter().map(|broker| BrokerId(*broker)).collect::<Vec<_>>();
    let decided = PartitionRegistration {
        leader: BrokerId(1),
        leader_epoch: 6,
        elr: ids(&[1]),
        ..PartitionRegistration::new(ids(&[0, 1, 2]), ids(&[1, 2]))
    };
    elr.write(&MetadataRecord::Partition(decided.to_record(TP)));
    let (leader, isr) = (BrokerId(1), ids(&[1, 2]).into());
    let event =
        Event::PartitionChanged { partition: TP, leader, leader_epoch: 6, isr, partition_epoch: 0, unclean: false };
    assert_eq!(elr.at(3, event), [Invariant::TypeOk], "in the ISR and in the ELR");
}

#[test]
fn what_is_appended_is_in_the_log_and_of_a_known_epoch() {
    let mut fake = Fake::new();
    let appended = |epoch| Event::Appended { partition: TP, leader: false, batch: batch(0, epoch, &[0]) };
    assert_eq!(fake.at(1, appended(0)), [Invariant::TypeOk], "it is not there");
    fake.append_to_all(&batch(0, 0, &[0]));
    assert_eq!(fake.at(1, appended(0)), []);
    assert_eq!(fake.at(1, appended(3)), [Invariant::TypeOk], "nobody has heard of epoch 3");
}

#[test]
fn in_the_end_what_was_acknowledged_stands_in_a_log() {
    let acked = || Event::Acked { record: RecordId(0), partition: TP, offset: 0 };
    let sent = || Event::Sent { record: RecordId(0), partition: TP };
    let survivors = |fake: &Fake| fake.invariants.check_survivors(fake, &fake.book.ledger, Time::ORIGIN);
    let mut fake = Fake::new();
    fake.append_to_all(&batch(0, 0, &[0]));
    fake.at(SHOP.0, sent());
    fake.at(0, Event::Appended { partition: TP, leader: true, batch: batch(0, 0, &[0]) });
    fake.at(SHOP.0, acked());
    assert_eq!(survivors(&fake), []);
    fake.logs[1].truncate_to(0, Time::ZERO);
    fake.change(&[1], 1, 1, false);
    fake.lead(1, 1);
    let lost = survivors(&fake);
    assert_eq!(lost.iter().map(|violation| violation.invariant).collect::<Vec<_>>(), [Invariant::AckedSurvives]);
    fake.change(&[1], 1, 2, true);
    assert_eq!(survivors(&fake), [], "an unclean election promises nothing");
}
