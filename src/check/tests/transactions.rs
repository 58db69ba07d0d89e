//! The invariants of producers and transactions, each shown to fail on events that break it, and to hold on those beside it.

use super::invariants::Fake;
use super::made::{MAILER, SHOP, TP, batch, consumer, producer, setup};
use crate::app::{CommitMode, ConsumerAppSetup, OnFailure};
use crate::base::{NodeId, Offset, ProducerEpoch, RecordId};
use crate::check::Invariant;
use crate::check::Invariants;
use crate::node::Event;
use crate::protocol::TransactionState;
use crate::record::{ControlRecord, RecordBatch};
use std::rc::Rc;

const ID: &str = "billing";
const COORDINATOR: u16 = 0;
const PRODUCER: i64 = 7;

/// Records of a producer, from that sequence on.
fn written(offset: Offset, epoch: ProducerEpoch, sequence: i32, records: &[u32]) -> RecordBatch {
    batch(offset, 0, records).with_producer(PRODUCER, epoch, sequence)
}

/// The same in a transaction.
fn in_transaction(offset: Offset, epoch: ProducerEpoch, sequence: i32, records: &[u32]) -> RecordBatch {
    super::made::builder(records)
        .transactional(true)
        .producer(PRODUCER, epoch, sequence)
        .build()
        .with_offset_and_epoch(offset, 0)
}

fn marker(offset: Offset, epoch: ProducerEpoch, committed: bool) -> RecordBatch {
    ControlRecord::marker_batch(committed, PRODUCER, epoch, 0, 0).with_offset_and_epoch(offset, 0)
}

impl Fake {
    fn appended(&mut self, batch: RecordBatch) -> Vec<Invariant> {
        self.append_to_all(&batch);
        self.at(0, Event::Appended { partition: TP, leader: true, batch })
    }

    fn state(&mut self, state: TransactionState, producer_epoch: ProducerEpoch) -> Vec<Invariant> {
        self.state_of(COORDINATOR, state, PRODUCER, producer_epoch)
    }

    fn state_of(&mut self, teller: u16, state: TransactionState, producer_id: i64, epoch: i16) -> Vec<Invariant> {
        let (transactional_id, partitions) = (ID.into(), Rc::new([]));
        self.at(
            teller,
            Event::TransactionChanged { transactional_id, producer_id, producer_epoch: epoch, state, partitions },
        )
    }

    fn delivered(&mut self, offset: Offset) -> Vec<Invariant> {
        self.at(MAILER.0, Event::Delivered { record: RecordId(0), partition: TP, offset })
    }

    fn initialized(&mut self, node: NodeId, producer_epoch: ProducerEpoch) {
        let (transactional_id, producer_id) = (ID.into(), PRODUCER);
        self.at(node.0, Event::TransactionsInitialized { transactional_id, producer_id, producer_epoch });
    }

    fn begun(&mut self, node: NodeId, producer_epoch: ProducerEpoch) {
        let (transactional_id, producer_id) = (ID.into(), PRODUCER);
        self.at(node.0, Event::TransactionBegun { transactional_id, producer_id, producer_epoch });
        self.at(node.0, Event::Sent { record: RecordId(0), partition: TP });
    }

    fn ended(&mut self, node: NodeId, producer_epoch: ProducerEpoch, committed: bool) -> Vec<Invariant> {
        let (transactional_id, producer_id) = (ID.into(), PRODUCER);
        self.at(node.0, Event::TransactionEnded { transactional_id, producer_id, producer_epoch, committed })
    }
}

#[test]
fn sequences_stand_one_after_the_other() {
    let broken = [Invariant::SequencesInOrder].as_slice();
    let cases = [
        (written(2, 0, 2, &[2]), [].as_slice(), "the next"),
        (written(2, 0, 0, &[0, 1]), broken, "again"),
        (written(2, 0, 1, &[1]), broken, "the half of it again"),
        (written(2, 0, 3, &[3]), broken, "one is missing"),
        (written(2, 1, 0, &[2]), &[], "a new epoch begins anew"),
        (written(2, 1, 2, &[2]), broken, "a new epoch does not go on"),
        (written(2, -1, 2, &[2]), broken, "an older epoch is over"),
    ];
    for (second, expected, why) in cases {
        let mut fake = Fake::new();
        assert_eq!(fake.appended(written(0, 0, 0, &[0, 1])), []);
        assert_eq!(fake.appended(second), expected, "{why}");
    }
}

