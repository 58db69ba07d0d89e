//! Lives and verdicts from events made by hand.

use super::super::claim::{Guarantee, Reason, claim};
use super::super::life::StoryKind;
use super::made::{BROKER, Book, MAILER, OTHER, SHOP, TP, batch, consumer, ids, producer};
use crate::app::CommitMode;
use crate::base::RecordId;
use crate::node::{ClientError, Event};
use crate::protocol::{ApiKey, ErrorCode};

#[test]
fn one_quiet_life() {
    let mut book = Book::new(true);
    book.sent(&[0]).appended(BROKER, batch(0, 0, &[0])).committed(BROKER, 1).acked(0, 0).processed(&[0]);
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert!(verdict.holds);
    assert_eq!(verdict.observed, Guarantee::ExactlyOnce);
    let counts =
        [verdict.sent, verdict.acked, verdict.appended, verdict.committed, verdict.delivered, verdict.processed];
    assert_eq!(counts, [1; 6]);
    let story: Vec<StoryKind> = book.ledger.story(RecordId(0)).iter().map(|step| step.kind.clone()).collect();
    use StoryKind::{Acked, Appended, Committed, Delivered, Processed, Sent};
    assert_eq!(story, [Sent, Appended(0), Committed(0), Acked(0), Delivered(0), Processed]);
}

#[test]
fn a_retry_that_was_written_twice_is_a_duplicate_in_log_and_effect() {
    let mut book = Book::new(true);
    book.sent(&[3]).appended(BROKER, batch(0, 0, &[3])).appended(BROKER, batch(1, 0, &[3])).committed(BROKER, 2);
    book.acked(3, 1).processed(&[3, 3]);
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.duplicated, verdict.log_duplicated), (ids(&[3]), ids(&[3])));
    assert_eq!((verdict.appended, verdict.committed, verdict.processed), (2, 2, 2));
    assert_eq!(verdict.observed, Guarantee::AtLeastOnce);
    assert!(verdict.holds);
    assert!(!book.verdict(Guarantee::ExactlyOnce).holds);
    assert!(!book.verdict(Guarantee::AtMostOnce).holds);
}

#[test]
fn a_record_that_retention_takes_is_lost_only_if_nobody_read_it() {
    let mut book = Book::new(true);
    book.sent(&[0, 1, 2]).appended(BROKER, batch(0, 0, &[0, 1, 2])).committed(BROKER, 3);
    book.acked(0, 0).acked(1, 1).acked(2, 2).processed(&[0]);
    for offset in [2, 2, 1] {
        book.at(BROKER, Event::LogStartMoved { partition: TP, leader: true, offset });
    }
    let told = |record: u32| {
        let deleted = StoryKind::Deleted(i64::from(record));
        book.ledger.story(RecordId(record)).iter().filter(|step| step.kind == deleted).count()
    };
    assert_eq!([told(0), told(1), told(2)], [1, 1, 0]);
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.lost, verdict.appended), (ids(&[1, 2]), 3));
    // Another leader has not deleted them yet: the same records, not new ones.
    book.leads(OTHER, 1, 3);
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).appended, 3);
}

#[test]
fn a_record_that_was_compacted_away_unread_is_not_lost() {
    let mut book = Book::new(true);
    book.sent(&[0, 1, 2]).appended(BROKER, batch(0, 0, &[0])).appended(BROKER, batch(1, 0, &[1, 2]));
    book.committed(BROKER, 3).acked(0, 0).acked(1, 1).acked(2, 2);
    let left = [batch(0, 0, &[0]).emptied(), batch(1, 0, &[1, 2])];
    let compacted = Event::Compacted { partition: TP, to: 2, bytes: 10 };
    for node in [OTHER, BROKER, BROKER] {
        let event = book.recorded(node, compacted.clone());
        book.ledger.enter_compaction(&event, TP, 2, left.iter());
    }
    let told = book.ledger.story(RecordId(0)).iter().filter(|step| step.kind == StoryKind::Superseded(0)).count();
    assert_eq!((told, book.verdict(Guarantee::AtLeastOnce).lost), (1, ids(&[1, 2])));
}

