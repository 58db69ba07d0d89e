//! Share groups: what their events mean for the ledger, and each of their invariants on a story that breaks it.

use super::super::claim::Guarantee;
use super::super::invariants::{Invariant, Invariants};
use super::super::life::{ShareEnd, StoryKind};
use super::invariants::Fake;
use super::made::{BROKER, Book, MAILER, TP, batch, consumer, ids, producer, setup};
use crate::app::{CommitMode, ConsumerAppSetup, Refusal};
use crate::base::config::AutoOffsetReset;
use crate::base::{Offset, RecordId, Time};
use crate::node::Event;
use crate::protocol::{AcknowledgeType, AcquiredRecords, StateBatch};
use std::ops::RangeInclusive;

fn acquired(member: &str, offsets: RangeInclusive<Offset>, delivery_count: i16) -> Event {
    let (first_offset, last_offset) = (*offsets.start(), *offsets.end());
    let records = [AcquiredRecords { first_offset, last_offset, delivery_count }].into();
    Event::RecordsAcquired { group: "mail".into(), member_id: member.into(), partition: TP, records }
}

fn state(offset: Offset, delivery_state: i8, delivery_count: i16) -> [StateBatch; 1] {
    [StateBatch { first_offset: offset, last_offset: offset, delivery_state, delivery_count }]
}

fn noted(offset: Offset, delivery_state: i8, delivery_count: i16) -> Event {
    let batches = state(offset, delivery_state, delivery_count).into();
    Event::RecordsAcknowledged { group: "mail".into(), partition: TP, batches }
}

fn expired(offset: Offset, delivery_state: i8, delivery_count: i16) -> Event {
    let batches = state(offset, delivery_state, delivery_count).into();
    Event::AcquisitionLockExpired { group: "mail".into(), partition: TP, batches }
}

fn loaded(start_offset: Offset) -> Event {
    Event::SharePartitionLoaded { group: "mail".into(), partition: TP, start_offset }
}

fn said(record: u32, kind: AcknowledgeType) -> Event {
    Event::Acknowledged { record: RecordId(record), partition: TP, offset: Offset::from(record), kind }
}

use StateBatch as S;

fn book(records: &[u32]) -> Book {
    let mut book = Book::new(true);
    book.sent(records).appended(BROKER, batch(0, 0, records)).committed(BROKER, records.len() as Offset);
    for record in records {
        book.acked(*record, Offset::from(*record));
    }
    book
}

#[test]
fn what_is_delivered_too_often_is_lost_and_told_apart() {
    let mut book = book(&[0, 1]);
    book.processed(&[0]).at(BROKER, noted(0, S::ACKNOWLEDGED, 1));
    book.at(MAILER, said(1, AcknowledgeType::Release)).at(BROKER, noted(1, S::AVAILABLE, 4));
    assert_eq!(book.ledger.verdict(&claim(), false).lost, [], "somebody may do it yet");
    book.at(MAILER, said(1, AcknowledgeType::Release)).at(BROKER, noted(1, S::ARCHIVED, 5));
    let verdict = book.ledger.verdict(&claim(), false);
    assert_eq!((&*verdict.lost, &*verdict.acked_lost, &*verdict.exhausted), (&*ids(&[1]), &*ids(&[1]), &*ids(&[1])));
    assert!(!verdict.holds);
    let told = book.story(1);
    use StoryKind::{Acknowledged, Archived, Released};
    let release = || Acknowledged(AcknowledgeType::Release);
    assert_eq!(told[told.len() - 4..], [release(), Released(4), release(), Archived(ShareEnd::Exhausted(5))]);
}

#[test]
fn what_is_rejected_is_not_lost() {
    let mut book = book(&[0]);
    book.at(MAILER, said(0, AcknowledgeType::Reject));
    assert_eq!(book.ledger.verdict(&claim(), true).lost, ids(&[0]), "the leader has not heard of it");
    book.at(BROKER, noted(0, S::ARCHIVED, 1));
    let verdict = book.ledger.verdict(&claim(), true);
    assert_eq!((&*verdict.rejected, &*verdict.lost), (&*ids(&[0]), &*ids(&[])));
    assert!(verdict.holds);
}

/// It was done before its lock ended: then its end is nobody's loss.
#[test]
fn what_was_done_is_not_lost_by_being_archived() {
    let mut book = book(&[0]);
    book.processed(&[0]).at(BROKER, expired(0, S::ARCHIVED, 5));
    let verdict = book.ledger.verdict(&claim(), true);
    assert_eq!((&*verdict.exhausted, &*verdict.lost), (&*ids(&[]), &*ids(&[])));
    assert_eq!(book.story(0).iter().filter(|it| matches!(it, StoryKind::LockExpired(5))).count(), 1);
}

/// Several members may have read the same partition: an effect counts once for each of them.
#[test]
fn a_record_that_two_members_did_is_a_duplicate() {
    let mut book = book(&[0]);
    book.processed(&[0])
        .at(BROKER, expired(0, S::AVAILABLE, 1))
        .processed(&[0])
        .at(BROKER, noted(0, S::ACKNOWLEDGED, 2));
    assert_eq!(book.ledger.verdict(&claim(), true).duplicated, ids(&[0]));
}

fn claim() -> super::super::Claim {
    super::super::Claim { guarantee: Guarantee::AtLeastOnce, why: Vec::new() }
}