#[test]
fn sequences_begin_anew_after_a_marker_of_a_higher_epoch_and_at_the_end_of_the_numbers() {
    for (epoch, sequence, expected) in [
        (0, 1, [].as_slice()),
        (1, 0, &[]),
        (1, 1, &[Invariant::SequencesInOrder]),
        (0, 2, &[Invariant::SequencesInOrder]),
    ] {
        let mut fake = Fake::new();
        fake.state(TransactionState::Ongoing, 0);
        fake.state(TransactionState::PrepareCommit, epoch);
        fake.appended(in_transaction(0, 0, 0, &[0]));
        assert_eq!(fake.appended(marker(1, epoch, true)), []);
        assert_eq!(fake.appended(in_transaction(2, epoch, sequence, &[1])), expected, "{epoch}, {sequence}");
    }
    let mut fake = Fake::new();
    fake.appended(written(0, 0, i32::MAX, &[0]));
    assert_eq!(fake.appended(written(1, 0, 0, &[1])), []);
}

#[test]
fn another_leaders_log_tells_where_sequences_stand() {
    let mut fake = Fake::new();
    fake.appended(written(0, 0, 0, &[0]));
    // What only the former leader has is cut off, and sent again.
    fake.append(0, written(1, 0, 1, &[1]));
    fake.at(0, Event::Appended { partition: TP, leader: true, batch: written(1, 0, 1, &[1]) });
    fake.lead(1, 1);
    let again = written(1, 0, 1, &[1]).with_offset_and_epoch(1, 1);
    fake.append(1, again.clone());
    fake.decide(&[1, 2], 1, 1);
    assert_eq!(fake.at(1, Event::Appended { partition: TP, leader: true, batch: again.clone() }), []);
    let third = again.with_offset_and_epoch(2, 1);
    fake.append(1, third.clone());
    let broken = fake.at(1, Event::Appended { partition: TP, leader: true, batch: third });
    assert_eq!(broken, [Invariant::SequencesInOrder]);
}

#[test]
fn a_log_holds_each_record_of_a_producer_once_and_in_order() {
    let found = |batches: &[RecordBatch]| {
        let mut fake = Fake::new();
        batches.iter().for_each(|batch| fake.append_to_all(batch));
        let broken = fake.invariants.check_idempotence(&fake, crate::base::Time::ORIGIN);
        broken.iter().map(|violation| violation.invariant).collect::<Vec<_>>()
    };
    assert_eq!(found(&[written(0, 0, 0, &[0, 1]), written(2, 0, 2, &[2])]), []);
    assert_eq!(found(&[written(0, 0, 0, &[0, 1]), written(2, 0, 2, &[1])]), [Invariant::IdempotentOnce]);
    assert_eq!(found(&[written(0, 0, 0, &[0, 2]), written(2, 0, 2, &[1])]), [Invariant::IdempotentOnce], "1 behind 2");
    assert_eq!(found(&[written(0, 0, 0, &[0, 1]), written(2, 1, 0, &[1])]), [], "another epoch");
    assert_eq!(found(&[batch(0, 0, &[1]), batch(1, 0, &[1])]), [], "nobody promised anything");
}

/// What a handler threw at goes there in whatever order, and again if it is read again.
#[test]
fn of_what_consumers_send_away_no_order_is_promised() {
    let broken = |topic: &str| {
        let mut fake = Fake::new();
        let on_failure = OnFailure { dead_letter_topic: Some(topic.into()), ..OnFailure::default() };
        let mailer = ConsumerAppSetup { on_failure, ..consumer(&[], CommitMode::AfterSync) };
        fake.invariants = Invariants::new(&setup(vec![producer(&[], 10)], vec![mailer]));
        fake.append_to_all(&written(0, 0, 0, &[1, 0, 1]));
        fake.invariants.check_idempotence(&fake, crate::base::Time::ORIGIN).len()
    };
    assert_eq!((broken("elsewhere"), broken("orders")), (1, 0));
}

