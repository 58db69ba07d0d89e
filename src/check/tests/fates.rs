//! What markers make of records, and of those who read them: lives and verdicts from events made by hand.

use super::super::claim::Guarantee;
use super::super::life::StoryKind;
use super::super::picture::Fate::{Aborted, Committed, Open, Plain};
use super::made::{BROKER, Book, MAILER, OTHER, SHOP, TP, batch, ids, marker, transactional};
use crate::base::RecordId;
use crate::node::{ClientError, Event};
use crate::protocol::ErrorCode;

fn begun() -> Event {
    Event::TransactionBegun { transactional_id: "t".into(), producer_id: 7, producer_epoch: 0 }
}

fn ending(committed: bool) -> Event {
    Event::TransactionEnding { transactional_id: "t".into(), committed }
}

fn ended(committed: bool) -> Event {
    Event::TransactionEnded { transactional_id: "t".into(), producer_id: 7, producer_epoch: 1, committed }
}

#[test]
fn a_marker_ends_the_transaction_of_its_producer_only() {
    let mut book = Book::new(false);
    book.sent(&[0, 1, 2, 3]).appended(BROKER, transactional(0, 0, 7, &[0, 1])).appended(BROKER, batch(2, 0, &[2]));
    book.appended(BROKER, transactional(3, 0, 8, &[3])).committed(BROKER, 4);
    assert_eq!(book.fates(TP), [Open, Open, Plain, Open]);
    assert_eq!(book.ledger.log(TP).and_then(|log| log.first_open()), Some(0));
    book.appended(BROKER, marker(4, 0, 7, true)).appended(BROKER, marker(5, 0, 8, false));
    assert_eq!(book.fates(TP), [Committed, Committed, Plain, Aborted]);
    assert_eq!(book.ledger.log(TP).and_then(|log| log.first_open()), None);
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert_eq!((verdict.appended, verdict.aborted, verdict.open, verdict.lost), (4, 1, 0, ids(&[3])));
    use StoryKind::{AppendedInTransaction, CommittedBehindLso, Sent, TransactionAborted, TransactionCommitted};
    assert_eq!(book.story(0), [Sent, AppendedInTransaction(0), CommittedBehindLso(0), TransactionCommitted(0)]);
    assert_eq!(
        book.story(2),
        [Sent, StoryKind::Appended(2), CommittedBehindLso(2)],
        "hidden though it is in no transaction"
    );
    assert_eq!(book.story(3).last(), Some(&TransactionAborted(3)));
}

#[test]
fn a_second_transaction_of_the_same_producer_is_another_one() {
    let mut book = Book::new(false);
    book.sent(&[0, 1]).appended(BROKER, transactional(0, 0, 7, &[0])).appended(BROKER, marker(1, 0, 7, false));
    book.appended(BROKER, transactional(2, 0, 7, &[1])).appended(BROKER, marker(3, 0, 7, true));
    assert_eq!(book.fates(TP), [Aborted, Committed]);
}

#[test]
fn a_leader_without_the_marker_has_the_transaction_open_again() {
    let mut book = Book::new(false);
    book.sent(&[0, 1]).appended(BROKER, transactional(0, 0, 7, &[0, 1])).appended(BROKER, marker(2, 0, 7, true));
    book.leads(OTHER, 1, 2);
    assert_eq!(book.fates(TP), [Open, Open]);
    book.appended(OTHER, marker(2, 1, 7, true));
    assert_eq!(book.fates(TP), [Committed, Committed]);
    // Without one of the records, too.
    book.leads(BROKER, 2, 1);
    assert_eq!(book.fates(TP), [Open]);
    book.appended(BROKER, marker(1, 2, 7, false));
    assert_eq!((book.fates(TP), book.verdict(Guarantee::ExactlyOnce).aborted), (vec![Aborted], 1));
}

#[test]
fn a_log_that_reappears_brings_its_markers() {
    let mut book = Book::new(false);
    book.sent(&[0, 1]).appended(BROKER, transactional(0, 0, 7, &[0])).appended(BROKER, marker(1, 0, 7, true));
    book.leads(OTHER, 1, 0).appended(OTHER, transactional(0, 1, 7, &[1]));
    assert_eq!(book.fates(TP), [Open]);
    // An unclean election brings the first leader back, with the log it had.
    let event = Event::BecameLeader { partition: TP, leader_epoch: 2, log_end_offset: 2, isr: [].into() };
    let back = book.recorded(BROKER, event);
    book.ledger.apply(std::slice::from_ref(&back));
    let log = [transactional(0, 0, 7, &[0]), marker(1, 0, 7, true)];
    book.ledger.replace_log(&back, TP, log.iter());
    assert_eq!(book.fates(TP), [Committed]);
    // Once more: what the picture has is not opened again.
    let told = book.story(0).len();
    let event = Event::BecameLeader { partition: TP, leader_epoch: 3, log_end_offset: 2, isr: [].into() };
    let again = book.recorded(BROKER, event);
    book.ledger.apply(std::slice::from_ref(&again));
    book.ledger.replace_log(&again, TP, log.iter());
    assert_eq!((book.fates(TP), book.story(0).len()), (vec![Committed], told));
}

