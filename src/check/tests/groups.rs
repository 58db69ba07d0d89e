//! Invariants of groups, each shown to fail on what breaks it, and to hold on what is beside it.

use super::super::invariants::{Invariant, Invariants};
use super::invariants::Fake;
use super::made::{BROKER, MAILER, OTHER, TP, batch, consumer, producer, setup};
use crate::app::{CommitMode, ConsumerAppSetup};
use crate::base::{NodeId, Offset};
use crate::node::Event;
use crate::protocol::{ApiKey, ErrorCode};
use std::rc::Rc;

const SECOND: NodeId = NodeId(6);

/// Ten records that are committed, and two members of a group.
fn fake() -> Fake {
    let mut fake = Fake::new();
    let mailer = ConsumerAppSetup { assign: false, ..consumer(&[], CommitMode::AfterSync) };
    let second = ConsumerAppSetup { node: SECOND, name: "second".into(), ..mailer.clone() };
    fake.invariants = Invariants::new(&setup(vec![producer(&[], 10)], vec![mailer, second]));
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
    let failed = |error| Event::RequestFailed { api: ApiKey::OffsetCommit, peer: BROKER, error };
    assert_eq!(fake.at(MAILER.0, failed(ErrorCode::NotCoordinator)), []);
    assert_eq!(begin(&mut fake, 3, true), [Invariant::CommitsSurvive], "that was an answer");
    assert_eq!(fake.at(MAILER.0, failed(ErrorCode::NetworkException)), []);
    assert_eq!(begin(&mut fake, 3, true), [], "an older commit may have come late");
    fake.generation = 2;
    deliver(&mut fake, 4..5);
    assert_eq!(commit(&mut fake, 5), []);
    assert_eq!(begin(&mut fake, 4, true), [Invariant::CommitsSurvive], "that was in another generation");
}