#[test]
fn the_last_stable_offset_stops_at_what_is_open_and_at_the_high_watermark() {
    let stable_at = |last_stable: Offset, ended: bool, high_watermark: Offset| {
        let mut fake = Fake::new();
        fake.state(TransactionState::Ongoing, 0);
        fake.state(TransactionState::PrepareCommit, 0);
        fake.appended(written(0, 0, 0, &[0]));
        fake.appended(in_transaction(1, 0, 1, &[1]));
        fake.appended(written(2, 0, 2, &[2]).with_producer(8, 0, 0));
        if ended {
            fake.appended(marker(3, 0, true));
        }
        fake.last_stable_offset = Some(last_stable);
        fake.commit(0, high_watermark)
    };
    let broken = [Invariant::LastStableOffset];
    assert_eq!(stable_at(1, false, 3), []);
    assert_eq!(stable_at(2, false, 3), broken, "past what is open");
    assert_eq!(stable_at(1, true, 3), []);
    assert_eq!(stable_at(2, true, 3), broken, "the marker is not replicated");
    assert_eq!(stable_at(4, true, 4), []);
    assert_eq!(stable_at(2, false, 1), broken, "past the high watermark");
}

#[test]
fn what_is_aborted_or_open_reaches_no_reader_of_what_is_committed() {
    let delivered = |committed: Option<bool>, offset: Offset| {
        let mut fake = Fake::reading("read_committed");
        fake.state(TransactionState::Ongoing, 0);
        let decided = match committed {
            Some(false) => TransactionState::PrepareAbort,
            _ => TransactionState::PrepareCommit,
        };
        fake.state(decided, 0);
        fake.appended(batch(0, 0, &[9]).with_producer(8, 0, 0));
        fake.appended(in_transaction(1, 0, 0, &[0]));
        if let Some(committed) = committed {
            fake.appended(marker(2, 0, committed));
        }
        fake.appended(in_transaction(3 - i64::from(committed.is_none()), 0, 1, &[1]));
        fake.delivered(offset)
    };
    let broken = [Invariant::AbortedUnread];
    assert_eq!(delivered(Some(true), 0), []);
    assert_eq!(delivered(Some(true), 1), []);
    assert_eq!(delivered(Some(false), 1), broken);
    assert_eq!(delivered(None, 1), broken, "nobody has ended it");
    assert_eq!(delivered(Some(true), 3), broken, "this one is open again");
    let mut careless = Fake::reading("read_uncommitted");
    careless.appended(in_transaction(0, 0, 0, &[0]));
    assert_eq!(careless.delivered(0), [], "who reads what is not committed may get it");
}

#[test]
fn a_marker_says_what_was_decided() {
    let written = |decided: TransactionState, epoch: ProducerEpoch, committed: bool| {
        let mut fake = Fake::new();
        fake.state(TransactionState::Ongoing, 0);
        fake.appended(in_transaction(0, 0, 0, &[0]));
        fake.state(decided, 1);
        fake.appended(marker(1, epoch, committed))
    };
    let broken = [Invariant::MarkersDecided];
    assert_eq!(written(TransactionState::PrepareCommit, 1, true), []);
    assert_eq!(written(TransactionState::PrepareAbort, 1, false), []);
    assert_eq!(written(TransactionState::PrepareCommit, 1, false), broken, "the opposite");
    assert_eq!(written(TransactionState::PrepareCommit, 0, true), broken, "of an epoch that is over");
    assert_eq!(written(TransactionState::Ongoing, 1, true), broken, "nothing is decided");
    let mut fake = Fake::new();
    fake.decision = Some(true);
    fake.appended(in_transaction(0, 0, 0, &[0]));
    assert_eq!(fake.appended(marker(1, 1, true)), [], "a coordinator has found it decided");
}