#[test]
fn a_new_leader_without_the_record_loses_it() {
    let mut book = Book::new(false);
    book.sent(&[0, 1]).appended(BROKER, batch(0, 0, &[0])).appended(BROKER, batch(1, 0, &[1]));
    book.committed(BROKER, 1).acked(0, 0).acked(1, 1).leads(OTHER, 1, 1);
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.lost, verdict.acked_lost), (ids(&[1]), ids(&[1])));
    assert_eq!((verdict.observed, verdict.holds), (Guarantee::AtMostOnce, false));
    assert_eq!((verdict.appended, verdict.committed), (1, 1));
    assert_eq!(book.ledger.story(RecordId(1)).last().map(|step| &step.kind), Some(&StoryKind::CutOff(1)));
}

#[test]
fn what_a_deposed_leader_appends_does_not_count() {
    let mut book = Book::new(false);
    book.leads(BROKER, 0, 0).sent(&[0]).leads(OTHER, 1, 0).appended(BROKER, batch(0, 0, &[0])).committed(BROKER, 1);
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.appended, verdict.committed, verdict.lost), (0, 0, ids(&[0])));
    assert_eq!(book.ledger.story(RecordId(0))[1].kind, StoryKind::AppendedByFormerLeader(0));
}

#[test]
fn a_leader_with_another_log_replaces_the_picture() {
    let mut book = Book::new(false);
    book.sent(&[0, 1, 2]).appended(BROKER, batch(0, 0, &[0])).appended(BROKER, batch(1, 0, &[1]));
    book.leads(OTHER, 1, 1).appended(OTHER, batch(1, 1, &[2]));
    // An unclean election brings the first leader back, with the log it had.
    let event = Event::BecameLeader { partition: TP, leader_epoch: 2, log_end_offset: 2, isr: [].into() };
    let back = book.recorded(BROKER, event);
    book.ledger.apply(std::slice::from_ref(&back));
    let log = [batch(0, 0, &[0]), batch(1, 0, &[1])];
    book.ledger.replace_log(&back, TP, log.iter());
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.appended, verdict.lost), (2, ids(&[2])));
    let places = |record| book.ledger.life(RecordId(record)).map(|life| life.places.len());
    assert_eq!([places(0), places(1), places(2)], [Some(1), Some(1), Some(0)]);
}

/// `clock-skew-retention` with seed 434 and random faults: retention deletes on followers, too, each by its own clock.
#[test]
fn what_a_new_leader_deleted_as_a_follower_cannot_be_read() {
    let mut book = Book::new(true);
    book.sent(&[0, 1]).appended(BROKER, batch(0, 0, &[0, 1])).leads(OTHER, 1, 2);
    let is_readable = |book: &Book, record| {
        let life = book.ledger.life(RecordId(record)).expect("sent");
        book.ledger.is_readable(life, TP.topic)
    };
    assert!(is_readable(&book, 0));
    let event = Event::BecameLeader { partition: TP, leader_epoch: 2, log_end_offset: 2, isr: [].into() };
    let leads = book.recorded(BROKER, event);
    book.ledger.apply(std::slice::from_ref(&leads));
    book.ledger.enter_deletion(&leads, TP, 1);
    assert_eq!([is_readable(&book, 0), is_readable(&book, 1)], [false, true]);
    assert_eq!(book.story(0).last(), Some(&StoryKind::Deleted(0)));
}

#[test]
fn a_refused_record_is_lost_but_no_broken_promise() {
    let mut book = Book::new(true);
    let error = ClientError::Timeout;
    book.sent(&[0]).at(SHOP, Event::SendFailed { record: RecordId(0), partition: Some(TP), error });
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.lost, verdict.acked_lost, verdict.holds), (ids(&[0]), ids(&[]), true));
    assert_eq!(book.ledger.errors().len(), 1);
    assert_eq!(book.ledger.errors()[0].error.name(), "REQUEST_TIMED_OUT");
}

