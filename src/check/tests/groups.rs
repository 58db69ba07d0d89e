//! Invariants of groups, each shown to fail on what breaks it, and to hold on what is beside it.

use super::super::invariants::{Invariant, Invariants};
use super::invariants::Fake;
use super::made::{BROKER, Book, MAILER, OTHER, TP, batch, consumer, producer, setup};
use crate::app::{CommitMode, ConsumerAppSetup};
use crate::base::{NodeId, Offset, Time};
use crate::node::Event;
use crate::protocol::{ApiKey, ErrorCode};
use crate::sim::WorldSetup;
use std::rc::Rc;

const SECOND: NodeId = NodeId(6);

/// Two members of a group that commit before they process.
fn members(protocol: &str) -> WorldSetup {
    let settings = [("group.protocol", protocol), ("enable.auto.commit", "false")];
    let mailer = ConsumerAppSetup { assign: false, ..consumer(&settings, CommitMode::Before) };
    let second = ConsumerAppSetup { node: SECOND, name: "second".into(), ..mailer.clone() };
    setup(vec![producer(&[], 10)], vec![mailer, second])
}

/// Ten records that are committed, and two members of a group.
fn fake() -> Fake {
    fake_of("classic")
}

fn fake_of(protocol: &str) -> Fake {
    let mut fake = Fake::new();
    fake.invariants = Invariants::new(&members(protocol));
    let records = batch(0, 0, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    fake.append_to_all(&records);
    assert_eq!(fake.at(BROKER.0, Event::Appended { partition: TP, leader: true, batch: records }), []);
    assert_eq!(fake.commit(0, 10), []);
    fake
}

fn deliver(fake: &mut Fake, records: std::ops::Range<u32>) {
    for record in records {
        let (partition, offset) = (TP, Offset::from(record));
        assert_eq!(
            fake.at(MAILER.0, Event::Delivered { record: crate::base::RecordId(record), partition, offset }),
            []
        );
    }
}

fn commit(fake: &mut Fake, offset: Offset) -> Vec<Invariant> {
    fake.at(MAILER.0, Event::OffsetsCommitted { partition: TP, offset })
}

fn begin(fake: &mut Fake, offset: Offset, from_commit: bool) -> Vec<Invariant> {
    fake.at(MAILER.0, Event::PositionSet { partition: TP, offset, from_commit })
}

#[test]
fn two_that_may_commit_for_one_partition() {
    let mut fake = fake();
    let assigned = || Event::PartitionsAssigned { partitions: Rc::new([TP]) };
    fake.owners = vec![(TP, MAILER)];
    assert_eq!(fake.at(MAILER.0, assigned()), []);
    fake.owners.push((TP, SECOND));
    assert_eq!(fake.at(OTHER.0, assigned()), [], "no member tells it");
    assert_eq!(fake.at(SECOND.0, assigned()), [Invariant::OneOwner]);
}

#[test]
fn only_what_was_delivered_is_committed() {
    let mut fake = fake();
    deliver(&mut fake, 0..4);
    assert_eq!(commit(&mut fake, 4), []);
    assert_eq!(commit(&mut fake, 5), [Invariant::CommitsDelivered]);
    assert_eq!(begin(&mut fake, 8, false), [], "auto.offset.reset passes over some");
    deliver(&mut fake, 8..9);
    assert_eq!(commit(&mut fake, 9), []);
}

#[test]
fn commits_go_back_in_a_new_generation_only() {
    let mut fake = fake();
    deliver(&mut fake, 0..4);
    assert_eq!((commit(&mut fake, 4), commit(&mut fake, 4)), (vec![], vec![]));
    fake.generation = 2;
    assert_eq!(commit(&mut fake, 3), []);
    assert_eq!(commit(&mut fake, 2), [Invariant::CommitsAdvance]);
}

fn failed(error: ErrorCode) -> Event {
    Event::RequestFailed { api: ApiKey::OffsetCommit, peer: BROKER, error }
}

#[test]
fn a_member_reads_on_from_the_last_commit() {
    let mut fake = fake();
    assert_eq!(begin(&mut fake, 0, false), []);
    deliver(&mut fake, 0..4);
    assert_eq!(commit(&mut fake, 4), []);
    assert_eq!(begin(&mut fake, 3, true), [], "its partition is somebody else's, and it does not know");
    fake.owners = vec![(TP, MAILER)];
    assert_eq!(begin(&mut fake, 4, true), []);
    for from_commit in [true, false] {
        assert_eq!(begin(&mut fake, 3, from_commit), [Invariant::CommitsSurvive]);
    }
    assert_eq!(fake.at(MAILER.0, failed(ErrorCode::NotCoordinator)), []);
    assert_eq!(begin(&mut fake, 3, true), [Invariant::CommitsSurvive], "that was an answer");
    assert_eq!(fake.at(MAILER.0, failed(ErrorCode::NetworkException)), []);
    assert_eq!(begin(&mut fake, 3, true), [], "an older commit may have come late");
    fake.generation = 2;
    deliver(&mut fake, 4..5);
    assert_eq!(commit(&mut fake, 5), []);
    assert_eq!(begin(&mut fake, 4, true), [Invariant::CommitsSurvive], "that was in another generation");
}

/// KIP-1251: the coordinator takes an older epoch, if the partition was the member's by then.
#[test]
fn a_commit_of_an_older_epoch_may_come_late() {
    for (protocol, expected) in [("classic", vec![Invariant::CommitsSurvive]), ("consumer", vec![])] {
        let mut fake = fake_of(protocol);
        fake.owners = vec![(TP, MAILER)];
        deliver(&mut fake, 0..4);
        assert_eq!(commit(&mut fake, 2), []);
        assert_eq!(fake.at(MAILER.0, failed(ErrorCode::NetworkException)), []);
        fake.generation = 2;
        assert_eq!(commit(&mut fake, 4), []);
        assert_eq!(fake.invariants.comes_late("mail", TP, 1), expected.is_empty());
        assert!(!fake.invariants.comes_late("mail", TP, 4), "it stands where it was confirmed");
        assert_eq!(begin(&mut fake, 1, true), expected, "{protocol}");
    }
}

/// What is committed first is processed twice only where a commit came late.
#[test]
fn who_read_on_from_a_late_commit_may_repeat() {
    let (mut fake, setup) = (fake(), members("classic"));
    let mut book = Book::new(true);
    book.sent(&[0, 1]).appended(BROKER, batch(0, 0, &[0, 1])).committed(BROKER, 2).processed(&[0, 1, 1]);
    let repeated = |fake: &Fake| {
        let found = fake.invariants.check_deliveries(&book.ledger, &setup, Time::ORIGIN, |_| true);
        found.iter().map(|it| it.invariant).collect::<Vec<_>>()
    };
    fake.owners = vec![(TP, MAILER)];
    deliver(&mut fake, 0..4);
    assert_eq!(commit(&mut fake, 4), []);
    assert_eq!(fake.at(MAILER.0, failed(ErrorCode::NetworkException)), []);
    assert_eq!(repeated(&fake), [Invariant::AtMostOnce], "it may come late, and did not");
    assert_eq!(begin(&mut fake, 1, true), []);
    assert_eq!(repeated(&fake), []);
}