#[test]
fn who_acts_on_an_open_transaction_acts_in_vain_if_it_is_aborted() {
    let mut book = Book::new(true);
    book.sent(&[0, 1, 2]).appended(BROKER, transactional(0, 0, 7, &[0, 1])).acts(MAILER, 0, TP, 0);
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).aborted_read, ids(&[]), "it may still be committed");
    book.appended(BROKER, marker(2, 0, 7, false)).acts(MAILER, 1, TP, 1);
    book.appended(BROKER, transactional(3, 0, 7, &[2])).acts(MAILER, 2, TP, 3).appended(BROKER, marker(4, 0, 7, true));
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert_eq!((verdict.aborted_read, verdict.holds), (ids(&[0, 1]), false), "2 was committed in the end");
    assert!(book.story(0).contains(&StoryKind::ReadUncommitted(0)));
}

#[test]
fn what_is_aborted_and_sent_again_stands_once_and_happens_once() {
    let mut book = Book::new(true);
    let error = ClientError::Broker(ErrorCode::InvalidProducerEpoch);
    book.at(SHOP, begun()).sent(&[0]).appended(BROKER, transactional(0, 0, 7, &[0]));
    book.at(SHOP, Event::SendFailed { record: RecordId(0), partition: Some(TP), error: error.clone() });
    book.at(SHOP, Event::ProducerFailed { error }).at(SHOP, ending(false)).appended(BROKER, marker(1, 0, 7, false));
    book.at(SHOP, ended(false)).at(SHOP, begun()).sent(&[0]);
    book.appended(BROKER, transactional(2, 0, 7, &[0])).acked(0, 2).at(SHOP, ending(true));
    assert_eq!(book.verdict(Guarantee::ExactlyOnce).acked_lost, ids(&[]), "an ack within a transaction is no promise");
    book.appended(BROKER, marker(3, 0, 7, true)).at(SHOP, ended(true));
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert_eq!((verdict.acked_lost, verdict.holds), (ids(&[0]), false), "now it was promised, and nobody got it");
    book.acts(MAILER, 0, TP, 2);
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert!(verdict.holds && verdict.lost.is_empty() && verdict.log_duplicated.is_empty());
    assert_eq!((verdict.sent, verdict.appended, verdict.aborted), (1, 2, 1));
}

#[test]
fn what_was_aborted_on_purpose_is_not_lost() {
    let mut book = Book::new(true);
    book.at(SHOP, begun()).sent(&[0]).appended(BROKER, transactional(0, 0, 7, &[0])).at(SHOP, ending(false));
    book.appended(BROKER, marker(1, 0, 7, false)).at(SHOP, ended(false));
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert!(verdict.holds && verdict.lost.is_empty());
    assert!(book.story(0).contains(&StoryKind::TakenBack { on_purpose: true }));
    book.acts(MAILER, 0, TP, 0);
    assert_eq!(book.verdict(Guarantee::ExactlyOnce).aborted_read, ids(&[0]));
}

#[test]
fn what_was_taken_back_and_then_sent_after_all_is_wanted() {
    let mut book = Book::new(true);
    book.at(SHOP, begun()).sent(&[0]).appended(BROKER, transactional(0, 0, 7, &[0])).at(SHOP, ending(false));
    book.appended(BROKER, marker(1, 0, 7, false));
    // It died before it knew, and sends the record again.
    book.at(SHOP, begun()).sent(&[0]).appended(BROKER, transactional(2, 0, 7, &[0])).acked(0, 2).at(SHOP, ending(true));
    book.appended(BROKER, marker(3, 0, 7, true)).at(SHOP, ended(true));
    assert_eq!(book.verdict(Guarantee::ExactlyOnce).acked_lost, ids(&[0]));
    book.acts(MAILER, 0, TP, 2);
    assert!(book.verdict(Guarantee::ExactlyOnce).holds);
}

#[test]
fn what_a_crash_left_to_be_aborted_is_lost_but_was_never_promised() {
    let mut book = Book::new(true);
    book.at(SHOP, begun()).sent(&[0]).appended(BROKER, transactional(0, 0, 7, &[0])).acked(0, 0);
    book.appended(BROKER, marker(1, 0, 7, false));
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.lost, verdict.acked_lost, verdict.holds), (ids(&[0]), ids(&[]), true));
}

#[test]
fn two_committed_places_are_a_duplicate_in_the_log() {
    let mut book = Book::new(false);
    book.sent(&[0]).appended(BROKER, transactional(0, 0, 7, &[0])).appended(BROKER, marker(1, 0, 7, true));
    book.appended(BROKER, transactional(2, 0, 8, &[0]));
    assert_eq!(book.verdict(Guarantee::ExactlyOnce).log_duplicated, ids(&[]), "one is open");
    book.appended(BROKER, marker(3, 0, 8, true));
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert_eq!((verdict.log_duplicated, verdict.duplicated), (ids(&[0]), ids(&[0])));
}