#[test]
fn transactional_ids_go_from_state_to_state_as_they_may() {
    use TransactionState::{CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
    let broken = [Invariant::TransactionStates].as_slice();
    let cases = [
        ([Empty, Ongoing, PrepareCommit, CompleteCommit, Ongoing], [].as_slice()),
        ([Empty, Ongoing, Ongoing, PrepareAbort, Ongoing], broken),
        ([Empty, Ongoing, PrepareCommit, CompleteCommit, PrepareAbort], &[]),
        ([Empty, Ongoing, PrepareCommit, CompleteCommit, PrepareCommit], broken),
        ([Empty, Ongoing, Ongoing, Ongoing, CompleteCommit], broken),
        ([Empty, Empty, Empty, Ongoing, Empty], broken),
    ];
    for (states, expected) in cases {
        let mut fake = Fake::new();
        let found: Vec<_> = states.iter().flat_map(|state| fake.state(*state, 0)).collect();
        assert_eq!(found, expected, "{states:?}");
    }
    let mut fake = Fake::new();
    fake.state(Ongoing, 5);
    assert_eq!(fake.state_of(1, CompleteCommit, PRODUCER, 5), [], "another coordinator may have decided unheard");
    assert_eq!(fake.state_of(1, Empty, PRODUCER, 4), broken, "the epoch goes back");
    assert_eq!(fake.state_of(1, Empty, 9, 0), [], "a new producer id");
    assert_eq!(fake.state_of(1, Empty, PRODUCER, 6), broken, "the old one is over");
}

#[test]
fn who_is_fenced_commits_nothing() {
    use TransactionState::{Empty, Ongoing, PrepareCommit};
    let other = NodeId(9);
    let fence = |fake: &mut Fake| {
        fake.state(Empty, 0);
        fake.initialized(SHOP, 0);
        fake.begun(SHOP, 0);
        fake.state(Ongoing, 0);
    };
    // In order: the commit is decided, then the other comes.
    let mut fake = Fake::new();
    fence(&mut fake);
    fake.state(PrepareCommit, 1);
    fake.state(TransactionState::CompleteCommit, 1);
    fake.state(Empty, 2);
    fake.initialized(other, 2);
    assert_eq!(fake.ended(SHOP, 1, true), [], "decided before");
    // The other is there, and the former one's commit is decided nevertheless.
    let mut fake = Fake::new();
    fence(&mut fake);
    fake.state(TransactionState::PrepareAbort, 1);
    fake.state(TransactionState::CompleteAbort, 1);
    fake.state(Empty, 2);
    fake.initialized(other, 2);
    fake.state(Ongoing, 2);
    assert_eq!(fake.state(PrepareCommit, 1), [Invariant::FencedNeverCommits]);
    assert_eq!(fake.ended(SHOP, 1, true), [Invariant::FencedNeverCommits]);
}

#[test]
fn a_commit_that_was_told_was_decided() {
    use TransactionState::{Ongoing, PrepareAbort, PrepareCommit};
    let told = |decided: TransactionState, committed: bool| {
        let mut fake = Fake::new();
        fake.state(Ongoing, 0);
        fake.initialized(SHOP, 0);
        fake.begun(SHOP, 0);
        fake.state(decided, 1);
        fake.ended(SHOP, 1, committed)
    };
    assert_eq!(told(PrepareCommit, true), []);
    assert_eq!(told(PrepareAbort, false), []);
    assert_eq!(told(PrepareAbort, true), [Invariant::CommitsDecided]);
    assert_eq!(told(PrepareCommit, false), [Invariant::CommitsDecided]);
    let mut fake = Fake::new();
    fake.state(Ongoing, 0);
    let (transactional_id, producer_id, producer_epoch) = (ID.into(), PRODUCER, 0);
    fake.at(SHOP.0, Event::TransactionBegun { transactional_id, producer_id, producer_epoch });
    assert_eq!(fake.ended(SHOP, 0, true), [], "nothing was sent, nobody was asked");
}