#[test]
fn one_member_holds_a_record() {
    let mut fake = Fake::new();
    assert_eq!(fake.at(0, loaded(0)), []);
    assert_eq!(fake.at(0, acquired("a", 0..=2, 1)), []);
    assert_eq!(fake.at(0, noted(0, S::ACKNOWLEDGED, 1)), []);
    assert_eq!(fake.at(0, expired(1, S::AVAILABLE, 1)), []);
    assert_eq!(fake.at(0, acquired("b", 1..=1, 2)), []);
    assert_eq!(fake.at(0, acquired("b", 2..=2, 2)), [Invariant::OneAcquirer]);
    assert_eq!(fake.at(1, loaded(0)), [], "another leader knows of no locks");
    assert_eq!(fake.at(1, acquired("a", 1..=2, 2)), []);
}

/// `share-group` with seed 6353 and random faults: a leader that slept while another took over.
#[test]
fn a_former_leader_may_go_on_with_what_it_knew() {
    let mut fake = Fake::new();
    fake.share_start = Some(3);
    fake.at(0, loaded(3));
    fake.share_start = Some(44);
    fake.at(1, loaded(44));
    fake.share_start = Some(3);
    assert_eq!(fake.at(0, expired(3, S::AVAILABLE, 1)), []);
    assert_eq!(fake.at(1, expired(44, S::AVAILABLE, 1)), [Invariant::ShareStartAdvances]);
}

#[test]
fn deliveries_end() {
    let mut fake = Fake::new();
    assert_eq!(fake.at(0, acquired("a", 0..=0, 5)), []);
    assert_eq!(fake.at(0, acquired("a", 1..=1, 6)), [Invariant::DeliveriesLimited]);
}

/// A group may have a limit of its own, and another one later: what was given back under the old one comes once more.
#[test]
fn the_limit_is_the_groups() {
    let mut fake = Fake::new();
    fake.group_config.share_delivery_count_limit = 7;
    assert_eq!(fake.at(0, acquired("a", 0..=0, 6)), []);
    fake.group_config.share_delivery_count_limit = 3;
    assert_eq!(fake.at(0, acquired("a", 1..=1, 7)), []);
    assert_eq!(fake.at(0, acquired("a", 2..=2, 8)), [Invariant::DeliveriesLimited]);
}

#[test]
fn what_is_done_stays_done() {
    let mut fake = Fake::new();
    fake.at(0, acquired("a", 0..=1, 1));
    fake.at(0, noted(0, S::ACKNOWLEDGED, 1));
    fake.at(0, noted(1, S::ARCHIVED, 1));
    fake.at(1, loaded(0));
    assert_eq!(fake.at(1, acquired("a", 0..=0, 2)), [Invariant::AcknowledgedStays]);
    assert_eq!(fake.at(1, acquired("a", 1..=1, 2)), [Invariant::AcknowledgedStays]);
}

/// The end of a lock is not waited for: whoever leads next may not know of it.
#[test]
fn what_was_not_written_may_be_forgotten() {
    let mut fake = Fake::new();
    fake.at(0, acquired("a", 0..=0, 5));
    fake.at(0, expired(0, S::ARCHIVED, 5));
    fake.at(1, loaded(0));
    assert_eq!(fake.at(1, acquired("a", 0..=0, 5)), []);
}

#[test]
fn the_start_offset_advances() {
    let mut fake = Fake::new();
    fake.share_start = Some(3);
    assert_eq!(fake.at(0, loaded(3)), []);
    fake.share_start = Some(5);
    assert_eq!(fake.at(0, acquired("a", 7..=7, 1)), []);
    fake.share_start = Some(4);
    assert_eq!(fake.at(0, acquired("a", 8..=8, 1)), [Invariant::ShareStartAdvances]);
    assert_eq!(fake.at(1, loaded(4)), [], "it was not written");
}

/// Given up it may be without a word: the leader that wrote it died before it heard so.
#[test]
fn what_was_delivered_as_often_as_it_may_be_is_owed_no_more() {
    let worker = ConsumerAppSetup { share: Some(Refusal::Release), ..consumer(&[], CommitMode::Auto) };
    let setup = setup(vec![producer(&[], 10)], vec![worker]);
    let mut fake = Fake::new();
    fake.invariants = Invariants::new(&setup);
    let mut book = book(&[0, 1]);
    book.processed(&[0]);
    let owed =
        |fake: &Fake, book: &Book| fake.invariants.check_deliveries(&book.ledger, &setup, Time::ORIGIN, |_| true).len();
    assert_eq!(fake.at(BROKER.0, acquired("a", 1..=1, 4)), []);
    assert_eq!(owed(&fake, &book), 1, "it comes once more");
    assert_eq!(fake.at(BROKER.0, expired(1, S::AVAILABLE, 4)), []);
    assert_eq!(fake.at(BROKER.0, acquired("a", 1..=1, 5)), []);
    assert_eq!(owed(&fake, &book), 0);
    let mut fake = Fake::new();
    fake.invariants = Invariants::new(&setup);
    book.at(MAILER, said(1, AcknowledgeType::Reject));
    assert_eq!(owed(&fake, &book), 0, "rejected");
}

/// What stood there before a group began, behind it, is nobody's debt.
#[test]
fn a_group_that_begins_at_the_end_is_owed_nothing_of_before() {
    let worker = ConsumerAppSetup { share: Some(Refusal::Release), ..consumer(&[], CommitMode::Auto) };
    let setup = setup(vec![producer(&[], 10)], vec![worker]);
    let book = book(&[0, 1]);
    for (share_auto_offset_reset, owed) in [(AutoOffsetReset::Earliest, 2), (AutoOffsetReset::Latest, 0)] {
        let mut fake = Fake::new();
        fake.invariants = Invariants::new(&setup);
        fake.group_config.share_auto_offset_reset = share_auto_offset_reset;
        fake.at(BROKER.0, loaded(0));
        let found = fake.invariants.check_deliveries(&book.ledger, &setup, Time::ORIGIN, |_| true);
        assert_eq!(found.len(), owed, "{share_auto_offset_reset:?}");
    }
}