#[test]
fn errors_are_those_of_applications() {
    let mut book = Book::new(true);
    let event = |peer| Event::RequestFailed { api: ApiKey::Fetch, peer, error: ErrorCode::NotLeaderOrFollower };
    book.at(OTHER, event(BROKER)).at(MAILER, event(BROKER));
    let nodes: Vec<_> = book.ledger.errors().iter().map(|error| error.node).collect();
    assert_eq!(nodes, [MAILER]);
}

#[test]
fn a_record_skipped_by_the_consumer_is_lost_in_the_end() {
    let mut book = Book::new(true);
    book.sent(&[0, 1]).appended(BROKER, batch(0, 0, &[0, 1])).committed(BROKER, 2).acked(0, 0).acked(1, 1);
    book.processed(&[1]);
    let claim = super::super::Claim { guarantee: Guarantee::AtMostOnce, why: Vec::new() };
    assert_eq!(book.ledger.verdict(&claim, false).lost, ids(&[]), "it may still come");
    let verdict = book.verdict(Guarantee::AtMostOnce);
    assert_eq!((verdict.lost, verdict.acked_lost, verdict.holds), (ids(&[0]), ids(&[0]), true));
    assert!(!book.verdict(Guarantee::AtLeastOnce).holds);
}

#[test]
fn reordered_is_what_came_before_an_earlier_one() {
    let mut book = Book::new(true);
    book.sent(&[0, 1, 2, 3]).processed(&[0, 2, 3, 1]);
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).reordered, ids(&[2, 3]));
    let mut book = Book::new(true);
    book.sent(&[0, 1]).processed(&[0, 1, 0, 1]);
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).reordered, ids(&[]), "a repetition is no reordering");
    let mut book = Book::new(false);
    book.sent(&[0, 1]).appended(BROKER, batch(0, 0, &[1])).appended(BROKER, batch(1, 0, &[0]));
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).reordered, ids(&[1]));
}

#[test]
fn foreign_bytes_and_internal_topics_are_not_records() {
    let mut book = Book::new(false);
    let internal = crate::base::TopicPartition::new(crate::base::TopicId(2), 0);
    book.appended(BROKER, batch(0, 0, &[4_000_000]));
    book.at(BROKER, Event::Appended { partition: internal, leader: true, batch: batch(0, 0, &[1]) });
    assert_eq!(book.ledger.lives().count(), 0);
}

#[test]
fn claims_follow_the_weakest() {
    let after = consumer(&[], CommitMode::AfterSync);
    let before = consumer(&[], CommitMode::Before);
    let of = |producer: &[(&str, &str)], consumer| {
        claim(&[super::made::producer(producer, 1)], &[std::clone::Clone::clone(consumer)], &[])
    };
    assert_eq!(of(&[("acks", "0")], &after).guarantee, Guarantee::AtMostOnce);
    assert_eq!(of(&[("acks", "1")], &after).guarantee, Guarantee::AtLeastOnce);
    let once = of(&[("retries", "0")], &after);
    assert_eq!((once.guarantee, once.why), (Guarantee::AtMostOnce, vec![Reason::NoRetries("shop".into())]));
    let early = of(&[], &before);
    assert_eq!(
        (early.guarantee, early.why),
        (Guarantee::AtMostOnce, vec![Reason::CommitsBeforeProcessing("mailer".into())])
    );
    assert_eq!(claim(&[producer(&[("transactional.id", "t")], 1)], &[], &[]).guarantee, Guarantee::ExactlyOnce);
    assert_eq!(claim(&[producer(&[], 1)], &[], &[]).why, [Reason::NotTransactional("shop".into())]);
}
